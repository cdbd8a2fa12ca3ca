#!/usr/bin/env python3
"""A stand-in for the proxy, to see the suites pass and fail: `run.py --binary standin.py`, with STANDIN_FAULT set.

It keeps sessions on their peer and repeats what is safe. The faults, one at a time:
drop-last-event-id, duplicate-post, scatter (sessions go anywhere), no-retry, eager-retry (repeats everything).
"""

import asyncio
import itertools
import json
import os
import re
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from harness.http import read_body, read_head  # noqa: E402

FAULT = os.environ.get("STANDIN_FAULT", "")


class Standin:
    """Round robin over the peers of the first group."""

    def __init__(self, config):
        self.peers = [re.match(r"http://([^/]+)", peer["url"])[1] for peer in config["groups"][0]["peers"]]
        self.turns = itertools.count()
        self.sessions = {}

    def order(self, request):
        """The peers to try: one for a session, all for the rest."""
        session = request.header("mcp-session-id")
        found = re.search(r"session_?[iI]d=([^&]+)", request.start[1])
        session = session or (found and found[1])
        if session in self.sessions and FAULT != "scatter":
            return [self.sessions[session]]
        turn = next(self.turns) % len(self.peers)
        return self.peers[turn:] + self.peers[:turn]

    async def connection(self, reader, writer):
        """One request, then close."""
        try:
            request = await read_head(reader)
            if request is None:
                return
            await read_body(reader, request)
            if FAULT == "duplicate-post" and request.start[0] == "POST" and b'"tools/call"' in request.body:
                _, _, first = await self.attempt(request, self.order(request)[0])
                first.close()
            await self.forward(request, reader, writer)
        finally:
            writer.close()

    async def forward(self, request, reader, writer):
        """Try the peers in order; the answer is relayed as it comes."""
        unsafe = request.start[0] == "POST" and b'"count"' in request.body
        order = self.order(request)[: 1 if FAULT == "no-retry" else None]
        delivery = "not_sent"
        for peer in order:
            try:
                head, up_reader, up_writer = await self.attempt(request, peer)
            except ConnectionError:
                continue
            if head is not None:
                await self.relay(peer, head, up_reader, up_writer, reader, writer)
                return
            delivery = "unknown"
            if unsafe and FAULT != "eager-retry":
                break
        body = json.dumps({"jsonrpc": "2.0", "id": self.id_of(request), "error": self.error(delivery)}).encode()
        head = "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nConnection: close\r\n"
        writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)

    @staticmethod
    def error(delivery):
        """What is said when no peer answered."""
        return {"code": -31000, "message": "no peer answered", "data": {"delivery": delivery}}

    @staticmethod
    def id_of(request):
        """The id of the JSON-RPC request, if it is one."""
        try:
            return json.loads(request.body).get("id")
        except ValueError:
            return None

    async def attempt(self, request, peer):
        """Send it; the head is None when the peer closed without one."""
        host, port = peer.split(":")
        up_reader, up_writer = await asyncio.open_connection(host, int(port))
        dropped = {"host", "connection", "transfer-encoding", "content-length"}
        if FAULT == "drop-last-event-id":
            dropped.add("last-event-id")
        lines = [" ".join(request.start), f"host: {peer}", "connection: close", f"content-length: {len(request.body)}"]
        lines += [f"{name}: {value}" for name, value in request.headers if name not in dropped]
        up_writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + request.body)
        try:
            return await read_head(up_reader), up_reader, up_writer
        except OSError:
            return None, up_reader, up_writer

    async def relay(self, peer, head, up_reader, up_writer, reader, writer):
        """Pass the answer on until either side leaves."""
        if session := head.header("mcp-session-id"):
            self.sessions[session] = peer
        lines = [" ".join(head.start), "connection: close"]
        lines += [f"{name}: {value}" for name, value in head.headers if name != "connection"]
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
        pump = asyncio.ensure_future(self.pump(peer, up_reader, writer))
        left = asyncio.ensure_future(reader.read())
        await asyncio.wait([pump, left], return_when=asyncio.FIRST_COMPLETED)
        for task in (pump, left):
            task.cancel()
        await asyncio.gather(pump, left, return_exceptions=True)
        up_writer.close()

    async def pump(self, peer, reader, writer):
        """Bytes from the peer to the client."""
        while piece := await reader.read(65536):
            for session in re.findall(rb"session_?[iI]d=([0-9a-f-]+)", piece):
                self.sessions[session.decode()] = peer
            writer.write(piece)
            await writer.drain()

    @staticmethod
    async def admin(reader, writer):
        """Every page is empty, and fine."""
        await read_head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()


async def main():
    """Serve until SIGTERM."""
    standin = Standin(json.loads(Path(sys.argv[sys.argv.index("-c") + 1]).read_text()))
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda loop, context: None)
    ended = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    for serve in (standin.connection, standin.admin):
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        host, port = server.sockets[0].getsockname()
        print(f"listening address={host}:{port}", file=sys.stderr, flush=True)
    await ended.wait()
    os._exit(0)


asyncio.run(main())
