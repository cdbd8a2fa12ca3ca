"""The protocol's own conformance suite: what it finds through the proxy is what it finds directly, check by check."""

import json
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor

from harness import compare
from harness.catalogue import CONFORMANCE
from harness.process import Process
from harness.proxy import Proxy

# Which package, what of it, and how many checks have to succeed without the proxy: fewer say that a server is broken.
EDITIONS = {
    "release": ("conformance-release", ["--suite", "all"], 40),
    "next": ("conformance-next", ["--suite", "all"], 190),
    # The same scenarios on the wire of that revision: the era is the modern one wherever it can be.
    "modern": ("conformance-next", ["--requirements", "2026-07-28"], 120),
}
# One peer does not know that the list of another has changed.
OF_ONE_PEER = {
    "sep-2575-server-sends-prompts-list-changed-on-subscription",
    "sep-2575-server-sends-tools-list-changed-on-subscription",
}


def run(suite):
    """Servers of two SDKs: directly, as the only peer, and beside a second one, in turn and as load has it."""
    with ThreadPoolExecutor(len(CONFORMANCE)) as pool:
        for work in [pool.submit(_server, suite, kind) for kind in CONFORMANCE]:
            work.result()


def _server(suite, kind):
    servers = [kind.start(suite) for _ in range(2)]
    peers = [{"name": f"peer-{number}", "url": each.ready().url} for number, each in enumerate(servers)]
    proxies = {
        "one peer": Proxy(suite, f"{kind.name}-one", peers[:1]),
        "two peers": Proxy(suite, f"{kind.name}-two", peers),
        "two peers in turn": Proxy(suite, f"{kind.name}-turn", peers, strategy="round_robin"),
    }
    for edition in EDITIONS:
        _edition(suite, kind, edition, servers[0].address, proxies)
    for route, proxy in proxies.items():
        with suite.check(f"the proxy of {kind.name} with {route} leaves with 0"):
            proxy.stop()
            if "mcp_tools_differ" in proxy.log():
                suite.fail("peers of one program are said to show different tools")
    for each in servers:
        each.kill()


def _edition(suite, kind, edition, address, proxies):
    direct = {}
    with suite.check(f"{kind.name}, {edition}: directly"):
        direct = _checks(suite, kind, edition, "directly", address)
        succeeded = [check for check, (status, _) in direct.items() if status == "SUCCESS"]
        # No SDK offers the tasks extension yet.
        failed = [check for check, (status, _) in direct.items() if status == "FAILURE" and not check.startswith("tasks-")]
        suite.say(f"{kind.name}, {edition}: {len(succeeded)} of {len(direct)} checks succeed")
        if failed or len(succeeded) < EDITIONS[edition][2]:
            suite.fail(f"{len(succeeded)} checks succeed without the proxy, and these fail: {failed}")
    for route, proxy in proxies.items():
        with suite.check(f"{kind.name}, {edition}: with {route}"):
            seen = _checks(suite, kind, edition, route, proxy.address)
            suite.equal(compare.difference(_lines(direct, route), _lines(seen, route)))


def _lines(checks, route):
    excepted = set() if route == "one peer" else OF_ONE_PEER
    lines = []
    for check, found in checks.items():
        if check.split(" ")[1] in excepted and found[0] in ("SUCCESS", "WARNING"):
            found = "told or not"
        lines.append(f"{check} {found}")
    return lines


def _checks(suite, kind, edition, route, address):
    """Each check by scenario, id and number, with its status and what it complains of."""
    package, selection, _ = EDITIONS[edition]
    out = suite.work / f"{kind.name} {edition} {route}".replace(" ", "-")
    program = suite.installed.node / "node_modules" / package / "dist" / "index.js"
    argv = [suite.installed.new_node, program, "server", "--url", f"http://{address}{kind.path}", "-o", out, *selection]
    # It ends with 1 if a check fails, and some do.
    Process(argv, out.with_suffix(".log"), stdout=subprocess.DEVNULL).wait(90)
    found = {}
    for file in sorted(out.glob("server-*/checks.json")):
        scenario = re.fullmatch(r"server-(.+?)-\d{4}-\d\d-\d\dT.+", file.parent.name)[1]
        for check in json.loads(file.read_text()):
            if check["status"] == "INFO":
                # A note on what was sent and received.
                continue
            number = sum(name.startswith(f"{scenario} {check['id']} ") for name in found)
            found[f"{scenario} {check['id']} {number}"] = check["status"], compare.plain(check.get("errorMessage"))
    return found
