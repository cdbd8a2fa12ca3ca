"""A server for every HTTP: cleartext HTTP/1.1 and HTTP/2 on one port, the same over TLS on the other."""

import argparse
import asyncio
import hashlib
import os

from hypercorn.asyncio import serve
from hypercorn.config import Config

arguments = argparse.ArgumentParser()
arguments.add_argument("--port", type=int, required=True)
arguments.add_argument("--secure-port", type=int, required=True)
arguments.add_argument("--cert", required=True)
arguments.add_argument("--key", required=True)
arguments.add_argument("--ledger", default=os.devnull)
options = arguments.parse_args()

BLOCK = bytes(range(256)) * 64
BIG = 10 << 20


async def app(scope, receive, send):
    """One request, by its path."""
    if scope["type"] == "http":
        await {
            "/hello": hello,
            "/echo": echo,
            "/digest": digest,
            "/big": big,
            "/trailers": trailers,
            "/refuse": refuse,
            "/begins-early": begins_early,
            "/count": count,
        }[scope["path"]](scope, receive, send)


async def head(scope, send, status=200, **fields):
    """The head of an answer; it says which HTTP the request came by."""
    said = {"content-type": "text/plain", "x-spoken": f"{scope['scheme']} {scope['http_version']}"} | fields
    headers = [(name.replace("_", "-").encode(), value.encode()) for name, value in said.items()]
    await send({"type": "http.response.start", "status": status, "headers": headers})


async def body(send, data, more=False):
    """A piece of an answer."""
    await send({"type": "http.response.body", "body": data, "more_body": more})


async def pieces(receive):
    """The body of a request as it comes."""
    while True:
        event = await receive()
        if event["type"] == "http.disconnect":
            return
        if event["body"]:
            yield event["body"]
        if not event["more_body"]:
            return


async def hello(scope, receive, send):
    """A short text."""
    await head(scope, send, content_length="6")
    await body(send, b"hello\n")


async def echo(scope, receive, send):
    """What comes goes back as it comes."""
    await head(scope, send)
    async for piece in pieces(receive):
        await body(send, piece, more=True)
    await body(send, b"")


async def digest(scope, receive, send):
    """What came, in a few words."""
    seen, length = hashlib.sha256(), 0
    async for piece in pieces(receive):
        seen.update(piece)
        length += len(piece)
    await head(scope, send)
    await body(send, f"{length} {seen.hexdigest()}\n".encode())


async def big(scope, receive, send):
    """Ten mebibytes."""
    await head(scope, send, content_length=str(BIG))
    for _ in range(BIG // len(BLOCK)):
        await body(send, BLOCK, more=True)
    await body(send, b"")


async def trailers(scope, receive, send):
    """A body with fields after it; only over HTTP/2."""
    said = {"content-type": "text/plain", "trailer": "x-checksum"}
    headers = [(name.encode(), value.encode()) for name, value in said.items()]
    await send({"type": "http.response.start", "status": 200, "headers": headers, "trailers": True})
    await body(send, b"body\n")
    await send({"type": "http.response.trailers", "headers": [(b"x-checksum", b"42")]})


async def refuse(scope, receive, send):
    """Does not want the body."""
    await head(scope, send, 413, content_length="9")
    await body(send, b"too much\n")


async def begins_early(scope, receive, send):
    """Begins to answer, reads the whole body, and ends the answer."""
    await head(scope, send)
    await body(send, BLOCK * 8, more=True)
    length = 0
    async for piece in pieces(receive):
        length += len(piece)
    await body(send, str(length).encode())


async def count(scope, receive, send):
    """Notes the query, and answers a little later."""
    async for _ in pieces(receive):
        pass
    with open(options.ledger, "a") as ledger:
        ledger.write(scope["query_string"].decode() + "\n")
    await asyncio.sleep(0.01)
    await head(scope, send)
    await body(send, b"noted\n")


config = Config()
config.bind = [f"127.0.0.1:{options.secure_port}"]
config.insecure_bind = [f"127.0.0.1:{options.port}"]
config.certfile, config.keyfile = options.cert, options.key
config.keep_alive_max_requests = 1_000_000
asyncio.run(serve(app, config, mode="asgi"))
