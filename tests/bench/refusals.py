"""From the cloud's refusal to the job's place on another size, on a real Slurm that places jobs on names that are off.

The cloud refuses every size but the dearest, always. Jobs of all kinds are submitted in rounds; each is refused size
after size until it is on the dearest, then it is cancelled, and the next round begins when all names are open again.
Times are those of the cloud's refusal and of slurmctld's log. A job is lost when Slurm ends it, held when it says so,
changed when it may not be queued again as its user had it. Exit code 1 for any of that, and when a refusal took longer
than the goal. The Slurm has to be one that has the mode (`make proofs ARGS="slurms --slurms 24.11 --run -- ..."`).
"""

from __future__ import annotations

import argparse
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import cycle
from pathlib import Path

from daemon_process import DaemonProcess
from wakes import at

from arvnodeman.sandbox.catalogue import SIZES
from arvnodeman.sandbox.hostlist import expand
from arvnodeman.sandbox.process import SiteProcess

GOAL = 3.0  # seconds
SPEED = 30.0  # of the cloud
POLL = 60.0  # seconds, as by default: Slurm's call wakes the daemon
SLOTS = 100  # names, of all sizes together
PATIENCE = 90.0  # seconds for a round, and for names to be open again
SERVING = 4  # answers to polls of a new daemon: it is at rest
LOOK = 0.25
SBATCH = ("sbatch", "--parsable", "--partition=cloud", "--mem=10", "--output=/dev/null")
SCRIPT = "#!/bin/sh\nexec sleep 600\n"
SANDBOX_SCHEDULER = "bf_interval=1,sched_interval=1"  # a pass each second
HANDBOOK = "default_queue_depth=1000,bf_continue,bf_max_job_test=2000,batch_sched_delay=1"  # doc/slurm-decides.md
DEAREST = max(SIZES, key=lambda size: size.price).id
REFUSED = tuple(size.id for size in SIZES if size.id != DEAREST)
ONCE = "--no-requeue"
KINDS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "one node": (("-n1",),),
    "one node, no requeue": (("-n1", ONCE),),
    "exclusive": (("-n1", "--exclusive", ONCE),),
    "two nodes": (("-N2", "--exclusive"),),
    "two nodes, no requeue": (("-N2", "--exclusive", ONCE),),
    "three nodes": (("-N3", "--exclusive"),),
    "array": (("-n1", "--array=1-3"),),
    "array, no requeue": (("-n1", "--array=1-3", ONCE),),
    "shared": (("-n1",), ("-n1", ONCE), ("-n1",)),
    "several at once": (("-n2",), ("-N2", "--exclusive", ONCE), ("-n1", "--array=1-2")),
}
_PLACED = re.compile(
    r"^\[(\S+)\] sched(?:/backfill)?: .*?JobId=(\d+(?:_\d+)?)(?:\(\d+\))? (?:NodeList=|in \S+ on )(\S+)", re.MULTILINE
)
HELD = ("JobHeldUser", "JobHeldAdmin", "JobHoldMaxRequeue")
IN_ORDER = ("CONFIGURING", "RUNNING")


@dataclass(slots=True)
class Found:
    """What was measured. `waits`: seconds, the kind of the round, and the name that was refused."""

    waits: list[tuple[float, str, str]] = field(default_factory=list)
    jobs: int = 0
    lost: list[str] = field(default_factory=list)
    held: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    late: list[str] = field(default_factory=list)  # not on another size within PATIENCE


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print. Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--refusals", type=int, default=200, help="at least so many")
    parser.add_argument("--minutes", type=float, default=60.0, help="no round begins later (default 60)")
    parser.add_argument("--handbook", action="store_true", help="the handbook's scheduler, not a pass each second")
    parser.add_argument("--poll", type=float, default=POLL, help="[Daemon] poll_time (default 60, as the daemon's)")
    parser.add_argument("--keep", type=Path, help="keep the logs in this folder")
    given = parser.parse_args(arguments)
    found, end = Found(), time.monotonic() + 60 * given.minutes
    with tempfile.TemporaryDirectory() as passing, made_site() as site:
        folder = given.keep or Path(passing)
        folder.mkdir(parents=True, exist_ok=True)
        schedule(site, HANDBOOK if given.handbook else SANDBOX_SCHEDULER)
        site.post("faults", {"rates": {f"create-capacity:{size}": 1.0 for size in REFUSED}})
        for kind in cycle(KINDS):
            with daemon_at(site, folder, given.poll):
                until_open(site)
                play(site, kind, found)
            print(f"{kind}: {len(found.waits)} refusals", flush=True)
            if len(found.waits) >= given.refusals or time.monotonic() > end:
                break
        (folder / "slurmctld.log").write_text(ctld(site))
    return report(found)


