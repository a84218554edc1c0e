"""A body whose every part says where it belongs: what is lost, doubled or out of order shows.

    ordered.py write SIZE    SIZE bytes to the standard output
    ordered.py check         reads the standard input to its end and says how many bytes came in order
"""
import sys

BLOCK = 1 << 20
FILLING = bytes(range(251)) * (BLOCK // 251 + 1)  # a prime, so that no power of two repeats it


def block(number):
    return number.to_bytes(8, "big") + FILLING[8:BLOCK]


def write(stream, size):
    for number in range(-(-size // BLOCK)):
        stream.write(block(number)[:size - number * BLOCK])


def check(stream, size=None):
    """How many bytes were in order, of `size` or up to the end of the stream: fewer than came where they were not."""
    seen = 0
    while size is None or seen < size:
        wanted = BLOCK if size is None else min(BLOCK, size - seen)
        part = stream.read(wanted)
        if part != block(seen // BLOCK)[:len(part)]:
            return seen
        seen += len(part)
        if len(part) < wanted:
            break
    return seen


if __name__ == "__main__":
    if sys.argv[1] == "write":
        write(sys.stdout.buffer, int(sys.argv[2]))
    else:
        print(check(sys.stdin.buffer))
