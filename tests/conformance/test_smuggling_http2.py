"""Refused, not repaired, also where HTTP/2 comes in and HTTP/1 goes out: the vectors of smuggling_http2.py,
smuggling_http2_valid.py and smuggling_http2_responses.py.

They go over raw sockets through real sidecars: requests to applications of HTTP/1 and of HTTP/2 that write down what they
get, responses to callers of both.
"""
import json
import re

import pytest

from http2_frames import TARGET
from raw_mesh import CONTROL_PORT, HTTP2_PORT, PORT, WAYS_IN, run
from smuggling_http2 import HEAD, NOTHING, REFUSED, WHOLE
from smuggling_http2_responses import CUT, DUE, OF_ONE_STREAM, RESPONSES, UNREAD, UNTAKEN
from smuggling_http2_valid import PASSED, UNSEEN

# What comes as HTTP/2 travels as HTTP/2 between two sidecars, also to `cased`.
WAYS = {**{way: (*who, PORT) for way, who in WAYS_IN.items() if "cased" not in who},
        "outbound sidecar, to HTTP/2": ("client", "default", "app", HTTP2_PORT),
        "inbound sidecar, to HTTP/2": ("old", "legacy", "app.default", HTTP2_PORT)}
# What the runner sends of its own, beside and behind each vector, and what each vector is known by.
OWN = re.compile(r"(POST /neighbour/\d+|GET /fence/\d+) HTTP/.*?\r\n\r\n(innocent)?", re.S)
OWN_TARGET = re.compile(r"/(neighbour|fence)/\d+")
REQUEST = re.compile(r"(?=\b[A-Z]+ /v\d{3} HTTP/)")


def ask(mesh, way, vectors):
    """Each result with `application`: what it has of the vector, and of how many messages it has the end."""
    pod_name, ns, host, port = WAYS[way]
    numbered = [[write.replace(TARGET, b"/v%03d" % number).decode("latin-1") for write in writes] for number, writes in enumerate(vectors)]
    results = run(mesh, "raw_http2_client.py", pod_name, ns, kind="requests", to=[host, port], control=[host, CONTROL_PORT], vectors=numbered)
    seen, ends = [""] * len(results), [0] * len(results)
    for number, result in enumerate(results):
        for entry in result.pop("seen"):
            for request in REQUEST.split(OWN.sub("", entry["bytes"])):
                seen[whose(request, number)] += request
            for target in entry["complete"]:
                ends[whose(f" {target}", number)] += not OWN_TARGET.fullmatch(target)
    for number, result in enumerate(results):
        result["application"] = seen[number].replace(f"/v{number:03}", "/"), ends[number]
    return results


def whose(request, otherwise):
    """Where a connection was broken off, a request from it may come later than what the next one brought."""
    number = re.match(r"\S* /v(\d{3})\b", request)
    return int(number[1]) if number else otherwise


def neighbours_wrong(number, result):
    """A stream error is no other stream's."""
    if result["verdict"][0] != "goaway" and result["neighbour"] != f"/neighbour/{number}":
        return f"the neighbour was answered with {result['neighbour']!r}"
    if result["fence"] != f"/fence/{number}":
        return f"the next request was answered with {result['fence']!r}"
    return None


def why_wrong(vector, result):
    """Nothing where the request was refused as it should be, otherwise what was seen."""
    _, verdict, _, stage = (*vector, NOTHING)[:4]
    seen, complete = result["application"]
    if result["verdict"] not in verdict:
        return f"expected {verdict}"
    if result["verdict"] == ["status", 400] and ["x-weft-error", "bad-request"] not in result["fields"]:
        return "the reply does not say why"
    if stage == NOTHING and seen:
        return "the application saw something"
    if stage != WHOLE and complete:
        return "the application has a whole message"
    if complete > 1 or "/smuggled" in seen:
        return "the application has what is behind"
    return None


def report(vectors, results, judge):
    """Fails with a line for each vector that `judge` has something to say of."""
    wrong = []
    for number, (vector, result) in enumerate(zip(vectors, results)):
        if problem := judge(vector, result) or neighbours_wrong(number, result):
            wrong.append(f"{vector[0]}: {problem}; {result['verdict']} {result['body']!r} {result['fields']}, application: {result['application']}")
    print(f"{len(results)} vectors")
    assert len(results) == len(vectors) and not wrong, "\n".join(wrong)


@pytest.mark.parametrize("way", WAYS)
def test_every_http2_vector_is_refused_and_reaches_no_application(raw_mesh, way):
    report(REFUSED, ask(raw_mesh, way, [writes for _, _, writes, *_ in REFUSED]), why_wrong)


@pytest.mark.parametrize("way", WAYS)
def test_what_no_application_may_see_is_dropped_where_it_is_not_refused(raw_mesh, way):
    def judge(vector, result):
        seen, complete = result["application"]
        if vector[2].decode() in seen.lower() or "/smuggled" in seen:
            return f"the application saw {vector[2]}"
        return "no answer" if result["verdict"][0] == "nothing" or complete > 1 else None

    report(UNSEEN, ask(raw_mesh, way, [writes for _, writes, _ in UNSEEN]), judge)


