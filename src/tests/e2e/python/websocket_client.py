"""A WebSocket client: plays every scenario, or holds sockets open while servers die. A line of JSON for each result."""

import argparse
import asyncio
import base64
import json
import os
import socket
import ssl
import sys
import traceback
from urllib.parse import urlsplit

import h2.config
import h2.connection
import h2.events
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

LARGEST = 16 << 20


class Player:
    """The scenarios, against one proxy."""

    def __init__(self, url, ca, deflate):
        self.url, self.ca = url, ca
        self.tls = ssl.create_default_context(cafile=ca) if ca else None
        self.compression = "deflate" if deflate else None

    def open(self, path):
        """A socket."""
        return connect(self.url + path, ssl=self.tls, compression=self.compression, max_size=LARGEST, proxy=None)

    async def text_and_bytes(self):
        async with self.open("/echo") as ws:
            for message in ["", "hello", "höhe " * 30_000, b"", b"\x00\xff" * 50_000]:
                await ws.send(message)
                assert await ws.recv() == message, "the message is another"

    async def compressed_if_agreed(self):
        async with self.open("/echo") as ws:
            agreed = [extension.name for extension in ws.protocol.extensions]
            assert agreed == (["permessage-deflate"] if self.compression else []), agreed

    async def fragments(self):
        pieces = ["one ", "two ", "three"]
        async with self.open("/fragments") as ws:
            await ws.send(pieces)
            came = [piece async for piece in ws.recv_streaming()]
        # The library ends a message of fragments with an empty one.
        assert came[:3] == pieces and not any(came[3:]), came

    async def pings(self):
        async with self.open("/ping") as ws:
            assert await ws.recv() == "there"
        async with self.open("/echo") as ws:
            waiting = await ws.ping(b"and you")
            await waiting

    async def close_codes(self):
        async with self.open("/close") as ws:
            try:
                await ws.recv()
            except ConnectionClosed as closed:
                assert (closed.rcvd.code, closed.rcvd.reason) == (4321, "enough"), closed
            else:
                raise AssertionError("it is open")
        ws = await self.open("/echo")
        await ws.close(4000, "mine")
        assert (ws.close_code, ws.close_reason) == (4000, "mine"), ws.close_code

    async def a_refusal_is_heard(self):
        for path, status in [("/refused", 403), ("/nowhere", 404)]:
            try:
                await self.open(path)
            except InvalidStatus as refused:
                assert refused.response.status_code == status, refused
            else:
                raise AssertionError("it was not refused")

    async def ten_mebibytes(self):
        async with self.open("/echo") as ws:
            message = os.urandom(10 << 20)
            await ws.send(message)
            assert await ws.recv() == message, "the message is another"

    async def ten_mebibytes_both_ways_at_once(self):
        async with self.open("/flood") as ws:
            sending = asyncio.create_task(self.flood(ws))
            for number in range(160):
                assert await ws.recv() == bytes([number]) * (64 << 10), number
            await sending
            assert await ws.recv() == str(10 << 20)

    @staticmethod
    async def flood(ws):
        for number in range(160):
            await ws.send(bytes([255 - number]) * (64 << 10))

    async def sixty_four_at_once(self):
        async def one(number):
            async with self.open("/echo") as ws:
                for turn in range(20):
                    text = f"{number}: {turn}"
                    await ws.send(text)
                    assert await ws.recv() == text

        await asyncio.gather(*(one(number) for number in range(64)))

    async def half_close(self):
        """Says goodbye and closes its half at once, and hears the answer; done by hand, as no library does it."""
        await asyncio.to_thread(self.by_hand)

    def by_hand(self):
        address = urlsplit(self.url)
        raw = socket.create_connection((address.hostname, address.port), 20)
        wire = self.tls.wrap_socket(raw, server_hostname="localhost") if self.tls else raw
        key = base64.b64encode(os.urandom(16)).decode()
        head = f"GET /echo HTTP/1.1\r\nHost: {address.netloc}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        head += f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
        # A masked frame with the text `hi`, which does not wait for the 101.
        wire.sendall(head.encode() + b"\x81\x82\0\0\0\0hi")
        came = b""
        while not came.endswith(b"\x81\x02hi"):
            piece = wire.recv(4096)
            assert piece, came
            came += piece
        assert came.startswith(b"HTTP/1.1 101 "), came
        # A close with 1000. Python's TLS has no half-close.
        wire.sendall(b"\x88\x82\0\0\0\0\x03\xe8")
        if not self.tls:
            raw.shutdown(socket.SHUT_WR)
        came = b""
        while piece := wire.recv(4096):
            came += piece
        wire.close()
        assert came == b"\x88\x02\x03\xe8", came

    async def over_http2(self):
        """A stream of HTTP/2 becomes the socket (RFC 8441); no library does it, so it is done by hand."""
        await asyncio.to_thread(self.a_stream)

    async def ten_mebibytes_over_http2(self):
        """A message that has to wait for windows, in both directions."""
        await asyncio.to_thread(self.a_full_stream)

    def opened(self):
        """A stream that has become a socket, with its connection and what was seen of it."""
        address = urlsplit(self.url)
        wire = socket.create_connection((address.hostname, address.port), 20)
        if self.tls:
            tls = ssl.create_default_context(cafile=self.ca)
            tls.set_alpn_protocols(["h2"])
            wire = tls.wrap_socket(wire, server_hostname="localhost")
        connection = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        connection.initiate_connection()
        wire.sendall(connection.data_to_send())
        seen = {"status": None, "data": bytearray(), "ended": False, "settled": False}
        while not seen["settled"]:
            self.receive(wire, connection, seen)
        assert connection.remote_settings.enable_connect_protocol == 1, "extended CONNECT is not offered"
        scheme = "https" if self.tls else "http"
        head = [(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", scheme), (":path", "/echo")]
        head += [(":authority", address.netloc), ("sec-websocket-version", "13")]
        connection.send_headers(1, head)
        wire.sendall(connection.data_to_send())
        while seen["status"] is None:
            self.receive(wire, connection, seen)
        assert seen["status"] == "200", seen
        return wire, connection, seen

    def a_full_stream(self):
        wire, connection, seen = self.opened()
        message = os.urandom(10 << 20)
        length = len(message).to_bytes(8, "big")
        # A masked frame, and an unmasked one with the same bytes.
        left, answer = memoryview(b"\x82\xff" + length + bytes(4) + message), b"\x82\x7f" + length + message
        while left:
            room = min(connection.local_flow_control_window(1), connection.max_outbound_frame_size, len(left))
            if room:
                connection.send_data(1, bytes(left[:room]))
                left = left[room:]
                wire.sendall(connection.data_to_send())
            else:
                self.receive(wire, connection, seen)
        while len(seen["data"]) < len(answer):
            self.receive(wire, connection, seen)
        assert seen["data"] == answer, "the message is another"
        wire.close()

    def a_stream(self):
        wire, connection, seen = self.opened()
        # A masked frame with the text `hi`, its echo, and goodbye.
        for frame, answer in [(b"\x81\x82\0\0\0\0hi", b"\x81\x02hi"), (b"\x88\x82\0\0\0\0\x03\xe8", b"\x88\x02\x03\xe8")]:
            seen["data"].clear()
            connection.send_data(1, frame)
            wire.sendall(connection.data_to_send())
            while len(seen["data"]) < len(answer):
                self.receive(wire, connection, seen)
            assert seen["data"] == answer, seen
        connection.end_stream(1)
        wire.sendall(connection.data_to_send())
        while not seen["ended"]:
            self.receive(wire, connection, seen)
        wire.close()

    @staticmethod
    def receive(wire, connection, seen):
        came = wire.recv(65536)
        assert came, f"the connection has ended: {seen}"
        for event in connection.receive_data(came):
            if isinstance(event, h2.events.RemoteSettingsChanged):
                seen["settled"] = True
            elif isinstance(event, h2.events.ResponseReceived):
                seen["status"] = dict(event.headers)[":status"]
            elif isinstance(event, h2.events.DataReceived):
                seen["data"] += event.data
                connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, h2.events.StreamEnded):
                seen["ended"] = True
            elif isinstance(event, h2.events.StreamReset):
                raise AssertionError(f"the stream was reset: {event}")
        wire.sendall(connection.data_to_send())

    async def all(self, streams):
        """One line for each; without those that a server cannot play its part of whose sockets are streams of HTTP/2.

        ASGI shows it no fragments and no pings, and hypercorn ends the connection of a client that half-closes.
        """
        scenarios = [] if streams else [self.compressed_if_agreed, self.fragments, self.pings, self.half_close]
        scenarios += [
            self.text_and_bytes,
            self.close_codes,
            self.a_refusal_is_heard,
            self.ten_mebibytes,
            self.ten_mebibytes_both_ways_at_once,
            self.sixty_four_at_once,
            self.over_http2,
            self.ten_mebibytes_over_http2,
        ]
        for scenario in scenarios:
            error = None
            try:
                # Against a hang only; nothing here is measured.
                await asyncio.wait_for(scenario(), 60)
            except Exception:
                error = traceback.format_exc()
            print(json.dumps({"scenario": scenario.__name__, "error": error}), flush=True)

    async def hold(self, count):
        """Holds sockets; for each line of input, says who still answers, and who answers new ones."""
        held = [await self.open("/who") for _ in range(count)]
        names = [await ws.recv() for ws in held]
        print(json.dumps(names), flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            new = []
            for _ in range(int(line)):
                async with self.open("/who") as ws:
                    new.append(await ws.recv())
            alive = [name for ws, name in zip(held, names, strict=True) if await self.answers(ws)]
            print(json.dumps({"alive": alive, "new": new}), flush=True)

    @staticmethod
    async def answers(ws):
        try:
            await ws.send("still there")
            return await asyncio.wait_for(ws.recv(), 20) == "still there"
        except ConnectionClosed:
            return False


def main():
    """All scenarios; or with `--hold N` sockets that are held."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("url")
    arguments.add_argument("--ca")
    arguments.add_argument("--deflate", action="store_true")
    arguments.add_argument("--streams", action="store_true")
    arguments.add_argument("--hold", type=int)
    options = arguments.parse_args()
    player = Player(options.url, options.ca, options.deflate)
    asyncio.run(player.all(options.streams) if options.hold is None else player.hold(options.hold))


if __name__ == "__main__":
    main()
