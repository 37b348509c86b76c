"""Small scenarios, of which anybody can work out what comes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from arvnodeman.config import Settings, load
from arvnodeman.fleet.values.capacity import Footprint
from arvnodeman.fleet.values.model import JobOwner, JobShape
from arvnodeman.traces.job import JobEnding, TracedJob
from arvnodeman.whatif.scenario import Assumed, Scenario
from arvnodeman.whatif.sizes import sizes_of

START = 1_700_000_000.0
BOOT = Assumed(boots={"small": (100.0,), "big": (200.0,)})  # always as long as that

TEXT = """
[Daemon]
dispatcher = slurm
max_nodes = 4
poll_time = 60
wake_poll = 0
node_mem_scaling = 1
{daemon}
[Arvados]
{arvados}
[Cloud]
provider = gce
shutdown_windows = 0, 60
[Size small]
instance_type = s2
cores = 2
ram = 4000
price = 0.36
{small}
[Size big]
instance_type = b8
cores = 8
ram = 16000
price = 1.44
{big}
"""


def configured(folder: Path, *, daemon: str = "", small: str = "", big: str = "", arvados: str = "") -> Settings:
    """Two sizes, 1 and 4 cents for each 100 seconds, and what a test adds."""
    path = folder / "site.cfg"
    path.write_text(TEXT.format(daemon=daemon, small=small, big=big, arvados=arvados), encoding="utf-8")
    return load(str(path), offline=True)


def give_up_sooner(monkeypatch: pytest.MonkeyPatch) -> None:
    """A play in which nothing happens any more ends sooner: a week has no other polls than two days."""
    monkeypatch.setattr("arvnodeman.whatif.play.IN_VAIN", 2 * 86_400.0)


def job(identity: str, at: float, seconds: float | None = 600.0, **more: Any) -> TracedJob:
    """One that comes so many seconds after the start. It asks for one core and 100 MB, and shares its node."""
    shape = more.pop("shape", None) or asking()
    ending = more.pop("ending", JobEnding.COMPLETED if seconds is not None else JobEnding.CANCELLED)
    return TracedJob(identity, shape, START + at, ending, eligible=START + at, seconds=seconds, **more)


def asking(cores: int = 1, ram: float = 100.0, *, alone: bool = False, account: str = "", **more: Any) -> JobShape:
    """What a job asks for, of each node."""
    takes = None if alone else Footprint(cores, ram)
    return JobShape(cores=cores, ram=ram, takes=takes, owner=JobOwner("u", account), **more)


def scenario(settings: Settings, *jobs: TracedJob, assumed: Assumed = BOOT, seed: int = 1, names: int = 0) -> Scenario:
    """These jobs at a site with these settings."""
    return Scenario(settings, sizes_of(settings), jobs, assumed, names, seed)
