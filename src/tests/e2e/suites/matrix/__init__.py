"""The kill matrix: clients of every SDK, servers that die at every moment of a call, and a ledger that says what ran.

For each cell: the client has sent `initialize` once, its session id has not changed, its next call succeeds, and what it
was told of the interrupted call is true. Cells are chosen so that every server, client, moment and tool meets every other
one that it can meet; all cells of a stage are interrupted by one kill. `--full` plays all cells, moment by moment, and
writes the table beside this suite.
"""

import os
import re
from concurrent.futures import ThreadPoolExecutor

from harness.driver import drivers
from harness.process import Failure
from harness.recorder import Recorders
from suites.matrix.batch import kill, outage
from suites.matrix.cover import cover, pairs
from suites.matrix.moments import MOMENTS, NOBODY, kind_of, plays, title_of
from suites.matrix.stage import Stage
from suites.matrix.table import Table

# Kinds of servers and how they answer.
KINDS = [
    ("python-v1", "json-answers"),
    ("python-v1", "sse-answers"),
    ("python-v1", "legacy-sse"),
    ("python-v2", "json-answers"),
    ("python-v2", "sse-answers"),
    ("typescript-v1", "json-answers"),
    ("typescript-v1", "sse-answers"),
    ("typescript-v2", "json-answers"),
    ("typescript-v2", "sse-answers"),
    ("rmcp", "json-answers"),
    ("rmcp", "sse-answers"),
]
# While one stage waits for its servers, another one works.
AT_ONCE = 2


def run(suite):
    """All stages; the clients live through all of them. MATRIX chooses stages and moments."""
    kinds = [kind_of(*each) for each in KINDS]
    every = [(kind, play) for kind in kinds for play in plays(kind)]
    chosen = every if suite.full else _covering(every)
    only = re.compile(os.environ.get("MATRIX", ""))
    chosen = [(kind, play) for kind, play in chosen if only.search(f"{title_of(kind)}, {play.moment.name}")]
    running, recorders, table = drivers(suite), Recorders(), Table()

    def stage(kind):
        return _stage(suite, kind, [play for each, play in chosen if each is kind], running, recorders)

    with ThreadPoolExecutor(AT_ONCE) as several:
        for kind, words in zip(kinds, several.map(stage, kinds), strict=True):
            table.add(title_of(kind), words)
    for driver in running.values():
        driver.stop()
    recorders.close()
    suite.say(f"{table.cells} cells, interrupted calls were told: {table.words()}")
    if suite.full and not only.pattern:
        table.write(suite.source / "matrix.md")
    if not only.pattern:
        with suite.check("every two values that can meet have met"):
            _met(every, table)


def _stage(suite, kind, chosen, running, recorders):
    """What its callers were told."""
    words = {}
    if not chosen:
        return words
    stage = Stage(suite, title_of(kind), kind)
    batches = [[play for play in chosen if play.moment is not NOBODY]]
    if suite.full:
        batches = [[play for play in chosen if play.moment is moment] for moment in MOMENTS if moment is not NOBODY]
    for batch in filter(None, batches):
        words |= kill(stage, batch, running, recorders)
    if batch := [play for play in chosen if play.moment is NOBODY]:
        words |= outage(stage, batch, running, recorders)
    stage.stop()
    return words


def _values(kind, play):
    return title_of(kind), play.client.name, play.moment.name


def _covering(every):
    """Both tools of each choice, since one more cell costs little where a kill is shared."""
    chosen = set(cover([_values(*each) for each in every]))
    return [each for each in every if _values(*each) in chosen]


def _met(every, table):
    missing = pairs([(*_values(*each), each[1].tool) for each in every]) - pairs(table.rows())
    if missing:
        raise Failure(f"these have not: {missing}")
