"""Quota and rests of sizes: learnt from refusals, ended by themselves (section 5 of the rules)."""

from __future__ import annotations

import pytest

from arvnodeman.fleet.sizes.limits import LONGEST_WAIT, UNPROVEN_AT_ONCE, BackOff, Quota, SizeHealth
from arvnodeman.fleet.values.model import NO_LIMIT


def probes(quota: Quota, first: float, last: float, *, refused: bool, standing: int = 0) -> list[float]:
    """The moments at which a probe is due when the Fleet looks every 10 s, each being refused 2 s later or not."""
    found = []
    t = first
    while t <= last:
        if quota.probe_due(t):
            found.append(t - first)
            if refused:
                quota.refused(standing, t + 2)
        t += 10
    return found


def test_until_a_refusal_the_quota_is_the_ceiling_and_nothing_is_probed() -> None:
    quota = Quota(8, 60)
    assert quota.value == 8
    assert probes(quota, 0, 10_000, refused=False) == []


@pytest.mark.parametrize(("standing", "value"), [(0, 0), (5, 5), (8, 8), (12, 8)])
def test_a_refusal_makes_the_quota_what_stands(standing: int, value: int) -> None:
    """Row C18."""
    quota = Quota(8, 60)
    quota.refused(standing, 0)
    assert quota.value == value


def test_a_quota_refused_with_no_node_alive_is_probed_again() -> None:
    """Row N1: it never stops booting for good."""
    quota = Quota(8, 60)
    quota.refused(0, 0)
    assert not quota.probe_due(59)
    assert quota.probe_due(60)
    assert quota.value == 1


def test_each_passing_raises_the_quota_by_one_up_to_the_ceiling() -> None:
    quota = Quota(3, 60)
    quota.refused(1, 0)
    assert len(probes(quota, 0, 3600, refused=False)) == 2
    assert quota.value == 3
    assert quota.retry_at is None


def test_the_wait_for_a_probe_doubles_while_refusals_go_on_to_15_minutes() -> None:
    quota = Quota(8, 60)
    quota.refused(0, 0)
    found = probes(quota, 0, 6000, refused=True)
    waits = [later - earlier for earlier, later in zip([0.0, *found], found, strict=False)]
    assert waits[:5] == pytest.approx([60, 120, 240, 480, LONGEST_WAIT], abs=12)
    assert waits[5] == pytest.approx(LONGEST_WAIT, abs=12)


def test_refusals_of_the_same_crowd_do_not_double_the_wait() -> None:
    quota = Quota(8, 60)
    for second in range(5):
        quota.refused(3, second)
    assert quota.retry_at == pytest.approx(60, abs=5)


@pytest.mark.parametrize(("standing", "raised", "value"), [(4, True, 5), (5, True, 5), (3, False, 4)])
def test_a_success_at_the_limit_raises_it_by_one(standing: int, raised: bool, value: int) -> None:
    """Row C18: `standing` counts the new node."""
    quota = Quota(8, 60)
    quota.refused(4, 0)
    assert quota.created(standing) is raised
    assert quota.value == value


def test_a_success_never_raises_it_above_the_ceiling() -> None:
    """Row C18."""
    quota = Quota(4, 60)
    quota.refused(4, 0)
    assert quota.created(4)
    assert quota.value == 4
    assert not quota.created(5)


def test_a_success_brings_the_first_wait_back() -> None:
    quota = Quota(8, 60)
    quota.refused(2, 0)
    quota.created(2)
    quota.refused(3, 1000)
    assert quota.value == 3
    assert quota.retry_at is not None
    assert quota.retry_at <= 1000 + 120


@pytest.mark.parametrize(("learnt", "ceiling", "value"), [(None, 12, 12), (None, 3, 3), (5, 12, 5), (5, 3, 3)])
def test_a_new_max_nodes_moves_a_quota_that_was_not_learnt(learnt: int | None, ceiling: int, value: int) -> None:
    quota = Quota(8, 60)
    if learnt is not None:
        quota.refused(learnt, 0)
    quota.set_ceiling(ceiling, 60)
    assert quota.value == value


# ---- rests -----------------------------------------------------------------------------------------------------------


def test_a_size_rests_and_is_then_probed_with_one_node() -> None:
    health = SizeHealth(60, proven=True)
    health.rest(BackOff.CAPACITY, 0, "no room")
    assert health.room(59, 3, 0, 0) == 0
    assert health.room(60, 3, 0, 0) == 1
    assert health.room(60, 3, 1, 1) == 0  # it is on its way


@pytest.mark.parametrize("why", [BackOff.CAPACITY, BackOff.QUOTA, BackOff.REFUSED, BackOff.GAVE_UP])
def test_rests_double_to_15_minutes_until_a_create_succeeds(why: BackOff) -> None:
    health = SizeHealth(60)
    t, waits = 0.0, []
    for _ in range(7):
        health.rest(why, t)
        waits.append(health.until - t)
        t = health.until
    assert waits == [60, 120, 240, 480, 900, 900, 900]
    health.create_succeeded()
    assert health.backing_off is None
    health.rest(why, t)
    assert health.until - t == 60


