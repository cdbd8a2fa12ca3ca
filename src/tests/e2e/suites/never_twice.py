"""A counting tool under kills: no call is executed twice, and every error says truthfully what became of the call."""

import time
from collections import Counter

from harness.load import Load
from harness.pool import Pool
from harness.proxy import Proxy
from suites.kill import BREAKER, KILLS, PROBE

CONNECTIONS = 16
# What its caller was told, and how often a call may then have been executed.
TRUTH = {
    "ok": {1},
    "not_sent": {0},
    # A session that is not found has executed nothing.
    "no_session": {0},
    "unknown": {0, 1},
    # An answer that was cut says nothing, so nothing can be wrong with it; it is counted and printed.
    "cut": {0, 1},
}


def run(suite):
    """Calls of the modern era, then calls in legacy sessions."""
    for kind in ("counts", "session-counts"):
        pool = Pool(suite)
        log = suite.work / f"calls-{kind}"
        proxy = Proxy(suite, kind, pool.peers, circuit_breaker=BREAKER, health_check=PROBE)
        load = Load(suite, proxy, kind, CONNECTIONS, kind, log)
        counts_truly(suite, pool, proxy, load, log, KILLS)
        pool.stop()
        for ledger in pool.ledgers:
            ledger.unlink()


def counts_truly(suite, pool, proxy, load, log, kills):
    """Kills peers in turn under that load of counting calls; proxy and load end."""
    kind = proxy.process.log.stem
    time.sleep(0.5)
    with suite.check(f"{kind}: a killed peer returns by itself"):
        for kill in range(kills):
            pool.servers[kill % 3].kill()
            time.sleep(0.2)
            pool.restart(kill % 3)
            pool.back(kill % 3)
    counts = load.stop()
    told = dict(line.rsplit(" ", 1) for line in log.read_text().splitlines())
    executed = Counter(line for ledger in pool.ledgers for line in ledger.read_text().splitlines())
    words = Counter(told.values())
    suite.say(f"{kind}: {kills} kills, calls by what their callers were told: {dict(words)}")
    with suite.check(f"{kind}: no call is executed twice"):
        twice = [call for call, times in executed.items() if times > 1]
        if twice or len(told) < kills * CONNECTIONS:
            suite.fail(f"{len(twice)} of {len(told)} calls were executed more than once: {twice[:5]}")
    with suite.check(f"{kind}: every error says what became of the call"):
        if not set(words) <= set(TRUTH):
            suite.fail(f"{dict(words)}: " + "\n".join(counts["samples"]))
    with suite.check(f"{kind}: what it says is true"):
        calls = [(call, word, executed[call]) for call, word in told.items()]
        lies = [each for each in calls if each[2] not in TRUTH.get(each[1], {0, 1})]
        if lies:
            suite.fail(f"{len(lies)} calls were reported wrongly (call, told, executions): {lies[:5]}")
    with suite.check(f"{kind}: the proxy leaves with 0"):
        proxy.stop()
