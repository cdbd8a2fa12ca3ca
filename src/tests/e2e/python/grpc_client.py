"""A gRPC client without generated code: performs a script and writes what it saw, or counts under load."""

import json
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import grpc

LARGEST = 16 << 20


class Client:
    """One channel."""

    def __init__(self, job):
        # Each has a connection of its own.
        options = [
            ("grpc.max_receive_message_length", LARGEST),
            ("grpc.max_send_message_length", LARGEST),
            ("grpc.enable_retries", 0),
            ("grpc.use_local_subchannel_pool", 1),
        ]
        if job["ca"]:
            with open(job["ca"], "rb") as ca:
                credentials = grpc.ssl_channel_credentials(ca.read())
            self.channel = grpc.secure_channel(job["address"], credentials, options)
        else:
            self.channel = grpc.insecure_channel(job["address"], options)
        self.unary = self._method("unary_unary")
        self.download = self._method("unary_stream")
        self.upload = self._method("stream_unary")
        self.both = self._method("stream_stream")

    def _method(self, kind):
        make = getattr(self.channel, kind)
        return lambda name: make(f"/test.Test/{name}")


def said(metadata):
    """What the server said beside its messages; proxies add fields of their own."""
    return sorted([name, str(value)] for name, value in metadata or [] if name.startswith("x-") and "request-id" not in name)


def ended(call):
    """How a call ended."""
    return [call.code().name, call.details(), said(call.trailing_metadata())]


def script(client, name):
    """Every kind of call; one line for each."""
    metadata = [("x-said", "hello"), ("x-bytes-bin", bytes(range(256)))]
    reply, call = client.unary("Unary").with_call(b"echo", metadata=metadata, timeout=20)
    yield "unary", reply.decode(), said(call.initial_metadata()), ended(call)
    reply, call = client.unary("Unary").with_call(b"", timeout=20)
    yield "empty", reply.decode(), ended(call)
    large = bytes(range(256)) * (8 << 12)
    reply, call = client.unary("Unary").with_call(large, timeout=20)
    yield "8 MiB", len(reply), reply == large, ended(call)
    call = client.download("Download")(b"1000", timeout=20)
    yield "server stream", [message.decode() for message in call][-3:], ended(call)
    call = client.download("Download")(b"0", timeout=20)
    yield "empty server stream", len(list(call)), ended(call)
    reply, call = client.upload("Upload").with_call((b"x" * 10_000 for _ in range(300)), timeout=20)
    yield "client stream", reply.decode(), ended(call)
    yield "bidirectional", *conversation(client)
    for code in ("NOT_FOUND", "UNAVAILABLE", "INTERNAL", "RESOURCE_EXHAUSTED", "UNAUTHENTICATED"):
        yield f"fails with {code}", failure(lambda code=code: client.unary("Fail")(code.encode(), timeout=20))
        call = client.download("FailLate")(code.encode(), timeout=20)
        yield f"fails late with {code}", messages(call), ended(call)
    yield "no such method", failure(lambda: client.unary("None")(b"", timeout=20))[0]
    yield "time left", client.unary("Left")(b"", timeout=20).decode()
    yield "no limit", client.unary("Left")(b"").decode()
    yield "deadline", failure(lambda: client.unary("Wait")(f"{name} deadline".encode(), timeout=0.5))[0]
    call = client.download("WaitLate")(f"{name} late deadline".encode(), timeout=0.5)
    yield "late deadline", messages(call), call.code().name
    call = client.unary("Wait").future(f"{name} cancelled".encode())
    time.sleep(0.3)
    yield "cancel", call.cancel(), call.code().name
    call = client.download("WaitLate")(f"{name} late cancelled".encode())
    first = next(call).decode()
    call.cancel()
    yield "cancel late", first, call.code().name


def conversation(client):
    """Each message waits for the answer to the one before."""
    turns = threading.Semaphore(1)

    def questions():
        for number in range(200):
            turns.acquire()
            yield b"question %d" % number

    call = client.both("Both")(questions(), timeout=20)
    answers = []
    for answer in call:
        answers.append(answer[::-1].decode())
        turns.release()
    return answers[-2:], len(answers), ended(call)


def messages(call):
    """What comes before the end."""
    seen = []
    try:
        for message in call:
            seen.append(message.decode())
    except grpc.RpcError:
        pass
    return seen


def failure(make):
    """How a call fails."""
    try:
        return ["OK", str(make())]
    except grpc.RpcError as error:
        return [error.code().name, error.details()]


def count(job):
    """Calls that may not run twice, from many threads until told to stop; what each was told."""
    stop = threading.Event()
    told = []

    def work(thread):
        client = Client(job)
        number = 0
        while not stop.is_set():
            name = f"{thread}/{number}"
            code = failure(lambda name=name: client.unary("Count")(name.encode(), timeout=20))
            told.append([name, *code])
            number += 1

    with ThreadPoolExecutor(job["threads"]) as pool:
        works = [pool.submit(work, thread) for thread in range(job["threads"])]
        sys.stdin.readline()
        stop.set()
        for each in works:
            each.result()
    return told


def main():
    """The job named on the command line."""
    with open(sys.argv[1]) as file:
        job = json.load(file)
    lines = count(job) if "threads" in job else [list(line) for line in script(Client(job), job["name"])]
    with open(job["out"], "w") as file:
        json.dump(lines, file)


main()
