"""Histories of simulated sites, written as the daemon's journal writes them: each is a function of its name alone.

    PYTHONPATH=tests python -m simulation.recorded FOLDER [NAME ...]

writes FOLDER/NAME/00000001.jsonl.gz and so on, a file for each daemon that lived. They are recorded by the build whose
decisions are to be kept: another brain gives another history.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from arvnodeman.fleet.messages import Command, Event, OperatorSaid, PolicyChanged, RetryAsked, SafeMode, StopAsked
from arvnodeman.fleet.values.gres import Gres
from arvnodeman.fleet.values.model import Directive, JobOwner, JobShape, Policy, ProviderSize, SizeSection
from arvnodeman.foresight.faults import Chances
from arvnodeman.foresight.sim_site import Nature
from arvnodeman.foresight.sim_slurm import MAINTENANCE, Rules
from arvnodeman.foresight.simulation import Simulation
from arvnodeman.journal.inbox import JournalInbox
from arvnodeman.journal.writer import FOLDER, Journal, files_of

OFFERS = (
    ProviderSize("small", "small", ram=4000, disk=10, price=0.1, cores=2),
    ProviderSize("medium", "medium", ram=8000, disk=20, price=0.13, cores=4),
    ProviderSize("big", "big", ram=16000, disk=50, price=0.4, cores=8),
    ProviderSize("gpu", "gpu", ram=8000, disk=20, price=0.5, cores=4),
)
GRES: Mapping[str, Gres] = {"gpu": (("gpu:tesla", 2), ("license", 1))}
PARTITIONS = {"gpu": ("gpu", "debug"), "medium": ("compute", "debug")}
NEVER = {"spent": "QOSGrpCpuLimit", "odd": "", "later": f"ReqNodeNotAvail, {MAINTENANCE}"}  # QOS of jobs: why not
SECTIONS = tuple(
    SizeSection(
        offer.id,
        int(offer.cores),
        offer.id,
        gres=GRES.get(offer.id, ()),
        partitions=PARTITIONS.get(offer.id, ()),
    )
    for offer in OFFERS
)
POLICY = Policy(sections=SECTIONS, shutdown_windows=(0.0, 60.0), max_nodes=10, slurm=True, asks_scheduler=True)
LONG = 600.0  # seconds that the writer may take


@dataclass(slots=True)
class Recording:
    """A run whose daemons keep journals in this state directory."""

    folder: Path
    run: Simulation
    dice: random.Random
    _journal: Journal | None = field(default=None, init=False)

    def begin(self) -> None:
        """A new daemon; the one before is killed."""
        self.end()
        run = self.run
        self._journal = Journal(self.folder, run.policy, run.wall(), file_bytes=1 << 24, inbox=JournalInbox(1 << 40))
        self._journal.start()
        run.watch = self._note
        run.restart()

    def end(self) -> None:
        """Close the file of the present daemon."""
        if self._journal is not None:
            self._journal.stop(LONG)
            self._journal = None

    def _note(self, event: Event, now: float, commands: Sequence[Command]) -> None:
        assert self._journal is not None
        self._journal.note(event, now, commands)

    def play(self, doings: Sequence[Callable[[Recording], None]], rounds: int) -> None:
        """Time passes, and after each while one of these is done."""
        for _ in range(rounds):
            self.run.advance(60.0 * self.dice.choice([0.3, 1, 1, 3, 10]))
            self.dice.choice(doings)(self)


# ---- what is done at a site ----------------------------------------------------------------------------------------


def jobs_come(at: Recording) -> None:
    dice = at.dice
    shape = JobShape(
        cores=dice.choice([1, 2, 4, 8]),
        ram=dice.choice([0, 1000, 7000]),
        size=dice.choice([None, None, "small", "medium", "big"]),
        nodes=dice.choice([1, 1, 1, 2]),
        gres=dice.choice([(), (), (), (("gpu", 1),), (("gpu:tesla", 2),), (("fpga", 1),)]),
        partitions=dice.choice([(), ("compute",), ("compute",), ("gpu",), ("debug",), ("gpu", "debug")]),
        owner=JobOwner("ann", "lab", dice.choice(["", "", "", "", *(at.run.site.slurms.rules.never or [""])])),
    )
    for _ in range(dice.choice([1, 2, 3])):
        at.run.site.submit(shape, dice.choice([30, 300, 3000]), dice.randrange(4))


def requests_fail(at: Recording) -> None:
    rates = [0.0, 0.0, 0.05, 0.2]
    at.run.faulty.chances = replace(
        at.run.faulty.chances,
        fails_before=at.dice.choice(rates),
        fails_after=at.dice.choice(rates),
        poll_fails=at.dice.choice(rates),
        throttled=at.dice.choice(rates),
    )


def lists_lie(at: Recording) -> None:
    rates = [0.0, 0.0, 0.05, 0.2]
    at.run.faulty.chances = replace(
        at.run.faulty.chances,
        list_lies=at.dice.choice(rates),
        record_lies=at.dice.choice(rates),
        slurm_lies=at.dice.choice([0.0, 0.0, 0.1]),
    )


def nodes_are_bad(at: Recording) -> None:
    at.run.site.nature = Nature(never_pings=at.dice.choice([0, 0, 0.2]), dies=at.dice.choice([0, 0.1, 0.3]))


def all_is_well(at: Recording) -> None:
    at.run.faulty.chances, at.run.site.nature = Chances(), Nature()
    at.run.site.clouds.quota, at.run.site.clouds.no_capacity = None, set()


def the_cloud_is_full(at: Recording) -> None:
    at.run.site.clouds.quota = at.dice.choice([None, 1, 3])
    at.run.site.clouds.no_capacity = at.dice.choice([set(), {"small"}, {"small", "big", "medium"}])


def a_node_is_lost(at: Recording) -> None:
    identity = _a_node(at)
    if identity is None:
        return
    how = at.dice.choice(["vanish", "stop", "fall silent"])
    if how == "vanish":
        at.run.site.vanish(identity)
    elif how == "stop":
        at.run.site.stop(identity)
    else:
        at.run.site.fall_silent(identity)


def slurm_restarts(at: Recording) -> None:
    at.run.site.slurms.restart()


def polls_fail_for_long(at: Recording) -> None:
    chances = at.run.faulty.chances
    at.run.faulty.chances = replace(chances, poll_fails=1.0)
    at.run.advance(900)
    at.run.faulty.chances = chances


def the_daemon_is_killed(at: Recording) -> None:
    at.begin()


def killed_and_careful(at: Recording) -> None:
    at.begin()
    at.run.tell(SafeMode(at.run.wall() + 600.0))


def the_clock_is_set(at: Recording) -> None:
    at.run.site.skew += at.dice.choice([-3600.0, -5.0, 40.0])


def an_operator_speaks(at: Recording) -> None:
    identity = _a_node(at)
    word = at.dice.choice(list(Directive))
    at.run.tell(OperatorSaid(identity or "nobody", word, at.dice.choice(["", "to look at it"])))


def a_retry_is_asked(at: Recording) -> None:
    waiting = [job.id for job in at.run.site.jobs.values() if not job.done and not job.cancelled]
    at.run.tell(RetryAsked(at.dice.choice([*waiting, "small", "big", "no-such"]), "mended"))


def an_operator_drains_in_slurm(at: Recording) -> None:
    slurm = at.run.site.slurms
    name = at.dice.choice(sorted(slurm.names)[:12])
    if slurm.names[name].drain:
        slurm.resume(name)
    else:
        slurm.drain(name, "disk full", at.run.now)


def a_reload(at: Recording) -> None:
    dice = at.dice
    policy = replace(
        at.run.policy,
        max_nodes=dice.choice([3, 8, 20]),
        min_nodes=dice.choice([0, 0, 2]),
        max_total_price=dice.choice([0.0, 0.0, 1.0]),
        shutdown_windows=dice.choice([(0.0, 60.0), (54.0, 5.0, 1.0)]),
        keep_drained=dice.random() < 0.5,
        cancel_unsatisfiable=dice.random() < 0.5,
        explain_unsatisfiable=dice.random() < 0.5,
        sections=dice.choice([SECTIONS, SECTIONS, SECTIONS[:2], (*SECTIONS[:3], replace(SECTIONS[3], gres=()))]),
    )
    at.run.policy = policy
    at.run.tell(PolicyChanged(policy))


def an_orderly_stop(at: Recording) -> None:
    at.run.tell(StopAsked())
    at.run.advance(600.0)
    at.begin()


def _a_node(at: Recording) -> str | None:
    nodes = sorted(at.run.site.clouds.nodes)
    return at.dice.choice(nodes) if nodes else None


# ---- the histories -------------------------------------------------------------------------------------------------

FAULTS = (jobs_come, jobs_come, jobs_come, requests_fail, nodes_are_bad, a_node_is_lost, all_is_well)
LIMITS = (jobs_come, jobs_come, jobs_come, the_cloud_is_full, the_cloud_is_full, all_is_well, requests_fail)
LIES = (jobs_come, jobs_come, lists_lie, polls_fail_for_long, the_clock_is_set, slurm_restarts, all_is_well)
PEOPLE = (jobs_come, jobs_come, an_operator_speaks, an_operator_speaks, a_retry_is_asked, an_operator_drains_in_slurm)
ENDS = (the_daemon_is_killed, killed_and_careful, an_orderly_stop, a_reload)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What one history is of."""

    doings: Sequence[Callable[[Recording], None]]
    names: bool  # Slurm alone
    seed: int
    rounds: int = 120
    slots: int = 24
    never: bool = False  # some jobs are never started by Slurm
    changes: Mapping[str, object] = field(default_factory=dict)  # of the policy


