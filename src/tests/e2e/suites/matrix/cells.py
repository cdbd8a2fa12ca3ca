"""The cells of one batch, taken through its steps together; one that fails is left out of what follows."""

import traceback

from harness.driver import PATIENCE
from harness.process import Failure
from suites.matrix.cell import Cell


class Cells:
    """Sessions on a stage that is whole. On leaving, every cell is a check, and nobody stands anywhere."""

    def __init__(self, stage, title, plays, drivers, recorders):
        self.stage, self.title = stage, title
        self.all = [Cell(stage, play, drivers[play.client.program], recorders) for play in plays]

    def __enter__(self):
        self.stage.mend()
        return self

    def __exit__(self, *raised):
        for cell in self.all:
            with self.stage.suite.check(f"{self.stage.name}, {self.title}: {cell.title}"):
                if cell.failure:
                    raise Failure(cell.failure)
        self.stage.holds.release()
        # What has failed may still be open, and would move with every kill.
        for cell in self.all:
            if cell.failure:
                cell.leave()

    def alive(self):
        """Those that have not failed."""
        return [cell for cell in self.all if not cell.failure]

    def each(self, step):
        """One step of all."""
        for cell in self.alive():
            try:
                step(cell)
            except Failure as failure:
                cell.failure = str(failure)
            except Exception:
                cell.failure = traceback.format_exc()

    def open(self, token=None, but=()):
        """Connect, learn the tools, and call once."""
        opened = [cell for cell in self.alive() if cell not in but]
        for cell in opened:
            cell.connect(token)
        for step in (lambda cell: cell.client.connected(), lambda cell: cell.client.does("tools"), lambda cell: cell.calls()):
            self.each(lambda cell, step=step: cell in opened and step(cell))

    def at_once(self, seconds=PATIENCE):
        """A call of each at the same time, which has to succeed."""
        for cell in self.alive():
            cell.begin()
        self.each(lambda cell: cell.land(seconds=seconds))

    def close(self):
        """End the sessions, and compare with the ledger."""
        self.each(lambda cell: cell.client.does("close"))
        executed = self.stage.executed()
        self.each(lambda cell: cell.verify(executed))

    def told(self, words):
        """What each cell says in the table."""
        return {cell.play: "failed" if cell.failure else words.get(cell, "ok") for cell in self.all}
