"""Random HTTP/1 messages: weft's verdict against that of h11, a parser that shares no line and no author with it.

WEFT_SEED and WEFT_MESSAGES choose other ones than CI's.
"""
import os
import random
import re
import subprocess

import h11
import pytest

from http1_differences import H11_REFUSES, WEFT_REFUSES
from http1_messages import make
from mesh import BUILD

SEED = int(os.environ.get("WEFT_SEED", "20260101"))
MESSAGES = int(os.environ.get("WEFT_MESSAGES", "20000"))
VERDICT = BUILD / "tests" / "conformance" / "http1-verdict"
OURSELVES = {b"host", b"transfer-encoding"}  # authority and framing, compared by what they mean
ABSOLUTE = re.compile(rb"https?://([^/?#]+)(.*)", re.I | re.S)


def verdict_of_weft(cases):
    data = b"".join(b"%s %s %d\n%s" % (role.encode(), method.encode(), len(message), message) for role, method, message in cases)
    lines = subprocess.run([VERDICT], input=data, capture_output=True, check=True).stdout.decode().splitlines()
    verdicts, read = [], new_reading()
    text = lambda word: bytes.fromhex(word[1:])
    for line in lines:
        kind, *words = line.split()
        if kind == "request":
            read.update(start=words[0].encode(), target=text(words[1]), authority=text(words[2]))
        elif kind == "response":
            read.update(start=words[0].encode())
        elif kind in ("field", "trailer"):
            read[kind].append((text(words[0]), text(words[1])))
        elif kind == "body":
            read["body"] = text(words[0])
        else:
            read["taken"], read["keep_alive"] = (int(words[0]), words[1] == "1") if kind == "ok" else (None, None)
            verdicts.append(read if kind == "ok" else f"refused with {words[0]}")
            read = new_reading()
    assert len(verdicts) == len(cases)
    return verdicts


def new_reading():
    return {"start": b"", "target": b"", "authority": b"", "field": [], "trailer": [], "body": b""}


def host_of(fields):
    return next((bytes(value) for name, value in fields if bytes(name).lower() == b"host"), b"")


def addressed_to(method, target, fields):
    """(target, authority) of a request as h11 hands it up: what stands on the line goes before Host (RFC 9112 § 3.2.2)."""
    if method == b"CONNECT":
        return target, target
    if not (absolute := ABSOLUTE.fullmatch(target)):
        return target, host_of(fields)
    authority, path = absolute.groups()
    if not path:  # § 3.2.4
        return (b"*" if method == b"OPTIONS" else b"/"), authority
    return (path if path.startswith(b"/") else b"/" + path), authority


def verdict_of_h11(role, method, message):
    connection = h11.Connection(h11.SERVER if role == "request" else h11.CLIENT)
    if role == "response":
        connection.send(h11.Request(method=method, target="/", headers=[("Host", "h")]))
        connection.send(h11.EndOfMessage())
    read = new_reading()
    version = None
    try:
        connection.receive_data(message)
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA:
                connection.receive_data(b"")
            elif isinstance(event, (h11.Request, h11.Response)):
                version = event.http_version
                read["field"] = [(name, value) for name, value in event.headers.raw_items()]
                if role == "request":
                    target, authority = addressed_to(event.method, event.target, read["field"])
                    read.update(start=event.method, target=target, authority=authority)
                else:
                    read.update(start=b"%d" % event.status_code)
            elif isinstance(event, h11.Data):
                read["body"] += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                read["trailer"] = list(event.headers.raw_items())
                break
            elif not isinstance(event, h11.InformationalResponse):
                return f"refused: {event}"
    except h11.RemoteProtocolError as error:
        return f"refused: {error}"
    read["taken"] = len(message) - len(connection.trailing_data[0])
    # Of HTTP/1.0 h11 keeps no connection; of a response and of CONNECT it says so only later.
    comparable = role == "request" and version == b"1.1" and read["start"] != b"CONNECT"
    read["keep_alive"] = connection.their_state is not h11.MUST_CLOSE if comparable else None
    return read


def alike(ours, theirs):
    """Nothing, or in what the two readings differ. Header names keep their case with both."""
    mine = lambda fields: [(bytes(name), bytes(value)) for name, value in fields if bytes(name).lower() not in OURSELVES]
    for key in ("field", "trailer"):
        if mine(ours[key]) != mine(theirs[key]):
            return f"{key}: {mine(ours[key])} or {mine(theirs[key])}"
    for key in ("start", "target", "authority", "body", "taken"):
        if ours[key] != theirs[key]:
            return f"{key}: {ours[key]} or {theirs[key]}"
    if theirs["keep_alive"] is not None and ours["keep_alive"] != theirs["keep_alive"]:
        return "keep-alive"
    return None


def test_weft_and_h11_read_alike_what_both_take_and_differ_only_as_explained():
    rng = random.Random(SEED)
    cases = [make(rng) for _ in range(MESSAGES)]
    both = neither = elsewhere = 0
    explained = {}
    for (role, method, message), ours in zip(cases, verdict_of_weft(cases)):
        theirs = verdict_of_h11(role, method, message)
        said = f"seed {SEED}: {role} ({method}) {message!r}\n weft: {ours}\n h11: {theirs}"
        we_take, they_take = isinstance(ours, dict), isinstance(theirs, dict)
        if we_take and they_take:
            both += 1
            elsewhere += theirs["authority"] != host_of(theirs["field"])
            assert alike(ours, theirs) is None, f"{alike(ours, theirs)}\n{said}"
        elif not we_take and not they_take:
            neither += 1
        else:
            reasons = [name for name, applies, _ in (H11_REFUSES if we_take else WEFT_REFUSES) if applies(message)]
            assert reasons, said
            explained[reasons[0]] = explained.get(reasons[0], 0) + 1
    print(f"{MESSAGES} messages: {both} taken by both ({elsewhere} for another authority than Host's), {neither} by neither, {sum(explained.values())} explained: {explained}")
    assert min(both, neither) > MESSAGES // 10 and elsewhere > MESSAGES // 100, "the messages are too much alike"
    unused = {name for name, _, _ in WEFT_REFUSES + H11_REFUSES} - set(explained)
    chosen = {"WEFT_SEED", "WEFT_MESSAGES"} & set(os.environ)
    assert not unused or chosen, f"no message needs {unused}"


@pytest.mark.parametrize("message", [b"GET / HTTP/1.1\r\nHost: h\r\n\r\n", b"GET http://a/ HTTP/1.1\r\nHost: h\r\n\r\n", b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nabcdGET"])
def test_a_reading_that_differs_would_be_seen(message):
    theirs = verdict_of_h11("request", "GET", message)
    (ours,) = verdict_of_weft([("request", "GET", message)])
    assert alike(ours, theirs) is None
    for key, other in {"start": b"PUT", "target": b"/other", "authority": b"other", "body": b"x", "taken": 0, "field": [(b"A", b"b")], "keep_alive": False}.items():
        assert alike({**ours, key: other}, theirs), key
