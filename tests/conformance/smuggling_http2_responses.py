"""HTTP/2 responses of an application that is broken, or means ill, and what its caller gets instead.

Written from RFC 9113 (the section stands with each group), RFC 9110, and from what public advisories on HTTP/2 have in
common: response splitting behind a bridge to HTTP/1, and floods.

A vector is (rule, method, what the caller gets, bytes[, bytes that come a moment later, when the others have left]). The
application sends the bytes for one request, on the stream that it came on, and leaves the connection open, unless what
comes later is CLOSE. The caller gets
  502        weft's own reply, bad-response: nothing of the bytes
  503        weft's own reply, upstream-reset: the application gave the request up, or had its connection ended for a flood
  UNTAKEN    weft's own reply: a request that was not taken, and not at the next tries either
  CUT        the head, and then the end within the body: an incomplete message is never completed
  DUE        the same, or what was promised and not a byte more, where that was all there before it went wrong
  a number   that status, complete, with the text "fine" as its body, or without one; and never a byte of what is behind
Behind each vector the runner asks again and must get its own answer, not what was left over.
"""
import struct

from http2_frames import (ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PADDED, PING, PRIORITY, PUSH_PROMISE, RST, SETTINGS,
                          WINDOW_UPDATE, block, data, frame, indexed, literal)

CUT, DUE, UNTAKEN = "cut", "due", "untaken"
CLOSE = b""

# In place of the stream that the request came on; four bytes that occur nowhere else.
STREAM = 0x7E57E57F
NO_ERROR, INTERNAL_ERROR, REFUSED_STREAM, CANCEL = 0, 2, 7, 8
LENGTH = b"content-length"
SMUGGLED = b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nsmuggled"
MANY = 3000  # above what limits.h admits in a second of any kind of frame


def on_stream(octets, stream):
    return octets.replace(struct.pack(">I", STREAM), struct.pack(">I", stream))


def number(value):
    return struct.pack(">I", value)


def opens(fields, end=False, flags=END_HEADERS):
    return frame(HEADERS, flags | (END_STREAM if end else 0), STREAM, block(fields))


def head(*fields, status=b"200", end=False):
    return opens([(b":status", status), *fields], end)


def body(content, end=True):
    return data(content, end, STREAM)


def trailers(*fields, end=True):
    return opens(fields, end)


def reset(code):
    return frame(RST, 0, STREAM, number(code))


def goaway(last, code=NO_ERROR):
    return frame(GOAWAY, 0, 0, number(last) + number(code))


def setting(identifier, value):
    return frame(SETTINGS, 0, 0, struct.pack(">HI", identifier, value))


HEAD, FINE, BEHIND = head((LENGTH, b"4")), head((LENGTH, b"4")) + body(b"fine"), body(b"smuggled")
BEGUN, FINE_SO_FAR = head() + body(b"fi", end=False), HEAD + body(b"fine", end=False)
INTERIM = head((b"link", b"</a>"), status=b"103")


def heads(*vectors):
    """Heads that are no heads of a response, and a body."""
    return [(f"head: {rule}", "GET", 502, octets + BEHIND) for rule, octets in vectors]


def fields(*vectors):
    """A good head with one more field, and a body."""
    return [(f"head: {rule}", "GET", 502, head((name, value)) + BEHIND) for rule, name, value in vectors]


def begun(*vectors):
    """What comes when a response has begun."""
    return [(f"body: {rule}", "GET", CUT, BEGUN, octets) for rule, octets in vectors]


def connections(expected, *vectors):
    """In place of a response, and before one."""
    return [(f"connection: {rule}", "GET", expected, octets + FINE) for rule, octets in vectors]


