"""Peers that reset connections and streams and say goodbye under load: nothing fails that need not, no post runs twice."""

import time
from collections import Counter

from harness.certificate import Certificate
from harness.load import Load
from harness.process import Process, free_port
from harness.proxy import Proxy
from harness.way import H1, H2C, HTTPS_H1, HTTPS_H2

CONNECTIONS, SECONDS = 24, 5
PROBE = {"probe": "http", "path": "/blob", "interval": "500ms", "timeout": "500ms", "fast_interval": "200ms"}
# Every third request in all meets a rude peer and every seventh there a fate; one reset takes all streams with it.
RETRY = {"budget": "100%"}
BREAKER = {"open_for": "200ms", "max_open": "500ms", "slow_start": "0s"}
FATES = {False: {"reset-unread", "reset-ran", "reset-idle", "reset-half"}}
FATES[True] = {"refused", "cancelled", "internal", "goodbye", "left-out", "reset"}


def run(suite):
    """Both HTTPs towards the peers, with and without TLS; each from another client."""
    certificate = Certificate(suite.work)
    for front, back in ((H2C, H2C), (HTTPS_H1, HTTPS_H2), (HTTPS_H2, H1)):
        _rude(suite, certificate, front, back)


def _peer(suite, name, back, certificate, *options):
    port, ledger = free_port(), suite.work / f"ledger-{name}"
    argv = [suite.installed.python["wire"], suite.source / "python" / "rude_peer.py", "--port", port, "--ledger", ledger]
    argv += ["--cert", certificate.cert, "--key", certificate.key] if back.tls else []
    peer = Process([*argv, *options], suite.work / f"{name}.log", port=port)
    peer.ledger = ledger
    return peer


def _rude(suite, certificate, front, back):
    """Two rude peers and a polite one: three attempts always find it."""
    name = f"{front.name}-{back.name}"
    peers = [_peer(suite, f"{name}-{number}", back, certificate) for number in range(2)]
    peers.append(_peer(suite, f"{name}-polite", back, certificate, "--polite"))
    named = [back.peer(f"peer-{number}", peer.ready()) for number, peer in enumerate(peers)]
    settings = {"retry": RETRY, "health_check": PROBE, "circuit_breaker": BREAKER, **back.group(certificate)}
    proxy = Proxy(suite, name, named, certificate=certificate, **settings)
    log = suite.work / f"told-{name}"
    load = Load(suite, proxy, "posts", CONNECTIONS, name, log, front, certificate)
    time.sleep(SECONDS)
    counts = load.stop()
    told = dict(line.rsplit(" ", 1) for line in log.read_text().splitlines())
    noted = Counter(line for peer in peers for line in peer.ledger.read_text().splitlines())
    fates = {line.split(" ")[1]: times for line, times in noted.items() if line.startswith("fate ")}
    words = Counter(told.values())
    suite.say(f"{name}: {fates}; {counts['succeeded']} answered, {counts['cut']} cut; posts: {dict(words)}")
    with suite.check(f"{name}: every fate was met, and most requests are answered"):
        if set(fates) != FATES[back.http2] or min(fates.values()) < 3 or counts["succeeded"] < 500:
            suite.fail(f"{fates}, {counts}")
    with suite.check(f"{name}: no read fails before its answer has begun"):
        posts = sum(times for word, times in words.items() if word not in ("ok", "cut"))
        if counts["failed"] != posts:
            suite.fail(f"{counts['failed']} failed, of which {posts} posts: {counts['samples']}")
    with suite.check(f"{name}: no post runs twice, and each that succeeded has run"):
        wrong = [(post, word) for post, word in told.items() if noted[f"{post} ran"] not in ({1} if word == "ok" else {0, 1})]
        if wrong or not told:
            suite.fail(f"{len(wrong)} of {len(told)}: {wrong[:5]}")
    with suite.check(f"{name}: no post fails of which every peer said that it had not looked at it"):
        unseen = [post for post, word in told.items() if word != "ok" and noted[f"{post} refused"] and not noted[f"{post} ran"]]
        # A reset of the connection takes what was on its way, and says nothing of it: a post that one peer refused may
        # meet one at the next. Were none tried again, all that were refused would be here.
        refused = [post for post in told if noted[f"{post} refused"]]
        suite.say(f"{name}: {len(refused)} posts were refused by a peer, {len(unseen)} of them failed and ran nowhere")
        if len(unseen) * 4 > len(refused):
            suite.fail(f"{len(unseen)} of {len(refused)}: {unseen[:5]}")
    with suite.check(f"{name}: the proxy leaves with 0"):
        proxy.stop()
    for peer in peers:
        peer.kill()
