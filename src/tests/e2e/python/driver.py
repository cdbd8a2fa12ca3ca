"""A client that does what it is told on standard input, a JSON object per line; and says on standard output what came of it.

One process has many sessions of one SDK. Each lives in a task of its own, since the SDKs want a session to be left by the
task that entered it; calls run beside each other.
"""

import asyncio
import json
import sys
import traceback


def say(**line):
    """One line for the harness."""
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def causes(error):
    """What a group of exceptions holds: the SDKs' task groups wrap whatever happens inside."""
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(causes(each) for each in error.exceptions)
    return "".join(traceback.format_exception_only(error)).strip()


class Driven:
    """One session: `opened` is the SDK's session once it is there, `ended` is set when the SDK gave it up."""

    def __init__(self, name, token):
        self.name = name
        self.token = token
        self.leave = asyncio.Event()
        self.opened = asyncio.get_running_loop().create_future()

    async def sign(self, request):
        """The token of the moment, on every request of the session."""
        if self.token:
            request.headers["authorization"] = f"Bearer {self.token}"

    def heard(self, method):
        """The server has announced something."""
        say(session=self.name, heard=method)

    async def run(self, connected):
        """From the first request to the last."""
        try:
            async with connected as session:
                self.opened.set_result(session)
                await self.leave.wait()
        except BaseException as error:
            if not self.opened.done():
                self.opened.set_exception(error)
            raise


class Driver:
    """`connected(command, driven)` makes a session, `call(session, tool, arguments, progress)` returns a call's text,
    `error(exception)` is what the server has answered, or None if the exception is something else."""

    def __init__(self, connected, call, error, more):
        self._connected, self._call, self._error, self._more = connected, call, error, more
        self._sessions = {}

    async def run(self):
        """Until standard input ends."""
        reader = asyncio.StreamReader(limit=1 << 20)
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        running = set()
        while line := await reader.readline():
            task = asyncio.create_task(self._one(json.loads(line)))
            running.add(task)
            task.add_done_callback(running.discard)

    async def _one(self, command):
        try:
            say(id=command["id"], **await self._perform(command))
        except Exception as error:
            answered = self._error(error)
            say(id=command["id"], **({"error": answered} if answered else {"failed": causes(error)}))

    async def _perform(self, command):
        name = command["session"]
        if command["op"] == "connect":
            driven = self._sessions[name] = Driven(name, command.get("token"))
            driven.task = asyncio.create_task(driven.run(self._connected(command, driven)))
            await asyncio.wait([driven.opened, driven.task], return_when=asyncio.FIRST_COMPLETED)
            await driven.opened
            return {"done": True}
        driven = self._sessions[name]
        match command["op"]:
            case "token":
                driven.token = command["token"]
                return {"done": True}
            case "close":
                driven.leave.set()
                await driven.task
                del self._sessions[name]
                return {"done": True}
        session = driven.opened.result()
        work = asyncio.ensure_future(self._work(session, driven, command))
        # A session that dies may leave its calls waiting for ever.
        await asyncio.wait([work, driven.task], return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            await asyncio.wait([work], timeout=0.5)
        if work.done():
            return work.result()
        work.cancel()
        return {"failed": f"the session died: {causes(driven.task.exception() or RuntimeError('it ended'))}"}

    async def _work(self, session, driven, command):
        if command["op"] != "call":
            return await self._more(session, driven, command)

        async def progress(done, total, message):
            say(session=driven.name, heard=f"progress of {command['id']}")

        return await self._call(session, command["tool"], command["arguments"], progress)