SCENES: Mapping[str, Scene] = {
    "faults-arvados": Scene(doings=(*FAULTS, the_daemon_is_killed), names=False, seed=1),
    "faults-slurm": Scene(doings=(*FAULTS, the_daemon_is_killed), names=True, seed=2),
    "limits-arvados": Scene(doings=LIMITS, names=False, seed=3, slots=6, changes={"max_total_price": 1.0}),
    "limits-slurm": Scene(doings=LIMITS, names=True, seed=4, slots=6, changes={"min_nodes": 2, "max_nodes": 5}),
    "lies-arvados": Scene(doings=LIES, names=False, seed=5, changes={"shutdown_windows": (54.0, 5.0, 1.0)}),
    "lies-slurm": Scene(doings=LIES, names=True, seed=6),
    "people-arvados": Scene(doings=PEOPLE, names=False, seed=7),
    "people-slurm": Scene(doings=PEOPLE, names=True, seed=8, changes={"keep_drained": True}),
    "ends-arvados": Scene(doings=(*ENDS, *FAULTS, an_operator_speaks), names=False, seed=9),
    "ends-slurm": Scene(doings=(*ENDS, *FAULTS, an_operator_speaks), names=True, seed=10),
    "vain-arvados": Scene(doings=(jobs_come, jobs_come, a_retry_is_asked), names=False, seed=11, rounds=60, never=True),
    "vain-slurm": Scene(doings=(jobs_come, jobs_come, a_retry_is_asked), names=True, seed=12, rounds=60, never=True),
    "sinfo-only": Scene(doings=FAULTS, names=False, seed=13, changes={"slurm": False}),
}


