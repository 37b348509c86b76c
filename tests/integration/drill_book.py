"""The drills: what goes wrong, and what becomes of the daemon then. `make drills` prints the table of all of them."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from daemon_process import BOUND, DaemonProcess

from arvnodeman.sandbox.process import SiteProcess

WATCHDOG = 3.0  # seconds, for all drills
INTERVAL = 0.5  # of its rounds, which follows from the first
SAID = "The last run ended "


@dataclass(frozen=True, slots=True)
class Drill:
    """One thing that goes wrong. `cause`, `subject`: as the last words are to have them, '' for none at all; `says`: a
    part of what the next start says; `code`: how the process ends."""

    name: str
    what: str
    cause: str
    subject: str
    says: str
    code: int = -signal.SIGKILL
    allowed: float = INTERVAL + WATCHDOG + 1.0  # seconds from the fault to the end

    @property
    def needs_root(self) -> bool:
        """Only root can mount a disk that is small enough to be full."""
        return self.name == "disk-full"

    @property
    def at_start(self) -> bool:
        """The cue is given beforehand: it goes wrong as soon as it can."""
        return self.name == "start"


AT_ONCE = 1.0
WITH_ALL_LAST_WORDS = INTERVAL + WATCHDOG + 1.0 + 5.0  # those for the log hang
C_TIMER = INTERVAL + 1.1 * WATCHDOG + 3.0

DRILLS = (
    Drill("socket", "a poller blocked in a socket", "watchdog", "ArvadosNodeListMonitorActor", "by its own watchdog"),
    Drill("subprocess", "a poller blocked in a command", "watchdog", "JobQueueMonitorActor", "by its own watchdog"),
    Drill("lock", "a poller deadlocked on a lock", "watchdog", "CloudNodeListMonitorActor", "by its own watchdog"),
    Drill("brain", "the daemon actor blocked", "watchdog", "NodeManagerDaemonActor", "by its own watchdog"),
    Drill("interpreter", "the interpreter lock held by C code", "", "", "its watchdog had stopped", 1, C_TIMER),
    Drill(
        "exception",
        "a poller killed by an exception",
        "watchdog",
        "JobQueueMonitorActor",
        "by its own watchdog",
        allowed=AT_ONCE,
    ),
    Drill(
        "system-exit",
        "SystemExit in a poller",
        "watchdog",
        "CloudNodeListMonitorActor",
        "by its own watchdog",
        allowed=AT_ONCE,
    ),
    Drill(
        "keyboard-interrupt",
        "KeyboardInterrupt in a poller",
        "watchdog",
        "ArvadosNodeListMonitorActor",
        "by its own watchdog",
        allowed=AT_ONCE,
    ),
    Drill(
        "start",
        "an exception at a poller's start",
        "watchdog",
        "CloudNodeListMonitorActor",
        "by its own watchdog",
        allowed=AT_ONCE,
    ),
    Drill(
        "brain-killed",
        "the daemon actor killed by an exception",
        "watchdog",
        "NodeManagerDaemonActor",
        "by its own watchdog",
        allowed=AT_ONCE,
    ),
    Drill(
        "watchdog-killed",
        "the watchdog killed",
        "watchdog",
        "WatchdogActor",
        "by its own watchdog",
        allowed=AT_ONCE,
    ),
    Drill("watchdog-hangs", "the watchdog itself blocked", "", "", "its watchdog had stopped", 1, C_TIMER),
    Drill("timer-killed", "the timer killed", "fatal", "Timer", "by a fatal error: Timer", allowed=AT_ONCE),
    Drill("no-memory", "MemoryError in a poll", "fatal", "MemoryError", "by a fatal error", allowed=AT_ONCE),
    Drill("no-memory-for-slurm", "ENOMEM from squeue", "fatal", "OSError", "by a fatal error", allowed=AT_ONCE),
    Drill("no-threads", "no more threads", "fatal", "RuntimeError", "by a fatal error", allowed=AT_ONCE),
    Drill(
        "log-locked", "the log locked", "watchdog", "MonitorActor", "by its own watchdog", allowed=WITH_ALL_LAST_WORDS
    ),
    Drill("disk-full", "the disk full, a poller blocked", "watchdog", "ArvadosNodeList", "by its own watchdog"),
    Drill("killed", "SIGKILL from outside", "", "", "killed from outside", allowed=AT_ONCE),
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of it."""

    code: int
    seconds: float  # from the fault to the end of the process
    left: list[str]  # processes of its group that still lived afterwards
    words: dict[str, object]  # last_words.json, {} when there is none
    stacks: str  # the C timer's file
    log: str
    said: str  # by the next start


def play(drill: Drill, site: SiteProcess, folder: Path) -> Outcome:
    """Let it go wrong in a real daemon at the site, wait for the end, and start another one in its place."""
    disk = folder / "disk"
    disk.mkdir()
    if drill.name == "disk-full":
        with small_disk(disk):
            return _play(drill, site, folder, disk)
    return _play(drill, site, folder, disk)


