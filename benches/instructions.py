#!/usr/bin/env python3
"""User instructions a request costs backstay, by kind of request: plain HTTP beside each era and framing of MCP.

    cargo build --release && python3 benches/instructions.py [--requests 2000] [--profile CASE]

Needs valgrind (apt-get install valgrind). callgrind counts what the process executes, so the figures do not depend on
what else the machine does; they leave out the kernel. Bodies of requests are 1 KiB, those of answers a little more.
"""

import argparse
import asyncio
import http.client
import json
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

FILL = "x" * 900
MODERN, LEGACY = "2026-07-28", "2025-11-25"
META = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientInfo": {"name": "bench", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}
SERVER = {"name": "origin", "version": "1"}
TOOLS = [{"name": name, "inputSchema": {"type": "object"}, "annotations": {"readOnlyHint": True}} for name in ("json", "events")]


def result(message, era):
    """What the origin answers to a message; none to a notification."""
    method = message.get("method")
    if "id" not in message:
        return None
    if method == "server/discover":
        found = {"supportedVersions": [MODERN], "capabilities": {"tools": {}}, "serverInfo": SERVER}
    elif method == "initialize":
        found = {"protocolVersion": LEGACY, "capabilities": {"tools": {}}, "serverInfo": SERVER}
    elif method == "tools/list":
        found = {"tools": TOOLS}
    elif method == "tools/call":
        found = {"content": [{"type": "text", "text": FILL}]}
    else:
        found = {}
    if era == "modern":
        found = {"resultType": "complete", **found}
    return {"jsonrpc": "2.0", "id": message["id"], "result": found}


async def origin(era, reader, writer):
    """One connection of a server of one era: answers as fast as Python does."""
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            length = re.search(r"content-length: (\d+)", head)
            body = await reader.readexactly(int(length.group(1))) if length else b""
            fields, status, kind = "", "200 OK", "application/json"
            if not head.startswith("post /mcp"):
                answer = b"x" * 1024
            else:
                message = json.loads(body)
                if era == "legacy" and message.get("method") == "server/discover":
                    status, answer = "400 Bad Request", b"{}"
                else:
                    found = result(message, era)
                    status = "200 OK" if found else "202 Accepted"
                    answer = json.dumps(found).encode() if found else b""
                if message.get("method") == "initialize":
                    fields = "mcp-session-id: 0123456789abcdef0123456789abcdef\r\n"
                if (message.get("params") or {}).get("name") == "events":
                    kind, answer = "text/event-stream", b"event: message\ndata: " + answer + b"\n\n"
            writer.write(f"HTTP/1.1 {status}\r\ncontent-type: {kind}\r\n{fields}content-length: {len(answer)}\r\n\r\n".encode() + answer)
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


def origins():
    """Starts an origin of each era in this process; their ports."""
    ports, ready = {}, threading.Event()

    async def serve():
        for era in ("modern", "legacy"):
            server = await asyncio.start_server(lambda r, w, era=era: origin(era, r, w), "127.0.0.1", 0)
            ports[era] = server.sockets[0].getsockname()[1]
        ready.set()
        await asyncio.Event().wait()

    threading.Thread(target=lambda: asyncio.run(serve()), daemon=True).start()
    ready.wait()
    return ports


def call(tool, era):
    """A tools/call of 1 KiB, and its header fields."""
    params = {"name": tool, "arguments": {"text": ""}}
    fields = {"content-type": "application/json", "accept": "application/json, text/event-stream"}
    if era == "modern":
        params["_meta"] = META
        fields |= {"mcp-protocol-version": MODERN, "mcp-method": "tools/call", "mcp-name": tool}
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    params["arguments"]["text"] = "x" * (1024 - len(json.dumps(message)))
    return json.dumps(message).encode(), fields


def opened(port, path):
    """The header fields of a session that a client has opened by `initialize`."""
    params = {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": {"name": "bench", "version": "1"}}
    message = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params}
    connection = http.client.HTTPConnection("127.0.0.1", port)
    fields = {"content-type": "application/json", "accept": "application/json, text/event-stream"}
    connection.request("POST", path, json.dumps(message), fields)
    answer = connection.getresponse()
    answer.read()
    session = {"mcp-session-id": answer.headers["mcp-session-id"], "mcp-protocol-version": LEGACY}
    told = json.dumps({"jsonrpc": "2.0", "method": "notifications/initialized"})
    connection.request("POST", path, told, fields | session)
    connection.getresponse().read()
    return session


