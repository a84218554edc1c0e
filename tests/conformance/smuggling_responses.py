"""HTTP/1 responses of an application that is broken, or means ill, and what its caller gets instead.

A vector is (rule, method, what the caller gets, bytes). The application sends the bytes for one request and leaves the
connection open. The caller gets
  502        weft's own reply: nothing of the bytes
  CUT        the head, and then the end of the connection within the body: an incomplete message is never completed
  a number   that status, complete, with the text "fine" as its body, or without one; and never a byte of what is behind
Behind each vector the runner asks again and must get its own answer, not what was left over.
"""
CUT = "cut"

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
SMUGGLED = b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nsmuggled"
FINE = OK + b"Content-Length: 4\r\n\r\nfine"


def heads(*vectors):
    """Heads that are no heads of a response."""
    return [(rule, "GET", 502, text) for rule, text in vectors]


def fields(*vectors):
    return [(rule, "GET", 502, OK + text) for rule, text in vectors]


def chunks(*vectors):
    return [(rule, "GET", CUT, CHUNKED + text) for rule, text in vectors]


# RFC 9112 § 4
STATUS_LINES = heads(
    ("no HTTP at all", b"hello\r\n\r\n"),
    ("request in place of a response", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("version 2.0", b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n"),
    ("version 1.2", b"HTTP/1.2 200 OK\r\nContent-Length: 0\r\n\r\n"),
    ("version in lower case", b"http/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
    ("ICY in place of HTTP", b"ICY 200 OK\r\nContent-Length: 0\r\n\r\n"),
    ("no status", b"HTTP/1.1\r\nContent-Length: 0\r\n\r\n"),
    ("status with two digits", b"HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n"),
    ("status with four digits", b"HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n"),
    ("status below 100", b"HTTP/1.1 099 OK\r\nContent-Length: 0\r\n\r\n"),
    ("status with a sign", b"HTTP/1.1 +20 OK\r\nContent-Length: 0\r\n\r\n"),
    ("status with letters", b"HTTP/1.1 2xx OK\r\nContent-Length: 0\r\n\r\n"),
    ("two spaces before the status", b"HTTP/1.1  200 OK\r\nContent-Length: 0\r\n\r\n"),
    ("tab before the reason", b"HTTP/1.1 200\tOK\r\nContent-Length: 0\r\n\r\n"),
    ("space before the version", b" HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
    ("bare LF behind the status line", b"HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n"),
    ("bare CR in the reason", b"HTTP/1.1 200 O\rK\r\nContent-Length: 0\r\n\r\n"),
    ("NUL in the reason", b"HTTP/1.1 200 O\x00K\r\nContent-Length: 0\r\n\r\n"),
)

# RFC 9112 §§ 5, 6.3
FIELDS = fields(
    ("length and coding", b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("coding and length", b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n"),
    ("two different lengths", b"Content-Length: 4\r\nContent-Length: 0\r\n\r\nfine"),
    ("two equal lengths", b"Content-Length: 4\r\nContent-Length: 4\r\n\r\nfine"),
    ("a list of lengths", b"Content-Length: 4, 4\r\n\r\nfine"),
    ("length with a sign", b"Content-Length: +4\r\n\r\nfine"),
    ("length in hexadecimal", b"Content-Length: 0x4\r\n\r\nfine"),
    ("length above 64 bits", b"Content-Length: 18446744073709551620\r\n\r\nfine"),
    ("empty length", b"Content-Length:\r\n\r\nfine"),
    ("coding nobody knows", b"Transfer-Encoding: cow\r\n\r\nfine"),
    ("chunked is not last", b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"),
    ("chunked twice", b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"),
    ("two coding lines", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("space before a colon", b"Content-Length : 4\r\n\r\nfine"),
    ("folded line", b"A: b\r\n c\r\nContent-Length: 4\r\n\r\nfine"),
    ("bare LF behind a field", b"A: b\nContent-Length: 4\r\n\r\nfine"),
    ("bare CR in a value", b"A: b\rc\r\nContent-Length: 4\r\n\r\nfine"),
    ("NUL in a value", b"A: \x00\r\nContent-Length: 4\r\n\r\nfine"),
    ("no colon", b"A b\r\nContent-Length: 4\r\n\r\nfine"),
    ("name with a space", b"A b: c\r\nContent-Length: 4\r\n\r\nfine"),
    ("101 fields", b"A: b\r\n" * 101 + b"Content-Length: 4\r\n\r\nfine"),
    ("field above 64 KiB", b"A: " + b"a" * 66000 + b"\r\nContent-Length: 4\r\n\r\nfine"),
) + [
    ("coding in HTTP/1.0", "GET", 502, b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("101 that nobody asked for", "GET", 502, b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"),
    ("length and coding in answer to HEAD", "HEAD", 502, OK + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"),
]

# RFC 9112 § 7.1
CHUNKS = chunks(
    ("chunk size is no number", b"x\r\nfine\r\n0\r\n\r\n"),
    ("chunk size with 0x", b"0x4\r\nfine\r\n0\r\n\r\n"),
    ("chunk size above 64 bits", b"10000000000000004\r\nfine\r\n0\r\n\r\n"),
    ("space behind a chunk size", b"4 \r\nfine\r\n0\r\n\r\n"),
    ("bare LF behind a chunk size", b"4\nfine\r\n0\r\n\r\n"),
    ("bare LF in a chunk extension", b"4;a\nb\r\nfine\r\n0\r\n\r\n"),
    ("chunk longer than its size", b"4\r\nfinest\r\n0\r\n\r\n"),
    ("any two bytes behind a chunk", b"4\r\nfineXX0\r\n\r\n"),
    ("length in the trailers", b"4\r\nfine\r\n0\r\nContent-Length: 4\r\n\r\n"),
    ("bare LF behind the trailers", b"4\r\nfine\r\n0\r\n\n"),
    ("space before a trailer's colon", b"4\r\nfine\r\n0\r\nA : b\r\n\r\n"),
)

# RFC 9112 § 6.3, RFC 9110 §§ 6.4.1, 15.2: a body where none can be, and a second response that nobody asked for. What
# comes behind the message is dropped with its connection.
LEFT_OVER = [
    ("second response", "GET", 200, FINE + SMUGGLED),
    ("bytes behind the body", "GET", 200, FINE + b"smuggled"),
    ("second response behind chunks", "GET", 200, CHUNKED + b"4\r\nfine\r\n0\r\n\r\n" + SMUGGLED),
    ("body in answer to HEAD", "HEAD", 200, OK + b"Content-Length: 8\r\n\r\nsmuggled"),
    ("chunks in answer to HEAD", "HEAD", 200, CHUNKED + b"8\r\nsmuggled\r\n0\r\n\r\n"),
    ("204 with a length and a body", "GET", 204, b"HTTP/1.1 204 No Content\r\nContent-Length: 8\r\n\r\nsmuggled"),
    ("204 with chunks", "GET", 204, b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n8\r\nsmuggled\r\n0\r\n\r\n"),
    ("204 and a second response", "GET", 204, b"HTTP/1.1 204 No Content\r\n\r\n" + SMUGGLED),
    ("304 with a length and a body", "GET", 304, b"HTTP/1.1 304 Not Modified\r\nContent-Length: 8\r\n\r\nsmuggled"),
    ("304 with chunks", "GET", 304, b"HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n8\r\nsmuggled\r\n0\r\n\r\n"),
    ("interim response with a length", "GET", 200, b"HTTP/1.1 103 Early Hints\r\nContent-Length: 4\r\n\r\n" + FINE),
    ("interim responses, then two final ones", "GET", 200, b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n" + FINE + SMUGGLED),
    ("no reason and no space before it", "GET", 200, b"HTTP/1.1 200\r\nContent-Length: 4\r\n\r\nfine"),
]

RESPONSES = STATUS_LINES + FIELDS + CHUNKS + LEFT_OVER
