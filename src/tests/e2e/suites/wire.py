"""A session by hand on a raw connection: what no SDK does by itself, above all cutting and resuming a stream."""

import http.client
import json
import time

from harness import compare
from harness.process import Failure

ACCEPT = "application/json, text/event-stream"
CALLS = {
    "fixture": {"name": "steps", "arguments": {"n": 6}},
    "everything": {"name": "trigger-long-running-operation", "arguments": {"duration": 0.3, "steps": 6}},
}


class _Session:
    def __init__(self, address, path, tls):
        self.address, self.path, self.tls, self.id, self.lines = address, path, tls, None, []

    def send(self, method, body=None, **headers):
        """One request on a connection of its own; the answer's body is not read yet."""
        if self.tls:
            connection = http.client.HTTPSConnection(self.address, timeout=20, context=self.tls)
        else:
            connection = http.client.HTTPConnection(self.address, timeout=20)
        sent = {"Accept": ACCEPT, "MCP-Protocol-Version": "2025-11-25"}
        if body is not None:
            body = body if isinstance(body, bytes) else json.dumps({"jsonrpc": "2.0", **body}).encode()
            sent["Content-Type"] = "application/json"
        if self.id:
            sent["Mcp-Session-Id"] = self.id
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, self.path, body, {name: value for name, value in sent.items() if value is not None})
        return connection, connection.getresponse()

    def whole(self, name, method, body=None, *, keep_body=True, **headers):
        """One exchange, noted: status, content type and what came."""
        connection, answer = self.send(method, body, **headers)
        text = answer.read().decode(errors="replace")
        connection.close()
        self.note(name, answer, text if keep_body else "")
        return answer

    def note(self, name, answer, text):
        kind = (answer.getheader("content-type") or "").split(";")[0]
        seen = compare.events(text) if kind == "text/event-stream" else compare.parsed(text)
        if isinstance(seen, list):
            # A priming event comes before, between or after what is replayed.
            seen = [event for event in seen if event.get("data")]
        allow = answer.getheader("allow")
        self.lines.append(json.dumps({"step": name, "seen": [answer.status, kind, allow, seen]}, sort_keys=True))


def session(address, server, tls=None):
    """The whole script; its lines."""
    session = _Session(address, server.path, tls)
    client = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "wire", "version": "0"}}
    answer = session.whole("initialize", "POST", {"id": 1, "method": "initialize", "params": client})
    session.id = answer.getheader("mcp-session-id")
    session.lines.append(f"has an id: {session.id is not None}")
    session.whole("initialized", "POST", {"method": "notifications/initialized"})
    session.whole("no such method", "POST", {"id": "x", "method": "no/such", "params": {}})
    session.whole("broken JSON", "POST", b"{", keep_body=False)
    session.whole("accepts nothing useful", "POST", {"id": 2, "method": "ping"}, Accept="text/plain", keep_body=False)
    # The proxy refuses a method that MCP does not have in its own words, and no peer sees it.
    connection, answer = session.send("PUT", {"id": 3, "method": "ping"})
    session.lines.append(f"PUT is refused: {answer.status in (404, 405)}")
    connection.close()
    if session.id is not None:
        _streams(session, server)
        session.whole("DELETE", "DELETE")
        # The proxy remembers what was ended and asks no peer, so the words are its own; server-everything forgets its
        # sessions and takes an unknown id for no id, which is 400 (the specification: 404).
        connection, answer = session.send("POST", {"id": 9, "method": "tools/list"})
        session.lines.append(f"after DELETE it is refused: {answer.status in (400, 404)}")
        connection.close()
    return session.lines


def _streams(session, server):
    call = {"id": 4, "method": "tools/call", "params": {**CALLS[server.scenario], "_meta": {"progressToken": 4}}}
    connection, answer = session.send("POST", call)
    if (answer.getheader("content-type") or "").startswith("text/event-stream"):
        begin, event_id = _until(answer, "progress", 2)
        connection.sock and connection.sock.close()
        answer.close()
        connection.close()
        session.note("the stream up to the cut", answer, begin)
        session.lines.append(f"has event ids: {event_id is not None}")
        if event_id is not None:
            if server.resumes_only_what_is_stored:
                time.sleep(1)
            connection, answer, end = _rest(session, event_id)
            session.note("the rest, resumed", answer, end)
    else:
        session.note("the call", answer, answer.read().decode())
    connection.close()


def _rest(session, event_id):
    """What comes after an event, up to the answer; a stream that ends before it is resumed again, as clients do."""
    text = ""
    for _ in range(20):
        connection, answer = _resume(session, event_id)
        more, last = _until(answer, '"id":4', 1)
        text += more
        if answer.status != 200 or '"id":4' in more.replace(" ", ""):
            break
        event_id = last or event_id
        connection.close()
        time.sleep(0.1)
    return connection, answer, text


def _resume(session, event_id):
    """Ask for the rest; a server that has not yet seen the cut says 409, since the stream has a reader."""
    for _ in range(100):
        connection, answer = session.send("GET", Last_Event_ID=event_id)
        if answer.status != 409:
            break
        connection.close()
        time.sleep(0.02)
    return connection, answer


def _until(answer, word, times):
    """The events up to the one that has the word for the n-th time, and the id of the last."""
    text, event_id, seen = "", None, 0
    deadline = time.monotonic() + 20
    while seen < times and (line := answer.readline().decode()):
        if time.monotonic() > deadline:
            raise Failure(f"{word} did not come: {text}")
        text += line
        if line.startswith("id:"):
            event_id = line[3:].strip() or None
        if line.startswith("data:") and word in line.replace(" ", ""):
            seen += 1
            # Up to the empty line that ends the event: the id may come after the data.
            while (line := answer.readline().decode()).strip():
                text += line
                if line.startswith("id:"):
                    event_id = line[3:].strip() or None
            text += line
    return text, event_id