def configuration(folder, port, ports):
    """Two peers a group: selection, breakers and affinity have something to do."""
    def group(name, era, more):
        peers = "".join(f"      - {{name: {name}-{n}, url: 'http://127.0.0.1:{ports[era]}/mcp'}}\n" for n in (1, 2))
        return f"  - name: {name}\n    strategy: round_robin\n{more}    peers:\n{peers}"

    groups = group("plain", "modern", "    protocol: http\n    health_check: {probe: none}\n")
    groups += group("modern", "modern", "    protocol: mcp\n") + group("shared", "modern", "    protocol: mcp\n    shared_state: true\n")
    groups += group("legacy", "legacy", "    protocol: mcp\n")
    names = ("plain", "modern", "shared", "legacy")
    routes = "".join(f"  - {{match: {{path: /{name}}}, group: {name}}}\n" for name in names)
    text = f"threads: 1\nlisteners: [{{listen: '127.0.0.1:{port}'}}]\nroutes:\n{routes}groups:\n{groups}"
    path = folder / "backstay.yaml"
    path.write_text(text)
    return path


def ask(port, path, body, fields, count):
    """`count` requests over one kept-alive connection; each must be answered by 200."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    for _ in range(count):
        connection.request("POST" if body else "GET", path, body, fields)
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != 200 or b'"error"' in text:
            raise SystemExit(f"{path}: {answer.status} {text[:300]}")
    connection.close()


def spent(folder, number):
    """The instructions of dump `number`, and those of each function."""
    dump = next(path for path in folder.glob(f"callgrind.out*.{number}") if path.stat().st_size)
    total, functions = 0, {}
    names, function, inner = {}, "?", False
    for line in dump.read_text(errors="replace").splitlines():
        if line.startswith(("fn=", "cfn=")):
            found = re.match(r"c?fn=\((\d+)\)(?: (.*))?", line)
            name = names.setdefault(found.group(1), found.group(2))
            function = name if line.startswith("fn=") else function
        elif line.startswith("calls="):
            inner = True
        elif line[:1] in "0123456789+-*" and line[:1]:
            count = int(line.split()[1]) if len(line.split()) > 1 else 0
            if not inner:
                total += count
                functions[function] = functions.get(function, 0) + count
            inner = False
    return total, functions


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--binary", default="target/release/backstay")
    arguments.add_argument("--requests", type=int, default=2000)
    arguments.add_argument("--profile", help="lists the functions of this case")
    options = arguments.parse_args()
    if not shutil.which("valgrind"):
        raise SystemExit("valgrind is not here: apt-get install valgrind")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        configured = configuration(folder, port, origins())
        command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/callgrind.out", options.binary]
        log = (folder / "log").open("wb")
        proxy = subprocess.Popen([*command, "run", "-c", str(configured)], stdout=log, stderr=log)
        try:
            measure(options, folder, port, proxy.pid)
        except (OSError, StopIteration):
            sys.stderr.write((folder / "log").read_text(errors="replace")[-3000:])
            raise
        finally:
            proxy.terminate()
            proxy.wait()


def measure(options, folder, port, pid):
    for _ in range(300):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            break
        except OSError:
            time.sleep(0.2)
    # Long enough for the first probes.
    time.sleep(10)
    plain, modern = {"accept": "*/*"}, call("json", "modern")
    legacy, session = call("json", "legacy"), opened(port, "/legacy")
    events = call("events", "legacy")
    cases = {
        "GET": ("/plain", None, plain),
        "POST": ("/plain", *modern),
        "modern, shared_state": ("/shared", *modern),
        "modern": ("/modern", *modern),
        "legacy": ("/legacy", legacy[0], legacy[1] | session),
        "legacy, one event": ("/legacy", events[0], events[1] | session),
    }
    base = None
    print(f"{'case':24} {'instructions':>13} {'over POST':>10}")
    for number, (name, (path, body, fields)) in enumerate(cases.items(), 1):
        ask(port, path, body, fields, max(options.requests // 4, 50))
        subprocess.run(["callgrind_control", "-z", str(pid)], check=True, capture_output=True)
        ask(port, path, body, fields, options.requests)
        subprocess.run(["callgrind_control", "-d", str(pid)], check=True, capture_output=True)
        time.sleep(1)
        total, functions = spent(folder, number)
        cost = total / options.requests
        base = cost if name == "POST" else base
        print(f"{name:24} {cost:13,.0f} {'' if base is None else format(cost - base, '+10,.0f')}", flush=True)
        if options.profile == name:
            for function, count in sorted(functions.items(), key=lambda pair: -pair[1])[:40]:
                print(f"    {count / options.requests:9,.0f}  {function[:120]}")


if __name__ == "__main__":
    main()
