"""A group of one peer: what a client sees through the proxy is what it sees directly, ids and times aside."""

from concurrent.futures import ThreadPoolExecutor

from harness import compare
from harness.catalogue import CLIENTS, SERVERS
from harness.proxy import Proxy
from harness.recorder import Recorders
from suites import wire
from suites.pairs import run_client


def run(suite):
    """Every client with every server, and the wire by hand with every server."""
    recorders = Recorders()
    servers = {server: server.start(suite) for server in SERVERS}
    proxies = {}
    for server, process in servers.items():
        process.ready()
        proxies[server] = Proxy(suite, f"one-{server.name}", [{"name": "only", "url": process.url}])
    with ThreadPoolExecutor(2) as pool:
        works = [pool.submit(_client, suite, client, servers, proxies, recorders) for client in CLIENTS]
        for work in works:
            work.result()
    for server, process in servers.items():
        with suite.check(f"wire {server.name}"):
            lines = [wire.session(address, server) for address in (process.address, proxies[server].address)]
            suite.equal(compare.difference(*lines))
    for server, proxy in proxies.items():
        with suite.check(f"the proxy of {server.name} leaves with 0"):
            proxy.stop()
    recorders.close()


def _client(suite, client, servers, proxies, recorders):
    met = [server for server in servers if client.meets(server)]
    run_client(suite, client, [(each, servers[each].address, proxies[each].address) for each in met], recorders)
