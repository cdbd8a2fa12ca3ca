"""HTTP/2 on both sides under load, while peers are killed, frozen, started again, or say goodbye."""

import re
import signal
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from harness.certificate import Certificate
from harness.process import Process, free_port
from harness.proxy import Proxy

RETRY = {"per_try": "1s"}
BREAKER = {"open_for": "300ms", "max_open": "1s", "slow_start": "1s"}
SECONDS = 14
CLIENTS, STREAMS = 4, 32
PROBE = {"probe": "http", "path": "/blob", "interval": "500ms", "timeout": "500ms", "fast_interval": "200ms"}


def run(suite):
    """Cleartext and TLS under kills and freezes; goodbyes; what must not run twice."""
    certificate = Certificate(suite.work)
    documents = suite.work / "documents"
    documents.mkdir()
    (documents / "blob").write_bytes(b"b" * 1024)
    with ThreadPoolExecutor(2) as pool:
        ways = (("h2c", None), ("https", certificate))
        for work in [pool.submit(_under_fire, suite, scheme, documents, tls) for scheme, tls in ways]:
            work.result()
    _goodbyes(suite, documents)
    _never_twice(suite)


def _nghttpd(suite, name, documents, certificate):
    port = free_port()
    argv = ["nghttpd", "--address=127.0.0.1", f"--htdocs={documents}"]
    argv += [port, certificate.key, certificate.cert] if certificate else ["--no-tls", port]
    return Process(argv, suite.work / f"nghttpd-{name}.log", port=port).ready()


def _proxy(suite, name, peers, certificate=None, **settings):
    scheme, tls = ("https", {"tls": certificate.believed}) if certificate else ("http", {})
    named = [{"name": f"peer-{n}", "url": f"{scheme}://{peer.address}"} for n, peer in enumerate(peers)]
    # h2load does not come back once a connection has ended.
    limits = {"requests_per_connection": 0}
    settings = {"http_version": "http2", "circuit_breaker": BREAKER, "limits": limits, **tls, **settings}
    return Proxy(suite, name, named, certificate=certificate, **settings)


class _Load:
    """h2load, on its own thread."""

    def __init__(self, suite, name, *options):
        self.log = suite.work / f"h2load-{name}.log"
        self.process = Process(["h2load", "--threads=1", *options], self.log)

    def counts(self):
        """What it counted in all; waits for its end."""
        self.process.wait(60)
        text = self.log.read_text()
        words = re.search(r"requests: (.*)", text)[1] + ", " + re.search(r"status codes: (.*)", text)[1]
        return {word: int(number) for number, word in re.findall(r"(\d+) (\w+)", words)}


def _under_fire(suite, scheme, documents, certificate):
    peers = [_nghttpd(suite, f"{scheme}-{number}", documents, certificate) for number in range(3)]
    proxy = _proxy(suite, f"fire-{scheme}", peers, certificate, retry=RETRY, health_check=PROBE)
    url = f"https://{proxy.secure}/blob" if certificate else f"http://{proxy.address}/blob"
    load = _Load(suite, scheme, f"--clients={CLIENTS}", f"--max-concurrent-streams={STREAMS}", f"--duration={SECONDS}", url)
    began, kills = time.monotonic(), 0
    time.sleep(0.5)
    with suite.check(f"{scheme}: a peer that was killed or frozen serves again by itself"):
        while time.monotonic() < began + SECONDS / 2:
            peer = peers[kills % 3]
            peer.kill()
            time.sleep(0.2)
            peer.start().ready()
            proxy.whole(3)
            kills += 1
        peers[1].signal(signal.SIGSTOP)
        time.sleep(1.5)
        peers[1].signal(signal.SIGCONT)
        proxy.whole(3)
    counts = load.counts()
    cut = sum(value for name, value in proxy.metrics().items() if "failures" in name and '"cut"' in name)
    suite.say(f"{scheme}: {kills} kills and a freeze, {counts}, {cut:.0f} answers cut after their head")
    with suite.check(f"{scheme}: no request fails before its answer has begun"):
        # Of h2load: those without an answer, or with one of 4xx or 5xx.
        if counts["failed"] > cut or counts["succeeded"] < 2000 or kills < 2:
            suite.fail(f"{counts}, of which {cut:.0f} were cut")
    with suite.check(f"{scheme}: kills cut few answers"):
        # nghttpd sends the heads of all answers that it has before their bodies: seldom a kill comes between.
        if cut > CLIENTS * STREAMS:
            suite.fail(f"{cut:.0f} answers were cut by {kills} kills")
    with suite.check(f"{scheme}: the proxy leaves with 0"):
        proxy.stop()
    for peer in peers:
        peer.kill()


