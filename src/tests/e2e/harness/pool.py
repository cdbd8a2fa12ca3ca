"""Three rmcp servers that are killed, frozen and started again."""

import contextlib
import ssl
import time
import urllib.request
from dataclasses import replace

from harness.catalogue import server
from harness.process import Failure
from harness.way import H1


class Pool:
    """Three servers; a server that starts again begins to count from nothing."""

    def __init__(self, suite, way=H1, certificate=None, name="pool"):
        self._scheme = way.scheme
        self._tls = ssl.create_default_context(cafile=certificate.authority) if way.tls else None
        self.ledgers = [suite.work / f"ledger-{name}-{number}" for number in range(3)]
        for ledger in self.ledgers:
            ledger.touch()
        # Head and body in one write: an answer as events has its head out long before its result, and a kill between
        # the two cuts it.
        kind = replace(server("rmcp"), transport="json-answers")
        self.servers = [kind.start(suite, ledger, **way.served(certificate)) for ledger in self.ledgers]
        self.peers = [way.peer(f"peer-{number}", each.ready()) for number, each in enumerate(self.servers)]

    def served(self, number):
        """How many requests it has seen since it started."""
        with contextlib.suppress(OSError):
            url = f"{self._scheme}://{self.servers[number].address}/served"
            return int(urllib.request.urlopen(url, timeout=5, context=self._tls).read())
        return 0

    def restart(self, number):
        """Start it again on its port."""
        self.servers[number].start().ready()

    def back(self, number, least=100, seconds=20):
        """Wait until it gets traffic again: more than probes make."""
        before, deadline = self.served(number), time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.served(number) >= before + least:
                return
            time.sleep(0.02)
        raise Failure(f"peer-{number} served {self.served(number) - before} requests in {seconds} s after it came back")

    def stop(self):
        """End all."""
        for each in self.servers:
            each.kill()
