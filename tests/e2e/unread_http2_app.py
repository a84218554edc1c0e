"""An application of HTTP/2 (h2) that gives its windows back for what it reads: of POST /stall that is nothing, and it never answers."""
import asyncio

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, RequestReceived, StreamEnded


class Application(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport, self.stalled, self.sizes = transport, set(), {}
        self.connection = H2Connection(H2Configuration(client_side=False))
        self.connection.initiate_connection()
        transport.write(self.connection.data_to_send())

    def data_received(self, data):
        for event in self.connection.receive_data(data):
            if isinstance(event, RequestReceived):
                self.sizes[event.stream_id] = 0
                if dict(event.headers)[b":path"] == b"/stall":
                    self.stalled.add(event.stream_id)
            elif isinstance(event, DataReceived) and event.stream_id not in self.stalled:
                self.sizes[event.stream_id] += len(event.data)
                self.connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, StreamEnded) and event.stream_id not in self.stalled:
                self.connection.send_headers(event.stream_id, [(":status", "200")])
                self.connection.send_data(event.stream_id, str(self.sizes[event.stream_id]).encode(), end_stream=True)
        self.transport.write(self.connection.data_to_send())


async def main():
    server = await asyncio.get_running_loop().create_server(Application, "0.0.0.0", 8080)
    await server.serve_forever()

asyncio.run(main())
