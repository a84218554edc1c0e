"""A WebSocket server on HTTP/2 (hypercorn): says which HTTP it was asked by, then sends back each message."""
import asyncio

from hypercorn.asyncio import serve
from hypercorn.config import Config


async def echo(scope, receive, send):
    if scope["type"] != "websocket":
        return
    await receive()
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.send", "text": f"HTTP/{scope['http_version']} {scope['path']}"})
    while (event := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "bytes": event.get("bytes"), "text": event.get("text")})

config = Config()
config.bind = ["0.0.0.0:8080"]
config.websocket_max_message_size = 1 << 24
asyncio.run(serve(echo, config))
