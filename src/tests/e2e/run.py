#!/usr/bin/env python3
"""End-to-end suites with servers and clients that others wrote; see the suites for what each of them shows."""

import argparse
import importlib
import sys
import time
from pathlib import Path

SOURCE = Path(__file__).resolve().parent
sys.path.insert(0, str(SOURCE))
sys.dont_write_bytecode = True

from harness.install import install  # noqa: E402
from harness.process import kill_all  # noqa: E402
from harness.suite import Suite  # noqa: E402

SUITES = ["one_peer", "three_peers", "legacy_sse", "kill", "never_twice", "survival", "thousand"]
SUITES += ["wires", "http2", "resets", "grpc", "transports", "websocket", "reload", "continuity", "conformance", "probes"]
SUITES += ["matrix", "modern"]
SUITES += ["adversary", "oauth"]
SUITES += ["faulty_servers"]


def run(name, installed, options):
    """One suite from start to end; what it counted."""
    started = time.monotonic()
    suite = Suite(name, installed, SOURCE, options.binary.resolve(), options.full)
    with suite.check("runs to its end"):
        importlib.import_module(f"suites.{name}").run(suite)
    kill_all()
    seconds = time.monotonic() - started
    print(f"{name}: {suite.passed} passed, {len(suite.failed)} failed ({seconds:.0f} s)", flush=True)
    return suite.passed, len(suite.failed)


def main():
    """All suites, or the named ones."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--binary", type=Path, default=SOURCE.parents[2] / "target" / "release" / "backstay")
    arguments.add_argument("--only", action="append", choices=SUITES)
    arguments.add_argument("--full", action="store_true", help="all of what is otherwise sampled, with a table")
    options = arguments.parse_args()
    if not options.binary.exists():
        raise SystemExit(f"{options.binary} does not exist; build it with `cargo build --release`")
    installed = install()
    try:
        counts = [run(name, installed, options) for name in options.only or SUITES]
    finally:
        kill_all()
    passed, failed = map(sum, zip(*counts, strict=True))
    print(f"{passed} passed, {failed} failed")
    raise SystemExit(1 if failed else 0)


if __name__ == "__main__":
    main()
