"""The load program: many connections, as fast as the answers come."""

import json
import queue
import subprocess
import threading

from harness.process import Failure, Process
from harness.way import H1


class Load:
    """A running load; `counts` reads it while it runs, `stop` ends it."""

    def __init__(self, suite, proxy, kind, connections, name, log=None, way=H1, certificate=None):
        argv = [suite.installed.rmcp / "load", way.address(proxy), connections, kind]
        argv += ["--http2"] if way.http2 else []
        argv += ["--ca", certificate.authority] if way.tls else []
        argv += [log] if log else []
        self._process = Process(argv, suite.work / f"load-{name}.log", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._lines = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self._process.child.stdout:
            self._lines.put(line)

    def _say(self, word):
        self._process.child.stdin.write(word.encode() + b"\n")
        self._process.child.stdin.flush()
        try:
            return json.loads(self._lines.get(timeout=45))
        except queue.Empty:
            raise Failure("the load does not answer") from None

    def counts(self):
        """What it has counted so far."""
        return self._say("stat")

    def stop(self):
        """The last counts."""
        counts = self._say("stop")
        self._process.wait(10)
        return counts
