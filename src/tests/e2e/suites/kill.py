"""Peers die and freeze under load: no repeatable request fails, and what comes back is used again by itself."""

import signal
import time

from harness.blackhole import BlackHole
from harness.load import Load
from harness.pool import Pool
from harness.process import Failure
from harness.proxy import Proxy

KILLS, CONNECTIONS = 20, 64
# Calls of the stateless era are repeatable when the operator says so; reads and lists are anyway.
RETRY = {"tools": ["echo"]}
# Quick to open and to try again, so that twenty kills take a minute.
BREAKER = {"open_for": "300ms", "max_open": "1s", "slow_start": "1s"}
PROBE = {"probe": "mcp", "interval": "500ms", "timeout": "500ms", "fast_interval": "200ms"}


def run(suite):
    """Kills, then a frozen peer, then none left."""
    pool = Pool(suite)
    _kills(suite, pool)
    _freeze(suite, pool)
    _all_down(suite, pool)
    pool.stop()


def _kills(suite, pool):
    proxy = Proxy(suite, "kills", pool.peers, retry=RETRY, circuit_breaker=BREAKER, health_check=PROBE)
    none_fails(suite, pool, proxy, Load(suite, proxy, "reads", CONNECTIONS, "kills"), KILLS, CONNECTIONS)


def none_fails(suite, pool, proxy, load, kills, connections):
    """Kills peers in turn under that load of reads; both end."""
    name = proxy.process.log.stem
    time.sleep(0.5)
    cuts = []
    with suite.check(f"{name}: a killed peer returns by itself"):
        for kill in range(kills):
            before = load.counts()["cut"]
            pool.servers[kill % 3].kill()
            time.sleep(0.2)
            pool.restart(kill % 3)
            pool.back(kill % 3)
            cuts.append(load.counts()["cut"] - before)
    counts = load.stop()
    suite.say(
        f"{name}: {len(cuts)} kills, {counts['succeeded']} requests succeeded, {counts['failed']} failed before the first byte,"
        f" {counts['cut']} answers cut (per kill {cuts}), the slowest took {counts['slowest_milliseconds']} ms"
    )
    with suite.check(f"{name}: no request fails over {kills} kills"):
        _none_failed(suite, counts, least=kills * connections)
    with suite.check(f"{name}: at most one answer is cut by a kill"):
        if max(cuts, default=0) > 1:
            suite.fail(f"answers cut by each kill: {cuts}; {counts['samples']}")
    with suite.check(f"{name}: the proxy leaves with 0"):
        proxy.stop()


def _none_failed(suite, counts, least):
    if counts["failed"] or counts["succeeded"] < least:
        suite.fail(f"{counts['failed']} failed, {counts['succeeded']} succeeded: " + "\n".join(counts["samples"]))


def _freeze(suite, pool):
    retry = RETRY | {"per_try": "1s"}
    for probe in (PROBE, {**PROBE, "probe": "http", "path": "/blob"}):
        name = f"frozen-{probe['probe']}"
        proxy = Proxy(suite, name, pool.peers, retry=retry, circuit_breaker=BREAKER, health_check=probe)
        load = Load(suite, proxy, "reads", CONNECTIONS, name)
        time.sleep(0.5)
        pool.servers[1].signal(signal.SIGSTOP)
        with suite.check(f"requests leave a frozen peer ({probe['probe']} probe)"):
            first = load.counts()["succeeded"]
            time.sleep(6)
            frozen = load.counts()
            # A connection that waits for the thaw has made no progress; the others have made much.
            if frozen["succeeded"] - first < CONNECTIONS * 10:
                suite.fail(f"{frozen['succeeded'] - first} requests succeeded while one peer was frozen")
        pool.servers[1].signal(signal.SIGCONT)
        with suite.check(f"a thawed peer returns by itself ({probe['probe']} probe)"):
            pool.back(1)
        counts = load.stop()
        suite.say(
            f"{name}: {counts['succeeded']} requests succeeded, {counts['failed']} failed,"
            f" the slowest took {counts['slowest_milliseconds']} ms, the peer was frozen for 6000 ms"
        )
        with suite.check(f"no repeatable request fails over a freeze ({probe['probe']} probe)"):
            _none_failed(suite, counts, least=CONNECTIONS)
            if counts["cut"]:
                suite.fail(f"{counts['cut']} answers were cut: {counts['samples']}")
            if counts["slowest_milliseconds"] >= 6000:
                suite.fail("a request waited for the thaw")
        with suite.check(f"the proxy leaves with 0 after a freeze ({probe['probe']} probe)"):
            proxy.stop()


def _all_down(suite, pool):
    breaker = {"open_for": "6s", "max_open": "6s"}
    proxy = Proxy(suite, "all-down", pool.peers, retry=RETRY, circuit_breaker=breaker, health_check=PROBE)
    load = Load(suite, proxy, "reads", CONNECTIONS, "all-down")
    time.sleep(0.5)
    for each in pool.servers:
        each.kill()
    # In place of the dead: they take connections, note what is sent, and close.
    holes = [BlackHole(each.port) for each in pool.servers]
    with suite.check("with all breakers open no request opens a connection"):
        _until_open(proxy)
        # What was picked before the last breaker opened may still be connecting.
        time.sleep(0.5)
        seen, opened, turned = _snapshot(proxy, holes, load)
        time.sleep(1)
        seen_later, opened_later, turned_later = _snapshot(proxy, holes, load)
        if _open(proxy) != 3:
            suite.fail("a breaker was not open for two seconds")
        suite.say(
            f"in a second with all breakers open: {turned_later - turned} requests turned away,"
            f" {opened_later - opened:.0f} connections opened by them"
        )
        if turned_later - turned < CONNECTIONS:
            suite.fail(f"only {turned_later - turned} requests were turned away")
        if seen_later != seen or opened_later != opened:
            suite.fail(f"requests opened connections: {seen} then {seen_later}, metric {opened} then {opened_later}")
    with suite.check("the prober goes on meanwhile"):
        probed = sum(hole.probes for hole in holes)
        time.sleep(2)
        if sum(hole.probes for hole in holes) == probed:
            suite.fail("no probe in two seconds")
    for hole in holes:
        hole.close()
    for number in range(3):
        pool.restart(number)
    with suite.check("recovery needs no hand"):
        for number in range(3):
            pool.back(number)
    load.stop()
    with suite.check("the proxy leaves with 0 after an outage"):
        proxy.stop()


def _until_open(proxy):
    """Wait until the breaker of every peer is open."""
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        if _open(proxy) == 3:
            return
        time.sleep(0.02)
    raise Failure(f"not all breakers are open: {proxy.get('/api/v1/groups')}")


def _open(proxy):
    """How many breakers are open."""
    states = proxy.metrics().items()
    return sum(value for name, value in states if name.startswith("backstay_breaker_state{") and 'state="open"' in name)


def _snapshot(proxy, holes, load):
    """Requests the dead have seen, connections the proxy says it opened for requests, requests turned away."""
    metrics = proxy.metrics()
    family = "backstay_upstream_connections_opened"
    opened = sum(value for name, value in metrics.items() if name.startswith(family) and 'by="request"' in name)
    return sum(hole.requests for hole in holes), opened, load.counts()["failed"]
