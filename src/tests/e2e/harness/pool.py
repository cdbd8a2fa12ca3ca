"""Three rmcp servers that are killed, frozen and started again."""

import contextlib
import time
import urllib.request
from dataclasses import replace

from harness.catalogue import server
from harness.process import Failure


class Pool:
    """Three servers; a server that starts again begins to count from nothing."""

    def __init__(self, suite):
        self.ledgers = [suite.work / f"ledger-{number}" for number in range(3)]
        for ledger in self.ledgers:
            ledger.touch()
        # Head and body in one write: an answer as events has its head out long before its result, and a kill between
        # the two cuts it.
        kind = replace(server("rmcp"), transport="json-answers")
        self.servers = [kind.start(suite, ledger) for ledger in self.ledgers]
        self.peers = []
        for number, each in enumerate(self.servers):
            self.peers.append({"name": f"peer-{number}", "url": each.ready().url})

    def served(self, number):
        """How many requests it has seen since it started."""
        with contextlib.suppress(OSError):
            return int(urllib.request.urlopen(f"{self.servers[number].url}served", timeout=5).read())
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
