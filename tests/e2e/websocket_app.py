"""A WebSocket server (python3-websockets): sends back each message, text or binary."""
import asyncio

import websockets


async def echo(connection, _path=None):
    async for message in connection:
        await connection.send(message)


async def serve():
    async with websockets.serve(echo, None, 8080, max_size=None):
        await asyncio.Future()

asyncio.run(serve())
