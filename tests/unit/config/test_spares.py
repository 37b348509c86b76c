"""[Spare NAME]: hours as they are written, and what is wrong with them."""

from __future__ import annotations

import io
import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from arvnodeman.commands.check_config import check_config
from arvnodeman.config import ConfigError, load
from arvnodeman.config.hours import HOURS, clocks_of
from arvnodeman.config.kinds import value_of
from arvnodeman.config.option import SPARE, Option
from arvnodeman.config.reload import changes, reloaded
from arvnodeman.fleet.values.local_time import OpenHours
from arvnodeman.fleet.values.spares import Spare

FILE = """\
[Arvados]
host = zyxwv.example.com
token = sesame
[Cloud]
provider = sandbox
shutdown_windows = 54, 5, 1
[Cloud Create]
ping_host = zyxwv.example.com
[Cloud Credentials]
url = http://127.0.0.1:9
[Size small]
cores = 2
[Size big]
cores = 8
"""
WHEN = Option(SPARE, "when", HOURS, "", "")
BERLIN = "Europe/Berlin"


def hours(text: str) -> OpenHours:
    found = value_of(WHEN, text)
    assert isinstance(found, OpenHours)
    return found


def at(text: str, zone: str = BERLIN, fold: int = 0) -> float:
    """A moment by the clocks of a zone; `fold` 1: the second time that they show it."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp()


@pytest.mark.parametrize(
    ("when", "opens", "closed"),
    [
        # 2026-11-30 is a Monday
        (f"Mon-Fri 08:00-18:00 {BERLIN}", ["2026-11-30T08:00", "2026-12-04T17:59:59"], ["2026-11-30T07:59:59"]),
        (f"Mon-Fri 08:00-18:00 {BERLIN}", [], ["2026-11-30T18:00", "2026-12-05T12:00", "2026-11-29T12:00"]),
        (f"22:00-06:00 {BERLIN}", ["2026-11-30T22:00", "2026-12-01T05:59:59"], ["2026-12-01T06:00"]),
        (f"Fri 22:00-06:00 {BERLIN}", ["2026-12-05T05:00"], ["2026-12-04T05:00", "2026-12-05T22:00"]),
        (f"Sun 20:00-04:00 {BERLIN}", ["2026-11-30T03:59"], ["2026-11-30T20:30"]),
        (f"Sat-Mon 10:00-12:00 {BERLIN}", ["2026-11-28T11:00", "2026-11-30T11:00"], ["2026-12-01T11:00"]),
        (f"Mon 08:00-12:00, Mon 13:00-17:00, Sun 00:00-24:00 {BERLIN}", ["2026-11-30T13:30", "2026-11-29T23:59"], []),
        (f"Mon 08:00-12:00, Mon 13:00-17:00 {BERLIN}", [], ["2026-11-30T12:30"]),
        (f"monday 8:00 - 9:00,\n tues - wed 10:00-11:00 {BERLIN}", ["2026-11-30T08:30", "2026-12-02T10:00"], []),
        (BERLIN, ["2026-11-30T03:00"], []),
        ("", ["2026-11-30T03:00"], []),
    ],
)
def test_hours_are_open_when_the_clocks_of_their_zone_show_so(when: str, opens: list[str], closed: list[str]) -> None:
    assert [moment for moment in opens if not hours(when).is_open(at(moment))] == []
    assert [moment for moment in closed if hours(when).is_open(at(moment))] == []


def test_a_window_in_the_doubled_hour_opens_twice() -> None:
    """2026-10-25, 03:00 summer time, is 02:00 again."""
    window = hours(f"02:15-02:45 {BERLIN}")
    moments = [at("2026-10-25T00:00")]
    while len(moments) < 5:
        moment = window.next_change(moments[-1])
        assert moment is not None
        moments.append(moment)
    first = at("2026-10-25T02:15", fold=0)
    assert moments[1:] == [first, first + 1800, first + 3600, first + 5400]


def test_a_window_that_the_clocks_go_back_into_opens_again() -> None:
    window = hours(f"01:00-02:30 {BERLIN}")
    closes = at("2026-10-25T02:30")
    assert window.next_change(at("2026-10-25T01:30")) == closes
    assert window.next_change(closes) == closes + 1800 == at("2026-10-25T02:00", fold=1)
    assert window.next_change(closes + 1800) == closes + 3600


def test_the_night_in_which_the_clocks_go_forward() -> None:
    """2026-03-29, 02:00 is 03:00."""
    jump = at("2026-03-29T03:00")
    lost, late = hours(f"02:15-02:45 {BERLIN}"), hours(f"02:15-05:00 {BERLIN}")
    assert lost.next_change(jump - 7200) == at("2026-03-30T02:15")
    assert late.next_change(jump - 7200) == jump
    assert late.next_change(jump) == at("2026-03-29T05:00")


@pytest.mark.parametrize("zone", [BERLIN, "America/Sao_Paulo", "Australia/Lord_Howe", "Africa/Casablanca", "UTC"])
def test_local_time_is_that_of_the_zone_database(zone: str) -> None:
    """Every hour of a year, and the seconds around each change of the clocks from 1990 on."""
    clocks, known = clocks_of(zone), ZoneInfo(zone)
    start = datetime(2026, 1, 1, tzinfo=UTC)
    moments = [(start + timedelta(hours=hour)).timestamp() for hour in range(365 * 24)]
    moments += [shift + seconds for shift, _ in clocks.shifts for seconds in (-1, 0, 1)]
    for moment in moments:
        offset = datetime.fromtimestamp(moment, known).utcoffset()
        assert offset is not None
        assert clocks.east(moment) == offset.total_seconds(), moment


def test_the_next_change_is_the_first_moment_at_which_it_is_otherwise() -> None:
    """Against a look at each minute of a fortnight around a change of the clocks."""
    rng = random.Random(7)
    for _ in range(60):
        window = hours(_any(rng))
        now = at(rng.choice(["2026-03-22T00:00", "2026-10-18T00:00", "2026-06-01T00:00"])) + rng.randrange(604800)
        expected = next((each for each in _minutes_after(now) if window.is_open(each) != window.is_open(now)), None)
        assert window.next_change(now) == expected, (window.text, now)


def _any(rng: random.Random) -> str:
    windows = []
    for _ in range(rng.randint(1, 3)):
        days = "-".join(rng.sample(("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"), rng.randint(1, 2)))
        begins = rng.randrange(1440)
        ends = (begins + rng.randrange(1, 1440)) % 1440
        windows.append(f"{days} {begins // 60:02}:{begins % 60:02}-{ends // 60:02}:{ends % 60:02}")
    return f"{', '.join(windows)} {BERLIN}"


def _minutes_after(now: float) -> Iterator[float]:
    first = now - now % 60 + 60
    return (first + 60 * minute for minute in range(8 * 1440))


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ("size = smal\nnodes = 1", "[Spare day] size: there is no [Size smal]; the nearest is small"),
        ("nodes = 1", "[Spare day] size: missing; required"),
        ("size = small", "[Spare day] nodes: 0, and of_load is 0, too: it keeps nothing"),
        ("size = small\nnodes = -1", "[Spare day] nodes: '-1' is too small"),
        ("size = small\nof_load = -5", "[Spare day] of_load: '-5' is too small"),
        ("size = small\nof_load = $5", "[Spare day] of_load: '$5' is not a finite number: write it without the $"),
        ("size = small\nnodes = 1\nat_most = -1", "[Spare day] at_most: '-1' is too small"),
        (
            "size = small\nnodes = 1\nwhen = Mon-Fri 08:00-18:00 Europe/Berln",
            "[Spare day] when: this machine knows no time zone 'Europe/Berln'; the nearest is Europe/Berlin",
        ),
        (
            "size = small\nnodes = 1\nwhen = Mon-Fri 08:00-18:00",
            "[Spare day] when: 'Mon-Fri 08:00-18:00' has no time zone at its end",
        ),
        (
            "size = small\nnodes = 1\nwhen = Mon, Wed 08:00-18:00 UTC",
            "[Spare day] when: 'Mon' is not a window like Mon-Fri 08:00-18:00",
        ),
        (
            "size = small\nnodes = 1\nwhen = Mun-Fri 08:00-18:00 UTC",
            "[Spare day] when: 'Mun' in 'Mun-Fri 08:00-18:00' is not a day: Mon, Tue, Wed, Thu, Fri, Sat, Sun",
        ),
        (
            "size = small\nnodes = 1\nwhen = Mon 08:00-25:00 UTC",
            "[Spare day] when: '25:00' is not a time of day: 00:00 to 24:00",
        ),
        (
            "size = small\nnodes = 1\nwhen = Mon 08:00-08:00 UTC",
            "[Spare day] when: 'Mon 08:00-08:00' ends as it begins: a whole day is 00:00-24:00",
        ),
        ("size = small\nnodes = 1\nwhen = Mon,Mon,", "[Spare day] when: 'Mon,Mon,' has no time zone at its end"),
    ],
)
def test_a_mistake_is_one_clear_line(tmp_path: Path, lines: str, problem: str) -> None:
    path = tmp_path / "site.cfg"
    path.write_text(f"{FILE}[Spare day]\n{lines}\n")
    with pytest.raises(ConfigError) as raised:
        load(str(path))
    assert len(raised.value.problems) == 1
    assert raised.value.problems[0].startswith(f"{path}: {problem}"), raised.value.problems
    assert "; allowed: " in raised.value.problems[0] or "; required: " in raised.value.problems[0]


def test_two_of_one_name_and_one_without(tmp_path: Path) -> None:
    path = tmp_path / "site.cfg"
    path.write_text(f"{FILE}[Spare]\nsize=small\n[Spare day]\nsize=small\nnodes=1\n[Spare  day]\nsize=small\nnodes=1\n")
    with pytest.raises(ConfigError) as raised:
        load(str(path))
    assert [line.removeprefix(f"{path}: ") for line in raised.value.problems] == [
        "[Spare]: a spare needs a name: [Spare NAME]",
        "[Spare  day]: there is another section of this name",
    ]


def test_what_holds_of_two_that_overlap_is_told(tmp_path: Path) -> None:
    """A note of check-config: it is not a mistake."""
    path = tmp_path / "site.cfg"
    path.write_text(
        f"{FILE}[Spare day]\nsize = small\nnodes = 2\nwhen = Mon-Fri 08:00-18:00 {BERLIN}\n"
        f"[Spare late]\nsize = small\nnodes = 1\nwhen = Fri 17:00-02:00 {BERLIN}\n"
        f"[Spare night]\nsize = small\nnodes = 1\nwhen = Sat 02:00-04:00 {BERLIN}\n"
        f"[Spare other]\nsize = big\nnodes = 1\n"
    )
    out = io.StringIO()
    assert check_config(str(path), out) == 0, out.getvalue()
    notes = [line for line in out.getvalue().splitlines() if "overlap" in line]
    assert notes == [
        f"{path}: note: [Spare late] overlaps with [Spare day], both of size small: the larger number of the two holds "
        "while both are open, not their sum"
    ]


def test_a_reload_puts_them_into_force_at_once(tmp_path: Path) -> None:
    path = tmp_path / "site.cfg"
    path.write_text(f"{FILE}[Spare day]\nsize = small\nnodes = 2\n")
    old = load(str(path))
    new = replace(old, spares=(Spare("day", "small", 3), Spare("night", "big", 1)))
    assert [(change.option, change.live) for change in changes(old, new)] == [
        ("[Spare day]", True),
        ("[Spare night]", True),
    ]
    assert reloaded(old, new).spares == new.spares
    assert changes(old, old) == []


@pytest.mark.parametrize(
    ("spare", "busy", "wanted"),
    [
        (Spare("a", "small", nodes=2), 0, 2),
        (Spare("a", "small", nodes=2, of_load=10), 20, 2),
        (Spare("a", "small", nodes=2, of_load=10), 21, 3),
        (Spare("a", "small", of_load=10), 1, 1),
        (Spare("a", "small", of_load=10), 0, 0),
        (Spare("a", "small", of_load=33.3), 100, 34),
        (Spare("a", "small", of_load=7), 100, 7),
        (Spare("a", "small", of_load=50, at_most=4), 100, 4),
        (Spare("a", "small", nodes=9, at_most=4), 0, 4),
    ],
)
def test_how_many_are_wanted(spare: Spare, busy: int, wanted: int) -> None:
    """A part of the load is rounded up, and the larger number holds."""
    assert spare.wanted(busy, 0.0) == wanted
