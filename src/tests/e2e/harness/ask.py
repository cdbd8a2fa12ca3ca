"""MCP by hand: requests that no SDK would make."""

import http.client
import json
import socket
import threading

from harness.process import Failure

_INFO = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "client", "version": "1"}}
INITIALIZE = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": _INFO}
PING = {"jsonrpc": "2.0", "id": 2, "method": "ping"}
LIST = {"jsonrpc": "2.0", "id": 7, "method": "tools/list"}


def ask(proxy, body, fields=(), method="POST"):
    """One request of MCP: status, headers, and the body if it comes within 30 seconds; fields may come twice."""
    connection = http.client.HTTPConnection(proxy.address, timeout=30)
    late = threading.Timer(30, lambda: connection.sock and connection.sock.shutdown(socket.SHUT_RDWR))
    late.start()
    try:
        connection.putrequest(method, "/mcp")
        data = b"" if body is None else json.dumps(body).encode()
        usual = [("content-type", "application/json"), ("accept", "application/json, text/event-stream")]
        for name, value in [*usual, ("content-length", str(len(data))), *fields]:
            connection.putheader(name, value)
        connection.endheaders(data)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    except (OSError, http.client.HTTPException) as error:
        raise Failure(f"no whole answer: {error!r}") from None
    finally:
        late.cancel()
        connection.close()
