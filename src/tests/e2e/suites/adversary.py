"""Clients that misbehave around MCP sessions: what is not theirs reaches no server, and what they leave goes."""

import base64
import json
import socket
import time

from harness.ask import INITIALIZE, PING, ask
from harness.catalogue import server
from harness.proxy import Proxy
from harness.recorder import Recorders

MODERN = [("mcp-protocol-version", "2026-07-28"), ("mcp-method", "tools/call"), ("mcp-name", "echo")]
QUIET = {"health_check": {"probe": "none"}}


def run(suite):
    """Before a real server that is watched."""
    recorders = Recorders()
    kind = server("python-v1")
    process = kind.start(suite)
    recorder = recorders.record(process.ready().address)
    peer = {"name": "watched", "url": f"http://127.0.0.1:{recorder.port}/mcp"}
    proxy = Proxy(suite, "adversary", [peer], protocol="mcp", **QUIET)
    other = Proxy(suite, "adversary-other", [peer], protocol="mcp", **QUIET)
    session = ask(proxy, INITIALIZE)[1]["mcp-session-id"]
    foreign = ask(other, INITIALIZE)[1]["mcp-session-id"]
    with suite.check("an id that is not ours to open reaches no server"):
        seen = len(recorder.exchanges)
        for wrong in _wrong(session, foreign, recorder):
            for method, body in (("POST", PING), ("POST", INITIALIZE), ("GET", None), ("DELETE", None)):
                _refused(suite, proxy, recorder, seen, body, [("mcp-session-id", wrong)], method)
    with suite.check("headers that contradict each other reach no server"):
        mine = ("mcp-session-id", session)
        for twice in ([mine, mine], [mine, ("mcp-session-id", foreign)], [*MODERN, MODERN[1]], [*MODERN, ("mcp-name", "count")]):
            _refused(suite, proxy, recorder, seen, PING, twice)
    with suite.check("the session of one principal is nobody else's"):
        _principals(suite, proxy, recorder)
    with suite.check("clients that leave in the middle leave nothing in the proxy"):
        _leaving(suite, proxy)
    with suite.check("the session is as it was"):
        if ask(proxy, PING, [("mcp-session-id", session)])[0] != 200:
            suite.fail("it does not answer")
    for each in (proxy, other):
        each.stop()
    process.kill()
    recorders.close()


def _wrong(session, foreign, recorder):
    """Ids that somebody might try."""
    yield from (session[:at] + ("A" if session[at] != "A" else "B") + session[at + 1 :] for at in range(0, len(session), 7))
    yield from (session[:at] for at in range(0, len(session), 11))
    yield from (session + "A", session.swapcase(), session.rsplit(".", 1)[0] + ".", "bs1", "bs1..", "x" * 8000, foreign)
    # What the server itself calls its sessions.
    yield from filter(None, {exchange.answer.header("mcp-session-id") for exchange in recorder.exchanges})


def _refused(suite, proxy, recorder, seen, body, fields, method="POST"):
    status, _, _ = ask(proxy, body, fields, method)
    if not 400 <= status < 500 or len(recorder.exchanges) != seen:
        shown = [(name, value[:60]) for name, value in fields]
        suite.fail(f"{method} {shown}: {status}, and the server saw {len(recorder.exchanges) - seen} requests")


def _principals(suite, proxy, recorder):
    """Whom a JWT names owns the session, whichever of their tokens comes with it."""
    mine = [("authorization", _jwt("me", 1))]
    session = ask(proxy, INITIALIZE, mine)[1]["mcp-session-id"]
    for token in (1, 2):
        if ask(proxy, PING, [("mcp-session-id", session), ("authorization", _jwt("me", token))])[0] != 200:
            suite.fail(f"token {token} of its owner is refused")
    seen = len(recorder.exchanges)
    yours = ("authorization", _jwt("you", 1))
    for other in ([], [yours], [("authorization", "Bearer opaque")], [*mine, yours]):
        for method, body in (("POST", PING), ("GET", None), ("DELETE", None)):
            _refused(suite, proxy, recorder, seen, body, [("mcp-session-id", session), *other], method)


def _jwt(subject, number):
    def part(value):
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    return f"Bearer {part({'alg': 'none'})}.{part({'iss': 'i', 'sub': subject, 'jti': number})}.c2ln"


def _leaving(suite, proxy):
    """Clients that open MCP sessions and streams, or half of a request, and go."""
    before = proxy.descriptors()
    body = json.dumps(INITIALIZE)
    head = f"POST /mcp HTTP/1.1\r\nhost: {proxy.address}\r\naccept: application/json, text/event-stream\r\n"
    head += "content-type: application/json\r\n"
    for number in range(300):
        host, port = proxy.address.split(":")
        with socket.create_connection((host, int(port)), 10) as connection:
            whole = f"{head}content-length: {len(body)}\r\n\r\n{body}".encode()
            connection.sendall(whole[: (number * 7) % len(whole)] if number % 2 else whole)
    deadline = time.monotonic() + 20
    # What is idle towards the server stays for a while.
    while (now := proxy.descriptors()) > before + 70 and time.monotonic() < deadline:
        time.sleep(0.1)
    if now > before + 70:
        suite.fail(f"{before} descriptors before, {now} after")
