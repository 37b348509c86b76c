"""What jobs have cost, told to a sacctmgr of ours that answers as that of 22.05 does."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from arvnodeman.fleet.values.model import ErrorKind
from arvnodeman.money.runs import JobCost
from arvnodeman.slurm.errors import NotInstalled, Refused
from arvnodeman.slurm.keeping import NamesInSlurm

COSTS = [JobCost("7", 1.234, 2.5), JobCost("8_3", 0.0, 0.0)]


@pytest.fixture
def answering(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory in which `answer` says what sacctmgr answers; `asked` is what it was asked."""
    program = tmp_path / "sacctmgr"
    program.write_text(f"#!/bin/sh\ncat >{tmp_path}/asked\n. {tmp_path}/answer\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    return tmp_path


def slurm() -> NamesInSlurm:
    return NamesInSlurm(20.0, job_name_pattern="", numbered=True)


def test_each_job_is_one_line_of_one_command(answering: Path) -> None:
    (answering / "answer").write_text("echo ' Modified jobs...'; echo '  7 submitted at 1'; echo ' Nothing modified'\n")
    assert slurm().note_costs(COSTS) == 1
    assert (answering / "asked").read_text() == (
        'modify job where jobid=7 set AdminComment="cost $1.23, 2.50 node hours"\n'
        'modify job where jobid=8_3 set AdminComment="cost $0.00, 0.00 node hours"\n'
    )


def test_a_slurm_without_a_database_is_told_apart(answering: Path) -> None:
    said = "You are not running a supported accounting_storage plugin"
    (answering / "answer").write_text(f"echo '{said}' >&2; exit 1\n")
    with pytest.raises(NotInstalled, match="no slurmdbd") as caught:
        slurm().note_costs(COSTS)
    assert caught.value.error.kind is ErrorKind.REFUSED


def test_an_account_without_rights_is_told_so(answering: Path) -> None:
    said = "your user doesn't have privilege to perform this action"
    (answering / "answer").write_text(f'echo " Nothing modified"; echo "{said}" >&2; exit 1\n')
    with pytest.raises(Refused, match="not an operator"):
        slurm().note_costs(COSTS)


def test_what_is_no_number_of_a_job_goes_nowhere(answering: Path) -> None:
    with pytest.raises(Refused):
        slurm().note_costs([JobCost('1" set x', 1.0, 1.0)])
    assert not (answering / "asked").exists()
    assert slurm().note_costs([]) == 0
