"""A WebSocket server whose sockets are streams of HTTP/2 (RFC 8441), by hypercorn: what a socket does is the path's to say."""

import argparse

from serving import add_options, serve


class Socket:
    """One socket of ASGI."""

    def __init__(self, receive, send):
        self._receive, self._send = receive, send

    async def next(self):
        """The next message, as text or bytes; None at the end."""
        event = await self._receive()
        if event["type"] == "websocket.disconnect":
            return None
        return event["text"] if event.get("text") is not None else event["bytes"]

    async def say(self, message):
        """Text as text, bytes as bytes."""
        kind = "text" if isinstance(message, str) else "bytes"
        await self._send({"type": "websocket.send", kind: message})

    async def close(self, code, reason):
        """Ends the socket."""
        await self._send({"type": "websocket.close", "code": code, "reason": reason})


async def echo(socket):
    """Every message as it came."""
    while (message := await socket.next()) is not None:
        await socket.say(message)


async def close(socket):
    """Ends the socket with a code and a reason of its own."""
    await socket.close(4321, "enough")


async def flood(socket):
    """Ten mebibytes, in messages of 64 KiB, and then how much the client sent meanwhile."""
    for number in range(160):
        await socket.say(bytes([number]) * (64 << 10))
    received = 0
    while received < 10 << 20:
        received += len(await socket.next())
    await socket.say(str(received))


SERVED = {"/echo": echo, "/close": close, "/flood": flood}


async def app(scope, receive, send):
    """One socket; what did not come by a stream of HTTP/2 is refused with another status than those asked for."""
    if scope["type"] != "websocket":
        return
    await receive()
    status = {"/refused": 403}.get(scope["path"], 404)
    if scope["http_version"] != "2":
        status = 505
    elif served := SERVED.get(scope["path"]):
        await send({"type": "websocket.accept"})
        await served(Socket(receive, send))
        return
    await send({"type": "websocket.http.response.start", "status": status, "headers": []})
    await send({"type": "websocket.http.response.body", "body": b""})


def main():
    """Serves until it is killed."""
    arguments = argparse.ArgumentParser(description=__doc__)
    add_options(arguments)
    serve(app, arguments.parse_args())


main()
