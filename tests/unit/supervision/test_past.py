"""When runs end too soon, one after the other, the next one is careful."""

from __future__ import annotations

import pytest

from arvnodeman.supervision.ending import ExitKind
from arvnodeman.supervision.past import End, Past, quick_ends, safe_mode

W, F, S = ExitKind.WATCHDOG, ExitKind.FATAL, ExitKind.STUCK
HOPELESS, OUTSIDE, CLEAN = ExitKind.HOPELESS, ExitKind.OUTSIDE, ExitKind.CLEAN


def ends(*kinds: ExitKind, lasted: float | None = 100.0) -> list[End]:
    return [End(kind, "x", 1e9, lasted) for kind in kinds]


@pytest.mark.parametrize(
    ("past", "quick"),
    [
        (ends(), 0),
        (ends(W), 1),
        (ends(W, W, W), 3),
        (ends(F, W, W), 2),
        (ends(W, W, F), 1),
        (ends(W, CLEAN, W, W), 2),
        (ends(W, W, W, CLEAN), 0),
        (ends(W, HOPELESS, W, OUTSIDE, W, OUTSIDE), 3),
        (ends(HOPELESS, HOPELESS, HOPELESS), 0),
        (ends(OUTSIDE, OUTSIDE, OUTSIDE), 0),
        ([*ends(W), *ends(W, lasted=1801.0), *ends(W, W)], 2),
        ([*ends(W), *ends(OUTSIDE, lasted=1801.0), *ends(W, W)], 2),
        ([*ends(W), *ends(OUTSIDE, lasted=None), *ends(W, W)], 3),
        (ends(S, S, S, S, lasted=None), 4),
    ],
)
def test_which_ends_are_a_series(past: list[End], quick: int) -> None:
    assert quick_ends(past, watchdog=600.0) == quick


def test_a_patient_watchdog_makes_a_run_of_an_hour_a_quick_one() -> None:
    """3 × watchdog or 30 minutes, whichever is longer: a hang takes that long to be seen."""
    assert quick_ends(ends(W, W, W, lasted=3500.0), watchdog=1200.0) == 3
    assert quick_ends(ends(W, W, W, lasted=3700.0), watchdog=1200.0) == 0
    assert quick_ends(ends(W, W, W, lasted=1700.0), watchdog=4.0) == 3


def test_safe_mode_doubles_from_one_minute_to_fifteen() -> None:
    assert [safe_mode(quick) for quick in range(10)] == [0, 0, 0, 60, 120, 240, 480, 900, 900, 900]
    assert safe_mode(10**6) == 900


def test_an_end_in_words() -> None:
    assert End(W, "JobQueueMonitorActor.1").words == "by its own watchdog: JobQueueMonitorActor.1"
    assert End(HOPELESS, "cloud", None, 61.4).words.endswith("hopelessly stale: cloud, after 61 s")
    assert Past().last is None
