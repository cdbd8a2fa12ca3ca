"""gRPC: every kind of call, the same directly and through the proxy; and servers that are killed."""

import json
import subprocess
import time
from collections import Counter

from harness.certificate import Certificate
from harness.process import Process, free_port
from harness.proxy import Proxy

BREAKER = {"open_for": "300ms", "max_open": "1s", "slow_start": "1s"}
PROBE = {"probe": "grpc", "interval": "500ms", "timeout": "500ms", "fast_interval": "200ms"}
KILLS, THREADS = 6, 8


def run(suite):
    """Pairs of cleartext and TLS, then kills."""
    certificate = Certificate(suite.work)
    _unchanged(suite, certificate)
    _kills(suite)


class _Server:
    def __init__(self, suite, number, certificate=None):
        self.ledger = suite.work / f"ledger-{number}"
        self.ledger.touch()
        self.port, self.secure_port = free_port(), None
        argv = [suite.installed.python["wire"], suite.source / "python" / "grpc_server.py", "--ledger", self.ledger]
        argv += ["--port", self.port]
        if certificate:
            self.secure_port = free_port()
            argv += ["--secure-port", self.secure_port, "--cert", certificate.cert, "--key", certificate.key]
        self.process = Process(argv, suite.work / f"server-{number}.log", port=self.port)


def _client(suite, name, job):
    job = job | {"name": name, "out": str(suite.work / f"{name}.out")}
    file = suite.work / f"{name}.json"
    file.write_text(json.dumps(job))
    argv = [suite.installed.python["wire"], suite.source / "python" / "grpc_client.py", file]
    return Process(argv, suite.work / f"client-{name}.log", stdin=subprocess.PIPE), job["out"]


def _seen(suite, name, job):
    """What a client sees of the script."""
    process, out = _client(suite, name, job)
    process.wait(60)
    with open(out) as file:
        return json.load(file)


def _unchanged(suite, certificate):
    server = _Server(suite, "all", certificate)
    server.process.ready()
    ca = str(certificate.authority)
    direct = _seen(suite, "direct", {"address": f"127.0.0.1:{server.port}", "ca": None})
    names = ["direct"]
    for scheme, port in (("http", server.port), ("https", server.secure_port)):
        tls = {"tls": certificate.believed} if scheme == "https" else {}
        named = [{"name": "only", "url": f"{scheme}://127.0.0.1:{port}"}]
        settings = {"http_version": "http2", "health_check": PROBE, **tls}
        proxy = Proxy(suite, f"grpc-{scheme}", named, certificate=certificate, **settings)
        for client, address in (("h2c", proxy.address), ("tls", proxy.secure)):
            name = f"{client}-to-{scheme}"
            names.append(name)
            with suite.check(f"{name}: every call is as without the proxy"):
                seen = _seen(suite, name, {"address": address, "ca": ca if client == "tls" else None})
                for one, other in zip(direct, seen, strict=True):
                    if one != other:
                        suite.fail(f"directly {one}\nthrough the proxy {other}")
        with suite.check(f"{scheme}: the peer is healthy by its own word"):
            metrics = proxy.metrics()
            passed = sum(value for name, value in metrics.items() if "probes" in name and '"passed"' in name)
            failed = sum(value for name, value in metrics.items() if "probes" in name and '"failed"' in name)
            if failed or not passed:
                suite.fail(f"{passed} probes passed, {failed} failed")
        with suite.check(f"{scheme}: the proxy leaves with 0"):
            proxy.stop()
    with suite.check("the server hears of every deadline and of every client that leaves"):
        kinds = ("deadline", "late deadline", "cancelled", "late cancelled")
        expected = Counter(f"{name} {kind} ended" for name in names for kind in kinds)
        deadline = time.monotonic() + 5
        while (heard := Counter(server.ledger.read_text().splitlines())) != expected and time.monotonic() < deadline:
            time.sleep(0.05)
        if heard != expected:
            suite.fail(f"missing {expected - heard}, too many {heard - expected}")
    server.process.kill()


def _kills(suite):
    servers = [_Server(suite, number) for number in range(3)]
    named = [{"name": f"peer-{n}", "url": each.process.ready().url} for n, each in enumerate(servers)]
    settings = {"http_version": "http2", "circuit_breaker": BREAKER, "health_check": PROBE}
    proxy = Proxy(suite, "grpc-kills", named, **settings)
    job = {"address": proxy.address, "ca": None, "threads": THREADS}
    servers[0].process.kill()
    with suite.check("with one of three servers down from the start every call succeeds"):
        told = _counted(suite, "down", job, lambda: time.sleep(2))
        if any(code != "OK" for _, code, _ in told) or len(told) < 100:
            suite.fail(f"{Counter(code for _, code, _ in told)}: {[each for each in told if each[1] != 'OK'][:5]}")
    servers[0].process.start().ready()

    def kills():
        for kill in range(KILLS):
            process = servers[kill % 3].process
            process.kill()
            time.sleep(0.2)
            process.start().ready()
            proxy.whole(3)

    for server in servers:
        server.ledger.write_text("")
    told = _counted(suite, "kills", job, kills)
    executed = Counter(line for each in servers for line in each.ledger.read_text().splitlines())
    codes = Counter(code for _, code, _ in told)
    suite.say(f"{KILLS} kills, {len(told)} calls by how they ended: {dict(codes)}")
    with suite.check("no call runs twice, and each that succeeded has run"):
        wrong = [each for each in told if executed[each[0]] not in ({1} if each[1] == "OK" else {0, 1})]
        if wrong or len(told) < KILLS * THREADS:
            suite.fail(f"of {len(told)} calls: {wrong[:5]}")
    with suite.check("calls that may have run are unavailable, and nothing else goes wrong"):
        if set(codes) - {"OK", "UNAVAILABLE"} or codes["UNAVAILABLE"] > KILLS * THREADS:
            suite.fail(f"{dict(codes)}: {[each for each in told if each[1] != 'OK'][:5]}")
    with suite.check("the proxy over killed servers leaves with 0"):
        proxy.stop()
    for server in servers:
        server.process.kill()


def _counted(suite, name, job, meanwhile):
    """What every call was told that ran meanwhile."""
    process, out = _client(suite, name, job)
    time.sleep(1)
    meanwhile()
    process.child.stdin.write(b"stop\n")
    process.child.stdin.flush()
    process.wait(30)
    with open(out) as file:
        return json.load(file)
