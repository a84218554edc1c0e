"""HTTP/2 byte by byte (RFC 9113, RFC 7541), for what no library would send."""
import struct

DATA, HEADERS, PRIORITY, RST, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS, PADDED = 1, 1, 4, 8
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def integer(value, bits, pattern=0):
    """RFC 7541 § 5.1, behind the pattern that fills the rest of its first byte."""
    most = (1 << bits) - 1
    if value < most:
        return bytes([pattern | value])
    out, value = bytes([pattern | most]), value - most
    while value >= 128:
        out, value = out + bytes([value % 128 + 128]), value // 128
    return out + bytes([value])


def text(octets, huffman=False):
    return integer(len(octets), 7, 0x80 if huffman else 0) + octets


def literal(name, value, pattern=0x00):
    """RFC 7541 § 6.2: 0x00 enters no table, 0x10 may never enter one, 0x40 enters the dynamic one."""
    return bytes([pattern]) + text(name) + text(value)


def indexed(index):
    return integer(index, 7, 0x80)


def block(fields):
    return b"".join(literal(name, value) for name, value in fields)


# The stream that a vector is judged by, one before it for what it needs, and the runner's two.
NEIGHBOUR, HELPER, STREAM, FENCE = 1, 3, 5, 7
TARGET = b"/v000"  # the runner counts it up, to know whose a request is that comes late


def pseudo(**other):
    """The pseudo-header fields of a request, in their order; None leaves one out."""
    fields = {"method": b"GET", "scheme": b"http", "path": TARGET, "authority": b"app", **other}
    return [(b":" + name.encode(), value) for name, value in fields.items() if value is not None]


def opens(fields, end=True, stream=STREAM):
    return frame(HEADERS, END_HEADERS | (END_STREAM if end else 0), stream, block(fields))


def data(content, end=True, stream=STREAM):
    return frame(DATA, END_STREAM if end else 0, stream, content)


def get(*fields, stream=STREAM, **other):
    return opens(pseudo(**other) + list(fields), stream=stream)


def post(*fields, stream=STREAM, **other):
    return opens(pseudo(**{"method": b"POST", **other}) + list(fields), end=False, stream=stream)
