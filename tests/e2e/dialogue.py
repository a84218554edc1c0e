"""Speaks raw TCP from within a pod: dialogue.py HOST PORT STEPS, for tests that write their own bytes.

STEPS is JSON, in order: ["send", TEXT], ["until", TEXT] reads until that came, ["close"] reads to the end. Standard
output: {"received": all, "ended": whether the peer closed}, text as latin-1.
"""
import json
import socket
import sys

host, port, steps = sys.argv[1], int(sys.argv[2]), json.loads(sys.argv[3])
peer = socket.create_connection((host, port), timeout=30)
received, ended, looked = b"", False, 0
for step, *text in steps:
    if step == "send":
        peer.sendall(text[0].encode("latin-1"))
        continue
    mark = text[0].encode("latin-1") if text else None
    while not ended and (mark is None or mark not in received[looked:]):
        data = peer.recv(65536)
        ended = not data
        received += data
    if mark is not None:
        assert mark in received[looked:], received
        looked = received.index(mark, looked) + len(mark)
print(json.dumps({"received": received.decode("latin-1"), "ended": ended}))
