"""An MCP server of the Python SDK 1.x that is its own authorization server (MCP 2025-03-26 and later).

Clients and codes are in its memory only, as in small servers; tokens are signed with a secret that all replicas know.
"""

import argparse
import hashlib
import hmac
import json
import secrets
import time

import uvicorn
from mcp.server.auth.provider import (
    AccessToken,
    AuthorizationCode,
    AuthorizationParams,
    OAuthAuthorizationServerProvider,
    RefreshToken,
    construct_redirect_uri,
)
from mcp.server.auth.settings import AuthSettings, ClientRegistrationOptions
from mcp.server.fastmcp import FastMCP
from mcp.shared.auth import OAuthClientInformationFull, OAuthToken

arguments = argparse.ArgumentParser(description=__doc__)
arguments.add_argument("--port", type=int, required=True)
arguments.add_argument("--issuer", required=True, help="where clients find the authorization server")
options = arguments.parse_args()
SECRET = b"known to all replicas"
LIFETIME = 2


def signed(claims):
    """A token that any replica can read; each has other bytes."""
    body = json.dumps(claims | {"jti": secrets.token_hex(4)}).encode().hex()
    return body + "." + hmac.new(SECRET, body.encode(), hashlib.sha256).hexdigest()


def opened(token):
    """What a token says; none if it is not ours."""
    body, _, mark = token.partition(".")
    if not hmac.compare_digest(mark, hmac.new(SECRET, body.encode(), hashlib.sha256).hexdigest()):
        return None
    return json.loads(bytes.fromhex(body))


class Provider(OAuthAuthorizationServerProvider[AuthorizationCode, RefreshToken, AccessToken]):
    """Lets everybody in who registered here."""

    def __init__(self):
        self.clients, self.codes = {}, {}

    async def get_client(self, client_id):
        return self.clients.get(client_id)

    async def register_client(self, client_info: OAuthClientInformationFull):
        self.clients[client_info.client_id] = client_info

    async def authorize(self, client, params: AuthorizationParams):
        code = AuthorizationCode(
            code=secrets.token_urlsafe(24),
            client_id=client.client_id,
            scopes=params.scopes or ["use"],
            expires_at=time.time() + 60,
            code_challenge=params.code_challenge,
            redirect_uri=params.redirect_uri,
            redirect_uri_provided_explicitly=params.redirect_uri_provided_explicitly,
            resource=params.resource,
        )
        self.codes[code.code] = code
        return construct_redirect_uri(str(params.redirect_uri), code=code.code, state=params.state)

    async def load_authorization_code(self, client, authorization_code):
        return self.codes.get(authorization_code)

    async def exchange_authorization_code(self, client, authorization_code):
        del self.codes[authorization_code.code]
        return self._tokens(client.client_id, authorization_code.scopes)

    async def load_refresh_token(self, client, refresh_token):
        claims = opened(refresh_token)
        if not claims or claims["use"] != "refresh":
            return None
        return RefreshToken(token=refresh_token, client_id=claims["client"], scopes=claims["scopes"])

    async def exchange_refresh_token(self, client, refresh_token, scopes):
        return self._tokens(client.client_id, scopes or refresh_token.scopes)

    async def load_access_token(self, token):
        claims = opened(token)
        if not claims or claims["use"] != "access" or claims["until"] < time.time():
            return None
        return AccessToken(token=token, client_id=claims["client"], scopes=claims["scopes"], expires_at=int(claims["until"]) + 1)

    async def revoke_token(self, token):
        pass

    @staticmethod
    def _tokens(client, scopes):
        claims = {"client": client, "scopes": scopes, "until": time.time() + LIFETIME + 1}
        return OAuthToken(
            access_token=signed(claims | {"use": "access"}),
            refresh_token=signed(claims | {"use": "refresh"}),
            expires_in=LIFETIME,
            scope=" ".join(scopes),
        )


server = FastMCP(
    "protected",
    auth_server_provider=Provider(),
    auth=AuthSettings(
        issuer_url=options.issuer,
        # What it takes itself for: no client knows it by that.
        resource_server_url=f"http://127.0.0.1:{options.port}/mcp",
        validate_token_resource=False,
        client_registration_options=ClientRegistrationOptions(enabled=True, valid_scopes=["use"], default_scopes=["use"]),
        required_scopes=["use"],
    ),
)


@server.tool()
def whoami() -> str:
    """The port it listens on."""
    return str(options.port)


uvicorn.run(server.streamable_http_app(), host="127.0.0.1", port=options.port, log_level="info", timeout_graceful_shutdown=1)
