"""HTTP/2 requests that are another request, or two, once they are written as HTTP/1; and what a caller hears of each.

Written from RFC 9113 §§ 8.1 to 8.5 and 10.3 (the section stands with each group), RFC 8441, and from what public
advisories on HTTP/2 downgrades (H2.CL, H2.TE, H2C, request splitting) have in common.

A vector is (rule, verdict, writes[, stage]). § 8.1.1 has a malformed request answered with a stream error
PROTOCOL_ERROR, or with a status before the stream closes: RESET or BAD, or goaway(code) where the RFC says that the
connection is over. Several writes: the next one leaves when the application has what came of the one before. Stage says
how much may have reached the application: NOTHING; of a body that goes wrong the HEAD, never the end of the message;
or the WHOLE of a valid message, and not a byte of what is behind it.
"""
from http2_frames import (CONTINUATION, DATA, END_HEADERS, END_STREAM, FENCE, HEADERS, HELPER, PADDED, STREAM, TARGET, block, data, frame, get, indexed,
                          literal, opens, post, pseudo, text)

NOTHING, HEAD, WHOLE = "nothing", "head", "whole"

PROTOCOL_ERROR, STREAM_CLOSED, FRAME_SIZE_ERROR, COMPRESSION_ERROR = 1, 5, 6, 9
RESET = [["reset", PROTOCOL_ERROR]]
BAD = [["status", 400]]


def goaway(code):
    return [["goaway", code]]


SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: app\r\n\r\n"
LENGTH, CODING = b"content-length", b"transfer-encoding"


def refused(*vectors):
    """A GET with one more field."""
    return [(rule, RESET, [get((name, value))]) for rule, name, value in vectors]


def with_pseudo(verdict, *vectors):
    """A GET with another pseudo-header field."""
    return [(rule, verdict, [get(**{name: value})]) for rule, name, value in vectors]


# § 8.1.1, RFC 9110 § 8.6: the content is as long as its length says, which is said once and is a number (H2.CL).
LENGTHS = [
    ("length above the content", RESET, [post((LENGTH, b"44")) + data(b"abcd")], HEAD),
    ("length above the content, which ends later", RESET, [post((LENGTH, b"44")) + data(b"abcd", end=False), data(b"")], HEAD),
    ("length above the content, which is none and ends later", RESET, [post((LENGTH, b"44")), data(b"")], HEAD),
    ("length without content", RESET, [get((LENGTH, b"44"))]),
    ("length below the content", RESET, [post((LENGTH, b"4")) + data(b"abcd" + SMUGGLED)], HEAD),
    ("length below the content, in two frames", RESET, [post((LENGTH, b"4")) + data(b"abcd", end=False) + data(SMUGGLED)], HEAD),
    ("length of nothing before content", RESET, [post((LENGTH, b"0")) + data(SMUGGLED)], HEAD),
    # By then the application has all that was promised, and its answer may be the first to arrive.
    ("length below the content, of which the rest comes later", RESET + [["status", 200]],
     [post((LENGTH, b"4")) + data(b"abcd", end=False), data(SMUGGLED)], WHOLE),
    ("length of nothing before content that comes later", RESET + [["status", 200]], [post((LENGTH, b"0")), data(SMUGGLED)], WHOLE),
    ("length that counts the padding (§ 6.1)", RESET,
     [post((LENGTH, b"8")) + frame(DATA, END_STREAM | PADDED, STREAM, b"\x03abcd\0\0\0")], HEAD),
    ("length above the content, then trailers", RESET,
     [post((LENGTH, b"44")) + data(b"abcd", end=False) + opens([(b"x-sum", b"9")])], HEAD),
    ("length below the content, then trailers", RESET,
     [post((LENGTH, b"4")) + data(b"abcd" + SMUGGLED, end=False) + opens([(b"x-sum", b"9")])], HEAD),
    ("two different lengths", RESET, [post((LENGTH, b"4"), (LENGTH, b"0")) + data(b"abcd")]),
    ("two different lengths, the right one last", RESET, [post((LENGTH, b"0"), (LENGTH, b"4")) + data(b"abcd")]),
    ("two equal lengths", RESET, [post((LENGTH, b"4"), (LENGTH, b"4")) + data(b"abcd")]),
] + [
    (f"length {what}", RESET, [post((LENGTH, value)) + data(b"abcd")]) for what, value in [
        ("that is a list of equal ones", b"4, 4"), ("that is a list of different ones", b"4,0"), ("with a plus sign", b"+4"),
        ("with a minus sign", b"-4"), ("in hexadecimal", b"0x4"), ("with a space inside", b"4 4"), ("with a fraction", b"4.0"),
        ("that is empty", b""), ("above 63 bits", b"9223372036854775808"), ("above 64 bits, 4 in the low ones", b"18446744073709551620"),
        ("behind a vertical tab", b"\x0b4"), ("behind a space", b" 4"), ("before a space", b"4 "), ("before a CRLF", b"4\r\n")]
]

