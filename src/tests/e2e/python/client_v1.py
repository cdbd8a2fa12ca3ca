"""The client of the Python SDK 1.x: runs a scenario over Streamable HTTP or legacy HTTP+SSE."""

import asyncio
import json
from contextlib import asynccontextmanager

import httpx
from mcp import ClientSession, McpError, types
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from transcript import dumped, eventually, main, stream_open
from wired import factory


async def sampled(context, params):
    """Answer every sampling request alike."""
    return types.CreateMessageResult(
        role="assistant", content=types.TextContent(type="text", text="sampled"), model="none", stopReason="endTurn"
    )


async def elicited(context, params):
    """Answer every elicitation alike."""
    return types.ElicitResult(action="accept", content={"colour": "red"})


async def roots(context):
    """One root."""
    return types.ListRootsResult(roots=[types.Root(uri="file:///home", name="home")])


@asynccontextmanager
async def transport(job):
    """The streams of the transport that the job names."""
    if job["transport"] == "sse":
        more = {"httpx_client_factory": factory(httpx, job)} if job.get("http2") else {}
        async with sse_client(job["url"], **more) as streams:
            yield streams
    elif job.get("http2"):
        async with factory(httpx, job)() as client:
            async with streamable_http_client(job["url"], http_client=client) as streams:
                yield streams
    else:
        async with streamable_http_client(job["url"]) as streams:
            yield streams


@asynccontextmanager
async def connected(job, handler=None):
    """A session that is not yet initialized."""
    async with transport(job) as streams:
        async with ClientSession(
            streams[0],
            streams[1],
            sampling_callback=sampled,
            elicitation_callback=elicited,
            list_roots_callback=roots,
            message_handler=handler,
            client_info=types.Implementation(name="python-v1", version="0"),
        ) as session:
            yield session


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
            ref = types.PromptReference(type="ref/prompt", name=step["prompt"])
            return dumped(await session.complete(ref, step["argument"]))
        case "level":
            return dumped(await session.set_logging_level(step["level"]))
        case "subscribe":
            return dumped(await session.subscribe_resource(step["uri"]))
        case "unsubscribe":
            return dumped(await session.unsubscribe_resource(step["uri"]))
        case "changes":
            if job["transport"] == "http":
                await stream_open(job)
            notifications.clear()
            result = await session.call_tool(step["name"], {})
            await eventually(lambda: len(notifications) >= step["expect"])
            return {"result": dumped(result), "changes": sorted(notifications)}


async def script(job, transcript):
    """The whole scenario on one session."""
    with open(job["scenario"]) as file:
        steps = json.load(file)
    notifications = []

    async def on_message(message):
        if isinstance(message, types.ServerNotification):
            if isinstance(message.root, types.LoggingMessageNotification | types.ProgressNotification):
                return
            notifications.append(json.dumps(dumped(message), sort_keys=True))

    async with connected(job, on_message) as session:
        transcript.step("initialize", dumped(await session.initialize()))
        for step in steps:
            if step.get("needs", "none") not in ["none", *job["has"]]:
                continue
            try:
                seen = await perform(session, step, job, notifications)
            except McpError as error:
                seen = {"error": dumped(error.error)}
            transcript.step(f"{step['op']} {step.get('name', '')}".strip(), seen)


async def one_session(job, number):
    """Initialize, call, and leave; raises at the first answer that is not the call's own."""
    async with connected(job) as session:
        await session.initialize()
        for call in range(job["calls"]):
            text = f"{number}/{call}"
            result = await session.call_tool(job["tool"], {job["argument"]: text})
            if result.isError or text not in result.content[0].text:
                raise RuntimeError(f"call {call} was answered {result}")
            await asyncio.sleep(job.get("pause", 0))


main(script, one_session)
