"""The page reads fields that answers have: a field that is renamed here and not there is found without a browser."""

from __future__ import annotations

import re

import pytest
from msgspec import Struct, structs

from arvnodeman.fleet.values.model import NodeState
from arvnodeman.manage import answers, answers_for_monitoring, answers_of_history, changes
from arvnodeman.manage.answers import (
    DecisionShown,
    JobShown,
    NodeShown,
    OperationShown,
    PollShown,
    SizeShown,
    StatusShown,
)
from arvnodeman.manage.answers_of_findings import FindingShown
from arvnodeman.manage.answers_of_history import HistoryShown, LinesShown
from arvnodeman.manage.page import joined

SCRIPT = joined().partition("<script")[2]
# What the page calls a value that it has from an answer.
NAMES: dict[str, tuple[type[Struct], ...]] = {
    "node": (NodeShown,),
    "job": (JobShown,),
    "size": (SizeShown,),
    "status": (StatusShown,),
    "poll": (PollShown,),
    "boot": (OperationShown,),
    "finding": (FindingShown,),
    "change": (changes.ChangeShown,),
    "each": (OperationShown, DecisionShown, NodeShown),
}
OWN = {"node": {"coming"}, "each": {"join", "run"}}  # the page's own, and a method of lists
TAKEN_APART: dict[str, type[Struct]] = {"status": StatusShown, "known.history": HistoryShown}
KINDS = [
    kind
    for module in (answers, changes, answers_of_history, answers_for_monitoring)
    for kind in vars(module).values()
    if isinstance(kind, type) and issubclass(kind, Struct)
]


def fields(*kinds: type[Struct]) -> set[str]:
    return {field.encode_name for kind in kinds for field in structs.fields(kind)}


def unknown(script: str) -> set[str]:
    """Fields that the script reads, and no answer has."""
    wrong = set()
    for name, kinds in NAMES.items():
        read = set(re.findall(rf"(?<![\w.]){name}\??\.(\w+)", script))
        wrong |= {f"{name}.{field}" for field in read - fields(*kinds) - OWN.get(name, set())}
    for taken, value in re.findall(r"const \{([^}]*)\} = ([\w.]+)", script):
        if value in TAKEN_APART:
            names = {part.partition(":")[0].strip() for part in taken.split(",")}
            wrong |= {f"{value}.{field}" for field in names - fields(TAKEN_APART[value])}
        if value == "status.nodes":
            wrong |= {f"{value}.{name.strip()}" for name in taken.split(",")} - {f"{value}.{one}" for one in NodeState}
    everything = fields(*KINDS)
    return wrong | {field for field in re.findall(r"\.([a-z]+_\w+)\b", script) if field not in everything}


def test_the_page_reads_fields_that_there_are() -> None:
    assert not unknown(SCRIPT)
    for name in (*NAMES, *(name.replace(".", r"\.") for name in TAKEN_APART)):
        assert len(re.findall(rf"(?<![\w.]){name}\b", SCRIPT)) > 2, f"the page calls nothing {name}: look what it does"
    shown = re.findall(r'\["(\w+)"', SCRIPT[SCRIPT.index("const states = [[") :][:400])
    assert set(shown) <= set(LinesShown.__struct_fields__)
    assert len(shown) > 3


@pytest.mark.parametrize(
    ("script", "wrong"),
    [
        ("called(node.hostname, node?.nick)", {"node.nick"}),
        ("const {jobs_waiting: waiting, jobs_lost} = status", {"status.jobs_lost"}),
        ("const {busy, lazy} = status.nodes", {"status.nodes.lazy"}),
        ("const {since, queues} = known.history", {"known.history.queues"}),
        ("spoken.until_minutes", {"until_minutes"}),
        ("answer.cost_per_hour, job.why, element.className", set()),
    ],
)
def test_a_field_that_there_is_not_is_found(script: str, wrong: set[str]) -> None:
    assert unknown(script) == wrong
