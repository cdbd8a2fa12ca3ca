"""What only one server understands goes back to it, and listeners outlive their servers: the modern era of real SDKs."""

import json
import time
from dataclasses import replace

from harness.catalogue import server
from harness.process import Failure, Process
from harness.proxy import Proxy
from suites.kill import BREAKER, PROBE, RETRY

RESOURCES, PAGES, ROUNDS = 5, 3, 10


def run(suite):
    """Pages, questions and a listening stream over two and three servers, each of which is killed once."""
    for name, peers in (("python-v2", 2), ("python-v2-json", 3), ("typescript-v2", 2), ("typescript-v2", 3)):
        kind = replace(server(name), options=("--pages",))
        servers = [kind.start(suite) for _ in range(peers)]
        named = [{"name": f"peer-{number}", "url": each.ready().url} for number, each in enumerate(servers)]
        group = f"modern-{name}-{peers}"
        # In turn, since the peer with the listening stream is the busier one, and it is to announce changes too.
        shaped = {"strategy": "round_robin", "protocol": "mcp", "retry": RETRY}
        proxy = Proxy(suite, group, named, circuit_breaker=BREAKER, health_check=PROBE, **shaped)
        for client in ("python-v2", "typescript-v2"):
            with suite.check(f"a modern {client} on {peers} {name}"):
                _phases(suite, client, kind, proxy, servers)
        with suite.check(f"{group}: streams have moved"):
            moved = proxy.metrics().get(f'backstay_mcp_listen_streams_total{{group="{group}",outcome="moved"}}', 0)
            suite.say(f"{group}: {moved:.0f} streams have moved")
            if moved < 2:
                raise Failure("not every client's stream has moved")
        with suite.check(f"the proxy over {group} leaves with 0"):
            proxy.stop()
        for each in servers:
            each.kill()


def _phases(suite, client, kind, proxy, servers):
    out = suite.work / f"modern-{client}-{kind.name}-{len(servers)}.json"
    job = {
        "url": proxy.url + kind.path,
        "peers": len(servers),
        "phases": len(servers) + 1,
        "rounds": ROUNDS,
        "resources": RESOURCES,
        "pages": PAGES,
        # The state of its questions is what the Python server seals with a key of its process.
        "asks": kind.program == "python-v2",
        "out": str(out),
    }
    file = out.with_suffix(".job")
    file.write_text(json.dumps(job))
    installed = suite.installed
    program = {
        "python-v2": [installed.python["v2"], suite.source / "python" / "modern_v2.py"],
        "typescript-v2": ["node", installed.node / "modern_v2.mjs"],
    }[client]
    process = Process([*program, file], out.with_suffix(".log"))
    for phase in range(job["phases"]):
        _wait(process, out.with_name(f"{out.name}.over{phase}"))
        if phase < len(servers):
            servers[phase].kill()
            time.sleep(0.5)
            servers[phase].start().ready()
            proxy.whole_by_probes(len(servers))
        out.with_name(f"{out.name}.next{phase}").touch()
    process.wait(20)
    seen = json.loads(out.read_text())
    if seen["failures"]:
        suite.fail(f"{len(seen['failures'])} failures: " + "\n".join(seen["failures"][:3]))
    if not all(seen["heard"]):
        suite.fail(f"what was heard in the phases: {seen['heard']}")


def _wait(process, file, seconds=60):
    deadline = time.monotonic() + seconds
    while not file.exists():
        if process.child.poll() is not None or time.monotonic() > deadline:
            raise Failure(f"no {file.name}: {process.tail(10)}")
        time.sleep(0.02)
