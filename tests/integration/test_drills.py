"""What may go wrong inside the real daemon, and how it ends then: row by row as in `make drills`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from drill_book import DRILLS, Drill, Outcome, play

from arvnodeman.sandbox.process import SiteProcess
from arvnodeman.version import __version__

ALWAYS = ("socket", "brain", "watchdog-hangs", "exception")  # a way to end each; the others are for `make proofs`


@pytest.fixture(scope="module")
def site() -> Iterator[SiteProcess]:
    with SiteProcess(speed=50) as site:
        yield site


@pytest.mark.parametrize(
    "drill",
    [pytest.param(each, id=each.name, marks=[] if each.name in ALWAYS else pytest.mark.long) for each in DRILLS],
)
def test_a_drill(drill: Drill, site: SiteProcess, tmp_path: Path) -> None:
    """Rows L1, L3, L5, L7, N9: it ends, by itself, with its children, says why, and the next start knows."""
    if drill.needs_root and os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    outcome = play(drill, site, tmp_path)
    assert (outcome.code, outcome.left) == (drill.code, []), outcome.log
    assert drill.says in outcome.said
    assert drill.subject.partition(":")[0] in outcome.said
    if drill.cause:
        check_last_words(drill, outcome)
    else:
        assert outcome.words == {}
    if drill.code == 1:
        assert outcome.stacks.startswith("Timeout")
        assert "most recent call first" in outcome.stacks


def check_last_words(drill: Drill, outcome: Outcome) -> None:
    words = outcome.words
    assert words["cause"] == drill.cause
    assert drill.subject in str(words["subject"])
    assert words["version"] == __version__
    if not drill.at_start:  # then some have begun, and some have not
        assert set(words["polls"]) == {"cloud", "records", "queue"}  # type: ignore[call-overload]
    assert "Timer" in str(words["stacks"])
    assert "words" in str(words["actors"])
    assert isinstance(words["operations"], list)
    assert isinstance(words["decisions"], list)
    if drill.name not in ("log-locked", "disk-full"):
        assert "killing Node Manager" in outcome.log or "Watchdog exception" in outcome.log
        assert f"Last words: {drill.cause}" in outcome.log
