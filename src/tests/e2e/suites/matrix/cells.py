"""The cells of one batch, taken through its steps together; one that fails is left out of what follows."""

import traceback

from harness.process import Failure
from suites.matrix.cell import Cell

# One that is said to be safe to repeat, and one that is not.
TOOLS = ("look", "count")


class Cells:
    """Sessions of all clients, with both tools. On leaving, every cell is a check, and the stage is whole again."""

    def __init__(self, stage, title, clients, drivers, recorders, tools=TOOLS):
        self.stage, self.title = stage, title
        self.all = [Cell(stage, sdk, drivers[sdk.program], tool, recorders) for sdk in clients for tool in tools]

    def __enter__(self):
        return self

    def __exit__(self, *raised):
        for cell in self.all:
            with self.stage.suite.check(f"{self.stage.name}, {self.title}: {cell.title}"):
                if cell.failure:
                    raise Failure(cell.failure)
        self.stage.mend()
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

    def open(self, token=None):
        """Connect, learn the tools, and call once."""
        for cell in self.alive():
            cell.connect(token)
        self.each(lambda cell: cell.client.connected())
        self.each(lambda cell: cell.client.does("tools"))
        self.each(lambda cell: cell.calls())

    def at_once(self):
        """A call of each at the same time, which has to succeed."""
        for cell in self.alive():
            cell.begin()
        self.each(_lands)

    def close(self):
        """End the sessions, and compare with the ledger."""
        self.each(lambda cell: cell.client.does("close"))
        executed = self.stage.executed()
        self.each(lambda cell: cell.verify(executed))


def _lands(cell):
    word = cell.land()
    if word != "success":
        raise Failure(f"the next call was told {word}")
