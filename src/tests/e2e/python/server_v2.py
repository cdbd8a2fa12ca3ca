"""An MCP server on the Python SDK 2.x: Streamable HTTP, sessions of the legacy era and the modern era on one URL."""

import argparse
import asyncio
import os
import warnings

from accepting import accept_settings
from event_log import EventLog, per_session
from holds import Holds
from mcp import MCPError
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.prompts.base import UserMessage
from mcp_types import (
    INVALID_PARAMS,
    Completion,
    CreateMessageRequest,
    CreateMessageRequestParams,
    ElicitRequest,
    ElicitRequestFormParams,
    InputRequiredResult,
    ListResourcesResult,
    PaginatedRequestParams,
    PromptReference,
    Resource,
    SamplingMessage,
    TextContent,
    ToolAnnotations,
)
from pydantic import BaseModel
from serving import add_options, serve
from starlette.responses import PlainTextResponse

warnings.simplefilter("ignore")
arguments = argparse.ArgumentParser()
add_options(arguments)
arguments.add_argument("--transport", choices=["sse-answers", "json-answers"], required=True)
arguments.add_argument("--ledger", default=os.devnull)
arguments.add_argument("--holds")
arguments.add_argument("--pages", action="store_true")
options = arguments.parse_args()
holds = Holds(options.holds, options.port, options.ledger)

server = MCPServer("fixture", instructions="A server for tests.", version="2", log_level="WARNING")
READ_ONLY = ToolAnnotations(read_only_hint=True)
MODERN = "2026-07-28"


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


@server.tool(annotations=ToolAnnotations(read_only_hint=False, idempotent_hint=False))
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


@server.tool(structured_output=False)
async def ask(ctx: Context) -> str | InputRequiredResult:
    """Ask the client for a sample and for input: by requests of ours, or in the modern era by the result."""
    question = SamplingMessage(role="user", content=TextContent(type="text", text="what now?"))
    if ctx.protocol_version == MODERN:
        if ctx.input_responses is None:
            schema = {"type": "object", "properties": {"colour": {"type": "string"}}, "required": ["colour"]}
            return InputRequiredResult(
                input_requests={
                    "sample": CreateMessageRequest(
                        params=CreateMessageRequestParams(messages=[question], max_tokens=10)
                    ),
                    "colour": ElicitRequest(
                        params=ElicitRequestFormParams(message="which colour?", requested_schema=schema)
                    ),
                },
                request_state="asked once",
            )
        sample, answer = ctx.input_responses["sample"], ctx.input_responses["colour"]
        return f"{sample.content.text}, {answer.action} {answer.content['colour']}, {ctx.request_state}"
    sample = await ctx.session.create_message([question], max_tokens=10, related_request_id=ctx.request_id)
    answer = await ctx.elicit("which colour?", Colour)
    return f"{sample.content.text}, {answer.action} {answer.data.colour if answer.action == 'accept' else ''}"


@server.tool()
async def announce(ctx: Context) -> str:
    """Send every kind of change notification, outside of this request's stream."""
    if ctx.protocol_version == MODERN:
        await ctx.notify_tools_changed()
        await ctx.notify_resources_changed()
        await ctx.notify_prompts_changed()
        await ctx.notify_resource_updated("memo://note")
        return "announced"
    await ctx.session.send_tool_list_changed()
    await ctx.session.send_resource_list_changed()
    await ctx.session.send_prompt_list_changed()
    await ctx.session.send_resource_updated("memo://note")
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


# `announce` sends everything anyway.
accept_settings(server)


@server.custom_route("/sessions", methods=["GET"])
async def sessions(request) -> PlainTextResponse:
    """How many MCP sessions there are."""
    return PlainTextResponse(str(len(server.session_manager._server_instances)))


OURS = os.urandom(8).hex()


async def pages(ctx, params):
    """Five resources in pages of two; a cursor means nothing to another process."""
    mine, _, at = (params.cursor or f"{OURS}:0").partition(":")
    if mine != OURS:
        raise MCPError(INVALID_PARAMS, "not a cursor of mine")
    at = int(at)
    resources = [Resource(uri=f"memo://{number}", name=f"{number}") for number in range(5)[at : at + 2]]
    return ListResourcesResult(resources=resources, next_cursor=f"{OURS}:{at + 2}" if at + 2 < 5 else None)


if options.pages:
    server._lowlevel_server.add_request_handler("resources/list", PaginatedRequestParams, pages)

app = server.streamable_http_app(
    json_response=options.transport == "json-answers",
    event_store=EventLog() if options.transport == "sse-answers" else None,
    retry_interval=50,
)
serve(per_session(holds.around(app)), options)
