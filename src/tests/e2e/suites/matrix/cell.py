"""One client's session in one batch: what it is told, and whether the ledger agrees."""

import contextlib
import itertools
import json
import re

from harness.driver import Client
from harness.process import Failure

_numbers = itertools.count(1)
# Within this the call after a loss has to be answered.
NEXT = 5
# How often a call may have been executed, by what its caller was told.
TRUTH = {"success": {1}, "not_sent": {0}, "unknown": {0, 1}}


class Cell:
    """A session of one client, one tool, and the calls it made."""

    def __init__(self, stage, sdk, driver, tool, recorders):
        self.stage, self.sdk, self.tool = stage, sdk, tool
        self.driver = driver
        self.name = f"{sdk.name}-{tool}-{next(_numbers)}"
        self.recorder = recorders.record(stage.proxy.address)
        self.era = "legacy" if sdk.era == "legacy" else "modern"
        self.client = None
        self.failure = None
        self.told = {}
        self._calls = itertools.count(1)
        self.flight = None

    @property
    def title(self):
        """As the table and the checks have it."""
        return f"{self.sdk.name}, {self.tool}"

    def connect(self, token=None):
        """Begin to connect."""
        url = f"http://127.0.0.1:{self.recorder.port}{self.stage.kind.path}"
        self.client = Client(self.driver, self.name, url, self.era, self.name, token)

    def leave(self):
        """End the session if it can be ended."""
        with contextlib.suppress(Failure, AttributeError):
            self.client.does("close", seconds=5)

    def begin(self, point=None):
        """Begin a call that stops at that point."""
        self.flight_call = f"{self.name}.{next(self._calls)}"
        self.point = point and f"{self.flight_call}.{point}"
        if point:
            self.stage.holds.arm(self.point)
        self.flight = self.client.call(self.tool, self.flight_call)

    def land(self):
        """What the caller is told of the call that was begun."""
        try:
            said = self.flight.wait()
        except Failure as hangs:
            raise Failure(f"{hangs}\n{self.seen(self.flight_call)}") from None
        self.told[self.flight_call] = word = outcome(said, self.flight_call)
        if word not in TRUTH:
            raise Failure(f"{word}: {said}\n{self.seen(self.flight_call)}")
        if self.tool == "look" and word != "success":
            raise Failure(f"a call that may run twice fails: {said}\n{self.seen(self.flight_call)}")
        self.flight = None
        return word

    def exchange(self, call):
        """The exchange that carries a call."""
        return next((each for each in self.recorder.exchanges if f'"{call}"'.encode() in each.request.body), None)

    def seen(self, call):
        """What went to the client in answer to a call."""
        answer = (exchange := self.exchange(call)) and exchange.answer
        return f"{answer.start[1:]} {answer.headers} {bytes(answer.body[-1500:])}" if answer else "no answer"

    def calls(self, times=1, seconds=NEXT):
        """Calls that have to succeed."""
        for _ in range(times):
            call = f"{self.name}.{next(self._calls)}"
            said = self.client.call(self.tool, call).wait(seconds)
            if outcome(said, call) != "success":
                raise Failure(f"the call {call} fails: {said}")
            self.told[call] = "success"

    def verify(self, executed):
        """Compare with the ledger and with what the recorder has seen."""
        for call, word in self.told.items():
            times = executed[call]
            # A tool that is safe to repeat may have been.
            if times not in TRUTH[word] and not (self.tool == "look" and times):
                raise Failure(f"{call}: told {word}, executed {times} times")
        opened, ids = 0, set()
        for exchange in self.recorder.exchanges:
            if b'"initialize"' in exchange.request.body and json.loads(exchange.request.body)["method"] == "initialize":
                opened += 1
                if exchange.answer:
                    ids.add(exchange.answer.header("mcp-session-id"))
            else:
                ids.add(exchange.request.header("mcp-session-id"))
        if opened != (self.era == "legacy") or len(ids) > 1:
            raise Failure(f"{opened} times initialize, session ids {ids}")


def outcome(said, call):
    """In a word; some clients know the errors of the modern era as texts only."""
    # An answer that was cut by a server which has gone on since says so behind the call.
    if said.get("text", "").split(" ")[0] == call:
        return "success"
    error = said.get("error")
    if error and isinstance(error.get("data"), dict):
        return error["data"].get("delivery", "an error")
    if told := re.search(r'"delivery": ?"(\w+)"', said.get("failed", "")):
        return told[1]
    return "an error" if error else "not an answer"