def _play(drill: Drill, site: SiteProcess, folder: Path, disk: Path) -> Outcome:
    state, log, cue = disk / "state", disk / "log", folder / "cue"
    config = _config(site, folder / "site.cfg", log, state)
    if drill.at_start:
        cue.touch()
    program = [sys.executable, str(Path(__file__).with_name("drill_daemon.py")), drill.name, str(cue), "--"]
    daemon = DaemonProcess(config, log, site.environment(), program)
    try:
        if not drill.at_start:
            daemon.wait_for_line("got response with", 6)
        if drill.name == "disk-full":
            fill(disk)
        cue.touch()
        if drill.name == "killed":
            begun = cue.with_suffix(".begun")
            daemon.wait_for(lambda: begun.exists() and begun.read_text(), "the hung child")
            daemon.process.kill()
        code = daemon.process.wait(BOUND)
        ended = time.monotonic()
    finally:
        daemon.end()
    began = float(cue.with_suffix(".begun").read_text())
    left = wait_until_gone(daemon.process.pid)
    words = state / "last_words.json"
    return Outcome(
        code=code,
        seconds=ended - began,
        left=left,
        words=json.loads(words.read_text()) if words.exists() else {},
        stacks=(state / "stacks.txt").read_text(errors="replace").strip("\0"),
        log=log.read_text(),
        said=_next_start(site, folder, state),
    )


def _config(site: SiteProcess, path: Path, log: Path, state: Path) -> Path:
    return site.write_config(
        path,
        {"Logging": {"file": log, "level": "INFO"}},
        watchdog=WATCHDOG,
        state_dir=state,
    )


def _next_start(site: SiteProcess, folder: Path, state: Path) -> str:
    log = folder / "next.log"
    daemon = DaemonProcess(_config(site, folder / "next.cfg", log, state), log, site.environment())
    try:
        daemon.wait_for_line(SAID)
    finally:
        daemon.end()
    return next(line for line in daemon.text().splitlines() if SAID in line).partition(SAID)[2]


def wait_until_gone(group: int, timeout: float = 5.0) -> list[str]:
    """What still lives in a process group, when it had time to go."""
    end = time.monotonic() + timeout
    while (left := members(group)) and time.monotonic() < end:
        time.sleep(0.02)
    return left


def members(group: int) -> list[str]:
    """The living processes of a group, as PID NAME."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, rest = stat.read_text(errors="replace").partition("(")[2].rpartition(")")
        except OSError:
            continue
        state, _, pgrp = rest.split()[:3]
        if int(pgrp) == group and state not in "ZX":
            found.append(f"{stat.parent.name} {name}")
    return found


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """A file system of 2 MB. Needs root."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path) -> None:
    """Leave no room on a file system."""
    with (folder / "filler").open("wb", buffering=0) as filler:
        for size in (1 << 16, 1 << 10, 1):
            try:
                while True:
                    filler.write(b"x" * size)
            except OSError:
                continue


def table(rows: Sequence[tuple[Drill, Outcome]]) -> str:
    """For people: one line for each drill."""
    head = (
        "what goes wrong",
        "dead after",
        "at most",
        "children",
        "last words",
        "the next start says: the last run ended",
    )
    lines = [head]
    for drill, outcome in rows:
        words = "stacks of the C timer" if outcome.stacks else "none"
        if outcome.words:
            words = f"{outcome.words['cause']}: {outcome.words['subject']}"
        took, left = f"{outcome.seconds:.2f} s", ", ".join(outcome.left) or "gone"
        lines.append((drill.what, took, f"{drill.allowed:.1f} s", left, words, outcome.said))
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join(" | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)


def main() -> int:
    parser = argparse.ArgumentParser(description="Play the drills and print what became of the daemon.")
    parser.add_argument("names", metavar="DRILL", nargs="*", help="of these: " + ", ".join(d.name for d in DRILLS))
    chosen = parser.parse_args().names
    rows = []
    with SiteProcess(speed=50) as site, tempfile.TemporaryDirectory() as folder:
        for drill in DRILLS:
            if drill.needs_root and os.geteuid() != 0:
                sys.stderr.write(f"{drill.name} is left out: only root can mount a small disk\n")
            elif not chosen or drill.name in chosen:
                place = Path(folder) / drill.name
                place.mkdir()
                rows.append((drill, play(drill, site, place)))
    sys.stdout.write(f"watchdog = {WATCHDOG:g}, and so watchdog_interval = {INTERVAL:g}\n{table(rows)}\n")
    return any(outcome.seconds > drill.allowed or outcome.left for drill, outcome in rows)


if __name__ == "__main__":
    sys.exit(main())
