#!/usr/bin/env python3
"""CPU time per request of backstay beside nginx and HAProxy: one proxy core each, the same origin, interleaved rounds.

    cargo build --release && python3 benches/side_by_side.py [--rounds 15] [--seconds 2] [--case get|post|large]

Needs nginx, haproxy and wrk (apt-get install nginx haproxy wrk), Linux and two cores: the proxy under
test runs on the first, origin and load on the second. CPU time is read from /proc; the ratio of the medians is the
figure to go by, requests per second on a shared machine prove little.
"""

import argparse
import os
import pathlib
import re
import shutil
import socket
import statistics
import subprocess
import tempfile
import time

ORIGIN = range(19101, 19104)
PORTS = {"backstay": 19110, "nginx": 19111, "haproxy": 19112}
CASES = {"get": ("/1k", None), "post": ("/1k", 1024), "large": ("/64k", None)}
TICKS = os.sysconf("SC_CLK_TCK")


def configurations(folder):
    """Writes what each program is started with; the commands."""
    listen = " ".join(f"listen 127.0.0.1:{port};" for port in ORIGIN)
    (folder / "64k").write_bytes(b"x" * 65536)
    bodies = f'location = /1k {{ return 200 "{"x" * 1024}"; }} location = /64k {{ alias {folder}/64k; }}'
    common = f"daemon off; error_log {folder}/error.log crit; events {{ worker_connections 4096; }} "
    http = "access_log off; keepalive_requests 1000000000; keepalive_timeout 3600s; tcp_nodelay on; "
    (folder / "origin.conf").write_text(
        f"master_process off; pid {folder}/origin.pid; {common} http {{ {http} default_type text/plain; sendfile on;"
        f" open_file_cache max=10; server {{ {listen} {bodies} }} }}"
    )
    servers = " ".join(f"server 127.0.0.1:{port};" for port in ORIGIN)
    (folder / "nginx.conf").write_text(
        f"worker_processes 1; pid {folder}/nginx.pid; user root; {common} http {{ {http}"
        f" upstream origin {{ {servers} keepalive 256; keepalive_requests 1000000000; }}"
        f" server {{ listen 127.0.0.1:{PORTS['nginx']}; proxy_http_version 1.1; location / {{ proxy_pass http://origin;"
        ' proxy_set_header Connection ""; proxy_set_header Host $host;'
        " proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; } } }"
    )
    servers = "\n".join(f"  server s{port} 127.0.0.1:{port} pool-max-conn 512" for port in ORIGIN)
    (folder / "haproxy.cfg").write_text(
        "global\n  nbthread 1\ndefaults\n  mode http\n  timeout client 1h\n  timeout server 1h\n  timeout connect 5s\n"
        f"  http-reuse always\n  option forwardfor\nlisten f\n  bind 127.0.0.1:{PORTS['haproxy']}\n  balance roundrobin\n{servers}\n"
    )
    peers = "\n".join(f"      - url: http://127.0.0.1:{port}" for port in ORIGIN)
    (folder / "backstay.yaml").write_text(
        f"threads: 1\nlisteners:\n  - listen: 127.0.0.1:{PORTS['backstay']}\n"
        f"groups:\n  - name: origin\n    strategy: round_robin\n    peers:\n{peers}\n"
    )
    return {
        "origin": ["nginx", "-c", f"{folder}/origin.conf"],
        "nginx": ["nginx", "-c", f"{folder}/nginx.conf"],
        "haproxy": ["haproxy", "-db", "-q", "-f", f"{folder}/haproxy.cfg"],
    }


def start(command, core, port):
    program = subprocess.Popen(["taskset", "-c", str(core), *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return program
        except OSError:
            time.sleep(0.05)
    raise SystemExit(f"did not start: {' '.join(command)}")


def cpu(pid):
    """Seconds of CPU time of a process and its children that live."""
    ticks = 0
    for pid in [pid, *children(pid)]:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / TICKS


def children(pid):
    return [int(child) for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def load(port, path, body, seconds, folder):
    """One round; how many requests were answered."""
    script = folder / "post.lua"
    script.write_text(f'wrk.method = "POST"\nwrk.body = string.rep("x", {body})\n' if body else "")
    command = ["taskset", "-c", "1", "wrk", "-t1", "-c64", f"-d{seconds}s", "-s", str(script), f"http://127.0.0.1:{port}{path}"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in said or "Socket errors" in said:
        raise SystemExit(f"failed requests:\n{said}")
    return int(re.search(r"(\d+) requests in", said)[1])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default="target/release/backstay", type=pathlib.Path)
    parser.add_argument("--rounds", default=15, type=int)
    parser.add_argument("--seconds", default=2, type=int)
    parser.add_argument("--case", default="get", choices=CASES)
    options = parser.parse_args()
    missing = [tool for tool in ("nginx", "haproxy", "wrk", "taskset") if not shutil.which(tool)]
    if missing or not options.binary.exists():
        parser.error(f"not found: {', '.join([*missing, *([] if options.binary.exists() else [str(options.binary)])])}")
    path, body = CASES[options.case]
    with tempfile.TemporaryDirectory(prefix="backstay-bench-") as folder:
        folder = pathlib.Path(folder)
        folder.chmod(0o755)
        commands = configurations(folder)
        commands["backstay"] = [str(options.binary.resolve()), "run", "-c", f"{folder}/backstay.yaml"]
        running = [start(commands["origin"], 1, ORIGIN[0])]
        try:
            pids = {}
            for name, port in PORTS.items():
                running.append(start(commands[name], 0, port))
                pids[name] = running[-1].pid
            used, rates = {name: [] for name in PORTS}, {name: [] for name in PORTS}
            for name in PORTS:
                load(PORTS[name], path, body, 1, folder)
            for _ in range(options.rounds):
                for name in PORTS:
                    before = cpu(pids[name])
                    answered = load(PORTS[name], path, body, options.seconds, folder)
                    used[name].append((cpu(pids[name]) - before) / answered * 1e6)
                    rates[name].append(answered / options.seconds)
        finally:
            for program in running:
                program.terminate()
            for program in running:
                program.wait()
    print(f"{options.case}, {options.rounds} rounds of {options.seconds} s, load of the machine {os.getloadavg()[0]:.1f}")
    print(f"{'':10}{'CPU us/req':>11}{'x nginx':>9}{'spread %':>10}{'req/s':>9}")
    for name in PORTS:
        median = statistics.median(used[name])
        ratio = statistics.median(ours / theirs for ours, theirs in zip(used[name], used["nginx"]))
        spread = 100 * (max(used[name]) - min(used[name])) / median
        print(f"{name:10}{median:11.2f}{ratio:9.2f}{spread:10.1f}{statistics.median(rates[name]):9.0f}")


if __name__ == "__main__":
    main()
