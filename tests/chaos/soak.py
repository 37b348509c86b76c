"""`python -m chaos.soak`: a long life at the sandbox, with faults; memory, threads and descriptors must have no slope.

The site plays 20 times faster than life. The daemon has the environment that its systemd unit gives. It is sampled
every few seconds, its pages are read as a dashboard does; from minute 5 on a line is laid through the lowest sample of
every two and a half minutes: a connection that hangs for a while raises a sample, a leak raises the lowest, too.
"""

from __future__ import annotations

import argparse
import http.client
import math
import re
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from arvnodeman.sandbox.process import SiteProcess
from chaos.daemons import Daemons
from chaos.plan import rates

SPEED = 20.0
APART = 5.0  # real seconds between two samples
WARM_UP = 300.0  # real seconds after which slopes are looked at
WINDOW = 150.0  # real seconds of which the lowest sample counts
JOB_EVERY = 60.0  # simulated seconds
DURATION = 240.0  # simulated seconds
RATE = 0.1  # of faults; see plan.rates
UNIT = Path(__file__).resolve().parents[2] / "doc/ops/arvados-node-manager.service"
# What a process that leaks nothing may show for an hour: kB, threads, descriptors. Memory, since samples of a week and
# past lives of a day are kept, and fill up. It is wrong only where twice the slope's standard error does not explain
# it: kept connections come and go.
MOST = {"rss": 2048.0, "threads": 0.5, "descriptors": 1.0}


@dataclass(frozen=True, slots=True)
class Sample:
    """One look at a process. `at`: seconds since it was started; `rss` in kB; `cpu` in seconds."""

    at: float
    rss: float
    threads: float
    descriptors: float
    cpu: float


def unit_environment(unit: Path = UNIT) -> dict[str, str]:
    """The variables that the unit gives the daemon; without those that hold paths of systemd's."""
    lines = re.findall(r"^Environment=(.*)$", unit.read_text(), re.MULTILINE)
    pairs = (pair.partition("=") for line in lines for pair in line.split())
    return {name: value for name, _, value in pairs if "%" not in value}


def look_at(pid: int, at: float) -> Sample:
    """Raises OSError when the process is gone."""
    process = Path("/proc") / str(pid)
    lines = (line.split(":", 1) for line in (process / "status").read_text().splitlines())
    status = {key: value.split()[0] for key, value in lines if value.split()}
    ticks = (process / "stat").read_text().rpartition(")")[2].split()
    cpu = (int(ticks[11]) + int(ticks[12])) / 100
    return Sample(at, float(status["VmRSS"]), float(status["Threads"]), len(list((process / "fd").iterdir())), cpu)


def slope(samples: Sequence[Sample], what: str) -> tuple[float, float]:
    """Of the line through the lowest samples of all windows, for an hour; and its standard error."""
    lowest: dict[int, Sample] = {}
    for sample in samples:
        window = int(sample.at // WINDOW)
        if window not in lowest or getattr(sample, what) < getattr(lowest[window], what):
            lowest[window] = sample
    if len(lowest) < 3:
        return 0.0, 0.0
    times = [sample.at / 3600 for sample in lowest.values()]
    values = [getattr(sample, what) for sample in lowest.values()]
    line = statistics.linear_regression(times, values)
    rest = sum((value - line.intercept - line.slope * at) ** 2 for at, value in zip(times, values, strict=True))
    spread = statistics.pvariance(times) * len(times)
    return line.slope, math.sqrt(rest / (len(times) - 2) / spread)


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m chaos.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0, help="real minutes (default 30)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--log", type=Path, help="keep the daemon's log in this folder")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="arvados-soak-") as temporary:
        folder = given.log or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        samples, wrong = soak(folder, given.minutes * 60, given.seed)
    return report(samples, wrong)


def soak(folder: Path, seconds: float, seed: int) -> tuple[list[Sample], str]:
    """Let it live for so long; the samples, and what went wrong ('' for nothing)."""
    port = _free_port()
    overrides = {"Manage": {"address": "127.0.0.1", "port": port}}
    with SiteProcess(speed=SPEED, seed=seed, slots=32, page=10) as site:
        daemons = Daemons(site, folder, overrides, {"watchdog": 30, "watchdog_interval": 2}, level="INFO")
        daemons.environment.update(unit_environment())
        jobs = int(seconds * SPEED / JOB_EVERY)
        site.post("jobs", {"workload": {"jobs": jobs, "window": seconds * SPEED, "duration": DURATION}})
        site.post("faults", {"rates": rates(RATE)})
        pid = daemons.start()
        try:
            samples, wrong = _sample(daemons, pid, port, seconds)
        finally:
            daemons.kill()
        verdict, state = site.verdict(), site.state()
    sys.stdout.write(
        f"jobs {verdict['jobs']}, run {verdict['ran_once']}, nodes {verdict['nodes_booted']}, "
        f"faults {sum(state['faults']['struck'].values())}, busy nodes killed {len(verdict['busy_destroyed'])}, "
        f"jobs disturbed {verdict['disturbed']}\n"
    )
    return samples, wrong


def _sample(daemons: Daemons, pid: int, port: int, seconds: float) -> tuple[list[Sample], str]:
    samples: list[Sample] = []
    began = shown = time.monotonic()
    while (now := time.monotonic()) < began + seconds:
        if daemons.ended() is not None:
            return samples, f"the daemon ended by itself with {daemons.ended()}"
        samples.append(look_at(pid, now - began))
        _read_pages(port)
        if now - shown >= 60:
            shown = now
            sys.stdout.write(f"{(now - began) / 60:5.1f} min  {samples[-1]}\n")
            sys.stdout.flush()
        time.sleep(APART)
    return samples, ""


def _read_pages(port: int) -> None:
    for page in ("/status.json", "/metrics"):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        try:
            connection.request("GET", page)
            connection.getresponse().read()
        except (OSError, http.client.HTTPException):
            pass  # it is not there yet
        finally:
            connection.close()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def report(samples: Sequence[Sample], wrong: str) -> int:
    """Say how it came out; the exit code."""
    late = [sample for sample in samples if sample.at >= WARM_UP] or list(samples)
    bad = [wrong] if wrong else []
    for what, most in MOST.items():
        values = [getattr(sample, what) for sample in late]
        found, error = slope(late, what)
        line = (
            f"{what}: {min(values):g} to {max(values):g}, slope {found:+.2f} an hour, give or take {2 * error:.2f} "
            f"(most {most:g})"
        )
        sys.stdout.write(line + "\n")
        if found - 2 * error > most:
            bad.append(line)
    sys.stdout.write(f"processor: {(late[-1].cpu - late[0].cpu) / max(1.0, late[-1].at - late[0].at):.1%} of a core\n")
    sys.stdout.write("".join(f"WRONG: {line}\n" for line in bad) or "no slope\n")
    return 1 if bad else 0


if __name__ == "__main__":
    raise SystemExit(main())
