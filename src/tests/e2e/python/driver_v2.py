"""The client of the Python SDK 2.x, in the era that each session asks for, driven by the harness."""

import asyncio
import warnings
from contextlib import asynccontextmanager

import mcp_types as types
from driver import Driver
from mcp import Client, MCPError
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client

warnings.simplefilter("ignore")


@asynccontextmanager
async def connected(command, driven):
    """A client that has found out the era."""

    async def on_message(message):
        if isinstance(message, types.ServerNotification):
            driven.heard(message.method)

    async with create_mcp_http_client() as http:
        http.event_hooks["request"].append(driven.sign)
        url = command["url"]
        async with Client(
            sse_client(url) if command["transport"] == "sse" else streamable_http_client(url, http_client=http),
            mode="legacy" if command["era"] == "legacy" else "auto",
            message_handler=on_message,
            client_info=types.Implementation(name=command["session"], version="0"),
            cache=None,
        ) as client:
            if (client.protocol_version >= "2026") != (command["era"] == "modern"):
                raise RuntimeError(f"settled on {client.protocol_version}")
            yield client


async def call(client, tool, arguments, progress):
    """The text of a call."""
    result = await client.call_tool(tool, arguments, progress_callback=progress)
    return {"failed": str(result)} if result.is_error else {"text": result.content[0].text}


def error(exception):
    """What the server has answered."""
    if isinstance(exception, MCPError):
        return {"code": exception.error.code, "message": exception.error.message, "data": exception.error.data}
    return None


async def listen(client, driven, opened):
    """A listen stream, as long as it lasts."""
    try:
        async with client.listen(tools_list_changed=True) as subscription:
            opened.set_result({"done": True})
            async for event in subscription:
                if "Tool" in type(event).__name__:
                    driven.heard("notifications/tools/list_changed")
        driven.heard("the end of listening")
    except Exception as failure:
        driven.heard(f"the end of listening: {failure!r}")
        if not opened.done():
            opened.set_exception(failure)


async def more(client, driven, command):
    """The other things a client can do."""
    match command["op"]:
        case "tools":
            return {"tools": sorted(tool.name for tool in (await client.list_tools()).tools)}
        case "listen":
            opened = asyncio.get_running_loop().create_future()
            driven.listening = asyncio.create_task(listen(client, driven, opened))
            return await opened


asyncio.run(Driver(connected, call, error, more).run())
