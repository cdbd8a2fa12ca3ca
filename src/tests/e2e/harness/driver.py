"""Clients that live long: one process of an SDK, told what to do call by call."""

import itertools
import json
import queue
import subprocess
import threading
import time

from harness.catalogue import CLIENTS
from harness.process import Failure, Process

# Longer than any call of ours takes; what takes longer hangs.
PATIENCE = 25


def drivers(suite):
    """One process of every SDK, by its name."""
    programs = {client.program: client.driver(suite) for client in CLIENTS}
    return {program: Driver(suite, program, argv) for program, argv in programs.items()}


class Driver:
    """One process of an SDK with any number of sessions."""

    def __init__(self, suite, name, argv):
        self.name = name
        self._process = Process(argv, suite.work / f"driver-{name}.log", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._numbers = itertools.count(1)
        self._waiting = {}
        self.heard = {}
        self._news = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self._process.child.stdout:
            said = json.loads(line)
            with self._news:
                if "id" in said:
                    self._waiting.pop(said["id"]).put(said)
                else:
                    self.heard.setdefault(said["session"], []).append(said["heard"])
                self._news.notify_all()

    def ask(self, **command):
        """Have something done; the answer is there when it is waited for."""
        number = next(self._numbers)
        answer = self._waiting[number] = queue.Queue()
        self._process.child.stdin.write(json.dumps({"id": number, **command}).encode() + b"\n")
        self._process.child.stdin.flush()
        return Answer(number, command, answer)

    def hears(self, session, text, seconds=5, times=1):
        """Wait until a session has heard something so many times."""
        with self._news:
            if not self._news.wait_for(lambda: self.heard.get(session, []).count(text) >= times, seconds):
                raise Failure(f"{text} was not heard in {seconds} s, but {self.heard.get(session, [])}")

    def tail(self):
        """The end of what it logged."""
        return self._process.tail(10)

    def stop(self):
        """End it."""
        self._process.kill()


class Answer:
    """What will be said to one command."""

    def __init__(self, number, command, answer):
        self.number = number
        self._command = command
        self._answer = answer
        self._said = None

    def wait(self, seconds=PATIENCE):
        """What the driver says; a client that says nothing hangs."""
        if self._said is None:
            began = time.monotonic()
            try:
                self._said = self._answer.get(timeout=seconds)
            except queue.Empty:
                raise Failure(f"{self._command} hangs: nothing in {time.monotonic() - began:.0f} s") from None
        return self._said


class Client:
    """One session of a driver."""

    def __init__(self, driver, name, url, era, transport, token=None):
        self.driver = driver
        self.name = name
        self._opening = driver.ask(op="connect", session=name, url=url, era=era, transport=transport, token=token)

    def connected(self, seconds=PATIENCE):
        """Wait until it is."""
        said = self._opening.wait(seconds)
        if "done" not in said:
            raise Failure(f"{self.name} does not connect: {said}")
        return self

    def call(self, tool, call):
        """Begin a call."""
        return self.driver.ask(op="call", session=self.name, tool=tool, arguments={"call": call})

    def does(self, op, seconds=PATIENCE, **more):
        """Something that has to succeed."""
        said = self.driver.ask(op=op, session=self.name, **more).wait(seconds)
        if "error" in said or "failed" in said:
            raise Failure(f"{self.name}: {op} fails: {said}")
        return said