# § 8.2.2: fields of a connection have no meaning in HTTP/2, and one in HTTP/1 (H2.TE).
CODINGS = [
    (rule, RESET, [post(*fields) + data(b"0\r\n\r\n" + SMUGGLED)]) for rule, fields in [
        ("transfer-encoding: chunked", [(CODING, b"chunked")]),
        ("transfer-encoding: chunked and the right length", [(CODING, b"chunked"), (LENGTH, b"42")]),
        ("transfer-encoding: chunked and no length", [(LENGTH, b"0"), (CODING, b"chunked")]),
        ("transfer-encoding: identity", [(CODING, b"identity")]),
        ("transfer-encoding: trailers", [(CODING, b"trailers")]),
        ("empty transfer-encoding", [(CODING, b"")])]
] + [
    ("transfer-encoding by the static table", RESET,
     [frame(HEADERS, END_HEADERS, STREAM, block(pseudo(method=b"POST")) + b"\x79" + text(b"chunked")) + data(b"0\r\n\r\n" + SMUGGLED)]),
    # The first stream brings it into the dynamic table, and is refused; so is who refers to it.
    ("transfer-encoding by the dynamic table", RESET,
     [frame(HEADERS, END_HEADERS | END_STREAM, HELPER, block(pseudo()) + literal(CODING, b"chunked", 0x40)) +
      frame(HEADERS, END_HEADERS, STREAM, block(pseudo(method=b"POST")) + indexed(62)) + data(b"0\r\n\r\n" + SMUGGLED)]),
    ("transfer-encoding in a CONTINUATION", RESET,
     [frame(HEADERS, 0, STREAM, block(pseudo(method=b"POST"))) +
      frame(CONTINUATION, END_HEADERS, STREAM, literal(CODING, b"chunked")) + data(b"0\r\n\r\n" + SMUGGLED)]),
] + refused(
    ("connection: close", b"connection", b"close"),
    ("connection that names a field", b"connection", b"x-forwarded-client-cert"),
    ("empty connection", b"connection", b""),
    ("keep-alive", b"keep-alive", b"timeout=5"),
    ("proxy-connection", b"proxy-connection", b"keep-alive"),
    ("upgrade: h2c", b"upgrade", b"h2c"),
    ("upgrade: websocket", b"upgrade", b"websocket"),
    ("te: gzip", b"te", b"gzip"),
    ("te: chunked", b"te", b"chunked"),
    ("te: trailers and more", b"te", b"trailers, chunked"),
    ("empty te", b"te", b""),
)

