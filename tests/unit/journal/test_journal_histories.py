"""Histories that an earlier build lived through: told again, this one decides the same, but for what is wanted.

What they are of is told in histories/README.md, and which differences are wanted in doc/rooms/journal.md. One with
events that are not understood any more is no use: see arvnodeman/journal/wire.py for renamed classes and fields.
"""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
from simulation.before_marks import ReplayBeforeMarks
from simulation.resum import files_at, resum
from wanted import PAGE, Wanted, judge, wanted_of

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
from arvnodeman.journal.replay import Outcome

FOLDER = Path(__file__).parent / "histories"
CASES = sorted((FOLDER / "cases").glob("*.gz"))
SITES = sorted(path for path in FOLDER.iterdir() if path.suffix == ".gz" or (path.is_dir() and path.name != "cases"))
TABLE = wanted_of(PAGE.read_text())
AT_WORK = {"alloc", "mix", "comp"}
MOST_BYTES = 3_000_000  # of all together
MANY_NODES = ("thousand-nodes",)  # takes as long as ten others


def name_of(path: Path) -> str:
    return path.name.partition(".")[0]


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
                self.words = {name: node.state.said for name, node in (slurm or {}).items()}
                self.names |= {
                    each.instance_id: each.hostname for each in records if each.instance_id and each.hostname
                }
            case StepDone(step=LookAtNode(hostname=name), result=NodeSeen(node=node)):
                self.words[name] = "gone" if node is None else node.state.said
        for command in commands:
            self.steps.append(type(command).__name__)
            if isinstance(command, DestroyNode):
                name = self.names.get(command.node.report_id, "")
                if self.words.get(name) in AT_WORK:
                    self.broken.append(f"{command.node.id} ({name}: {self.words[name]})")


def assert_decided_again(name: str, outcome: Outcome) -> None:
    """Each event is understood and compared, and what is answered otherwise is wanted."""
    assert not outcome.passed_over
    assert outcome.compared == outcome.events > 0
    unwanted, idle = judge(name, [each.number for each in outcome.differences], TABLE)
    texts = [str(each) for each in outcome.differences if each.number in unwanted]
    assert not texts, f"{len(texts)} events are answered otherwise:\n" + "\n".join(text[:1000] for text in texts[:5])
    assert not idle, f"rows of the wanted differences that name none: {idle}"


def test_there_are_histories_and_each_is_told_of() -> None:
    told = (FOLDER / "README.md").read_text()
    assert len(SITES) > 20
    assert len(CASES) > 100
    assert [name_of(path) for path in SITES if f"| `{name_of(path)}` |" not in told] == []
    names = {name_of(path) for path in (*SITES, *CASES)}
    assert [row for row in TABLE if row.history not in names] == []
    assert sum(path.stat().st_size for path in FOLDER.rglob("*.gz")) < MOST_BYTES


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, id=name_of(path), marks=[pytest.mark.long] if name_of(path) in MANY_NODES else [])
        for path in SITES
    ],
)
def test_the_same_is_decided_of_a_site(path: Path) -> None:
    outcome = ReplayBeforeMarks().play(files_at(path))
    assert_decided_again(name_of(path), outcome)
    assert outcome.steps > 100


@pytest.mark.parametrize("path", CASES, ids=map(name_of, CASES))
def test_the_same_is_decided_of_a_case(path: Path) -> None:
    assert_decided_again(name_of(path), ReplayBeforeMarks().play([path]))


@pytest.mark.parametrize("name", ["arvados", "ec2", "slurm"])
def test_no_working_node_is_destroyed(name: str) -> None:
    """Whatever else is decided."""
    promise = Promise()
    ReplayBeforeMarks(promise.hear).play([FOLDER / f"{name}.jsonl.gz"])
    assert promise.steps.count(CreateNode.__name__) > 10
    assert promise.steps.count(DestroyNode.__name__) > 10
    assert promise.broken == []


def test_what_is_not_wanted_and_what_is_wanted_in_vain_is_found() -> None:
    table = (Wanted("a", "3", "one"), Wanted("a", "7-9", "some"), Wanted("b", "*", "all"), Wanted("c", "5-", "rest"))
    assert judge("a", [3, 7, 9], table) == ([], [])
    assert judge("a", [2, 3, 10], table) == ([2, 10], ["7-9"])
    assert judge("b", [1, 99], table) == ([], [])
    assert judge("c", [4, 5, 99], table) == ([4], [])
    assert judge("d", [1], table) == ([1], [])


def test_the_table_of_the_wanted_is_read() -> None:
    table = "| history | events | why |\n|---|---|---|\n| `a` | 7- | so it is |\n"
    text = f"### Wanted differences\nWords.\n\n{table}\n## Next\n| `b` |\n"
    assert wanted_of(text) == (Wanted("a", "7-", "so it is"),)
    with pytest.raises(AssertionError, match="not a row"):
        wanted_of(text.replace("7-", "some"))


def test_checksums_are_written_anew(tmp_path: Path) -> None:
    path = tmp_path / "slurm.jsonl.gz"
    shutil.copy(FOLDER / path.name, path)
    lines = gzip.decompress(path.read_bytes()).decode().splitlines()
    spoilt = next(number for number, text in enumerate(lines) if '"s":' in text)
    lines[spoilt] = json.dumps(json.loads(lines[spoilt]) | {"s": [1, 1]})
    path.write_bytes(gzip.compress("\n".join([*lines, ""]).encode()))
    assert [each.number for each in ReplayBeforeMarks().play([path]).differences] == [spoilt]
    assert resum([path]) == 1
    assert ReplayBeforeMarks().play([path]).same
    assert resum([path]) == 0
