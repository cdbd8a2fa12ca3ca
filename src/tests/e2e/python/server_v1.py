"""An MCP server on the Python SDK 1.x: Streamable HTTP (SSE or JSON answers) or legacy HTTP+SSE."""

import argparse
import asyncio
import os

from event_log import EventLog, per_session
from holds import Holds
from mcp.server.fastmcp import Context, FastMCP
from mcp.server.fastmcp.prompts.base import UserMessage
from mcp.types import Completion, PromptReference, SamplingMessage, TextContent, ToolAnnotations
from pydantic import AnyUrl, BaseModel
from serving import add_options, serve
from starlette.responses import PlainTextResponse

arguments = argparse.ArgumentParser()
add_options(arguments)
arguments.add_argument("--transport", choices=["sse-answers", "json-answers", "legacy-sse"], required=True)
arguments.add_argument("--ledger", default=os.devnull)
arguments.add_argument("--holds")
options = arguments.parse_args()
holds = Holds(options.holds, options.port, options.ledger)

server = FastMCP(
    "fixture",
    instructions="A server for tests.",
    log_level="WARNING",
    json_response=options.transport == "json-answers",
    event_store=EventLog() if options.transport == "sse-answers" else None,
    retry_interval=50,
)
READ_ONLY = ToolAnnotations(readOnlyHint=True)


class Colour(BaseModel):
    """What the elicitation asks for."""

    colour: str


@server.tool(annotations=READ_ONLY)
def echo(text: str) -> str:
    """Say it again."""
    return text


@server.tool(annotations=READ_ONLY)
async def sleep(milliseconds: int) -> str:
    """Answer later."""
    await asyncio.sleep(milliseconds / 1000)
    return f"slept {milliseconds}"


@server.tool(annotations=ToolAnnotations(readOnlyHint=False, idempotentHint=False))
async def count(call: str, ctx: Context) -> str:
    """Write the call into the ledger."""
    return await holds.perform(call, lambda: ctx.report_progress(1, 2, "executed"))


@server.tool(annotations=READ_ONLY)
async def look(call: str, ctx: Context) -> str:
    """The same, but said to be safe to repeat."""
    return await holds.perform(call, lambda: ctx.report_progress(1, 2, "executed"))


@server.tool(annotations=READ_ONLY)
async def steps(n: int, ctx: Context) -> str:
    """Report progress n times."""
    for step in range(1, n + 1):
        await ctx.report_progress(step, n, f"step {step}")
        await asyncio.sleep(0.01)
    return f"{n} steps"


@server.tool()
async def ask(ctx: Context) -> str:
    """Ask the client for a sample, for input and for its roots."""
    question = SamplingMessage(role="user", content=TextContent(type="text", text="what now?"))
    related = ctx.request_context.request_id
    sample = await ctx.session.create_message([question], max_tokens=10, related_request_id=related)
    answer = await ctx.elicit("which colour?", Colour)
    return f"{sample.content.text}, {answer.action} {answer.data.colour if answer.action == 'accept' else ''}"


@server.tool()
async def announce(ctx: Context) -> str:
    """Send every kind of change notification, outside of this request's stream."""
    await ctx.session.send_tool_list_changed()
    await ctx.session.send_resource_list_changed()
    await ctx.session.send_prompt_list_changed()
    await ctx.session.send_resource_updated(AnyUrl("memo://note"))
    await ctx.session.send_log_message("warning", "announced")
    return "announced"


@server.tool()
async def poll(ctx: Context) -> str:
    """Close the stream of this call before the answer: the client has to resume it."""
    await ctx.report_progress(1, 2, "before the cut")
    await asyncio.sleep(0.05)
    await ctx.close_sse_stream()
    # The client is back long before the rest: all runs see the rest on the resumed stream.
    await asyncio.sleep(0.5)
    await ctx.report_progress(2, 2, "after the cut")
    return "polled"


@server.tool()
def fail() -> str:
    """Answer with an error of the tool."""
    raise ValueError("as asked")


@server.resource("memo://note", name="note", mime_type="text/plain")
def note() -> str:
    """One fixed resource."""
    return "remember the milk"


@server.resource("memo://notes/{name}", name="notes")
def notes(name: str) -> str:
    """A template."""
    return f"note {name}"


@server.prompt()
def greet(name: str) -> list[UserMessage]:
    """Greet someone."""
    return [UserMessage(f"Say hello to {name}.")]


@server.completion()
async def complete(ref, argument, context):
    """Names for the prompt."""
    names = ["ada", "alan", "grace"] if isinstance(ref, PromptReference) else []
    return Completion(values=[name for name in names if name.startswith(argument.value)])


@server._mcp_server.subscribe_resource()
async def subscribe(uri: AnyUrl) -> None:
    """Subscriptions are accepted; `announce` tells of a change."""


@server._mcp_server.unsubscribe_resource()
async def unsubscribe(uri: AnyUrl) -> None:
    """Nothing is remembered, so nothing is forgotten."""


@server._mcp_server.set_logging_level()
async def set_level(level) -> None:
    """Every level is sent anyway."""


@server.custom_route("/sessions", methods=["GET"])
async def sessions(request) -> PlainTextResponse:
    """How many MCP sessions there are."""
    return PlainTextResponse(str(len(server.session_manager._server_instances)))


app = server.sse_app() if options.transport == "legacy-sse" else server.streamable_http_app()
serve(per_session(holds.around(app)), options)