# RFC 9113 §§ 8.3, 8.3.2; RFC 9110 § 15
STATUSES = heads(
    ("no field", opens([])),
    ("no :status", opens([(b"a", b"b")])),
    ("empty :status", head(status=b"")),
    ("two :status", opens([(b":status", b"200"), (b":status", b"204")])),
    ("two :status, alike", opens([(b":status", b"200"), (b":status", b"200")])),
    ("status with two digits", head(status=b"20")),
    ("status with four digits", head(status=b"2000")),
    ("status with letters", head(status=b"2xx")),
    ("status with a sign", head(status=b"+20")),
    ("status with a space", head(status=b"20 ")),
    ("status with a reason", head(status=b"200 OK")),
    ("status with a line", head(status=b"200\r\nx-smuggled: 1")),
    ("status below 100", head(status=b"099")),
    ("status of zeros", head(status=b"000")),
    ("101, which HTTP/2 has not (§ 8.6)", head(status=b"101")),
    (":status behind a field", opens([(b"a", b"b"), (b":status", b"200")])),
    (":status behind a field, in a CONTINUATION",
     opens([(b"a", b"b")], flags=0) + frame(CONTINUATION, END_HEADERS, STREAM, literal(b":status", b"200"))),
    (":method", head((b":method", b"GET"))),
    (":path", head((b":path", b"/smuggled"))),
    (":authority", head((b":authority", b"smuggled"))),
    (":protocol", head((b":protocol", b"websocket"))),
    ("a pseudo-header field that nobody knows", head((b":smuggled", b"1"))),
    ("a request in place of a response", opens([(b":method", b"GET"), (b":scheme", b"http"), (b":path", b"/smuggled"), (b":authority", b"app")])),
)

# §§ 8.2.1, 10.3; RFC 9110 §§ 5.1, 5.5: in HTTP/1 another field, or the end of the head (response splitting).
FIELDS = fields(
    ("name in capitals", b"X-Smuggled", b"1"),
    ("no name", b"", b"a"),
    ("name with a colon", b"content-length:4", b"x"),
    ("name before a space", b"content-length ", b"4"),
    ("name with a space", b"a b", b"c"),
    ("name with a line", b"a: b\r\nx-smuggled", b"1"),
    ("name with a response", b"a: b\r\n\r\n" + SMUGGLED + b"c", b"d"),
    ("name with CR", b"a\rb", b"c"),
    ("name with LF", b"a\nx-smuggled", b"1"),
    ("name with NUL", b"a\0b", b"c"),
    ("name with a byte above 127", b"\xc3\xa4", b"b"),
    ("value with a line", b"a", b"b\r\nx-smuggled: 1"),
    ("value with a response", b"a", b"b\r\n\r\n" + SMUGGLED),
    ("value with a reply of weft's", b"a", b"b\r\nx-weft-error: smuggled"),
    ("value with CR", b"a", b"b\rx-smuggled: 1"),
    ("value with LF", b"a", b"b\nx-smuggled: 1"),
    ("value with NUL", b"a", b"b\0c"),
    ("value that ends with CRLF", b"a", b"b\r\n"),
    ("value that begins with a space", b"a", b" b"),
    ("value that ends with a space", b"a", b"b "),
    ("value that ends with a tab", b"a", b"b\t"),
    ("value with an escape", b"a", b"\x1b[2J"),
    ("set-cookie with a line", b"set-cookie", b"a=b\r\nset-cookie: smuggled=1"),
    ("location with a line", b"location", b"/a\r\nx-smuggled: 1"),
)

# § 8.2.2
CONNECTION_FIELDS = fields(
    ("connection: close", b"connection", b"close"),
    ("connection that names a field", b"connection", b"content-length"),
    ("transfer-encoding: chunked", b"transfer-encoding", b"chunked"),
    ("transfer-encoding: identity", b"transfer-encoding", b"identity"),
    ("upgrade: h2c", b"upgrade", b"h2c"),
    ("keep-alive", b"keep-alive", b"timeout=5"),
    ("proxy-connection", b"proxy-connection", b"close"),
)

