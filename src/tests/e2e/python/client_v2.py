"""The client of the Python SDK 2.x: runs a scenario in the legacy or the modern era."""

import asyncio
import json
import warnings
from contextlib import asynccontextmanager

import httpx2
import mcp_types as types
from mcp import Client, MCPError
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from transcript import dumped, eventually, main, stream_open
from wired import factory

warnings.simplefilter("ignore")


async def sampled(context, params):
    """Answer every sampling request alike."""
    return types.CreateMessageResult(
        role="assistant", content=types.TextContent(type="text", text="sampled"), model="none", stop_reason="endTurn"
    )


async def elicited(context, params):
    """Answer every elicitation alike."""
    return types.ElicitResult(action="accept", content={"colour": "red"})


async def roots(context):
    """One root."""
    return types.ListRootsResult(roots=[types.Root(uri="file:///home", name="home")])


def transport(job):
    """The transport that the job names, or only its URL."""
    if job["transport"] == "sse":
        more = {"httpx_client_factory": factory(httpx2, job)} if job.get("http2") else {}
        return sse_client(job["url"], **more)
    return over_http2(job) if job.get("http2") else job["url"]


@asynccontextmanager
async def over_http2(job):
    """The streams of Streamable HTTP over HTTP/2."""
    async with factory(httpx2, job)() as http_client:
        async with streamable_http_client(job["url"], http_client=http_client) as streams:
            yield streams


def client(job, handler=None):
    """A client that is not yet connected."""
    return Client(
        transport(job),
        mode="legacy" if job["era"] == "legacy" else "auto",
        sampling_callback=sampled,
        elicitation_callback=elicited,
        list_roots_callback=roots,
        message_handler=handler,
        client_info=types.Implementation(name="python-v2", version="0"),
        cache=None,
    )


async def changes(session, step, job, notifications):
    """Everything that `announce` announces: on the GET stream, or in the modern era on a listen stream."""
    if session.protocol_version < "2026":
        if job["transport"] == "http":
            await stream_open(job)
        notifications.clear()
        result = await session.call_tool(step["name"], {})
        await eventually(lambda: len(notifications) >= step["expect"])
        return {"result": dumped(result), "changes": sorted(notifications)}
    events = []
    async with session.listen(
        tools_list_changed=True,
        prompts_list_changed=True,
        resources_list_changed=True,
        resource_subscriptions=[step["uri"]],
    ) as subscription:
        result = await session.call_tool(step["name"], {})
        async with asyncio.timeout(5):
            async for event in subscription:
                events.append(repr(event))
                if len(events) >= step["expect"]:
                    break
    return {"result": dumped(result), "changes": sorted(events), "honored": dumped(subscription.honored)}


async def perform(session, step, job, notifications):
    """One step; what it returns goes into the transcript."""
    match step["op"]:
        case "ping":
            return dumped(await session.send_ping())
        case "list_tools":
            return dumped(await session.list_tools())
        case "list_resources":
            return dumped(await session.list_resources())
        case "list_templates":
            return dumped(await session.list_resource_templates())
        case "list_prompts":
            return dumped(await session.list_prompts())
        case "call":
            progress = []

            async def on_progress(done, total, message):
                progress.append([done, total, message])

            callback = on_progress if step.get("progress") else None
            result = await session.call_tool(step["name"], step["arguments"], progress_callback=callback)
            return {"result": dumped(result), "progress": progress}
        case "read":
            return dumped(await session.read_resource(step["uri"]))
        case "prompt":
            return dumped(await session.get_prompt(step["name"], step["arguments"]))
        case "complete":
            ref = types.PromptReference(name=step["prompt"])
            return dumped(await session.complete(ref, step["argument"]))
        case "level":
            return dumped(await session.set_logging_level(step["level"]))
        case "subscribe":
            return dumped(await session.subscribe_resource(step["uri"]))
        case "unsubscribe":
            return dumped(await session.unsubscribe_resource(step["uri"]))
        case "changes":
            return await changes(session, step, job, notifications)


async def script(job, transcript):
    """The whole scenario on one client."""
    with open(job["scenario"]) as file:
        steps = json.load(file)
    notifications = []
    ignored = (types.LoggingMessageNotification, types.ProgressNotification)

    async def on_message(message):
        if isinstance(message, types.ServerNotification) and not isinstance(message, ignored):
            notifications.append(json.dumps(dumped(message), sort_keys=True))

    async with client(job, on_message) as session:
        known = {"version": session.protocol_version, "capabilities": dumped(session.server_capabilities)}
        transcript.step("connect", known)
        for step in steps:
            if step.get("needs", "none") not in ["none", *job["has"]]:
                continue
            try:
                seen = await perform(session, step, job, notifications)
            except MCPError as error:
                seen = {"error": dumped(error.error)}
            transcript.step(f"{step['op']} {step.get('name', '')}".strip(), seen)


async def one_session(job, number):
    """Connect, call, and leave; raises at the first answer that is not the call's own."""
    async with client(job) as session:
        for call in range(job["calls"]):
            text = f"{number}/{call}"
            result = await session.call_tool(job["tool"], {job["argument"]: text})
            if result.is_error or text not in result.content[0].text:
                raise RuntimeError(f"call {call} was answered {result}")
            await asyncio.sleep(job.get("pause", 0))


main(script, one_session)
