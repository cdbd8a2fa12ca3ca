"""Points at which a server stops, so that the harness can kill it at exactly that moment."""

import asyncio
import json
from pathlib import Path

# A tool's text with this in it is cut in two: the first half leaves, the rest waits.
CUT = b"#cut:"


class Holds:
    """A folder of files: one that bears the name of a point arms it, for the first server that gets there.

    The server renames the file to say that it stands at the point, and goes on when it is removed.
    """

    def __init__(self, folder, port, ledger):
        self._folder = Path(folder) if folder else None
        self._port = port
        self._ledger = ledger
        self._opened = self._opening = self._at_once = 0

    def armed(self, point):
        """Whether somebody is to stop there."""
        return self._folder is not None and (self._folder / point).exists()

    async def at(self, point):
        """Stop if the point is armed."""
        if not self.armed(point):
            return
        standing = self._folder / f"{point}.{self._port}"
        try:
            (self._folder / point).rename(standing)
        except FileNotFoundError:
            return
        while standing.exists():
            await asyncio.sleep(0.02)

    async def perform(self, call, progress):
        """What both tools do: write the call into the ledger; all points are on the way. The tool's text."""
        await self.at(f"{call}.begun")
        # The line leaves in one write(2) when the file is closed; what the kernel has, a `kill -9` of the process leaves.
        with open(self._ledger, "a") as ledger:
            ledger.write(call + "\n")
        await self.at(f"{call}.done")
        if self.armed(f"{call}.event"):
            await progress()
            await self.at(f"{call}.event")
        return f"{call} {CUT.decode()}{call}.body#" if self.armed(f"{call}.body") else call

    def around(self, app):
        """The application, which stops where an answer is cut and where a client is first heard; `/openings` counts those."""

        async def held(scope, receive, send):
            if scope["type"] != "http" or scope["method"] != "POST" or self._folder is None:
                if scope.get("path") == "/openings":
                    await _answer(send, {"opened": self._opened, "at_once": self._at_once})
                else:
                    await app(scope, receive, send)
                return
            body = await _whole(receive)
            opening = _opening(body)
            pending = [{"type": "http.request", "body": body, "more_body": False}]

            async def replayed():
                return pending.pop() if pending else await receive()

            async def cut(message):
                if opening and message["type"] == "http.response.start":
                    await self.at(opening)
                    self._opened += message["status"] == 200
                if CUT in message.get("body", b""):
                    whole = message["body"]
                    middle = whole.index(CUT)
                    await send({**message, "body": whole[:middle], "more_body": True})
                    await self.at(whole[middle + len(CUT) :].split(b"#")[0].decode())
                    message = {**message, "body": whole[middle:]}
                await send(message)

            self._opening += bool(opening)
            self._at_once = max(self._at_once, self._opening)
            try:
                await app(scope, replayed, cut)
            finally:
                self._opening -= bool(opening)

        return held


async def _answer(send, value):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": json.dumps(value).encode()})


async def _whole(receive):
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            return body


def _opening(body):
    """The point of a client's first request, `opening-` and the client's name; none of the proxy's own probes."""
    try:
        message = json.loads(body)
        params = message["params"]
        if message["method"] == "initialize":
            name = params["clientInfo"]["name"]
        elif message["method"] == "server/discover":
            name = params["_meta"]["io.modelcontextprotocol/clientInfo"]["name"]
        else:
            return None
    except (ValueError, KeyError, TypeError):
        return None
    return None if name == "backstay-probe" else f"opening-{name}"
