"""Streams that last: a server of events and of upgraded connections, and clients that notice when one is cut."""

import asyncio
import base64
import contextlib
import hashlib
import socket
import threading
import time

_ACCEPT = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_KEY = base64.b64encode(b"sixteen bytes :)").decode()


def _accept(key):
    return base64.b64encode(hashlib.sha1((key + _ACCEPT).encode()).digest()).decode()


class Origin:
    """Answers `/events` with an event every 50 ms for ever, and an upgrade with an echo of all bytes."""

    def __init__(self):
        started = threading.Event()
        threading.Thread(target=self._run, args=[started], daemon=True).start()
        started.wait(10)

    def _run(self, started):
        asyncio.run(self._serve(started))

    async def _serve(self, started):
        server = await asyncio.start_server(self._connection, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        started.set()
        await server.serve_forever()

    async def _connection(self, reader, writer):
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            fields = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
            if "upgrade" in fields:
                key = next(line for line in head.split("\r\n") if line.lower().startswith("sec-websocket-key"))
                await self._echo(reader, writer, key.split(": ", 1)[1])
            else:
                await self._events(writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    @staticmethod
    async def _echo(reader, writer, key):
        writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            + f"Sec-WebSocket-Accept: {_accept(key)}\r\n\r\n".encode()
        )
        while piece := await reader.read(65536):
            writer.write(piece)
            await writer.drain()

    @staticmethod
    async def _events(writer):
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
        number = 0
        while True:
            event = f"data: {number}\n\n".encode()
            writer.write(b"%x\r\n%s\r\n" % (len(event), event))
            await writer.drain()
            number += 1
            await asyncio.sleep(0.05)


class _Stream:
    """A connection that a thread reads; `seen` grows while it lives."""

    def __init__(self, address, request):
        host, port = address.rsplit(":", 1)
        self.seen = 0
        self.cut = False
        self._socket = socket.create_connection((host, int(port)), 10)
        self._socket.sendall(request.encode())
        self._head()
        threading.Thread(target=self._read, daemon=True).start()

    def _head(self):
        head = b""
        while b"\r\n\r\n" not in head:
            piece = self._socket.recv(1)
            if not piece:
                raise OSError(f"no answer: {head!r}")
            head += piece
        self.status = int(head.split()[1])

    def _read(self):
        try:
            while piece := self._socket.recv(65536):
                self.seen += len(piece)
        except OSError:
            pass
        self.cut = True

    def close(self):
        """Leave: a socket that a thread reads is not closed by closing it."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


class Events(_Stream):
    """A client of `/events`."""

    def __init__(self, address):
        super().__init__(address, f"GET /streams/events HTTP/1.1\r\nhost: {address}\r\naccept: text/event-stream\r\n\r\n")


class Echo(_Stream):
    """A client of an upgraded connection; it keeps talking."""

    def __init__(self, address):
        super().__init__(
            address,
            f"GET /streams/echo HTTP/1.1\r\nhost: {address}\r\nconnection: Upgrade\r\nupgrade: websocket\r\n"
            f"sec-websocket-version: 13\r\nsec-websocket-key: {_KEY}\r\n\r\n",
        )
        threading.Thread(target=self._talk, daemon=True).start()

    def _talk(self):
        try:
            while not self.cut:
                self._socket.sendall(b"said and heard again\n")
                time.sleep(0.05)
        except OSError:
            self.cut = True