# §§ 8.2.1, 10.3, RFC 9110 § 5.1: a name that is none, and in HTTP/1 another one, or the end of its line.
NAMES = refused(
    ("name with a colon, which begins a value", b"transfer-encoding:chunked,", b"x"),
    ("name that ends with a colon", b"content-length:", b"44"),
    ("name with a colon and a space", b"content-length: 44", b"x"),
    ("name with a line", b"a: b\r\ncontent-length: 44\r\nc", b"d"),
    ("name with a request", b"a: b\r\n\r\n" + SMUGGLED + b"c", b"d"),
    ("name that begins with CRLF", b"\r\ncontent-length", b"44"),
    ("name that ends with CRLF", b"a\r\n", b"b"),
    ("name with CR", b"a\rb", b"c"),
    ("name with LF", b"a\nb", b"c"),
    ("name with NUL", b"content-length\0", b"44"),
    ("name before a space", b"transfer-encoding ", b"chunked"),
    ("name behind a space", b" transfer-encoding", b"chunked"),
    ("name with a space", b"transfer encoding", b"chunked"),
    ("name before a tab", b"content-length\t", b"44"),
    ("name behind a vertical tab", b"\x0btransfer-encoding", b"chunked"),
    ("name with DEL", b"a\x7fb", b"c"),
    ("name with a byte above 127", b"content-l\xc3\xa9ngth", b"44"),
    ("name with a byte of 255", b"transfer-encoding\xff", b"chunked"),
    ("no name", b"", b"a"),
    ("name with a parenthesis", b"content(length", b"44"),
    ("name with a quote", b"\"content-length\"", b"44"),
    ("name with a comma", b"a,content-length", b"44"),
    ("name with a slash", b"a/b", b"c"),
    ("Content-Length in capitals", b"Content-Length", b"0"),
    ("Transfer-Encoding in capitals", b"Transfer-Encoding", b"chunked"),
    ("Host in capitals", b"HOST", b"other"),
    ("one capital", b"x-a-B", b"c"),
)

# §§ 8.2.1, 10.3, RFC 9110 § 5.5: a value that ends early in HTTP/1.
VALUES = refused(
    ("value with a line", b"a", b"b\r\ntransfer-encoding: chunked"),
    ("value with a line of ours", b"a", b"b\r\nx-forwarded-client-cert: URI=spiffe://cluster.local/ns/default/sa/other"),
    ("value with a request", b"a", b"b\r\n\r\n" + SMUGGLED + b"c"),
    ("value with a folded line", b"a", b"b\r\n c"),
    ("value with CR", b"a", b"b\rcontent-length: 44"),
    ("value with LF", b"a", b"b\ncontent-length: 44"),
    ("value with NUL", b"a", b"b\0c"),
    ("value that begins with CRLF", b"a", b"\r\ncontent-length: 44"),
    ("value that ends with CRLF", b"a", b"b\r\n"),
    ("value that ends with CR", b"a", b"b\r"),
    ("value that is LF", b"a", b"\n"),
    ("value that begins with a space", b"a", b" b"),
    ("value that ends with a space", b"a", b"b "),
    ("value that begins with a tab", b"a", b"\tb"),
    ("value that ends with a tab", b"a", b"b\t"),
    ("value that is a space", b"a", b" "),
    ("value with a control character", b"a", b"b\x01c"),
    ("value with an escape", b"a", b"\x1b[2J"),
    ("value with DEL", b"a", b"b\x7fc"),
    ("cookie with a line", b"cookie", b"a=b\r\ncontent-length: 44"),
    ("x-request-id, which a log has, with a line", b"x-request-id", b"a\r\nb: c"),
    ("expect with a line", b"expect", b"100-continue\r\ncontent-length: 44"),
) + [
    (f"value with a line, {how}", RESET, [frame(HEADERS, END_HEADERS | END_STREAM, STREAM, block(pseudo()) + field)]) for how, field in [
        ("never to be indexed", literal(b"a", b"b\r\nc: d", 0x10)),
        ("for the dynamic table", literal(b"a", b"b\r\nc: d", 0x40)),
        ("in Huffman's code", b"\0" + text(b"a") + text(b"\x8f\xff\xff\xff\xdf\xff\xff\xff\tqI?", huffman=True))]
] + [
    ("value with a line, by the dynamic table", RESET,
     [frame(HEADERS, END_HEADERS | END_STREAM, HELPER, block(pseudo()) + literal(b"a", b"b\r\nc: d", 0x40)) +
      frame(HEADERS, END_HEADERS | END_STREAM, STREAM, block(pseudo()) + indexed(62))]),
    ("value with a CR and its LF in a CONTINUATION", RESET,
     [frame(HEADERS, END_STREAM, STREAM, block(pseudo()) + literal(b"a", b"b\r\nc: d")[:-5]) +
      frame(CONTINUATION, END_HEADERS, STREAM, literal(b"a", b"b\r\nc: d")[-5:])]),
]

