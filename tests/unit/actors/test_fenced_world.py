"""Just before the hands: what would change something is refused where another manager may lead."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence

import pytest

from arvnodeman.actors.cost_comments import EVERY, MOST_KEPT, CostWriting
from arvnodeman.actors.fenced_world import ASKS, FencedWorld
from arvnodeman.fence import fence as fences
from arvnodeman.fence.fence import Fence, open_fence
from arvnodeman.fleet.messages import CloudListed, DestroyNode, DrainNode, LookAtNode, Poll, Step, StepFailed
from arvnodeman.fleet.values.model import CloudNode, ErrorKind, RemoteFailure
from arvnodeman.loop.world import Answer, Listed, carry_out
from arvnodeman.money.runs import JobCost
from arvnodeman.slurm import run as commands

NODE = CloudNode(id="i-1", name="compute1", report_id="i-1", token="g4-abc-1")


class Outside:
    """A World that keeps what it was asked."""

    def __init__(self) -> None:
        self.done: list[Step] = []

    def list(self, poll: Poll) -> Listed:
        return CloudListed((NODE,), 0.0)

    def do(self, steps: Sequence[Step]) -> Sequence[Answer]:
        self.done += steps
        return [None for _ in steps]


class Site:
    def __init__(self) -> None:
        self.now = 100.0
        self.outside = Outside()
        self.saw: list[int] = []
        self.fence = Fence(60.0, 6.0, lambda: self.now)
        self.world = FencedWorld(
            self.outside, self.fence, lambda step: 20.0 if isinstance(step, DestroyNode) else 5.0, self.saw.append
        )


@pytest.fixture
def site() -> Site:
    return Site()


@pytest.fixture
def shut() -> Iterator[Fence]:
    """The fence of the process, which nobody has opened."""
    before = fences.of_process()
    fence = Fence(60.0, 6.0)
    fences.set_for_process(fence)
    yield fence
    fences.set_for_process(before)


def test_reading_is_free_and_tells_of_generations(site: Site) -> None:
    assert site.world.list(Poll.CLOUD) == CloudListed((NODE,), 0.0)
    assert site.saw == [4]
    site.world.do([LookAtNode(1, "compute1")])
    assert len(site.outside.done) == 1


def test_nothing_is_sent_without_the_lead(site: Site) -> None:
    (outcome,) = carry_out(site.world, [DestroyNode(1, NODE)])
    assert isinstance(outcome, StepFailed)
    assert outcome.error.kind is ErrorKind.NOT_LEADER
    assert site.outside.done == []


def test_a_request_must_be_over_while_this_manager_leads(site: Site) -> None:
    site.fence.hold(1, site.now)
    site.now += 33.9
    site.world.do([DestroyNode(1, NODE)])
    site.now += 0.1
    with pytest.raises(RemoteFailure, match=r"lasts 20\.0 s yet for sure, and a request may take 20 s"):
        site.world.do([DrainNode(2, "compute1", "why"), DestroyNode(1, NODE)])
    site.world.do([DrainNode(2, "compute1", "why")])
    assert len(site.outside.done) == 2


def test_every_step_that_is_not_known_to_ask_only_is_fenced() -> None:
    def steps(kind: type[Step]) -> Iterator[type[Step]]:
        for below in kind.__subclasses__():
            yield below
            yield from steps(below)

    asking = {kind.__name__ for kind in steps(Step) if issubclass(kind, ASKS)}
    assert asking == {"ListSizes", "FindNode", "LookForNode", "LookAtNode"}
    assert len(set(steps(Step))) > 20


@pytest.mark.parametrize(
    ("command", "changes"),
    [
        ("squeue --all", False),
        ("sinfo --format=%N", False),
        ("/usr/bin/sinfo", False),
        ("sacct -j 1", False),
        ("scontrol --all show node n1", False),
        ("scontrol --details --all show nodes", False),
        ("scontrol ping", False),
        ("scontrol --version", False),
        ("sacctmgr --noheader list account", False),
        ("scontrol update NodeName=n1 State=DRAIN", True),
        ("scontrol", True),  # with a script
        ("scontrol power up n1", True),
        ("scancel 12", True),
        ("sacctmgr --immediate", True),
        ("nobody knows this", True),
    ],
)
def test_commands_of_slurm_that_may_change_something(command: str, changes: bool) -> None:
    assert commands.changes(command.split()) is changes


def test_a_command_that_would_change_something_is_not_run(shut: Fence) -> None:
    with pytest.raises(RemoteFailure) as caught:
        commands.run(["scontrol", "update", "NodeName=n1", "State=DRAIN"], timeout=1.0)
    assert caught.value.error.kind is ErrorKind.NOT_LEADER
    assert shut.refused == 1


def test_a_command_is_told_under_which_lead_it_runs(shut: Fence) -> None:
    told = ["sh", "-c", "echo $NODE_MANAGER_GENERATION"]
    shut.hold(7, shut.clock())
    assert commands.run(told, timeout=5.0).stdout == "7\n"
    asking = commands.run(["sh", "-c", "echo $NODE_MANAGER_GENERATION", "show"], timeout=5.0)
    assert asking.stdout == "\n"
    fences.set_for_process(open_fence())
    assert commands.run(told, timeout=5.0).stdout == "\n"


def test_a_command_ends_while_this_manager_leads(shut: Fence) -> None:
    shut.hold(1, shut.clock() - 20)
    assert shut.fit(5.0) == (1, 5.0)
    assert 33.0 < shut.fit(600.0)[1] <= 34.0  # it may take long, and is killed before the lead ends
    shut.hold(2, shut.clock() - 31)
    assert shut.fit(5.0) == (2, 5.0)
    with pytest.raises(RemoteFailure):
        shut.fit(600.0)  # less is left than any request may take


def test_costs_are_written_by_whoever_leads(shut: Fence) -> None:
    costs = deque(JobCost(str(number), 1.0, 1.0) for number in range(MOST_KEPT + 100))
    written: list[JobCost] = []

    def write(some: Sequence[JobCost]) -> int:
        written.extend(some)
        return len(some)

    writing = CostWriting(write, costs)
    assert writing.round() == EVERY
    assert (len(costs), written) == (MOST_KEPT, [])
    shut.hold(1, shut.clock())
    writing.round()
    assert len(written) == 25
