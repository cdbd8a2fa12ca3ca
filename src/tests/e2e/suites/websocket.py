"""WebSocket through the proxy with a server and a client of others: everything a socket can do, and servers that die."""

import json
import subprocess
from collections import Counter

from harness.certificate import Certificate
from harness.process import Failure, Process, environment, free_port
from harness.proxy import Proxy

# Scenarios of the client.
PLAYED = 12
# And with a server whose sockets are streams of HTTP/2.
PLAYED_OF_STREAMS = 8
# Sockets that are held while a server dies.
HELD = 24


def run(suite):
    """All scenarios with and without TLS on each side, compression, and HTTP/2; then three servers, one of them killed."""
    certificate = Certificate(suite.work)
    for peer in ("http", "https"):
        for deflate in (False, True):
            _pair(suite, certificate, peer, deflate)
        _streams(suite, certificate, peer)
    with suite.check("a killed server takes its own sockets only"):
        _killed(suite)


def _server(suite, name, *options):
    port = free_port()
    python = suite.installed.python["wire"]
    argv = [python, suite.source / "python" / "websocket_server.py", port, "--name", name, *options]
    return Process(argv, suite.work / f"{name}.log", port=port)


def _client(suite, *options):
    client = suite.source / "python" / "websocket_client.py"
    return [str(part) for part in (suite.installed.python["wire"], client, *options)]


def _pair(suite, certificate, scheme, deflate):
    """A server and a proxy; clients come to it in the clear and over TLS."""
    name = f"websocket-{scheme}{'-deflate' if deflate else ''}"
    options = ["--deflate"] if deflate else []
    files = ["--cert", certificate.cert, "--key", certificate.key] if scheme == "https" else []
    server = _server(suite, f"server-{name}", *options, *files).ready()
    group = {"tls": certificate.believed} if scheme == "https" else {}
    peer = {"name": "peer", "url": f"{scheme}://127.0.0.1:{server.port}"}
    proxy = Proxy(suite, name, [peer], certificate=certificate, **group)
    _scenarios(suite, f"ws to {name}", _client(suite, f"ws://{proxy.address}", *options))
    _scenarios(suite, f"wss to {name}", _client(suite, f"wss://{proxy.secure}", "--ca", certificate.authority, *options))
    with suite.check(f"{name}: nothing is left"):
        _gone(proxy, name)
    with suite.check(f"{name}: the proxy leaves with 0"):
        proxy.stop()
    server.kill()


def _streams(suite, certificate, scheme):
    """A server whose sockets are streams of HTTP/2."""
    name, port = f"websocket-{scheme}-streams", free_port()
    argv = [suite.installed.python["wire"], suite.source / "python" / "websocket_streams.py", "--port", port, "--http2"]
    argv += ["--cert", certificate.cert, "--key", certificate.key] if scheme == "https" else []
    server = Process(argv, suite.work / f"server-{name}.log", port=port).ready()
    group = {"tls": certificate.believed} if scheme == "https" else {}
    peer = {"name": "peer", "url": f"{scheme}://127.0.0.1:{server.port}"}
    proxy = Proxy(suite, name, [peer], certificate=certificate, http_version="http2", **group)
    secure = ["--ca", certificate.authority, "--streams"]
    _scenarios(suite, f"ws to {name}", _client(suite, f"ws://{proxy.address}", "--streams"), PLAYED_OF_STREAMS)
    _scenarios(suite, f"wss to {name}", _client(suite, f"wss://{proxy.secure}", *secure), PLAYED_OF_STREAMS)
    with suite.check(f"{name}: nothing is left"):
        _gone(proxy, name)
    with suite.check(f"{name}: the proxy leaves with 0"):
        proxy.stop()
    server.kill()


def _scenarios(suite, name, argv, played=PLAYED):
    done = subprocess.run(argv, capture_output=True, text=True, env=environment(), timeout=900)
    results = [json.loads(line) for line in done.stdout.splitlines()]
    for result in results:
        with suite.check(f"{name}: {result['scenario']}"):
            if result["error"]:
                raise Failure(result["error"])
    with suite.check(f"{name}: all were played"):
        if done.returncode or len(results) != played:
            raise Failure(f"{len(results)} results, {done.returncode}: {done.stderr}")


def _gone(proxy, group):
    """No tunnel is open any more, and none was cut."""
    label = f'group="{group}"'
    for _ in range(200):
        samples = proxy.metrics()
        if samples[f"backstay_tunnels_active{{{label}}}"] == 0:
            break
    else:
        raise Failure(f"{samples[f'backstay_tunnels_active{{{label}}}']} tunnels are open")
    ends = {end: samples[f'backstay_tunnels_total{{{label},end="{end}"}}'] for end in ("drained", "idle", "lost")}
    if any(ends.values()):
        raise Failure(f"tunnels were closed: {ends}")


def _killed(suite):
    servers = {f"ws-{number}": _server(suite, f"ws-{number}") for number in range(3)}
    peers = [{"name": name, "url": server.ready().url} for name, server in servers.items()]
    proxy = Proxy(suite, "websocket-kill", peers, strategy="least_connections")
    argv = _client(suite, f"ws://{proxy.address}", "--hold", str(HELD))
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "env": environment()}
    with subprocess.Popen(argv, **pipes) as client:
        try:
            _one_dies(suite, client, servers)
        finally:
            client.stdin.close()
            client.wait(30)
    proxy.stop()
    for server in servers.values():
        server.kill()


def _one_dies(suite, client, servers):
    def said():
        line = client.stdout.readline()
        if not line:
            raise Failure("the client has ended")
        return json.loads(line)

    def ask(new):
        client.stdin.write(f"{new}\n")
        client.stdin.flush()
        return said()

    held = Counter(said())
    suite.say(f"held: {dict(held)}")
    if set(held.values()) != {HELD // 3}:
        raise Failure(f"least connections spread them so: {held}")
    dead = "ws-1"
    servers[dead].kill()
    after = ask(30)
    alive, new = Counter(after["alive"]), Counter(after["new"])
    suite.say(f"after the kill: {dict(alive)} answer, new ones are served by {dict(new)}")
    if alive != Counter({name: count for name, count in held.items() if name != dead}):
        raise Failure(f"of {held} there answer {alive}")
    if new.total() != 30 or dead in new:
        raise Failure(f"new sockets: {new}")
    servers[dead].start().ready()
    # By probes, at their pace.
    for _ in range(200):
        if dead in ask(3)["new"]:
            break
    else:
        raise Failure("the server that came back gets nothing")
