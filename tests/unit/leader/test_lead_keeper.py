"""The keeper takes the lead, renews it, loses it and gives it up, whatever its backend does."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import pytest
from memory_leadership import MemoryLeadership, Store

from arvnodeman.fence.fence import Fence, open_fence
from arvnodeman.fleet.values.leading import LeadHeld, LeadLost
from arvnodeman.fleet.values.model import RemoteFailure
from arvnodeman.leader.host import HostLeadership
from arvnodeman.leader.keeper import LeadKeeper
from arvnodeman.leader.port import Hold, Holder, LeadCandidate
from arvnodeman.supervision.ending import Ending, ExitCause, ExitKind


@dataclass
class Manager:
    """One keeper on a store, turned by the test."""

    store: Store
    name: str
    told: list[LeadHeld | LeadLost] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.fence = Fence(self.store.ttl, self.store.ttl / 10, lambda: self.store.now)
        self.leadership = MemoryLeadership(self.store, self.name)
        self.keeper = LeadKeeper(lambda: self.leadership, self.fence, backend="postgresql", name=self.name)
        self.keeper._tell = self.told.append  # what start() does, without the thread

    def turn(self) -> None:
        self.keeper.turn(self.leadership)

    def acts(self) -> bool:
        return self.fence.standing.acts


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def first(store: Store) -> Manager:
    made = Manager(store, "a:1")
    made.keeper.saw(0)
    return made


@pytest.fixture
def second(store: Store) -> Manager:
    made = Manager(store, "b:2")
    made.keeper.saw(0)
    return made


def test_the_lead_is_taken_once_the_cloud_has_been_listed(store: Store) -> None:
    manager = Manager(store, "a:1")
    manager.turn()
    assert store.asked == ["a:1 who"]
    assert manager.told == [LeadLost("it takes the lead once this manager has listed the cloud")]
    manager.keeper.saw(0)
    manager.turn()
    assert manager.told[1:] == [LeadHeld(1, 30.0, 54.0)]
    assert manager.fence.check() == 1


def test_one_leads_and_the_other_says_who(first: Manager, second: Manager) -> None:
    first.turn()
    second.turn()
    assert first.acts()
    assert not second.acts()
    assert second.told == [LeadLost("a:1 leads, generation 1")]
    leading = second.keeper.leading
    assert (leading.leads, leading.leader, leading.words) == (False, "a:1", "a:1 leads, generation 1")
    assert second.keeper.pause() == 2.0


def test_the_lead_is_renewed_at_a_third(first: Manager, store: Store) -> None:
    first.turn()
    assert first.keeper.pause() == 20.0
    store.now += 20
    first.turn()
    assert first.fence.standing.age == 0
    assert first.told[-1:] == [LeadHeld(1, 30.0, 54.0)]


def test_a_late_answer_makes_the_hold_older(first: Manager, store: Store) -> None:
    store.late = 5.0
    first.turn()
    assert first.told == [LeadHeld(1, 25.0, 49.0)]
    assert first.keeper.pause() == 15.0


def test_a_store_that_is_away_takes_the_lead_in_its_time(first: Manager, second: Manager, store: Store) -> None:
    first.turn()
    store.away = "no route to host"
    store.now += 53
    first.turn()
    assert first.acts()  # it knows that nobody else can lead yet
    assert first.keeper.leading.trouble == "no route to host"
    assert len(first.told) == 1
    store.now += 1
    assert not first.acts()
    with pytest.raises(RemoteFailure, match=r"renewed 54\.0 s ago for the last time"):
        first.fence.check()
    store.away = ""
    first.turn()  # nobody has taken it: it goes on under the same generation
    assert first.told[-1:] == [LeadHeld(1, 30.0, 54.0)]
    assert first.keeper.leading.trouble == ""
    store.now += 61
    second.turn()
    assert second.fence.check() == 2
    first.turn()
    assert first.told[-1:] == [LeadLost("b:2 leads, generation 2")]
    assert not first.acts()


def test_who_stands_by_says_that_the_store_is_away(second: Manager, first: Manager, store: Store) -> None:
    first.turn()
    second.turn()
    store.away = "timed out"
    second.turn()
    second.turn()
    assert second.told[1:] == [LeadLost("the postgresql backend does not say who leads")]
    assert second.keeper.leading.leader == ""


def test_a_store_that_forgets_does_not_begin_anew(first: Manager, second: Manager, store: Store) -> None:
    first.turn()
    second.turn()
    store.forget()
    store.generation = 0
    second.turn()  # it has heard of generation 1
    assert second.fence.check() == 2
    first.turn()
    assert not first.acts()


def test_a_node_of_a_newer_generation_ends_the_lead_at_once(first: Manager, store: Store) -> None:
    first.turn()
    first.keeper.saw(1)
    assert first.acts()
    first.keeper.saw(9)
    assert not first.acts()  # before the keeper has done anything
    first.turn()
    words = "the cloud has a node of generation 9, and this manager's is 1"
    assert first.told[-1:] == [LeadLost(words)]
    store.now += 59
    for _ in range(3):  # it says so once, however often it looks
        first.turn()
    assert first.told[2:] == [LeadLost(f"{words}; it tries to lead again 60 s after that")]
    assert not first.acts()  # whoever made that node may act yet
    store.now += 1
    first.turn()
    assert first.fence.check() == 10


def test_who_steps_down_keeps_others_from_leading_until_what_it_has_sent_is_over(
    first: Manager, second: Manager, store: Store
) -> None:
    """A request that it began just before may be under way until its lead would have ended."""
    first.turn()
    first.keeper.saw(9)
    second.keeper.saw(9)
    first.turn()
    store.now += 53
    first.turn()
    second.turn()
    assert not second.acts()
    assert second.keeper.leading.leader == "a:1"
    assert first.keeper.leading.leader == ""
    store.now += 7
    second.turn()
    assert second.fence.check() == 10


BLIND = 600.0


def test_who_cannot_list_the_cloud_keeps_a_lead_and_takes_none(first: Manager, second: Manager, store: Store) -> None:
    for each in (first, second):
        each.keeper._blind_after = BLIND
    first.turn()
    for _ in range(40):
        store.now += 20
        first.turn()
    assert first.fence.check() == 1  # it alone knows what it has sent
    store.now += store.ttl
    second.turn()
    assert store.holder == "a:1"
    assert second.told[-1:] == [LeadLost("it takes the lead once this manager has listed the cloud")]
    second.keeper._wake.clear()
    second.keeper.saw(1)
    assert second.keeper._wake.is_set()  # it looks at once
    second.turn()
    assert second.fence.check() == 2


@pytest.mark.parametrize(("backend", "looks"), [("slurm", True), ("postgresql", False)])
def test_a_poke_of_slurm_has_it_look_at_once_where_slurm_says_who_leads(backend: str, looks: bool) -> None:
    keeper = LeadKeeper(lambda: MemoryLeadership(Store(), "a:1"), Fence(60, 6), backend=backend, name="a:1")
    keeper.poked()
    assert keeper._wake.is_set() is looks


def test_a_generation_seen_while_the_lead_is_taken_counts(first: Manager, store: Store) -> None:
    hold = first.leadership.take()
    assert hold is not None
    first.leadership.take = lambda at_least=0: first.keeper.saw(5) or hold  # type: ignore[method-assign, func-returns-value]
    first.turn()
    assert not first.acts()
    first.turn()
    assert first.told[-1:] == [LeadLost("generation 5 is there, and this manager's is 1")]


def test_a_stop_gives_the_lead_up_at_once(store: Store) -> None:
    manager = Manager(store, "a:1")
    came = threading.Event()

    def tell(event: LeadHeld | LeadLost) -> None:
        manager.told.append(event)
        if isinstance(event, LeadHeld):
            came.set()

    manager.keeper.start(tell)
    manager.keeper.saw(0)
    assert came.wait(30)
    manager.keeper.stop(30, give_up=True)
    assert store.asked[-1] == "a:1 give up"
    assert store.holder == ""
    with pytest.raises(RemoteFailure, match="not the leader: this manager stops"):
        manager.fence.check()


def test_where_something_hangs_the_lead_runs_out(store: Store) -> None:
    manager = Manager(store, "a:1")
    manager.keeper.saw(0)
    manager.keeper.start(manager.told.append)
    while not manager.acts():
        threading.Event().wait(0.01)
    manager.keeper.stop(30, give_up=False)
    assert store.holder == "a:1"
    assert not manager.acts()


class Hanging(MemoryLeadership):
    """Answers the first question, and no other until it is let go."""

    def __init__(self, store: Store) -> None:
        super().__init__(store, "a:1")
        self.free = threading.Event()
        self.hangs = threading.Event()

    def hold(self) -> Hold:
        self.hangs.set()
        assert self.free.wait(60)
        return super().hold()


def test_a_store_that_hangs_shuts_the_fence_and_holds_up_nobody() -> None:
    store = Store(ttl=0.6)
    hanging = Hanging(store)
    fence = Fence(0.6, 0.06)
    hanging.store.now = fence.clock()
    keeper = LeadKeeper(lambda: hanging, fence, backend="postgresql", name="a:1")
    told: list[LeadHeld | LeadLost] = []
    keeper.saw(0)
    keeper.start(told.append)
    assert hanging.hangs.wait(30)
    while fence.standing.acts:
        threading.Event().wait(0.01)
    with pytest.raises(RemoteFailure):
        fence.check()
    keeper.stop(0.1, give_up=True)  # it waits no longer than it is told
    hanging.free.set()


class Broken(MemoryLeadership):
    """A library with a mistake."""

    def hold(self) -> Hold:
        raise ValueError("nobody foresaw this")


def test_an_error_that_nobody_foresaw_is_trouble_of_the_backend(store: Store) -> None:
    manager = Manager(store, "a:1")
    manager.leadership = Broken(store, "a:1")
    manager.keeper.saw(0)
    manager.turn()
    manager.turn()
    assert "ValueError" in manager.keeper.leading.trouble
    assert manager.acts()


def test_the_process_ends_with_the_keeper() -> None:
    killed = threading.Event()
    causes: list[ExitCause] = []
    ending = Ending([causes.append], kill=killed.set)

    def make() -> MemoryLeadership:
        raise SystemExit

    keeper = LeadKeeper(make, Fence(60, 6), backend="slurm", name="a:1", ending=ending)
    before, threading.excepthook = threading.excepthook, lambda _arguments: None
    try:
        keeper.start(lambda _event: None)
        assert killed.wait(30)
    finally:
        threading.excepthook = before
        ending.close()
    assert [(cause.kind, cause.subject) for cause in causes] == [(ExitKind.WATCHDOG, "LeadKeeper")]


def test_a_host_that_is_alone_leads_at_once_and_tells_nobody() -> None:
    fence = open_fence()
    keeper = LeadKeeper(lambda: leadership, fence, backend="host", name="a:1", elects=False)
    leadership = HostLeadership(None, LeadCandidate("x", "a:1"))  # type: ignore[arg-type]
    told: list[LeadHeld | LeadLost] = []
    keeper._tell = told.append
    assert fence.check(1e9) == 0  # also before its first turn
    keeper.turn(leadership)
    assert (told, fence.check(1e9)) == ([], 0)
    assert leadership.who() == Holder("a:1", 0)
    keeper.saw(7)  # nodes of managers of which one was elected, before
    assert not fence.standing.acts
    keeper.turn(leadership)
    keeper.turn(leadership)
    assert fence.check(1e6) == 8
    assert isinstance(told[0], LeadLost)
    assert isinstance(told[1], LeadHeld)
    assert told[1].generation == 8
