"""A WebSocket server: what a socket does is the path's to say."""

import argparse
import asyncio
import ssl

from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed


async def echo(socket):
    """Every message as it came, and as text or bytes as it was."""
    async for message in socket:
        await socket.send(message)


async def fragments(socket):
    """Every message in the fragments it came in."""
    while True:
        pieces = [piece async for piece in socket.recv_streaming()]
        await socket.send(pieces)


async def who(socket):
    """The name of the server, then an echo."""
    await socket.send(socket.name)
    await echo(socket)


async def ping(socket):
    """Asks the client, and says that it answered."""
    waiting = await socket.ping(b"are you there")
    await waiting
    await socket.send("there")


async def close(socket):
    """Ends the socket with a code and a reason of its own."""
    await socket.close(4321, "enough")


async def flood(socket):
    """Ten mebibytes, in messages of 64 KiB, and then what the client sent meanwhile."""
    received = 0

    async def read():
        nonlocal received
        while received < 10 << 20:
            received += len(await socket.recv())

    reading = asyncio.create_task(read())
    for number in range(160):
        await socket.send(bytes([number]) * (64 << 10))
    await reading
    await socket.send(str(received))


SERVED = {"/echo": echo, "/fragments": fragments, "/who": who, "/ping": ping, "/close": close, "/flood": flood}


async def main():
    """Serves until it is killed."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("port", type=int)
    arguments.add_argument("--name", default="server")
    arguments.add_argument("--cert")
    arguments.add_argument("--key")
    arguments.add_argument("--deflate", action="store_true")
    options = arguments.parse_args()
    tls = None
    if options.cert:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(options.cert, options.key)

    async def handle(socket):
        socket.name = options.name
        try:
            await SERVED[socket.request.path](socket)
        except ConnectionClosed:
            pass

    def plain(connection, request):
        # What is no handshake is answered too.
        if request.path == "/health":
            return connection.respond(200, "well\n")
        if request.path == "/refused":
            return connection.respond(403, "not you\n")
        return None if request.path in SERVED else connection.respond(404, "nothing here\n")

    compression = "deflate" if options.deflate else None
    settings = {"ssl": tls, "compression": compression, "max_size": 16 << 20, "process_request": plain}
    async with serve(handle, "127.0.0.1", options.port, **settings) as server:
        await server.serve_forever()


asyncio.run(main())
