"""A legacy MCP server of a few lines that answers one method in a way of its own, and counts what it is asked."""

import contextlib
import json
import socket
import threading
from collections import Counter

_INITIALIZED = {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}, "serverInfo": {"name": "s", "version": "1"}}


class Scripted:
    """Every other method gets a sound answer; `answer` is called with the connection and the id of the request."""

    def __init__(self, method, answer):
        self.asked = Counter()
        self.answer = answer
        self._method = method
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self._socket.listen(1024)
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/mcp"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                threading.Thread(target=self._connection, args=[connection], daemon=True).start()

    def _connection(self, connection):
        with contextlib.suppress(OSError, ValueError), connection:
            reader = connection.makefile("rb")
            while start := reader.readline():
                headers = {}
                while (line := reader.readline().decode("latin-1").strip()) != "":
                    name, _, value = line.partition(":")
                    headers[name.lower()] = value.strip()
                body = reader.read(int(headers.get("content-length", 0)))
                message = json.loads(body) if body else {}
                if not self._answered(connection, start.split()[0].decode(), message):
                    return

    def _answered(self, connection, verb, message):
        """Whether the connection may be used again."""
        method, number = message.get("method", verb), message.get("id")
        self.asked[method] += 1
        if method == self._method and self.answer is not None:
            return self.answer(connection, number)
        if method == "server/discover":
            return reply(connection, "404 Not Found", {"error": {"code": -32601, "message": "legacy"}} | _to(number))
        if method == "initialize":
            session = f"mcp-session-id: s{self.asked[method]}\r\n"
            return reply(connection, "200 OK", {"result": _INITIALIZED} | _to(number), session)
        if verb == "GET":
            return reply(connection, "405 Method Not Allowed", None)
        if number is None:
            return reply(connection, "202 Accepted", None)
        return reply(connection, "200 OK", {"result": {}} | _to(number))

    def close(self):
        """Take no more connections."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


def _to(number):
    return {"jsonrpc": "2.0", "id": number}


def reply(connection, status, message, fields=""):
    """A whole answer."""
    body = b"" if message is None else json.dumps(message).encode()
    head = f"HTTP/1.1 {status}\r\n{fields}content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    connection.sendall(head.encode() + body)
    return True


def stream(connection):
    """The head of an event stream."""
    connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")


def piece(connection, data):
    """A chunk of it."""
    connection.sendall(b"%x\r\n%s\r\n" % (len(data), data))
