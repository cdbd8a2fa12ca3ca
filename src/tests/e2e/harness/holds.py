"""The points at which servers stop: armed here, reported and released by files in a folder that a stage's servers share."""

import contextlib
import time

from harness.process import Failure


class Holds:
    """Each point is armed for one server: the first one that gets there."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir(parents=True)

    def arm(self, point):
        """The next server that gets there stops."""
        (self.folder / point).touch()

    def reached(self, point, seconds=10):
        """Wait until a server stands there; its port."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for standing in self.folder.glob(f"{point}.*"):
                return int(standing.suffix[1:])
            time.sleep(0.005)
        raise Failure(f"no server has reached {point} in {seconds} s")

    def release(self):
        """Everybody goes on, and nobody stops any more."""
        for file in self.folder.iterdir():
            with contextlib.suppress(FileNotFoundError):
                file.unlink()
