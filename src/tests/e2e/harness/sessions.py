"""Many MCP sessions at once, each a connection that speaks just enough HTTP."""

import asyncio
import json

from harness.http import read_body, read_head
from harness.process import Failure

_HELLO = {
    "protocolVersion": "2025-06-18",
    "capabilities": {},
    "clientInfo": {"name": "one-of-many", "version": "0"},
}


class Session:
    """One session; it has one request under way at a time."""

    def __init__(self, address, path):
        self._host, _, port = address.rpartition(":")
        self._port, self._path = int(port), path
        self._id = None
        self._numbers = 0

    async def open(self):
        """Connect and initialize."""
        self._reader, self._writer = await asyncio.open_connection(self._host, self._port)
        answer = await self._ask("initialize", _HELLO)
        self._id = answer.header("mcp-session-id")
        if answer.start[1] != "200" or not self._id:
            raise Failure(f"initialize was answered {answer.start} {bytes(answer.body)}")
        await self._send("POST", {"jsonrpc": "2.0", "method": "notifications/initialized"})

    async def call(self, text):
        """Call `echo`; none if it was echoed, else what came instead."""
        answer = await self._ask("tools/call", {"name": "echo", "arguments": {"text": text}})
        if answer is None:
            return "the connection was closed"
        return None if json.dumps(text).encode() in answer.body else f"{answer.start[1]} {bytes(answer.body)}"

    async def close(self):
        """End the session."""
        await self._send("DELETE")
        self._writer.close()

    async def _ask(self, method, params):
        self._numbers += 1
        return await self._send("POST", {"jsonrpc": "2.0", "id": self._numbers, "method": method, "params": params})

    async def _send(self, method, message=None):
        body = json.dumps(message).encode() if message else b""
        head = [
            f"{method} {self._path} HTTP/1.1",
            f"host: {self._host}:{self._port}",
            "content-type: application/json",
            "accept: application/json, text/event-stream",
            f"content-length: {len(body)}",
        ]
        if self._id:
            head += [f"mcp-session-id: {self._id}", "mcp-protocol-version: 2025-06-18"]
        self._writer.write("\r\n".join([*head, "", ""]).encode() + body)
        answer = await read_head(self._reader)
        if answer:
            await read_body(self._reader, answer, request=type("Request", (), {"start": [method]}))
        return answer