def test_the_echo_of_a_refusal_does_not_lengthen_the_rest() -> None:
    health = SizeHealth(60)
    health.rest(BackOff.CAPACITY, 0, "first")
    health.rest(BackOff.CAPACITY, 5, "second")
    assert health.until == 60
    assert health.detail == "second"


def test_a_rest_for_quota_is_over_as_soon_as_nodes_have_gone() -> None:
    health = SizeHealth(60, proven=True)
    health.rest(BackOff.QUOTA, 0, standing=5)
    assert health.room(1, 5, 0, 0) == 0
    assert health.room(1, 4, 0, 0) == 1


def test_five_failed_boots_in_a_row_make_a_size_rest() -> None:
    health = SizeHealth(60, proven=True)
    assert [health.boot_failed(0) for _ in range(5)] == [False, False, False, False, True]
    assert health.backing_off is BackOff.BOOT_FAILURES
    assert not health.boot_failed(10)  # said once


def test_a_node_that_comes_up_ends_the_row_of_failed_boots() -> None:
    health = SizeHealth(60)
    for _ in range(4):
        health.boot_failed(0)
    health.came_up()
    assert not health.boot_failed(0)
    assert health.backing_off is None


def test_after_a_rest_for_failed_boots_one_node_is_tried_until_it_comes_up() -> None:
    health = SizeHealth(60)
    for _ in range(5):
        health.boot_failed(0)
    assert health.room(60, 0, 0, 0) == 1
    assert health.room(60, 0, 0, 1) == 0  # made, and not up yet
    health.create_succeeded()  # says nothing of whether it comes up
    assert health.backing_off is BackOff.BOOT_FAILURES
    health.boot_failed(100)
    assert health.until == 100 + 120
    health.came_up()
    assert health.room(101, 0, 0, 0) == NO_LIMIT


@pytest.mark.parametrize(("pending", "room"), [(0, UNPROVEN_AT_ONCE), (3, 2), (5, 0), (9, 0)])
def test_of_a_size_without_a_success_at_most_five_are_booted_at_once(pending: int, room: int) -> None:
    assert SizeHealth(60).room(0, 0, 0, pending) == room


def test_a_proven_size_has_no_such_limit() -> None:
    assert SizeHealth(60, proven=True).room(0, 0, 50, 50) == NO_LIMIT


def test_what_a_rest_remembers_and_what_ends_it_forgets() -> None:
    health = SizeHealth()
    health.rest(BackOff.QUOTA, 100.0, "InstanceLimitExceeded", 7)
    assert (health.detail, health.quota_nodes, health.until) == ("InstanceLimitExceeded", 7, 160.0)
    health.rest(BackOff.QUOTA, 110.0, "", 5)  # an echo, with nothing to say but that fewer stood
    assert (health.detail, health.quota_nodes, health.until) == ("InstanceLimitExceeded", 5, 160.0)
    health.rest(BackOff.QUOTA, 120.0, "again", 9)
    assert (health.detail, health.quota_nodes) == ("again", 5)
    health.create_succeeded()
    assert (health.backing_off, health.until, health.detail) == (None, 0.0, "")


def test_failed_boots_are_told_of_when_the_rest_for_them_begins_and_counted_in_it() -> None:
    health = SizeHealth()
    assert [health.boot_failed(100.0) for _ in range(6)] == [False] * 4 + [True, False]
    assert (health.backing_off, health.detail, health.until) == (BackOff.BOOT_FAILURES, "6 boots in a row", 160.0)
    assert health.boot_failed(160.0)  # its rest was over
    assert (health.until, health.detail) == (280.0, "7 boots in a row")
    health.came_up()
    assert [health.boot_failed(200.0) for _ in range(5)] == [False] * 4 + [True]


def test_a_rest_for_another_cause_goes_on_when_boots_fail_meanwhile() -> None:
    health = SizeHealth()
    health.rest(BackOff.CAPACITY, 100.0, "full")
    assert not any(health.boot_failed(110.0) for _ in range(6))


@pytest.mark.parametrize(("refused_at", "waits"), [(161.0, 120.0), (100.5, 60.0)])
def test_the_wait_doubles_for_the_refusal_of_a_probe_alone(refused_at: float, waits: float) -> None:
    """Once only for each probe."""
    quota = Quota(8, 60)
    quota.refused(3, 100.0)
    quota.probe_due(refused_at)
    quota.refused(3, refused_at)
    at = quota.retry_at
    assert at is not None
    assert at - (refused_at if waits > 60 else 100.0) == waits
    quota.refused(3, refused_at + 1)
    assert quota.retry_at == at


def test_a_probe_is_followed_by_the_next_after_the_wait() -> None:
    quota = Quota(8, 60)
    quota.refused(3, 100.0)
    assert [t for t in range(100, 300) if quota.probe_due(float(t))] == [160, 220, 280]