def record(name: str, folder: Path) -> None:
    """Write one history into a folder of its own."""
    if name == "thousand-nodes":
        _thousand(folder)
        return
    scene = SCENES[name]
    policy = replace(POLICY, **scene.changes)  # type: ignore[arg-type]
    run = Simulation(policy, OFFERS, scene.seed, slots=scene.slots, names=scene.names)
    run.site.slurms.rules = Rules(GRES, PARTITIONS, NEVER if scene.never else {})
    at = Recording(folder, run, random.Random(f"recorded/{name}"))
    at.begin()
    at.play(scene.doings, scene.rounds)
    all_is_well(at)
    run.advance(3600.0)
    at.end()


def _thousand(folder: Path) -> None:
    """A thousand nodes come and begin to go."""
    policy = replace(POLICY, max_nodes=1000)
    run = Simulation(policy, OFFERS, 14, slots=1000, names=True)
    run.site.nature, run.faulty.chances = Nature(dies=0.02), Chances(fails_before=0.01)
    at = Recording(folder, run, random.Random(f"recorded/{folder.name}"))
    for _ in range(1000):
        run.site.submit(JobShape(cores=at.dice.choice([2, 2, 4, 8])), at.dice.choice([60.0, 200.0, 600.0]))
    at.begin()
    run.advance(660.0)
    at.end()


def main() -> int:
    """Record them."""
    parser = argparse.ArgumentParser(prog="python -m simulation.recorded", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", default=[*SCENES, "thousand-nodes"])
    given = parser.parse_args()
    for name in given.names:
        folder = given.folder / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        record(name, folder)
        files = files_of(folder / FOLDER)
        for path in files:
            path.rename(folder / path.name)
        (folder / FOLDER).rmdir()
        sizes = sum(path.stat().st_size for path in files_of(folder))
        sys.stdout.write(f"{name}: {len(files)} files, {sizes:,} bytes\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
