"""Refused, not repaired: what two recipients could read in two ways reaches neither application nor caller.

The vectors of smuggling_requests.py and smuggling_responses.py go over raw sockets through real sidecars.
"""
import json
import re

import pytest

import smuggling_requests
from raw_mesh import CONTROL_PORT, PORT, WAYS_IN, run
from smuggling_requests import HEAD, NOTHING, PASSED, REFUSED
from smuggling_responses import CUT, RESPONSES

SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: app\r\n\r\n"


def ask(mesh, way, vectors, keep):
    pod_name, ns, host = WAYS_IN[way]
    return run(mesh, "raw_client.py", pod_name, ns, kind="requests", to=[host, PORT], control=[host, CONTROL_PORT], keep=keep,
               vectors=[vector.decode("latin-1") for vector in vectors])


def without_fences(seen):
    return [entry for entry in seen if not entry["bytes"].startswith("GET /fence/")]


def why_wrong(result, status, stage):
    """Nothing where the request was refused as it should be, otherwise what was seen."""
    reply, seen = result["reply"], without_fences(result["seen"])
    if not reply.startswith(f"HTTP/1.1 {status} ") or len(re.findall(r"^HTTP/1\.", reply, re.M)) != 1:
        return f"expected one reply with {status}, got {reply[:400]!r}"
    if "\r\nx-weft-error: bad-request\r\n" not in reply or "\r\nConnection: close\r\n" not in reply:
        return f"the reply does not say why, or that the connection closes: {reply!r}"
    if not result["closed"]:
        return "the connection stays open"
    if stage == NOTHING and seen:
        return f"the application saw {seen}"
    if any("/smuggled" in entry["bytes"] or entry["complete"] for entry in seen):
        return f"the application has a whole message: {seen}"
    return None


@pytest.mark.parametrize("way", WAYS_IN)
def test_every_request_vector_is_refused_and_reaches_no_application(raw_mesh, way):
    vectors = [(*vector, NOTHING)[:4] for vector in REFUSED]
    results = ask(raw_mesh, way, [data + SMUGGLED for _, _, data, _ in vectors], keep=False)
    wrong = {rule: problem for (rule, status, _, stage), result in zip(vectors, results)
             if (problem := why_wrong(result, status, stage))}
    print(f"{way}: {len(vectors)} vectors")
    assert not wrong, json.dumps(wrong, indent=1)


@pytest.mark.parametrize("way", WAYS_IN)
def test_the_nearest_valid_requests_pass_and_mean_one_thing(raw_mesh, way):
    results = ask(raw_mesh, way, [data for _, data, _ in PASSED], keep=True)
    for (rule, _, expected), result in zip(PASSED, results):
        assert result["reply"].startswith("HTTP/1.1 200 "), (rule, result)
        seen = "".join(entry["bytes"] for entry in result["seen"]).encode("latin-1")
        for part in expected:
            lower_names = re.sub(rb"^[^:\r\n]+:", lambda name: name[0].lower(), part)
            assert part in seen or lower_names in seen, (rule, part, seen)


def test_there_are_vectors_of_every_kind():
    """The table is what it says: each rule once, at least 60 of requests and of responses."""
    groups = [getattr(smuggling_requests, name) for name in
              ("LENGTHS", "CODINGS", "NAMES", "LINES", "START_LINES", "HOSTS", "CHUNKS", "SIZES")]
    assert sum(map(len, groups)) == len(REFUSED) >= 60
    assert {(*vector, NOTHING)[3] for vector in REFUSED} == {NOTHING, HEAD}
    assert len(RESPONSES) >= 60
    for table in (REFUSED, RESPONSES):
        assert len({vector[0] for vector in table}) == len(table)


def why_wrong_response(result, method, expected):
    reply = result["reply"]
    status = re.match(r"(?:HTTP/1\.1 1\d\d .*?\r\n\r\n)*HTTP/1\.1 (\d+)", reply, re.S)
    if "smuggled" in reply + result["next"]:
        return "what nobody asked for went through"
    if expected == CUT:
        # Where the head had not left yet, the sidecar in front has an answer of its own.
        if result["complete"] and "\r\nx-weft-error: upstream-reset\r\n" not in reply:
            return "an incomplete message was completed"
    elif not result["complete"] or not status or int(status[1]) != expected:
        return f"expected {expected}"
    elif expected == 502 and "\r\nx-weft-error: bad-response\r\n" not in reply:
        return "the reply does not say why"
    elif expected == 200 and method == "GET" and not (reply.endswith("\r\n\r\nfine") or reply.endswith("\r\n4\r\nfine\r\n0\r\n\r\n")):
        return "another body"
    if not result["next_complete"] or "\r\n\r\n/next/" not in result["next"]:
        return "the next request did not get its own answer"
    return None


@pytest.mark.parametrize("host", ["app", "cased", "bare.legacy"])
def test_every_response_vector_is_refused_and_poisons_nothing(raw_mesh, host):
    results = run(raw_mesh, "raw_client.py", "client", "default", kind="responses", to=[host, PORT],
                  vectors=[[number, vector[1]] for number, vector in enumerate(RESPONSES)])
    wrong = {rule: {"problem": problem, **result} for (rule, method, expected, _), result in zip(RESPONSES, results)
             if (problem := why_wrong_response(result, method, expected))}
    print(f"{host}: {len(RESPONSES)} vectors")
    assert not wrong, json.dumps(wrong, indent=1)
