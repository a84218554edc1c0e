"""HTTP/1 requests that two recipients could read in two ways, and what a caller hears of each.

Written from RFC 9112 and RFC 9110 (the section stands with each group) and from what public advisories on request
smuggling have in common. Behind each one the runner sends a complete request for /smuggled in the same write: no
application may ever see it.

A vector is (rule, status, bytes[, stage]). Stage says how much may have reached the application when the fault shows:
NOTHING of a bad head; of a bad body the HEAD, never the end of the message.
"""
NOTHING, HEAD = "nothing", "head"

GET = b"GET / HTTP/1.1\r\nHost: app\r\n"
POST = b"POST / HTTP/1.1\r\nHost: app\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"


def fields(*vectors):
    """Field lines of a POST, to the end of its body."""
    return [(rule, status, POST + text) for rule, status, text in vectors]


def bodies(*vectors):
    """A chunked body that goes wrong."""
    return [(rule, 400, CHUNKED + text, HEAD) for rule, text in vectors]


# RFC 9112 § 6.3: the length is said twice, or with another coding, or not clearly.
LENGTHS = fields(
    ("length, then coding (CL.TE)", 400, b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("coding, then length (TE.CL)", 400, b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n"),
    ("length of nothing beside a coding (CL.0)", 400, b"Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("two different lengths", 400, b"Content-Length: 0\r\nContent-Length: 4\r\n\r\nabcd"),
    ("two equal lengths", 400, b"Content-Length: 4\r\nContent-Length: 4\r\n\r\nabcd"),
    ("three lengths, two of them equal", 400, b"Content-Length: 4\r\nContent-Length: 0\r\nContent-Length: 4\r\n\r\nabcd"),
    ("a list of equal lengths", 400, b"Content-Length: 4, 4\r\n\r\nabcd"),
    ("a list of different lengths", 400, b"Content-Length: 4,0\r\n\r\nabcd"),
    ("length with a plus sign", 400, b"Content-Length: +4\r\n\r\nabcd"),
    ("length with a minus sign", 400, b"Content-Length: -4\r\n\r\nabcd"),
    ("length in hexadecimal", 400, b"Content-Length: 0x4\r\n\r\nabcd"),
    ("length with an underscore", 400, b"Content-Length: 1_0\r\n\r\nabcdefghij"),
    ("length with a space inside", 400, b"Content-Length: 1 0\r\n\r\nabcdefghij"),
    ("length with a fraction", 400, b"Content-Length: 4.0\r\n\r\nabcd"),
    ("length with an exponent", 400, b"Content-Length: 4e0\r\n\r\nabcd"),
    ("length with a parameter", 400, b"Content-Length: 4;a=b\r\n\r\nabcd"),
    ("length in quotes", 400, b"Content-Length: \"4\"\r\n\r\nabcd"),
    ("empty length", 400, b"Content-Length:\r\n\r\n"),
    ("length above 63 bits", 400, b"Content-Length: 9223372036854775808\r\n\r\nabcd"),
    ("length above 64 bits, 4 in the low ones", 400, b"Content-Length: 18446744073709551620\r\n\r\nabcd"),
    ("length in other digits", 400, b"Content-Length: \xd9\xa4\r\n\r\nabcd"),
    ("length behind a vertical tab", 400, b"Content-Length: \x0b4\r\n\r\nabcd"),
    ("length behind a no-break space", 400, b"Content-Length: \xa04\r\n\r\nabcd"),
)

# RFC 9112 § 6.1: the coding is not exactly `chunked`, once, in HTTP/1.1.
CODINGS = fields(
    ("coding identity", 400, b"Transfer-Encoding: identity\r\n\r\n"),
    ("coding nobody knows (TE.TE)", 400, b"Transfer-Encoding: chonked\r\n\r\n0\r\n\r\n"),
    ("chunked twice in a line", 400, b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"),
    ("chunked in two lines", 400, b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("chunked, then another line that hides it", 400, b"Transfer-Encoding: chunked\r\nTransfer-encoding: cow\r\n\r\n0\r\n\r\n"),
    ("chunked is not last", 400, b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n"),
    ("another coding below chunked", 501, b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    ("coding that ends like chunked", 400, b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
    ("coding that begins like chunked", 400, b"Transfer-Encoding: chunkedx\r\n\r\n0\r\n\r\n"),
    ("chunked with a parameter", 400, b"Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n"),
    ("chunked in quotes", 400, b"Transfer-Encoding: 'chunked'\r\n\r\n0\r\n\r\n"),
    ("chunked behind an empty list item", 501, b"Transfer-Encoding: ,chunked\r\n\r\n0\r\n\r\n"),
    ("chunked before an empty list item", 400, b"Transfer-Encoding: chunked,\r\n\r\n0\r\n\r\n"),
    ("chunked behind a vertical tab", 400, b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n"),
    ("chunked behind a form feed", 400, b"Transfer-Encoding: \x0cchunked\r\n\r\n0\r\n\r\n"),
    ("chunked behind a no-break space", 400, b"Transfer-Encoding: \xa0chunked\r\n\r\n0\r\n\r\n"),
    ("empty coding", 400, b"Transfer-Encoding:\r\n\r\n"),
    ("colon twice", 400, b"Transfer-Encoding:: chunked\r\n\r\n0\r\n\r\n"),
) + [
    ("coding in HTTP/1.0", 400, b"POST / HTTP/1.0\r\nHost: app\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("coding in HTTP/1.0 that stays open", 400,
     b"POST / HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
]

# RFC 9112 §§ 5.1, 5.2, RFC 9110 § 5.1: the name of a field is hidden.
NAMES = fields(
    ("space before a colon", 400, b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n"),
    ("tab before a colon", 400, b"Content-Length\t: 4\r\n\r\nabcd"),
    ("space before a name", 400, b"A: b\r\n Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("tab before a name", 400, b"A: b\r\n\tContent-Length: 4\r\n\r\nabcd"),
    ("folded value", 400, b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n"),
    ("folded value behind a comma", 400, b"Content-Length: 4,\r\n 4\r\n\r\nabcd"),
    ("line of white space alone", 400, b"A: b\r\n \r\nContent-Length: 4\r\n\r\nabcd"),
    ("no name", 400, b": b\r\n\r\n"),
    ("no colon", 400, b"Content-Length 4\r\n\r\nabcd"),
    ("space within a name", 400, b"Content Length: 4\r\n\r\nabcd"),
    ("parenthesis in a name", 400, b"Content(Length: 4\r\n\r\nabcd"),
    ("NUL in a name", 400, b"Content-Length\x00: 4\r\n\r\nabcd"),
    ("byte above 127 in a name", 400, b"Content-L\xc3\xa9ngth: 4\r\n\r\nabcd"),
    ("byte order mark before a name", 400, b"\xef\xbb\xbfContent-Length: 4\r\n\r\nabcd"),
    ("CR within a name", 400, b"Content\r-Length: 4\r\n\r\nabcd"),
) + [
    ("space before the first field", 400, b"POST / HTTP/1.1\r\n Content-Length: 4\r\nHost: app\r\n\r\nabcd"),
]

# RFC 9112 § 2.2, RFC 9110 § 5.5: the end of a line is hidden.
LINES = fields(
    ("NUL in a value", 400, b"A: b\x00\r\nContent-Length: 4\r\n\r\nabcd"),
    ("bare LF behind a field", 400, b"A: b\nContent-Length: 4\r\n\r\nabcd"),
    ("bare LF before the body", 400, b"Content-Length: 4\r\n\nabcd"),
    ("bare CR in a value", 400, b"A: b\rContent-Length: 4\r\n\r\nabcd"),
    ("bare CR before the body", 400, b"Content-Length: 4\r\n\rabcd"),
    ("CR CR LF behind a field", 400, b"A: b\r\r\nContent-Length: 4\r\n\r\nabcd"),
    ("CR CR LF before the body", 400, b"Content-Length: 4\r\n\r\r\nabcd"),
    ("LF CR behind a field", 400, b"A: b\n\rContent-Length: 4\r\n\r\nabcd"),
    ("escape in a value", 400, b"A: \x1b[2J\r\n\r\n"),
    ("backspace in a value", 400, b"A: \x08\r\n\r\n"),
    ("DEL in a value", 400, b"A: \x7f\r\n\r\n"),
) + [
    ("lines that end in LF alone", 400, b"GET / HTTP/1.1\nHost: app\n\n"),
    ("bare LF behind the request line", 400, b"GET / HTTP/1.1\nHost: app\r\n\r\n"),
    ("bare CR behind the request line", 400, b"GET / HTTP/1.1\rHost: app\r\n\r\n"),
    ("two empty lines in front", 400, b"\r\n\r\nGET / HTTP/1.1\r\nHost: app\r\n\r\n"),
    ("bare LF in front", 400, b"\nGET / HTTP/1.1\r\nHost: app\r\n\r\n"),
]

# RFC 9112 §§ 3, 2.3: the request line.
START_LINES = [
    ("space before the method", 400, b" GET / HTTP/1.1\r\nHost: app\r\n\r\n"),
    ("no method", 400, b"/ HTTP/1.1\r\nHost: app\r\n\r\n"),
    ("method with a colon", 400, b"GE:T / HTTP/1.1\r\nHost: app\r\n\r\n"),
    ("method with a bracket", 400, b"GET[] / HTTP/1.1\r\nHost: app\r\n\r\n"),
    ("method with a byte above 127", 400, b"G\xc3\x89T / HTTP/1.1\r\nHost: app\r\n\r\n"),
    ("method with a NUL", 400, b"GET\x00 / HTTP/1.1\r\nHost: app\r\n\r\n"),
    ("tab behind the method", 400, b"GET\t/ HTTP/1.1\r\nHost: app\r\n\r\n"),
    ("two spaces behind the method", 400, b"GET  / HTTP/1.1\r\nHost: app\r\n\r\n"),
    ("two spaces before the version", 400, b"GET /  HTTP/1.1\r\nHost: app\r\n\r\n"),
    ("space behind the version", 400, b"GET / HTTP/1.1 \r\nHost: app\r\n\r\n"),
    ("no version (HTTP/0.9)", 400, b"GET /\r\nHost: app\r\n\r\n"),
    ("version in lower case", 400, b"GET / http/1.1\r\nHost: app\r\n\r\n"),
    ("version of another protocol", 400, b"GET / HTTZ/1.1\r\nHost: app\r\n\r\n"),
    ("version with two digits", 400, b"GET / HTTP/1.10\r\nHost: app\r\n\r\n"),
    ("version without a minor one", 400, b"GET / HTTP/1\r\nHost: app\r\n\r\n"),
    ("version with a comma", 400, b"GET / HTTP/1,1\r\nHost: app\r\n\r\n"),
    ("version 0.9", 505, b"GET / HTTP/0.9\r\nHost: app\r\n\r\n"),
    ("version 1.2", 505, b"GET / HTTP/1.2\r\nHost: app\r\n\r\n"),
    ("version 2.0", 505, b"GET / HTTP/2.0\r\nHost: app\r\n\r\n"),
    ("target with a space", 400, b"GET /a HTTP/1.1 b HTTP/1.1\r\nHost: app\r\n\r\n"),
    ("target with a tab", 400, b"GET /a\tb HTTP/1.1\r\nHost: app\r\n\r\n"),
    ("target with a NUL", 400, b"GET /a\x00 HTTP/1.1\r\nHost: app\r\n\r\n"),
    ("target with a bare CR", 400, b"GET /a\rb HTTP/1.1\r\nHost: app\r\n\r\n"),
    ("target with a byte above 127", 400, b"GET /\xc3\xa9 HTTP/1.1\r\nHost: app\r\n\r\n"),
    ("target with a fragment", 400, b"GET /a#b HTTP/1.1\r\nHost: app\r\n\r\n"),
    ("target without a slash", 400, b"GET a HTTP/1.1\r\nHost: app\r\n\r\n"),
    ("asterisk without OPTIONS", 400, b"GET * HTTP/1.1\r\nHost: app\r\n\r\n"),
    ("CONNECT to a path", 400, b"CONNECT / HTTP/1.1\r\nHost: app\r\n\r\n"),
    ("CONNECT without a port", 400, b"CONNECT app HTTP/1.1\r\nHost: app\r\n\r\n"),
    ("CONNECT with a body", 400, b"CONNECT app:80 HTTP/1.1\r\nHost: app\r\nContent-Length: 4\r\n\r\nabcd"),
    ("TLS on a plain port", 400, b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x03"),
]

# RFC 9112 § 3.2, RFC 9110 § 7.2: whose request it is.
HOSTS = [
    ("no Host in 1.1", 400, b"GET / HTTP/1.1\r\n\r\n"),
    ("two Hosts", 400, GET + b"Host: other\r\n\r\n"),
    ("two equal Hosts", 400, GET + b"Host: app\r\n\r\n"),
    ("two Hosts in 1.0", 400, b"GET / HTTP/1.0\r\nHost: app\r\nHost: other\r\n\r\n"),
    ("two Hosts, one with a space before its colon", 400, GET + b"Host : other\r\n\r\n"),
    ("two Hosts beside an absolute target", 400, b"GET http://app/ HTTP/1.1\r\nHost: app\r\nHost: other\r\n\r\n"),
    ("no Host beside an absolute target", 400, b"GET http://app/ HTTP/1.1\r\n\r\n"),
    ("Host with a path", 400, b"GET / HTTP/1.1\r\nHost: app/x\r\n\r\n"),
    ("Host with user information", 400, b"GET / HTTP/1.1\r\nHost: app@other\r\n\r\n"),
    ("Host with a space", 400, b"GET / HTTP/1.1\r\nHost: app other\r\n\r\n"),
    ("Host with a backslash", 400, b"GET / HTTP/1.1\r\nHost: app\\other\r\n\r\n"),
    ("Host with a port that is none", 400, b"GET / HTTP/1.1\r\nHost: app:8o\r\n\r\n"),
    ("Host with two ports", 400, b"GET / HTTP/1.1\r\nHost: app:80:81\r\n\r\n"),
    ("Host with a port above 65535", 400, b"GET / HTTP/1.1\r\nHost: app:65616\r\n\r\n"),
    ("Host with half an IPv6 address", 400, b"GET / HTTP/1.1\r\nHost: [2001:2::1\r\n\r\n"),
    ("Host with bytes behind an IPv6 address", 400, b"GET / HTTP/1.1\r\nHost: [2001:2::1]other\r\n\r\n"),
    ("Host with a bad escape", 400, b"GET / HTTP/1.1\r\nHost: app%zz\r\n\r\n"),
    ("Host with a byte above 127", 400, b"GET / HTTP/1.1\r\nHost: \xc3\xa4pp\r\n\r\n"),
    ("invalid Host beside an absolute target", 400, b"GET http://app/ HTTP/1.1\r\nHost: a b\r\n\r\n"),
    ("user information in an absolute target", 400, b"GET http://a@app/ HTTP/1.1\r\nHost: app\r\n\r\n"),
    ("no host in an absolute target", 400, b"GET http:///x HTTP/1.1\r\nHost: app\r\n\r\n"),
    ("another scheme", 400, b"GET gopher://app/ HTTP/1.1\r\nHost: app\r\n\r\n"),
]

# RFC 9112 § 7.1: chunks. The head is on its way already; the message never ends.
CHUNKS = bodies(
    ("chunk size is no number", b"x\r\nabc\r\n0\r\n\r\n"),
    ("chunk size is missing", b"\r\nabc\r\n0\r\n\r\n"),
    ("chunk size with 0x", b"0x3\r\nabc\r\n0\r\n\r\n"),
    ("chunk size with a plus sign", b"+3\r\nabc\r\n0\r\n\r\n"),
    ("chunk size with a minus sign", b"-3\r\nabc\r\n0\r\n\r\n"),
    ("chunk size with an underscore", b"0_3\r\nabc\r\n0\r\n\r\n"),
    ("chunk size above 64 bits, 3 in the low ones", b"10000000000000003\r\nabc\r\n0\r\n\r\n"),
    ("chunk size of 64 bits", b"ffffffffffffffff\r\nabc\r\n0\r\n\r\n"),
    ("chunk size above 63 bits", b"8000000000000000\r\nabc\r\n0\r\n\r\n"),
    ("chunk size with more zeros than digits fit", b"00000000000000003\r\nabc\r\n0\r\n\r\n"),
    ("space before a chunk size", b" 3\r\nabc\r\n0\r\n\r\n"),
    ("space behind a chunk size", b"3 \r\nabc\r\n0\r\n\r\n"),
    ("NUL behind a chunk size", b"3\x00\r\nabc\r\n0\r\n\r\n"),
    ("two chunk sizes", b"3 3\r\nabc\r\n0\r\n\r\n"),
    ("bare LF behind a chunk size", b"3\nabc\r\n0\r\n\r\n"),
    ("bare CR behind a chunk size", b"3\rabc\r\n0\r\n\r\n"),
    ("bare LF in a chunk extension (TERM.EXT)", b"3;a\nabc\r\n0\r\n\r\n"),
    ("bare CR in a chunk extension", b"3;a\rb\r\nabc\r\n0\r\n\r\n"),
    ("NUL in a chunk extension", b"3;\x00\r\nabc\r\n0\r\n\r\n"),
    ("chunk extension without end", b"3;" + b"a" * 5000 + b"\r\nabc\r\n0\r\n\r\n"),
    ("chunk longer than its size", b"3\r\nabcd\r\n0\r\n\r\n"),
    ("chunk shorter than its size", b"3\r\nab\r\n0\r\n\r\n"),
    ("no line end behind a chunk", b"3\r\nabc0\r\n\r\n"),
    ("bare LF behind a chunk", b"3\r\nabc\n0\r\n\r\n"),
    ("bare CR behind a chunk", b"3\r\nabc\r0\r\n\r\n"),
    ("any two bytes behind a chunk (SPILL)", b"3\r\nabcXX0\r\n\r\n"),
    ("bare LF behind the last chunk", b"0\n\r\n"),
    ("bare LF behind the trailers", b"0\r\n\n"),
    ("bytes behind the last chunk's line", b"0\r\nabc\r\n\r\n"),
    # § 7.1.2: a trailer neither frames nor addresses the message.
    ("length in the trailers", b"0\r\nContent-Length: 50\r\n\r\n"),
    ("coding in the trailers", b"0\r\nTransfer-Encoding: chunked\r\n\r\n"),
    ("Host in the trailers", b"0\r\nHost: other\r\n\r\n"),
    ("folded trailer", b"0\r\nA: b\r\n c\r\n\r\n"),
    ("space before a trailer's colon", b"0\r\nA : b\r\n\r\n"),
    ("NUL in a trailer", b"0\r\nA: \x00\r\n\r\n"),
)

# DESIGN § 9, RFC 9110 § 15.5.15, RFC 6585 § 5: more than anybody needs.
SIZES = [
    ("field above 64 KiB", 431, GET + b"A: " + b"a" * 66000 + b"\r\n\r\n"),
    ("101 fields", 431, GET + b"A: b\r\n" * 100 + b"\r\n"),
    ("request line above 64 KiB", 414, b"GET /" + b"a" * 66000 + b" HTTP/1.1\r\nHost: app\r\n\r\n"),
] + [
    ("101 trailers", 431, CHUNKED + b"0\r\n" + b"A: b\r\n" * 101 + b"\r\n", HEAD),
    ("trailers above 64 KiB", 431, CHUNKED + b"0\r\nA: " + b"a" * 66000 + b"\r\n\r\n", HEAD),
]

REFUSED = LENGTHS + CODINGS + NAMES + LINES + START_LINES + HOSTS + CHUNKS + SIZES

# The nearest requests that mean one thing only: they pass, and the application sees that one thing.
# (rule, bytes, what the application sees)
PASSED = [
    ("one empty line in front (§ 2.2)", b"\r\n" + GET + b"\r\n", [b"GET / HTTP/1.1", b"Host: app"]),
    ("no white space behind a colon", POST + b"Content-Length:4\r\n\r\nabcd", [b"Content-Length: 4"]),
    ("white space around a length", POST + b"Content-Length: \t4 \r\n\r\nabcd", [b"Content-Length: 4"]),
    ("coding in capitals", POST + b"TRANSFER-ENCODING: Chunked\r\n\r\n4\r\nabcd\r\n0\r\n\r\n", [b"Transfer-Encoding: chunked", b"abcd"]),
    ("chunk sizes with zeros in front", POST + b"Transfer-Encoding: chunked\r\n\r\n0004\r\nabcd\r\n000\r\n\r\n", [b"4\r\nabcd\r\n0\r\n\r\n"]),
    ("chunk extensions go (§ 7.1.1)", POST + b"Transfer-Encoding: chunked\r\n\r\n4;a=\"b\"\r\nabcd\r\n0;c\r\n\r\n", [b"\r\n4\r\nabcd\r\n0\r\n\r\n"]),
    ("trailers stay (§ 7.1.2)", POST + b"Transfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n0\r\nX-Sum: 9\r\n\r\n", [b"0\r\nX-Sum: 9\r\n\r\n"]),
    ("an absolute target goes before Host (§ 3.2.2)", b"GET http://app/x?y HTTP/1.1\r\nHost: other\r\n\r\n", [b"GET /x?y HTTP/1.1\r\nHost: app\r\n"]),
    ("HTTP/1.0 without Host", b"GET /x HTTP/1.0\r\n\r\n", [b"GET /x HTTP/1.1\r\n"]),
    ("a method that nobody knows", b"BREW / HTTP/1.1\r\nHost: app\r\n\r\n", [b"BREW / HTTP/1.1"]),
    ("OPTIONS for the server as a whole", b"OPTIONS * HTTP/1.1\r\nHost: app\r\n\r\n", [b"OPTIONS * HTTP/1.1"]),
    ("a value above 127", GET + b"A: \xc3\xa9\r\n\r\n", [b"A: \xc3\xa9"]),
    ("Connection that names Host", GET + b"Connection: host\r\n\r\n", [b"Host: app"]),
    ("Connection that names Content-Length", POST + b"Connection: content-length\r\nContent-Length: 4\r\n\r\nabcd", [b"Content-Length: 4"]),
]
