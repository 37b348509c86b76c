"""What a history tells of boots and losses."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

import pytest

from arvnodeman.fleet.values.model import NodeSize
from arvnodeman.history import schema
from arvnodeman.whatif.chance import Fates
from arvnodeman.whatif.measured import assumed_from_history
from arvnodeman.whatif.scenario import Assumed

STEP = 60


def history(folder: Path, lives: Sequence[tuple[float, float, float | None]], how: str = "destroyed") -> Path:
    """Of nodes of one size: when each began, how long it booted, and when it ended."""
    path = folder / schema.FILE_NAME
    with sqlite3.connect(path, isolation_level=None) as connection:
        schema.create(connection)
        for number, (began, _, ended) in enumerate(lives):
            row = (f"i{number}", began, ended, how if ended is not None else "", "n", "h", "small", 0.1, 0, 0, "", 0, 0)
            connection.execute(schema.INSERT["life"], row)
        last = max(began + boot for began, boot, _ in lives) + 10 * STEP
        for at in range(0, int(last), STEP):
            spent = 0.0
            for began, boot, ended in lives:
                until = min(began + boot, ended if ended is not None else began + boot)
                spent += max(0.0, min(at, until) - max(at - STEP, began))
            connection.execute(schema.INSERT["usage"], (at, "small", round(spent, 1), 0, 0, 0, 0))
    connection.close()
    return path


def test_boots_one_after_the_other_are_measured_to_the_second(tmp_path: Path) -> None:
    took = [95.0, 130.0, 61.0, 250.0, 119.0, 88.0]
    lives = [(1000.0 * number + 17, boot, 1000.0 * number + 900) for number, boot in enumerate(took, 1)]
    found = assumed_from_history(history(tmp_path, lives))
    assert found.boots["small"] == pytest.approx(sorted(took), abs=0.2)
    assert found.fails["small"] == 0.0


def test_of_boots_at_once_the_sum_is_right(tmp_path: Path) -> None:
    lives = [(1000.0 + 20 * number, 100.0 + number, 3000.0) for number in range(10)]
    found = assumed_from_history(history(tmp_path, lives)).boots["small"]
    assert len(found) == 10
    assert sum(found) == pytest.approx(sum(boot for _, boot, _ in lives), rel=0.1)


def test_nodes_that_never_came_up_are_failed_boots(tmp_path: Path) -> None:
    good = [(1000.0 * number, 100.0, 1000.0 * number + 900) for number in range(1, 7)]
    bad = [(20_000.0, 1800.0, 21_800.0), (30_000.0, 1800.0, 31_800.0)]
    found = assumed_from_history(history(tmp_path, good + bad))
    assert found.fails["small"] == pytest.approx(2 / 8)
    assert found.boots["small"] == pytest.approx([100.0] * 6, abs=0.2)


def test_too_few_boots_leave_what_is_stated(tmp_path: Path) -> None:
    stated = Assumed(boot=33.0, boots={"other": (1.0,)})
    found = assumed_from_history(history(tmp_path, [(1000.0, 100.0, 2000.0)]), stated)
    assert (found.boot, found.boots, found.fails) == (33.0, {"other": (1.0,)}, {})


def test_nodes_that_vanish_are_deaths(tmp_path: Path) -> None:
    lives = [(0.0, 100.0, 36_000.0), (0.0, 100.0, 36_000.0)]
    assert assumed_from_history(history(tmp_path, lives, how="gone")).dies == pytest.approx(2 / 20)


def test_a_size_of_which_too_few_came_up_boots_as_all_do(tmp_path: Path) -> None:
    lives = [(1000.0 * number, 100.0, 1000.0 * number + 900) for number in range(1, 7)]
    lives += [(20_000.0, 1800.0, 21_800.0), (30_000.0, 1800.0, 31_800.0)]
    found = assumed_from_history(history(tmp_path, lives))
    assert found.all_boots == pytest.approx([100.0] * 6, abs=0.2)
    assert found.boot_fails == pytest.approx(2 / 8)
    fates = Fates(found, seed=1)
    sizes = (NodeSize("other", "t", "t", "t", 1, 1.0, 1.0, 1.0, 0.1),) * 50
    ups = [fates.of(size).up for size in sizes]
    assert {round(up) for up in ups if up is not None} == {100}
    assert 0 < ups.count(None) < 30


def test_a_node_is_seen_up_half_a_poll_late_on_average(tmp_path: Path) -> None:
    lives = [(1000.0 * number, 100.0, 1000.0 * number + 900) for number in range(1, 7)]
    found = assumed_from_history(history(tmp_path, lives), polls=60.0)
    assert found.boots["small"] == pytest.approx([70.0] * 6, abs=0.2)
