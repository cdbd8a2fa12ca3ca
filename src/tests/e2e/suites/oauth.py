"""Servers that let in only who was let in by OAuth: the client of an SDK finds its way in through the proxy, alone.

Each server is its own authorization server and keeps clients and codes in its memory, so every step of a client has to
come to the same server, though its browser has another address; and it takes itself for another address than the
proxy's, which clients refuse unless its document says otherwise (RFC 9728 section 3.3).
"""

import json
import threading
import urllib.request

from harness.process import Failure, Process, free_port
from harness.proxy import Proxy

CLIENTS = 6


def run(suite):
    """Several clients at once, before two servers and after the loss of one."""
    ports = [free_port(), free_port()]
    peers = [{"name": f"peer-{port}", "url": f"http://127.0.0.1:{port}/"} for port in ports]
    proxy = Proxy(suite, "oauth", peers, strategy="round_robin", health_check={"probe": "mcp", "interval": "1s"})
    servers = [_server(suite, port, proxy.url) for port in ports]
    for server in servers:
        server.ready()
    proxy.whole(2)
    with suite.check("the document names the address that was asked for"):
        with urllib.request.urlopen(f"{proxy.url}/.well-known/oauth-protected-resource/mcp", timeout=10) as response:
            resource = json.load(response)["resource"]
        if resource != f"{proxy.url}/mcp":
            raise Failure(resource)
    homes = set()
    with suite.check(f"{CLIENTS} clients get in, call, and refresh their tokens in mid-session"):
        for told in _clients(suite, proxy, range(CLIENTS)):
            homes.update(told["said"])
            if len(set(told["said"])) != 1 or told["tokens"] < 3:
                raise Failure(str(told))
    with suite.check("both servers have served"):
        if len(homes) != 2:
            raise Failure(str(homes))
    with suite.check("after the loss of a server clients get in at the other"):
        servers[0].kill()
        for told in _clients(suite, proxy, range(CLIENTS, CLIENTS + 2)):
            if set(told["said"]) != {str(ports[1])}:
                raise Failure(str(told))
    with suite.check("the proxy leaves with 0"):
        proxy.stop()
    servers[1].kill()


def _server(suite, port, issuer):
    program = [suite.installed.python["v1"], suite.source / "python" / "oauth_server.py"]
    return Process([*program, "--port", port, "--issuer", issuer], suite.work / f"server-{port}.log", port=port)


def _clients(suite, proxy, numbers):
    """Run them at once; what each of them told."""
    told = {}

    def one(number):
        program = [suite.installed.python["v1"], suite.source / "python" / "oauth_client.py"]
        log = suite.work / f"client-{number}.log"
        argv = [*program, "--url", f"{proxy.url}/mcp", "--browser", f"127.0.0.{number + 2}"]
        with log.with_suffix(".json").open("wb") as out:
            code = Process(argv, log, stdout=out).wait(60)
        text = log.with_suffix(".json").read_text()
        told[number] = json.loads(text) if code == 0 else log.read_text(errors="replace")[-2000:]

    threads = [threading.Thread(target=one, args=(number,)) for number in numbers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number in numbers:
        if not isinstance(told.get(number), dict):
            raise Failure(f"client {number}: {told.get(number)}")
    return list(told.values())