# § 8.1.1, RFC 9110 § 8.6; §§ 6.5.2, 10.5.1
LENGTHS = heads(
    ("two different lengths", head((LENGTH, b"8"), (LENGTH, b"4"))),
    ("two equal lengths", head((LENGTH, b"8"), (LENGTH, b"8"))),
    ("101 fields", head(*[(b"a", b"b")] * 101)),
) + fields(
    ("a list of lengths", LENGTH, b"8, 8"),
    ("length with a sign", LENGTH, b"+8"),
    ("length in hexadecimal", LENGTH, b"0x8"),
    ("length before a space", LENGTH, b"8 "),
    ("empty length", LENGTH, b""),
    ("length above 64 bits", LENGTH, b"18446744073709551624"),
) + [
    ("head: above 64 KiB, in CONTINUATIONs", "GET", 502,
     opens([(b":status", b"200")], flags=0) + b"".join(frame(CONTINUATION, END_HEADERS if last else 0, STREAM, literal(b"a", b"b" * 16000))
                                                        for last in [False] * 4 + [True]) + BEHIND),
    ("head: a length above an end at once", "GET", 502, head((LENGTH, b"4"), end=True)),
    ("head: 204 with a length", "GET", 502, head((LENGTH, b"8"), status=b"204") + BEHIND),
    ("head: an interim head whose value has a line", "GET", 502, head((b"a", b"b\r\nx-smuggled: 1"), status=b"103") + FINE),
    ("head: an interim head with a length", "GET", 502, head((LENGTH, b"4"), status=b"103") + FINE),
    ("head: an interim head that ends the stream (§ 8.1)", "GET", 502, head(status=b"103", end=True)),
    ("head: DATA behind an interim head", "GET", 502, INTERIM + BEHIND),
]

# § 8.1.1: the content is as long as its length says. §§ 6.1, 6.4, 8.1, 8.2.2, 8.3; RFC 9110 § 6.5.1
BODIES = begun(
    ("trailers with :status, or a second head", head(status=b"200", end=True)),
    ("a second head and its body", head((LENGTH, b"8")) + BEHIND),
    ("an interim head behind the head", INTERIM + BEHIND),
    ("trailers with :path", trailers((b":path", b"/smuggled"))),
    ("trailers with :smuggled", trailers((b":smuggled", b"1"))),
    ("trailers that do not end the stream", trailers((b"x-sum", b"9"), end=False) + BEHIND),
    ("trailers with a length", trailers((LENGTH, b"2"))),
    ("trailers with host", trailers((b"host", b"smuggled"))),
    ("trailers with transfer-encoding", trailers((b"transfer-encoding", b"chunked"))),
    ("trailers with connection", trailers((b"connection", b"close"))),
    ("trailers with a capital", trailers((b"X-Smuggled", b"1"))),
    ("trailers whose name has a line", trailers((b"a: b\r\nx-smuggled", b"1"))),
    ("trailers whose value has a line", trailers((b"a", b"b\r\nx-smuggled: 1"))),
    ("trailers whose value has a response", trailers((b"a", b"b\r\n\r\n" + SMUGGLED))),
    ("101 trailers", trailers(*[(b"a", b"b")] * 101)),
    ("RST_STREAM with NO_ERROR", reset(NO_ERROR)),
    ("RST_STREAM with CANCEL", reset(CANCEL)),
    ("RST_STREAM with REFUSED_STREAM, which would be tried again", reset(REFUSED_STREAM)),
) + [
    ("body: NO_ERROR in its midst, to a request that is not whole", "POST", CUT, BEGUN, reset(NO_ERROR)),
    ("body: below its length", "GET", CUT, head((LENGTH, b"8")) + body(b"fine")),
    ("body: below its length, which a later frame ends", "GET", CUT, head((LENGTH, b"8")) + body(b"fine", end=False) + body(b"")),
    ("body: below its length, then trailers", "GET", CUT, head((LENGTH, b"8")) + body(b"fine", end=False) + trailers((b"x-sum", b"9"))),
    ("body: its length counts the padding", "GET", CUT, head((LENGTH, b"8")) + frame(DATA, END_STREAM | PADDED, STREAM, b"\x03fine\0\0\0")),
    ("body: above its length", "GET", CUT, HEAD + body(b"fine" + SMUGGLED)),
    ("body: above its length, in two frames", "GET", DUE, FINE_SO_FAR, BEHIND),
    ("body: above a length of nothing", "GET", DUE, head((LENGTH, b"0")), BEHIND),
    ("body: DATA in answer to HEAD", "HEAD", DUE, head((LENGTH, b"8")), BEHIND),
    ("body: DATA without a length in answer to HEAD", "HEAD", DUE, head(), BEHIND),
    ("body: DATA behind 204", "GET", DUE, head(status=b"204"), BEHIND),
    ("body: DATA behind 304", "GET", DUE, head((LENGTH, b"8"), status=b"304"), BEHIND),
    ("body: trailers with a line behind the whole length", "GET", DUE, FINE_SO_FAR, trailers((b"a", b"b\r\nx-smuggled: 1"))),
]

