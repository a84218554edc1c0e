"""HTTP/2 requests that pass, the nearest to those of smuggling_http2.py, and what an application sees of them. RFC 9113."""
from http2_frames import (CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, HELPER, PADDED, STREAM, block, data, frame, get, indexed, literal,
                          opens, post, pseudo)
from smuggling_http2 import CODING, LENGTH, SMUGGLED

# They mean one thing only, and the application sees that one thing.
# (rule, writes, what the application sees[, what it sees if it speaks HTTP/1])
PASSED = [
    ("a request", [get()], [b"GET / HTTP", b"host: app"]),
    ("a request that ends by DATA", [opens(pseudo(), end=False) + data(b"")], [b"GET / HTTP"]),
    ("content as long as its length", [post((LENGTH, b"4")) + data(b"abcd")], [b"content-length: 4", b"\r\n\r\nabcd"]),
    ("padding counts for nothing (§ 6.1)", [post((LENGTH, b"4")) + frame(DATA, END_STREAM | PADDED, STREAM, b"\x03abcd\0\0\0")],
     [b"content-length: 4", b"\r\n\r\nabcd"]),
    ("a length of nothing", [opens(pseudo(method=b"POST") + [(LENGTH, b"0")])], [b"content-length: 0"]),
    ("content without a length", [post() + data(b"abcd")], [b"abcd"], [b"transfer-encoding: chunked", b"\r\n4\r\nabcd\r\n0\r\n\r\n"]),
    ("content that reads like a request", [post() + data(SMUGGLED)], [SMUGGLED], [b"\r\n25\r\n" + SMUGGLED + b"\r\n0\r\n\r\n"]),
    ("content that reads like a request, with its length", [post((LENGTH, b"37")) + data(SMUGGLED)], [b"content-length: 37", b"\r\n\r\n" + SMUGGLED]),
    ("content that reads like the last chunk and a request", [post() + data(b"0\r\n\r\n" + SMUGGLED)], [b"0\r\n\r\n" + SMUGGLED],
     [b"\r\n2a\r\n0\r\n\r\n" + SMUGGLED + b"\r\n0\r\n\r\n"]),
    ("GET with content", [opens(pseudo(), end=False) + data(SMUGGLED)], [b"GET / HTTP", SMUGGLED]),
    ("HEAD with content", [opens(pseudo(method=b"HEAD"), end=False) + data(SMUGGLED)], [b"HEAD / HTTP", SMUGGLED]),
    ("HEAD with a length and content", [opens(pseudo(method=b"HEAD") + [(LENGTH, b"37")], end=False) + data(SMUGGLED)],
     [b"HEAD / HTTP", b"content-length: 37", SMUGGLED]),
    ("trailers (§ 8.1)", [post() + data(b"abcd", end=False) + opens([(b"x-sum", b"9")])], [b"x-sum: 9"], [b"\r\n0\r\nx-sum: 9\r\n\r\n"]),
    ("te: trailers (§ 8.2.2)", [get((b"te", b"trailers"))], [b"\r\nte: trailers\r\n"]),
    ("a cookie in pieces (§ 8.2.3)", [get((b"cookie", b"a=b"), (b"cookie", b"c=d"))], [b"\r\ncookie: a=b; c=d\r\n"]),
    ("host in place of :authority (§ 8.3.1)", [opens(pseudo(authority=None) + [(b"host", b"other")])], [b"host: other\r\n"]),
    ("host beside :authority, the same", [get((b"host", b"app"))], [b"host: app\r\n"]),
    ("host beside :authority, the same in capitals", [get((b"host", b"APP"))], [b"host: app\r\n"]),
    # "… other servers MUST perform scheme-based normalization" (§ 8.3.1; RFC 3986 § 6.2.3, RFC 9110 § 4.2.3).
    ("host beside :authority, the same on the scheme's port", [get((b"host", b"app:80"))], [b"host: app\r\n"]),
    (":authority on the scheme's port beside host, the same", [opens(pseudo(authority=b"app:80") + [(b"host", b"app")])], [b"host: app"]),
    ("another :authority than was called", [get(authority=b"other:81")], [b"host: other:81\r\n"]),
    (":authority with an IPv6 address", [get(authority=b"[2001:2::1]:80")], [b"host: [2001:2::1]:80\r\n"]),
    (":path with a query", [get(path=b"/x?a=/../b")], [b"GET /x?a=/../b HTTP"]),
    ("OPTIONS for the server as a whole", [get(method=b"OPTIONS", path=b"*")], [b"OPTIONS * HTTP"]),
    ("a method that nobody knows", [get(method=b"BREW")], [b"BREW / HTTP"]),
    (":scheme https", [get(scheme=b"https")], [b"GET / HTTP"]),
    ("every character of a name", [get((b"!#$%&'*+-.^_`|~09az", b"b"))], [b"\r\n!#$%&'*+-.^_`|~09az: b\r\n"]),
    ("values empty, above 127 and with a tab", [get((b"a", b""), (b"b", b"\xc3\xa9"), (b"c", b"d\te"))],
     [b"\r\na: \r\n", b"\r\nb: \xc3\xa9\r\n", b"\r\nc: d\te\r\n"]),
    ("a field block in pieces (§ 6.10)",
     [frame(HEADERS, END_STREAM, STREAM, block(pseudo())[:9]) + frame(CONTINUATION, 0, STREAM, b"") +
      frame(CONTINUATION, END_HEADERS, STREAM, block(pseudo() + [(b"a", b"b")])[9:])], [b"GET / HTTP", b"\r\na: b\r\n"]),
    # § 4.3: what a refused request brought into the table is there for the next.
    ("a field by the table of a refused request",
     [frame(HEADERS, END_HEADERS | END_STREAM, HELPER, block(pseudo() + [(CODING, b"chunked")]) + literal(b"a", b"kept", 0x40)) +
      frame(HEADERS, END_HEADERS | END_STREAM, STREAM, block(pseudo()) + indexed(62))], [b"\r\na: kept\r\n"]),
]

# Refused or passed, the application sees nothing of one part. (rule, writes, that part)
UNSEEN = [
    # RFC 9110 § 6.5.1: no sender generates a trailer that frames or addresses the message. weft would be one.
    ("trailers with the right length", [post() + data(b"abcd", end=False) + opens([(LENGTH, b"4")])], b"content-length"),
    ("trailers with host", [post() + data(b"abcd", end=False) + opens([(b"host", b"other")])], b"other"),
    # RFC 9110 § 9.3.6: what follows is the tunnel's; as the length of a GET with Upgrade it would be content.
    ("extended CONNECT with a length", [opens(pseudo(method=b"CONNECT", protocol=b"websocket") + [(LENGTH, b"37")], end=False) + data(SMUGGLED, end=False)],
     b"content-length"),
]
