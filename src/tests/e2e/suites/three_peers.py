"""Three peers: 20 sessions of 50 calls at once, of every client, and none of them fails."""

import json
import urllib.request

from harness.catalogue import CLIENTS, server
from harness.proxy import Proxy
from harness.way import H1
from suites.pairs import run_jobs

SESSIONS, CALLS = 20, 50


def run(suite):
    """Every client over three rmcp servers; some over three of the other SDKs."""
    some = [client for client in CLIENTS if client.name in ("python-v1", "typescript-v1", "rmcp")]
    for name, clients in {"rmcp": CLIENTS, "python-v1": some, "typescript-v1": some}.items():
        kind = server(name)
        peers = [kind.start(suite) for _ in range(3)]
        named = [{"name": f"peer-{number}", "url": peer.ready().url} for number, peer in enumerate(peers)]
        proxy = Proxy(suite, f"three-{name}", named)
        for client in clients:
            with suite.check(f"{client.name} over three {name}"):
                sessions(suite, client, kind, proxy)
        if name == "rmcp":
            with suite.check("every peer served its share"):
                served = [int(urllib.request.urlopen(peer.url + "served", timeout=5).read()) for peer in peers]
                if min(served) * 10 < max(served):
                    suite.fail(f"the peers served {served}")
                suite.say(f"the peers served {served}")
        with suite.check(f"the proxy over three {name} leaves with 0"):
            proxy.stop()
        for peer in peers:
            peer.kill()


def sessions(suite, client, kind, proxy, front=H1, certificate=None, calls=CALLS):
    """Sessions side by side."""
    tool, argument = kind.echo
    name = "-".join([client.name, kind.name, kind.transport, front.name])
    out = suite.work / f"sessions-{name}.json"
    job = front.job(proxy, kind.path, certificate) | {
        "transport": kind.client_transport,
        "era": client.era,
        "sessions": SESSIONS,
        "calls": calls,
        "tool": tool,
        "argument": argument,
        "timeout": 60,
        "out": str(out),
    }
    run_jobs(suite, client, [job], name, certificate and certificate.environment)
    seen = json.loads(out.read_text())
    if seen["failures"] or seen["sessions"] != SESSIONS:
        suite.fail(f"{len(seen['failures'])} sessions failed: " + "\n".join(seen["failures"][:3]))
