"""The same history gives the same commands: a journal, played to a fresh Fleet."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from journal_doubles import LONG, POLICY, journalled, lively_site

from arvnodeman.fleet.fleet import Fleet
from arvnodeman.fleet.messages import Tick
from arvnodeman.journal.reader import NoJournal
from arvnodeman.journal.replay import Replay, main, replay, words
from arvnodeman.journal.writer import Journal, files_of
from arvnodeman.loop.watched import WatchedBrain


@pytest.mark.parametrize("names", [False, True], ids=["arvados", "names"])
@pytest.mark.parametrize("seed", range(3))
def test_a_fresh_fleet_gives_the_same_commands(tmp_path: Path, seed: int, names: bool) -> None:
    """Two runs of the daemon: each begins with a Fleet that knows nothing."""
    run = lively_site(seed, names=names)
    journalled(tmp_path, run, 0.5)
    journalled(tmp_path, run, 2.0)
    outcome = Replay().play(files_of(tmp_path / "journal"))
    assert outcome.differences == []
    assert outcome.runs == 2
    assert outcome.compared == outcome.events > 300
    assert outcome.steps > 50
    assert not outcome.passed_over


def test_and_also_in_another_process_with_other_hashes(tmp_path: Path) -> None:
    """Nothing hangs on the order of a set."""
    journalled(tmp_path, lively_site(7), 1.0)
    for seed in ("1", "2"):
        subprocess.run(
            [sys.executable, "-m", "arvnodeman.journal.replay", str(tmp_path / "journal")],
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
            timeout=60,
        )


def test_a_run_goes_on_over_its_files(tmp_path: Path) -> None:
    journalled(tmp_path, lively_site(2), 1.0, file_bytes=4000)
    files = files_of(tmp_path / "journal")
    assert len(files) > 2
    outcome = Replay().play(files)
    assert (outcome.runs, outcome.differences) == (1, [])
    assert outcome.compared == outcome.events


def test_without_its_beginning_a_history_is_played_and_not_compared(tmp_path: Path) -> None:
    journalled(tmp_path, lively_site(2), 1.0, file_bytes=4000)
    outcome = Replay().play(files_of(tmp_path / "journal")[1:])
    assert outcome.events > 50
    assert outcome.compared == 0
    assert not outcome.same


def test_a_run_that_was_killed_before_its_first_line_is_passed_over(tmp_path: Path) -> None:
    for _ in range(2):
        journalled(tmp_path, lively_site(2), 0.3)
    first, second = files_of(tmp_path / "journal")
    for packed in (b"", first.read_bytes()[:9]):
        first.write_bytes(packed)
        outcome = Replay().play([first, second])
        assert outcome.runs == 1
        assert outcome.same
        assert outcome.passed_over == {"a file that ends before its first line does": 1}


def test_another_brain_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journalled(tmp_path, lively_site(3), 1.0)
    monkeypatch.setattr("arvnodeman.fleet.decide.planning.carry_out", lambda *_: None)
    outcome = Replay().play(files_of(tmp_path / "journal"))
    assert outcome.differences
    assert outcome.differences[0].event == "RecordsListed"
    assert not outcome.same


def test_the_command_says_what_came_of_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    journalled(tmp_path, lively_site(3), 0.5)
    assert main(["--steps", str(tmp_path / "journal")]) == 0
    out, err = capsys.readouterr()
    assert '"@":"PrepareRecord"' in out
    assert " compared, 0 other than then" in err
    assert main([str(tmp_path / "nowhere")]) == 2


def test_a_brain_with_a_journal_is_the_brain(tmp_path: Path) -> None:
    fleet = Fleet(POLICY, 1.0)
    brain = WatchedBrain(fleet, Journal(tmp_path, POLICY, 1.0).note)
    assert brain.handle(Tick(), 2.0) == Fleet(POLICY, 1.0).handle(Tick(), 2.0)
    assert brain.view is fleet.view
    assert brain.next_wakeup() == fleet.next_wakeup()
    assert brain.boots_at_the_cloud == 0


def test_the_event_that_the_brain_dies_of_is_noted_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fleet, journal = Fleet(POLICY, 1.0), Journal(tmp_path, POLICY, 1.0)

    def die(_event: object, _now: float) -> None:
        raise KeyError("nobody foresaw it")

    monkeypatch.setattr(fleet, "handle", die)
    with pytest.raises(KeyError):
        WatchedBrain(fleet, journal.note).handle(Tick(), 2.0)
    journal.start()
    journal.stop(LONG)
    outcome = Replay().play(files_of(tmp_path / "journal"))
    assert outcome.events == 1


def test_folders_are_played_and_what_was_commanded_then_is_learnt_from_later_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journalled(tmp_path, lively_site(3), 1.0)
    outcome = replay([tmp_path / "journal"])
    assert outcome.same
    assert words(outcome) == [
        f"{outcome.events} events of 1 runs and {outcome.seconds:.0f} s, {outcome.steps} steps; "
        f"{outcome.compared} compared, 0 other than then"
    ]
    monkeypatch.setattr("arvnodeman.fleet.decide.planning.carry_out", lambda *_: None)
    other = replay([tmp_path / "journal"])
    first = other.differences[0]
    assert len(first.then) == first.were > len(first.steps)
    assert all('"@":"' in step and step not in first.steps for step in first.then)
    told = words(other)
    assert f"at {first.at!r}: {first.were} steps then: " in told[0]
    assert "; now 0: " in told[0]
    assert told[-1].endswith(f"{len(other.differences)} other than then")
    assert len(told) <= 11 + len(other.passed_over)


def test_a_folder_without_a_journal_is_none(tmp_path: Path) -> None:
    with pytest.raises(NoJournal, match="no file of a journal is in it"):
        replay([tmp_path])
    assert main([str(tmp_path)]) == 2
