"""How an application is served: HTTP/1.1 by uvicorn, or every HTTP by hypercorn, each in the clear or over TLS."""

import asyncio


def add_options(arguments):
    """Where it listens, and what is spoken there."""
    arguments.add_argument("--port", type=int, required=True)
    arguments.add_argument("--cert")
    arguments.add_argument("--key")
    arguments.add_argument("--http2", action="store_true")


def serve(app, options):
    """Serves until the process ends."""
    if options.http2:
        asyncio.run(_hypercorn(app, options))
        return
    import uvicorn

    uvicorn.run(
        app,
        host="127.0.0.1",
        port=options.port,
        log_level="warning",
        timeout_graceful_shutdown=1,
        ssl_certfile=options.cert,
        ssl_keyfile=options.key,
    )


async def _hypercorn(app, options):
    from hypercorn.asyncio import serve
    from hypercorn.config import Config

    config = Config()
    config.bind = [f"127.0.0.1:{options.port}"]
    config.certfile, config.keyfile = options.cert, options.key
    config.keep_alive_max_requests = 1_000_000
    config.loglevel = "WARNING"
    await serve(app, config, mode="asgi")
