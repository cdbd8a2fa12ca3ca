"""The servers and clients that others wrote, and what each of them can do."""

from dataclasses import dataclass, field

from harness.process import Process, free_port
from harness.way import H1, HTTPS_H1, WAYS


@dataclass(frozen=True)
class Server:
    """One server; `has` names the steps of the scenario that work with it."""

    name: str
    program: str
    transport: str = "sse-answers"
    scenario: str = "fixture"
    path: str = "/mcp"
    eras: tuple = ("legacy",)
    has: frozenset = field(default=frozenset({"changes", "questions"}))
    echo: tuple = ("echo", "text")
    noise: str | None = None
    # More of its command line.
    options: tuple = ()
    # Its event store names the wrong stream, so what comes after the resumption is never sent; what is stored is.
    resumes_only_what_is_stored: bool = False
    # Express has no HTTP/2, and server-everything no TLS.
    ways: frozenset = frozenset(WAYS)

    @property
    def client_transport(self):
        """What its clients speak."""
        return "sse" if self.transport == "legacy-sse" else "http"

    def start(self, suite, ledger=None, certificate=None, http2=False, holds=None):
        """A running server; it may not listen yet."""
        port = free_port()
        log = suite.work / f"server-{self.name}-{port}.log"
        installed = suite.installed
        if self.program == "everything":
            module = "@modelcontextprotocol/server-everything/dist/index.js"
            argv = ["node", installed.node / "node_modules" / module, "streamableHttp"]
            return Process(argv, log, port=port, env={"PORT": str(port)})
        if self.scenario == "conformance":
            of = {"python-v2": [installed.python["v2"], suite.source / "python" / "conformance_server.py"]}
            program = of.get(self.program) or ["node", installed.node / "conformance_server.mjs"]
            scenario = suite.source / "scenarios" / "conformance.json"
            return Process([*program, "--port", port, "--scenario", scenario], log, port=port)
        program = {
            "python-v1": [installed.python["v1"], suite.source / "python" / "server_v1.py"],
            "python-v2": [installed.python["v2"], suite.source / "python" / "server_v2.py"],
            "typescript-v1": ["node", installed.node / "server_v1.mjs"],
            "typescript-v2": ["node", installed.node / "server_v2.mjs"],
            "rmcp": [installed.rmcp / "server"],
        }[self.program]
        argv = [*program, "--port", port, "--transport", self.transport, "--ledger", ledger or "/dev/null"]
        if holds:
            argv += ["--holds", holds.folder]
        argv += self.options
        if certificate:
            argv += ["--cert", certificate.cert, "--key", certificate.key]
        if http2 and self.program != "rmcp":
            # rmcp's serves both by itself.
            argv += ["--http2"]
        return Process(argv, log, port=port)


BOTH = ("legacy", "modern")
ALL = frozenset({"changes", "questions", "resumption"})
JSON_ANSWERS = frozenset({"changes"})
SERVERS = [
    Server("python-v1", "python-v1", has=ALL),
    Server("python-v1-json", "python-v1", "json-answers", has=JSON_ANSWERS),
    Server("python-v2", "python-v2", has=ALL, eras=BOTH),
    Server("python-v2-json", "python-v2", "json-answers", has=JSON_ANSWERS),
    Server("typescript-v1", "typescript-v1", has=ALL, ways=frozenset({H1, HTTPS_H1})),
    Server("typescript-v1-json", "typescript-v1", "json-answers", has=JSON_ANSWERS, ways=frozenset({H1, HTTPS_H1})),
    Server("typescript-v2", "typescript-v2", eras=BOTH, has=frozenset()),
    Server(
        "everything",
        "everything",
        scenario="everything",
        echo=("echo", "message"),
        # It asks for the roots after `initialized` and again on a timer, and adds tools when it knows the client; whether
        # the GET stream is open by then is a matter of luck.
        noise=r"roots/list|Roots updated|\"roots\"|tools/list_changed",
        resumes_only_what_is_stored=True,
        ways=frozenset({H1}),
    ),
    Server("rmcp", "rmcp", eras=BOTH),
]
CONFORMANCE = [
    Server("conformance-python", "python-v2", scenario="conformance", eras=BOTH),
    Server("conformance-typescript", "typescript-v2", scenario="conformance", eras=BOTH),
]
LEGACY_SSE = Server("python-v1-sse", "python-v1", "legacy-sse", path="/sse")


def server(name):
    """The server of that name."""
    return next(each for each in SERVERS if each.name == name)


@dataclass(frozen=True)
class Client:
    """One client and the era it asks for."""

    name: str
    program: str
    era: str

    @property
    def speaks_legacy_sse(self):
        """Whether it still has the transport of 2024-11-05."""
        return self.era == "legacy" and self.program != "rmcp"

    def driver(self, suite):
        """How it is started to be driven; the eras of one SDK share a process."""
        installed = suite.installed
        return {
            "python-v1": [installed.python["v1"], suite.source / "python" / "driver_v1.py"],
            "python-v2": [installed.python["v2"], suite.source / "python" / "driver_v2.py"],
            "typescript-v1": ["node", installed.node / "driver_v1.mjs"],
            "typescript-v2": ["node", installed.node / "driver_v2.mjs"],
            "rmcp": [installed.rmcp / "driver"],
        }[self.program]

    def argv(self, suite, jobs):
        """How it is started on a file of jobs."""
        installed = suite.installed
        program = {
            "python-v1": [installed.python["v1"], suite.source / "python" / "client_v1.py"],
            "python-v2": [installed.python["v2"], suite.source / "python" / "client_v2.py"],
            "typescript-v1": ["node", installed.node / "client_v1.mjs"],
            "typescript-v2": ["node", installed.node / "client_v2.mjs"],
            "rmcp": [installed.rmcp / "client"],
        }[self.program]
        return [*program, jobs]

    def meets(self, server):
        """Whether the pair has an era in common; `auto` has to find it by itself."""
        return self.era == "auto" or self.era in server.eras


CLIENTS = [
    Client("python-v1", "python-v1", "legacy"),
    Client("python-v2", "python-v2", "legacy"),
    Client("python-v2-auto", "python-v2", "auto"),
    Client("typescript-v1", "typescript-v1", "legacy"),
    Client("typescript-v2", "typescript-v2", "legacy"),
    Client("typescript-v2-auto", "typescript-v2", "auto"),
    Client("rmcp", "rmcp", "legacy"),
    Client("rmcp-modern", "rmcp", "modern"),
]
