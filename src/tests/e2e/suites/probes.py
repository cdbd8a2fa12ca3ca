"""Health checks leave nothing behind: one session on each legacy peer while the proxy lives, none when it has left."""

import json
import signal
import time
import urllib.request

from harness.catalogue import CONFORMANCE, server
from harness.process import Failure
from harness.proxy import Proxy

# Ten times a second, so that 720 take 72 seconds.
PROBE = {"probe": "mcp", "interval": "100ms", "fast_interval": "100ms", "timeout": "2s"}
PROBES = 720


def run(suite):
    """Two proxies probe the same servers; one is killed and returns, the other goes through all that operators do."""
    kinds = [server("python-v1"), server("python-v2"), server("typescript-v1"), CONFORMANCE[1]]
    servers = {kind.name: kind.start(suite) for kind in kinds}
    peers = [{"name": kind.name, "url": servers[kind.name].ready().url.rstrip("/") + kind.path} for kind in kinds]
    session = _session(servers["python-v1"])
    proxy = Proxy(suite, "probes", peers, protocol="mcp", health_check=PROBE)
    killed = Proxy(suite, "probes-killed", peers, protocol="mcp", health_check=PROBE)
    for each in (proxy, killed):
        _probed(each, 1)
    # What a client has is nobody's to end.
    of_others = {name: int(name == "python-v1") for name in servers}
    with suite.check("every proxy has one session on each peer"):
        _sessions(suite, servers, of_others, 2)
    with suite.check("a proxy that is killed leaves one session on each peer"):
        killed.process.kill()
        _sessions(suite, servers, of_others, 2)
    with suite.check("it does not take up what it has left, and leaves no more when it ends in order"):
        again = Proxy(suite, "probes-again", peers, protocol="mcp", health_check=PROBE)
        _probed(again, 1)
        _sessions(suite, servers, of_others, 3)
        again.stop()
        _sessions(suite, servers, of_others, 2)
    with suite.check(f"{PROBES} probes add no session"):
        least = _probed(proxy, PROBES, seconds=180)
        suite.say(f"{least:.0f} probes of each peer, and as many sessions as before")
        _sessions(suite, servers, of_others, 2)
    with suite.check("reloads keep the session, and a peer that is taken out is rid of it"):
        _reload(proxy, peers, 5)
        _sessions(suite, servers, of_others, 2)
        _reload(proxy, peers[1:], 1)
        _sessions(suite, servers, of_others | {"python-v1": 0}, 2)
        _reload(proxy, peers, 1)
        _sessions(suite, servers, of_others, 2)
    with suite.check("a peer that starts over gets a new one"):
        servers["typescript-v1"].kill()
        servers["typescript-v1"].start().ready()
        # What the killed proxy had left is gone, too.
        _sessions(suite, servers, of_others | {"typescript-v1": -1}, 2)
    with suite.check("a proxy that ends in order leaves none"):
        proxy.stop()
        _sessions(suite, servers, of_others | {"typescript-v1": -1}, 1)
    with suite.check("the session of a client is still there"):
        _session(servers["python-v1"], session)
    for each in servers.values():
        each.kill()


def _probed(proxy, times, seconds=20):
    """Wait until every peer was probed so often with success; the least of all."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        samples = proxy.metrics().items()
        counts = [count for name, count in samples if name.startswith("backstay_probes_total{") and '"passed"' in name]
        if counts and min(counts) >= times and len(counts) == len(proxy.config["groups"][0]["peers"]):
            return min(counts)
        time.sleep(0.05)
    raise Failure(f"not all peers were probed {times} times in {seconds} s: {counts}")


def _sessions(suite, servers, of_others, expected, seconds=10):
    """Wait until the servers have so many sessions, and then some more probes: it has to stay so."""
    wanted = {name: expected + more for name, more in of_others.items()}
    deadline = time.monotonic() + seconds
    while (seen := _count(servers)) != wanted and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.5)
    if seen != wanted or (seen := _count(servers)) != wanted:
        suite.fail(f"the servers have {seen} sessions instead of {wanted}")


def _count(servers):
    return {name: int(urllib.request.urlopen(each.url + "sessions", timeout=5).read()) for name, each in servers.items()}


def _reload(proxy, peers, times):
    """The same file again, or one with other peers."""
    for _ in range(times):
        before = proxy.log().count("reloaded")
        proxy.config["groups"][0]["peers"] = peers
        proxy.write(json.dumps(proxy.config, indent=2))
        proxy.process.signal(signal.SIGHUP)
        deadline = time.monotonic() + 10
        while proxy.log().count("reloaded") <= before:
            if time.monotonic() > deadline:
                raise Failure(f"it did not reload: {proxy.process.tail(5)}")
            time.sleep(0.05)


def _session(process, session=None):
    """A session of a client, made or used."""
    params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "client", "version": "1"}}
    method = "ping" if session else "initialize"
    body = {"jsonrpc": "2.0", "id": 1, "method": method} | ({} if session else {"params": params})
    headers = {"content-type": "application/json", "accept": "application/json, text/event-stream"}
    headers |= {"mcp-session-id": session} if session else {}
    request = urllib.request.Request(process.url + "mcp", json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.headers["mcp-session-id"]
