"""One client's session in one batch: what it is told, and whether the ledger agrees."""

import contextlib
import itertools
import json
import re

from harness.driver import PATIENCE, Client
from harness.process import Failure
from suites.matrix.moments import LEGACY_SSE

_numbers = itertools.count(1)
# Within this the call after a loss has to be answered.
NEXT = 5
# The status of an answer that says `not_sent` (rules 19 and 20). HTTP+SSE answers on the stream.
NOT_SENT = {"legacy": "200", "modern": "503", LEGACY_SSE: "202"}


class Cell:
    """A session of one client, one tool, and the calls it made."""

    def __init__(self, stage, play, driver, recorders):
        self.stage, self.play = stage, play
        self.moment, self.tool = play.moment, play.tool
        self.driver = driver
        self.name = f"{play.client.name}-{self.tool}-{next(_numbers)}"
        self.recorder = recorders.record(stage.proxy.address)
        self.era = "legacy" if play.client.era == "legacy" else "modern"
        self.client = None
        self.failure = None
        self.told = {}
        # Where its servers stop, and which calls they have shown to have by stopping.
        self.point = None
        self.stood = set()
        self._calls = itertools.count(1)
        self.flight = None

    @property
    def title(self):
        """As the checks have it."""
        return f"{self.moment.name}: {self.play.client.name}, {self.tool}"

    def connect(self, token=None):
        """Begin to connect."""
        url = f"http://127.0.0.1:{self.recorder.port}{self.stage.kind.path}"
        self.client = Client(self.driver, self.name, url, self.era, self.stage.kind.client_transport, token)

    def leave(self):
        """End the session if it can be ended."""
        with contextlib.suppress(Failure, AttributeError):
            self.client.does("close", seconds=5)

    def arm(self, point):
        """The first server to get there stops."""
        self.point = point
        self.stage.holds.arm(point)

    def stands(self, victim):
        """That server does."""
        port = self.stage.holds.reached(self.point)
        if port != victim.port:
            raise Failure(f"{self.point} was reached on {port} instead of {victim.port}")
        if self.flight:
            self.stood.add(self.flight_call)

    def begin(self, point=None):
        """Begin a call that stops at that point."""
        self.flight_call = f"{self.name}.{next(self._calls)}"
        if point:
            self.arm(f"{self.flight_call}.{point}")
        self.flight = self.client.call(self.tool, self.flight_call)

    def land(self, words=frozenset({"success"}), seconds=PATIENCE):
        """What the caller is told of the call that was begun: one of these words."""
        try:
            said = self.flight.wait(seconds)
        except Failure as hangs:
            raise Failure(f"{hangs}\n{self.seen(self.flight_call)}") from None
        self.told[self.flight_call] = word = outcome(said, self.flight_call)
        if word not in words:
            raise Failure(f"{word} instead of {' or '.join(words)}: {said}\n{self.seen(self.flight_call)}")
        self.flight = None
        return word

    def exchange(self, call):
        """The exchange that carries a call."""
        return next((each for each in self.recorder.exchanges if f'"{call}"'.encode() in each.request.body), None)

    def seen(self, call):
        """What went to the client in answer to a call."""
        answer = (exchange := self.exchange(call)) and exchange.answer
        return f"{answer.start[1:]} {answer.headers} {bytes(answer.body[-1500:])}" if answer else "no answer"

    def calls(self, times=1):
        """Calls that have to succeed."""
        for _ in range(times):
            self.begin()
            self.land(seconds=NEXT)

    def verify(self, executed):
        """Compare with the ledgers and with what the recorder has seen."""
        for call, word in self.told.items():
            self._is_true(call, word, executed[call])
        self._is_one_session()

    def _is_true(self, call, word, times):
        # A tool that is safe to repeat may have been.
        right = times >= 1 if word == "success" and self.tool == "look" else times == {"success": 1}.get(word, 0)
        if word == "unknown":
            # Bytes of the call have been written, as a server shows that has stopped with it. Where that was behind the
            # ledger it has run, and before it may yet, if the server was only frozen.
            right = call in self.stood and times in ({0, 1} if self.moment.point == "begun" else {1})
        if not right:
            stood = "stood" if call in self.stood else "has not stood"
            raise Failure(f"{call}: told {word}, executed {times} times; a server {stood} with it")
        expected = NOT_SENT[LEGACY_SSE if self.stage.kind.transport == LEGACY_SSE else self.era]
        if word == "not_sent" and self.exchange(call).answer.start[1] != expected:
            raise Failure(f"not {expected}: {self.seen(call)}")

    def _is_one_session(self):
        """One `initialize` in the legacy era, and all that follows has the same session id, or in HTTP+SSE the same stream
        and the same address."""
        legacy_sse = self.stage.kind.transport == LEGACY_SSE
        opened, ids, streams = 0, set(), 0
        for exchange in self.recorder.exchanges:
            asked = exchange.request
            streams += asked.start[0] == "GET"
            begins = b'"initialize"' in asked.body and json.loads(asked.body)["method"] == "initialize"
            opened += begins
            if legacy_sse:
                ids |= {asked.start[1]} if asked.start[0] == "POST" else set()
            elif not begins:
                ids.add(asked.header("mcp-session-id"))
            elif exchange.answer:
                ids.add(exchange.answer.header("mcp-session-id"))
        if opened != (self.era == "legacy") or len(ids) > 1 or (legacy_sse and streams != 1):
            raise Failure(f"{opened} times initialize, {streams} streams, session ids {ids}")


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
