"""HTTP/2 for both Python clients, by ALPN over TLS and by prior knowledge in the clear."""


async def _over_http2(response):
    """Fail if another HTTP was spoken."""
    if response.http_version != "HTTP/2":
        raise RuntimeError(f"{response.http_version} was spoken")


def factory(library, job):
    """Makes clients of httpx, or of its successor, for that job."""

    def client(headers=None, timeout=None, auth=None):
        return library.AsyncClient(
            # Without TLS nothing is negotiated, and HTTP/2 is spoken only if it is all there is.
            http1=job["url"].startswith("https:"),
            http2=True,
            headers=headers,
            timeout=timeout or library.Timeout(30, read=300),
            auth=auth,
            event_hooks={"response": [_over_http2]},
        )

    return client
