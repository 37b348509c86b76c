"""The backend of Slurm: what it does with what scontrol says, on a clock of the test's."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from arvnodeman.leader.claimant import Claimant
from arvnodeman.leader.port import Hold, Holder, NotTheLeader, StoreAway
from arvnodeman.leader.slurm import SlurmLeadership

TTL = 60.0
HERE, THERE = "Slurmctld(primary) at here is UP\n", "Slurmctld(primary) at there is UP\n"
STANDBY = "slurm_load_ctl_conf error: Slurm backup controller in standby mode"


class Stage:
    """scontrol says what `says` has; `now` is the steady clock."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.now = 1000.0
        program = folder / "scontrol"
        program.write_text(f'#!/bin/sh\ncat {folder}/said\ncat {folder}/error >&2\nexit "$(cat {folder}/code)"\n')
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
        self.says(HERE)

    def says(self, text: str, error: str = "") -> None:
        for name, content in (("said", text), ("error", error), ("code", "1" if error else "0")):
            (self.folder / name).write_text(content)

    def process(self, domain: str = "boot:1") -> SlurmLeadership:
        claimant = Claimant("here:1", domain, "t")
        note = self.folder / "leader.json"
        return SlurmLeadership("here", claimant, ttl=TTL, timeout=20.0, note=note, clock=lambda: self.now)

    def leading(self) -> tuple[SlurmLeadership, Hold]:
        made = self.process()
        assert made.take() is None
        hold = self.wait(made, TTL)
        assert hold is not None
        return made, hold

    def wait(self, made: SlurmLeadership, seconds: float) -> Hold | None:
        """Ask every ten seconds; what the last one said."""
        hold = None
        for _ in range(int(seconds / 10)):
            self.now += 10
            hold = made.take()
        return hold


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    return Stage(tmp_path, monkeypatch)


def test_the_lead_is_taken_after_a_ttl_without_a_gap(stage: Stage) -> None:
    made = stage.process()
    assert made.take() is None
    assert stage.wait(made, 50) is None
    stage.says("", STANDBY)
    stage.now += 5
    with pytest.raises(StoreAway, match="standby"):
        made.take()
    stage.says(HERE)
    assert stage.wait(made, 60) is None
    hold = stage.wait(made, 10)
    assert hold is not None
    assert abs(hold.generation - time.time()) < 1000
    assert made.who() == Holder("here:1", hold.generation)


def test_who_looks_too_rarely_has_not_seen_it_last(stage: Stage) -> None:
    made = stage.process()
    assert made.take() is None
    stage.now += 10 * TTL
    assert made.take() is None
    assert stage.wait(made, TTL) is not None


def test_it_holds_on_while_its_slurmctld_acts(stage: Stage) -> None:
    made, hold = stage.leading()
    stage.now += 20
    assert made.hold() == Hold(hold.generation, stage.now)
    stage.says("", STANDBY)
    with pytest.raises(StoreAway):
        made.hold()
    stage.says(HERE)
    stage.now += 20
    assert made.hold().generation == hold.generation
    stage.says(THERE)
    with pytest.raises(NotTheLeader, match="slurmctld of there acts, and this host is here"):
        made.hold()
    stage.says(HERE)
    with pytest.raises(NotTheLeader):
        made.hold()
    assert made.who() is None
    stage.says(THERE)
    assert made.who() == Holder("there", 0)


def test_a_hold_that_is_too_old_is_over_whoever_acts_now(stage: Stage) -> None:
    """slurmctld and this process may have stood still together, and others have led meanwhile."""
    made, hold = stage.leading()
    stage.now += TTL
    with pytest.raises(NotTheLeader, match="older than 60 s"):
        made.hold()
    assert made.take() is None
    stage.now += 1
    again = stage.wait(made, TTL + 10)
    assert again is not None
    assert again.generation > hold.generation


def test_the_next_process_of_the_host_goes_on_within_a_ttl(stage: Stage) -> None:
    _, hold = stage.leading()
    stage.now += TTL - 1
    following = stage.process().take()
    assert following is not None
    assert following.generation > hold.generation


@pytest.mark.parametrize("note", ["", "{", "[]", '{"domain": "boot:1"}', '{"domain": "boot:1", "generation": []}'])
def test_a_note_that_is_no_note_is_as_none(stage: Stage, note: str) -> None:
    (stage.folder / "leader.json").write_text(note)
    assert stage.process().take() is None


def test_a_note_of_another_boot_or_an_old_one_is_none(stage: Stage) -> None:
    stage.leading()
    assert stage.process("boot:2").take() is None
    assert stage.process("").take() is None
    stage.now += TTL
    assert stage.process().take() is None
    words = json.loads((stage.folder / "leader.json").read_text())
    assert words["began"] < stage.now


def test_the_generation_is_above_all_that_is_known(stage: Stage) -> None:
    made = stage.process()
    assert made.take() is None
    for _ in range(5):
        stage.now += 10
        assert made.take(at_least=9_000_000_000) is None
    stage.now += 10
    hold = made.take(at_least=9_000_000_000)
    assert hold is not None
    assert hold.generation == 9_000_000_001


@pytest.mark.parametrize(
    ("said", "error", "expected"),
    [
        ("", "scontrol: error: Socket timed out on send/recv operation", "Socket timed out"),
        ("no word of it\n", "", "does not say which slurmctld is up"),
        ("Slurmctld(primary) at here is DOWN\n", "", "does not say which slurmctld is up"),
    ],
)
def test_an_answer_that_tells_nothing_is_a_store_that_is_away(
    stage: Stage, said: str, error: str, expected: str
) -> None:
    stage.says(said, error)
    with pytest.raises(StoreAway, match=expected):
        stage.process().take()


def test_without_scontrol_the_store_is_away(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(StoreAway, match="not installed"):
        stage.process().who()
