"""Sessions survive what is not a single death: frozen servers, rolling restarts, a new proxy process, new tokens.

The same clients, tools and ledgers as in the matrix.
"""

import base64
import json
import threading

from harness.driver import drivers
from harness.process import Failure
from harness.recorder import Recorders
from suites.matrix.batch import freeze
from suites.matrix.cells import Cells
from suites.matrix.moments import IDLE, MOMENTS, NOBODY, TOOLS, kind_of, plays, title_of
from suites.matrix.stage import PROBE, Stage

OFTEN = [("python-v2", "sse-answers")]
SELDOM = [("python-v1", "json-answers"), ("typescript-v1", "sse-answers"), ("rmcp", "sse-answers"), ("rmcp", "json-answers")]
# Who is frozen takes connections: only its silence tells.
QUICK = {"timeout": "1s"}


def run(suite):
    """All of it on each kind of server."""
    running, recorders = drivers(suite), Recorders()
    for name, transport in OFTEN + (SELDOM if suite.full else []):
        kind = kind_of(name, transport)
        stage = Stage(suite, title_of(kind), kind, health_check=PROBE | QUICK)
        for moment in MOMENTS:
            if moment is not NOBODY and (fitting := plays(kind, [moment])):
                freeze(stage, fitting, running, recorders)

        def cells(title, tools=TOOLS, stage=stage, kind=kind):
            return Cells(stage, title, plays(kind, [IDLE], tools), running, recorders)

        _rolling(cells)
        _restarted(cells)
        for title, tokens in TOKENS.items():
            _tokens(cells, title, tokens)
        stage.stop()
    for driver in running.values():
        driver.stop()
    recorders.close()


def _rolling(cells):
    """All servers are restarted one by one while everybody calls; no call that is safe fails."""
    with cells("a rolling restart", tools=("look",)) as group:
        group.open()
        done = threading.Event()
        rounds = threading.Thread(target=_until, args=(done, group.at_once))
        rounds.start()
        for each in group.stage.servers:
            each.stop()
            each.start().ready(40)
            group.stage.whole()
        done.set()
        rounds.join()
        group.close()


def _until(done, turn):
    while not done.is_set():
        turn()


def _restarted(cells):
    """The proxy is killed and started again: before its sessions have moved, and after."""
    with cells("a new proxy process") as group:
        group.open()
        group.stage.renew()
        group.at_once()
        group.stage.active().kill()
        group.at_once()
        group.stage.mend()
        group.stage.renew()
        group.at_once()
        group.each(lambda cell: cell.calls(2))
        group.close()


def jwt(number):
    """A token of one and the same client, as its issuer would renew it."""
    claims = {"iss": "https://issuer.example", "sub": "ada", "client_id": "driver", "exp": 4_000_000_000 + number}
    parts = [json.dumps(part).encode() for part in ({"alg": "none"}, claims)] + [b"signature %d" % number]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


TOKENS = {
    "JWTs": [jwt(number) for number in range(4)],
    "opaque tokens": [f"opaque-{number}" for number in range(4)],
    "a JWT after none": [None, jwt(0), jwt(1), jwt(2)],
}


def _tokens(cells, title, tokens):
    """A new token in mid-session, then one after a loss, then one for the call that moves the session."""
    with cells(title) as group:
        group.open(tokens[0])
        for token in tokens[1:]:
            group.each(lambda cell, token=token: cell.client.does("token", token=token))
            group.at_once()
            if token == tokens[1]:
                group.stage.active().kill()
        group.each(_found)
        group.close()


def _found(cell):
    """Rule 3: no session is lost for its token."""
    lost = [each.request.start for each in cell.recorder.exchanges if each.answer and each.answer.start[1] == "404"]
    if lost:
        raise Failure(f"404 for {lost}")
