"""A server of HTTP/1.1 and HTTP/2 on one port that breaks off: resets of connections and streams, and goodbyes.

Every seventh request meets the next fate. The ledger has a line for each post that ran, and for each that the peer said it
had not looked at, and a line for each fate; posts are named by the query.
"""

import argparse
import asyncio
import itertools
import socket
import ssl
import struct

import h2.config
import h2.connection
import h2.events
from h2.errors import ErrorCodes
from hyperframe.frame import GoAwayFrame

arguments = argparse.ArgumentParser()
arguments.add_argument("--port", type=int, required=True)
arguments.add_argument("--ledger", required=True)
arguments.add_argument("--cert")
arguments.add_argument("--key")
arguments.add_argument("--polite", action="store_true")
options = arguments.parse_args()

BLOB = b"b" * 1024
STREAM_FATES = itertools.cycle(["refused", "cancelled", "internal", "goodbye", "left-out", "reset"])
CONNECTION_FATES = itertools.cycle(["reset-unread", "reset-ran", "reset-idle", "reset-half"])
RUDE_EVERY = 7
turns = itertools.count(1)
ledger = open(options.ledger, "a", buffering=1)


def note(path, word):
    """A line about a post."""
    if path.startswith("/count?"):
        ledger.write(f"{path.partition('?')[2]} {word}\n")


def fate(fates):
    """What becomes of the next request; most are served."""
    if options.polite or next(turns) % RUDE_EVERY:
        return None
    chosen = next(fates)
    ledger.write(f"fate {chosen}\n")
    return chosen


def said(path):
    """Status and body of an answer."""
    if path.startswith("/count?"):
        return 200, b"noted"
    return (200, BLOB) if path == "/blob" else (404, b"nothing here")


def reset(writer):
    """End the connection with RST, whatever was not sent yet."""
    linger = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()


class Streams:
    """A connection of HTTP/2."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer
        self.http = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        self.paths, self.running, self.last = {}, set(), None
        # The highest stream that ran: a goodbye may not say that it did not. A post ends after streams that began later.
        self.highest = 0

    async def serve(self, begun):
        """Until either side leaves, or all is done that was taken before a goodbye."""
        self.http.initiate_connection()
        data = begun
        while data:
            for event in self.http.receive_data(data):
                match event:
                    case h2.events.RequestReceived():
                        self.paths[event.stream_id] = dict(event.headers)[":path"]
                    case h2.events.DataReceived():
                        self.http.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                    case h2.events.StreamEnded():
                        self.take(event.stream_id)
                    case h2.events.StreamReset():
                        self.running.discard(event.stream_id)
            self.flush()
            if self.writer.is_closing():
                return
            data = await self.reader.read(65536)

    def flush(self):
        """Send what there is."""
        if not self.writer.is_closing():
            self.writer.write(self.http.data_to_send())

    def take(self, stream):
        """A whole request."""
        path = self.paths.pop(stream)
        if self.last is not None and stream > self.last:
            note(path, "refused")
            return
        chosen = fate(STREAM_FATES) if self.last is None else None
        if chosen == "refused":
            note(path, "refused")
            self.http.reset_stream(stream, ErrorCodes.REFUSED_STREAM)
            return
        if chosen == "left-out" and stream > self.highest:
            note(path, "refused")
            self.goodbye(stream - 2)
            return
        note(path, "ran")
        self.running.add(stream)
        self.highest = max(self.highest, stream)
        if chosen in ("goodbye", "left-out"):
            self.goodbye(self.highest)
        asyncio.create_task(self.answer(stream, path, chosen))

    def goodbye(self, last):
        """GOAWAY; streams up to that one are still served, later ones were not looked at (RFC 9113 section 6.8)."""
        self.last = last
        self.flush()
        # The library takes a goodbye for the end of everything.
        self.writer.write(GoAwayFrame(0, last_stream_id=last).serialize())
        self.leave()

    def leave(self):
        """Close after a goodbye when nothing runs; the body of what was taken may still be on its way."""
        if self.last is not None and not self.running and all(stream > self.last for stream in self.paths):
            self.writer.close()

    async def answer(self, stream, path, chosen):
        """What ran is answered a little later, or not at all."""
        await asyncio.sleep(0.002)
        if stream not in self.running or self.writer.is_closing():
            return
        self.running.discard(stream)
        if chosen == "reset":
            reset(self.writer)
            return
        if chosen in ("cancelled", "internal"):
            code = ErrorCodes.CANCEL if chosen == "cancelled" else ErrorCodes.INTERNAL_ERROR
            self.http.reset_stream(stream, code)
        else:
            status, body = said(path)
            self.http.send_headers(stream, [(":status", str(status)), ("content-length", str(len(body)))])
            self.http.send_data(stream, body, end_stream=True)
        self.flush()
        self.leave()


async def requests(reader, writer, begun):
    """A connection of HTTP/1.1, whose first bytes were read."""
    while True:
        head = begun + await reader.readuntil(b"\r\n\r\n")
        begun = b""
        path = head.split(b" ", 2)[1].decode()
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        await reader.readexactly(int(length or 0))
        chosen = fate(CONNECTION_FATES)
        if chosen == "reset-unread":
            return reset(writer)
        note(path, "ran")
        await asyncio.sleep(0.002)
        if chosen == "reset-ran":
            return reset(writer)
        status, body = said(path)
        answer = b"HTTP/1.1 %d \r\ncontent-length: %d\r\n\r\n%s" % (status, len(body), body)
        writer.write(answer[:12] if chosen == "reset-half" else answer)
        await writer.drain()
        if chosen in ("reset-half", "reset-idle"):
            # The next request may be on its way.
            await asyncio.sleep(0.002)
            return reset(writer)


async def connection(reader, writer):
    """One client."""
    try:
        begun = await reader.readexactly(4)
        if begun == b"PRI ":
            await Streams(reader, writer).serve(begun)
        else:
            await requests(reader, writer, begun)
    except (OSError, asyncio.IncompleteReadError):
        pass
    finally:
        writer.close()


async def main():
    """Serves until it is killed."""
    tls = None
    if options.cert:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(options.cert, options.key)
        tls.set_alpn_protocols(["h2", "http/1.1"])
    server = await asyncio.start_server(connection, "127.0.0.1", options.port, ssl=tls)
    await server.serve_forever()


asyncio.run(main())
