"""[Budget NAME]: what is read, what is wrong in one line each, and what a reload brings."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from arvnodeman.config import ConfigError, Settings, load
from arvnodeman.config.reload import changes, reloaded
from arvnodeman.fleet.values.budgets import Budget, Period

GOOD = """\
[Arvados]
host = zyxwv.example.com
token = secret
[Cloud]
provider = dummy
shutdown_windows = 54, 5, 1
[Size small]
cores = 1
price = 0.1
"""
Loader = Callable[[str], Settings]


@pytest.fixture(name="loaded")
def _loaded(tmp_path: Path) -> Loader:
    def loaded(text: str) -> Settings:
        path = tmp_path / "nodemanager.cfg"
        path.write_text(f"{GOOD}{text}")
        return load(str(path))

    return loaded


def test_a_budget_has_all_that_its_section_says(loaded: Loader) -> None:
    settings = loaded(
        "[Budget physics]\nlimit = 500.50\nper = week\naccounts = physics, astro\nusers = ada\npartitions = gpu\n"
        "action = warn\noverdraft_until = 2026-12-24T18:00\nreason = paper\ntime_zone = Europe/Berlin\n"
    )
    until = datetime(2026, 12, 24, 18, tzinfo=ZoneInfo("Europe/Berlin")).timestamp()
    assert settings.budgets == (
        Budget(
            "physics", 500.5, Period.WEEK, ("physics", "astro"), ("ada",), ("gpu",), refuses=False,
            overdraft_until=until, overdraft_reason="paper", zone="Europe/Berlin",
        ),
    )  # fmt: skip
    assert settings.policy().budgets == settings.budgets


def test_what_is_not_said_is_all_jobs_a_month_of_utc_and_a_refusal(loaded: Loader) -> None:
    assert loaded("[Budget site]\nlimit = 9\naccounts = all\nusers = ALL\n").budgets == (
        Budget("site", 9.0, Period.MONTH),
    )


def test_two_budgets_for_one_account_are_fine(loaded: Loader) -> None:
    text = "[Budget day]\nlimit = 9\nper = day\naccounts = a\n[Budget month]\nlimit = 90\naccounts = a\n"
    settings = loaded(text)
    assert [budget.name for budget in settings.budgets] == ["day", "month"]
    assert settings.warnings == ()


def test_an_overdraft_without_a_zone_ends_by_utc(loaded: Loader) -> None:
    (budget,) = loaded("[Budget a]\nlimit = 9\noverdraft_until = 2026-12-24\nreason = x\n").budgets
    assert budget.overdraft_until == datetime(2026, 12, 24, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ("", "limit: missing; required: a number, at least 0"),
        (
            "limit = $500\n",
            "limit: '$500' is not a finite number: write it without the $; allowed: a number, at least 0",
        ),
        (
            "limit = 500 €\n",
            "limit: '500 €' is not a finite number: write it without the €; allowed: a number, at least 0",
        ),
        ("limit = -5\n", "limit: '-5' is too small; allowed: a number, at least 0"),
        ("limit = 5\nper = fortnight\n", "per: 'fortnight' is unknown; allowed: hour, day, week or month"),
        ("limit = 5\nper = monht\n", "per: 'monht' is unknown (like 'month'?); allowed: hour, day, week or month"),
        ("limit = 5\naction = kill\n", "action: 'kill' is unknown; allowed: refuse or warn"),
        (
            "limit = 5\naccounts = a b\n",
            "accounts: 'a b' in 'a b' is not a name; allowed: names separated by commas, or all",
        ),
        (
            "limit = 5\ntime_zone = Europe/Berlinn\n",
            "time_zone: this machine knows no time zone 'Europe/Berlinn'; the nearest is Europe/Berlin; allowed: UTC "
            "or the name of a time zone, such as Europe/Berlin",
        ),
        (
            "limit = 5\noverdraft_until = tomorrow\nreason = x\n",
            "overdraft_until: 'tomorrow' is not a date; allowed: YYYY-MM-DD or YYYY-MM-DDTHH:MM",
        ),
        (
            "limit = 5\noverdraft_until = 2026-12-24\n",
            "reason: missing; required with overdraft_until: text",
        ),
    ],
)
def test_a_mistake_is_one_clear_line(loaded: Loader, lines: str, problem: str) -> None:
    with pytest.raises(ConfigError) as error:
        loaded(f"[Budget lab]\n{lines}")
    (line,) = error.value.problems
    assert line.partition(": ")[2] == f"[Budget lab] {problem}".replace("€", "\u20ac")


def test_a_section_needs_a_name_and_one_of_its_own(loaded: Loader) -> None:
    with pytest.raises(ConfigError) as error:
        loaded("[Budget]\nlimit = 5\n[Budget a]\nlimit = 1\n[Budget  a]\nlimit = 2\n")
    assert [line.partition(": ")[2] for line in error.value.problems] == [
        "[Budget]: a budget needs a name: [Budget NAME]",
        "[Budget  a]: there is another section of this name",
    ]


def test_an_unknown_option_is_a_warning_that_names_the_nearest(loaded: Loader) -> None:
    (warning,) = loaded("[Budget a]\nlimit = 5\naccount = b\n").warnings
    assert warning.endswith("[Budget a] account: unknown option; the nearest known one is accounts")


def test_a_reload_puts_budgets_into_force(loaded: Loader) -> None:
    old = loaded("[Budget a]\nlimit = 5\n[Budget b]\nlimit = 5\n")
    new = loaded("[Budget a]\nlimit = 6\n[Budget c]\nlimit = 5\n")
    assert [(change.option, change.live) for change in changes(old, new)] == [
        ("[Budget a]", True),
        ("[Budget b]", True),
        ("[Budget c]", True),
    ]
    assert reloaded(old, new).budgets == new.budgets
