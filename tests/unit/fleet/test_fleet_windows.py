"""Shutdown windows: minutes closed, open, closed ... from the node's start, for ever (section 4 of the rules)."""

from __future__ import annotations

import pytest

from arvnodeman.fleet.values.windows import ShutdownWindows

START = 1_700_000_000.0


@pytest.mark.parametrize(
    ("windows", "minute", "is_open"),
    [
        ((54, 5), 0, False),  # the node has just begun
        ((54, 5), 53.9, False),
        ((54, 5), 54, True),
        ((54, 5), 58.9, True),
        ((54, 5), 59, False),
        ((54, 5), 59 + 53.9, False),  # and so on, every 59 minutes
        ((54, 5), 59 + 54, True),
        ((54, 5), 100 * 59 + 54, True),
        ((54, 5), 100 * 59 + 53.9, False),
        ((54, 5, 1), 54, True),  # odd: 54 closed, 5 open, 1 + 54 closed ...
        ((54, 5, 1), 59, False),
        ((54, 5, 1), 60 + 53.9, False),
        ((54, 5, 1), 60 + 54, True),
        ((54, 5, 1), 60 + 59, False),
        ((5, 2, 3, 4), 5, True),  # even: 5 closed, 2 open, 3 closed, 4 open, 5 closed ...
        ((5, 2, 3, 4), 7, False),
        ((5, 2, 3, 4), 10, True),
        ((5, 2, 3, 4), 14, False),
        ((5, 2, 3, 4), 14 + 5, True),
        ((0.05, 0.05), 0.04, False),  # fractions of a minute, row A15
        ((0.05, 0.05), 0.06, True),
        ((0, 60), 0, True),
        ((0, 60), 12345.6, True),
        ((60, 0), 60, False),
        ((60, 0), 12345.6, False),
    ],
)
def test_a_window_is_open_or_not(windows: tuple[float, ...], minute: float, is_open: bool) -> None:
    """Row A15: fractions count, and with an odd count the first stretch is merged into the last closed one."""
    assert ShutdownWindows(windows).is_open(START, START + minute * 60) is is_open


@pytest.mark.parametrize(("minute", "is_open"), [(-5, False), (-60, False), (-(59 - 55), False)])
def test_before_its_start_no_window_of_a_node_is_open(minute: float, is_open: bool) -> None:
    """A start in the future is a clock that differs, and no reason to shut anything down."""
    assert ShutdownWindows((54, 5)).is_open(START, START + minute * 60) is is_open


@pytest.mark.parametrize(
    ("minute", "margin", "is_open"), [(55, 60, True), (58, 60, False), (58, 59, True), (57, 61, True)]
)
def test_a_window_that_ends_within_the_difference_of_clocks_counts_as_shut(
    minute: float, margin: float, is_open: bool
) -> None:
    assert ShutdownWindows((54, 5)).is_open(START, START + minute * 60, margin) is is_open


@pytest.mark.parametrize(
    ("windows", "minute", "opens"),
    [
        ((54, 5), 0, 54),
        ((54, 5), 53.5, 54),
        ((54, 5), 54, 59 + 54),  # the one that is open now does not open again
        ((54, 5), 58, 59 + 54),
        ((54, 5), 59, 59 + 54),
        ((54, 5), -10, 54),
        ((5, 2, 3, 4), 6, 10),
        ((5, 2, 3, 4), 10, 19),
        ((5, 2, 3, 4), 12, 19),
        ((5, 2, 3), 8, 15),
        ((0, 60), 30, 60),
        ((0, 60), 60, 120),  # after now, never now
        ((10, 5, 20, 5), 0, 10),
        ((10, 5, 20, 5), 10, 35),
        ((10, 5, 20, 5), 34, 35),
        ((10, 5, 20, 5), 35, 50),
        ((10, 5, 20, 5), 40, 50),
        ((10, 5, 20, 5), 40 * 7 + 36, 40 * 7 + 50),
        ((10, 5, 20, 5), 40 * 7 + 20, 40 * 7 + 35),
        ((10, 5, 20, 5, 3, 1, 7), 60, 61),  # odd: the last 7 and the first 10 are one closed stretch
    ],
)
def test_the_next_opening_is_told(windows: tuple[float, ...], minute: float, opens: float) -> None:
    found = ShutdownWindows(windows).next_opening(START, START + minute * 60)
    assert found == pytest.approx(START + opens * 60)


@pytest.mark.parametrize("windows", [(), (5.0,)])
def test_one_number_is_no_window(windows: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="minutes closed, minutes open"):
        ShutdownWindows(windows)