NGINX = """
daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log; worker_processes 1;
events {{ worker_connections 1024; }}
http {{
  access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{ listen 127.0.0.1:{port} http2; root {documents}; keepalive_requests 40; }}
}}
"""


def _goodbyes(suite, documents):
    """nginx ends each connection after forty requests, with GOAWAY."""
    peers = []
    for number in range(2):
        folder, port = suite.work / f"nginx-{number}", free_port()
        folder.mkdir()
        (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=port, documents=documents))
        argv = ["nginx", "-p", folder, "-c", folder / "nginx.conf"]
        peers.append(Process(argv, suite.work / f"nginx-{number}.log", port=port).ready())
    proxy = _proxy(suite, "goodbyes", peers, health_check=PROBE)
    options = ["--clients=4", "--max-concurrent-streams=16", "--requests=6000"]
    load = _Load(suite, "goodbyes", *options, f"http://{proxy.address}/blob")
    counts = load.counts()
    opened = sum(value for name, value in proxy.metrics().items() if "connections_opened" in name and '"request"' in name)
    suite.say(f"goodbyes: {counts}, {opened:.0f} connections")
    with suite.check("no request fails over goodbyes"):
        if counts["succeeded"] != 6000 or opened < 6000 / 40:
            suite.fail(f"{counts} over {opened:.0f} connections")
    with suite.check("goodbyes: the proxy leaves with 0"):
        proxy.stop()
    for peer in peers:
        peer.kill()


def _never_twice(suite):
    """Posts that note themselves, while their peers are killed and frozen."""
    certificate = Certificate(suite.work)
    peers = []
    for number in range(3):
        port, ledger = free_port(), suite.work / f"posts-{number}"
        ledger.touch()
        argv = [suite.installed.python["wire"], suite.source / "python" / "wire_server.py"]
        argv += ["--port", port, "--secure-port", free_port(), "--cert", certificate.cert, "--key", certificate.key]
        argv += ["--ledger", ledger]
        peers.append(Process(argv, suite.work / f"posts-{number}.log", port=port))
        peers[-1].ledger = ledger
    for peer in peers:
        peer.ready()
    proxy = _proxy(suite, "posts", peers, retry=RETRY, health_check=PROBE | {"path": "/hello"})
    targets, body = suite.work / "targets", suite.work / "post"
    targets.write_text("".join(f"http://{proxy.address}/count?{number}\n" for number in range(3000)))
    body.write_text("once")
    options = ["--requests=3000", "--clients=1", "--max-concurrent-streams=16"]
    load = _Load(suite, "posts", f"--input-file={targets}", f"--data={body}", *options)
    time.sleep(0.5)
    kills = 0
    while load.process.child.poll() is None and kills < 20:
        peer = peers[kills % 3]
        if kills % 3 == 2:
            peer.signal(signal.SIGSTOP)
            time.sleep(0.5)
            peer.signal(signal.SIGCONT)
        else:
            peer.kill()
            time.sleep(0.2)
            peer.start().ready()
        time.sleep(0.4)
        kills += 1
    counts = load.counts()
    executed = Counter(line for peer in peers for line in peer.ledger.read_text().splitlines())
    suite.say(f"posts: {kills} kills and freezes, {counts}, {len(executed)} executed")
    with suite.check("no post runs twice"):
        twice = [post for post, times in executed.items() if times > 1]
        if twice or kills < 3 or len(executed) < counts["2xx"]:
            suite.fail(f"{twice[:5]} of {len(executed)} after {kills} kills, {counts}")
    with suite.check("posts: the proxy leaves with 0"):
        proxy.stop()
    for peer in peers:
        peer.kill()
