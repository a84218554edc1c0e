"""gRPC streaming, client and server in one: eight streams on one connection, each with a window of messages.

grpc_stream.py --serve ADDRESS:PORT  echoes every message of every stream, until it is ended
grpc_stream.py ADDRESS:PORT SECONDS  prints {"requests": messages answered, "failed": N, "p50_us": …}

A generated stub is not needed for bytes. It is Python's gRPC, real and slow: the proxies are never the
bottleneck, so what counts is their CPU time a message, not messages a second.
"""

import collections
import concurrent.futures
import json
import sys
import threading
import time

import grpc

METHOD = "/bench.Stream/Echo"
STREAMS = 8
WINDOW = 16  # messages under way on a stream
MESSAGE = b"x" * 128


def serve(address):
    handler = grpc.stream_stream_rpc_method_handler(lambda messages, _: messages)
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(max_workers=STREAMS + 1))
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("bench.Stream", {"Echo": handler}),)
    )
    server.add_insecure_port(address)
    server.start()
    server.wait_for_termination()


def stream(channel, end, latencies):
    """Keeps a window of messages under way until the end, and notes how long each took."""
    room = threading.Semaphore(WINDOW)
    sent = collections.deque()

    def messages():
        while time.monotonic() < end:
            if room.acquire(timeout=0.1):
                sent.append(time.monotonic())
                yield MESSAGE

    for answer in channel.stream_stream(METHOD)(messages()):
        if answer != MESSAGE:
            raise RuntimeError("the wrong message came back")
        latencies.append(time.monotonic() - sent.popleft())
        room.release()


def call(address, seconds):
    latencies, failed, why = [], 0, ""
    with grpc.insecure_channel(address) as channel:
        grpc.channel_ready_future(channel).result(timeout=10)
        end = time.monotonic() + seconds
        with concurrent.futures.ThreadPoolExecutor(max_workers=STREAMS) as pool:
            for done in [pool.submit(stream, channel, end, latencies) for _ in range(STREAMS)]:
                error = done.exception()
                if error:
                    failed, why = failed + 1, str(error)
                    print(error, file=sys.stderr)
    latencies.sort()
    at = lambda share: (
        latencies[min(int(len(latencies) * share), len(latencies) - 1)] * 1e6 if latencies else None
    )
    print(
        json.dumps(
            {
                "requests": len(latencies),
                "failed": failed,
                "why": why,
                "p50_us": at(0.5),
                "p90_us": at(0.9),
                "p99_us": at(0.99),
                "p999_us": at(0.999),
            }
        )
    )


if __name__ == "__main__":
    if sys.argv[1] == "--serve":
        serve(sys.argv[2])
    else:
        call(sys.argv[1], float(sys.argv[2]))
