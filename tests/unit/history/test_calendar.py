"""When periods begin and end, by the clocks of a zone: the ends of months, and days of 23 and 25 hours."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from arvnodeman.fleet.values.budgets import Period
from arvnodeman.history.calendar import period_of, shown, zone_named

BERLIN, KATHMANDU, NEW_YORK = (zone_named(name) for name in ("Europe/Berlin", "Asia/Kathmandu", "America/New_York"))
ZONES = ["UTC", "Europe/Berlin", "Asia/Kathmandu", "America/New_York", "Australia/Lord_Howe", "America/Havana"]


def at(text: str, zone: tzinfo = UTC) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()


@pytest.mark.parametrize(
    ("per", "moment", "zone", "since", "until"),
    [
        (Period.MONTH, "2026-11-30T23:59:59", UTC, "2026-11-01", "2026-12-01"),
        (Period.MONTH, "2026-12-31T12:00", UTC, "2026-12-01", "2027-01-01"),
        (Period.MONTH, "2028-02-29T12:00", UTC, "2028-02-01", "2028-03-01"),
        (Period.MONTH, "2026-03-31T23:30", BERLIN, "2026-03-01", "2026-04-01"),
        (Period.WEEK, "2026-12-06T23:59", UTC, "2026-11-30", "2026-12-07"),
        (Period.WEEK, "2026-11-30T00:00", UTC, "2026-11-30", "2026-12-07"),
        (Period.DAY, "2026-03-29T12:00", BERLIN, "2026-03-29", "2026-03-30"),
        (Period.DAY, "2026-10-25T02:30", BERLIN, "2026-10-25", "2026-10-26"),
        (Period.DAY, "2026-11-30T00:00", KATHMANDU, "2026-11-30", "2026-12-01"),
        (Period.HOUR, "2026-11-30T12:59:59", KATHMANDU, "2026-11-30T12:00", "2026-11-30T13:00"),
    ],
)
def test_a_period_begins_as_the_clocks_of_its_zone_show(
    per: Period, moment: str, zone: tzinfo, since: str, until: str
) -> None:
    assert period_of(per, at(moment, zone), zone) == (at(since, zone), at(until, zone))


@pytest.mark.parametrize(
    ("day", "hours"), [("2026-03-29", 23), ("2026-03-28", 24), ("2026-10-25", 25), ("2026-10-26", 24)]
)
def test_a_day_is_as_long_as_the_clocks_make_it(day: str, hours: int) -> None:
    since, until = period_of(Period.DAY, at(f"{day}T12:00", BERLIN), BERLIN)
    assert until - since == hours * 3600


def test_the_hour_that_comes_twice_is_two() -> None:
    """At 03:00 the clocks of Berlin go back to 02:00."""
    second = at("2026-10-25T01:30")  # 02:30, for the second time
    assert period_of(Period.HOUR, second, BERLIN) == (at("2026-10-25T01:00"), at("2026-10-25T02:00"))
    assert period_of(Period.HOUR, second - 3600, BERLIN) == (at("2026-10-25T00:00"), at("2026-10-25T01:00"))


def test_a_month_of_one_zone_begins_at_another_moment_in_another() -> None:
    newer = at("2026-12-01T02:00")
    assert period_of(Period.MONTH, newer, UTC)[0] == at("2026-12-01")
    assert period_of(Period.MONTH, newer, NEW_YORK)[0] == at("2026-11-01", NEW_YORK)


@given(st.floats(0, 4e9), st.sampled_from(list(Period)), st.sampled_from(ZONES))
@example(1.9921875, Period.HOUR, "UTC")
@example(3599.9999999, Period.HOUR, "UTC")
def test_periods_follow_each_other_without_a_gap(moment: float, per: Period, name: str) -> None:
    zone = zone_named(name)
    periods = [period_of(per, moment, zone)]
    assert periods[0][0] <= moment < periods[0][1]
    if per is Period.HOUR and name == "Australia/Lord_Howe":
        return  # half an hour is put forward or back there, so an hour is cut or said twice
    for _ in range(40):
        periods.append(period_of(per, periods[-1][1], zone))
    assert all(before[1] == after[0] for before, after in pairwise(periods))


def test_a_moment_is_shown_with_its_zone() -> None:
    assert (
        shown(at("2026-12-01", ZoneInfo("Europe/Berlin")), BERLIN, "Europe/Berlin") == "2026-12-01 00:00 Europe/Berlin"
    )
