"""Subscriptions and log levels that a server on the Python SDK 2.x accepts and forgets."""

from mcp_types import EmptyResult, SetLevelRequestParams, SubscribeRequestParams, UnsubscribeRequestParams


async def _accept(ctx, params):
    return EmptyResult()


def accept_settings(server):
    """The SDK has no decorators for them."""
    for method, params in {
        "resources/subscribe": SubscribeRequestParams,
        "resources/unsubscribe": UnsubscribeRequestParams,
        "logging/setLevel": SetLevelRequestParams,
    }.items():
        server._lowlevel_server.add_request_handler(method, params, _accept)
