"""Where weft and h11 judge HTTP/1 messages differently, and why weft is right to: RFC 9112 and 9110 by section.

Each entry: (name, pattern or function that finds it in the bytes, the reason). A message that one takes and the other
refuses must have one of the entries of its list; what both take they must read alike, to the last byte.
"""
import ipaddress
import re

CONTROL = rb"[\x01-\x08\x0b\x0c\x0e-\x1f\x7f]"
NAME_CHARS = rb"[A-Za-z0-9\-._~!$&'()*+,;=]|%[0-9A-Fa-f]{2}"
AUTHORITY = re.compile(rb"(\[[0-9A-Fa-f:.]+\]|(?:%s)*)(?::(\d*))?" % NAME_CHARS)


def is_authority(text):
    match = AUTHORITY.fullmatch(text)
    if not match or int(match[2] or 0) > 65535:
        return False
    try:
        return not match[1].startswith(b"[") or bool(ipaddress.IPv6Address(match[1][1:-1].decode()))
    except ValueError:
        return False


def request_line(message):
    return re.match(rb"(?:\r\n)?(\S+) (\S+) HTTP/\d\.\d\r?\n", message)


def bad_host(message):
    hosts = re.findall(rb"\nhost:[ \t]*([^\r\n]*)", message, re.I)
    return any(not is_authority(host.rstrip(b" \t")) for host in hosts)


def bad_target(message):
    line = request_line(message)
    if not line:
        return False
    method, target = line[1], line[2]
    if method == b"CONNECT":
        return not is_authority(target) or not re.search(rb"^[^:].*:\d+$", target)
    if target == b"*":
        return method != b"OPTIONS"
    if target.startswith(b"/"):
        return b"#" in target
    absolute = re.fullmatch(rb"https?://([^/?#:][^/?#]*)([/?][^#]*)?", target, re.I)  # no host: RFC 9110 § 4.2.1
    return not absolute or not is_authority(absolute[1])


def number_above_63_bits(message):
    numbers = re.findall(rb"\ncontent-length:[ \t]*(\d+)", message, re.I)
    return any(int(number) >= 2 ** 63 for number in numbers)


def connect_with_body(message):
    return message.lstrip(b"\r\n").startswith(b"CONNECT ") and re.search(rb"\n(content-length:[ \t]*0*[1-9]|transfer-encoding:)", message, re.I)


def found(pattern):
    return re.compile(pattern, re.I | re.S).search


WEFT_REFUSES = [
    ("bare LF", found(rb"(?<!\r)\n"),
     "§ 2.2: a recipient MAY take a single LF for the end of a line. Who does disagrees with who does not; a proxy must not be either."),
    ("folded line", found(rb"\n[ \t]"), "§ 5.2: a proxy MUST refuse or rewrite it; weft refuses."),
    ("length and coding", lambda m: found(rb"\ncontent-length:")(m) and found(rb"\ntransfer-encoding:")(m),
     "§ 6.1: it ought to be handled as an error, for it is how requests are smuggled."),
    ("length said twice", found(rb"\ncontent-length:[^\r\n]*(,|\r?\n(.*\n)?content-length:)"),
     "RFC 9110 § 8.6: a recipient MAY take equal lengths for one; weft refuses every repetition."),
    ("coding in HTTP/1.0", lambda m: b"HTTP/1.0" in m and found(rb"\ntransfer-encoding:")(m),
     "§ 6.1: the framing is faulty; a sender of HTTP/1.0 does not know the coding."),
    ("Host is no host", bad_host, "§ 3.2: a server MUST answer an invalid Host with 400; h11 does not look."),
    ("target of no known form", bad_target, "§ 3.2: there are four forms; h11 takes any visible text."),
    ("version", found(rb"HTTP/(?!1\.[01][\s])\d\.\d"), "§ 2.3, RFC 9110 § 15.6.6: 505 for a version that is not spoken here."),
    ("control character", found(CONTROL), "RFC 9110 § 5.5: a recipient MAY keep control characters but NUL, CR and LF; weft refuses all."),
    ("NUL or bare CR in a chunk extension", found(rb"\n[0-9a-f]+;[^\n]*(\x00|\r(?!\n))"),
     "§§ 2.2, 7.1.1: neither a token nor a quoted string has one; h11 takes any byte but LF, a whole line behind a bare CR too."),
    ("white space behind a chunk size", found(rb"\n[0-9a-f]+[ \t]+\r\n"), "§ 7.1: the grammar has none; h11 is lenient."),
    ("chunk size above 63 bits", found(rb"\n([0-9a-f]{17,}|[89a-f][0-9a-f]{15})"), "§ 7.1: a recipient MUST prevent overflow; weft takes 16 digits."),
    ("trailer that frames or addresses", found(rb"\n0+[^\n]*\n([^\n]+\n)*(content-length|transfer-encoding|host):"),
     "RFC 9110 § 6.5.1: such fields MUST NOT be trailers; h11 hands them up."),
    ("length above 63 bits", number_above_63_bits, "§ 6.3: a recipient MUST prevent overflow; h11 counts without end."),
    ("tab behind a length", found(rb"\ncontent-length:[ \t]*\d+[ ]*\t"),
     "RFC 9110 § 5.5 allows white space there, and this is the one thing that weft refuses although it means one thing only: llhttp does not know tabs there."),
    ("CONNECT with a body", connect_with_body, "RFC 9110 § 9.3.6: content of CONNECT has no meaning; what follows the head is the tunnel's."),
]

H11_REFUSES = [
    ("empty line in front", found(rb"\A\r\n"), "§ 2.2: a server SHOULD ignore one; h11 has no request line then."),
    ("white space before a chunk extension", found(rb"\n[0-9a-f]+[ \t]+;"), "§ 7.1.1: bad white space, which a recipient MUST remove; h11 refuses."),
]