# §§ 8.3, 8.3.1: each of four once, in front of all others, and not empty.
PSEUDO = [
    (f":{name} is missing", RESET, [get(**{name: None})]) for name in ["method", "scheme", "path", "authority"]
] + [
    (f":{name} is empty", RESET, [get(**{name: b""})]) for name in ["method", "scheme", "path", "authority"]
] + [
    (f":{name} twice", RESET, [opens(pseudo() + [(b":" + name.encode(), value)])]) for name, value in
    [("method", b"POST"), ("scheme", b"https"), ("path", b"/smuggled"), ("authority", b"other")]
] + [
    (f":{name} twice, alike", RESET, [opens(pseudo() + [(b":" + name.encode(), value)])]) for name, value in
    [("method", b"GET"), ("path", TARGET), ("authority", b"app")]
] + [
    (f":{name} behind a field", RESET, [opens(pseudo(**{name: None}) + [(b"a", b"b"), (b":" + name.encode(), value)])]) for name, value in
    [("method", b"GET"), ("scheme", b"http"), ("path", b"/"), ("authority", b"app")]
] + [
    ("no pseudo-header field", RESET, [opens([(b"host", b"app")])]),
    ("no field", RESET, [opens([])]),
    (":path behind a field, in a CONTINUATION", RESET,
     [frame(HEADERS, END_STREAM, STREAM, block(pseudo(path=None) + [(b"a", b"b")])) +
      frame(CONTINUATION, END_HEADERS, STREAM, literal(b":path", b"/"))]),
] + [
    (f"pseudo-header field {name.decode()!r}", RESET, [opens(pseudo() + [(name, value)])]) for name, value in
    [(b":status", b"200"), (b":smuggled", b"1"), (b":content-length", b"44"), (b":transfer-encoding", b"chunked"),
     (b":host", b"other"), (b":Path", b"/smuggled"), (b":path ", b"/smuggled"), (b":", b"/"), (b":path:", b"/smuggled"),
     (b":protocol", b"websocket")]  # the last one belongs to CONNECT (RFC 8441 § 4)
]

