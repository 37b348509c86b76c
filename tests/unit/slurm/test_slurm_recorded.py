"""What Slurm 22.05, 24.11 and 26.05 really said of nodes in every state, and what they refused, as we read it.

recorded/VERSION.txt was written by tests/slurm_recorder.py, on private Slurms.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from squeue_lines import parse_sinfo

from arvnodeman.fleet.values.work import NodeWork
from arvnodeman.slurm.errors import ControllerAway, NotNeeded, Refused, SlurmFailure, UnknownNode, failure_of
from arvnodeman.slurm.show import ShownNode, parse_nodes

FOLDER = Path(__file__).parent / "recorded"
VERSIONS = ("22.05", "24.11", "26.05")
SHUTDOWN, REMOVAL = "Node Manager shutdown (i-1)", "Node Manager removal (i-1)"


@dataclass(frozen=True)
class Said:
    """A command and its answer."""

    command: str
    text: str
    code: int


def parts(version: str) -> dict[str, list[Said]]:
    """What was recorded: of each part, the commands."""
    found: dict[str, list[Said]] = {"": []}
    part = ""
    command = ""
    lines: list[str] = []

    def close(code: int = 0) -> None:
        nonlocal command
        if command:
            found[part].append(Said(command, "".join(f"{line}\n" for line in lines), code))
        command = ""
        lines.clear()

    for line in (FOLDER / f"{version}.txt").read_text(encoding="utf-8").split("\n")[:-1]:
        if line.startswith("== "):
            close()
            part = line.removeprefix("== ")
            found[part] = []
        elif line.startswith("$ "):
            close()
            command = line.removeprefix("$ ")
        elif line.startswith("rc "):
            close(int(line.removeprefix("rc ")))
        else:
            lines.append(line)
    close()
    return found


def nodes(version: str, part: str) -> tuple[NodeWork, ShownNode]:
    """One node, as read of sinfo and of scontrol."""
    sinfo, scontrol = parts(version)[part]
    ((one,), malformed), ((other,), strange) = (
        (tuple(found.values()), bad) for found, bad in (parse_sinfo(sinfo.text), parse_nodes(scontrol.text))
    )
    assert isinstance(one, NodeWork)
    assert isinstance(other, ShownNode)
    assert (malformed, strange, one.name) == ([], [], other.name)
    return one, other


def refusal(version: str, command: str, part: str = "refusals") -> SlurmFailure | None:
    """What a command of the record failed with, the first of that name."""
    said = next(said for said in parts(version)[part] if said.command == command)
    if not said.code:
        return None
    return failure_of(command.split()[0], said.code, said.text, "")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("part", "state", "responding", "works", "reason"),
    [
        ("never seen", "unk", True, False, ""),
        ("never seen, after a while", "unk", False, False, ""),
        ("idle", "idle", True, False, ""),
        ("a job that has the node to itself", "alloc", True, True, ""),
        ("a job on a part", "mix", True, True, ""),
        ("DRAIN with a job on a part", "drng", True, True, SHUTDOWN),
        ("DRAIN without a job", "drain", True, False, SHUTDOWN),
        ("resumed after DRAIN", "idle", True, False, ""),
        ("FAIL without a job", "fail", True, False, SHUTDOWN),
        ("resumed after FAIL", "idle", True, False, ""),
        ("reserved, maint,ignore_jobs", "maint", True, False, ""),
        ("reserved, ignore_jobs", "resv", True, False, ""),
        ("reboot is asked for, with a job", "drng", True, True, "new kernel"),
        ("reboot has begun, after a while", "boot", True, False, "new kernel : reboot issued"),
        ("reboot has begun, slurmd is away", "boot", True, False, "new kernel : reboot issued"),
        ("after the reboot", "idle", True, False, ""),
        ("DRAIN, slurmd dead", "drain", False, False, SHUTDOWN),
        ("DRAIN, slurmd dead for long", "drain", False, False, SHUTDOWN),
        ("slurmd dead", "down", False, False, "Not responding"),
        ("slurmd dead, had a job", "down", False, False, "Not responding"),
        ("slurmd dead, had been drained and resumed", "down", False, False, "Not responding"),
        ("DOWN after DRAIN, slurmd dead", "drain", False, False, REMOVAL),
        ("DOWN, slurmd dead", "down", False, False, REMOVAL),
        ("DOWN, slurmd dead for long", "down", False, False, REMOVAL),
        ("resumed, slurmd dead", "idle", False, False, ""),
        ("resumed, slurmd dead for long", "down", False, False, "Not responding"),
        ("slurmd is back after DOWN", "idle", True, False, ""),
    ],
)
def test_a_node_is_the_same_to_us_whatever_the_version(
    version: str, part: str, state: str, responding: bool, works: bool, reason: str
) -> None:
    """24.11 keeps reasons for good, and it and 26.05 add what befell the node: ours stays ours."""
    one, other = nodes(version, part)
    assert (one.state.said, one.responding, one.reason) == (state, responding, reason)
    assert (other.works, other.responds, other.reason) == (works, responding, reason)
    assert (other.reason_at is None) == (not reason)


@pytest.mark.parametrize("version", VERSIONS)
def test_jobs_that_the_state_may_hide(version: str) -> None:
    """A suspended job on a drained node, a running one on a failed node: either the state tells, or it is one of those
    for which squeue is asked."""
    suspended, _ = nodes(version, "DRAIN with a suspended job")
    assert suspended.state.said == ("drain" if version == "22.05" else "drng")
    failed, shown = nodes(version, "FAIL with a job on a part")
    assert failed.state.said == ("failg" if version == "26.05" else "fail")
    assert shown.works


@pytest.mark.parametrize("version", VERSIONS)
def test_what_was_added_to_the_reason_of_a_drain_is_in_the_record(version: str) -> None:
    """The control: the answers differ, and not only what is made of them."""
    added = "Not responding" in parts(version)["DRAIN, slurmd dead for long"][0].text
    kept = SHUTDOWN in parts(version)["resumed after DRAIN"][0].text
    assert (added, kept) == {"22.05": (False, False), "24.11": (True, True), "26.05": (True, False)}[version]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("command", "kind"),
    [
        ("scontrol update NodeName=compute1 State=RESUME", NotNeeded),
        ("scontrol update NodeName=compute9 State=RESUME", NotNeeded),
        ("scontrol update NodeName=compute1 State=DRAIN", Refused),
        ("scontrol update NodeName=nope Weight=1", UnknownNode),
        ("scontrol update NodeName=compute1,nope State=DRAIN Reason=a test", UnknownNode),
        ("scontrol --all show node nope", UnknownNode),
        ("squeue --all --noheader --format=%i -w nope", UnknownNode),
        ("scontrol update JobId=999 AdminComment=x", Refused),
        ("scancel 999", None),
    ],
)
def test_refusals(version: str, command: str, kind: type[SlurmFailure] | None) -> None:
    """Row F5; 26.05 has another text for it."""
    failure = refusal(version, command)
    assert (type(failure) if failure is not None else None) is kind


@pytest.mark.parametrize("version", VERSIONS)
def test_without_slurmctld(version: str) -> None:
    said = parts(version)["slurmctld is away"]
    assert len(said) == 4
    for each in said:
        assert type(failure_of(each.command.split()[0], each.code, each.text, "")) is ControllerAway
