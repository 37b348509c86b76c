"""The lease of nodes as it is written into Slurm: by one command for many, and never over a note of somebody else's."""

from __future__ import annotations

import logging

import pytest

from arvnodeman.slurm import nodes
from arvnodeman.slurm.keeping import NamesInSlurm
from arvnodeman.slurm.run import Output


class Slurm:
    """What scontrol shows, and what it was told."""

    def __init__(self, **extras: str) -> None:
        self.extras = extras
        self.updates: list[list[str]] = []

    def run(self, argv: list[str], **_more: object) -> Output:
        if "show" in argv:
            blocks = (f"NodeName={name} \n   State=IDLE\n   Extra={extra}\n\n" for name, extra in self.extras.items())
            return Output("".join(blocks), "", 0)
        self.updates.append(argv[2:])
        gone = "slurm_update error: Invalid node name specified" if "gone" in argv[2] else ""
        return Output("", gone, int(bool(gone)))


def renew(slurm: Slurm, *names: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nodes, "run", slurm.run)
    NamesInSlurm().renew_leases(names, "17")


def test_many_are_one_command_and_one_that_is_not_known_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    slurm = Slurm(**{f"c{number}": "" for number in range(700)})
    renew(slurm, *slurm.extras, "lost", monkeypatch=monkeypatch)
    assert [len(names.split(",")) for names, _ in slurm.updates] == [500, 200]
    assert {word for _, word in slurm.updates} == {"Extra=node-manager-lease:17"}


def test_a_name_that_goes_meanwhile_costs_the_others_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    slurm = Slurm(a="node-manager-lease:16", gone="")
    renew(slurm, "a", "gone", monkeypatch=monkeypatch)
    assert slurm.updates == [["NodeName=a,gone", "Extra=node-manager-lease:17"]]


def test_what_somebody_else_has_noted_stays(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    slurm = Slurm(a="(null)", b="rack=7")
    with caplog.at_level(logging.WARNING):
        renew(slurm, "a", "b", monkeypatch=monkeypatch)
    assert slurm.updates == [["NodeName=a", "Extra=node-manager-lease:17"]]
    assert "the lease of 1 nodes cannot be renewed: their Extra is somebody else's, 'rack=7' on b" in caplog.text


def test_where_there_is_nobody_nothing_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    slurm = Slurm(b="rack=7")
    renew(slurm, "b", "lost", monkeypatch=monkeypatch)
    assert slurm.updates == []


def test_a_name_that_is_never_ours_and_a_list_that_is_no_name_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    slurm = Slurm(compute0="", c1="", c2="")
    renew(slurm, "compute0", "c[1-2]", monkeypatch=monkeypatch)
    assert slurm.updates == []