@pytest.mark.parametrize("way", WAYS)
def test_the_nearest_valid_http2_requests_pass_and_mean_one_thing(raw_mesh, way):
    def judge(vector, result):
        _, _, parts, parts_of_http1 = (*vector, [])[:4]
        seen, complete = result["application"]
        wanted = parts + (parts_of_http1 if WAYS[way][3] == PORT else [])
        missing = [part for part in wanted if part.decode("latin-1").lower() not in seen.lower()]
        if result["verdict"] != ["status", 200] or complete != 1:
            return f"expected 200 and one message, not {complete}"
        return f"the application did not see {missing}" if missing else None

    report(PASSED, ask(raw_mesh, way, [writes for _, writes, *_ in PASSED]), judge)


def test_each_rule_of_the_http2_tables_stands_there_once():
    rules = [vector[0] for vector in REFUSED + UNSEEN + PASSED]
    assert len(set(rules)) == len(rules)
    assert {vector[3] for vector in REFUSED if len(vector) > 3} == {HEAD, WHOLE}


# Who asks the application of HTTP/2, in which version.
WAYS_OF_RESPONSES = {
    "HTTP/1, two sidecars": ("raw_client.py", "client", "default", "app"),
    "HTTP/2, two sidecars": ("raw_http2_client.py", "client", "default", "app"),
    "HTTP/1, two sidecars, HTTP/1.1 between them": ("raw_client.py", "client", "default", "cased"),
    "HTTP/1, the application's sidecar": ("raw_client.py", "old", "legacy", "app.default"),
    "HTTP/2, the application's sidecar": ("raw_http2_client.py", "old", "legacy", "app.default"),
    "HTTP/1, the caller's sidecar": ("raw_client.py", "client", "default", "bare.legacy"),
    "HTTP/2, the caller's sidecar": ("raw_http2_client.py", "client", "default", "bare.legacy"),
}
REPLY = re.compile(r"(?:HTTP/1\.1 1\d\d .*?\r\n\r\n)*HTTP/1\.1 (\d+)(.*?\r\n)\r\n(.*)", re.S)
FINE = re.compile(r"fine|4\r\nfine\r\n0\r\n(x-sum: 9\r\n)?\r\n")
# Which replies of weft's own a vector may have. Not to be reached says the sidecar of the application, or of the caller.
UPSTREAM_RESET = 503, "upstream-reset"
OWN_REPLIES = {502: [(502, "bad-response")], 503: [UPSTREAM_RESET],
               UNTAKEN: [(503, "app-unreachable"), (503, "upstream-connect-failure")]}


def why_wrong_response(vector, number, result):
    _, method, expected = vector[:3]
    status, fields, body = reply.groups() if (reply := REPLY.match(result["reply"])) else ("0", "", "")
    error = re.search(r"\r\nx-weft-error: (\S+)\r\n", fields)
    own_reply = (int(status), error[1]) if error and result["complete"] else None
    if "smuggled" in result["reply"] + result["next"]:
        return "what nobody asked for went through"
    if not result["next_complete"] or not re.fullmatch(rf"HTTP/1\.1 200 .*\r\n\r\n/next/{number}", result["next"], re.S):
        return "the next request did not get its own answer"
    if vector in OF_ONE_STREAM and result.get("neighbour", f"/neighbour/{number}") != f"/neighbour/{number}":
        return "the neighbour on the application's connection did not get its own answer"
    if expected in OWN_REPLIES:
        return None if own_reply in OWN_REPLIES[expected] else f"expected {OWN_REPLIES[expected]}"
    if expected in (CUT, DUE):
        # Where the head had not left yet, the sidecar in front has an answer of its own.
        if result["complete"] and own_reply != UPSTREAM_RESET and (expected == CUT or body not in ("", "fine")):
            return "an incomplete message was completed"
        return None if result["complete"] or result["closed"] else "neither an end nor a reset"
    if not result["complete"] or own_reply or int(status) != expected:
        return f"expected {expected}"
    has_body = method != "HEAD" and expected not in (204, 304)
    return None if (FINE.fullmatch(body) if has_body else not body) else "another body"


@pytest.mark.parametrize("way", WAYS_OF_RESPONSES)
def test_every_http2_response_vector_is_refused_and_poisons_nothing(raw_mesh, way):
    script, pod_name, ns, host = WAYS_OF_RESPONSES[way]
    # Only a caller of HTTP/2 can leave one answer unread and ask on.
    vectors = RESPONSES + (UNREAD if script == "raw_http2_client.py" else [])
    results = run(raw_mesh, script, pod_name, ns, kind="responses", to=[host, HTTP2_PORT],
                  vectors=[[number, vector[1]] for number, vector in enumerate(vectors)])
    wrong = {vector[0]: {"problem": problem, **result} for number, (vector, result) in enumerate(zip(vectors, results))
             if (problem := why_wrong_response(vector, number, result))}
    print(f"{way}: {len(results)} vectors")
    assert len(results) == len(vectors) and not wrong, json.dumps(wrong, indent=1)
    assert {one["name"]: one["restarts"] for one in raw_mesh.status() if one["restarts"]} == {}


def test_each_rule_of_the_http2_responses_stands_there_once():
    vectors = RESPONSES + UNREAD
    assert len({vector[0] for vector in vectors}) == len(vectors)
    assert {vector[2] for vector in vectors} >= {502, 503, UNTAKEN, CUT, DUE, 200, 204, 304}
