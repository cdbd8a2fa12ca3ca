"""Uploads that no ordinary client makes: one that reads nothing until it has ended, and one that never ends."""

import json
import socket
import ssl
import sys

import h2.config
import h2.connection
import h2.events

UPLOAD = 10 << 20
PIECE = b"u" * 16384


def connected(job):
    """A connection to the proxy that speaks what the job says."""
    stream = socket.create_connection(("127.0.0.1", job["port"]), 20)
    # Otherwise each wait for room waits for the other side's delayed acknowledgement too.
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if job["ca"]:
        context = ssl.create_default_context(cafile=job["ca"])
        context.set_alpn_protocols([job["alpn"]])
        stream = context.wrap_socket(stream, server_hostname="127.0.0.1")
    stream.settimeout(20)
    return stream


class Http1:
    """A connection of HTTP/1.1."""

    def __init__(self, job):
        self.stream = connected(job)

    def begin(self, path):
        """The head of an upload."""
        head = f"POST {path} HTTP/1.1\r\nHost: wire\r\nContent-Length: {UPLOAD}\r\n\r\n"
        self.stream.sendall(head.encode())

    def send(self, piece, *, last):
        """Some of the body; nothing is read meanwhile."""
        self.stream.sendall(piece)

    def answer(self):
        """Status and body."""
        received = b""
        while b"\r\n\r\n" not in received:
            received += self._more()
        head, _, body = received.partition(b"\r\n\r\n")
        status = int(head.split(b" ")[1])
        head = head.lower()
        if b"content-length:" in head:
            length = int(head.partition(b"content-length:")[2].split(b"\r\n")[0])
            while len(body) < length:
                body += self._more()
            return status, body
        whole = b""
        while True:
            while b"\r\n" not in body:
                body += self._more()
            size, _, body = body.partition(b"\r\n")
            size = int(size, 16)
            while len(body) < size + 2:
                body += self._more()
            if size == 0:
                return status, whole
            whole, body = whole + body[:size], body[size + 2 :]

    def _more(self):
        data = self.stream.recv(65536)
        if not data:
            raise EOFError("the connection ended")
        return data


class Http2:
    """A connection of HTTP/2; what comes of the answer is kept, and no room is made for more of it while uploading."""

    def __init__(self, job):
        self.stream = connected(job)
        self.scheme = "https" if job["ca"] else "http"
        config = h2.config.H2Configuration(client_side=True)
        self.connection = h2.connection.H2Connection(config)
        self.connection.initiate_connection()
        self.status, self.body, self.ended, self.unread = None, b"", False, 0

    def begin(self, path):
        """The head of an upload."""
        fields = [(":method", "POST"), (":scheme", self.scheme), (":authority", "wire"), (":path", path)]
        self.connection.send_headers(1, [*fields, ("content-length", str(UPLOAD))])
        self._flush()

    def send(self, piece, *, last):
        """Some of the body, when there is room."""
        while self.connection.local_flow_control_window(1) < len(piece):
            self._receive()
        self.connection.send_data(1, piece, end_stream=last)
        self._flush()

    def answer(self):
        """Status and body."""
        while not self.ended:
            if self.unread:
                self.connection.acknowledge_received_data(self.unread, 1)
                self.unread = 0
                self._flush()
            self._receive()
        return self.status, self.body

    def _flush(self):
        self.stream.sendall(self.connection.data_to_send())

    def _receive(self):
        data = self.stream.recv(65536)
        if not data:
            raise EOFError("the connection ended")
        for event in self.connection.receive_data(data):
            match event:
                case h2.events.ResponseReceived():
                    self.status = int(dict(event.headers)[b":status"])
                case h2.events.DataReceived():
                    self.body += event.data
                    self.unread += event.flow_controlled_length
                case h2.events.StreamEnded():
                    self.ended = True
                case h2.events.StreamReset():
                    # After a whole answer this says that the rest of the upload is not wanted.
                    if not self.ended:
                        raise EOFError(f"the stream was reset: {event.error_code}")
                case h2.events.ConnectionTerminated():
                    raise EOFError(f"the connection was ended: {event.error_code}")
        self._flush()


def perform(job):
    """One upload; status, length and end of the answer."""
    client = Http2(job) if job["alpn"] == "h2" else Http1(job)
    client.begin(job["path"])
    pieces = UPLOAD // len(PIECE)
    for number in range(pieces if job["whole"] else 2):
        client.send(PIECE, last=number == pieces - 1)
    status, body = client.answer()
    return [status, len(body), body[-20:].decode(errors="replace")]


def main():
    """All jobs of the file, one after the other."""
    with open(sys.argv[1]) as file:
        jobs = json.load(file)
    answers = []
    for job in jobs:
        try:
            answers.append(perform(job))
        except Exception as error:
            answers.append(f"{type(error).__name__}: {error}")
    with open(sys.argv[2], "w") as file:
        json.dump(answers, file)


main()