# §§ 4.2, 4.3, 6: and the connection with it.
BROKEN = begun(
    ("RST_STREAM that is too short", frame(RST, 0, STREAM, b"\0\0\0")),
    ("padding longer than its frame", frame(DATA, END_STREAM | PADDED, STREAM, b"\x09ne")),
    ("padding of an empty frame", frame(DATA, END_STREAM | PADDED, STREAM)),
    ("a frame above 16384 bytes", body(b"smuggled" * 2049)),
    ("DATA on stream 0", data(b"smuggled", True, 0)),
    ("field block that ends in a field", frame(HEADERS, END_HEADERS | END_STREAM, STREAM, literal(b"a", b"bcd")[:-2])),
    ("GOAWAY that excludes the stream", goaway(0)),
    ("CONTINUATION behind a complete head", frame(CONTINUATION, END_HEADERS, STREAM)),
    ("the end of the connection, which ends no message as in HTTP/1.0", CLOSE),
) + [
    ("body: the end of the connection behind the whole length", "GET", DUE, FINE_SO_FAR, CLOSE),
]

# §§ 5.1, 6.4: the message was whole before.
BEHINDS = [
    (f"behind the end: {rule}", "GET", 200, FINE + octets) for rule, octets in [
        ("DATA", BEHIND), ("a second response", head((LENGTH, b"8")) + BEHIND), ("trailers", trailers((b"x-smuggled", b"1"))),
        ("RST_STREAM with NO_ERROR", reset(NO_ERROR)), ("RST_STREAM with INTERNAL_ERROR", reset(INTERNAL_ERROR)),
        ("RST_STREAM again and again", reset(CANCEL) * MANY), ("WINDOW_UPDATE", frame(WINDOW_UPDATE, 0, STREAM, number(1))),
        ("GOAWAY", goaway(STREAM)), ("no HTTP/2 at all", SMUGGLED)]
]

