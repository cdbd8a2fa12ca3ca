"""A listener in place of a dead server: it takes connections, notes what they are for, and closes them."""

import contextlib
import socket
import threading


class BlackHole:
    """Counts probes and requests apart."""

    def __init__(self, port):
        self.requests = 0
        self.probes = 0
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("127.0.0.1", port))
        self._socket.listen(1024)
        self._closed = False
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while not self._closed:
            with contextlib.suppress(OSError):
                connection, _ = self._socket.accept()
                threading.Thread(target=self._swallow, args=[connection], daemon=True).start()

    def _swallow(self, connection):
        sent = b""
        with contextlib.suppress(OSError), connection:
            connection.settimeout(0.2)
            sent = connection.recv(65536)
        # The load asks for the blob, or by the name `load`; a probe that connects and says nothing is a probe, too.
        if b"GET /blob" in sent or b'"load"' in sent:
            self.requests += 1
        else:
            self.probes += 1

    def close(self):
        """Free the port."""
        self._closed = True
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
