"""A small, fast HTTP/1.1 client for tests that count answers: many requests on few connections, or many at once.

steering_load.py stream HOST [--batch N] [--header 'x-user: {i}'] [--users N] [--batches N]
    one request after the other; after each batch a line of JSON {"begin", "end", "codes", "counts", "users"}: monotonic
    times, how many of each status and of each body of a 200, and with --users who got which
steering_load.py burst HOST --at-once N
    N requests at the same moment, each on a connection of its own; a line of JSON, a list of
    {"code", "body", "seconds", "retry_after", "error"}
"""
import argparse
import collections
import json
import socket
import threading
import time


class Connection:
    def __init__(self, host):
        self.host = host
        self.socket = None

    def request(self, header=""):
        """Status, headers in lower case, body."""
        if self.socket is None:
            self.socket = socket.create_connection((self.host, 80), 60)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        extra = header and header + "\r\n"
        self.socket.sendall(f"GET / HTTP/1.1\r\nhost: {self.host}\r\n{extra}\r\n".encode())
        data = b""
        while b"\r\n\r\n" not in data:
            data += self.receive()
        head, _, body = data.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        while len(body) < int(headers["content-length"]):
            body += self.receive()
        if headers.get("connection") == "close":
            self.socket = None
        return int(first.split()[1]), headers, body.decode()

    def receive(self):
        data = self.socket.recv(65536)
        if not data:
            raise ConnectionError("closed within an answer")
        return data


def stream(options):
    connection = Connection(options.host)
    number = batch = 0
    while batch != options.batches:
        batch += 1
        begin = time.monotonic()
        codes, counts, users = collections.Counter(), collections.Counter(), {}
        for _ in range(options.batch):
            user = number % options.users if options.users else number
            number += 1
            code, _, body = connection.request(options.header.format(i=user))
            codes[code] += 1
            if code == 200:
                counts[body] += 1
                if options.users:
                    users.setdefault(user, collections.Counter())[body] += 1
        print(json.dumps({"begin": begin, "end": time.monotonic(), "codes": codes, "counts": counts, "users": users}), flush=True)


def burst(options):
    results = []
    ready = threading.Barrier(options.at_once)

    def one():
        connection = Connection(options.host)
        ready.wait()
        begin = time.monotonic()
        result = {"code": 0}
        try:
            code, headers, body = connection.request()
            result.update(code=code, body=body, retry_after=headers.get("retry-after"), error=headers.get("x-weft-error"))
        except OSError as error:
            result["error"] = str(error)
        result["seconds"] = time.monotonic() - begin
        results.append(result)

    threads = [threading.Thread(target=one) for _ in range(options.at_once)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(json.dumps(results))


parser = argparse.ArgumentParser()
verbs = parser.add_subparsers(required=True)
one_by_one = verbs.add_parser("stream")
one_by_one.set_defaults(run=stream)
one_by_one.add_argument("host")
one_by_one.add_argument("--batch", type=int, default=1000)
one_by_one.add_argument("--batches", type=int, default=-1)
one_by_one.add_argument("--header", default="")
one_by_one.add_argument("--users", type=int, default=0)
at_once = verbs.add_parser("burst")
at_once.set_defaults(run=burst)
at_once.add_argument("host")
at_once.add_argument("--at-once", type=int, required=True)
chosen = parser.parse_args()
chosen.run(chosen)
