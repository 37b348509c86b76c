"""So far this hour, day and month."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from arvnodeman.history.lives import Life, PaidSpan
from arvnodeman.history.money import Money, starts

HOUR = 3600.0
DAY = 24 * HOUR


@pytest.fixture(autouse=True, params=["UTC", "Europe/Berlin", "America/St_Johns"])
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def moment(*parts: int) -> float:
    return time.mktime((*parts, *[0] * (6 - len(parts)), 0, 0, -1))  # type: ignore[arg-type]  # nine figures


def life(began: float, price: float = 1.0) -> Life:
    return Life("i-1", began, "n", "h", "small", price)


NOON = (2025, 5, 14, 12, 30)


def test_periods_are_those_of_the_calendar() -> None:
    assert starts(moment(*NOON) + 0.5) == {
        "hour": moment(2025, 5, 14, 12),
        "day": moment(2025, 5, 14),
        "month": moment(2025, 5, 1),
    }


def test_what_runs_costs_from_its_beginning_or_the_periods() -> None:
    now = moment(*NOON)
    money = Money(now)
    money.count([life(now - 2 * HOUR, 3.0)], [], now)
    so_far = money.costs(now)
    assert (so_far.hour, so_far.day, so_far.month) == pytest.approx((1.5, 6.0, 6.0))
    later = money.costs(now + 600)
    assert later.day == pytest.approx(6.5), "without being told anew"


def test_what_has_ended_is_added_as_far_as_it_lies_in_the_period() -> None:
    now = moment(*NOON)
    money = Money(now)
    money.count([], [PaidSpan(2.0, moment(2025, 5, 13, 22), moment(2025, 5, 14, 2))], now)
    so_far = money.costs(now)
    assert (so_far.hour, so_far.day, so_far.month) == pytest.approx((0.0, 4.0, 8.0))


def test_a_period_that_begins_begins_at_nothing() -> None:
    now = moment(2025, 5, 31, 23, 59)
    money = Money(now)
    money.count([life(now - HOUR, 6.0)], [PaidSpan(5.0, now - 2 * HOUR, now - HOUR)], now)
    assert money.costs(now).month == pytest.approx(11.0)
    so_far = money.costs(now + 120)
    assert (so_far.hour, so_far.day, so_far.month) == pytest.approx((0.1, 0.1, 0.1))


def test_over_a_day_on_which_the_clocks_change() -> None:
    """Berlin's 30 March has 23 hours."""
    money = Money(moment(2025, 3, 1))
    end = moment(2025, 3, 31)
    money.count([life(moment(2025, 3, 30), 1.0)], [], end - 1)
    hours = (end - moment(2025, 3, 30)) / HOUR
    assert money.costs(end - 1).day == pytest.approx(hours, abs=0.001)


def test_it_is_complete_when_the_account_goes_back_to_the_months_first_day() -> None:
    now = moment(*NOON)
    money = Money(now - HOUR)
    assert not money.costs(now).complete
    money.goes_back_to(moment(2025, 4, 30))
    assert money.costs(now).complete
    assert money.costs(now).since == moment(2025, 4, 30)


def test_without_a_history_it_is_complete_from_the_next_month_on() -> None:
    money = Money(moment(*NOON))
    assert not money.costs(moment(2025, 5, 31, 23)).complete
    assert money.costs(moment(2025, 6, 1, 0, 1)).complete
