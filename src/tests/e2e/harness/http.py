"""Reading HTTP/1.1 messages from an asyncio stream, as far as the suites need it."""

import asyncio
from dataclasses import dataclass, field


@dataclass
class Message:
    """A request or an answer; the body grows while it is read."""

    start: list
    headers: list
    body: bytearray = field(default_factory=bytearray)

    def header(self, name):
        """The value of a header, or None."""
        return next((value for each, value in self.headers if each == name), None)


async def read_head(reader):
    """Start line and headers, names in lower case; None at the end of the connection."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    start, *lines = head.decode("latin-1").split("\r\n")[:-2]
    headers = [line.partition(":")[::2] for line in lines]
    return Message(start.split(" ", 2), [(name.lower(), value.strip()) for name, value in headers])


async def read_body(reader, message, *, request=None):
    """The body after that head, by the rules of RFC 9112 section 6.3, as far as it comes."""
    if request is not None and _has_no_body(request, message):
        return
    if "chunked" in (message.header("transfer-encoding") or ""):
        await _read_chunks(reader, message.body)
        return
    length = message.header("content-length")
    if length is None and request is None:
        return
    left = float("inf") if length is None else int(length)
    while left:
        piece = await reader.read(min(left, 65536))
        if not piece:
            break
        left -= len(piece)
        message.body.extend(piece)


def _has_no_body(request, answer):
    return request.start[0] == "HEAD" or answer.start[1] in ("204", "304")


async def _read_chunks(reader, body):
    try:
        while True:
            size = int((await reader.readuntil(b"\r\n")).split(b";")[0], 16)
            if size:
                body.extend(await reader.readexactly(size))
            await reader.readuntil(b"\r\n")
            if not size:
                return
    except (asyncio.IncompleteReadError, ValueError):
        return
