"""doc/first-hour.md has the commands of the walks that are played, and what each has to say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hour_page import HEAD, commands_in, parts_of, write_page
from walks import WALKS

PAGE = Path(__file__).resolve().parents[2] / "doc" / "first-hour.md"


@pytest.mark.parametrize("setup", WALKS)
def test_the_page_has_the_commands_of_the_walk_and_no_others(setup: str) -> None:
    shown = parts_of(PAGE.read_text(encoding="utf-8"))[setup]
    assert commands_in(shown) == [step.command for step in WALKS[setup].steps], 'make proofs ARGS="first-hour --page"'


@pytest.mark.parametrize("setup", WALKS)
def test_what_was_seen_is_what_has_to_come(setup: str) -> None:
    shown = parts_of(PAGE.read_text(encoding="utf-8"))[setup]
    for step in WALKS[setup].steps:
        if step.shown and step.expects:
            assert re.search(step.expects, shown, re.MULTILINE), step.command


def test_the_page_begins_as_it_is_written() -> None:
    assert PAGE.read_text(encoding="utf-8").startswith(HEAD)


def test_one_walk_is_written_anew_and_the_others_stay(tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    for setup, walk in WALKS.items():
        write_page(path, setup, [f"seen of {setup}\n" for _ in walk.steps])
    write_page(path, "slurm", ["seen again" for _ in WALKS["slurm"].steps])
    parts = parts_of(path.read_text(encoding="utf-8"))
    assert list(parts) == list(WALKS)
    assert "seen again" in parts["slurm"]
    assert "seen of slurm-cloud" in parts["slurm-cloud"]
    assert commands_in(parts["slurm"]) == [step.command for step in WALKS["slurm"].steps]
