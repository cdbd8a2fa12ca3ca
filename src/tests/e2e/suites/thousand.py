"""A thousand sessions live on a server that dies, and all of them call at once."""

import asyncio
import json
import time
import urllib.request
from dataclasses import replace

from harness import heap
from harness.catalogue import server
from harness.process import Failure
from harness.sessions import Session
from suites.matrix.stage import Stage

SESSIONS = 1000
# Opened side by side.
ABREAST = 32
# The bound of the specification of this proxy: so many sessions move to one peer at a time.
MOVES = 32
# How much more memory the proxy may hold after the last time than once it was warm, as a part.
GROWTH = 0.05
# So often before its memory is looked at, and so often in all.
FEW = (3, 4)
# Long enough to see whether it stays.
MANY = (6, 12)
# What an MCP session may leave behind in the heap, in bytes: that it was ended, and some luck.
LEFT = 256


def run(suite):
    """On servers of two SDKs, until memory is warm and then again; once on the slower, if in a hurry."""
    for name in ("rmcp", "python-v1"):
        kind = replace(server(name), transport="json-answers")
        # A server that a thousand calls keep busy is not lost.
        stage = Stage(suite, f"thousand-{name}", kind, health_check={"probe": "mcp", "interval": "1s", "timeout": "10s"})
        settled, live = [], []
        fast = name == "rmcp"
        many = suite.full and fast
        warm, times = MANY if many else FEW if suite.full or fast else (1, 1)
        for turn in range(1, times + 1):
            with suite.check(f"{name}: {SESSIONS} sessions survive, time {turn}"):
                asyncio.run(_round(suite, stage, turn))
            stage.mend()
            settled.append(_settled(stage.proxy))
            if many and heap.can_tell():
                live.append(heap.live(stage.proxy.process.child.pid, suite.work / f"heap-{turn}.xml"))
        if times > warm:
            _compare(suite, name, settled, warm)
        if live:
            _forgets(suite, name, live, warm)
        stage.stop()


def _compare(suite, name, settled, warm):
    """What a process keeps once it has had it takes a few times to be reached: an allocator keeps the peak."""
    with suite.check(f"{name}: the memory comes back"):
        before, after = settled[warm - 1], settled[-1]
        suite.say(f"{name}: the proxy holds {settled} KiB after each time")
        if after > before * (1 + GROWTH):
            raise Failure(f"{before} KiB after {warm} times, {after} KiB after {len(settled)}")


def _forgets(suite, name, live, warm):
    """Resident memory does not tell what is allocated: that hides below the peak."""
    with suite.check(f"{name}: what has ended is forgotten"):
        suite.say(f"{name}: {live} bytes are allocated after each time")
        left = (live[-1] - live[warm - 1]) / SESSIONS / (len(live) - warm)
        if left > LEFT:
            raise Failure(f"each session leaves {left:.0f} bytes behind")


async def _round(suite, stage, turn):
    victim = stage.active()
    others = [each for each in stage.servers if each is not victim]
    before = {each: _openings(each) for each in stage.servers}
    sessions = [Session(stage.proxy.address, stage.kind.path) for _ in range(SESSIONS)]
    gate = asyncio.Semaphore(ABREAST)

    async def abreast(work):
        async with gate:
            await work

    await asyncio.gather(*(abreast(each.open()) for each in sessions))
    opened = _openings(victim)["opened"] - before[victim]["opened"]
    if opened != SESSIONS:
        raise Failure(f"{opened} of {SESSIONS} sessions live on the server that is to die")
    victim.kill()
    began = time.monotonic()
    answers = await asyncio.gather(*(each.call(f"first of {number}") for number, each in enumerate(sessions)))
    seconds = time.monotonic() - began
    failed = [answer for answer in answers if answer]
    again = await asyncio.gather(*(each.call(f"second of {number}") for number, each in enumerate(sessions)))
    failed += [answer for answer in again if answer]
    moved = sum(_openings(each)["opened"] - before[each]["opened"] for each in others)
    most = max(_openings(each)["at_once"] for each in others)
    suite.say(f"{stage.kind.name}, time {turn}: {SESSIONS} calls at once after the loss took {seconds:.1f} s; {moved} sessions")
    suite.say(f"were made anew, at most {most} at a time; {len(failed)} calls failed")
    await asyncio.gather(*(abreast(each.close()) for each in sessions))
    if failed or moved != SESSIONS or most > MOVES:
        raise Failure(f"{len(failed)} failed: {failed[:3]}; {moved} moved; {most} at once")


def _openings(server):
    """How many clients have opened a session on a server, and how many did at the same time."""
    return json.loads(urllib.request.urlopen(f"{server.url}openings", timeout=20).read())


def _settled(proxy, seconds=20):
    """The memory of the proxy in KiB, once it falls no more."""
    least, since, deadline = _memory(proxy), time.monotonic(), time.monotonic() + seconds
    while time.monotonic() < min(since + 3, deadline):
        time.sleep(0.2)
        if (now := _memory(proxy)) < least:
            least, since = now, time.monotonic()
    return least


def _memory(proxy):
    with open(f"/proc/{proxy.process.child.pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))
