"""What holds for every store of the lead, on the real thing: who leads, and what is said when the store is away."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from leader_stage import TTL, Contender, LeaderStage
from store_process import until

from arvnodeman.leader.port import Holder, NotTheLeader, StoreAway


@pytest.fixture(scope="module", params=["postgresql", "zookeeper"])
def server(request: pytest.FixtureRequest) -> Iterator[LeaderStage]:
    # pytest's own folders are closed to other accounts, and the server may run as one
    with tempfile.TemporaryDirectory(prefix="store-", ignore_cleanup_errors=True) as folder:
        stage = LeaderStage(request.param, Path(folder))
        try:
            yield stage
        finally:
            stage.end()


@pytest.fixture
def stage(server: LeaderStage) -> Iterator[LeaderStage]:
    server.new_cluster()
    try:
        yield server
    finally:
        server.clean()


def is_away(contender: Contender) -> bool:
    """Does a hold say that the store is away?"""
    try:
        contender.leadership.hold()
    except StoreAway as error:
        return "pa55" not in str(error) and "\n" not in str(error)
    return False


def test_one_of_many_leads_and_all_know_who(stage: LeaderStage) -> None:
    many = [stage.contender(name) for name in "abcde"]
    assert many[0].leadership.who() is None
    took: list[Contender] = []

    def tried() -> bool:
        for each in many:
            if each.leadership.take() is not None:
                took.append(each)
        return bool(took)

    until(tried, "one to lead")
    assert not [each for each in many if each not in took and each.leadership.take() is not None]
    assert len(set(map(id, took))) == 1
    assert {each.leadership.who() for each in many} == {Holder(f"{'abcde'[many.index(took[0])]}:1", 1)}
    for each in many:
        if each is not took[0]:
            with pytest.raises(NotTheLeader):
                each.leadership.hold()


def test_a_renewal_keeps_the_generation_and_is_as_old_as_its_request(stage: LeaderStage) -> None:
    leader, other = stage.contender("a"), stage.contender("b")
    taken = leader.take()
    end = time.monotonic() + 2 * TTL
    while time.monotonic() < end:
        before = time.monotonic()
        hold = leader.leadership.hold()
        assert before <= hold.began <= time.monotonic()
        assert hold.generation == taken.generation
        assert other.leadership.take() is None
        time.sleep(TTL / 10)


def test_the_next_one_leads_once_nobody_renews(stage: LeaderStage) -> None:
    """And the one before, which was cut off, is told so and does not lead again by renewing."""
    first, second = stage.contender("a"), stage.contender("b")
    before = first.take()
    assert second.leadership.take() is None
    first.proxy.cut()
    after = second.take()
    assert after.began >= before.began + TTL
    assert after.generation == before.generation + 1
    first.proxy.mend()
    first.loses()
    with pytest.raises(NotTheLeader):
        first.leadership.hold()
    assert first.leadership.take() is None
    assert second.leadership.hold().generation == after.generation


def test_what_is_given_up_is_free_at_once(stage: LeaderStage) -> None:
    first, second = stage.contender("a"), stage.contender("b")
    generation = first.take().generation
    first.leadership.give_up()
    assert second.leadership.who() is None
    hold = second.leadership.take()
    assert hold is not None
    assert hold.generation == generation + 1
    first.leadership.give_up()  # it has nothing to give up any more
    assert second.leadership.hold().generation == hold.generation
    with pytest.raises(NotTheLeader):
        first.leadership.hold()


def test_a_dead_process_of_the_same_host_is_followed_at_once(stage: LeaderStage) -> None:
    """Whoever has the lock of one writer knows that the one before is dead; no other host does."""
    first, elsewhere = stage.contender("a", domain="boot:1"), stage.contender("b", domain="boot:2")
    generation = first.take().generation
    first.proxy.hang()
    assert elsewhere.leadership.take() is None
    following = stage.contender("a", domain="boot:1").leadership.take()
    assert following is not None
    assert following.generation == generation + 1


def test_a_store_that_hangs_or_is_gone_is_told_in_time_and_comes_back(stage: LeaderStage) -> None:
    leader, other = stage.contender("a"), stage.contender("b")
    generation = leader.take().generation
    assert other.leadership.take() is None
    stage.freeze()
    assert is_away(leader)
    with pytest.raises(StoreAway):
        other.leadership.take()
    with pytest.raises(StoreAway):
        other.leadership.who()
    stage.thaw()
    hold = leader.take(generation)  # it has led all the while, or leads anew: nobody else has
    assert hold.generation in (generation, generation + 1)
    stage.server.kill()
    assert is_away(leader)
    stage.server.start()
    assert leader.take(hold.generation).generation in (hold.generation, hold.generation + 1)


def test_a_way_that_swallows_everything_is_told_in_time(stage: LeaderStage) -> None:
    leader = stage.contender("a")
    generation = leader.take().generation
    leader.proxy.hang()
    assert is_away(leader)
    assert is_away(leader)
    leader.proxy.mend()
    assert leader.take(generation).generation in (generation, generation + 1)


def test_a_broken_connection_is_made_anew(stage: LeaderStage) -> None:
    leader = stage.contender("a")
    generation = leader.take().generation
    leader.proxy.break_once()
    until(lambda: not is_away(leader), "to hold on")
    assert leader.leadership.hold().generation == generation


def test_what_is_answered_late_is_as_old_as_its_request(stage: LeaderStage) -> None:
    leader = stage.contender("a")
    leader.take()
    leader.proxy.delay = 0.2
    before = time.monotonic()
    hold = leader.leadership.hold()
    assert hold.began < time.monotonic() - 0.2
    assert hold.began >= before


def test_an_answer_that_comes_too_late_is_not_believed_and_the_next_is(stage: LeaderStage) -> None:
    """The store may have let this process lead without its knowing."""
    leader, other = stage.contender("a"), stage.contender("b")
    leader.take()
    leader.leadership.give_up()
    leader.proxy.delay = 3.0
    with pytest.raises(StoreAway):
        leader.leadership.take()
    with pytest.raises(NotTheLeader):
        leader.leadership.hold()
    leader.proxy.delay = 0.0
    hold = leader.take()
    assert other.leadership.take() is None
    assert leader.leadership.hold().generation == hold.generation


def test_a_store_that_starts_empty_takes_no_lead_from_one_that_may_still_act(stage: LeaderStage) -> None:
    leader, other = stage.contender("a"), stage.contender("b")
    leader.take()
    leader.leadership.give_up()
    last = leader.take()
    stage.server.kill()
    stage.server.start_empty()
    hold = other.take(at_least=last.generation)
    assert hold.began >= last.began + TTL
    assert hold.generation > last.generation
    leader.loses()
    assert leader.leadership.who() == Holder("b:1", hold.generation)


def test_the_generation_passes_what_the_caller_knows_of(stage: LeaderStage) -> None:
    leader = stage.contender("a")
    assert leader.take(at_least=1_800_000_000_000).generation == 1_800_000_000_001
    leader.leadership.give_up()
    assert leader.take().generation == 1_800_000_000_002


def test_clocks_of_hosts_play_no_part(stage: LeaderStage) -> None:
    """Steady clocks of two hosts have nothing in common; wall clocks are not asked."""
    first = stage.contender("a", clock=lambda: time.monotonic() + 1_000_000)
    second = stage.contender("b", clock=lambda: time.monotonic() - 1_000)
    before = first.take()
    assert before.began > 1_000_000
    assert second.leadership.take() is None
    first.proxy.cut()
    started = time.monotonic()
    second.take()
    assert time.monotonic() - started >= TTL / 2  # and not at once
