"""Signs of life."""

from __future__ import annotations

from arvnodeman.fleet.messages import Poll
from arvnodeman.supervision.vitals import PollAges, Vitals


def test_ages_count_from_the_start_until_there_is_something_better() -> None:
    ages = PollAges()
    ages.began(Poll.CLOUD, 10.0, 300.0)
    age = ages.all()[Poll.CLOUD]
    assert (age.since_attempt(15.0), age.since_success(15.0)) == (5.0, 5.0)
    ages.failed(Poll.CLOUD, 20.0, "x")
    age = ages.all()[Poll.CLOUD]
    assert (age.since_attempt(25.0), age.since_success(25.0)) == (5.0, 15.0)
    ages.succeeded(Poll.CLOUD, 30.0, 2)
    age = ages.all()[Poll.CLOUD]
    assert (age.since_attempt(35.0), age.since_success(35.0), age.error, age.items) == (5.0, 5.0, "", 2)


def test_other_intervals_keep_the_past() -> None:
    ages = PollAges()
    ages.began(Poll.CLOUD, 10.0, 300.0)
    ages.succeeded(Poll.CLOUD, 30.0, 2)
    ages.began(Poll.CLOUD, 40.0, 60.0)
    assert ages.all()[Poll.CLOUD].succeeded == 30.0
    assert ages.all()[Poll.CLOUD].longest_wait == 60.0


def test_the_first_round_is_over_when_every_poller_has_tried_well_or_badly() -> None:
    ages = PollAges()
    assert not ages.first_round_over
    for poll in Poll:
        ages.began(poll, 0.0, 300.0)
    ages.succeeded(Poll.CLOUD, 1.0, 0)
    ages.failed(Poll.RECORDS, 1.0, "away")
    assert not ages.first_round_over
    ages.failed(Poll.QUEUE, 1.0, "away")
    assert ages.first_round_over


def test_counters_start_at_nothing() -> None:
    vitals = Vitals()
    assert vitals.counted("actor_exceptions") == 0
    vitals.count("actor_exceptions")
    vitals.count("actor_exceptions")
    assert vitals.counted("actor_exceptions") == 2


def test_an_actor_that_left_is_not_shown() -> None:
    vitals = Vitals()
    vitals.enter("a")
    vitals.enter("b")
    vitals.leave("a")
    vitals.leave("a")
    assert [activity.actor for activity in vitals.activities()] == ["b"]
