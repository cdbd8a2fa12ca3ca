"""HTTP+SSE of 2024-11-05: equal through the proxy with one peer; no session fails with three, killed in turn or not."""

from harness.catalogue import CLIENTS, LEGACY_SSE
from harness.proxy import Proxy
from harness.process import Failure
from harness.recorder import Recorders
from suites.continuity import goes_on
from suites.kill import BREAKER, PROBE, RETRY
from suites.pairs import run_client
from suites.three_peers import sessions


def run(suite):
    """The four clients that still speak it."""
    clients = [client for client in CLIENTS if client.speaks_legacy_sse]
    recorders = Recorders()
    peers = [LEGACY_SSE.start(suite) for _ in range(3)]
    named = [{"name": f"peer-{number}", "url": peer.ready().url} for number, peer in enumerate(peers)]
    one, three = Proxy(suite, "sse-one", named[:1]), Proxy(suite, "sse-three", named)
    for client in clients:
        run_client(suite, client, [(LEGACY_SSE, peers[0].address, one.address)], recorders)
    for client in clients:
        with suite.check(f"{client.name} over three"):
            sessions(suite, client, LEGACY_SSE, three)
    for proxy in (one, three):
        with suite.check(f"{proxy.process.log.stem} leaves with 0"):
            proxy.stop()
    recorders.close()
    _killed(suite, clients, peers, named)


def _killed(suite, clients, peers, named):
    probe = PROBE | {"probe": "tcp"}
    proxy = Proxy(suite, "sse-killed", named, retry=RETRY, circuit_breaker=BREAKER, health_check=probe)
    for client in clients:
        with suite.check(f"{client.name} goes on while its servers are killed"):
            goes_on(suite, client, LEGACY_SSE, proxy, peers)
    with suite.check("streams have moved"):
        moved = proxy.metrics().get('backstay_mcp_session_migrations_total{group="sse-killed",outcome="moved"}', 0)
        suite.say(f"{moved:.0f} streams went on elsewhere")
        if moved == 0:
            raise Failure("no stream has moved")
    with suite.check("the proxy whose peers were killed leaves with 0"):
        proxy.stop()
