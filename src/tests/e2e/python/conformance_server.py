"""What the conformance suite asks a server for, on the Python SDK 2.x: sessions of the legacy era and the modern era."""

import argparse
import asyncio
import base64
import json
import warnings
from pathlib import Path
from typing import Annotated

from accepting import accept_settings
from event_log import EventLog, per_session
from mcp.server.mcpserver import Context, MCPServer, RequestStateSecurity
from mcp.server.mcpserver.prompts.base import Prompt, PromptArgument, UserMessage
from mcp.shared.exceptions import MCPError
from mcp_types import (
    MISSING_REQUIRED_CLIENT_CAPABILITY,
    Completion,
    ContentBlock,
    InputRequiredResult,
    SamplingMessage,
    TextContent,
)
from pydantic import Field, TypeAdapter
from serving import add_options, serve

warnings.simplefilter("ignore")
arguments = argparse.ArgumentParser()
add_options(arguments)
arguments.add_argument("--scenario", type=Path, required=True)
options = arguments.parse_args()
has = json.loads(options.scenario.read_text())

# Every process has the same key, as replicas of one service have.
server = MCPServer("conformance", version="2", log_level="WARNING", request_state_security=RequestStateSecurity(keys=[b"k" * 32]))
BLOCKS = TypeAdapter(list[ContentBlock])


def chosen(*names, state=None):
    """A result that asks for these."""
    wanted = {name: has["inputs"][name] for name in names}
    return InputRequiredResult.model_validate({"inputRequests": wanted, "requestState": state})


def is_complete(name, answer):
    """An answer has what was asked for, or it is asked again."""
    needed = has["inputs"][name]["params"].get("requestedSchema", {}).get("required", [])
    content = getattr(answer, "content", None)
    given = content if isinstance(content, dict) else {}
    return answer is not None and all(isinstance(given.get(field), (str, bool)) for field in needed)


def add(name, call, schema=None):
    """A tool with a schema that is not derived from a function."""
    server.add_tool(call, name=name, description=name, structured_output=False)
    if schema:
        server._tool_manager._tools[name].parameters = schema


def said(content):
    """A tool that says always the same."""

    async def call() -> list[ContentBlock]:
        return BLOCKS.validate_python(content)

    return call


def asking(name, needs, state=None):
    """A tool that needs answers first."""

    async def call(ctx: Context) -> str | InputRequiredResult:
        answers = ctx.input_responses or {}
        if all(is_complete(each, answers.get(each)) for each in needs):
            return f"{name} is done: {state or 'ok'}"
        return chosen(*needs, state=state)

    return call


def filling(name):
    """A tool that has the client fill a form."""

    async def call(ctx: Context, message: str = "fill this") -> str:
        answer = await ctx.session.elicit_form(message, has["forms"][name], ctx.request_id)
        return f"action={answer.action}, content={json.dumps(answer.content or {})}"

    return call


for name, content in has["contents"].items():
    add(name, said(content), has["schemas"].get(name))
for name, ask in has["asks"].items():
    if name != "test_missing_capability":
        add(name, asking(name, **ask))
for name in has["forms"]:
    add(name, filling(name), has["schemas"].get(name, {"type": "object", "properties": {}}))


@server.tool(structured_output=False)
async def test_missing_capability(ctx: Context) -> str:
    """Refuse who cannot sample."""
    if ctx.client_capabilities is None or ctx.client_capabilities.sampling is None:
        needed = {"requiredCapabilities": {"sampling": {}}}
        raise MCPError(code=MISSING_REQUIRED_CLIENT_CAPABILITY, message="needs sampling", data=needed)
    return "it can"


@server.tool(structured_output=False)
async def test_input_required_result_multi_round(ctx: Context) -> str | InputRequiredResult:
    """Two rounds, and the state tells which."""
    state, answers = json.loads(ctx.request_state or "{}"), ctx.input_responses or {}
    if state.get("round") == 1 and "step1" in answers:
        return chosen("step2", state=json.dumps({"round": 2, "name": answers["step1"].content["name"]}))
    if state.get("round") == 2 and "step2" in answers:
        return f"{state['name']} likes {answers['step2'].content['color']}"
    return chosen("step1", state=json.dumps({"round": 1}))