# §§ 4.1 to 4.3, 5.1, 5.1.1, 6: what is no HTTP/2 any more ends the connection.
CONNECTIONS = connections(
    502,
    ("HTTP/1 in place of frames", SMUGGLED),
    ("a frame above 16384 bytes (§ 4.2)", body(b"smuggled" * 2049)),
    ("DATA before a head", BEHIND),
    ("HEADERS on stream 0", frame(HEADERS, END_HEADERS | END_STREAM, 0, block([(b":status", b"200")]))),
    ("DATA on stream 0", data(b"smuggled", True, 0)),
    ("HEADERS on a stream of the caller's that never began", frame(HEADERS, END_HEADERS | END_STREAM, 0x7FFFFFFF, block([(b":status", b"200")]))),
    ("DATA on a stream of the caller's that never began", data(b"smuggled", True, 0x7FFFFFFF)),
    ("HEADERS on a stream of the server's", frame(HEADERS, END_HEADERS | END_STREAM, 2, block([(b":status", b"200")]))),
    ("RST_STREAM of a stream that never began", frame(RST, 0, 0x7FFFFFFF, number(CANCEL))),
    ("PUSH_PROMISE, which was not allowed (§ 8.4)",
     frame(PUSH_PROMISE, END_HEADERS, STREAM, number(2) + block([(b":method", b"GET"), (b":scheme", b"http"), (b":path", b"/smuggled")]))),
    ("field block with index 0 (RFC 7541 § 6.1)", frame(HEADERS, END_HEADERS, STREAM, indexed(0))),
    ("field block with an index that no table has", frame(HEADERS, END_HEADERS, STREAM, indexed(99999))),
    ("field block that ends in a field", frame(HEADERS, END_HEADERS, STREAM, block([(b":status", b"200")])[:-2])),
    ("table above what was allowed (RFC 7541 § 6.3)", frame(HEADERS, END_HEADERS, STREAM, b"\x3f\xff\xff\xff\x07" + block([(b":status", b"200")]))),
    ("CONTINUATION of nothing", frame(CONTINUATION, END_HEADERS, STREAM, block([(b":status", b"200")]))),
    ("a PING within a field block", opens([(b":status", b"200")], flags=0) + frame(PING, 0, 0, b"smuggled")),
    ("an unknown frame within a field block", opens([(b":status", b"200")], flags=0) + frame(0xAA, 0, STREAM, b"smuggled")),
    ("a field block that another stream goes on with", opens([(b":status", b"200")], flags=0) + frame(CONTINUATION, END_HEADERS, 0x7FFFFFFF)),
    ("padding longer than its HEADERS", frame(HEADERS, END_HEADERS | PADDED, STREAM, b"\xff" + block([(b":status", b"200")]))),
    ("SETTINGS of five bytes", frame(SETTINGS, 0, 0, b"\0\4\0\0\0")),
    ("SETTINGS on a stream", frame(SETTINGS, 0, STREAM)),
    ("SETTINGS with content that acknowledge", frame(SETTINGS, ACK, 0, b"\0\4\0\0\0\1")),
    ("SETTINGS_ENABLE_PUSH of a server", setting(2, 1)),
    ("SETTINGS_INITIAL_WINDOW_SIZE above 31 bits", setting(4, 1 << 31)),
    ("SETTINGS_MAX_FRAME_SIZE below 16384", setting(5, 16383)),
    ("SETTINGS_MAX_FRAME_SIZE above 24 bits", setting(5, 1 << 24)),
    ("SETTINGS_ENABLE_CONNECT_PROTOCOL of 2 (RFC 8441 § 3)", setting(8, 2)),
    ("PING of seven bytes", frame(PING, 0, 0, b"smuggle")),
    ("PING on a stream", frame(PING, 0, STREAM, b"smuggled")),
    ("WINDOW_UPDATE of three bytes", frame(WINDOW_UPDATE, 0, 0, b"\0\0\1")),
    ("WINDOW_UPDATE of 0", frame(WINDOW_UPDATE, 0, 0, number(0))),
    ("WINDOW_UPDATE of 0 for the stream", frame(WINDOW_UPDATE, 0, STREAM, number(0))),
    ("WINDOW_UPDATE above 31 bits", frame(WINDOW_UPDATE, 0, 0, number(0x7FFFFFFF))),
    ("WINDOW_UPDATE above 31 bits for the stream", frame(WINDOW_UPDATE, 0, STREAM, number(0x7FFFFFFF))),
    ("PRIORITY of four bytes", frame(PRIORITY, 0, STREAM, b"\0\0\0\0")),
    ("GOAWAY on a stream", frame(GOAWAY, 0, STREAM, number(STREAM) + number(0))),
) + connections(
    UNTAKEN,
    ("GOAWAY that excludes the stream (§ 6.8)", goaway(0)),
    ("RST_STREAM with REFUSED_STREAM (§ 8.7)", reset(REFUSED_STREAM)),
) + connections(
    503,
    ("RST_STREAM with CANCEL", reset(CANCEL)),
    ("RST_STREAM with NO_ERROR", reset(NO_ERROR)),
    ("RST_STREAM behind an interim head", INTERIM + reset(INTERNAL_ERROR)),
) + [
    ("connection: its end in place of a response", "GET", 503, setting(0xAAAA, 1), CLOSE),
    ("connection: its end behind an interim head", "GET", 503, INTERIM, CLOSE),
]

