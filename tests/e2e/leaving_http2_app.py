"""An application of HTTP/2 (h2) that lets each connection go after TAKES requests, with a GOAWAY that names the last one it takes
(RFC 9113 § 6.8). It answers those and never looks at later ones. GET /count says how many requests it took in all."""
import asyncio

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import RequestReceived, StreamEnded
from hyperframe.frame import GoAwayFrame

TAKES = 100
taken = 0


class Application(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport, self.paths = transport, {}
        self.connection = H2Connection(H2Configuration(client_side=False))
        self.connection.initiate_connection()
        transport.write(self.connection.data_to_send())

    def data_received(self, data):
        global taken
        for event in self.connection.receive_data(data):
            if isinstance(event, RequestReceived) and len(self.paths) < TAKES:
                self.paths[event.stream_id] = dict(event.headers)[b":path"]
                taken += self.paths[event.stream_id] != b"/count"
                if len(self.paths) == TAKES:
                    asyncio.get_running_loop().call_later(0.005, self.leave, event.stream_id)
            elif isinstance(event, StreamEnded) and event.stream_id in self.paths:
                asyncio.get_running_loop().call_later(0.02, self.answer, event.stream_id)
        self.transport.write(self.connection.data_to_send())

    def leave(self, last):
        # Not the library's own: behind that it would send no answer any more.
        self.transport.write(GoAwayFrame(0, last_stream_id=last).serialize())
        asyncio.get_running_loop().call_later(0.5, self.transport.close)

    def answer(self, stream):
        self.connection.send_headers(stream, [(":status", "200")])
        self.connection.send_data(stream, str(taken).encode() if self.paths[stream] == b"/count" else b"done", end_stream=True)
        self.transport.write(self.connection.data_to_send())


async def main():
    server = await asyncio.get_running_loop().create_server(Application, "0.0.0.0", 8080)
    await server.serve_forever()

asyncio.run(main())
