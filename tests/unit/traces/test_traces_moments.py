"""Moments of traces: zones, hours that come twice or never, and what is not a time."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trace_files import row, sacct, sacct_text, written

from arvnodeman.traces.moments import LAST, Moments, NoZone, ReadMoment, zone_of
from arvnodeman.traces.reading import TraceOptions, read_trace

ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Apia"]
BERLIN = Moments(ZoneInfo("Europe/Berlin"))
FIRST_PASS, SECOND_PASS = 1_792_888_200.0, 1_792_891_800.0  # 2026-10-25, 02:30 in Berlin, in summer and in winter time
TWICE = "2026-10-25T02:30:00"


def written_in(zone: str, at: float) -> str:
    return datetime.fromtimestamp(at, ZoneInfo(zone)).strftime("%Y-%m-%dT%H:%M:%S")


@given(st.integers(0, int(LAST)), st.sampled_from(ZONES))
@settings(deadline=None)
def test_local_time_gives_the_second_that_it_was_made_of(at: int, zone: str) -> None:
    moment = Moments(ZoneInfo(zone)).read(written_in(zone, at))
    assert moment is None if at == 0 and moment is None else moment is not None and at in moment
    if moment is not None and moment.first != moment.second:
        assert timedelta(minutes=20) <= timedelta(seconds=moment.second - moment.first) <= timedelta(hours=3)


@given(
    st.sampled_from(ZONES),
    st.integers(1_500_000_000, 2_000_000_000),
    *[st.integers(0, 40_000) for _ in range(3)],
)
@settings(deadline=None)
def test_times_of_a_job_come_back_in_their_order(zone: str, submit: int, held: int, waits: int, runs: int) -> None:
    times = [submit, submit + held, submit + held + waits, submit + held + waits + runs]
    moments = Moments(ZoneInfo(zone))
    found = moments.settled([written_in(zone, at) for at in times], elapsed=float(runs))
    assert None not in found
    known = [at for at in found if at is not None]
    assert known == sorted(known)
    assert known[3] - known[2] == runs
    if not moments.doubled:
        assert known == times


@given(st.text(max_size=40))
@settings(deadline=None)
def test_what_is_no_time_is_refused_in_one_line(text: str) -> None:
    found = read_or_words(text)
    assert "time" in found if isinstance(found, str) else found is None or 0 <= found.first <= LAST


def read_or_words(text: str) -> ReadMoment | str | None:
    try:
        return BERLIN.read(text)
    except ValueError as error:
        return str(error)


@pytest.mark.parametrize(
    "text",
    ["29 Nov 10:40", "2026-02-30T10:00:00", "2026-11-29", "2026-11-29T24:00:00", "99999999999", "-5", "1e9", "１７９"],
)
def test_times_that_cannot_be(text: str) -> None:
    with pytest.raises(ValueError, match=r"time"):
        BERLIN.read(text)


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("1795948827", 1795948827),
        ("1795948827.5", 1795948827.5),
        ("2026-11-29T10:40:27Z", 1795948827),
        ("2026-11-29T10:40:27+0100", 1795945227),
        ("2026-11-29T10:40:27+01:00", 1795945227),
        ("2026-11-29T10:40:27", 1795945227),
        ("2026-11-29 10:40:27", 1795945227),
        ("2026-07-01T12:00:00", 1782900000),
        ("2026-03-29T02:30:00", 1774747800),  # never was: as if clocks had not been set forward
    ],
)
def test_times_that_are_written_otherwise(text: str, at: float) -> None:
    assert BERLIN.read(text) == (at, at)


@pytest.mark.parametrize("text", ["Unknown", "None", "unknown", "", "N/A"])
def test_no_time(text: str) -> None:
    assert BERLIN.read(text) is None


@pytest.mark.parametrize(
    ("times", "elapsed", "found"),
    [
        ([TWICE, TWICE, TWICE, TWICE], None, [FIRST_PASS] * 4),  # the first pass, where nothing speaks against it
        ([TWICE, TWICE, TWICE, "2026-10-25T02:20:00"], None, [FIRST_PASS] * 3 + [SECOND_PASS - 600]),  # in order
        ([TWICE, TWICE, TWICE, "2026-10-25T02:40:00"], 4200.0, [FIRST_PASS] * 3 + [SECOND_PASS + 600]),  # its length
        (
            ["2026-10-25T02:50:00", "Unknown", TWICE, "2026-10-25T03:00:00"],
            1800.0,
            [FIRST_PASS + 1200, None, SECOND_PASS],
        ),
    ],
)
def test_in_the_hour_that_comes_twice(times: list[str], elapsed: float | None, found: list[float | None]) -> None:
    assert Moments(ZoneInfo("Europe/Berlin")).settled(times, elapsed)[: len(found)] == found


def test_hours_that_came_twice_or_never_are_told(tmp_path: Path) -> None:
    berlin = TraceOptions(zone="Europe/Berlin")
    never = row(
        JobID=1,
        Submit="2026-03-29T02:10:00",
        Eligible="Unknown",
        Start="2026-03-29T03:20:00",
        End="Unknown",
        State="RUNNING",
    )
    twice = row(JobID=2, Submit=TWICE, Eligible="Unknown", Start="2026-10-25T03:20:00", End="Unknown", State="RUNNING")
    trace = sacct(tmp_path, never, twice, options=berlin)
    assert "times in an hour that never was, as clocks were set forward: 1" in trace.remarks
    assert "times in an hour that came twice, as clocks were set back: 1" in trace.remarks


def test_this_machines_zone_is_that_of_its_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    times = {"Submit": "2026-07-01T12:00:00", "Eligible": "2026-07-01T12:00:00"}
    path = written(tmp_path / "t", sacct_text([row(**times, Start="2026-07-01T12:00:00", End="2026-07-01T12:10:00")]))
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        (job,) = read_trace(path).jobs
    finally:
        monkeypatch.undo()
        time.tzset()
    assert job.submit == 1782921600


@pytest.mark.parametrize("name", ["Mars/Olympus", "../../etc/passwd", "/etc/passwd", "Europe", "x" * 5000, "a\0b"])
def test_no_zone(name: str) -> None:
    with pytest.raises(NoZone, match=r"this machine knows no time zone .*; allowed are"):
        zone_of(name)
