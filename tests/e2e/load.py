"""Steady load on a URL, from within a pod: GET and POST in turn on kept connections, so many a second.

Usage: load.py URL RATE, until its standard input ends. Prints JSON: {"requests": N, "seconds": S, "failed": {what: count},
"answers": {body: count}}. A request is due at its moment, whatever became of those before; it is late when all connections
are busy.
"""
import collections
import http.client
import itertools
import json
import sys
import threading
import time
import urllib.parse

CONNECTIONS = 20


def main():
    url, rate = urllib.parse.urlsplit(sys.argv[1]), float(sys.argv[2])
    begun = time.monotonic()
    turn = itertools.count()
    over = threading.Event()
    lock = threading.Lock()
    failed, answers = collections.Counter(), collections.Counter()

    def one(connection, number):
        method = "POST" if number % 2 else "GET"
        connection.request(method, f"{url.path or '/'}?{number}", body=b"payload" if number % 2 else None)
        response = connection.getresponse()
        body = response.read().decode(errors="replace")
        with lock:
            if response.status == 200:
                answers[body] += 1
            else:
                failed[f"{method} {response.status} {response.getheader('x-weft-error')}"] += 1

    def work():
        connection = http.client.HTTPConnection(url.hostname, url.port or 80, timeout=30)
        while not over.is_set():
            with lock:
                number = next(turn)
            time.sleep(max(0.0, begun + number / rate - time.monotonic()))
            try:
                one(connection, number)
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                with lock:
                    failed[repr(error)] += 1

    workers = [threading.Thread(target=work) for _ in range(CONNECTIONS)]
    for worker in workers:
        worker.start()
    sys.stdin.read()
    over.set()
    for worker in workers:
        worker.join()
    print(json.dumps({"requests": sum(failed.values()) + sum(answers.values()), "seconds": round(time.monotonic() - begun, 1),
                      "failed": failed, "answers": answers}))


main()
