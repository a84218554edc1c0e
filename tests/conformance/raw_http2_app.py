"""The HTTP/2 side of raw_app.py: python3-h2 for the frames, and none of its opinions on what may stand in a message."""
import socket
import time

import h2.config
import h2.connection
import h2.events
import h2.exceptions

from smuggling_http2_responses import CLOSE, RESPONSES, UNREAD, on_stream

VECTORS = RESPONSES + UNREAD
CONFIG = h2.config.H2Configuration(client_side=False, header_encoding=None, validate_inbound_headers=False, normalize_inbound_headers=False)


def lines(fields):
    return b"".join(name + b": " + value + b"\r\n" for name, value in fields)


def head_as_text(fields):
    """As HTTP/1 would say it; whatever is twice, stands there twice."""
    first = lambda name: next((value for its, value in fields if its == name), b"")
    rest = [(b"host" if name == b":authority" else name, value) for name, value in fields if name not in (b":method", b":path")]
    return first(b":method") + b" " + first(b":path") + b" HTTP/2\r\n" + lines(rest) + b"\r\n"


def answer(connection, stream, fields):
    fields = dict(fields)
    body = b"" if fields.get(b":method") == b"HEAD" else fields.get(b":path", b"")
    connection.send_headers(stream, [(b":status", b"200"), (b"content-length", b"%d" % len(fields.get(b":path", b"")))], end_stream=not body)
    if body:
        connection.send_data(stream, body, end_stream=True)


def vector_asked_for(fields):
    path = dict(fields).get(b":path", b"")
    return VECTORS[int(path.rpartition(b"/")[2])][3:] if path.startswith(b"/response/") else None


def send_vector(peer, connection, stream, first, *later):
    """Behind the back of python3-h2, which takes the stream for one that it has reset, and does not get to say so."""
    peer.sendall(connection.data_to_send())
    connection.reset_stream(stream)
    connection.clear_outbound_data_buffer()
    peer.sendall(on_stream(first, stream))
    for octets in later:
        time.sleep(0.02)
        if octets == CLOSE:
            peer.shutdown(socket.SHUT_RDWR)
        peer.sendall(on_stream(octets, stream))


def serve_http2(peer, record):
    connection = h2.connection.H2Connection(CONFIG)
    connection.initiate_connection()
    peer.sendall(connection.data_to_send())
    heads, entries = {}, {}
    try:
        while received := peer.recv(65536):
            for event in connection.receive_data(received):
                stream = getattr(event, "stream_id", None)
                if isinstance(event, h2.events.RequestReceived):
                    heads[stream], entries[stream] = event.headers, record.begin()
                    add(record, entries[stream], head_as_text(event.headers))
                    # Also where the request goes on.
                    if vector := vector_asked_for(event.headers):
                        send_vector(peer, connection, stream, *vector)
                elif isinstance(event, h2.events.DataReceived):
                    connection.acknowledge_received_data(event.flow_controlled_length, stream)
                    add(record, entries[stream], event.data)
                elif isinstance(event, h2.events.TrailersReceived):
                    add(record, entries[stream], b"\r\n" + lines(event.headers))
                elif isinstance(event, h2.events.StreamEnded):
                    add(record, entries[stream], b"", complete=dict(heads[stream]).get(b":path", b"").decode("latin-1"))
                    if not vector_asked_for(heads[stream]):
                        answer(connection, stream, heads[stream])
                elif isinstance(event, h2.events.StreamReset) and stream in entries:
                    add(record, entries[stream], b"", closed=True)
            peer.sendall(connection.data_to_send())
    except (ConnectionError, h2.exceptions.ProtocolError):
        peer.close()
    for entry in entries.values():
        add(record, entry, b"", closed=True)


def add(record, entry, octets, complete=None, closed=False):
    with record.lock:
        entry["bytes"] += octets
        entry["complete"] += [complete] if complete is not None else []
        entry["closed"] = entry["closed"] or closed
