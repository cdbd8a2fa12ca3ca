"""A modern client of the Python SDK 2.x: reads a list page by page, answers questions and listens, in several phases."""

import asyncio
import json
import sys
import warnings
from pathlib import Path

import mcp_types as types
from mcp import Client, MCPError
from mcp.client.subscriptions import SubscriptionLost

warnings.simplefilter("ignore")


async def sampled(context, params):
    """Answer every sampling request alike."""
    return types.CreateMessageResult(
        role="assistant", content=types.TextContent(type="text", text="sampled"), model="none", stop_reason="endTurn"
    )


async def elicited(context, params):
    """Answer every elicitation alike."""
    return types.ElicitResult(action="accept", content={"colour": "red"})


async def whole_list(session):
    """All pages of the list of resources; how many resources, and how many pages."""
    count, pages, cursor = 0, 0, None
    while True:
        page = await session.list_resources(cursor=cursor)
        count, pages, cursor = count + len(page.resources), pages + 1, page.next_cursor
        if cursor is None:
            return count, pages


async def heard(session, job, events):
    """Whether a change is heard that one of the servers, whichever it is, announces."""
    before = len(events)
    for _ in range(3 * job["peers"]):
        await session.call_tool("announce", {})
        await asyncio.sleep(0.2)
        if len(events) > before:
            return True
    return False


async def go_on(job, phase):
    """Tell that a phase is over, and wait until the next may begin."""
    Path(f"{job['out']}.over{phase}").touch()
    while not Path(f"{job['out']}.next{phase}").exists():
        await asyncio.sleep(0.05)


async def run(job):
    """All phases on one client and one listening stream."""
    failures, events, phases = [], [], []

    async def listen(subscription):
        try:
            async for event in subscription:
                events.append(repr(event))
            failures.append("the subscription has ended")
        except SubscriptionLost as error:
            failures.append(f"the subscription is lost: {error}")

    client = Client(
        job["url"], mode="auto", sampling_callback=sampled, elicitation_callback=elicited, cache=None
    )
    async with client as session, session.listen(resources_list_changed=True) as subscription:
        listening = asyncio.create_task(listen(subscription))
        for phase in range(job["phases"]):
            for _ in range(job["rounds"]):
                try:
                    listed = await whole_list(session)
                    if listed != (job["resources"], job["pages"]):
                        failures.append(f"{phase}: {listed} resources and pages")
                    if job["asks"]:
                        answer = await session.call_tool("ask", {})
                        if answer.is_error or "red" not in answer.content[0].text:
                            failures.append(f"{phase}: asked {answer}")
                except MCPError as error:
                    failures.append(f"{phase}: {error}")
            phases.append(await heard(session, job, events))
            await go_on(job, phase)
        listening.cancel()
    Path(job["out"]).write_text(json.dumps({"failures": failures, "heard": phases}))


asyncio.run(run(json.loads(Path(sys.argv[1]).read_text())))
