"""One moment on one stage: sessions of all clients, the loss of their server, and what becomes of them."""

import contextlib
import time
from dataclasses import dataclass

from harness.process import Failure
from suites.matrix.cells import Cells


@dataclass(frozen=True)
class Moment:
    """When the server is lost: at `point` of a call, if it has one."""

    name: str
    point: str | None = None
    # The transport of its servers; None is any.
    answers: str | None = None


IDLE = Moment("idle")
OPENING = Moment("during initialize")
STREAM = Moment("a stream open")
MOMENTS = [
    IDLE,
    Moment("before the call runs", "begun", "json-answers"),
    Moment("before the head", "done", "json-answers"),
    Moment("in a JSON answer", "body", "json-answers"),
    Moment("before an event", "done", "sse-answers"),
    Moment("after an event", "event", "sse-answers"),
    Moment("in the last event", "body", "sse-answers"),
    OPENING,
    STREAM,
]


def kill(stage, moment, clients, drivers, recorders):
    """`kill -9`; what the callers of the interrupted calls were told."""
    with Cells(stage, moment.name, clients, drivers, recorders) as cells:
        victim = _bring(cells, moment)
        victim.kill()
        words = {}
        cells.each(lambda cell: cell.flight and words.update({cell: cell.land()}))
        _afterwards(cells, moment)
    return {cell: "failed" if cell.failure else words.get(cell, "") for cell in cells.all}


def freeze(stage, moment, clients, drivers, recorders):
    """`SIGSTOP`: the next calls succeed while the server is frozen, and what it does when it thaws is counted."""
    with Cells(stage, f"{moment.name}, frozen", clients, drivers, recorders) as cells:
        victim = _bring(cells, moment)
        stage.freeze(victim)
        cells.each(lambda cell: cell.client.connected())
        cells.each(lambda cell: cell.calls())
        stage.thaw(victim)
        words = {}
        cells.each(lambda cell: cell.flight and words.update({cell: cell.land()}))
        _afterwards(cells, moment)
    return {cell: "failed" if cell.failure else words.get(cell, "") for cell in cells.all}


def _bring(cells, moment):
    """All sessions to the moment; the server they live on."""
    stage, victim = cells.stage, cells.stage.active()
    if moment is OPENING:
        for cell in cells.alive():
            stage.holds.arm(f"opening-{cell.name}")
            cell.connect()
        cells.each(lambda cell: _stands(stage, f"opening-{cell.name}", victim))
        return victim
    cells.open()
    if moment is STREAM:
        cells.each(_listens)
    if moment.point:
        for cell in cells.alive():
            cell.begin(moment.point)
        cells.each(lambda cell: _reached(cell, moment, victim))
    return victim


def _afterwards(cells, moment):
    cells.each(lambda cell: cell.client.connected())
    # All at once, as after a real loss.
    cells.at_once()
    cells.each(lambda cell: cell.calls(2))
    if moment is STREAM:
        cells.each(_hears)
    cells.close()


def _reached(cell, moment, victim):
    _stands(cell.stage, cell.point, victim)
    if moment.answers == "sse-answers" and cell.era == "legacy" and "changes" in cell.stage.kind.has:
        # In the modern era, and from a server without sessions, the head comes with the first event.
        _until(lambda: cell.exchange(cell.flight_call).answer, "the head has not come")
    if moment.point == "event":
        cell.driver.hears(cell.name, f"progress of {cell.flight.number}")


def _stands(stage, point, victim):
    port = stage.holds.reached(point)
    if port != victim.port:
        raise Failure(f"{point} was reached on {port} instead of {victim.port}")


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
