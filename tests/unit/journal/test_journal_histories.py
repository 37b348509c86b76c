"""Histories of the demo, kept: any later build can be told them, and keeps its first promise on them.

What it decides may be other than then, and is not held here: `python -m arvnodeman.journal.replay` tells what differs.
They were recorded by `arvados-node-manager demo --seed 5 --keep FOLDER` with `--records arvados`, `--records slurm` and
`--cloud ec2`; a history with events that are not understood any more is to be recorded anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from arvnodeman.fleet.messages import (
    Command,
    CreateNode,
    DestroyNode,
    LookAtNode,
    NodeSeen,
    RecordsListed,
    StepDone,
)
from arvnodeman.journal.reader import Told
from arvnodeman.journal.replay import Replay

HISTORIES = sorted((Path(__file__).parent / "histories").glob("*.gz"))
AT_WORK = {"alloc", "mix", "comp"}


class Promise:
    """No node that Slurm calls working is destroyed: Slurm's newest word on each name, and what is destroyed."""

    def __init__(self) -> None:
        self.words: dict[str, str] = {}
        self.names: dict[str, str] = {}  # by the id of the cloud node
        self.steps: list[str] = []
        self.broken: list[str] = []

    def hear(self, told: Told, commands: Sequence[Command]) -> None:
        match told.event:
            case RecordsListed(records=records, slurm=slurm):
                self.words = {name: node.state for name, node in (slurm or {}).items()}
                self.names |= {
                    each.instance_id: each.hostname for each in records if each.instance_id and each.hostname
                }
            case StepDone(step=LookAtNode(hostname=name), result=NodeSeen(node=node)):
                self.words[name] = "gone" if node is None else node.state
        for command in commands:
            self.steps.append(type(command).__name__)
            if isinstance(command, DestroyNode):
                name = self.names.get(command.node.report_id, "")
                if self.words.get(name) in AT_WORK:
                    self.broken.append(f"{command.node.id} ({name}: {self.words[name]})")


def test_there_are_histories() -> None:
    assert [path.name for path in HISTORIES] == ["arvados.jsonl.gz", "ec2.jsonl.gz", "slurm.jsonl.gz"]
    assert all(path.stat().st_size < 200_000 for path in HISTORIES)


@pytest.mark.parametrize("path", HISTORIES, ids=[path.name.partition(".")[0] for path in HISTORIES])
def test_a_history_is_understood_and_no_working_node_is_destroyed(path: Path) -> None:
    promise = Promise()
    outcome = Replay(promise.hear).play([path])
    assert outcome.compared == outcome.events > 400, outcome.passed_over
    assert promise.steps.count(CreateNode.__name__) > 10
    assert promise.broken == []
