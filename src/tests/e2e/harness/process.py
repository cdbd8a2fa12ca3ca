"""Processes of a run: started in order, ended by pid, and nothing left behind."""

import contextlib
import itertools
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

_alive = []
_ports = itertools.count(20_000 + os.getpid() % 100 * 100)


class Failure(Exception):
    """A check that did not hold; the text says what was seen."""


def free_port():
    """A port nobody listens on, below the range the kernel takes source ports from.

    A server that is killed and restarted must get its port again, so a connection of somebody else must not sit on it.
    """
    while True:
        port = 20_000 + (next(_ports) - 20_000) % 12_000
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return port


def environment():
    """Ours, without proxies, and with output that is written at once."""
    kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    return kept | {"NO_PROXY": "*", "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"}


class Process:
    """One child process with its log."""

    def __init__(self, argv, log, *, port=None, env=None, stdin=None, stdout=None, cwd=None):
        self.argv = [str(part) for part in argv]
        self.log = Path(log)
        self.port = port
        self._settings = {"env": environment() | (env or {}), "stdin": stdin, "stdout": stdout, "cwd": cwd}
        self.start()

    def start(self):
        """Start it, again if it has ended."""
        with self.log.open("ab") as log:
            settings = self._settings | {"stderr": log, "stdout": self._settings["stdout"] or log}
            settings["stdin"] = settings["stdin"] or subprocess.DEVNULL
            self.child = subprocess.Popen(self.argv, **settings)
        _alive.append(self)
        return self

    @property
    def address(self):
        """Host and port."""
        return f"127.0.0.1:{self.port}"

    @property
    def url(self):
        """As a peer's URL without a path: paths stay as they are."""
        return f"http://{self.address}/"

    def ready(self, seconds=20):
        """Wait until its port takes connections."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.child.poll() is not None:
                raise Failure(f"{self.argv[0]} ended with {self.child.returncode}: {self.tail(5)}")
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return self
            time.sleep(0.01)
        raise Failure(f"{self.argv} does not listen on {self.port}: {self.tail(5)}")

    def signal(self, number):
        """Send it a signal."""
        self.child.send_signal(number)

    def kill(self):
        """kill -9, and wait until it is gone."""
        if self.child.poll() is None:
            self.child.kill()
            self.child.wait()
        if self in _alive:
            _alive.remove(self)

    def stop(self, seconds=5):
        """Ask it to end; kill it when it does not. The exit code."""
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGCONT)
            self.child.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.child.wait(seconds)
        code = self.child.poll()
        self.kill()
        return code

    def wait(self, seconds):
        """Wait until it ends by itself."""
        try:
            return self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Failure(f"{self.argv} is not done after {seconds} s: {self.tail(20)}") from None
        finally:
            if self in _alive:
                _alive.remove(self)

    def tail(self, lines):
        """The end of its log."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])


def kill_all():
    """End everything that this run started."""
    for process in list(_alive):
        process.kill()
