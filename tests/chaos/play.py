"""One run of chaos: a site with faults, daemons that are killed one after the other, and what has become of it all."""

from __future__ import annotations

import contextlib
import json
import random
import re
import shutil
import signal
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from arvnodeman.sandbox.process import SiteFailed, SiteProcess
from arvnodeman.sandbox.wiring import PLACES
from chaos.daemons import CHAOS_OPTIONS, CHAOS_SECTIONS, Daemons
from chaos.mischief import Mischief
from chaos.plan import HASTE, HURRY, KILLS, SPEED, Plan, jobs_of

PATIENCE: Mapping[str, float] = {PLACES: 900.0}  # by records; with few nodes each round of jobs takes Slurm 30 s
SLOW: Mapping[str, float] = {PLACES: 3.0}  # by records: how much longer daemons live, where Slurm is a real one
USUAL_PATIENCE = 60.0  # real seconds after the end of the faults, within which all must have come to rest
STOP = 15.0  # real seconds that the last daemon gets for an orderly stop
SHOWN = 5  # things named of each kind that went wrong
MOST_ENDS = 5  # of daemons by themselves, before a run is given up
_LOST_COUNT = re.compile(r"error: (.*; this should never happen)")
LOOK = 0.02  # real seconds between two looks at a daemon's process
VALUES: Mapping[str, float] = {"hang": 0.9, "slow": 0.4, "retry_after": 1, "lag": 60, "outage": 60, "clock": 3}


