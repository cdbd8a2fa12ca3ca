"""The moments at which a server is lost, and the cells that they make with clients and tools."""

from dataclasses import dataclass, replace
from itertools import product

from harness.catalogue import CLIENTS, Client, server

JSON, SSE, LEGACY_SSE = "json-answers", "sse-answers", "legacy-sse"
# One that is said to be safe to repeat, and one that is not.
TOOLS = ("look", "count")


@dataclass(frozen=True)
class Moment:
    """When the server is lost: at `point` of a call, if it has one."""

    name: str
    point: str | None = None
    # The transports of its servers.
    answers: tuple = (JSON, SSE, LEGACY_SSE)

    def words(self, tool):
        """What may be told of a call that meets it. A server that stands at a point has seen the call."""
        if self is NOBODY:
            return {"not_sent"}
        return {"success"} if tool == "look" else {"success", "unknown"}


IDLE = Moment("idle")
OPENING = Moment("during initialize")
STREAM = Moment("a stream open")
# All servers are lost, and a call begins then.
NOBODY = Moment("no server left")
MOMENTS = [
    IDLE,
    Moment("before the call runs", "begun", (JSON, LEGACY_SSE)),
    Moment("before the head", "done", (JSON,)),
    Moment("in a JSON answer", "body", (JSON,)),
    Moment("before an event", "done", (SSE, LEGACY_SSE)),
    Moment("after an event", "event", (SSE, LEGACY_SSE)),
    Moment("in the last event", "body", (SSE,)),
    OPENING,
    STREAM,
    NOBODY,
]


@dataclass(frozen=True)
class Play:
    """What one cell is about."""

    client: Client
    moment: Moment
    tool: str


def kind_of(name, transport):
    """The servers of a stage."""
    path = "/sse" if transport == LEGACY_SSE else "/mcp"
    return replace(server(name), transport=transport, path=path)


def title_of(kind):
    """How a stage over such servers is called."""
    return f"{kind.name}-{kind.transport.removesuffix('-answers')}"


def plays(kind, moments=MOMENTS, tools=TOOLS):
    """Every cell that such servers can have."""
    return [Play(*each) for each in product(CLIENTS, moments, tools) if _fits(kind, *each)]


def _fits(kind, client, moment, _tool):
    """The era of `auto` is the newest that the servers have, so it stands for the modern one. A server without sessions
    has no stream in the legacy era."""
    if kind.transport not in moment.answers:
        return False
    if kind.transport == LEGACY_SSE and not client.speaks_legacy_sse:
        return False
    if client.era == "legacy":
        return "legacy" in kind.eras and (moment is not STREAM or "changes" in kind.has)
    return "modern" in kind.eras