def made_site() -> SiteProcess:
    """A cloud, and a real Slurm that places jobs on its names."""
    return SiteProcess(speed=SPEED, slots=SLOTS, slurm="real", records="slurm-cloud")


def schedule(site: SiteProcess, parameters: str) -> None:
    """Slurm schedules by these parameters from now on."""
    conf = Path(site.address.slurm_conf)
    text = conf.read_text()
    assert SANDBOX_SCHEDULER in text
    conf.write_text(text.replace(SANDBOX_SCHEDULER, parameters))
    slurm(site, "scontrol", "reconfigure")


@contextmanager
def daemon_at(site: SiteProcess, folder: Path, poll: float) -> Iterator[DaemonProcess]:
    """The real daemon, at rest."""
    log = folder / "daemon.log"
    options = {"poll_time": poll, "max_poll_time": 2 * poll, "poll_stale_after": 10 * poll, "size_retry_after": 600}
    config = site.write_config(folder / "site.cfg", {"Logging": {"file": log, "level": "DEBUG"}}, **options)
    daemon = DaemonProcess(config, log, site.environment())
    try:
        daemon.wait_for_line("got response", SERVING)
        yield daemon
    finally:
        daemon.end()


def play(site: SiteProcess, kind: str, found: Found) -> None:
    """One round: jobs of a kind, until all of them are on the dearest size."""
    first = site.get("events?after=0")["events"][-1:]
    jobs: dict[str, bool] = {}
    for options in KINDS[kind]:
        number = slurm(
            site, "sbatch", "--parsable", "-p", "cloud", "--mem=10", "--output=/dev/null", *options, text=SCRIPT
        ).strip()
        tasks = next((each for each in options if each.startswith("--array=1-")), "")
        ids = [f"{number}_{task}" for task in range(1, int(tasks[-1]) + 1)] if tasks else [number]
        jobs |= dict.fromkeys(ids, ONCE not in options)
    found.jobs += len(jobs)
    end = time.monotonic() + PATIENCE
    while (shown := states(site, jobs)) and any(not there(each) for each in shown.values()):
        if time.monotonic() > end:
            found.late += [f"{job} ({kind}): {shown[job]}" for job in jobs if not there(shown[job])]
            break
        time.sleep(LOOK)
    judge(site, kind, jobs, shown, found)
    seen = int(first[0]["seq"]) if first else 0
    refusals = site.get(f"events?after={seen}&kind=fault")["events"]
    found.waits += waits_of(refusals, placings(ctld(site)), jobs, kind)
    slurm(site, "scancel", *{job.partition("_")[0] for job in jobs})


def there(shown: Sequence[str]) -> bool:
    """Is a job on a node of the dearest size, or over?"""
    state, _, names, _ = shown
    return names.startswith(DEAREST) or state not in ("PENDING", *IN_ORDER, "COMPLETING")


def states(site: SiteProcess, jobs: Mapping[str, bool]) -> dict[str, list[str]]:
    """Of each job: its state, its reason, its names, and whether it may be queued again."""
    argv = ("squeue", "-h", "-r", "--states=all", "-o", "%i|%T|%r|%N")
    shown = {line.split("|")[0]: [*line.split("|")[1:], ""] for line in slurm(site, *argv).splitlines()}
    return {job: shown.get(job, ["GONE", "", "", ""]) for job in jobs}


