"""Random HTTP/1 messages, most of them valid or nearly so: the input of test_http1_differential.py.

make(random) gives (role, method of the request that a response answers, bytes). The same seed gives the same messages.
"""
ODD = 0.06  # the chance that a piece is one of the unusual ones
BYTES = [b"\x00", b"\t", b"\n", b"\r", b"\r\n", b" ", b"\x0b", b"\x7f", b"\xe9", b":", b";", b",", b"0", b"a", b"\"", b"/", b"#"]

METHODS = [b"GET", b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"OPTIONS", b"BREW"], [b"get", b"G:T", b"", b"G\xc3T", b"CONNECT", b"G T"]
TARGETS = ([b"/", b"/a?b=c", b"/a/../b%2f", b"/|{}", b"http://h/x", b"HTTP://h"],
           [b"a", b"*", b"http://u@h/", b"http:///", b"ftp://h/", b"/a#b", b"/\x7f", b"/\xe9", b"", b"h:80", b"/ b", b"/\t"])
SCHEMES = [b"http://", b"https://", b"hTTp://"], [b"http:/", b"http:", b"//", b"ws://", b"http//", b"://", b"http:\\\\"]
PATHS = [b"", b"/", b"/x", b"?a=b", b"/?a=b", b"/a//b"], [b"#f", b"/#f", b"\\x", b"/\x7f", b"//h/", b"@h/", b":81/"]
VERSIONS = [b"HTTP/1.1"] * 5 + [b"HTTP/1.0"], [b"HTTP/2.0", b"HTTP/1.2", b"HTTP/0.9", b"HTTP/1.10", b"http/1.1", b"HTTP/1", b""]
SPACES = [b" "], [b"  ", b"\t", b"", b"\x0b", b" \t"]
LINE_ENDS = [b"\r\n"], [b"\n", b"\r", b"\r\r\n", b"\n\r", b" \r\n"]
COLONS = [b": ", b":", b":\t", b":  "], [b" :", b"\t: ", b"::", b""]
HOSTS = ([b"h", b"h:80", b"[2001:2::1]", b"[2001:2::1]:80", b"", b"h_1.example", b"h%41", b"H.Example:", b":80", b"127.1", b"a!$&'()*+,;=b", b"h.", b"h:0080"],
         [b"a b", b"a/b", b"u@h", b"h:x", b"h:1:2", b"h:65536", b"[2001:2::1", b"[::1]x", b"h%4", b"\xe9", b"h\\i", b"a,b", b"[]", b"[h]", b"[127.0.0.1]",
          b"[::1%lo]", b"[::1]:x", b"]", b"h?a", b"h#f", b"http://h", b"h:-1", b"h:+1", b"h: 80", b"h\t", b"\"h\"", b"<h>", b"h|i"])
FIELDS = ([(b"Accept", b"*/*"), (b"X-Empty", b""), (b"X-Obs", b"caf\xe9"), (b"X-Words", b"a  b\tc"), (b"Connection", b"close"),
           (b"Connection", b"keep-alive"), (b"Connection", b"x-gone, Close"), (b"x-gone", b"1"), (b"Expect", b"100-continue"),
           (b"Cookie", b"a=b; c=d"), (b"Date", b"Thu, 01 Jan 1970 00:00:00 GMT")],
          [(b" A", b"b"), (b"A ", b"b"), (b"", b"b"), (b"A(", b"b"), (b"A\x00", b"b"), (b"A", b"b\x00c"), (b"A", b"b\x01c"),
           (b"A", b"b\x7f"), (b"A", b"b\r\n c"), (b"A", b"b\r\n\tc"), (b"A", b"\r\n b"), (b"\xe9", b"b"), (b"A", b"b\rc"), (b"A", b"b\nc: d")])
LENGTHS = [b"%d"] * 6 + [b" %d "], [b"0%d", b"+%d", b"-%d", b"0x%d", b"%d, %d", b"%d,%d", b"%d.0", b"", b"%d %d", b"1844674407370955161%d", b"9223372036854775808", b"\"%d\""]
CODINGS = [b"chunked"] * 4 + [b"Chunked", b"CHUNKED "], [b"identity", b"gzip, chunked", b"chunked, gzip", b"chunked, chunked", b",chunked",
                                                         b"chunked,", b"xchunked", b"chunked;a=b", b"\x0bchunked", b"", b"\"chunked\""]
