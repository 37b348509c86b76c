"""Safe mode: the Fleet takes lists in and reports, but begins nothing, until its time is over."""

from __future__ import annotations

import pytest

from arvnodeman.fleet.fleet import Fleet
from arvnodeman.fleet.messages import (
    CloudListed,
    Command,
    DestroyNode,
    Event,
    ListSizes,
    Note,
    OperatorSaid,
    Poll,
    PollNow,
    PrepareRecord,
    QueueListed,
    RecordsListed,
    SafeMode,
    SetWord,
    Step,
    StepDone,
    Tick,
)
from arvnodeman.fleet.values.model import CloudNode, Directive, Job, JobShape, Policy, ProviderSize, SizeSection

START = 1_800_000_000.0
POLICY = Policy(
    sections=(SizeSection("small", 2, "t.small", price=0.1),),
    shutdown_windows=(54.0, 6.0),
    max_nodes=5,
    asks_scheduler=False,
)
JOB = Job("zzzzz-dz642-000000000000001", JobShape(cores=1))
NODE = CloudNode(id="i-1", name="compute1", report_id="i-1", size_tag="small", start_time=START - 60)


class Site:
    """A Fleet in safe mode for a minute, and a clock."""

    def __init__(self) -> None:
        self.now = START
        self.fleet = Fleet(POLICY, START)
        self.told: list[Command] = []
        self.handle(SafeMode(START + 60))
        sizes = next(command for command in self.told if isinstance(command, ListSizes))
        self.handle(StepDone(sizes, (ProviderSize("t.small", "t.small", 4000, 10),)))

    def handle(self, event: Event) -> list[Command]:
        commands = self.fleet.handle(event, self.now)
        self.told += commands
        return commands

    def poll(self, *nodes: CloudNode) -> list[Command]:
        """One round of all polls; the steps that come of it."""
        commands = self.handle(CloudListed(nodes, self.now))
        commands += self.handle(RecordsListed((), None, self.now))
        commands += self.handle(QueueListed((JOB,), self.now))
        return commands


@pytest.fixture
def site() -> Site:
    return Site()


def steps(commands: list[Command]) -> list[type[Step]]:
    return [type(command) for command in commands if isinstance(command, Step)]


def test_lists_are_taken_in_and_nothing_begins(site: Site) -> None:
    for _ in range(5):
        site.now += 10
        assert steps(site.poll(NODE)) == []
    assert site.fleet.view.safe_mode
    assert "safe mode" in site.fleet.view.blocked
    assert list(site.fleet.view.nodes) == ["i-1"]
    assert site.fleet.view.wish == 1


def test_it_is_over_by_itself_and_the_next_queue_poll_decides(site: Site) -> None:
    site.poll()
    assert site.fleet.next_wakeup() == START + 60
    site.now = START + 60
    commands = site.handle(Tick())
    assert PollNow(frozenset(Poll)) in commands
    assert "Safe mode is over" in [command.text for command in commands if isinstance(command, Note)]
    assert not site.fleet.view.safe_mode
    assert steps(site.poll()) == [PrepareRecord]


def test_a_clock_that_is_set_back_makes_it_no_longer(site: Site) -> None:
    site.now -= 86_400
    site.poll()
    wakeup = site.fleet.next_wakeup()
    assert wakeup is not None
    assert wakeup <= site.now + 60
    site.now = wakeup
    site.handle(Tick())
    assert not site.fleet.view.safe_mode


def test_an_operators_kill_is_kept_and_obeyed_afterwards(site: Site) -> None:
    site.poll(NODE)
    assert steps(site.handle(OperatorSaid("compute1", Directive.KILL, "smoke"))) == [SetWord]
    assert steps(site.poll(site.fleet.view.nodes["i-1"].cloud)) == []
    site.now = START + 61
    site.handle(Tick())
    assert DestroyNode in steps(site.poll(site.fleet.view.nodes["i-1"].cloud))


def test_without_it_the_same_history_boots(site: Site) -> None:
    """The control: it is safe mode that holds the boot back."""
    fleet = Fleet(POLICY, START)
    sizes = next(command for command in fleet.handle(Tick(), START) if isinstance(command, ListSizes))
    fleet.handle(StepDone(sizes, (ProviderSize("t.small", "t.small", 4000, 10),)), START)
    site.fleet = fleet
    assert steps(site.poll()) == [PrepareRecord]
    assert not fleet.view.safe_mode
