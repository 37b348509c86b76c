"""How long it takes until so many nodes are made at EC2: this build side by side with an earlier one, in one run.

Both daemons run in turns, with the same interpreter and libraries, at a sandbox site whose cloud is moto's EC2 and
whose Slurm keeps the node records. One node is up, and the daemon knows it, before the others are asked for, so that
its size has proved itself; seconds count from the arrival of the jobs to the last instance. `--throttled`: the peer
refuses requests as EC2 documents (five RunInstances at once, two a second; 1,000 instances at once, two a second), by
real time; the earlier build then needs half a second a node. `--bound` stops that one, and tells how far it had come.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from daemon_process import DaemonProcess
from many_idle import BASE, ROOT, checkout

from arvnodeman.sandbox.process import SiteProcess

SPEED = 20
POLL = 2.0  # real seconds between polls, of both builds
LIMIT = 3600.0  # real seconds for one run
TEMPLATE = "#!/bin/sh\n# node_name={hostname}\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run both builds and print seconds and ratios. Returns 1 when the goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, default=200)
    parser.add_argument("--throttled", action="store_true")
    parser.add_argument("--bound", type=float, default=LIMIT, help="seconds after which the other build is stopped")
    parser.add_argument("--base", default=BASE, help="the other build: anything that git knows; empty: none")
    given = parser.parse_args(arguments)
    goal = 20 if given.throttled else 5
    with tempfile.TemporaryDirectory() as folder:
        builds = {"this": ROOT}
        if given.base:
            builds |= {given.base: checkout(given.base, Path(folder) / "base")}
        kind = "that throttles as EC2 documents" if given.throttled else "that does not throttle"
        print(f"{given.nodes} nodes from a peer {kind}; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
        found = {
            name: run(given.nodes, path, throttled=given.throttled, longest=LIMIT if name == "this" else given.bound)
            for name, path in builds.items()
        }
    if len(found) < 2:
        return 0
    ratio = found[given.base] / found["this"]
    most = " at most: the other was stopped" if found[given.base] >= given.bound else ""
    print(f"  1/{ratio:.1f}{most} (goal 1/{goal})", flush=True)
    return 0 if ratio >= goal else 1


def run(count: int, build: Path, *, throttled: bool, longest: float) -> float:
    """Seconds of one daemon of this build, on a site of its own; `longest` where it was stopped then."""
    options = {"speed": SPEED, "slots": count + 8, "quota": count + 8, "page": 1000, "records": "slurm", "cloud": "ec2"}
    with tempfile.TemporaryDirectory() as folder, SiteProcess(**options, seed=1, throttled=throttled) as site:
        template = Path(folder) / "template"
        template.write_text(TEMPLATE)
        log = Path(folder) / "log"
        config = site.write_config(
            Path(folder) / "site.cfg",
            {
                "Logging": {"file": str(log), "level": "INFO"},
                "Cloud": {"shutdown_windows": "0.01, 100000"},
                "Cloud Create": {"user_data": str(template), "subnet_id": ""},
                "Size small": {"scratch": "0"},
            },
            poll_time=POLL,
            poll_stale_after=300,
            boot_fail_after=3600,
            node_stale_after=7200,
            max_nodes=count + 1,
            watchdog=600,
        )
        environment = site.environment() | {"PYTHONPATH": str(build)}
        daemon = DaemonProcess(config, log, environment, [sys.executable, "-P", "-m", "arvnodeman"])
        try:
            return watch(count, site, daemon, build.name, longest)
        finally:
            daemon.end()


def watch(count: int, site: SiteProcess, daemon: DaemonProcess, name: str, longest: float) -> float:
    """From the jobs' arrival to the last instance."""
    site.add_jobs({"size": "small", "duration": 1e6})
    site.wait_for(lambda state: state["slurm"].get("alloc", 0) >= 1, timeout=120)
    time.sleep(3 * POLL)  # the daemon has heard of it
    site.add_jobs(*({"size": "small", "duration": 1e6} for _ in range(count)))
    before = {"daemon": processor_seconds(daemon.process.pid), "peer": processor_seconds(site.pid)}
    began = time.monotonic()
    reached: dict[str, float] = {}
    parts = {"half": 1 + count // 2, "all": 1 + count}
    while "all" not in reached:
        now = time.monotonic() - began
        made = site.state()["cloud"]["created"]
        if now > longest and longest < LIMIT:
            print(f"  {name:<8} {made - 1} of {count} after {longest:6.1f} s, stopped", flush=True)
            return longest
        if now > LIMIT or daemon.process.poll() is not None:
            raise SystemExit(f"not all nodes were made within {LIMIT:g} s; the log ends with:\n{daemon.text()[-3000:]}")
        reached |= {part: now for part, wanted in parts.items() if part not in reached and made >= wanted}
        time.sleep(0.1 if now < 60 else 1.0)
    spent = {"daemon": daemon.process.pid, "peer": site.pid}
    told = ", ".join(f"{who} {processor_seconds(pid) - before[who]:.1f}" for who, pid in spent.items())
    times = f"half after {reached['half']:6.1f} s, all after {reached['all']:6.1f} s"
    print(f"  {name:<8} {times}; seconds of processor: {told}", flush=True)
    return reached["all"]


def processor_seconds(pid: int) -> float:
    """What a process has used so far, with its children that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    sys.exit(main())
