"""A limit has room for some of the nodes that a job needs, where Slurm places jobs: it waits, and does not go round."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from placed_world import MIX, PlacedWorld, begun, name_record, places

from arvnodeman.fleet.messages import Command, Event, QueueListed, Step
from arvnodeman.fleet.operations.name_steps import CloseNames, GiveBack, PowerUp, ReleaseJobs
from arvnodeman.fleet.values.model import Job, JobShape, Policy, ProviderSize, SizeSection
from arvnodeman.fleet.values.placed import GivenBack, PlacedJob
from arvnodeman.fleet.values.work import Power, WaitKind, WorkKind
from arvnodeman.foresight.simulation import Pace, PlacingSimulation

OFFERS = tuple(
    ProviderSize(name, name, ram=4000, disk=10, price=price, cores=2)
    for name, price in (("small", 0.1), ("medium", 0.13), ("large", 0.4))
)
SECTIONS = tuple(SizeSection(offer.id, 2, offer.id) for offer in OFFERS)


class Played:
    """A simulated site with a daemon, whose give-backs are counted."""

    def __init__(self, poll: float = 5.0, **options: float) -> None:
        policy = Policy(
            sections=SECTIONS,
            shutdown_windows=(0.0, 60.0),
            boot_fail_after=900.0,
            slurm=True,
            places=True,
            **options,  # type: ignore[arg-type]
        )
        self.given_back = 0
        self.run = PlacingSimulation(policy, OFFERS, seed=1, pace=Pace(poll=poll), slots=4)
        self.run.watch = self._watch
        self.run.advance(10)

    def _watch(self, event: Event, now: float, commands: Sequence[Command]) -> None:
        steps = [command for command in commands if isinstance(command, Step)]
        self.given_back += sum(isinstance(step, GiveBack) for step in steps)


@pytest.mark.parametrize(("nodes", "poll"), [(2, 5.0), (3, 5.0), (2, 60.0), (4, 2.0)])
def test_a_job_with_room_for_some_of_its_nodes_waits_and_is_not_placed_again_and_again(nodes: int, poll: float) -> None:
    """It fits all sizes, and once each is known no more names are open than may have nodes. Row O18."""
    played = Played(poll, max_nodes=nodes)
    busy = played.run.site.submit(JobShape(cores=2), 3000.0)
    assert played.run.until(lambda: busy.begun, 600)
    job = played.run.site.submit(JobShape(cores=2, nodes=nodes), 100.0)
    played.run.advance(300)
    most = played.given_back
    assert 0 < most <= 2 * len(OFFERS) + 2  # of each size, and of two at once
    played.run.advance(1500)
    assert (played.given_back, job.begun) == (most, False)
    assert "max_nodes" in played.run.fleet.view.placed[job.id].words(played.run.fleet.view.t)
    assert played.run.until(lambda: job.done, 3000)


def test_a_job_of_one_node_that_fits_one_size_alone_has_its_turn_meanwhile() -> None:
    """The one name that may be open goes round among the sizes. Row O18."""
    played = Played(max_nodes=2)
    busy = played.run.site.submit(JobShape(cores=2), 30000.0)
    assert played.run.until(lambda: busy.begun, 600)
    job = played.run.site.submit(JobShape(cores=2, nodes=2), 100.0)
    played.run.advance(60)
    others = [played.run.site.submit(JobShape(cores=2, size=offer.id), 60.0) for offer in OFFERS]
    assert played.run.until(lambda: all(each.done for each in others), 6000)
    assert not job.begun


def test_a_job_that_was_placed_on_some_nodes_that_are_up_may_lack_more_of_them_next_time() -> None:
    """Two were up, and it lacked three, for which there was no room; then these two are gone. Row O18."""
    world = PlacedWorld(places(max_nodes=4), names=5)
    for name in ("small-1", "small-2"):
        world.machine(name, state=MIX)
    world.begin()
    placed = world.place("1", "large-1", "large-2", "large-3")
    world.jobs = [replace(placed, shape=JobShape(nodes=5), names=("small-1", "small-2", *placed.names))]
    world.cycle()
    world.settle()
    assert world.given_back() == ["large-1", "large-2", "large-3"]
    for name in ("small-1", "small-2"):
        del world.cloud[f"i-{name}"]
        world.records[name] = name_record(name)
        world.word(name, Power.OFF)
    for _ in range(3):
        world.cycle()
        world.settle()
    assert world.slurm is not None
    shut = [name for name, work in world.slurm.items() if work.state.kind is WorkKind.DRAINED]
    assert [name.partition("-")[0] for name in shut] == ["large"]  # of five


def test_a_job_is_not_taken_for_served_while_something_is_done_with_its_names() -> None:
    """Else the names that are closed for it would be opened, and it would be placed in vain again. Row O18."""
    world = begun(max_nodes=2)
    world.place("0", "small-1")
    world.cycle()
    world.obey()
    placed = world.place("1", "small-1", "large-1", "large-2")
    world.cycle()
    (give,) = world.open(GiveBack)
    assert give.hostnames == ("large-1", "large-2")
    world.poll_queue()
    assert world.why_job("1") == (
        "placed on small-1, large-1, large-2: given back now, or an earlier node has to go first"
    )
    assert world.fleet.view.served == 1
    world.done(give, GivenBack({name: (PlacedJob("1"),) for name in give.hostnames}))
    world.jobs = [job if job.id != "1" else replace(placed, names=()) for job in world.jobs]
    for name in give.hostnames:
        world.word(name, Power.GOING, reason=give.reason)
    for _ in range(2):
        world.settle()
        world.cycle()
    world.settle()
    assert world.slurm is not None
    states = [world.slurm[f"large-{number}"].state.kind for number in (1, 2, 3)]
    assert states.count(WorkKind.OFF) == 1


def test_a_queue_that_is_older_than_the_give_back_changes_nothing() -> None:
    """It shows the job as placed; the next one does not show it, as Slurm has it wait for two minutes. Row O18."""
    world = begun(max_nodes=2)
    placed = world.place("1", "large-1", "large-2", "large-3")
    world.cycle()
    asked = world.now + 0.5
    world.now += 1
    world.settle()
    world.tell(QueueListed((placed,), asked))
    world.jobs = []
    for _ in range(3):
        world.cycle(every=5.0)
        world.settle()
    assert "no node came for large-1" in world.why_job("1")
    assert world.slurm is not None
    states = [world.slurm[name].state.kind for name in placed.names]
    assert states.count(WorkKind.DRAINED) == 1


def test_a_price_that_has_room_for_one_dear_node_leaves_the_cheap_ones_open() -> None:
    """Two of small and two of medium are no matter: none is closed for a job of two that was sent back from large."""
    world = begun(max_total_price=0.45)
    world.place("1", "large-1", "large-2")
    world.cycle()
    world.settle()
    assert world.given_back() == ["large-1", "large-2"]
    world.cycle()
    world.settle()
    assert {name.partition("-")[0] for name in world.told(CloseNames)} == {"large"}


def test_that_a_size_is_closed_is_said_once_until_its_reason_changes() -> None:
    world = begun(max_nodes=0)
    for _ in range(4):
        world.settle()
        world.word("small-2", world.slurm["small-2"].power)  # type: ignore[index]
        world.cycle()
    said = [note.text % note.args for note in world.notes if note.text.startswith("Closing ")]
    assert [line.split(" of size ")[1].split(" in ")[0] for line in said] == ["small", "large"]
    assert len([step for step in world.asked if isinstance(step, CloseNames)]) > len(said)
    assert not any(isinstance(step, ReleaseJobs) for step in world.asked)


# ---- min_nodes -------------------------------------------------------------------------------------------------------

LARGE = JobShape(size="large")


def kept_by_min_nodes(**options: float) -> PlacedWorld:
    """small-1 is up and idle, min_nodes keeps it, and after two more lists it has been idle for long enough."""
    world = PlacedWorld(places(min_nodes=1, **options))
    world.machine("small-1")
    return world.begin()


def rounds(world: PlacedWorld, times: int = 4) -> None:
    """Lists come, and what is asked for is done."""
    for _ in range(times):
        world.cycle()
        world.settle()


def test_a_job_that_was_sent_back_has_the_room_of_min_nodes_until_it_is_placed() -> None:
    """What goes for it does not come back first. Row O23."""
    world = kept_by_min_nodes(max_nodes=2)
    world.place("1", "large-1", "large-2")
    rounds(world)
    assert (world.given_back(), world.destroyed()) == (["large-1", "large-2"], ["i-small-1"])
    world.jobs = [Job("1", replace(LARGE, nodes=2))]
    rounds(world)
    assert world.told(PowerUp) == []
    world.place("1", "large-1", "large-2")
    rounds(world)
    assert sorted(world.booted()) == ["large-1", "large-2"]
    assert world.told(PowerUp) == []


def test_a_job_that_is_placed_on_names_which_no_list_shows_so_has_its_room_already() -> None:
    """The queue is newer than the names, and it is in the queue of those that were sent back no more. Row O23."""
    world = begun(max_nodes=1, min_nodes=1)
    assert world.told(PowerUp) == ["small-1"]
    world = PlacedWorld(places(max_nodes=1, min_nodes=1))
    world.jobs = [Job("1", LARGE, names=("large-1",))]
    world.begin()
    assert world.told(PowerUp) == []


@pytest.mark.parametrize(
    ("options", "goes"),
    [
        ({"max_total_price": 0.45}, True),
        ({"max_nodes": 1}, True),
        ({"max_total_price": 0.55}, False),
        ({"max_nodes": 2}, False),
    ],
)
def test_a_node_of_min_nodes_goes_for_a_job_to_which_a_limit_closes_all_names(
    options: dict[str, float], goes: bool
) -> None:
    """It is never placed, so it was never sent back. Row O23."""
    world = kept_by_min_nodes(**options)
    world.jobs = [Job("1", LARGE, reason="Resources")]
    rounds(world)
    assert world.destroyed() == (["i-small-1"] if goes else [])
    assert world.told(PowerUp) == []


@pytest.mark.parametrize(
    "job",
    [
        Job("1", JobShape(size="small"), reason="Resources"),
        Job("1", LARGE, reason="Dependency", waits=WaitKind.RULES),
        Job("1", LARGE, reason="None", waits=WaitKind.NOT_SAID),
    ],
    ids=["names are open to it", "it waits for no node", "Slurm has not thought of it"],
)
def test_a_node_of_min_nodes_stays_when_it_is_in_nobodys_way(job: Job) -> None:
    """Row O23."""
    world = kept_by_min_nodes(max_total_price=0.45)
    world.jobs = [job]
    rounds(world)
    assert world.destroyed() == []


def test_min_nodes_come_beside_jobs_for_which_there_is_room_too() -> None:
    """Row O23."""
    world = PlacedWorld(places(min_nodes=1, max_nodes=3))
    world.jobs = [Job("1", replace(LARGE, nodes=2), reason="Resources")]
    world.begin()
    assert world.told(PowerUp) == ["small-1"]
