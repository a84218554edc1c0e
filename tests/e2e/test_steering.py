"""Who gets which request: canary weights, sticky callers, balancers, ejection, limits; each changed while requests run."""
import collections
import contextlib
import json
import math
import subprocess
import time

import pytest

from mesh import ROOT, WEFT, Mesh, deployment, namespace, pod, service, service_account

LOAD = ["/usr/bin/python3", str(ROOT / "tests/e2e/load.py")]
SLOW_SECONDS = 1


@pytest.fixture(scope="module")
def mesh():
    objects = [namespace("default", mtls="strict"), service_account("client"), pod("client", account="client"),
               pod("single", account="client", annotations={"weft.mesh/concurrency": "1"})]
    for app in ("web", "half", "slow"):
        objects += [service_account(app), service(app)]
    objects += [deployment("web", "http-echo", name=f"web-{v}", labels={"version": v}, env={"TEXT": v}) for v in ("v1", "v2", "v3")]
    objects += [deployment("half", "http-echo", name="half-good", labels={"version": "good"}, env={"TEXT": "good"}),
                deployment("half", "python", name="half-broken", labels={"version": "broken"}, env={"APP": "broken"}),
                deployment("slow", "http-echo", env={"TEXT": "slow", "LATENCY": SLOW_SECONDS})]
    with Mesh(objects) as up:
        yield up


