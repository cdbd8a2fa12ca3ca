"""One loss on one stage: sessions at their moments, the death of their server, and what becomes of them."""

import contextlib
import time

from harness.process import Failure
from suites.matrix.cell import NEXT
from suites.matrix.cells import Cells
from suites.matrix.moments import OPENING, STREAM


def kill(stage, plays, drivers, recorders):
    """`kill -9` of the one server that all of them live on; what the callers of the interrupted calls were told."""
    with Cells(stage, "killed", plays, drivers, recorders) as cells:
        victim = _bring(cells)
        victim.kill()
        words = _landed(cells)
        _afterwards(cells)
    return cells.told(words)


def outage(stage, plays, drivers, recorders):
    """`kill -9` of all servers, then a call of each client, which cannot have been sent; then they are back."""
    with Cells(stage, "killed", plays, drivers, recorders) as cells:
        cells.open()
        stage.down()
        for cell in cells.alive():
            cell.begin()
        words = _landed(cells)
        stage.up()
        deadline = time.monotonic() + NEXT
        cells.each(lambda cell: _comes_back(cell, deadline))
        _afterwards(cells)
    return cells.told(words)


def freeze(stage, plays, drivers, recorders):
    """`SIGSTOP`: the next calls succeed while the server is frozen, and what it does when it thaws is counted."""
    with Cells(stage, "frozen", plays, drivers, recorders) as cells:
        victim = _bring(cells)
        stage.freeze(victim)
        cells.each(lambda cell: cell.client.connected())
        cells.each(lambda cell: cell.calls())
        stage.thaw(victim)
        _landed(cells)
        _afterwards(cells)


def _bring(cells):
    """All sessions to their moments, on one server."""
    stage, victim = cells.stage, cells.stage.active()
    cells.open(but=[cell for cell in cells.all if cell.moment is OPENING])
    for cell in cells.alive():
        if cell.moment is OPENING:
            cell.arm(f"opening-{cell.name}")
            cell.connect()
        if cell.moment.point:
            cell.begin(cell.moment.point)
    cells.each(lambda cell: _stands(cell, victim))
    return victim


def _stands(cell, victim):
    if cell.moment is STREAM:
        _listens(cell)
    if cell.point:
        cell.stands(victim)
    if not cell.flight:
        return
    if cell.stage.kind.transport == "sse-answers" and cell.era == "legacy" and "changes" in cell.stage.kind.has:
        # In the modern era, and from a server without sessions, the head comes with the first event.
        _until(lambda: cell.exchange(cell.flight_call).answer, "the head has not come")
    if cell.moment.point == "event":
        cell.driver.hears(cell.name, f"progress of {cell.flight.number}")


def _landed(cells):
    words = {}
    cells.each(lambda cell: cell.flight and words.update({cell: cell.land(cell.moment.words(cell.tool))}))
    return words


def _afterwards(cells):
    cells.each(lambda cell: cell.client.connected())
    # All at once, as after a real loss.
    cells.at_once(NEXT)
    cells.each(lambda cell: cell.calls(2))
    cells.each(lambda cell: cell.moment is STREAM and _hears(cell))
    cells.close()


def _comes_back(cell, deadline):
    """The servers are back. Breakers may be open for a second still: then a call is not sent, and is made again."""
    told = "not_sent"
    while told == "not_sent":
        if time.monotonic() > deadline:
            raise Failure(f"after {NEXT} s the call is still told {told}")
        cell.begin()
        told = cell.land({"success", "not_sent"}, NEXT)


def _listens(cell):
    """A stream for changes is open."""
    if cell.era == "modern":
        cell.client.does("listen")
    else:
        _until(cell.recorder.stream_open.is_set, "the client opens no stream")


def _hears(cell):
    """What a server announces after the loss arrives: as soon as the stream goes on, and wherever it listens."""
    change = "notifications/tools/list_changed"
    before = cell.driver.heard.get(cell.name, []).count(change)
    for _ in range(8):
        cell.client.does("call", tool="announce", arguments={})
        with contextlib.suppress(Failure):
            cell.driver.hears(cell.name, change, seconds=1, times=before + 1)
            return
    raise Failure(f"what is announced is not heard any more; it was {cell.driver.heard.get(cell.name)}")


def _until(condition, otherwise, seconds=5):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise Failure(otherwise)
        time.sleep(0.01)
