"""Two recordings of the same script: equal but for ids, times and addresses."""

import difflib
import json
import re
from pathlib import Path

# Differ by connection, by process or by clock; none of them is the server's word to the client.
IGNORED = {"connection", "content-length", "date", "host", "keep-alive", "transfer-encoding", "via", "user-agent"}
# What the proxy adds to each answer of its own or of a peer.
ADDED = {"proxy-status", "x-request-id"}
REPLACED = [
    (re.compile(r"127\.0\.0\.1:\d+|localhost:\d+"), "<address>"),
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"), "<uuid>"),
    (re.compile(r"\b\d{4}-\d\d-\d\dT[0-9:.]+(Z|[+-]\d\d:\d\d)"), "<time>"),
    (re.compile(r"\d{1,2}:\d\d:\d\d( [AP]M)?"), "<time>"),
    (re.compile(r"session_?[iI]d=[^&\s\"]+"), "session=<id>"),
    # A client of one process counts its listen streams, whatever the server.
    (re.compile(r"\blisten[-:]\d+"), "listen-<n>"),
]


def plain(value, key=None):
    """A JSON value without ids and times."""
    if isinstance(value, dict):
        return {name: plain(each, name) for name, each in value.items()}
    if isinstance(value, list):
        return [plain(each) for each in value]
    if key == "requestState":
        return "<state>"
    if isinstance(value, str):
        for pattern, word in REPLACED:
            value = pattern.sub(word, value)
    return value


def transcript(path):
    """The lines that a client wrote."""
    lines = Path(path).read_text().splitlines()
    return [json.dumps(plain(json.loads(line)), sort_keys=True) for line in lines]


def events(body):
    """The events of a stream; comments are not events, and ids count only as present."""
    found = []
    for block in body.replace("\r\n", "\n").split("\n\n"):
        event, data = {}, []
        for line in block.split("\n"):
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if name == "data":
                data.append(value)
            elif name in ("event", "retry"):
                event[name] = value
            elif name == "id":
                event["id"] = bool(value)
        if event.get("event") == "endpoint":
            # The address of the session, with its id in it.
            data = ["<endpoint>"]
        if data:
            event["data"] = parsed("\n".join(data))
        if event:
            found.append(event)
    return found


def parsed(text):
    try:
        message = plain(json.loads(text))
    except ValueError:
        return plain(text)
    if isinstance(message, dict) and "id" in message and "method" in message:
        # Two requests of a server may change places: it asks whenever it is asked itself.
        message["id"] = "<id>"
    return message


def _body(message):
    if message.start[1] == "202":
        # Nobody reads it; some clients are gone before it is there.
        return ""
    text = message.body.decode(errors="replace")
    if (message.header("content-type") or "").startswith("text/event-stream"):
        return events(text)
    return parsed(text)


def _headers(message, *, is_initialize):
    kept = {}
    for name, value in message.headers:
        if name in IGNORED or name in ADDED:
            continue
        if name == "mcp-session-id":
            # Servers repeat the id on every answer; the proxy gives it once, where the client takes it from.
            value = "<id>"
            if message.start[0].startswith("HTTP/") and not is_initialize:
                continue
        kept.setdefault(name, []).append("<id>" if name == "last-event-id" else plain(value))
    return kept


def _method(message):
    try:
        body = json.loads(message.body)
    except ValueError:
        return None
    return body.get("method", "response") if isinstance(body, dict) else "batch"


def _quiet(body, noise):
    if noise and isinstance(body, list):
        return [event for event in body if not re.search(noise, json.dumps(event))]
    return body


def _sent(request, method):
    """The client's message; an answer to the server has the server's id, a request keeps its own."""
    try:
        message = json.loads(request.body)
    except ValueError:
        return plain(request.body.decode(errors="replace"))
    if method == "response":
        message["id"] = "<id>"
    return plain(message)


def exchanges(recorder, noise=None):
    """All exchanges of a recorder, each as one line, in an order that does not depend on time.

    What matches `noise`, an event or a whole request, happens as often as the server's timers want, and is left out.
    """
    lines = []
    for exchange in recorder.exchanges:
        request, answer = exchange.request, exchange.answer
        method = _method(request)
        if noise and method == "response" and re.search(noise, request.body.decode(errors="replace")):
            continue
        is_initialize = method == "initialize"
        path = "<endpoint>" if exchange.is_to_an_endpoint else request.start[1]
        line = {
            "request": [request.start[0], path, method],
            "sent": [_headers(request, is_initialize=is_initialize), _sent(request, method)],
        }
        if answer is None:
            line["answer"] = None
        else:
            # Whether the last chunk came is not compared: some clients leave a stream at its last event.
            headers = _headers(answer, is_initialize=is_initialize)
            line["answer"] = [answer.start[1], headers, _quiet(_body(answer), noise)]
        lines.append(json.dumps(line, sort_keys=True))
    return sorted(lines)


def difference(direct, proxied, limit=6):
    """What differs, what the proxy made of it first; or None."""
    if direct == proxied:
        return None
    lines = list(difflib.unified_diff(direct, proxied, n=0, lineterm=""))[2:]
    through = [line for line in lines if line.startswith("+")][:limit]
    without = [line for line in lines if line.startswith("-")][:limit]
    shown = ["through the proxy:", *through, "directly:", *without]
    return "\n".join(line if len(line) < 700 else line[:700] + " …" for line in shown)