@dataclass(slots=True)
class Outcome:
    """How a run has come out. `wrong` is empty for a good one; `verdict` is the site's."""

    seed: int
    seconds: float = 0.0
    kills: int = 0
    points: list[str] = field(default_factory=list)  # at which it died
    ends: list[str] = field(default_factory=list)  # of daemons that ended by themselves
    verdict: dict[str, Any] = field(default_factory=dict)
    faults: dict[str, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    slurms: list[str] = field(default_factory=list)  # what slurmctld's own log says of itself: it has lost count
    logs: Path | None = None

    @property
    def leaks(self) -> int:
        """Nodes, slots and drained Slurm nodes that were left."""
        return sum(len(self.verdict.get(key, ())) for key in ("nodes_left", "slots_left", "names_left", "drained_left"))

    @property
    def lost(self) -> int:
        """Jobs that have not run to their end, or more than once."""
        return sum(len(self.verdict.get(key, ())) for key in ("unfinished", "ran_again"))

    @property
    def held(self) -> int:
        """Jobs that Slurm holds, though nobody wanted that."""
        return len(self.verdict.get("held", ()))

    @property
    def busy_killed(self) -> int:
        """Nodes that the daemon destroyed while they worked, and jobs that it disturbed otherwise."""
        return len(self.verdict.get("busy_destroyed", ())) + int(self.verdict.get("disturbed", 0))


def play(plan: Plan, folder: Path) -> Outcome:
    """Play one seed; everything that it writes is in `folder`."""
    outcome = Outcome(plan.seed, logs=folder)
    began = time.monotonic()
    folder.mkdir(parents=True, exist_ok=True)
    with (
        SiteProcess(speed=SPEED, seed=plan.seed, page=4, records=plan.records, **_slurm(plan)) as site,
        _daemons(site, folder, plan) as daemons,
    ):
        try:
            _prepare(site, plan)
            _kill_again_and_again(site, plan, daemons, outcome)
            _come_to_rest(site, plan, daemons, outcome)
        except SiteFailed as error:
            outcome.wrong.append(f"the site: {error}")
        finally:
            _keep(site, folder, plan, outcome)
        outcome.verdict, state = site.verdict(), site.state()
        outcome.faults = state["faults"]["struck"]
    outcome.seconds = time.monotonic() - began
    _judge(outcome)
    return outcome


def _slurm(plan: Plan) -> dict[str, object]:
    """A real one where it places jobs on names that are off: the double does not."""
    return {"slurm": "real", "slots": 30} if plan.records == PLACES else {"slots": 24}


@contextlib.contextmanager
def _daemons(site: SiteProcess, folder: Path, plan: Plan) -> Iterator[Daemons]:
    options = {**CHAOS_OPTIONS, "max_nodes": plan.max_nodes}
    sections = dict(CHAOS_SECTIONS)
    if plan.records == "slurm":
        del sections["Arvados"]
        options["cancel_unsatisfiable"] = "yes"
    if plan.records == PLACES:
        del sections["Arvados"]
        options |= {"boot_fail_after": 40, "node_stale_after": 60, "watchdog": 20, "poll_stale_after": 15}
    daemons = Daemons(site, folder, sections, options)
    try:
        yield daemons
    finally:
        daemons.kill()


def _prepare(site: SiteProcess, plan: Plan) -> None:
    site.add_jobs(*jobs_of(plan))
    if plan.records != PLACES:
        site.post("settings", dict(plan.settings))
    for name, offset in plan.clocks.items():
        site.post(f"services/{name}", {"clock": offset})
    site.post("faults", {"rates": plan.rates, "values": dict(VALUES)})


def _kill_again_and_again(site: SiteProcess, plan: Plan, daemons: Daemons, outcome: Outcome) -> None:
    slow = SLOW.get(plan.records, 1.0)
    hurry = time.monotonic() + slow * HURRY * len(plan.kills) / KILLS
    mischief = Mischief(site, daemons.door, random.Random(f"mischief/{plan.seed}"))
    for number, kill in enumerate(plan.kills):
        daemons.note(f"daemon {number + 1}, dies {kill.point or 'after'} {kill.nth if kill.point else kill.after:.3g}")
        daemons.fork(kill.point, kill.nth)
        limit = time.monotonic() + slow * (kill.longest if time.monotonic() < hurry else min(kill.longest, HASTE))
        while time.monotonic() < limit and daemons.ended() is None:
            if kill.point:
                mischief.provoke(kill.point)
            time.sleep(LOOK)
        end = daemons.ended()
        if end == -signal.SIGKILL and kill.point:
            outcome.points.append(kill.point)
        elif end is not None:
            outcome.ends.append(f"daemon {number + 1} ended by itself with {end}")
        daemons.kill()
        outcome.kills += 1


def _come_to_rest(site: SiteProcess, plan: Plan, daemons: Daemons, outcome: Outcome) -> None:
    """The faults end; a daemon that is left alone brings everything to its end, and stops in order."""
    site.post("faults", {"end": True})
    daemons.note("the faults are over; the last daemon")
    daemons.start()
    patience = PATIENCE.get(plan.records, USUAL_PATIENCE)
    limit = time.monotonic() + patience
    while not _rests(site):
        if daemons.ended() is not None:
            outcome.ends.append(f"the last daemon ended by itself with {daemons.ended()}")
            if len(outcome.ends) > MOST_ENDS:
                outcome.wrong.append("daemons end by themselves again and again")
                return
            daemons.note("started again")
            daemons.start()
        if time.monotonic() > limit:
            outcome.wrong.append(f"not at rest {patience:g} s after the last fault")
            return
        time.sleep(0.2)
    daemons.signal(signal.SIGTERM)
    code = daemons.wait(STOP)
    if code != 0:
        outcome.wrong.append(f"the last daemon did not stop well within {STOP:g} s: {code}")


def _rests(site: SiteProcess) -> bool:
    verdict = site.verdict()
    return bool(verdict["quiet"]) and not verdict["drained_left"]


def _judge(outcome: Outcome) -> None:
    """All that a run must end with."""
    verdict = outcome.verdict
    leaks = ("nodes_left", "slots_left", "names_left", "drained_left")
    for key in ("lost", "ran_again", "unfinished", "held", *leaks, "busy_destroyed"):
        if verdict[key]:
            more = f" and {len(verdict[key]) - SHOWN} more" if len(verdict[key]) > SHOWN else ""
            outcome.wrong.append(f"{key.replace('_', ' ')}: {', '.join(verdict[key][:SHOWN])}{more}")
    if verdict["disturbed"]:
        outcome.wrong.append(f"jobs disturbed by the daemon: {verdict['requeues']}")
    if verdict["ran_once"] + verdict["cancelled"] != verdict["jobs"]:
        outcome.wrong.append(f"{verdict['ran_once']} of {verdict['jobs']} jobs ran once")


def _keep(site: SiteProcess, folder: Path, plan: Plan, outcome: Outcome) -> None:
    """What one needs to find out what went wrong."""
    (folder / "plan.txt").write_text(
        "\n".join([*map(str, (*plan.kills, plan.clocks, plan.settings, plan.rates))]) + "\n"
    )
    state = site.state("nodes", "slurm", "jobs", "records")
    (folder / "state.json").write_text(json.dumps(state, indent=1))
    lines = [
        f"{time.strftime('%H:%M:%S', time.localtime(each['at']))}.{int(each['at'] % 1 * 1000):03d} "
        f"{each['kind']} {each['subject']} {each['text']}\n"
        for each in site.get("events")["events"]
    ]
    (folder / "events.txt").write_text("".join(lines))
    if plan.records == PLACES:
        log = Path(site.environment()["SLURM_CONF"]).parent / "log" / "slurmctld.log"
        shutil.copy(log, folder / log.name)
        outcome.slurms = sorted(set(_LOST_COUNT.findall(log.read_text(errors="replace"))))
