"""The same scenario directly and through the proxy, for one client and any servers."""

import json
import subprocess

from harness import compare
from harness.process import Process


def run_client(suite, client, places, recorders):
    """`places` are servers with two addresses each: their own, and the proxy's."""
    pairs = []
    for server, *addresses in places:
        pairs.append((server, [_job(suite, client, server, each, recorders) for each in addresses]))
    jobs = [job for _, pair in pairs for job, _ in pair]
    run_jobs(suite, client, jobs, client.name)
    for server, pair in pairs:
        with suite.check(f"{client.name} with {server.name}"):
            _equal(suite, server, pair)


def run_jobs(suite, client, jobs, name, env=None):
    """One process of the client does all jobs, one after the other."""
    file = suite.work / f"jobs-{name}.json"
    file.write_text(json.dumps(jobs))
    process = Process(client.argv(suite, file), suite.work / f"client-{name}.log", stdout=subprocess.DEVNULL, env=env)
    with suite.check(f"{name} comes to its end"):
        process.wait(sum(job["timeout"] for job in jobs) + 20)


def _job(suite, client, server, address, recorders):
    recorder = recorders.record(address)
    # In the modern era changes are heard on a stream of their own, and no stream is resumed.
    has = server.has if client.era == "legacy" else server.has | {"changes"} - {"resumption"}
    job = {
        "url": f"http://127.0.0.1:{recorder.port}{server.path}",
        "transport": server.client_transport,
        "era": client.era,
        "scenario": str(suite.source / "scenarios" / f"{server.scenario}.json"),
        "has": sorted(has),
        "recorder": recorders.page(recorder),
        "timeout": 20,
        "out": str(suite.work / f"transcript-{client.name}-{server.name}-{recorder.number}.jsonl"),
    }
    return job, recorder


def _equal(suite, server, pair):
    (direct, direct_recorder), (proxied, proxied_recorder) = pair
    seen = compare.transcript(direct["out"])
    if '"clean"' not in seen[-1]:
        suite.fail(f"the client fails without the proxy: {seen[-1]}")
    suite.equal(compare.difference(seen, compare.transcript(proxied["out"])))
    lines = [compare.exchanges(recorder, server.noise) for recorder in (direct_recorder, proxied_recorder)]
    suite.equal(compare.difference(*lines))
