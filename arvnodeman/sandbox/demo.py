"""`arvados-node-manager demo`: a whole site on this machine, the real daemon on it, and a queue of jobs to work off.

The site and the daemon are processes of their own. Signals only set a flag that the demo looks at between two steps, so
that whatever was started is always known, and is ended before the demo ends.
"""

from __future__ import annotations

import argparse
import contextlib
import math
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from arvnodeman.cloud.sandbox import NODE_NAME
from arvnodeman.history.schema import FILE_NAME as HISTORY
from arvnodeman.sandbox.demo_end import completed_runs, sum_up, sum_up_cloud
from arvnodeman.sandbox.demo_needs import cloud_complaint, slurm_complaint
from arvnodeman.sandbox.demo_stream import CALM_SPEED, CAP, NODES, FrontDoor, JobStream
from arvnodeman.sandbox.demo_trace import FILE_NAME as TRACE
from arvnodeman.sandbox.demo_trace import trace_of
from arvnodeman.sandbox.openstack_releases import NEWEST, RELEASES, chosen
from arvnodeman.sandbox.process import SiteFailed, SiteProcess
from arvnodeman.sandbox.real_slurm_conf import MOST_NODES
from arvnodeman.sandbox.site import CLOUDS, ONLY_REAL
from arvnodeman.sandbox.wiring import PLACES, RECORDS
from arvnodeman.terminal.command_line import CommandLine

PROGRAM = "arvados-node-manager"
_INTERRUPTED = 130
_LOOK = 0.25  # real seconds between two looks at the site
_STOP = 15.0  # real seconds that the daemon gets for an orderly stop

# Tuned for 40 jobs in about a minute: simulated seconds, which a demo of N seconds plays PACE * 90 / N times as fast.
_PACE = 30.0
_SECONDS = 90.0
_JOBS = 40
_SLOW_FACTOR = 2.0  # a real Slurm or nova has its own delays, which are real seconds
_WHOLE_FACTOR = 10.0  # a whole control plane of OpenStack
_NAMES = 60  # on which Slurm places jobs, of all sizes together
_WINDOW = 500.0
_DURATION = 180.0
ONLY_DOUBLE = "--cloud openstack goes with a double of Slurm: its servers' addresses are not on this machine"
_RECORDS = {
    "slurm": "There is no Arvados: Slurm is alone, and its node names are the records.\n",
    "arvados-3": "Its Arvados is a 3.x: the jobs are containers, and Slurm's node names are the records.\n",
    PLACES: "There is no Arvados: Slurm itself places jobs on names that are off, and says which nodes it wants.\n",
}
_FAULTS = {"create-throttled": 1, "create-lost": 1, "node-dies-booting": 1, "node-dies-working": 1}


def main(argv: Sequence[str]) -> int:
    """The subcommand. Exit codes are those of `demo()`; 2 for a wrong command line."""
    parser = _parser()
    given = parser.parse_args(argv)
    if given.open_ended and (given.seconds is not None or given.jobs is not None):
        parser.error("--open-ended has no end and counts no jobs: leave --seconds and --jobs away")
    if given.records == PLACES and given.slurm != "real":
        parser.error(ONLY_REAL)
    if given.cloud == "openstack" and given.slurm == "real":
        parser.error(ONLY_DOUBLE)
    if complaint := cloud_complaint(given.cloud, given.release):
        sys.stderr.write(f"demo: {complaint}\n")
        return 1
    if given.slurm == "real" and (complaint := slurm_complaint(given.slurm_root, given.records)):
        sys.stderr.write(f"demo: {complaint}\n")
        return 1
    seconds = given.seconds or _SECONDS * _slower(given.slurm, given.cloud)
    return demo(
        DemoPlan(
            seconds=math.inf if given.open_ended else seconds,
            speed=CALM_SPEED if given.open_ended else _PACE * _SECONDS / seconds,
            jobs=given.jobs or _JOBS,
            seed=given.seed,
            log=given.log,
            keep=given.keep,
            slurm=given.slurm,
            cloud=given.cloud,
            records=given.records,
        )
    )


