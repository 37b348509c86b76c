"""From sbatch's return to the create request, and what that costs slurmctld: this build in turns with an earlier one.

A real Slurm of its own has so many names, which are all off, and so many jobs that wait and are none of ours (another
job_name_pattern). Jobs of ours are submitted at random moments, and the sandbox's cloud tells when a node is asked for.
Each turn: slurmctld alone, the earlier build, this build, first with nobody submitting anything, then with the submits
and for a poll's time behind them: each for as long as the others, so that who serves sooner is not measured for less.
What slurmctld's processor does for a daemon is what it does with it, less what it does alone under the same submits.
Exit code 1 when a goal is missed. The first turn of 5,000 jobs takes some minutes to fill the queue.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path

from builds import Build
from daemon_process import DaemonProcess

from arvnodeman.sandbox.process import SiteProcess
from arvnodeman.sandbox.real_slurm import PrivateSlurm, SlurmFailed
from arvnodeman.sandbox.real_slurm_conf import Shape, SlurmMissing

BASE = "3ec0ed2"  # the build that knew polls alone
ALONE = "slurmctld alone"
NAME = "wake"  # in the names of the jobs that are ours
GOAL_LATENCY, GOAL_CPU = 0.1, 1.5  # of the earlier build's
SIZES = ("small", "medium", "large", "himem", "xlarge")  # of the sandbox's catalogue
UNPROVEN = 5  # nodes of a size that are booted before the first has come up: here none ever does
SUBMITTERS = 4
LOOK = 0.1  # seconds between two looks at the cloud
SANDBOX_SCHEDULER = "bf_interval=1,sched_interval=1"  # of the private Slurm
AS_IT_COMES = "bf_interval=30,sched_interval=60"  # Slurm's own defaults
STILL = "bf_interval=3600,sched_interval=3600"
CPU_CLOCK = 2  # CPUCLOCK_SCHED: with a process's number, the clock that clock_getcpuclockid(3) tells of
SETTLED = 2.2  # polls after which a daemon has done what it does once, as to look what an earlier run has left behind
LATE = 15.0  # seconds that a poll and what follows from it may take


@dataclass(slots=True)
class Figures:
    """Of one build, all turns together."""

    waits: list[float] = field(default_factory=list)  # seconds from sbatch's return to the create request
    missed: int = 0
    quiet: list[float] = field(default_factory=list)  # ms of slurmctld's processor a minute, nobody submits
    busy: list[float] = field(default_factory=list)  # the same while jobs come


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print. Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", default=BASE, help="the other build: anything that git knows")
    parser.add_argument("--nodes", type=int, default=1000)
    parser.add_argument("--jobs", type=int, default=5000, help="that wait and are none of ours")
    parser.add_argument("--submits", type=int, default=25, help="in each turn, for each build")
    parser.add_argument("--gap", type=float, default=60.0, help="mean seconds between two submits")
    parser.add_argument("--poll", type=float, default=60.0, help="[Daemon] poll_time of both builds")
    parser.add_argument("--quiet", type=float, default=300.0, help="seconds without submits, for each build")
    parser.add_argument("--turns", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--still", action="store_true", help="Slurm schedules once an hour: its own work is less")
    given = parser.parse_args(arguments)
    if given.submits > UNPROVEN * len(SIZES):
        parser.error(f"--submits: {UNPROVEN * len(SIZES)} a turn at most, as no node comes up; take more --turns")
    builds: dict[str, Build | None] = {ALONE: None, given.base: Build(given.base), "now": Build("")}
    found = {name: Figures() for name in builds}
    try:
        with PrivateSlurm(Shape(nodes=given.nodes, slurmd_timeout=3600, message_timeout=30)) as slurm:
            schedule(slurm, STILL if given.still else AS_IT_COMES)
            as_before(slurm)
            fill(slurm, given.jobs)
            for turn in range(given.turns):
                for name, build in builds.items():
                    moments = random.Random(f"{given.seed} {turn}")  # the same for all builds
                    gaps = [moments.expovariate(1 / given.gap) for _ in range(given.submits)]
                    play(slurm, build, found[name], gaps, given.poll, given.quiet)
                    print(f"turn {turn + 1}, {name}: {words(found[name])}", flush=True)
    except (SlurmMissing, SlurmFailed) as error:
        print(error, file=sys.stderr)
        return 1
    return report(found, given)


def schedule(slurm: PrivateSlurm, parameters: str) -> None:
    """With these SchedulerParameters."""
    slurm.stop_controller()
    conf = slurm.folder / "slurm.conf"
    text = conf.read_text()
    assert SANDBOX_SCHEDULER in text
    conf.write_text(text.replace(SANDBOX_SCHEDULER, parameters))
    slurm.start_controller()


def fill(slurm: PrivateSlurm, jobs: int) -> None:
    """Jobs of a few dozen shapes, none of them ours."""
    begun = time.monotonic()

    def submit(number: int) -> None:
        options = [f"--cpus-per-task={1 + number % 8}", f"--mem={500 + 500 * (number % 7)}"]
        sbatch(slurm, f"other-{number}", *options, "--nice=10000")

    with ThreadPoolExecutor(SUBMITTERS) as pool:
        list(pool.map(submit, range(jobs)))
    print(f"{jobs} jobs submitted in {time.monotonic() - begun:.0f} s", flush=True)


def sbatch(slurm: PrivateSlurm, name: str, *options: str) -> None:
    """Submit one job."""
    argv = ["sbatch", "--output=/dev/null", "--no-requeue", f"--job-name={name}", *options]
    slurm.say(*argv, text="#!/bin/sh\nexec sleep 600\n")


def play(
    slurm: PrivateSlurm, build: Build | None, figures: Figures, gaps: Sequence[float], poll: float, quiet: float
) -> None:
    """One turn of one build."""
    with tempfile.TemporaryDirectory() as folder, made_site(len(gaps)) as site:
        daemon = begun(site, slurm, build, Path(folder), poll, len(gaps)) if build is not None else None
        try:
            if daemon is not None:
                daemon.wait_for_line("JobQueueMonitorActor")
                daemon.wait_for_line("got response", 3)
            time.sleep(SETTLED * poll)  # slurmctld alone, too: it still cleans up what the last turn left
            with cpu_a_minute(slurm, figures.quiet):
                time.sleep(quiet)
            created = Created(site)
            if not gaps:
                return
            with cpu_a_minute(slurm, figures.busy), created.watched():
                submitted = [submit_after(slurm, gap, size) for gap, size in zip(gaps, cycle(SIZES), strict=False)]
                time.sleep(poll + LATE)
            if build is not None:
                figures.waits += [at - since for since, at in zip(submitted, created.at, strict=False)]
                figures.missed += len(gaps) - len(created.at)
        finally:
            if daemon is not None:
                daemon.end()
    as_before(slurm)


def made_site(nodes: int) -> SiteProcess:
    """Whose cloud has room for so many nodes."""
    return SiteProcess(speed=1, slots=nodes + 8, quota=nodes + 8, records="slurm")


def as_before(slurm: PrivateSlurm) -> None:
    """No job of ours, and no name with a mark; all offer all sizes, as they do beside a daemon."""
    slurm.say("scancel", f"--name={NAME}")
    names = f"NodeName=compute[1-{slurm.shape.nodes}]"
    features = ",".join(f"instancetype={size}" for size in SIZES)
    slurm.say("scontrol", "update", names, "Comment=", f"Features={features}")
    slurm.run("scontrol", "update", names, "State=RESUME")  # refused for those of which there is nothing to resume


def begun(
    site: SiteProcess, slurm: PrivateSlurm, build: Build, folder: Path, poll: float, submits: int
) -> DaemonProcess:
    """A daemon of this build between the site's cloud and the real Slurm."""
    log = folder / "log"
    config = site.write_config(
        folder / "site.cfg",
        {"Logging": {"file": log, "level": "INFO"}},
        poll_time=poll,
        max_poll_time=300,
        poll_stale_after=600,
        boot_fail_after=36_000,
        node_stale_after=72_000,
        use_within=36_000,
        max_nodes=submits + 8,
        job_name_pattern=NAME,
        watchdog=600,
    )
    path = os.pathsep.join([str(build.source)])
    environment = {**slurm.environment(), "PYTHONPATH": path, "NO_PROXY": "127.0.0.1"}
    return DaemonProcess(config, log, environment, [str(build.python), "-P", "-m", "arvnodeman"])