# § 8.3.1, RFC 9112 § 3: the request line. Where HTTP/2's own grammar ends it is weft that answers, with 400.
START_LINES = with_pseudo(
    RESET,
    (":method with a request", "method", b"GET /smuggled HTTP/1.1\r\nHost: app\r\n\r\nGET"),
    (":method with a target", "method", b"GET /smuggled"),
    (":method with CRLF", "method", b"GET\r\n"),
    (":method with LF", "method", b"GET\n"),
    (":method with NUL", "method", b"GET\0"),
    (":method with a colon", "method", b"GE:T"),
    (":method with a parenthesis", "method", b"GET()"),
    (":method with a byte above 127", "method", b"G\xc3\x89T"),
    (":scheme with a line", "scheme", b"http\r\ncontent-length: 44"),
    (":scheme with an authority", "scheme", b"http://other/smuggled?"),
    (":scheme with a space", "scheme", b"ht tp"),
    (":scheme with NUL", "scheme", b"http\0"),
    (":scheme that begins with a digit", "scheme", b"1http"),
    (":scheme with a byte above 127", "scheme", b"http\xff"),
    (":path with a request", "path", b"/ HTTP/1.1\r\nHost: app\r\n\r\nGET /smuggled"),
    (":path with a line", "path", b"/ HTTP/1.1\r\ncontent-length: 44\r\na: b"),
    (":path with a version", "path", b"/smuggled HTTP/1.1"),
    (":path with CR", "path", b"/a\rb"),
    (":path with LF", "path", b"/a\nb"),
    (":path with NUL", "path", b"/a\0b"),
    (":path with a space", "path", b"/a b"),
    (":path with a tab", "path", b"/a\tb"),
    (":path with DEL", "path", b"/a\x7fb"),
    (":path behind a space", "path", b" /"),
    (":path before a space", "path", b"/ "),
    (":path without a slash", "path", b"smuggled"),
    (":path that is a query", "path", b"?a"),
    (":path in absolute form", "path", b"http://other/smuggled"),
    (":path in authority form", "path", b"other:80"),
    (":path that is an asterisk, without OPTIONS", "path", b"*"),
    (":path that begins with an asterisk", "path", b"*/smuggled"),
) + with_pseudo(
    BAD,
    (":path with a byte above 127", "path", b"/\xc3\xa9"),
    (":path with a fragment", "path", b"/a#b"),
)

# § 8.3.1, RFC 9110 §§ 4.2.4, 7.2: whose request it is.
AUTHORITIES = with_pseudo(
    RESET,
    (":authority with a line", "authority", b"app\r\ncontent-length: 44"),
    (":authority with a request", "authority", b"app\r\n\r\n" + SMUGGLED),
    (":authority with CR", "authority", b"app\rother"),
    (":authority with LF", "authority", b"app\n"),
    (":authority with NUL", "authority", b"app\0other"),
    (":authority with a space", "authority", b"app other"),
    (":authority before a space", "authority", b"app "),
    (":authority with a tab", "authority", b"app\tother"),
    (":authority with a backslash", "authority", b"app\\other"),
    (":authority with a path", "authority", b"app/smuggled"),
    (":authority with a query", "authority", b"app?x"),
    (":authority with a fragment", "authority", b"app#x"),
    (":authority with a byte above 127", "authority", b"\xc3\xa4pp"),
) + with_pseudo(
    BAD,
    (":authority with user information", "authority", b"user@app"),
    (":authority with user and password", "authority", b"app:80@other"),
    (":authority with a port that is none", "authority", b"app:8o"),
    (":authority with two ports", "authority", b"app:80:81"),
    (":authority with a port above 65535", "authority", b"app:65616"),
    (":authority with half an IPv6 address", "authority", b"[2001:2::1"),
    (":authority with bytes behind an IPv6 address", "authority", b"[2001:2::1]other"),
    (":authority with a bad escape", "authority", b"app%zz"),
) + [
    (rule, BAD, [opens(pseudo(authority=authority) + [(b"host", host) for host in hosts])]) for rule, authority, hosts in [
        ("host is not :authority", b"app", [b"other"]),
        ("host is :authority on another port", b"app", [b"app:81"]),
        ("host is :authority and more", b"app", [b"app.other"]),
        ("host with user information", None, [b"user@app"]),
        ("host with a port that is none", None, [b"app:8o"])]
] + [
    (rule, RESET, [opens(pseudo(authority=authority) + [(b"host", host) for host in hosts])]) for rule, authority, hosts in [
        ("host twice", b"app", [b"app", b"other"]),
        ("host twice, alike", b"app", [b"app", b"app"]),
        ("host twice, without :authority", None, [b"app", b"other"]),
        ("host with a line", None, [b"app\r\ncontent-length: 44"]),
        ("host with a line, beside :authority", b"app", [b"app\r\ncontent-length: 44"]),
        ("host with a path", None, [b"app/smuggled"]),
        ("host with a space", None, [b"app other"]),
        ("empty host", None, [b""])]
]

