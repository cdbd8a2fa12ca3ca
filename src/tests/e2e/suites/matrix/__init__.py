"""The kill matrix: clients of every SDK, servers that die at every moment of a call, and a ledger that says what ran.

For each cell: the client has sent `initialize` once, its session id has not changed, its next call succeeds, and what it
was told of the interrupted call is true. `--full` plays all kinds of servers and writes the table beside this suite.
"""

import os
import re
from dataclasses import replace

from harness.catalogue import CLIENTS, server
from harness.driver import drivers
from harness.recorder import Recorders
from suites.matrix.batch import MOMENTS, STREAM, kill
from suites.matrix.stage import Stage
from suites.matrix.table import Table

# Kinds of servers and how they answer; those in the first list are played always, and meet every client and moment.
OFTEN = [("python-v2", "json-answers"), ("typescript-v1", "sse-answers"), ("rmcp", "sse-answers")]
SELDOM = [
    ("python-v1", "json-answers"),
    ("python-v1", "sse-answers"),
    ("typescript-v1", "json-answers"),
    ("python-v2", "sse-answers"),
    ("typescript-v2", "json-answers"),
    ("typescript-v2", "sse-answers"),
    ("rmcp", "json-answers"),
]


def run(suite):
    """All stages, one after the other; the clients live through all of them. MATRIX chooses stages and moments."""
    running = drivers(suite)
    recorders, table = Recorders(), Table()
    only = re.compile(os.environ.get("MATRIX", ""))
    for name, transport in OFTEN + (SELDOM if suite.full else []):
        _stage(suite, name, transport, only, running, recorders, table)
    for driver in running.values():
        driver.stop()
    recorders.close()
    suite.say(f"{table.cells} cells, interrupted calls were told: {table.words()}")
    if suite.full and not only.pattern:
        table.write(suite.source / "matrix.md")


def _stage(suite, name, transport, only, running, recorders, table):
    kind = replace(server(name), transport=transport)
    title = f"{name}-{transport.split('-')[0]}"
    moments = [each for each in MOMENTS if each.answers in (None, transport) and only.search(f"{title}, {each.name}")]
    if not moments:
        return
    stage = Stage(suite, title, kind)
    for moment in moments:
        clients = [each for each in CLIENTS if _fits(each, kind, moment)]
        table.add(title, moment.name, kill(stage, moment, clients, running, recorders))
    stage.stop()


def _fits(client, kind, moment):
    """The era of `auto` is the newest that the servers have, so it stands for the modern one. A server without sessions
    has no stream in the legacy era."""
    if client.era == "legacy":
        return "legacy" in kind.eras and (moment is not STREAM or "changes" in kind.has)
    return "modern" in kind.eras
