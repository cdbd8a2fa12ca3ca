"""The third-party parts: virtual environments, the node modules and the rmcp programs, under target/e2e."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from harness.process import environment

SOURCE = Path(__file__).resolve().parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR") or SOURCE.parent.parent.parent / "target").resolve() / "e2e"


# Two lines of the MCP SDK, and servers and clients of HTTP/2, gRPC and WebSocket.
LINES = ("v1", "v2", "wire")
# Programs of the system, by Debian's package.
PROGRAMS = {"curl": "curl", "openssl": "openssl", "h2load": "nghttp2-client", "nghttpd": "nghttp2-server", "nginx": "nginx"}


class Installed:
    """Where everything is."""

    def __init__(self):
        self.python = {line: TARGET / f"python-{line}" / "bin" / "python" for line in LINES}
        self.node = TARGET / "node"
        self.rmcp = TARGET / "rmcp" / "release"
        self.work = TARGET / "work"

    @property
    def new_node(self):
        """Node 22, which comes as a package, for what does not run on older ones."""
        return next(self.node.glob("node_modules/node-*/bin/node"))


def _digest(*paths):
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()


def _once(folder, digest, build):
    """Run the build unless the folder was built from the same lock file."""
    mark = folder / "installed"
    if mark.exists() and mark.read_text() == digest:
        return
    build()
    mark.write_text(digest)


def _run(argv, **settings):
    done = subprocess.run([str(part) for part in argv], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **settings)
    if done.returncode:
        sys.stderr.write(done.stdout.decode(errors="replace"))
        raise SystemExit(f"{argv} failed with {done.returncode}")


def _python(line, installed):
    requirements = SOURCE / "python" / f"requirements-{line}.txt"
    folder = TARGET / f"python-{line}"

    def build():
        shutil.rmtree(folder, ignore_errors=True)
        _run([sys.executable, "-m", "venv", folder])
        options = ["--quiet", "--disable-pip-version-check", "--no-deps"]
        _run([installed.python[line], "-m", "pip", "install", *options, "-r", requirements])

    _once(folder, _digest(requirements), build)


def _node(installed):
    # Modules are looked up beside the file that imports them, so the sources go where the modules are.
    installed.node.mkdir(parents=True, exist_ok=True)
    for source in [*SOURCE.glob("node/*.mjs"), *SOURCE.glob("node/package*.json"), SOURCE / "node" / ".npmrc"]:
        shutil.copy(source, installed.node)

    def build():
        _run(["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=installed.node)

    _once(installed.node, _digest(installed.node / "package-lock.json"), build)


def _programs():
    missing = [package for program, package in PROGRAMS.items() if not shutil.which(program)]
    if missing:
        _run(["apt-get", "update", "-qq"])
        _run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing])


def install():
    """Install what is missing; quick when nothing is."""
    installed = Installed()
    shutil.rmtree(installed.work, ignore_errors=True)
    installed.work.mkdir(parents=True)
    _programs()
    for line in LINES:
        _python(line, installed)
    _node(installed)
    settings = environment() | {"CARGO_TARGET_DIR": str(TARGET / "rmcp")}
    manifest = SOURCE / "rmcp" / "Cargo.toml"
    _run(["cargo", "build", "--quiet", "--release", "--locked", "--manifest-path", manifest], env=settings)
    return installed
