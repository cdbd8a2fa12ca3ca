"""The proxy under test: writes a configuration, starts the binary, and reads its admin listener."""

import json
import os
import re
import time
import urllib.error
import urllib.request
from pathlib import Path

from harness.process import Failure, Process, free_port


class Samples(dict):
    """Samples by name and labels. Asked for fewer labels than a sample has, it adds up what fits."""

    def get(self, sample, default=None):
        if sample in self:
            return self[sample]
        name, _, labels = sample.rstrip("}").partition("{")
        wanted = set(filter(None, labels.split(",")))
        fitting = [value for key, value in self.items() if _fits(key, name, wanted)]
        return sum(fitting) if fitting else default


def _fits(key, name, wanted):
    own, _, labels = key.rstrip("}").partition("{")
    return own == name and wanted <= set(labels.split(","))


class Proxy:
    """One running proxy with a listener, another for HTTPS if there is a certificate, and an admin listener."""

    def __init__(self, suite, name, peers, *, certificate=None, limits=None, access_log=None, fixed=False, **group):
        traffic, admin = (f"127.0.0.1:{free_port() if fixed else 0}" for _ in range(2))
        listeners, self.secure = [{"listen": traffic}], None
        if certificate:
            self.secure = f"127.0.0.1:{free_port()}"
            listeners.append({"listen": self.secure, "tls": certificate.served})
        # JSON is YAML, so the file needs no YAML writer.
        self.config = {
            "listeners": listeners,
            "admin": {"listen": admin},
            "limits": limits or {},
            "groups": [{"name": name, "peers": peers, **group}],
        }
        if access_log:
            self.config["access_log"] = {"file": str(access_log), "format": "json"}
        self._path = suite.work / f"{name}.yaml"
        self.write(json.dumps(self.config, indent=2))
        argv = [suite.binary, "run", "-c", self._path, "--log-level", "info"]
        # The state directory keeps the session keys: each run has its own.
        environment = {"STATE_DIRECTORY": str(suite.work / f"{name}.state")}
        (suite.work / f"{name}.state").mkdir(exist_ok=True)
        self.process = Process(argv, suite.work / f"{name}.log", env=environment)
        suite.proxies.append(self)
        traffic, admin = self._addresses()
        self.address, self.url, self.admin = traffic, f"http://{traffic}", f"http://{admin}"

    def write(self, text):
        """Put another configuration in the place of the one it was started with."""
        self._path.write_text(text)

    def _addresses(self):
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            seen = dict.fromkeys(re.findall(r"listening.*?address\W+?(127\.0\.0\.1:\d+)", self.log()))
            if len(seen) >= (3 if self.secure else 2):
                return self._told_apart([each for each in seen if each != self.secure])
            if self.process.child.poll() is not None:
                break
            time.sleep(0.01)
        raise Failure(f"the proxy does not listen: {self.process.tail(20)}")

    @staticmethod
    def _told_apart(addresses):
        """Which of the two answers as the admin listener."""
        for admin in addresses:
            try:
                answer = urllib.request.urlopen(f"http://{admin}/livez", timeout=5)
            except (urllib.error.URLError, OSError):
                continue
            if answer.status == 200:
                return next(each for each in addresses if each != admin), admin
        raise Failure(f"none of {addresses} answers /livez")

    def log(self):
        """Everything it logged."""
        return re.sub(r"\x1b\[[0-9;]*m", "", self.process.tail(100_000))

    def get(self, path):
        """The text of a page of the admin listener, whatever its status."""
        try:
            return urllib.request.urlopen(self.admin + path, timeout=5).read().decode()
        except urllib.error.HTTPError as error:
            return error.read().decode()

    def metrics(self):
        """All samples: name with labels, and value."""
        samples = Samples()
        for line in self.get("/metrics").splitlines():
            if line and not line.startswith("#"):
                name, _, value = line.rpartition(" ")
                samples[name] = float(value)
        return samples

    def whole(self, peers, seconds=10):
        """Wait until so many peers take requests and their breakers are closed, for which they need traffic."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            samples = self.metrics().items()
            usable = sum(value for name, value in samples if name.startswith("backstay_peer_usable{"))
            closed = [value for name, value in samples if "backstay_breaker_state{" in name and 'state="closed"' in name]
            if usable == sum(closed) == peers:
                return
            time.sleep(0.02)
        raise Failure(f"not all of {peers} peers serve after {seconds} s: {self.get('/api/v1/groups')}")

    def restart(self):
        """Start it again after it has ended; its ports have to be `fixed`."""
        self.process.start()
        self.process.port = int(self.address.rsplit(":", 1)[1])
        self.process.ready()

    def whole_by_probes(self, peers, seconds=20):
        """Wait until so many peers take requests, as their probes say; a breaker may still be half-open."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            samples = self.metrics().items()
            if sum(value for name, value in samples if name.startswith("backstay_peer_usable{")) == peers:
                return
            time.sleep(0.05)
        raise Failure(f"not all of {peers} peers are usable after {seconds} s: {self.get('/api/v1/groups')}")

    def descriptors(self):
        """How many it has open."""
        return len(os.listdir(f"/proc/{self.process.child.pid}/fd"))

    def resident(self):
        """How much memory it has, in KiB."""
        status = Path(f"/proc/{self.process.child.pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))

    def stop(self):
        """Terminate it; it has to leave with 0, and by itself."""
        code = self.process.stop(seconds=10)
        if code != 0:
            raise Failure(f"the proxy ended with {code} on SIGTERM: {self.process.tail(5)}")

    def trouble(self):
        """The end of its log, if it runs and has logged more than information."""
        told = re.search(r"WARN|ERROR|panicked|error", self.log())
        return self.process.tail(15) if told and self.process.child.poll() is None else None