# § 8.1, RFC 9110 § 6.5.1: what comes behind the content neither addresses nor frames it. What is wrong with a head is
# wrong here.
TRAILERS = [
    (f"trailers with {rule}", RESET, [post() + data(b"abcd", end=False) + opens([(b"x-sum", b"9"), field])], HEAD) for rule, field in [
        (":path", (b":path", b"/smuggled")), (":method", (b":method", b"GET")), (":authority", (b":authority", b"other")),
        (":status", (b":status", b"200")), (":unknown", (b":unknown", b"a")),
        ("transfer-encoding", (CODING, b"chunked")), ("connection", (b"connection", b"close")), ("upgrade", (b"upgrade", b"h2c")),
        ("te: gzip", (b"te", b"gzip")), ("a capital", (b"X-a", b"b")), ("a name with a line", (b"a: b\r\nc", b"d")),
        ("a value with a line", (b"a", b"b\r\nc: d")), ("a value with a request", (b"a", b"b\r\n\r\n" + SMUGGLED)),
        ("another length", (LENGTH, b"44"))]
] + [
    ("trailers that do not end the stream", RESET,
     [post() + data(b"abcd", end=False) + opens([(b"x-sum", b"9")], end=False) + data(SMUGGLED)], HEAD),
    ("trailers that repeat the length", RESET,
     [post((LENGTH, b"4")) + data(b"abcd", end=False) + opens([(LENGTH, b"4")])], HEAD),
]

# § 8.5, RFC 8441 §§ 4, 5: tunnels. No byte for the tunnel before the application has opened one.
CONNECTS = [
    ("CONNECT with :path", RESET, [opens(pseudo(method=b"CONNECT", scheme=None, authority=b"app:80"), end=False) + data(SMUGGLED)]),
    ("CONNECT with :scheme", RESET, [opens(pseudo(method=b"CONNECT", path=None, authority=b"app:80"), end=False) + data(SMUGGLED)]),
    ("CONNECT without :authority", RESET, [opens(pseudo(method=b"CONNECT", scheme=None, path=None, authority=None), end=False)]),
    ("CONNECT with host alone", RESET,
     [opens(pseudo(method=b"CONNECT", scheme=None, path=None, authority=None) + [(b"host", b"app:80")], end=False)]),
    ("CONNECT to what has no port", BAD, [opens(pseudo(method=b"CONNECT", scheme=None, path=None), end=False) + data(SMUGGLED)]),
    ("CONNECT with a line in :authority", RESET,
     [opens(pseudo(method=b"CONNECT", scheme=None, path=None, authority=b"app:80\r\na: b"), end=False) + data(SMUGGLED)]),
    ("CONNECT with transfer-encoding", RESET,
     [opens(pseudo(method=b"CONNECT", scheme=None, path=None, authority=b"app:80") + [(CODING, b"chunked")], end=False)]),
    ("connect in lower case with :path missing", RESET, [opens(pseudo(method=b"connect", scheme=None, path=None), end=False)]),
] + [
    (rule, RESET, [opens(pseudo(method=b"CONNECT", protocol=protocol, **other), end=False) + data(SMUGGLED)]) for rule, protocol, other in [
        ("extended CONNECT without :path", b"websocket", {"path": None}),
        ("extended CONNECT without :scheme", b"websocket", {"scheme": None}),
        ("extended CONNECT without :authority", b"websocket", {"authority": None}),
        ("extended CONNECT, :path with a line", b"websocket", {"path": b"/ HTTP/1.1\r\na: b"}),
        ("empty :protocol", b"", {}),
        (":protocol with a line", b"websocket\r\ntransfer-encoding: chunked", {}),
        (":protocol with NUL", b"websocket\0", {})]
] + [
    # RFC 8441 § 4: it is a value of the registry of upgrade tokens, one. h2c is none to be had this way (RFC 9113 § 3.1,
    # RFC 9110 § 7.8): behind it no proxy reads a request any more.
    (rule, BAD + RESET + [["status", 501], ["status", 502]], [opens(pseudo(method=b"CONNECT", protocol=protocol), end=False)])
    for rule, protocol in [
        (":protocol h2c", b"h2c"), (":protocol h2c in capitals", b"H2C"), (":protocol that is a list", b"websocket, h2c"),
        (":protocol with a space", b"web socket"), (":protocol with a semicolon", b"websocket;a=b")]
] + [
    ("extended CONNECT that is not granted, and goes on", [["status", 501], ["status", 502]],
     [opens(pseudo(method=b"CONNECT", protocol=b"websocket"), end=False) + data(SMUGGLED, end=False)], WHOLE),
]

