"""Samples, the ring of them, and the lines that are made of them."""

from __future__ import annotations

import pytest

from arvnodeman.history.samples import Ring, Sample, step_of
from arvnodeman.history.series import MOST_POINTS, series

T0 = 1_699_999_200.0  # a multiple of an hour


def taken(at: float, busy: int = 1, queue: int | None = 0) -> Sample:
    return Sample(at, 0, 0, 0, busy, 0, queue, 8, 0.5)


@pytest.mark.parametrize(("poll_time", "step"), [(60, 60), (600, 60), (10, 60), (5, 30), (0.33, 2), (0.05, 1)])
def test_samples_come_once_a_minute_and_oftener_where_lists_do(poll_time: float, step: float) -> None:
    assert step_of(poll_time) == step


def test_a_point_is_the_mean_of_its_samples() -> None:
    hours = 2 * MOST_POINTS / 60  # two samples to a point
    samples = [taken(T0 - 240 + 60 * number, busy=number) for number in range(5)]
    shown = series(samples, T0, hours, 60)
    assert shown.step == 120
    assert shown.nodes["busy"][-3:] == [0.5, 2.5, 4]


def test_what_was_not_recorded_is_null() -> None:
    shown = series([taken(T0 - 180), taken(T0, queue=None)], T0 + 5, 0.1, 60)
    assert shown.nodes["busy"] == [None, None, 1, None, None, 1]
    assert shown.queue == [None, None, 0, None, None, None]
    assert shown.times[-1] == T0


def test_samples_from_before_and_after_are_left_out() -> None:
    shown = series([taken(T0 - 90_000), taken(T0 + 90_000)], T0, 1, 60)
    assert set(shown.nodes["busy"]) == {None}


def test_the_ring_keeps_the_newest() -> None:
    ring = Ring(kept=3)
    for number in range(5):
        ring.add(taken(T0 + number))
    assert [one.at - T0 for one in ring.since(0)] == [2, 3, 4]
    assert [one.at - T0 for one in ring.since(T0 + 3)] == [3, 4]


def test_older_samples_fill_what_room_there_is() -> None:
    ring = Ring(kept=4)
    ring.add(taken(T0 + 10))
    ring.put_before([taken(T0 + number) for number in (1, 2, 3, 4, 10, 11)])
    assert [one.at - T0 for one in ring.since(0)] == [2, 3, 4, 10]
