"""The main job over every transport: TLS and HTTP/2 on either side of the proxy, spoken by SDKs and servers themselves.

Pairwise: over all parts every front meets every kind of peer, every client every front that it can speak, and every server
every way that it can be served. Not spoken by their own libraries: HTTP/2 by servers of TypeScript 1.x (Express), TLS by
server-everything.
"""

import json
import ssl
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from harness import compare
from harness.catalogue import CLIENTS, LEGACY_SSE, server
from harness.certificate import Certificate
from harness.load import Load
from harness.pages import Pages
from harness.pool import Pool
from harness.proxy import Proxy
from harness.recorder import Recorders
from harness.way import H1, H2C, HTTPS_H1, HTTPS_H2, WAYS
from suites import wire
from suites.continuity import goes_on
from suites.kill import BREAKER, PROBE, RETRY, none_fails
from suites.never_twice import CONNECTIONS, counts_truly
from suites.pairs import run_jobs
from suites.three_peers import sessions

SERVERS = ("python-v1", "python-v2", "typescript-v1", "typescript-v2", "rmcp")
READERS, KILLS, CALLS = 32, 4, 20


def run(suite):
    """One peer, three peers, HTTP+SSE, sessions that outlive servers, and peers that are killed under load."""
    certificate = Certificate(suite.work)
    _unchanged(suite, certificate)
    _three_peers(suite, certificate)
    _legacy_sse(suite, certificate)
    _continuity(suite, certificate)
    _kills(suite, certificate)
    _never_twice(suite, certificate)


def _client(name):
    return next(client for client in CLIENTS if client.name == name)


def _shifted(by):
    """Each front with another kind of peer; four shifts are all pairs."""
    return [(front, WAYS[(number + by) % len(WAYS)]) for number, front in enumerate(WAYS)]


def _proxy(suite, name, peers, back, certificate, **settings):
    return Proxy(suite, name, peers, certificate=certificate, **back.group(certificate), **settings)


def _stopped(suite, proxy):
    with suite.check(f"{proxy.process.log.stem} leaves with 0"):
        proxy.stop()


def _unchanged(suite, certificate):
    """The scenario through the proxy is the scenario without it: each client by each front, each server by each way."""
    recorders, pages = Recorders(), Pages()
    kinds = [server(name) for name in SERVERS]
    plain = {kind: kind.start(suite) for kind in kinds}
    served = [(kind, way) for kind in kinds for way in WAYS if way in kind.ways - {H1}]
    peers = {(kind, way): kind.start(suite, **way.served(certificate)) for kind, way in served}
    for process in (*plain.values(), *peers.values()):
        process.ready()

    def one(number, client):
        met = [each for each in served if client.meets(each[0])]
        rows = [(front, *met[(3 * number + turn) % len(met)]) for turn, front in enumerate(WAYS[1:])]
        _compared(suite, certificate, client, rows, plain, peers, recorders, pages)

    with ThreadPoolExecutor(2) as pool:
        works = [pool.submit(one, number, client) for number, client in enumerate(CLIENTS)]
        works.append(pool.submit(_by_hand, suite, certificate, plain, peers))
        for work in works:
            work.result()
    recorders.close()
    pages.close()
    for process in (*plain.values(), *peers.values()):
        process.kill()


def _compared(suite, certificate, client, rows, plain, peers, recorders, pages):
    """One client by the rows: fronts, servers, and how these are served."""

    def job(kind, name, told):
        has = kind.has if client.era == "legacy" else kind.has | {"changes"} - {"resumption"}
        return told | {
            "transport": "http",
            "era": client.era,
            "scenario": str(suite.source / "scenarios" / f"{kind.scenario}.json"),
            "has": sorted(has),
            "timeout": 20,
            "out": str(suite.work / f"transcript-{client.name}-{name}.jsonl"),
        }

    jobs, proxies = {}, {}
    for kind in {kind for _, kind, _ in rows}:
        recorder = recorders.record(plain[kind].address)
        told = {"url": f"http://127.0.0.1:{recorder.port}{kind.path}", "recorder": recorders.page(recorder)}
        jobs[kind] = job(kind, f"direct-{kind.name}", told)
    for front, kind, back in rows:
        name = f"{client.name}-{front.name}-{back.name}-{kind.name}"
        log = suite.work / f"{name}.access"
        proxy = _proxy(suite, name, [back.peer("only", peers[kind, back])], back, certificate, access_log=log)
        told = front.job(proxy, kind.path, certificate) | {"recorder": pages.page(proxy)}
        jobs[name], proxies[name] = job(kind, name, told), (proxy, log)
    run_jobs(suite, client, list(jobs.values()), client.name, certificate.environment)
    for front, kind, back in rows:
        name = f"{client.name}-{front.name}-{back.name}-{kind.name}"
        with suite.check(f"{client.name} by {front.name} with {kind.name} by {back.name}"):
            direct, proxied = (compare.transcript(jobs[each]["out"]) for each in (kind, name))
            if '"clean"' not in direct[-1]:
                suite.fail(f"the client fails without the proxy: {direct[-1]}")
            suite.equal(compare.difference(direct, proxied))
        proxy, log = proxies[name]
        _stopped(suite, proxy)
        with suite.check(f"{client.name} speaks {front.name}"):
            lines = map(json.loads, log.read_text().splitlines())
            spoken = {line["http.version"] for line in lines if line["url.path"] == kind.path}
            if spoken != {"2" if front.http2 else "1.1"}:
                suite.fail(f"it has spoken {spoken}")