def submit_after(slurm: PrivateSlurm, gap: float, size: str) -> float:
    """Wait, submit a job of ours, and tell when sbatch was back."""
    time.sleep(gap)
    sbatch(slurm, NAME, f"--constraint=instancetype={size}")
    return time.monotonic()


class Created:
    """When the cloud was asked for nodes, one after the other."""

    def __init__(self, site: SiteProcess) -> None:
        self._site = site
        self._before = self._count()
        self._stop = threading.Event()
        self.at: list[float] = []

    def _count(self) -> int:
        return int(self._site.state()["counts"].get("node-created", 0))

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Meanwhile."""
        thread = threading.Thread(target=self._watch)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(LOOK):
            new = self._count() - self._before - len(self.at)
            self.at += [time.monotonic()] * new


@contextmanager
def cpu_a_minute(slurm: PrivateSlurm, found: list[float]) -> Iterator[None]:
    """Adds the milliseconds of slurmctld's processor a minute."""
    pid = controller(slurm)
    before, began = cpu(pid), time.monotonic()
    yield
    found.append(1000 * (cpu(pid) - before) / (time.monotonic() - began) * 60)


def controller(slurm: PrivateSlurm) -> int:
    """The process id of slurmctld: it holds its log."""
    log = (slurm.folder / "log" / "slurmctld.log").stat()
    holders = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (process / "comm").read_text().startswith("slurmctld") and any(
                os.path.samestat(each.stat(), log) for each in (process / "fd").iterdir() if each.exists()
            ):
                holders.append(int(process.name))
    return max(holders, key=cpu)