@server.tool(structured_output=False)
async def test_input_required_result_capabilities(ctx: Context) -> InputRequiredResult:
    """Ask only for what the client can do."""
    can = ctx.client_capabilities
    names = [name for name, able in {"greeting": can.sampling, "user_name": can.elicitation}.items() if able is not None]
    return chosen(*names, state="asked")


@server.tool(structured_output=False)
def test_error_handling() -> str:
    """Fail."""
    raise RuntimeError("This tool intentionally returns an error for testing")


@server.tool(structured_output=False)
def test_x_mcp_header(
    region: Annotated[str, Field(json_schema_extra={"x-mcp-header": "Region"})] = "none", level: int = 0
) -> str:
    """Say which region the header had, too."""
    return f"region={region}"


@server.tool(structured_output=False)
async def test_tool_with_logging(ctx: Context) -> str:
    """Log thrice."""
    for word in ("started", "working", "done"):
        await ctx.info(word)
        await asyncio.sleep(0.02)
    return "logged"


@server.tool(structured_output=False)
async def test_logging_tool(ctx: Context) -> str:
    """Log for who asked for it."""
    await ctx.info("said only to who asked for it")
    return "logged"


@server.tool(structured_output=False)
async def test_tool_with_progress(ctx: Context) -> str:
    """Report progress thrice."""
    for step in (0, 50, 100):
        await ctx.report_progress(step, 100, f"step {step}")
        await asyncio.sleep(0.02)
    return "stepped"


@server.tool(structured_output=False)
async def test_sampling(prompt: str, ctx: Context) -> str:
    """Ask the client for a sample."""
    question = SamplingMessage(role="user", content=TextContent(type="text", text=prompt))
    sample = await ctx.session.create_message([question], max_tokens=100, related_request_id=ctx.request_id)
    return f"LLM response: {sample.content.text}"


@server.tool(structured_output=False)
async def test_reconnection(ctx: Context) -> str:
    """Close the stream of this call before the answer."""
    await ctx.close_sse_stream()
    await asyncio.sleep(0.2)
    return "reconnected"


@server.tool(structured_output=False)
async def test_trigger_tool_change(ctx: Context) -> str:
    """Tell the listeners."""
    await ctx.notify_tools_changed()
    return "changed"


@server.tool(structured_output=False)
async def test_trigger_prompt_change(ctx: Context) -> str:
    """Tell the listeners."""
    await ctx.notify_prompts_changed()
    return "changed"


def add_resource(uri, resource):
    """A fixed resource, of text or bytes."""

    @server.resource(uri, mime_type=resource["mimeType"])
    def read() -> str | bytes:
        return resource["text"] if "text" in resource else base64.b64decode(resource["blob"])


for uri, resource in has["resources"].items():
    add_resource(uri, resource)


@server.resource("test://template/{id}/data", mime_type="application/json")
def template(id: str) -> str:
    """A template."""
    return json.dumps({"id": id})


def add_prompt(name, prompt):
    """A prompt whose words stand in the file."""

    def render(**given) -> list[UserMessage]:
        text = json.dumps(prompt["contents"])
        for word in prompt["arguments"]:
            text = text.replace("{" + word + "}", given[word])
        return [UserMessage(content=content) for content in BLOCKS.validate_json(text)]

    taken = [PromptArgument(name=word, required=True) for word in prompt["arguments"]]
    server.add_prompt(Prompt(name=name, description=name, arguments=taken, fn=render))


for name, prompt in has["prompts"].items():
    add_prompt(name, prompt)


@server.prompt()
async def test_input_required_result_prompt(ctx: Context) -> list[UserMessage] | InputRequiredResult:
    """Ask first."""
    answer = (ctx.input_responses or {}).get("user_context")
    if answer is None:
        return chosen("user_context")
    return [UserMessage(answer.content["context"])]


@server.completion()
async def complete(ref, argument, context):
    """There is nothing to complete."""
    return Completion(values=[], total=0, has_more=False)


accept_settings(server)
app = server.streamable_http_app(event_store=EventLog(), retry_interval=100)
serve(per_session(app), options)