def _slower(slurm: str, cloud: str) -> float:
    """How many times as long real services take."""
    if cloud == "openstack":
        return _WHOLE_FACTOR if chosen().whole else _SLOW_FACTOR
    return _SLOW_FACTOR if slurm == "real" else 1


def _parser() -> argparse.ArgumentParser:
    parser = CommandLine(
        prog="arvados-node-manager demo",
        description="Plays a queue of jobs on a made-up site on this machine, run by the real daemon. Exit code 0: "
        "every job has run exactly once, and no node and no slot is left.",
    )
    parser.add_argument(
        "--open-ended",
        action="store_true",
        help="jobs go on coming, at a calm rate and without faults, until Ctrl-C: for looking at the daemon's page",
    )
    parser.add_argument(
        "--seconds",
        type=_positive,
        help="the longest that it takes (default 90; on a real Slurm or nova 180, on a whole OpenStack 900)",
    )
    parser.add_argument("--jobs", type=_jobs, help=f"how many jobs (default {_JOBS})")
    parser.add_argument("--seed", type=int, default=1, help="the same seed plays the same jobs and faults")
    parser.add_argument("--log", metavar="FILE", help="keep the daemon's log in this file")
    parser.add_argument("--keep", metavar="FOLDER", help="keep configuration, log and history there")
    parser.add_argument(
        "--slurm",
        choices=("double", "real"),
        default="double",
        help="real: on a Slurm of its own (munged, slurmctld, slurmds) instead of a double; any account may",
    )
    parser.add_argument(
        "--cloud",
        choices=CLOUDS,
        default="sandbox",
        help="instead of the sandbox's: moto's EC2, or a real OpenStack, which is installed once (minutes)",
    )
    parser.add_argument(
        "--release",
        choices=RELEASES,
        help=f"of OpenStack; default {NEWEST}. zed is Debian 12's, -whole a whole control plane",
    )
    parser.add_argument(
        "--records",
        choices=RECORDS,
        default="arvados",
        help="slurm: without Arvados, on a cluster of Slurm alone, whose node names are the records. arvados-3: they "
        "are with an Arvados 3.x, too, whose containers are the jobs. slurm-cloud: Slurm places jobs on names that are "
        "off, from 24.11 on",
    )
    parser.add_argument(
        "--slurm-root",
        metavar="DIR",
        type=Path,
        help="run the Slurm in this directory (python -m arvnodeman.sandbox.slurm_root makes one); for root alone",
    )
    return parser


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoPlan:
    """What the demo plays. `seconds`: the longest time that it may take; infinite: jobs come until Ctrl-C."""

    seconds: float
    speed: float
    jobs: int
    seed: int
    log: str | None
    keep: str | None = None
    slurm: str
    cloud: str
    records: str

    @property
    def open_ended(self) -> bool:
        """Until somebody interrupts it."""
        return self.seconds == math.inf


def _positive(text: str) -> float:
    number = float(text)
    if not 5 <= number <= 86_400:
        raise argparse.ArgumentTypeError("must be between 5 and 86400")
    return number