def _by_hand(suite, certificate, plain, peers):
    """The wire by hand, which speaks HTTP/1.1; streams are cut and resumed over HTTP/2 by the SDKs."""
    tls = ssl.create_default_context(cafile=certificate.authority)

    def session(kind, address, tls=None):
        # The Python SDK drops an event that comes between what it replays and the stream that it then opens (its
        # `_replay_events` says so), the more likely the slower that is: a stream is resumed when all is stored. rmcp
        # by then has no such stream: it ends an empty one, and the proxy says that the answer is lost (rule 13).
        late = kind.name != "rmcp"
        return wire.session(address, replace(kind, resumes_only_what_is_stored=True) if late else kind, tls)

    direct = {kind: session(kind, process.address) for kind, process in plain.items()}
    for number, (kind, back) in enumerate(peers):
        front = (H1, HTTPS_H1)[number % 2]
        name = f"wire-{front.name}-{back.name}-{kind.name}"
        proxy = _proxy(suite, name, [back.peer("only", peers[kind, back])], back, certificate)
        with suite.check(name):
            proxied = session(kind, front.address(proxy), tls if front.tls else None)
            suite.equal(compare.difference(direct[kind], proxied))
        _stopped(suite, proxy)


def _three_peers(suite, certificate):
    """Sessions side by side over three peers, each front with its like."""
    kind = server("rmcp")
    clients = {H2C: ("rmcp-modern", "python-v1"), HTTPS_H1: ("typescript-v1", "python-v2-auto")}
    clients |= {HTTPS_H2: ("python-v1", "typescript-v2")}
    for way, names in clients.items():
        processes = [kind.start(suite, **way.served(certificate)) for _ in range(3)]
        peers = [way.peer(f"peer-{number}", each.ready()) for number, each in enumerate(processes)]
        proxy = _proxy(suite, f"three-{way.name}", peers, way, certificate)
        for name in names:
            with suite.check(f"{name} by {way.name} over three peers"):
                sessions(suite, _client(name), kind, proxy, way, certificate, CALLS)
        _stopped(suite, proxy)
        for process in processes:
            process.kill()


def _legacy_sse(suite, certificate):
    """The transport of 2024."""
    rows = [("python-v1", HTTPS_H2, HTTPS_H2), ("python-v2", H2C, HTTPS_H1)]
    rows += [("typescript-v1", HTTPS_H1, H2C), ("typescript-v2", HTTPS_H2, H1)]
    for name, front, back in rows:
        processes = [LEGACY_SSE.start(suite, **back.served(certificate)) for _ in range(3)]
        peers = [back.peer(f"peer-{number}", each.ready()) for number, each in enumerate(processes)]
        proxy = _proxy(suite, f"sse-{front.name}-{back.name}", peers, back, certificate)
        with suite.check(f"{name} by {front.name} over three peers of HTTP+SSE by {back.name}"):
            sessions(suite, _client(name), LEGACY_SSE, proxy, front, certificate, CALLS)
        _stopped(suite, proxy)
        for process in processes:
            process.kill()


def _continuity(suite, certificate):
    """Sessions go on while their servers are killed in turn."""
    rows = [("python-v1", HTTPS_H2, "python-v1", HTTPS_H2), ("rmcp", H2C, "rmcp", H2C)]
    rows += [("typescript-v1", HTTPS_H1, "python-v2-json", H2C), ("python-v2", HTTPS_H2, "typescript-v1", HTTPS_H1)]

    def one(name, front, kind, back):
        kind = server(kind)
        servers = [kind.start(suite, **back.served(certificate)) for _ in range(3)]
        peers = [back.peer(f"peer-{number}", each.ready()) for number, each in enumerate(servers)]
        settings = {"retry": RETRY, "circuit_breaker": BREAKER, "health_check": PROBE}
        proxy = _proxy(suite, f"continuity-{front.name}-{kind.name}", peers, back, certificate, **settings)
        with suite.check(f"{name} by {front.name} on {kind.name} by {back.name} goes on while its servers are killed"):
            goes_on(suite, _client(name), kind, proxy, servers, front, certificate)
        _stopped(suite, proxy)
        for each in servers:
            each.kill()

    with ThreadPoolExecutor(2) as pool:
        for work in [pool.submit(one, *row) for row in rows]:
            work.result()


def _kills(suite, certificate):
    """No repeatable request fails while peers are killed."""
    for front, back in _shifted(1):
        name = f"kills-{front.name}-{back.name}"
        pool = Pool(suite, back, certificate, name)
        settings = {"retry": RETRY, "circuit_breaker": BREAKER, "health_check": PROBE}
        proxy = _proxy(suite, name, pool.peers, back, certificate, **settings)
        load = Load(suite, proxy, "reads", READERS, name, way=front, certificate=certificate)
        none_fails(suite, pool, proxy, load, KILLS, READERS)
        pool.stop()


def _never_twice(suite, certificate):
    """No call is executed twice, and what is said of each is true."""
    for kind, by in (("counts", 3), ("session-counts", 2)):
        for front, back in _shifted(by):
            name = f"{kind}-{front.name}-{back.name}"
            pool, log = Pool(suite, back, certificate, name), suite.work / f"calls-{name}"
            proxy = _proxy(suite, name, pool.peers, back, certificate, circuit_breaker=BREAKER, health_check=PROBE)
            load = Load(suite, proxy, kind, CONNECTIONS, name, log, front, certificate)
            counts_truly(suite, pool, proxy, load, log, KILLS)
            pool.stop()
