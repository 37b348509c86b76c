"""Jobs on nodes, as squeue lists them: what 22.05 printed, and what it may."""

from __future__ import annotations

import math

import pytest

from arvnodeman.money.payers import LONGEST, Payer
from arvnodeman.money.runs import JobRun
from arvnodeman.slurm.fields import BEHIND
from arvnodeman.slurm.on_nodes import RUNS_FORMAT, read_runs


def line(**fields: str) -> str:
    told = {
        "number": "7",
        "state": "RUNNING",
        "nodes": "compute[1-2]",
        "start": "1796041942",
        "end": "1827577942",
        "limit": "1:00:00",
        "cpus": "6",
        "tres": "cpu=8,mem=4G,node=2,billing=8",
        "partition": "main",
        "user": "ann",
        "account": "physics",
        "qos": "normal",
        "comment": "(null)",
        "name": "fit",
    }
    return BEHIND.join((told | fields).values())


ONE = JobRun(
    job="7",
    payer=Payer("ann", "physics", "normal", "main"),
    hosts=("compute1", "compute2"),
    began=1796041942.0,
    ended=None,
    limit=1796041942.0 + 3600,
    cpus=4.0,
    ram=2048.0,
    number="7",
)


def read(text: str, named: str = "") -> list[JobRun]:
    found, malformed = read_runs(text, named)
    assert not malformed
    return found


def test_a_job_that_runs() -> None:
    assert read(line()) == [ONE]


@pytest.mark.parametrize("state", ["SUSPENDED", "COMPLETING", "STOPPED"])
def test_what_is_on_its_nodes_has_not_ended(state: str) -> None:
    (run,) = read(line(state=state, end="1796041999"))
    assert run.ended is None


def test_a_job_that_has_ended() -> None:
    (run,) = read(line(state="TIMEOUT", end="1796045600"))
    assert (run.began, run.ended) == (1796041942.0, 1796045600.0)


@pytest.mark.parametrize(
    ("limit", "moment"), [("UNLIMITED", math.inf), ("NOT_SET", None), ("1-00:00:00", 1796041942.0 + 86_400)]
)
def test_when_its_limit_ends(limit: str, moment: float | None) -> None:
    (run,) = read(line(limit=limit))
    assert run.limit == moment


@pytest.mark.parametrize(
    "fields",
    [
        {"state": "CANCELLED", "nodes": "", "start": "N/A"},  # while it waited
        {"state": "CANCELLED", "nodes": "(null)"},
        {"state": "FAILED", "end": "1796041942"},  # at once
    ],
)
def test_what_was_on_no_node_pays_for_none(fields: dict[str, str]) -> None:
    assert read(line(**fields)) == []


def test_a_slurm_without_accounts_tells_the_user() -> None:
    (run,) = read(line(account="(null)", qos="(null)"))
    assert run.payer == Payer("ann", "", "", "main")


def test_what_it_takes_is_known_from_numcpus_at_least() -> None:
    (run,) = read(line(tres="N/A"))
    assert (run.cpus, run.ram) == (3.0, 0.0)


def test_containers_of_arvados_go_by_their_names() -> None:
    text = "\n".join([line(name="zzzzz-dz642-000000000000001"), line(number="8")])
    assert [run.job for run in read(text, "-dz642-")] == ["zzzzz-dz642-000000000000001", "8"]
    assert [run.number for run in read(text, "-dz642-")] == ["7", "8"]


def test_a_name_may_be_anything() -> None:
    text = "\n".join([line(name="x\ny|z"), line(number="8", name=f"a{BEHIND}b"), line(number="9_3", user="é" * 200)])
    found = read(text)
    assert [run.job for run in found] == ["7", "8", "9_3"]
    assert len(found[2].payer.user) == LONGEST


def test_a_line_that_cannot_be_read_costs_only_itself() -> None:
    broken = [line(number="7; rm"), line(start="-4"), line(nodes="compute[1-")]
    found, malformed = read_runs("\n".join([*broken, line()]))
    assert found == [ONE]
    assert malformed == broken
    assert read_runs("junk\n") == ([], ["junk"])


def test_the_name_comes_last() -> None:
    assert RUNS_FORMAT.endswith(",Name:0")


@pytest.mark.parametrize(
    ("comment", "noted"),
    [
        ("(null)", False),
        ("", False),
        ("Node Manager: max_nodes", False),
        ("cost $1.00", False),
        ("ask Jane\nfirst", True),
    ],
)
def test_whether_somebody_has_written_on_it(comment: str, noted: bool) -> None:
    (run,) = read(line(comment=comment))
    assert run.noted == noted