# § 10.5, and the advisories on resets, CONTINUATION, SETTINGS, PING, empty frames and PRIORITY.
FLOODS = [
    (f"flood: {rule}", "GET", expected, octets) for rule, expected, octets in [
        ("PING", 503, frame(PING, 0, 0, b"smuggled") * MANY + FINE),
        ("answers to no PING", 503, frame(PING, ACK, 0, b"smuggled") * MANY + FINE),
        ("SETTINGS", 503, frame(SETTINGS, 0, 0) * MANY + FINE),
        ("empty DATA", CUT, head() + body(b"", end=False) * MANY + body(b"smuggled")),
        ("DATA of padding alone", CUT, head() + frame(DATA, PADDED, STREAM, b"\x03\0\0\0") * MANY + body(b"smuggled")),
        ("CONTINUATION", 503, opens([(b":status", b"200")], flags=0) + frame(CONTINUATION, 0, STREAM) * MANY),
        ("nine CONTINUATIONs of one head", 503, opens([(b":status", b"200")], flags=0) + frame(CONTINUATION, 0, STREAM) * 8 +
         frame(CONTINUATION, END_HEADERS, STREAM) + BEHIND),
        ("PRIORITY", 503, frame(PRIORITY, 0, STREAM, b"\0\0\0\0\x10") * MANY + FINE),
        ("frames that nobody knows", 200, frame(0xAA, 0, STREAM) * MANY + FINE),
        # The table is out of step then: the connection has to end.
        ("a field block that unpacks to 4 MB", 502, frame(HEADERS, END_HEADERS, STREAM, block([(b":status", b"200")]) +
                                                          literal(b"a", b"b" * 4000, 0x40) + indexed(62) * 1000) + data(b"", True, 0)),
        ("33 interim heads", 502, INTERIM * 33 + FINE),
        ("interim heads without end", 502, INTERIM * MANY),
        ("GOAWAY", 200, goaway(STREAM) * MANY + FINE),
        ("WINDOW_UPDATE", 200, frame(WINDOW_UPDATE, 0, 0, number(1)) * MANY + FINE)]
]