def cpu(pid: int) -> float:
    """Seconds that a process has had the processor, by its own clock: /proc/PID/stat counts in hundredths, and a
    minute of looks is three of these."""
    return time.clock_gettime(~pid << 3 | CPU_CLOCK)


def at(values: Sequence[float], share: float) -> float:
    """The value below which this share of them is; the largest, if they are few."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def words(figures: Figures) -> str:
    """In one line."""
    waits, told = figures.waits, ""
    if waits:
        told = f"{len(waits)} waits, median {at(waits, 0.5):.2f} s, 99 % {at(waits, 0.99):.2f} s; "
    quiet = f"slurmctld {statistics.mean(figures.quiet):.0f} ms a minute quiet"
    busy = f", {statistics.mean(figures.busy):.0f} with submits" if figures.busy else ""
    return told + quiet + busy + (f"; {figures.missed} NOT SERVED" if figures.missed else "")


def report(found: Mapping[str, Figures], given: argparse.Namespace) -> int:
    """Print ratios. 1 when a goal is missed."""
    base, now, alone = found[given.base], found["now"], found[ALONE]
    print(f"{given.nodes} names, {given.jobs} jobs of others, poll_time {given.poll:g} s, {len(now.waits)} submits")
    good = not (base.missed or now.missed)
    for name, share in (("median", 0.5), ("99 %", 0.99)) if base.waits and now.waits else ():
        before, after = at(base.waits, share), at(now.waits, share)
        good &= after / before <= GOAL_LATENCY
        waits = f"{before:.2f} s, {after:.2f} s: {after / before:.3f}"
        print(f"  sbatch to create, {name}: {waits} (goal {GOAL_LATENCY:g})")
    for name in ("quiet", "busy") if alone.busy else ("quiet",):
        own = statistics.mean(getattr(alone, name))
        before, after = (statistics.mean(getattr(each, name)) - own for each in (base, now))
        if before <= 0:
            print(f"  slurmctld for us, {name}: lost in its own work, which takes {own:.0f} ms a minute")
            continue
        good &= after <= GOAL_CPU * before
        print(
            f"  slurmctld for us, {name}: {before:.0f}, {after:.0f} ms a minute: {after / before:.2f} "
            f"(goal {GOAL_CPU:g}; alone it takes {own:.0f})"
        )
    return 0 if good else 1


if __name__ == "__main__":
    raise SystemExit(main())
