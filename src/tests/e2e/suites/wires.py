"""Every HTTP on either side: curl, and uploads no ordinary client makes, with every kind of peer."""

import hashlib
import json
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from harness.certificate import Certificate
from harness.process import Process, environment, free_port
from harness.proxy import Proxy

BIG = 10 << 20
# Peers by what they are spoken to with, and what they then say of it.
PEERS = {
    "h1": ("http", "http1", "http 1.1"),
    "h2c": ("http", "http2", "http 2"),
    "https-h1": ("https", "http1", "https 1.1"),
    "https-h2": ("https", "auto", "https 2"),
}
# Clients by what curl is told, and the version it then has spoken.
CLIENTS = {
    "h1": ("http", "--http1.1", "1.1"),
    "h2c": ("http", "--http2-prior-knowledge", "2"),
    "https-h1": ("https", "--http1.1", "1.1"),
    "https-h2": ("https", "--http2", "2"),
}


def run(suite):
    """Every client with every peer."""
    certificate = Certificate(suite.work)
    early = _early(suite, certificate)
    server = _server(suite, certificate)
    upload = suite.work / "upload"
    upload.write_bytes(bytes(range(256)) * (BIG // 256))
    proxies = {}
    for peer, (scheme, version, _) in PEERS.items():
        port = server.secure_port if scheme == "https" else server.port
        named = [{"name": "only", "url": f"{scheme}://127.0.0.1:{port}"}]
        tls = {"tls": certificate.believed} if scheme == "https" else {}
        health = {"probe": "http", "path": "/hello"}
        settings = {"http_version": version, "health_check": health, **tls}
        proxies[peer] = Proxy(suite, f"wire-{peer}", named, certificate=certificate, **settings)
    pairs = [Pair(suite, certificate, client, peer, proxies[peer], upload) for client in CLIENTS for peer in PEERS]
    with ThreadPoolExecutor(2) as pool:
        for work in [pool.submit(pair.run) for pair in pairs]:
            work.result()
    _uploads(suite, pairs, early)
    for peer, proxy in proxies.items():
        with suite.check(f"the peers spoken to with {peer} passed their probes"):
            failed = [sample for sample, value in proxy.metrics().items() if value and 'result="failed"' in sample]
            if any("probe" in sample for sample in failed):
                suite.fail(f"{failed}")
        with suite.check(f"the proxy before {peer} leaves with 0"):
            proxy.stop()
    server.kill()
    for proxy in early.values():
        with suite.check(f"{proxy.process.log.stem} leaves with 0"):
            proxy.stop()


def _early(suite, certificate):
    """Proxies before servers of HTTP/2 that answer as soon as they have seen a head."""
    documents = suite.work / "documents"
    documents.mkdir()
    (documents / "refuse").write_text("too much\n")
    proxies = {}
    for peer, version, files in (("h2c", "http2", []), ("https-h2", "auto", [certificate.key, certificate.cert])):
        port = free_port()
        argv = ["nghttpd", "--early-response", "--address=127.0.0.1", f"--htdocs={documents}"]
        argv += [port, *files] if files else ["--no-tls", port]
        Process(argv, suite.work / f"early-{peer}.server.log", port=port).ready()
        scheme, tls = ("https", {"tls": certificate.believed}) if files else ("http", {})
        named = [{"name": "only", "url": f"{scheme}://127.0.0.1:{port}"}]
        settings = {"http_version": version, **tls}
        proxies[peer] = Proxy(suite, f"early-{peer}", named, certificate=certificate, **settings)
    return proxies


def _server(suite, certificate):
    port, secure = free_port(), free_port()
    argv = [suite.installed.python["wire"], suite.source / "python" / "wire_server.py"]
    options = ["--port", port, "--secure-port", secure, "--cert", certificate.cert, "--key", certificate.key]
    server = Process([*argv, *options], suite.work / "server.log", port=port)
    server.secure_port = secure
    return server.ready()


@dataclass
class Pair:
    """One client and one kind of peer."""

    suite: object
    certificate: object
    client: str
    peer: str
    proxy: object
    upload: object

    def run(self):
        """Every request that curl makes."""
        checks = [self.get, self.head, self.post, self.large, self.download, self.continues]
        if self.peer in ("h2c", "https-h2"):
            # The server has trailers over HTTP/2 only.
            checks.append(self.trailers)
        if CLIENTS[self.client][2] == "1.1" and PEERS[self.peer][2].endswith("1.1"):
            # Over HTTP/2 curl 7.88 takes the answer for none when it is reset while sending (RFC 9113 section 8.1), and
            # hypercorn ends the connection when an upload goes on after the answer.
            checks.append(self.refused)
        for check in checks:
            with self.suite.check(f"{self.client} to {self.peer}: {check.__name__}"):
                check()

    def curl(self, path, *options, status=200):
        """What curl prints, after a look at version and status."""
        scheme, version, spoken = CLIENTS[self.client]
        address = self.proxy.secure if scheme == "https" else self.proxy.address
        argv = ["curl", "--silent", "--show-error", "--max-time", "30", "--cacert", self.certificate.authority, version]
        argv += [*options, "--write-out", "\\n%{http_version} %{http_code}", f"{scheme}://{address}{path}"]
        argv = [str(part) for part in argv]
        done = subprocess.run(argv, capture_output=True, env=environment(), stdin=subprocess.DEVNULL)
        text, _, last = done.stdout.rpartition(b"\n")
        if done.returncode or last.decode() != f"{spoken} {status}":
            self.suite.fail(f"{' '.join(argv)}: {done.returncode}, {last}, {done.stderr.decode()[-2000:]}")
        return text, done.stderr.decode(errors="replace")

    def same(self, seen, expected):
        """Fail unless both are the same."""
        if seen != expected:
            self.suite.fail(f"{seen[:200]!r} and not {expected[:200]!r}")

    def get(self):
        """GET, and which HTTP the peer was spoken to with."""
        text, head = self.curl("/hello", "--dump-header", "/dev/stderr")
        self.same(text, b"hello\n")
        if f"x-spoken: {PEERS[self.peer][2]}" not in head.lower().replace("\r", ""):
            self.suite.fail(head)

    def head(self):
        """HEAD: the length of what is not sent."""
        text, _ = self.curl("/hello", "--head")
        if b"content-length: 6" not in text.lower():
            self.suite.fail(text.decode())

    def post(self):
        """A small body there and back."""
        text, _ = self.curl("/echo", "--data-binary", "there and back")
        self.same(text, b"there and back")

    def large(self):
        """10 MiB, with a length and without."""
        body = self.upload.read_bytes()
        expected = f"{BIG} {hashlib.sha256(body).hexdigest()}\n".encode()
        text, _ = self.curl("/digest", "--request", "POST", "--upload-file", self.upload)
        self.same(text, expected)
        text, _ = self.curl("/digest", "--header", "Transfer-Encoding: chunked", "--upload-file", self.upload)
        self.same(text, expected)

    def download(self):
        """10 MiB the other way."""
        text, _ = self.curl("/big")
        if hashlib.sha256(text).digest() != hashlib.sha256(self.upload.read_bytes()).digest():
            self.suite.fail(f"{len(text)} bytes, or others than were sent")

    def refused(self):
        """A final answer in the middle of an upload."""
        text, _ = self.curl("/refuse", "--request", "POST", "--upload-file", self.upload, status=413)
        self.same(text, b"too much\n")

    def continues(self):
        """Expect: 100-continue; HTTP/1.1 clients hear the 100, the others go on without (RFC 9110 section 10.1.1)."""
        expect = ["--verbose", "--header", "Expect: 100-continue", "--expect100-timeout"]
        http1 = CLIENTS[self.client][2] == "1.1"
        text, heard = self.curl("/echo", *expect, 25 if http1 else 0.1, "--data-binary", "expected")
        self.same(text, b"expected")
        if http1 and "HTTP/1.1 100 Continue" not in heard:
            self.suite.fail(heard)

    def trailers(self):
        """Fields after the body."""
        _, heard = self.curl("/trailers", "--dump-header", "/dev/stderr", "--header", "TE: trailers")
        if "x-checksum: 42" not in heard:
            self.suite.fail(heard)


def _uploads(suite, pairs, early):
    """Uploads over which the answer is early: read only when all is sent, or never ended."""
    names, jobs = [], []
    for pair in pairs:
        scheme, _, version = CLIENTS[pair.client]
        for path, whole in (("/digest", True), ("/begins-early", True), ("/refuse", False)):
            proxy = early.get(pair.peer, pair.proxy) if path == "/refuse" else pair.proxy
            address = proxy.secure if scheme == "https" else proxy.address
            names.append((f"{pair.client} to {pair.peer}", path))
            job = {"port": int(address.rpartition(":")[2]), "path": path, "whole": whole}
            job["ca"] = str(pair.certificate.authority) if scheme == "https" else None
            job["alpn"] = "h2" if version == "2" else "http/1.1"
            jobs.append(job)
    file, out = suite.work / "uploads.json", suite.work / "uploads.out"
    file.write_text(json.dumps(jobs))
    client = suite.source / "python" / "wire_client.py"
    Process([suite.installed.python["wire"], client, file, out], suite.work / "uploads.log").wait(120)
    digest = hashlib.sha256(b"u" * BIG).hexdigest()
    what = {
        "/digest": ("an upload is answered to a client that reads nothing before its end", [200, digest[-19:] + "\n"]),
        "/begins-early": ("an answer that begins before goes on after it", [200, str(BIG)]),
        "/refuse": ("a final answer reaches a client whose upload never ends", [None, "too much\n"]),
    }
    for (pair, path), answer in zip(names, json.loads(out.read_text()), strict=True):
        text, (status, end) = what[path]
        with suite.check(f"{pair}: {text}"):
            if answer[0] != (status or (200 if pair.endswith(("h2c", "https-h2")) else 413)) or not answer[2].endswith(end):
                suite.fail(f"{answer}")
