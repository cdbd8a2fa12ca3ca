"""A gRPC server without generated code: its messages are bytes."""

import argparse
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import grpc

arguments = argparse.ArgumentParser()
arguments.add_argument("--port", type=int, required=True)
arguments.add_argument("--secure-port", type=int)
arguments.add_argument("--cert")
arguments.add_argument("--key")
arguments.add_argument("--ledger", default=os.devnull)
options = arguments.parse_args()

LARGEST = 16 << 20


def note(text):
    """A line for whoever looks at what was done here."""
    with open(options.ledger, "a") as ledger:
        ledger.write(text + "\n")


def unary(message, context):
    """Say it again, with what else came and went."""
    said = dict(context.invocation_metadata())
    initial = [("x-initial", "seen"), ("x-said", said.get("x-said", ""))]
    context.send_initial_metadata([*initial, ("x-bytes-bin", said.get("x-bytes-bin", b""))])
    context.set_trailing_metadata([("x-trailing", "seen"), ("x-trailing-bin", b"\x00\xff")])
    return message


def download(message, context):
    """As many messages as the request says."""
    for number in range(int(message)):
        yield b"%d" % number


def upload(messages, context):
    """How many there were, and how long they were."""
    lengths = [len(message) for message in messages]
    return b"%d %d" % (len(lengths), sum(lengths))


def both(messages, context):
    """Each is answered before the next comes."""
    for message in messages:
        yield message[::-1]


def fail(message, context):
    """End with the code that the request names, without a message."""
    context.abort(grpc.StatusCode[message.decode()], "as asked: 100% caf\u00e9")


def fail_late(message, context):
    """Messages, then an error."""
    yield b"one"
    yield b"two"
    context.set_trailing_metadata([("x-why", "late")])
    context.abort(grpc.StatusCode[message.decode()], "after two")


def until_left(message, context):
    """An event for when nobody waits any more, of which note is taken. To be asked for before anything is sent: a
    call that has ended already is not gone on with."""
    ended = threading.Event()

    def leave():
        note(f"{message.decode()} ended")
        ended.set()

    if not context.add_callback(leave):
        leave()
    return ended


def wait(message, context):
    """Never answer."""
    until_left(message, context).wait(30)
    return b""


def wait_late(message, context):
    """One message, and then as `wait`."""
    ended = until_left(message, context)
    yield b"one"
    ended.wait(30)
    yield b""


def left(message, context):
    """How long the client still waits, in whole seconds; -1 for ever."""
    remaining = context.time_remaining()
    return b"-1" if remaining is None or remaining > 1e6 else b"%d" % round(remaining)


def count(message, context):
    """Not to be done twice."""
    note(message.decode())
    time.sleep(0.01)
    return message


def check(message, context):
    """`grpc.health.v1.Health/Check`: serving."""
    return b"\x08\x01"


one_one, one_many = grpc.unary_unary_rpc_method_handler, grpc.unary_stream_rpc_method_handler
many_one, many_many = grpc.stream_unary_rpc_method_handler, grpc.stream_stream_rpc_method_handler
server = grpc.server(
    ThreadPoolExecutor(32),
    options=[("grpc.max_receive_message_length", LARGEST), ("grpc.max_send_message_length", LARGEST)],
)
methods = {
    "Unary": one_one(unary),
    "Download": one_many(download),
    "Upload": many_one(upload),
    "Both": many_many(both),
    "Fail": one_one(fail),
    "FailLate": one_many(fail_late),
    "Wait": one_one(wait),
    "WaitLate": one_many(wait_late),
    "Left": one_one(left),
    "Count": one_one(count),
}
health = {"Check": one_one(check)}
server.add_generic_rpc_handlers(
    [
        grpc.method_handlers_generic_handler("test.Test", methods),
        grpc.method_handlers_generic_handler("grpc.health.v1.Health", health),
    ]
)
server.add_insecure_port(f"127.0.0.1:{options.port}")
if options.secure_port:
    with open(options.cert, "rb") as cert, open(options.key, "rb") as key:
        credentials = grpc.ssl_server_credentials([(key.read(), cert.read())])
    server.add_secure_port(f"127.0.0.1:{options.secure_port}", credentials)
server.start()
server.wait_for_termination()