def judge(site: SiteProcess, kind: str, jobs: Mapping[str, bool], shown: Mapping[str, list[str]], found: Found) -> None:
    """Which of them are lost, held, or not as they were."""
    for job, requeue in jobs.items():
        state, reason, *_ = shown[job]
        if reason in HELD or state in ("REQUEUE_HOLD", "SPECIAL_EXIT"):
            found.held.append(f"{job} ({kind}): {reason}")
        elif state not in ("PENDING", *IN_ORDER):
            found.lost.append(f"{job} ({kind}): {state}")
        else:
            wanted = f" Requeue={int(requeue)} "
            end = time.monotonic() + PATIENCE / 3
            while wanted not in (said := slurm(site, "scontrol", "-o", "show", "job", job)):
                if time.monotonic() > end:
                    found.changed.append(f"{job} ({kind}): {said.strip()[:200]}")
                    break
                time.sleep(LOOK)


def placings(log: str) -> dict[str, list[tuple[float, list[str]]]]:
    """When each job was placed, and on which names, by slurmctld's log."""
    found: dict[str, list[tuple[float, list[str]]]] = {}
    for moment, job, names in _PLACED.findall(log):
        since = datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp()
        found.setdefault(job, []).append((since, expand(names)))
    return found


def waits_of(
    refusals: Sequence[Mapping[str, object]],
    placed: Mapping[str, list[tuple[float, list[str]]]],
    jobs: Mapping[str, bool],
    kind: str,
) -> Iterator[tuple[float, str, str]]:
    """For each refusal of a name: how long until the last of the jobs placed there was on another size."""
    for refusal in refusals:
        name, moment = str(refusal["subject"]), float(str(refusal["at"]))
        size = name.rpartition("-")[0]
        waits = []
        for job in jobs:
            before = [names for since, names in placed.get(job, ()) if since <= moment]
            if before and name in before[-1]:
                later = [
                    since
                    for since, names in placed[job]
                    if since > moment and not any(each.startswith(f"{size}-") for each in names)
                ]
                waits.append(later[0] - moment if later else PATIENCE)
        if waits:
            yield max(waits), kind, name


def until_open(site: SiteProcess) -> None:
    """Wait until every name of a refused size is off and free."""
    end = time.monotonic() + PATIENCE
    while True:
        lines = slurm(site, "sinfo", "-h", "-N", "-p", "cloud", "-o", "%N %t").splitlines()
        if all(line.endswith(" idle~") for line in lines if line.startswith(REFUSED)):
            return
        if time.monotonic() > end:
            raise SystemExit("names are not opened:\n" + "\n".join(lines))
        time.sleep(LOOK)


def slurm(site: SiteProcess, *argv: str, text: str = "") -> str:
    """Run a command of Slurm's that must work; what it says."""
    done = subprocess.run(
        argv, env=site.environment(), input=text, capture_output=True, text=True, timeout=PATIENCE, check=True
    )
    return done.stdout


def ctld(site: SiteProcess) -> str:
    """slurmctld's log."""
    return (Path(site.address.slurm_conf).parent / "log" / "slurmctld.log").read_text(errors="replace")


def report(found: Found) -> int:
    """Print it; the exit code."""
    times = [wait for wait, _, _ in found.waits]
    slow = [each for each in found.waits if each[0] > GOAL]
    print(
        f"{len(times)} refusals, {found.jobs} jobs: median {at(times, 0.5):.2f} s, 90 % {at(times, 0.9):.2f} s, "
        f"most {max(times):.2f} s; above {GOAL:g} s: {len(slow)}"
    )
    for kind in KINDS:
        mine = [wait for wait, of, _ in found.waits if of == kind]
        if mine:
            print(f"  {kind:24} {len(mine):3}: median {at(mine, 0.5):.2f} s, most {max(mine):.2f} s")
    for wait, kind, name in slow:
        print(f"  slow: {name} ({kind}): {wait:.2f} s")
    for what in ("lost", "held", "changed", "late"):
        which = getattr(found, what)
        print(f"jobs {what}: {len(which)}" + "".join(f"\n  {each}" for each in which))
    return 1 if slow or found.lost or found.held or found.changed or found.late else 0


if __name__ == "__main__":
    raise SystemExit(main())