def _jobs(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 10_000:
        raise argparse.ArgumentTypeError("must be between 1 and 10000")
    return number


def demo(plan: DemoPlan, out: TextIO | None = None) -> int:
    """Play it. 0: every job has run once and nothing is left, or one without an end was interrupted; 130: another was;
    1: it did not end so, or not within its time."""
    stream = sys.stdout if out is None else out
    with _interruptible() as interrupted, tempfile.TemporaryDirectory(prefix="arvados-demo-") as passing:
        folder = Path(plan.keep or passing).absolute()
        log_path = Path(plan.log or folder / "daemon.log")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            slots = max(64, plan.jobs) if plan.slurm == "double" else _NAMES if plan.records == PLACES else MOST_NODES
            with SiteProcess(
                speed=plan.speed,
                seed=plan.seed,
                slots=slots,
                slurm=plan.slurm,
                cloud=plan.cloud,
                records=plan.records,
            ) as site:
                code = _play(site, folder, log_path, plan, stream, interrupted)
            if plan.keep:
                stream.write(_kept(folder, site))
            return code
        except (SiteFailed, OSError) as error:
            if isinstance(error, BrokenPipeError):
                raise
            sys.stderr.write(f"demo: {error}\n")
            return 1


def _play(site: SiteProcess, folder: Path, log_path: Path, plan: DemoPlan, out: TextIO, interrupted: list[int]) -> int:
    door = FrontDoor.choose()
    most = NODES if plan.open_ended else max(6, plan.jobs * 3 // 10)
    config = site.write_config(
        folder / "nodemanager.cfg",
        {"Manage": door.options, "Daemon": {"state_dir": folder / "state"}, **_figures(site), **_reads(site, folder)},
        max_nodes=min(most, site.address.slots),
        max_total_price=CAP if plan.open_ended else 0,
    )
    slurm_folder = Path(site.address.slurm_conf).parent if site.address.slurm_conf else None
    out.write(_introduction(site, plan, slurm_folder))
    out.flush()
    with _daemon(site, config, log_path) as daemon:
        stream = JobStream(site, plan.seed) if plan.open_ended else None
        if stream is None:
            site.post("jobs", {"workload": {"jobs": plan.jobs, "window": _WINDOW, "duration": _DURATION}})
            site.post("faults", {"arm": _FAULTS})
        if door.opens(lambda: bool(interrupted) or daemon.poll() is not None):
            out.write(door.words)
            if plan.open_ended:
                out.write(f"Ask it, in another terminal: {_program()} status --config {shlex.quote(str(config))}\n")
            out.flush()
        ended = _watch(site, daemon, plan, out, interrupted, stream)
        if ended == _INTERRUPTED:
            _kill(daemon)
            out.write("interrupted\n" if stream is None else _farewell(site.verdict()))
            return _INTERRUPTED if stream is None else 0
        if ended is None:
            _stop(daemon)
    runs = completed_runs(slurm_folder) if slurm_folder is not None else None
    if plan.keep and slurm_folder is not None:
        (folder / TRACE).write_text(trace_of(slurm_folder, site.state("jobs")["job_list"]), encoding="utf-8")
        shutil.copy(slurm_folder / "log" / "slurmctld.log", folder)
    places = plan.records == PLACES
    code = sum_up(site.verdict(), site.state(), ended, out, log_path, runs, places=places)
    provider = site.address.provider
    return max(code, sum_up_cloud(provider, site.get(provider), out) if site.address.cloud else 0)


def _introduction(site: SiteProcess, plan: DemoPlan, slurm_folder: Path | None) -> str:
    """Where it is played."""
    jobs = "jobs come until Ctrl-C" if plan.open_ended else f"{plan.jobs} jobs come"
    text = f"A made-up site at {site.address.url}, {site.address.speed:g} times faster than life; {jobs}.\n"
    if slurm_folder is not None:
        text += f"Its Slurm is a real one, in {slurm_folder}.\n"
    text += _RECORDS.get(site.address.records, "")
    if site.address.cloud:
        where = site.address.cloud["Cloud Credentials"]
        if site.address.provider == "ec2":
            text += f"Its cloud is moto's EC2, at {where['host']}:{where['port']}.\n"
        else:
            text += f"Its cloud is a real OpenStack on nova's fake hypervisor: {where['ex_force_auth_url']}.\n"
    return text


def _program() -> str:
    """How this program is called from any folder: as it was, where that is a file that may run."""
    called = Path(sys.argv[0])
    return (
        shlex.quote(str(called.absolute()))
        if called.name == PROGRAM
        else f"{shlex.quote(sys.executable)} -m arvnodeman"
    )


def _figures(site: SiteProcess) -> dict[str, dict[str, object]]:
    """What the sandbox's cloud says of its sizes, for `simulate`, which asks no cloud."""
    if site.address.cloud:
        return {}
    return {f"Size {size.id}": {"ram": size.ram, "price": size.price} for size in site.address.sizes}


def _reads(site: SiteProcess, folder: Path) -> dict[str, dict[str, object]]:
    """What tells nodes of another cloud their names, where no Arvados does."""
    if not site.address.cloud or site.address.records == "arvados":
        return {}
    (folder / "user-data").write_text(f"#!/bin/sh\n# {NODE_NAME}{{hostname}}\n", encoding="utf-8")
    return {"Cloud Create": {"user_data": folder / "user-data"}}


def _kept(folder: Path, site: SiteProcess) -> str:
    """What may be looked at afterwards."""
    history = shlex.quote(str(folder / "state" / HISTORY))
    text = f"Its files are in {folder}. What it cost: {_program()} report --since today --history {history}\n"
    if (folder / TRACE).exists():
        config, trace = (shlex.quote(str(folder / name)) for name in ("nodemanager.cfg", TRACE))
        boot = sum(size.boot for size in site.address.sizes) / len(site.address.sizes) / site.address.speed
        files = f"--config {config} --trace {trace} --history {history}"
        text += f"Its jobs, played: {_program()} simulate {files} --boot-seconds {boot:.1f}\n"
    return text


def _farewell(verdict: Mapping[str, Any]) -> str:
    """The end of an open end."""
    jobs, nodes = verdict["ran_once"], verdict["nodes_booted"]
    return f"ended: {jobs} jobs have run on {nodes} nodes, which cost ${verdict['cost']:.2f}\n"


def _watch(
    site: SiteProcess,
    daemon: subprocess.Popen[bytes],
    plan: DemoPlan,
    out: TextIO,
    interrupted: list[int],
    stream: JobStream | None,
) -> int | str | None:
    """Show what happens until all is over: None; or a text that says what went wrong; or _INTERRUPTED."""
    # rich takes a tenth of a second to import: not before the signals are in hand
    from arvnodeman.sandbox.demo_view import LiveScreen, PlainScreen, Screen

    start = time.time()
    screen: Screen = LiveScreen(out, start, plan.jobs) if out.isatty() else PlainScreen(out, start)
    seen = 0
    try:
        while True:
            if stream is not None:
                stream.flow(time.time())
            state = site.state("nodes")
            events: list[dict[str, Any]] = site.get(f"events?after={seen}")["events"]
            seen = events[-1]["seq"] if events else seen
            screen.show(state, events)
            if interrupted:
                return _INTERRUPTED
            if state["quiet"] and stream is None:
                return None
            if daemon.poll() is not None:
                return f"the daemon ended by itself with exit code {daemon.returncode}"
            if time.time() - start > plan.seconds:
                return f"not over within {plan.seconds:g} seconds"
            time.sleep(_LOOK)
    finally:
        screen.close()


# ---- the daemon ----------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _daemon(site: SiteProcess, config: Path, log_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The daemon as a child, in a process group of its own; killed at the end if it is still there."""
    command = [sys.executable, "-m", "arvnodeman", "--config", str(config), "--foreground"]
    with log_path.open("wb") as log:
        daemon = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=site.environment(), start_new_session=True
        )
        try:
            yield daemon
        finally:
            _kill(daemon)


def _stop(daemon: subprocess.Popen[bytes]) -> None:
    daemon.send_signal(signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        daemon.wait(_STOP)


def _kill(daemon: subprocess.Popen[bytes]) -> None:
    """End the daemon and its children, at once."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(daemon.pid, signal.SIGKILL)
    daemon.wait()


@contextlib.contextmanager
def _interruptible() -> Iterator[list[int]]:
    """While inside, SIGINT, SIGTERM and SIGHUP only put their number into the list."""
    caught: list[int] = []
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, lambda signum, _frame: caught.append(signum)) for number in signals]
    try:
        yield caught
    finally:
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler)
