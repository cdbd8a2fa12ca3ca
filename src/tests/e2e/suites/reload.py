"""The configuration is changed a hundred times under load: no request fails, no stream is cut, what is known stays."""

import json
import signal
import time
import urllib.request

from harness.load import Load
from harness.pool import Pool
from harness.process import Failure, free_port
from harness.proxy import Proxy
from harness.streams import Echo, Events, Origin
from suites.kill import BREAKER, CONNECTIONS, PROBE, RETRY

RELOADS, STREAMS = 100, 8
SUCCEEDED = 'backstay_config_reloads_total{result="succeeded"}'
FAILED = 'backstay_config_reloads_total{result="failed"}'
# What a file can have wrong, and what has to be said of it.
BAD = {
    "no YAML": ("groups: [", "line"),
    "nothing": ("", "groups"),
    "an unknown key": ('{"groups": [{"name": "g", "peers": [], "stratgy": "p2c"}]}', "stratgy"),
    "a wrong type": ('{"groups": 7}', "groups"),
    "a group without peers": ('{"groups": [{"name": "g", "peers": []}]}', "peers"),
    "a variable that is not set": ('{"groups": [{"name": "${NOT_SET_ANYWHERE}", "peers": []}]}', "NOT_SET_ANYWHERE"),
    "a certificate that is not there": (
        '{"listeners": [{"listen": "127.0.0.1:0", "tls": {"certs": [{"cert": "/nowhere.pem", "key": "/nowhere.pem"}]}}],'
        ' "groups": [{"name": "g", "peers": [{"url": "http://127.0.0.1:1"}]}]}',
        "nowhere.pem",
    ),
    "a route to nowhere": (
        '{"groups": [{"name": "g", "peers": [{"url": "http://127.0.0.1:1"}]}], "routes": [{"group": "h"}]}',
        "h",
    ),
    "an anchor that grows": (
        "a: &a [x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b]\ngroups: [*c]",
        "unknown key `a`",
    ),
}


def run(suite):
    """A hundred good files, then bad ones, then the end."""
    pool, origin = Pool(suite), Origin()
    proxy = Proxy(suite, "main", pool.peers, retry=RETRY, circuit_breaker=BREAKER, health_check=PROBE)
    config = proxy.config | {
        "reload": {"watch": False},
        "routes": [
            {"match": {"path": "/streams"}, "strip_prefix": True, "group": "streams"},
            {"match": {"path": "/dead"}, "group": "dead"},
            {"group": "main"},
        ],
    }
    never = {"open_for": "1h", "max_open": "1h"}
    dead = {"name": "dead", "peers": [{"name": "gone", "url": f"http://127.0.0.1:{free_port()}"}]}
    dead |= {"circuit_breaker": never, "health_check": {"probe": "none"}}
    config["groups"] += [{"name": "streams", "peers": [{"name": "origin", "url": origin.url}]}, dead]
    _reload(proxy, config)
    with suite.check("what is known before"):
        _break(proxy)
    streams = [kind(proxy.address) for kind in (Events, Echo) for _ in range(STREAMS)]
    load = Load(suite, proxy, "reads", CONNECTIONS, "reload")
    time.sleep(0.5)
    with suite.check(f"{RELOADS} files are taken"):
        for number in range(RELOADS):
            _reload(proxy, _changed(config, number))
    counts = load.counts()
    suite.say(f"{RELOADS} reloads, {counts['succeeded']} requests succeeded, {counts['failed']} failed, {counts['cut']} cut")
    with suite.check("no request fails"):
        if counts["failed"] or counts["cut"] or counts["succeeded"] < RELOADS * CONNECTIONS:
            suite.fail(str(counts))
    with suite.check("no stream is cut"):
        _alive(suite, streams)
    with suite.check("what is known stays"):
        _known(suite, proxy)
    for kind, (text, said) in BAD.items():
        with suite.check(f"a file with {kind} changes nothing and is told"):
            _bad(suite, proxy, text, said)
    with suite.check("nothing fails over bad files"):
        _alive(suite, streams)
        counts = load.stop()
        if counts["failed"] or counts["cut"]:
            suite.fail(str(counts))
    for stream in streams:
        stream.close()
    with suite.check("the proxy leaves with 0"):
        proxy.stop()
    pool.stop()


def _changed(config, number):
    """The same peers in another order and of other weights; a listener that comes and goes; another route."""
    changed = json.loads(json.dumps(config))
    main = changed["groups"][0]
    main["peers"] = main["peers"][number % 3 :] + main["peers"][: number % 3]
    main["peers"][0]["weight"] = 1 + number % 5
    main["strategy"] = ["p2c", "round_robin", "least_connections"][number % 3]
    if number % 2:
        changed["listeners"].append({"listen": "127.0.0.2:0"})
    changed["routes"].insert(0, {"match": {"path": f"/fixed-{number}"}, "respond": {"status": 204}})
    return changed


def _reload(proxy, config):
    before = proxy.metrics().get(SUCCEEDED, 0)
    proxy.write(json.dumps(config))
    _settled(proxy, SUCCEEDED, before)
    proxy.config = config


def _settled(proxy, name, before):
    proxy.process.signal(signal.SIGHUP)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if proxy.metrics().get(name, 0) == before + 1:
            return
        time.sleep(0.005)
    raise Failure(f"{name} did not grow: {proxy.process.tail(5)}")


def _bad(suite, proxy, text, said):
    before, good = proxy.metrics().get(FAILED, 0), json.dumps(proxy.config)
    length = len(proxy.log())
    proxy.write(text)
    _settled(proxy, FAILED, before)
    if said not in proxy.log()[length:]:
        suite.fail(f"it was not told: {proxy.log()[length:]}")
    if urllib.request.urlopen(proxy.url + "/blob", timeout=10).status != 200:
        suite.fail("it serves no more")
    if proxy.metrics()["backstay_config_last_reload_successful"] != 0:
        suite.fail("the metric says that all is well")
    proxy.write(good)


def _break(proxy):
    """Ask until the breaker of the group that is dead is open."""
    for _ in range(50):
        try:
            urllib.request.urlopen(proxy.url + "/dead", timeout=10)
        except OSError:
            if _open(proxy):
                return
    raise Failure("the breaker does not open")


def _open(proxy):
    return proxy.metrics().get('backstay_breaker_state{group="dead",peer="gone",state="open"}')


def _known(suite, proxy):
    if not _open(proxy):
        suite.fail("the breaker of the dead peer has forgotten")


def _alive(suite, streams):
    before = [stream.seen for stream in streams]
    time.sleep(0.5)
    for stream, seen in zip(streams, before, strict=True):
        if stream.status not in (101, 200) or stream.cut or stream.seen == seen:
            suite.fail(f"{type(stream).__name__}: status {stream.status}, cut: {stream.cut}, {stream.seen - seen} bytes")