@contextlib.contextmanager
def streaming(mesh, host, *options):
    """The batches of a client that goes on until the end of the block."""
    command = [str(WEFT), "local", "exec", "--name", mesh.name, "-n", "default", "client", "--", *LOAD, "stream", host, *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as client:
        try:
            yield (json.loads(line) for line in client.stdout)
        finally:
            client.kill()


def batch(mesh, host, *options):
    return json.loads(mesh.exec("client", *LOAD, "stream", host, "--batches", "1", *options, timeout=300).stdout)


def burst(mesh, at_once, caller="client"):
    return json.loads(mesh.exec(caller, *LOAD, "burst", "slow", "--at-once", str(at_once), timeout=120).stdout)


def settled(mesh, condition, what):
    """How long a change took to be in force, seen from outside; the demo shows that it is well under a second at rest."""
    begin = time.monotonic()
    assert mesh.until(condition, 10, step=0.02), f"not in force: {what}"
    print(f"{what}: in force within {time.monotonic() - begin:.2f} s, probing included")


def in_interval(count, total, share):
    """Within the 99 % binomial interval around its share."""
    return abs(count - total * share) <= 2.576 * math.sqrt(total * share * (1 - share)) + 0.5


def test_canary_weights_hold_while_they_change_under_load(mesh):
    """10,000 requests for each pair of weights, in one unbroken stream without an error. Of a hundred fair samples one
    lies outside its 99 % interval, so another may speak for it."""
    mesh.annotate("service/web", "weft.mesh/canary=v1=99,v2=1")
    settled(mesh, lambda: "v3" not in batch(mesh, "web", "--batch", "60")["counts"], "canary")
    with streaming(mesh, "web", "--batch", "500") as batches:
        for weight in (99, 90, 50):
            mesh.annotate("service/web", f"weft.mesh/canary=v1={weight},v2={100 - weight}")
            changed = time.monotonic() + 1  # a time-out of the promise, not a sleep: what begins later must follow
            for attempt in range(2):
                counts = collections.Counter()
                while counts.total() < 10_000:
                    seen = next(batches)
                    assert seen["codes"] == {"200": 500}
                    assert set(seen["counts"]) <= {"v1", "v2"}, "never an answer from elsewhere, whatever changes"
                    if seen["begin"] > changed:
                        counts.update(seen["counts"])
                print(f"weights {weight}/{100 - weight}: {dict(counts)}")
                if in_interval(counts["v1"], 10_000, weight / 100):
                    break
            else:
                pytest.fail(f"twice outside of {weight} %: {counts}")


def test_sticky_callers_never_move_but_with_their_weight(mesh):
    """500 callers, six requests each: one subset each, by weight; at new weights only those move that must."""
    mesh.annotate("service/web", "weft.mesh/canary=v1=90,v2=10", "weft.mesh/canary-sticky=header(x-user)")

    def homes():
        users = batch(mesh, "web", "--batch", "3000", "--users", "500", "--header", "x-user: user-{i}")["users"]
        return {user: set(got) for user, got in users.items()}

    first = {}

    def sticky():
        first.update(homes())
        return all(len(got) == 1 for got in first.values())
    settled(mesh, sticky, "canary-sticky")
    assert in_interval(sum(got == {"v1"} for got in first.values()), 500, 0.9), "the same callers every time: never by chance"
    assert homes() == first
    mesh.annotate("service/web", "weft.mesh/canary=v1=50,v2=50")
    second = {}

    def moved():
        second.update(homes())
        return second != first and all(len(got) == 1 for got in second.values())
    settled(mesh, moved, "weights of sticky callers")
    assert all(second[user] == {"v2"} for user in first if first[user] == {"v2"}), "nobody leaves what grew"
    assert in_interval(sum(got == {"v1"} for got in second.values()), 500, 0.5)
    mesh.annotate("service/web", "weft.mesh/canary-", "weft.mesh/canary-sticky-")


def test_a_hash_sends_one_user_to_one_pod(mesh):
    mesh.annotate("service/web", "weft.mesh/load-balancer=hash(header:x-user)")
    users = {}

    def one_each():
        users.update(batch(mesh, "web", "--batch", "600", "--users", "60", "--header", "x-user: user-{i}")["users"])
        return all(len(got) == 1 for got in users.values())
    settled(mesh, one_each, "hash")
    assert {body for got in users.values() for body in got} == {"v1", "v2", "v3"}
    mesh.annotate("service/web", "weft.mesh/load-balancer=hash(cookie:sid)")
    settled(mesh, lambda: len(batch(mesh, "web", "--batch", "60", "--header", "cookie: theme=dark; sid=7")["counts"]) == 1, "hash of a cookie")
    assert len(batch(mesh, "web", "--batch", "60", "--header", "x-user: user-7")["counts"]) == 3, "without the cookie by chance"


def test_round_robin_is_even(mesh):
    mesh.annotate("service/web", "weft.mesh/load-balancer=round-robin")
    settled(mesh, lambda: set(batch(mesh, "web", "--batch", "300")["counts"].values()) == {100}, "round-robin")
    mesh.annotate("service/web", "weft.mesh/load-balancer=random")
    settled(mesh, lambda: set(batch(mesh, "web", "--batch", "300")["counts"].values()) != {100}, "random")
    counts = batch(mesh, "web", "--batch", "3000")["counts"]
    assert all(abs(count - 1000) < 150 for count in counts.values()), counts
    mesh.annotate("service/web", "weft.mesh/load-balancer-")


def test_ejection_follows_the_services_own_settings(mesh):
    """One of two endpoints answers 503 always. It is asked for ever, until two failures in a row are enough."""
    mesh.annotate("service/half", "weft.mesh/outlier=consecutive=1000")
    batch(mesh, "half", "--batch", "50")
    assert batch(mesh, "half", "--batch", "100")["codes"].get("503", 0) > 10
    mesh.annotate("service/half", "weft.mesh/outlier=consecutive=2 ejection=10m")
    settled(mesh, lambda: batch(mesh, "half", "--batch", "50")["codes"] == {"200": 50}, "outlier")
    assert batch(mesh, "half", "--batch", "200")["codes"] == {"200": 200}
    assert "weft_endpoint_ejections_total 1" in mesh.curl("client", "http://127.0.0.1:15090/metrics")


def told_apart(results):
    """How long the served and the refused ones took, quickest first."""
    assert {(each["retry_after"], each["error"]) for each in results if each["code"] != 200} <= {("1", "overload")}, results
    return [sorted(each["seconds"] for each in results if each["code"] == code) for code in (200, 503)]


def test_what_exceeds_the_limits_is_told_so_at_once_and_the_rest_is_served(mesh):
    """Sixty at once where ten may be: ten take as long as they do alone, the others hear within a moment when to come again;
    and afterwards ten are served as before, for no place is lost."""
    alone, refused = told_apart(burst(mesh, 10))
    assert len(alone) == 10 and not refused
    mesh.annotate("service/slow", "weft.mesh/limits=requests=10 pending=60 connections=60")
    got = []

    def limited():
        got[:] = burst(mesh, 60)
        return any(each["code"] == 503 for each in got)
    settled(mesh, limited, "limits")
    served, refused = told_apart(got)
    assert len(served) + len(refused) == 60, got
    # The ten and, where the burst took longer than one answer, those who came after.
    assert 10 <= len(served) < 40
    nearly_all = refused[len(refused) * 95 // 100]
    print(f"{len(served)} served in {served[0]:.3f} to {served[-1]:.3f} s, alone in {alone[0]:.3f} to {alone[-1]:.3f} s; "
          f"{len(refused)} refused, 95 % of them within {nearly_all * 1000:.1f} ms")
    assert nearly_all < SLOW_SECONDS / 2
    assert served[-1] < alone[-1] + SLOW_SECONDS / 2, "nobody waits for the turn of another"
    mesh.logged("client", lambda line: line.get("reason") == "overload", count=len(refused))
    served, refused = told_apart(burst(mesh, 10))
    assert len(served) == 10 and not refused, "it recovers by itself"
    metrics = mesh.curl("client", "http://127.0.0.1:15090/metrics")
    assert 'response_flags="overload"' in metrics


def test_requests_wait_for_a_connection_and_no_more_of_them_than_may(mesh):
    """Two connections that nobody shares, from a sidecar of one worker: six requests take three turns. Then two may wait, and
    the other two of six are refused at once."""
    mesh.annotate("service/slow", "weft.mesh/preserve-case=true", "weft.mesh/limits=connections=2")

    def turns():
        served, refused = told_apart(burst(mesh, 6, "single"))
        return [round(seconds / SLOW_SECONDS) for seconds in served] == [1, 1, 2, 2, 3, 3] and not refused
    settled(mesh, turns, "connections")
    mesh.annotate("service/slow", "weft.mesh/limits=connections=2 pending=2")

    def some_refused():
        served, refused = told_apart(burst(mesh, 6, "single"))
        return [round(seconds / SLOW_SECONDS) for seconds in served + refused] == [1, 1, 2, 2, 0, 0]
    settled(mesh, some_refused, "pending")
    mesh.annotate("service/slow", "weft.mesh/preserve-case-", "weft.mesh/limits-")
