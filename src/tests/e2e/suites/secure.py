"""MCP over HTTPS: real clients by HTTP/1.1 and HTTP/2, real servers in cleartext and over TLS."""

from harness import compare
from harness.catalogue import CLIENTS, LEGACY_SSE, server
from harness.certificate import Certificate
from harness.proxy import Proxy
from suites.pairs import run_jobs
from suites.three_peers import sessions

# What each client is told besides where to go: httpx speaks HTTP/2 when asked to.
WAYS = [("python-v1", {}), ("python-v1", {"http2": True}), ("python-v2", {}), ("typescript-v1", {}), ("typescript-v2", {})]


def run(suite):
    """One peer over TLS, three peers in cleartext, and the transport of 2024."""
    certificate = Certificate(suite.work)
    clients = [(next(client for client in CLIENTS if client.name == name), more) for name, more in WAYS]
    _one_peer(suite, certificate, clients)
    _three_peers(suite, certificate, clients)
    _legacy_sse(suite, certificate, clients)


def _one_peer(suite, certificate, clients):
    kind = server("python-v1")
    peer = kind.start(suite, certificate=certificate).ready()
    named = [{"name": "only", "url": f"https://{peer.address}/"}]
    proxy = Proxy(suite, "secure-one", named, certificate=certificate, tls=certificate.believed)
    for client, more in clients:
        name = "-".join([client.name, *more])
        jobs = []
        for way, address in (("direct", peer.address), ("proxied", proxy.secure)):
            job = {
                "url": f"https://{address}{kind.path}",
                "transport": "http",
                "era": client.era,
                "scenario": str(suite.source / "scenarios" / f"{kind.scenario}.json"),
                # Whether the stream for changes is open only a recorder knows, which sees no TLS.
                "has": sorted(kind.has - {"changes"}),
                "timeout": 20,
                "out": str(suite.work / f"transcript-{name}-{way}.jsonl"),
            }
            # uvicorn speaks HTTP/1.1 only.
            jobs.append(job if way == "direct" else job | more)
        run_jobs(suite, client, jobs, f"{name}-one", certificate.environment)
        with suite.check(f"{name} with one peer over TLS"):
            direct, proxied = (compare.transcript(job["out"]) for job in jobs)
            if '"clean"' not in direct[-1]:
                suite.fail(f"the client fails without the proxy: {direct[-1]}")
            suite.equal(compare.difference(direct, proxied))
    with suite.check("the proxy of one peer leaves with 0"):
        proxy.stop()
    peer.kill()


def _three_peers(suite, certificate, clients):
    kind = server("rmcp")
    peers = [kind.start(suite) for _ in range(3)]
    named = [{"name": f"peer-{number}", "url": peer.ready().url} for number, peer in enumerate(peers)]
    proxy = Proxy(suite, "secure-three", named, certificate=certificate)
    for client, more in clients:
        with suite.check(f"{client.name} {more} over three peers"):
            sessions(suite, client, kind, proxy, certificate.environment, **more)
    with suite.check("the proxy over three peers leaves with 0"):
        proxy.stop()
    for peer in peers:
        peer.kill()


def _legacy_sse(suite, certificate, clients):
    peers = [LEGACY_SSE.start(suite) for _ in range(3)]
    named = [{"name": f"peer-{number}", "url": peer.ready().url} for number, peer in enumerate(peers)]
    proxy = Proxy(suite, "secure-sse", named, certificate=certificate)
    for client, _ in [each for each in clients if each[0].name in ("python-v1", "typescript-v1") and not each[1]]:
        with suite.check(f"{client.name} over three peers with HTTP+SSE"):
            sessions(suite, client, LEGACY_SSE, proxy, certificate.environment)
    with suite.check("the proxy over HTTP+SSE leaves with 0"):
        proxy.stop()
    for peer in peers:
        peer.kill()
