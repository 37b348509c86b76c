"""200 jobs on 200 nodes at the sandbox site, with boots that take no time: how long the real daemon takes, and what of
the machine.

Times are real seconds from the moment at which the jobs are queued, to the last node created, paired and destroyed.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

from daemon_process import DaemonProcess

from arvnodeman.sandbox.process import SiteProcess

NODES = 200
LIMIT = 120.0  # real seconds
SPEED = 250  # a node of the size small boots in 0.2 real seconds
DURATION = 5 * SPEED  # simulated seconds: every node is there before the first job ends


def status_of(pid: int) -> dict[str, str]:
    """/proc/PID/status."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


def cpu_seconds(pid: int) -> float:
    """User and system seconds of the process, and of its children that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(field) for field in fields[11:15]) / 100


def main() -> int:
    """Run it once and print the figures."""
    reached: dict[str, float] = {}
    threads = 0
    with tempfile.TemporaryDirectory() as folder, SiteProcess(speed=SPEED, slots=NODES + 8, seed=1) as site:
        log = Path(folder) / "log"
        config = site.write_config(
            Path(folder) / "site.cfg",
            {"Logging": {"file": str(log), "level": "INFO"}},
            poll_time=0.5,
            max_nodes=NODES,
            max_cloud_ops_per_second=1000,
        )
        daemon = DaemonProcess(config, log, site.environment())
        try:
            daemon.wait_for_line("got response", 3)
            began = time.monotonic()
            site.add_jobs(*({"size": "small", "duration": DURATION} for _ in range(NODES)))
            while "destroyed" not in reached and time.monotonic() - began < LIMIT:
                state = site.state()
                now = time.monotonic() - began
                counts = state["counts"]
                if state["cloud"]["created"] >= NODES:
                    reached.setdefault("created", now)
                if daemon.text().count("is now paired") >= NODES:
                    reached.setdefault("paired", now)
                if counts.get("node-destroyed", 0) >= NODES:
                    reached.setdefault("destroyed", now)
                threads = max(threads, int(status_of(daemon.process.pid)["Threads"]))
                time.sleep(0.1)
            site.wait_for(lambda state: bool(state["quiet"]), timeout=LIMIT)
            peak = int(status_of(daemon.process.pid)["VmHWM"].split()[0]) / 1024
            cpu = cpu_seconds(daemon.process.pid)
            verdict = site.verdict()
            daemon.stop()
        finally:
            daemon.end()
    print(f"{NODES} jobs on {verdict['nodes_booted']} nodes, {verdict['most_at_once']} at most at once")
    print("seconds to all " + ", ".join(f"{name} {at:.1f}" for name, at in reached.items()))
    print(f"the daemon: {cpu:.1f} CPU seconds with its commands, {peak:.0f} MiB, {threads} threads")
    print(json.dumps({"clean": verdict["clean"], "ran_once": verdict["ran_once"]}))
    return 0 if verdict["clean"] and "destroyed" in reached else 1


if __name__ == "__main__":
    sys.exit(main())