SIZES = [b"%x"] * 4 + [b"%X", b"0%x"], [b"+%x", b"-%x", b"0x%x", b" %x", b"%x ", b"", b"g", b"0000000000000000%x", b"1000000000000000%x", b"%x_"]
EXTENSIONS = [b""] * 5 + [b";a", b";a=b", b";a=\"b;c\""], [b" ;a", b"\t;a", b" ", b";a\x00", b";\x01", b";a\nb", b",a", b" a", b";\xe9"]
TRAILERS = [(b"X-Sum", b"1"), (b"Etag", b"\"x\"")], [(b"Content-Length", b"4"), (b"Host", b"x"), (b"Transfer-Encoding", b"chunked"), (b"A ", b"b"), (b"A", b"b\r\n c"), (b"A", b"\x00")]
STATUSES = [b"200"] * 5 + [b"204", b"304", b"404", b"500", b"599", b"799"], [b"99", b"099", b"1000", b"2xx", b"", b"+20", b"20", b"000"]
REASONS = [b"OK", b"Not Found", b"", b"\xe9"], [b"a\x00", b"a\x7f", b"a\rb", b"a\nb"]
BODIES = [b"", b"abcd", b"0123456789", b"x" * 100]


def some(random, pieces):
    usual, odd = pieces
    return random.choice(odd if random.random() < ODD else usual)


def formatted(text, *numbers):
    wanted = text.count(b"%")
    return text % tuple(numbers[0] for _ in range(wanted)) if wanted else text


def field(random, name, value):
    return name + some(random, COLONS) + value + some(random, LINE_ENDS)


def chunks(random, body):
    out = b""
    while body:
        count = min(len(body), random.choice([1, 4, 50]))
        size = formatted(some(random, SIZES), count)
        out += size + some(random, EXTENSIONS) + some(random, LINE_ENDS) + body[:count]
        out += b"\r\n" if random.random() > ODD / 2 else random.choice([b"", b"\n", b"XX", b"y\r\n"])
        body = body[count:]
    out += random.choice([b"0", b"0", b"00", b"0;a"]) + some(random, LINE_ENDS)
    for _ in range(random.choice([0, 0, 0, 1, 2])):
        out += field(random, *some(random, TRAILERS))
    return out + some(random, LINE_ENDS)


def framed(random, may_have_none):
    """Field lines that frame a body, and the body."""
    body = random.choice(BODIES)
    length = lambda: field(random, b"Content-Length", formatted(some(random, LENGTHS), len(body)))
    coding = lambda: field(random, random.choice([b"Transfer-Encoding", b"transfer-encoding"]), some(random, CODINGS))
    kind = random.random()
    if kind < 0.25 and may_have_none:
        return b"", b""
    if kind < 0.6:
        return length() + (length() if random.random() < ODD else b""), body
    lines = coding() + (coding() if random.random() < ODD / 2 else b"")
    return lines + (length() if random.random() < ODD else b""), chunks(random, body)


def head(random, start, framing, host):
    lines = [field(random, *some(random, FIELDS)) for _ in range(random.randrange(4))]
    for line in (framing, host):
        lines.insert(random.randrange(len(lines) + 1), line)
    return start + b"".join(lines) + some(random, LINE_ENDS)


def target(random):
    if random.random() < 0.75:
        return some(random, TARGETS)
    return some(random, SCHEMES) + some(random, HOSTS) + some(random, PATHS)


def request(random):
    start = some(random, METHODS) + some(random, SPACES) + target(random) + some(random, SPACES) + some(random, VERSIONS) + some(random, LINE_ENDS)
    if random.random() < 0.02:
        start = b"CONNECT " + random.choice([b"h:80", b"h:80", some(random, HOSTS)]) + b" HTTP/1.1\r\n"
    hosts = 1 if random.random() > ODD else random.choice([0, 2])
    framing, body = framed(random, True)
    front = b"" if random.random() > ODD / 2 else random.choice([b"\r\n", b"\n", b"\r\n\r\n", b" "])
    return "request", "GET", front + head(random, start, framing, b"".join(field(random, b"Host", some(random, HOSTS)) for _ in range(hosts))) + body


def response(random):
    start = some(random, VERSIONS) + some(random, SPACES) + some(random, STATUSES)
    if random.random() > 0.05:
        start += some(random, SPACES) + some(random, REASONS)
    interim = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" if random.random() < 0.1 else b""
    framing, body = framed(random, True)
    method = random.choice(["GET", "GET", "GET", "HEAD"])
    return "response", method, interim + head(random, start + some(random, LINE_ENDS), framing, b"") + (b"" if method == "HEAD" else body)


def hurt(random, message):
    """One byte more, less or other."""
    at = random.randrange(len(message) + 1)
    return message[:at] + random.choice(BYTES + [b""]) + message[at + random.choice([0, 1]):]


def make(random):
    role, method, message = random.choice([request, response])(random)
    if random.random() < 0.15:
        message = hurt(random, message)
    if random.random() < 0.05:
        message = message[:random.randrange(len(message) + 1)]
    elif random.random() < 0.2:
        message += b"GET /next HTTP/1.1\r\nHost: h\r\n\r\n" if role == "request" else b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    return role, method, message
