"""Accounts of budgets that Slurm does not know: one line each, with the nearest."""

from __future__ import annotations

from pathlib import Path

import pytest

from arvnodeman.fleet.values.budgets import Budget, Period
from arvnodeman.slurm.budgeted import unknown_accounts

BUDGETS = (
    Budget("a", 1.0, Period.MONTH, accounts=("physics", "Astro")),
    Budget("b", 1.0, Period.MONTH, accounts=("phyiscs",)),
    Budget("c", 1.0, Period.MONTH),
)


def sacctmgr(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    program = folder / "sacctmgr"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def test_the_nearest_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sacctmgr(tmp_path, "printf 'root\\nphysics\\nastro\\n'", monkeypatch)
    assert unknown_accounts(BUDGETS) == [
        "[Budget b] accounts: Slurm knows no account 'phyiscs'; the nearest is physics"
    ]


@pytest.mark.parametrize("script", ["exit 1", "exit 0", "echo 'sacctmgr: error' >&2; exit 1", "sleep 60"])
def test_a_slurm_that_keeps_none_or_does_not_answer_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    sacctmgr(tmp_path, script, monkeypatch)
    assert unknown_accounts(BUDGETS, timeout=0.5) == []


def test_without_slurm_or_accounts_nothing_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert unknown_accounts(BUDGETS) == []
    assert unknown_accounts(BUDGETS[2:]) == []
