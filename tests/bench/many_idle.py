"""Many nodes that fall idle at once, and whole lives of nodes: this build side by side with an earlier one.

Both daemons run in turns, with the same interpreter and libraries, on the same double of Slurm and a cloud that answers
at once. Idle: so many nodes are up without work when the daemon starts; seconds count from its decision to let them go.
Lives: so many jobs, a node each, from the boot to the end. CPU seconds are those of the kernel's accounts: of the
daemon, and of its children that have ended, which are Slurm's commands.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daemon_process import DaemonProcess

from arvnodeman.sandbox.process import SiteProcess

ROOT = Path(__file__).resolve().parents[2]
BASE = "3ec0ed2"  # the build that asked and drained node by node
SIZE = "small"
LIMIT = 900.0  # real seconds for one run
SPEED = 20
HZ = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one run; seconds."""

    first: float  # until the first part of the nodes was gone
    all: float
    own: float  # CPU of the daemon
    commands: float  # CPU of Slurm's commands
    clean: bool


def main(arguments: Sequence[str] | None = None) -> int:
    """Run both builds and print figures and ratios. Returns 1 when a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, default=5000, help="that are idle together (0: leave this out)")
    parser.add_argument("--lives", type=int, default=300, help="nodes whose whole lives are watched (0: none)")
    parser.add_argument("--records", choices=("slurm", "arvados"), default="slurm", help="who keeps the node records")
    parser.add_argument("--base", default=BASE, help="the other build: anything that git knows; empty: none")
    parser.add_argument("--slurm", choices=("double", "real"), default="double", help="real: for --lives alone")
    parser.add_argument("--rounds", type=int, default=1)
    given = parser.parse_args(arguments)
    if given.slurm == "real":
        given.nodes = 0
    good = True
    with tempfile.TemporaryDirectory() as folder:
        builds = {"this": ROOT}
        if given.base:
            builds = {given.base: checkout(given.base, Path(folder) / "base")} | builds
        print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
        print(f"node records: {given.records}; Slurm: {given.slurm}")
        for play, count, goals in (("idle", given.nodes, (10, 5, 0)), ("lives", given.lives, (0, 0, 10))):
            for _ in range(given.rounds if count else 0):
                found = {name: run(play, count, path, given.records, given.slurm) for name, path in builds.items()}
                good &= report(play, count, found, goals)
    return 0 if good else 1


def checkout(build: str, path: Path) -> Path:
    """The source of a build, in a directory of its own."""
    subprocess.run(["git", "clone", "--quiet", "--shared", str(ROOT), str(path)], check=True)
    subprocess.run(["git", "-C", str(path), "checkout", "--quiet", build], check=True)
    return path


def report(play: str, count: int, found: Mapping[str, Figures], goals: tuple[int, int, int]) -> bool:
    """Print a table. True when every goal (for the first, for all, for the commands) is met."""
    print(f"{play}: {count} nodes", f"{'first ' + str(first_part(count)):>12} {'all':>8} {'commands':>10} {'ours':>8}")
    for name, row in found.items():
        seconds = f"{row.first:10.1f} s {row.all:6.1f} s {row.commands:6.1f} CPU s {row.own:5.1f} CPU s"
        each = f"{1000 * row.commands / count:.2f} ms of commands a node"
        print(f"  {name:<10} {seconds}  {each}{'' if row.clean else '  NOT CLEAN'}", flush=True)
    rows = list(found.values())
    clean = all(row.clean for row in rows)
    if len(rows) < 2:
        return clean
    base, this = rows
    ratios = (base.first / this.first, base.all / this.all, base.commands / this.commands)
    names = ("the first", "all", "commands")
    for name, ratio, goal in zip(names, ratios, goals, strict=True):
        print(f"  {name}: 1/{ratio:.1f}" + (f" (goal 1/{goal})" if goal else ""), flush=True)
    return clean and all(ratio >= goal for ratio, goal in zip(ratios, goals, strict=True))


def first_part(count: int) -> int:
    """How many are the first."""
    return max(1, count // 5)


def run(play: str, count: int, build: Path, records: str, slurm: str) -> Figures:
    """One daemon of this build on a site of its own."""
    options: dict[str, object] = {
        "speed": SPEED,
        "slots": count + 8,
        "quota": count + 8,
        "page": 1000,
        "records": records,
        "seed": 1,
    }
    with tempfile.TemporaryDirectory() as folder, SiteProcess(**options) as site:
        log = Path(folder) / "log"
        config = site.write_config(
            Path(folder) / "site.cfg",
            {"Logging": {"file": str(log), "level": "INFO"}, "Cloud": {"shutdown_windows": "0.01, 100000"}},
            poll_time=5,
            poll_stale_after=300,
            boot_fail_after=600,
            node_stale_after=3600,
            drain_poll_time=10,
            max_nodes=count,
            max_cloud_ops_per_second=0,
            watchdog=600,
        )
        if play == "idle":
            make_nodes(site, count)
        environment = site.environment() | {"PYTHONPATH": str(build)}
        daemon = DaemonProcess(config, log, environment, [sys.executable, "-P", "-m", "arvnodeman"])
        try:
            return watch(play, count, site, daemon)
        finally:
            daemon.end()


def watch(play: str, count: int, site: SiteProcess, daemon: DaemonProcess) -> Figures:
    """From the decision, or the jobs' arrival, to the last node's end."""
    if play == "lives":
        duration = SPEED * (15 + count / 6)  # every node is there before the first job ends
        site.add_jobs(*({"duration": duration} for _ in range(count)))
    began = time.monotonic()
    first = done = 0.0
    decided = play == "lives"
    while not done:
        if time.monotonic() - began > LIMIT or daemon.process.poll() is not None:
            raise SystemExit(f"not all nodes went within {LIMIT:g} s, the log ends with:\n{daemon.text()[-3000:]}")
        if not decided and "Draining SLURM node" in daemon.text():
            began, decided = time.monotonic(), True
        gone = site.state()["counts"].get("node-destroyed", 0)
        now = time.monotonic() - began
        first = first or (now if gone >= first_part(count) else 0.0)
        done = now if gone >= count else 0.0
        time.sleep(0.2 if decided else 0.05)
    site.wait_for(lambda state: bool(state["quiet"]), timeout=120)  # names and drains are clean, too
    own, commands = cpu_seconds(daemon.process.pid)
    verdict = site.verdict()
    return Figures(first, done, own, commands, bool(verdict["clean"]))


def cpu_seconds(pid: int) -> tuple[float, float]:
    """User and system seconds of a process, and of its children that have ended and were waited for."""
    fields = [int(field) for field in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:15]]
    return sum(fields[:2]) / HZ, sum(fields[2:]) / HZ


def make_nodes(site: SiteProcess, count: int) -> None:
    """Nodes that an earlier daemon has booted, all up and idle."""
    names = [f"compute{number}" for number in range(1, count + 1)]
    with connected(site) as ask:
        for name in names:
            tags = {"arvados_node_size": SIZE, "arvados_node_price": "0.05", "hostname": name}
            tags |= {"arvados_node_manager": site.address.cluster, "arvados_node_token": f"bench-{name}"}
            body = {"name": name, "size": SIZE, "tags": tags, "user_data": f"node_name={name}", "token": name}
            made = ask("POST", "/cloud/nodes", body)
            mark = [f"Comment=Node Manager node {made['id']}", f"NodeHostName={name}"]
            ask("POST", "/slurm", {"argv": ["scontrol", "update", f"NodeName={name}", *mark]})
        feature = f"instancetype={SIZE}"
        changes = [f"AvailableFeatures={feature}", f"ActiveFeatures={feature}", "Weight=50"]
        ask("POST", "/slurm", {"argv": ["scontrol", "update", f"NodeName={','.join(names)}", *changes]})
        site.wait_for(lambda state: state["cloud"]["nodes"].get("running", 0) >= count, timeout=300)
        page: int | None = 0
        while page is not None:
            listed = ask("GET", f"/cloud/nodes?page={page}", None)
            for node in listed["nodes"]:
                words = ["scontrol", "update", f"NodeName={node['name']}", f"NodeAddr={node['address']}"]
                ask("POST", "/slurm", {"argv": words})
            page = listed["next"]
        site.wait_for(lambda state: state["slurm"].get("idle", 0) >= count, timeout=300)


@contextmanager
def connected(site: SiteProcess) -> Iterator[Callable[[str, str, object], Any]]:
    """One connection to the site, for many requests."""
    connection = http.client.HTTPConnection("127.0.0.1", site.address.port, timeout=60)
    head = {"Content-Type": "application/json", "Authorization": f"Bearer {site.address.key}"}

    def ask(method: str, path: str, body: object) -> Any:
        connection.request(method, path, None if body is None else json.dumps(body), head)
        response = connection.getresponse()
        answer = json.loads(response.read())
        assert response.status == 200, answer
        return answer

    try:
        yield ask
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(main())
