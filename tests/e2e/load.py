"""The load of the tests: a small, fast HTTP/1.1 client, run within a pod. What it prints is JSON.

load.py steady HOST RATE
    GET and POST in turn on kept connections, so many a second, until its standard input ends: {"requests": N, "seconds": S,
    "slowest": S, "failed": {what: count}, "answers": {body: count}}. A request is due at its moment, whatever became of
    those before; it is late when all connections are busy. `slowest` counts from that moment to the answer
load.py stream HOST [--batch N] [--header 'x-user: {i}'] [--users N] [--batches N]
    one request after the other; after each batch a line {"begin", "end", "codes", "counts", "users"}: monotonic times, how
    many of each status and of each body of a 200, and with --users who got which
load.py burst HOST --at-once N
    N requests at the same moment, each on a connection of its own; a line with a list of {"code", "body", "seconds",
    "retry_after", "error"}
"""
import argparse
import collections
import itertools
import json
import socket
import sys
import threading
import time


class Connection:
    def __init__(self, host):
        self.host = host
        self.socket = None

    def request(self, header="", method="GET", target="/", payload=b""):
        """Status, headers in lower case, body."""
        if self.socket is None:
            self.socket = socket.create_connection((self.host, 80), 60)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        extra = header and header + "\r\n"
        if payload:
            extra += f"content-length: {len(payload)}\r\n"
        self.socket.sendall(f"{method} {target} HTTP/1.1\r\nhost: {self.host}\r\n{extra}\r\n".encode() + payload)
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


def steady(options):
    begun = time.monotonic()
    turn = itertools.count()
    over = threading.Event()
    lock = threading.Lock()
    failed, answers = collections.Counter(), collections.Counter()
    waited = []

    def one(connection, number):
        method = "POST" if number % 2 else "GET"
        code, headers, body = connection.request(method=method, target=f"/?{number}", payload=b"payload" if number % 2 else b"")
        with lock:
            if code == 200:
                answers[body] += 1
            else:
                failed[f"{method} {code} {headers.get('x-weft-error')}"] += 1

    def work():
        connection = Connection(options.host)
        while not over.is_set():
            with lock:
                number = next(turn)
            due = begun + number / options.rate
            time.sleep(max(0.0, due - time.monotonic()))
            try:
                one(connection, number)
                waited.append(time.monotonic() - due)
            except OSError as error:
                connection.socket = None
                with lock:
                    failed[repr(error)] += 1

    workers = [threading.Thread(target=work) for _ in range(20)]
    for worker in workers:
        worker.start()
    sys.stdin.read()
    over.set()
    for worker in workers:
        worker.join()
    print(json.dumps({"requests": sum(failed.values()) + sum(answers.values()), "seconds": round(time.monotonic() - begun, 3),
                      "slowest": round(max(waited, default=0), 3), "failed": failed, "answers": answers}))


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
all_along = verbs.add_parser("steady")
all_along.set_defaults(run=steady)
all_along.add_argument("host")
all_along.add_argument("rate", type=float)
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
