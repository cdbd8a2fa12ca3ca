"""The client of the Python SDK 1.x, driven by the harness."""

import asyncio
from contextlib import asynccontextmanager

from driver import Driver
from mcp import ClientSession, McpError, types
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client


@asynccontextmanager
async def connected(command, driven):
    """An initialized session."""

    async def on_message(message):
        if isinstance(message, types.ServerNotification):
            driven.heard(message.root.method)

    async with transport(command, driven) as streams:
        info = types.Implementation(name=command["session"], version="0")
        async with ClientSession(streams[0], streams[1], message_handler=on_message, client_info=info) as session:
            await session.initialize()
            yield session


@asynccontextmanager
async def transport(command, driven):
    """The streams of the transport that is wanted."""
    if command["transport"] == "sse":
        async with sse_client(command["url"]) as streams:
            yield streams
        return
    async with create_mcp_http_client() as http:
        http.event_hooks["request"].append(driven.sign)
        async with streamable_http_client(command["url"], http_client=http) as streams:
            yield streams


async def call(session, tool, arguments, progress):
    """The text of a call."""
    result = await session.call_tool(tool, arguments, progress_callback=progress)
    return {"failed": str(result)} if result.isError else {"text": result.content[0].text}


def error(exception):
    """What the server has answered."""
    if isinstance(exception, McpError):
        return {"code": exception.error.code, "message": exception.error.message, "data": exception.error.data}
    return None


async def more(session, driven, command):
    """The other things a session can do."""
    match command["op"]:
        case "tools":
            return {"tools": sorted(tool.name for tool in (await session.list_tools()).tools)}


asyncio.run(Driver(connected, call, error, more).run())
