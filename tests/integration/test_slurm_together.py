"""Many nodes by one command of a real Slurm, and of the sandbox's double of it: each has its own answer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from slurm_stage import need_slurm

from arvnodeman.fleet.values.model import BootIntent
from arvnodeman.records.marks import NameMark, mark_of_boot, mark_of_node, read_mark
from arvnodeman.sandbox.process import SiteProcess
from arvnodeman.sandbox.real_slurm import PrivateSlurm
from arvnodeman.sandbox.real_slurm_conf import Shape
from arvnodeman.slurm import many
from arvnodeman.slurm.errors import Refused, UnknownNode
from arvnodeman.slurm.keeping import NameNote, NamesInSlurm

NAMES = [f"compute{number}" for number in range(1, 41)]
REASONS = {name: f"Node Manager shutdown (i-{name})" for name in NAMES}


@pytest.fixture(params=["real", "double"])
def slurm(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[NamesInSlurm]:
    """A Slurm with the names, none of which is up; no change may be asked for by a process of its own."""
    if request.param == "real":
        need_slurm()
    site = PrivateSlurm(Shape(nodes=len(NAMES))) if request.param == "real" else SiteProcess(slots=len(NAMES))
    with site:
        for name, value in site.environment().items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(many.ManyNodes, "_change_each", None)
        yield NamesInSlurm()


def test_changes_of_many_nodes_are_made_by_one_command_and_answered_one_by_one(slurm: NamesInSlurm) -> None:
    failures = slurm.drain_all({"nosuch": "why", **REASONS, "compute0": "why"})
    assert {name: type(failure) for name, failure in failures.items()} == {"nosuch": UnknownNode, "compute0": Refused}
    seen = slurm.observe_all(dict.fromkeys([*NAMES, "nosuch"], True))
    nodes = {name: row[0] for name, row in seen.items() if isinstance(row, tuple)}
    assert nodes.pop("nosuch") is None
    assert {name: (node.state.said, node.reason) for name, node in nodes.items() if node is not None} == {
        name: ("drain", reason) for name, reason in REASONS.items()
    }
    assert {row[1] for name, row in seen.items() if isinstance(row, tuple) and name != "nosuch"} == {0}
    assert slurm.set_down_all(REASONS) == {}
    assert {node.base for name, node in slurm.shown_nodes([*NAMES, "nosuch"]).items() if name in REASONS} == {"DOWN"}
    assert list(slurm.resume_all([*NAMES, "nosuch"])) == ["nosuch"]
    assert not any("DRAIN" in node.flags for node in slurm.shown_nodes(NAMES).values())


def test_notes_on_many_names_are_read_as_they_were_written(slurm: NamesInSlurm) -> None:
    """scontrol keeps the quotation marks that hold a Comment together, and takes those of a Reason off."""
    intents = {name: BootIntent("small", 0.05, f"1a2b-{name}", 1_700_000_000.25) for name in NAMES[:20]}
    notes = [NameNote(name, mark_of_boot(intent)) for name, intent in intents.items()]
    notes += [NameNote(name, mark_of_node(f"i-{name}"), "127.0.0.1") for name in NAMES[20:]]
    assert slurm.note_all(notes) == {}
    shown = slurm.shown_nodes(NAMES)
    marks = {name: read_mark(shown[name].comment) for name in NAMES}
    assert marks == {name: NameMark(intent=intent) for name, intent in intents.items()} | {
        name: NameMark(instance_id=f"i-{name}") for name in NAMES[20:]
    }
    assert {shown[name].address for name in NAMES[20:]} == {"127.0.0.1"}
    assert slurm.note_all([NameNote(name, "", "192.0.2.1") for name in NAMES]) == {}
    freed = {(node.comment, node.address) for node in slurm.shown_nodes(NAMES).values()}
    assert freed == {("", "192.0.2.1")}
