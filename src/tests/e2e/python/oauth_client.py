"""A client of the Python SDK 1.x that is let in by OAuth: it finds the server, registers, gets a token and refreshes it."""

import argparse
import asyncio
import json
from urllib.parse import parse_qs, urlsplit

import httpx
from mcp import ClientSession
from mcp.client.auth import OAuthClientProvider, TokenStorage
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthClientMetadata

arguments = argparse.ArgumentParser(description=__doc__)
arguments.add_argument("--url", required=True)
arguments.add_argument("--browser", required=True, help="the address that the user's browser comes from")
options = arguments.parse_args()


class Memory(TokenStorage):
    """Keeps every token it was given."""

    def __init__(self):
        self.tokens, self.client = [], None

    async def get_tokens(self):
        return self.tokens[-1] if self.tokens else None

    async def set_tokens(self, tokens):
        self.tokens.append(tokens)

    async def get_client_info(self):
        return self.client

    async def set_client_info(self, client_info):
        self.client = client_info


async def main():
    """Call, wait until the token is too old, call again."""
    memory, answer = Memory(), {}

    async def visit(url):
        # A user who agrees: on another machine than the client, as with hosted agents.
        transport = httpx.AsyncHTTPTransport(local_address=options.browser)
        async with httpx.AsyncClient(transport=transport) as browser:
            response = await browser.get(url)
        if not response.is_redirect:
            raise RuntimeError(f"{response.status_code} {response.text}")
        answer.update(parse_qs(urlsplit(response.headers["location"]).query))

    async def come_back():
        return answer["code"][0], answer.get("state", [None])[0]

    provider = OAuthClientProvider(
        server_url=options.url,
        client_metadata=OAuthClientMetadata(
            client_name="agent",
            redirect_uris=["http://127.0.0.1:9/callback"],
            grant_types=["authorization_code", "refresh_token"],
            response_types=["code"],
            scope="use",
        ),
        storage=memory,
        redirect_handler=visit,
        callback_handler=come_back,
    )
    said = []
    async with (
        httpx.AsyncClient(auth=provider, timeout=30) as http,
        streamable_http_client(options.url, http_client=http) as streams,
        ClientSession(streams[0], streams[1]) as session,
    ):
        await session.initialize()
        for _ in range(3):
            result = await session.call_tool("whoami", {})
            said.append(result.content[0].text)
            await asyncio.sleep(3)
    print(json.dumps({"said": said, "tokens": len(memory.tokens), "client": memory.client.client_id}))


asyncio.run(main())
