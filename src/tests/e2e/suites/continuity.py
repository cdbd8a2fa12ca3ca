"""MCP sessions outlive their servers: sessions of every SDK go on calling while their servers are killed in turn."""

import json
import threading
import time

from harness.catalogue import CLIENTS, server
from harness.process import Failure
from harness.proxy import Proxy
from harness.way import H1
from suites.kill import BREAKER, PROBE, RETRY
from suites.pairs import run_jobs

# Calls enough for several kills, few enough for the slowest client.
SESSIONS, CALLS, PAUSE = 8, 60, 0.15


def run(suite):
    """Sessions of every client on servers of three SDKs, answering with JSON and with events."""
    legacy = [client for client in CLIENTS if client.era == "legacy"]
    for name in ("python-v1", "python-v2-json", "typescript-v1", "rmcp"):
        kind = server(name)
        servers = [kind.start(suite) for _ in range(3)]
        peers = [{"name": f"peer-{number}", "url": each.ready().url} for number, each in enumerate(servers)]
        proxy = Proxy(suite, f"continuity-{name}", peers, retry=RETRY, circuit_breaker=BREAKER, health_check=PROBE)
        for client in legacy if name == "rmcp" else legacy[:1] + legacy[2:3]:
            with suite.check(f"{client.name} on {name} goes on while its servers are killed"):
                goes_on(suite, client, kind, proxy, servers)
        with suite.check(f"{name}: sessions have moved"):
            moved = proxy.metrics().get(f'backstay_mcp_session_migrations_total{{group="continuity-{name}",outcome="moved"}}', 0)
            suite.say(f"{name}: {moved:.0f} sessions were made anew")
            if moved == 0:
                raise Failure("no session has moved")
        with suite.check(f"the proxy over {name} leaves with 0"):
            proxy.stop()
        for each in servers:
            each.kill()


def goes_on(suite, client, kind, proxy, servers, front=H1, certificate=None):
    """Sessions of that client call on while the servers are killed in turn."""
    tool, argument = kind.echo
    out = suite.work / f"sessions-{client.name}-{kind.name}.json"
    job = front.job(proxy, kind.path, certificate) | {
        "transport": kind.client_transport,
        "era": client.era,
        "sessions": SESSIONS,
        "calls": CALLS,
        "pause": PAUSE,
        "tool": tool,
        "argument": argument,
        "timeout": 90,
        "out": str(out),
    }
    ended = threading.Event()
    kills = threading.Thread(target=_kill_in_turn, args=(servers, ended))
    kills.start()
    try:
        run_jobs(suite, client, [job], f"{client.name}-{kind.name}", certificate and certificate.environment)
    finally:
        ended.set()
        kills.join()
    seen = json.loads(out.read_text())
    if seen["failures"]:
        suite.fail(f"{len(seen['failures'])} of {SESSIONS} sessions failed: " + "\n".join(seen["failures"][:3]))


def _kill_in_turn(servers, ended):
    """Kills one server after the other; the next when the last takes connections, whether the proxy knows or not."""
    number = 0
    while not ended.wait(2):
        victim = servers[number % len(servers)]
        victim.kill()
        time.sleep(0.5)
        victim.start().ready()
        number += 1
