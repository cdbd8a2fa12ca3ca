"""Recorders: they pass bytes on unchanged, between a client and a server or the proxy, and remember the exchanges."""

import asyncio
import contextlib
import threading
from dataclasses import dataclass

from harness.http import Message, read_body, read_head


@dataclass
class Exchange:
    """A request and its answer; the answer is missing while there is none."""

    request: Message
    answer: Message | None = None

    @property
    def is_to_an_endpoint(self):
        """Whether it goes where an `endpoint` event of the 2024 transport sent it."""
        return self.request.start[0] == "POST" and self.request.start[1] != "/mcp"


class Recorder:
    """One listener in front of one address."""

    def __init__(self, upstream, number):
        self.exchanges = []
        self.port = None
        self.number = number
        self.stream_open = asyncio.Event()
        self._upstream = upstream

    async def listen(self):
        """Take a port."""
        self._server = await asyncio.start_server(self._connection, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _connection(self, reader, writer):
        host, _, port = self._upstream.rpartition(":")
        try:
            up_reader, up_writer = await asyncio.open_connection(host, int(port))
        except OSError:
            writer.transport.abort()
            return
        sent, received, expected = asyncio.StreamReader(), asyncio.StreamReader(), asyncio.Queue()
        await asyncio.gather(
            self._pump(reader, up_writer, sent),
            self._pump(up_reader, writer, received),
            self._requests(sent, expected),
            self._answers(received, expected),
        )

    @staticmethod
    async def _pump(reader, writer, copy):
        try:
            while piece := await reader.read(65536):
                copy.feed_data(piece)
                writer.write(piece)
                await writer.drain()
        except OSError:
            writer.transport.abort()
        finally:
            copy.feed_eof()
            with contextlib.suppress(OSError):
                writer.close()

    async def _requests(self, reader, expected):
        while (request := await read_head(reader)) is not None:
            exchange = Exchange(request)
            self.exchanges.append(exchange)
            await read_body(reader, request)
            expected.put_nowait(exchange)
        expected.put_nowait(None)

    async def _answers(self, reader, expected):
        while (exchange := await expected.get()) is not None:
            answer = await read_head(reader)
            while answer is not None and answer.start[1].startswith("1"):
                answer = await read_head(reader)
            if answer is None:
                break
            exchange.answer = answer
            if exchange.request.start[0] == "GET":
                self.stream_open.set()
            await read_body(reader, answer, request=exchange.request)


class Recorders:
    """All recorders of a suite, on a thread of their own, and the listener that clients ask for the stream."""

    def __init__(self):
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(lambda loop, context: None)
        self._all = []
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        self._control = self._run(asyncio.start_server(self._answer, "127.0.0.1", 0))
        self.control = f"http://127.0.0.1:{self._control.sockets[0].getsockname()[1]}"

    def _run(self, work):
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def record(self, upstream):
        """A new recorder in front of host:port."""
        recorder = Recorder(upstream, len(self._all))
        self._all.append(recorder)
        self._run(recorder.listen())
        return recorder

    def page(self, recorder):
        """Where a client asks whether its GET stream is open: `/stream` under this."""
        return f"{self.control}/{recorder.number}"

    async def _answer(self, reader, writer):
        request = await read_head(reader)
        number = request.start[1].split("/")[1]
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._all[int(number)].stream_open.wait(), 8)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()

    def close(self):
        """Stop all."""
        self._loop.call_soon_threadsafe(self._loop.stop)
