"""Pages that answer when a client's stream is open, for runs that no recorder can look into."""

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Pages:
    """One listener; a page for each proxy."""

    def __init__(self):
        self._proxies = []
        proxies = self._proxies

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                _until_open(proxies[int(self.path.split("/")[1])])
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *arguments):
                """Nobody reads it."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def page(self, proxy):
        """Where its only client asks: `/stream` under this."""
        self._proxies.append(proxy)
        return f"http://127.0.0.1:{self._server.server_port}/{len(self._proxies) - 1}"

    def close(self):
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()


def _until_open(proxy):
    """A client that waits has one request under way, if any: its stream. What sees nothing else sees it for a while."""
    deadline, seen = time.monotonic() + 8, 0
    while time.monotonic() < deadline and seen < 5:
        active = [value for name, value in proxy.metrics().items() if name.startswith("backstay_peer_requests_active{")]
        seen = seen + 1 if sum(active) == 1 else 0
        time.sleep(0.02)
