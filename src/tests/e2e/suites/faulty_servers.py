"""Servers that misbehave: they are asked a few times, their clients are told, and nothing hangs or grows."""

from harness.ask import INITIALIZE, LIST, ask
from harness.proxy import Proxy
from harness.scripted import Scripted, piece, stream


def _endless(line):
    def answer(connection, _):
        stream(connection)
        for _ in range(64 * 16):
            piece(connection, line)
        return False

    return answer


def _events(*pieces, end=b"0\r\n\r\n"):
    def answer(connection, _):
        stream(connection)
        for each in pieces:
            piece(connection, each)
        connection.sendall(end)
        return end == b"0\r\n\r\n"

    return answer


def _raw(data, times=1):
    def answer(connection, _):
        for _ in range(times):
            connection.sendall(data)
        return False

    return answer


K64 = b"x" * 65536
SERVERS = {
    "ends before its response": _events(),
    "answers something else": _events(b'data: {"jsonrpc":"2.0","id":"other","result":{}}\n\n'),
    "sends no events": _events(b"id: a\0b\ndata: \0\n\n\r\r\r\n\n\ndata\n\n:\n"),
    "breaks off at once": _events(end=b""),
    "cannot count": _events(end=b"zz\r\nhello"),
    "has no end of a line": _endless(K64),
    "has no end of an event": _endless(b"data: " + K64 + b"\n"),
    "has no end of events": _endless(b'data: {"jsonrpc":"2.0","method":"notifications/message"}\n\n' * 1000),
    "has no end of a head": _raw(b"x-y: " + K64 + b"\r\n", 1000),
    "has no end of interim answers": _raw(b"HTTP/1.1 103 Early Hints\r\n\r\n", 100_000),
    "hangs up": _raw(b""),
}


def run(suite):
    """Each of them, as both peers of a group."""
    peers = [Scripted("tools/list", None) for _ in range(2)]
    named = [{"name": f"peer-{number}", "url": each.url} for number, each in enumerate(peers)]
    # What is to bound them is not the breaker.
    settings = {"health_check": {"probe": "mcp", "interval": "1s"}, "circuit_breaker": {"failure_threshold": 1000}}
    proxy = Proxy(suite, "faulty", named, protocol="mcp", **settings)
    before = proxy.descriptors(), proxy.resident()
    for name, answer in SERVERS.items():
        with suite.check(f"a server that {name} is asked a few times, and its client told"):
            _one(suite, proxy, peers, answer)
    after = proxy.descriptors(), proxy.resident()
    suite.say(f"descriptors and KiB before and after servers that misbehave: {before}, {after}")
    with suite.check("servers that misbehave leave nothing in the proxy"):
        if after[0] > before[0] + 40 or after[1] > before[1] + 32 * 1024:
            suite.fail(f"descriptors and KiB: {before} before, {after} after")
    with suite.check("the proxy before servers that misbehave leaves with 0"):
        proxy.stop()
    for each in peers:
        each.close()


def _one(suite, proxy, peers, answer):
    for each in peers:
        each.answer = None
    proxy.whole(len(peers), seconds=30)
    session = ask(proxy, INITIALIZE)[1]["mcp-session-id"]
    for each in peers:
        each.asked.clear()
        each.answer = answer
    status, _, text = ask(proxy, LIST, [("mcp-session-id", session)])
    asked = [dict(each.asked) for each in peers]
    if sum(each.asked["tools/list"] for each in peers) > 9 or sum(each.asked["initialize"] for each in peers) > 6:
        suite.fail(f"the servers were asked {asked}")
    if status != 200 or b'"delivery"' not in text[-400:]:
        suite.fail(f"its client was told {status} {text[-400:]}")
