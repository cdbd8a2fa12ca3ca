"""A suite that runs: its folder, its checks, and what failed."""

import contextlib
import threading
import traceback

from harness.process import Failure


class Suite:
    """Counts the checks of one suite."""

    def __init__(self, name, installed, source, binary, full=False):
        self.name = name
        self.installed = installed
        self.source = source
        self.binary = binary
        self.full = full
        self.work = installed.work / name
        self.work.mkdir(parents=True)
        self.proxies = []
        self.passed = 0
        self.failed = []
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def check(self, name):
        """One check: it fails when the block raises."""
        try:
            yield
        except Exception as error:
            text = str(error) if isinstance(error, Failure) else traceback.format_exc()
            with self._lock:
                self.failed.append(name)
                print(f"  FAILED {self.name}: {name}\n    " + text.replace("\n", "\n    "), flush=True)
                for proxy in self.proxies:
                    # Now: what comes later is about something else.
                    if trouble := proxy.trouble():
                        print(f"  the end of {proxy.process.log}:\n{trouble}", flush=True)
        else:
            with self._lock:
                self.passed += 1

    def say(self, text):
        """A line for whoever reads the run."""
        print(f"  {self.name}: {text}", flush=True)

    @staticmethod
    def fail(text):
        """End this check."""
        raise Failure(text)

    def equal(self, difference):
        """Fail unless there is none."""
        if difference is not None:
            self.fail(difference)