# The nearest ones that mean one thing only.
PASSED = [
    (f"passes: {rule}", method, expected, octets) for rule, method, expected, octets in [
        ("a response", "GET", 200, FINE),
        ("without a length", "GET", 200, head() + body(b"fine")),
        ("its end in an empty DATA", "GET", 200, FINE_SO_FAR + body(b"")),
        ("an empty DATA in the midst", "GET", 200, HEAD + body(b"fi", end=False) + body(b"", end=False) + body(b"ne")),
        ("trailers", "GET", 200, head() + body(b"fine", end=False) + trailers((b"x-sum", b"9"))),
        ("trailers behind a length", "GET", 200, FINE_SO_FAR + trailers((b"x-sum", b"9"))),
        ("padded HEADERS and DATA", "GET", 200,
         frame(HEADERS, END_HEADERS | PADDED, STREAM, b"\x02" + block([(b":status", b"200"), (LENGTH, b"4")]) + b"\0\0") +
         frame(DATA, END_STREAM | PADDED, STREAM, b"\x03fine\0\0\0")),
        ("a head in CONTINUATIONs", "GET", 200,
         frame(HEADERS, 0, STREAM, b"") + frame(CONTINUATION, 0, STREAM, block([(b":status", b"200")])[:7]) +
         frame(CONTINUATION, END_HEADERS, STREAM, block([(b":status", b"200")])[7:] + literal(LENGTH, b"4")) + body(b"fine")),
        ("interim heads, then the final one", "GET", 200, head(status=b"100") + INTERIM + FINE),
        ("32 interim heads", "GET", 200, INTERIM * 32 + FINE),
        ("100 fields", "GET", 200, head((LENGTH, b"4"), *[(b"a", b"b")] * 99) + body(b"fine")),
        ("204", "GET", 204, head(status=b"204", end=True)),
        ("204 that an empty DATA ends", "GET", 204, head(status=b"204") + body(b"")),
        # Which HTTP/1 ends without the end of any chunks.
        ("204 with trailers", "GET", 204, head(status=b"204") + trailers((b"x-sum", b"9"))),
        ("304 with trailers", "GET", 304, head(status=b"304") + trailers((b"x-sum", b"9"))),
        ("trailers in answer to HEAD", "HEAD", 200, head() + trailers((b"x-sum", b"9"))),
        ("304 with a length", "GET", 304, head((LENGTH, b"8"), status=b"304", end=True)),
        ("a length in answer to HEAD", "HEAD", 200, head((LENGTH, b"8"), end=True)),
        ("a length in answer to HEAD, which an empty DATA ends", "HEAD", 200, head((LENGTH, b"8")) + body(b"")),
        ("a status that nobody knows (RFC 9110 § 15)", "GET", 299, head((LENGTH, b"4"), status=b"299") + body(b"fine")),
        ("a status above 599", "GET", 999, head((LENGTH, b"4"), status=b"999") + body(b"fine")),
        ("a response to a request that is not whole", "POST", 200, FINE),
        ("the same, and NO_ERROR behind it (§ 8.1)", "POST", 200, FINE + reset(NO_ERROR)),
        ("the same, and CANCEL behind it", "POST", 200, FINE + reset(CANCEL)),
        # Only sidecars say why: it goes.
        ("x-weft-error of an application", "GET", 200, head((LENGTH, b"4"), (b"x-weft-error", b"smuggled")) + body(b"fine")),
        ("x-weft-error of an application in trailers", "GET", 200,
         head() + body(b"fine", end=False) + trailers((b"x-sum", b"9"), (b"x-weft-error", b"smuggled"))),
        ("a frame that nobody knows (§ 4.1)", "GET", 200, frame(0xAA, 0xFF, STREAM, b"smuggled") + FINE),
        ("a setting that nobody knows (§ 6.5.2)", "GET", 200, setting(0xAAAA, 1) + FINE),
        ("PRIORITY", "GET", 200, frame(PRIORITY, 0, STREAM, b"\0\0\0\0\x10") + FINE),
        ("GOAWAY that includes the stream", "GET", 200, goaway(STREAM) + FINE),
        ("fields never to be indexed", "GET", 200,
         frame(HEADERS, END_HEADERS, STREAM, literal(b":status", b"200", 0x10) + literal(LENGTH, b"4", 0x10)) + body(b"fine"))]
]

# § 6.9.1: more than the window, which a sidecar opens no further while its own caller opens none.
UNREAD = [("flow control: DATA above the window", "GET", CUT, head() + body(b"fine" * 4096, end=False) * 128 + body(b""))]

# A stream error is no other stream's.
OF_ONE_STREAM = STATUSES + FIELDS + CONNECTION_FIELDS + LENGTHS + BODIES + PASSED
RESPONSES = OF_ONE_STREAM + BROKEN + BEHINDS + CONNECTIONS + FLOODS
