"""A sweep that is played elsewhere: what is to be played, in a folder, and what came of it so far.

The folder is its owner's alone, and holds no secret. It is read by the runs of a Slurm job array, by the job that
collects what came of them, and by a later call, which goes on where an earlier one was ended.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import shutil
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from arvnodeman.traces.job import TracedJob
from arvnodeman.version import __version__
from arvnodeman.whatif.forecast import Forecast
from arvnodeman.whatif.points import Play, Point
from arvnodeman.whatif.sweep import Candidate

WORK, PLAN, JOBS, TRACE, SHARES = "work", "plan", "jobs", "trace", "shares"


class NoPlan(Exception):
    """There is none, or none that may be read. The text is one line for people."""


@dataclass(frozen=True, slots=True)
class SweepPlan:
    """What is to be played, and where what comes of it is to be told."""

    candidates: tuple[Candidate, ...]
    seeds: tuple[int, ...]
    remarks: tuple[str, ...]  # of the trace
    play: Play
    plot: Path | None = None
    version: str = __version__

    @property
    def keys(self) -> list[tuple[int, int]]:
        """Of all runs: the place of the candidate, and the number of the seed."""
        return [(place, number) for place, each in enumerate(self.candidates) for number in range(len(each.points))]

    def point(self, key: tuple[int, int]) -> Point:
        """What is played in one run."""
        place, number = key
        return self.candidates[place].points[number]


class PlanFolder:
    """The folder of one sweep. What is in WORK goes when all is done; the rest is the result."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.work = folder, folder / WORK

    # ---- the plan ----------------------------------------------------------------------------------------------------

    def make(self, plan: SweepPlan, jobs: Sequence[TracedJob]) -> None:
        """Keep it. Raises NoPlan where another one is kept there, and OSError."""
        if self.exists():
            if self.plan() != plan or self.trace() != tuple(jobs):
                raise NoPlan(f"{self.folder}: another sweep is under way there; use another folder, or remove it")
            return
        self.work.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._write(TRACE, pickle.dumps(tuple(jobs), protocol=pickle.HIGHEST_PROTOCOL))
        self._write(PLAN, pickle.dumps(plan, protocol=pickle.HIGHEST_PROTOCOL))  # last: with it all is there

    def exists(self) -> bool:
        """Is a sweep under way here?"""
        return (self.work / PLAN).exists()

    def plan(self) -> SweepPlan:
        """Raises NoPlan."""
        plan = self._read(PLAN)
        if not isinstance(plan, SweepPlan) or plan.version != __version__:
            raise NoPlan(f"{self.folder}: the sweep there is another version's")
        return plan

    def trace(self) -> tuple[TracedJob, ...]:
        """Raises NoPlan."""
        found: tuple[TracedJob, ...] = self._read(TRACE)  # type: ignore[assignment]  # as make() wrote it
        return found

    def _read(self, name: str) -> object:
        path = self.work / name
        try:
            both = path.stat(), self.work.stat()
            if {each.st_uid for each in both} != {os.geteuid()} or both[1].st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                raise NoPlan(f"{path}: it does not belong only to us")
            return pickle.loads(path.read_bytes())  # noqa: S301  # our own, and nobody else may write there
        except OSError as error:
            raise NoPlan(f"{path}: {(error.strerror or 'cannot be read').lower()}") from None
        except (pickle.UnpicklingError, EOFError, AttributeError, ImportError, TypeError, ValueError):
            raise NoPlan(f"{path}: it is broken, or another version's") from None

    # ---- what came of it ---------------------------------------------------------------------------------------------

    def keep(self, key: tuple[int, int], forecast: Forecast) -> None:
        """What came of one run."""
        self._write(_name(key), msgspec.json.encode(forecast))

    def keep_failure(self, key: tuple[int, int], text: str) -> None:
        """Why nothing came of it."""
        self._write(f"{_name(key)}.failed", text.encode("utf-8", "replace"))

    def forget_failures(self) -> None:
        """They are tried again."""
        for path in self.work.glob("run-*.failed"):
            path.unlink(missing_ok=True)

    def forecasts(self, plan: SweepPlan) -> dict[tuple[int, int], Forecast | str]:
        """All that came so far; a text is why nothing did."""
        found: dict[tuple[int, int], Forecast | str] = {}
        for key in plan.keys:
            with contextlib.suppress(OSError):
                found[key] = (self.work / f"{_name(key)}.failed").read_text(encoding="utf-8")
            with contextlib.suppress(OSError, msgspec.DecodeError):
                found[key] = msgspec.json.decode((self.work / _name(key)).read_bytes(), type=Forecast)
        return found

    def missing(self, plan: SweepPlan) -> list[tuple[int, int]]:
        """Runs of which nothing came yet."""
        found = self.forecasts(plan)
        return [key for key in plan.keys if not isinstance(found.get(key), Forecast)]

    # ---- jobs of Slurm -----------------------------------------------------------------------------------------------

    def share_out(self, shares: Sequence[Sequence[tuple[int, int]]]) -> None:
        """Which runs each task of the array plays."""
        self._write(SHARES, msgspec.json.encode(shares))

    def share(self, task: int) -> list[tuple[int, int]]:
        """Those of one task. Raises NoPlan."""
        try:
            shares = msgspec.json.decode((self.work / SHARES).read_bytes(), type=list[list[tuple[int, int]]])
            return shares[task]
        except (OSError, msgspec.DecodeError, IndexError):
            raise NoPlan(f"{self.work / SHARES}: it does not say what task {task} plays") from None

    def keep_jobs(self, numbers: Sequence[str]) -> None:
        """The jobs that are to play it."""
        self._write(JOBS, msgspec.json.encode(numbers))

    def jobs(self) -> list[str]:
        """Those of the last call; none where there was none."""
        try:
            return msgspec.json.decode((self.work / JOBS).read_bytes(), type=list[str])
        except (OSError, msgspec.DecodeError):
            return []

    # ---- the end -----------------------------------------------------------------------------------------------------

    def write_result(self, name: str, text: str) -> None:
        """A file that stays."""
        _replace(self.folder / name, text.encode("utf-8", "surrogateescape"))

    def clear(self) -> None:
        """All is done: what was needed for it goes."""
        shutil.rmtree(self.work, ignore_errors=True)

    def _write(self, name: str, content: bytes) -> None:
        _replace(self.work / name, content)


def _name(key: tuple[int, int]) -> str:
    return f"run-{key[0]}-{key[1]}"


def _replace(path: Path, content: bytes) -> None:
    """At once whole, or not at all."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}.new")
    fresh.write_bytes(content)
    fresh.replace(path)