# §§ 4.2, 4.3, 5.1, 6.1, 6.10, RFC 7541: what is no HTTP/2 any more ends the connection.
CONNECTIONS = [
    ("index 0", goaway(COMPRESSION_ERROR), [frame(HEADERS, END_HEADERS | END_STREAM, STREAM, block(pseudo()) + b"\x80")]),
    ("index that no table has", goaway(COMPRESSION_ERROR), [frame(HEADERS, END_HEADERS | END_STREAM, STREAM, block(pseudo()) + indexed(99))]),
    ("field block that ends in a field", goaway(COMPRESSION_ERROR),
     [frame(HEADERS, END_HEADERS | END_STREAM, STREAM, block(pseudo() + [(b"a", b"bcd")])[:-2])]),
    ("length of a name above 32 bits", goaway(COMPRESSION_ERROR),
     [frame(HEADERS, END_HEADERS | END_STREAM, STREAM, block(pseudo()) + b"\0\x7f\xff\xff\xff\xff\xff\xff\x01")]),
    ("Huffman's code with an end in it", goaway(COMPRESSION_ERROR),
     [frame(HEADERS, END_HEADERS | END_STREAM, STREAM, block(pseudo()) + b"\0" + text(b"a") + text(b"\xff\xff\xff\xff", huffman=True))]),
    ("a frame of another stream within a field block", goaway(PROTOCOL_ERROR),
     [frame(HEADERS, END_STREAM, STREAM, block(pseudo())) + opens(pseudo(), stream=FENCE)]),
    ("CONTINUATION of another stream", goaway(PROTOCOL_ERROR),
     [frame(HEADERS, END_STREAM, STREAM, block(pseudo())) + frame(CONTINUATION, END_HEADERS, FENCE, b"")]),
    ("CONTINUATION of nothing", goaway(PROTOCOL_ERROR), [frame(CONTINUATION, END_HEADERS, STREAM, block(pseudo()))]),
    ("padding that is longer than its frame", goaway(PROTOCOL_ERROR),
     [post() + frame(DATA, END_STREAM | PADDED, STREAM, b"\x09abcd")], HEAD),
    ("content of a stream that never began", goaway(PROTOCOL_ERROR), [data(SMUGGLED)]),
    ("request on a server's stream", goaway(PROTOCOL_ERROR), [opens(pseudo(), stream=STREAM + 1)]),
    ("request on an earlier stream", goaway(PROTOCOL_ERROR), [get() + opens(pseudo(path=b"/smuggled"), stream=HELPER)], WHOLE),
    ("content behind the end", goaway(STREAM_CLOSED), [get() + data(SMUGGLED)], WHOLE),
    ("a second head behind the end", goaway(STREAM_CLOSED), [get() + get(path=b"/smuggled")], WHOLE),
    ("trailers behind the end", goaway(STREAM_CLOSED), [get() + opens([(b"x-sum", b"9")])], WHOLE),
    ("the preface once more, a frame of 5 MB (§ 4.2)", goaway(FRAME_SIZE_ERROR), [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"]),
]

REFUSED = LENGTHS + CODINGS + NAMES + VALUES + PSEUDO + START_LINES + AUTHORITIES + TRAILERS + CONNECTS + CONNECTIONS
