"""Three servers of one kind behind a proxy, and what their ledgers say."""

import contextlib
import json
import signal
import time
import urllib.error
import urllib.request
from collections import Counter

from harness.holds import Holds
from harness.process import Failure
from harness.proxy import Proxy

# Lost at the first failed connection, used again at once. A machine that is busy loses nobody.
PROBE = {"probe": "mcp", "interval": "500ms", "timeout": "5s", "fast_interval": "200ms", "unhealthy_threshold": 2}
BREAKER = {"open_for": "300ms", "max_open": "1s", "slow_start": "0s"}


# Servers that speak HTTP+SSE alone know no question that a probe could ask, so nobody has seen their tools beforehand.
LEGACY_SSE_GROUP = {"protocol": "auto", "health_check": PROBE | {"probe": "tcp"}, "retry": {"tools": ["look"]}}


def visit(url):
    """A session of a client that only opens and ends it."""
    if url.endswith("/sse"):
        urllib.request.urlopen(url, timeout=10).close()
        return
    hello = {
        "jsonrpc": "2.0",
        "id": 0,
        "method": "initialize",
        "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "visitor", "version": "0"}},
    }
    headers = {"content-type": "application/json", "accept": "application/json, text/event-stream"}
    opened = urllib.request.urlopen(urllib.request.Request(url, json.dumps(hello).encode(), headers), timeout=10)
    opened.read()
    if session := opened.headers.get("mcp-session-id"):
        with contextlib.suppress(urllib.error.HTTPError):
            urllib.request.urlopen(urllib.request.Request(url, headers={"mcp-session-id": session}, method="DELETE"))


class Stage:
    """All sessions begin on one server, so that one kill meets all of them: each peer is a tier of its own, and traffic
    stays where it is until that tier is lost."""

    def __init__(self, suite, name, kind, **settings):
        self.suite, self.name, self.kind = suite, name, kind
        self.holds = Holds(suite.work / f"holds-{name}")
        self.ledgers = [suite.work / f"ledger-{name}-{number}" for number in range(3)]
        for ledger in self.ledgers:
            ledger.touch()
        self.servers = [kind.start(suite, ledger, holds=self.holds) for ledger in self.ledgers]
        peers = []
        for number, each in enumerate(self.servers):
            peers.append({"name": f"peer-{number}", "url": each.ready(40).url, "priority": number + 1})
        group = {"protocol": "mcp", "health_check": PROBE, "circuit_breaker": BREAKER}
        group["failback"] = {"mode": "manual", "ramp": "0s"}
        if kind.client_transport == "sse":
            group |= LEGACY_SSE_GROUP
        self.proxy = Proxy(suite, name, peers, fixed=True, **group | settings)
        self.whole()

    def active(self):
        """The server that gets new sessions."""
        tier = self.proxy.metrics()[f'backstay_active_tier{{group="{self.name}"}}']
        return self.servers[int(tier) - 1]

    @staticmethod
    def freeze(server):
        """`SIGSTOP`."""
        server.signal(signal.SIGSTOP)

    def thaw(self, server):
        """It goes on, from wherever it stands."""
        self.holds.release()
        server.signal(signal.SIGCONT)

    def renew(self):
        """`kill -9` of the proxy, and another in its place."""
        self.proxy.process.kill()
        self.proxy.restart()
        self.whole()

    def executed(self):
        """How often each call was executed."""
        return Counter(line for ledger in self.ledgers for line in ledger.read_text().splitlines())

    def down(self):
        """`kill -9` of all servers."""
        for each in self.servers:
            each.kill()

    def up(self):
        """Those that have ended run again, and listen."""
        for each in self.servers:
            if each.child.poll() is not None:
                each.start()
        for each in self.servers:
            each.ready(40)

    def mend(self):
        """All servers run and can be used, and nobody stops anywhere."""
        self.holds.release()
        for each in self.servers:
            if each.child.poll() is None:
                each.signal(signal.SIGCONT)
        self.up()
        self.whole()

    def whole(self, seconds=20):
        """Wait until all peers take whatever comes. A half-open breaker takes one request, so somebody has to come."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            groups = json.loads(self.proxy.get("/api/v1/groups"))["groups"]
            peers = groups[0]["peers"]
            breakers = {peer["breaker"]["state"] for peer in peers}
            if all(peer["health"] == "healthy" for peer in peers) and "open" not in breakers:
                known = self.kind.client_transport == "sse" or all(self._is_known(peer["mcp"]) for peer in peers)
                if breakers == {"closed"} and known:
                    return
                # What a peer speaks is asked once a client came.
                visit(f"{self.proxy.url}{self.kind.path}")
            time.sleep(0.02)
        raise Failure(f"not all peers serve after {seconds} s: {groups}")

    def _is_known(self, mcp):
        """Until all eras are, some requests would go elsewhere."""
        return mcp and set(mcp["eras"]) == set(self.kind.eras)

    def stop(self):
        """End all; the proxy has to leave by itself."""
        with self.suite.check(f"the proxy over {self.name} leaves with 0"):
            self.proxy.stop()
        for each in self.servers:
            each.kill()
