"""A caller of HTTP/1 that uploads until nobody takes any more, and leaves in the midst of it: HOST close|reset.

Before it closes all that it sent has arrived: its FIN would not, behind bytes for which the other side has no room.
"""
import fcntl
import socket
import struct
import sys
import termios
import time

PIECE = 16384
SND_WND = 228  # of struct tcp_info


def room(caller):
    return struct.unpack_from("I", caller.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, SND_WND + 4), SND_WND)[0]


def in_flight(caller):
    return struct.unpack("i", fcntl.ioctl(caller, termios.TIOCOUTQ, bytes(4)))[0]


def soon(condition):
    until = time.monotonic() + 1
    while not condition() and time.monotonic() < until:
        time.sleep(0.001)
    return condition()


host, how = sys.argv[1:]
with socket.create_connection((host, 80)) as caller:
    caller.settimeout(1)
    caller.sendall(b"POST /3600 HTTP/1.1\r\nhost: hasty\r\ncontent-length: 1000000000\r\n\r\n")
    sent = 0
    try:
        while how == "reset" or soon(lambda: in_flight(caller) == 0 and room(caller) > PIECE):
            sent += caller.send(bytes(PIECE))
    except TimeoutError:
        pass
    print(sent, in_flight(caller))
    if how == "reset":
        caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
