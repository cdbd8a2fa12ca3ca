"""The events of each session, kept in memory so that a cut stream can be resumed."""

import contextvars
import uuid

_session = contextvars.ContextVar("session")


class EventLog:
    """What both SDKs call an event store; the two base classes have the same two methods.

    The SDKs name a stream by the JSON-RPC id of its request, which every session counts from the start, so each session
    has a log of its own: `per_session` says which one a request, and the task it starts, belongs to.
    """

    async def store_event(self, stream_id, message):
        """Keep one message (None for a priming event) and give it the next id."""
        events = _session.get()
        events.append((stream_id, message))
        return f"{stream_id}/{len(events)}"

    async def replay_events_after(self, last_event_id, send_callback):
        """Send what the stream of that id has had since."""
        from mcp.server.streamable_http import EventMessage

        stream_id, _, number = last_event_id.rpartition("/")
        if not number.isdigit():
            return None
        for later, (stream, message) in enumerate(_session.get()[int(number) :], int(number) + 1):
            if stream == stream_id and message is not None:
                await send_callback(EventMessage(message, f"{stream}/{later}"))
        return stream_id


def per_session(app):
    """The application, with the log of its session around each request."""
    sessions = {}

    async def with_session(scope, receive, send):
        headers = dict(scope.get("headers", []))
        events = sessions.get(headers.get(b"mcp-session-id", uuid.uuid4()), [])
        _session.set(events)

        async def noting_the_id(message):
            if message["type"] == "http.response.start":
                session = dict(message["headers"]).get(b"mcp-session-id")
                sessions.setdefault(session, events)
            await send(message)

        await app(scope, receive, noting_the_id)

    return with_session
