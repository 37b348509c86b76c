"""What squeue says of jobs that are placed on names, and the marks on those that are given back."""

from __future__ import annotations

import pytest

from arvnodeman.fleet.values.model import JobOwner
from arvnodeman.fleet.values.placed import PlacedJob
from arvnodeman.slurm.fields import BEHIND
from arvnodeman.slurm.job_marks import BACK, ONCE, is_marked, is_once, marked, unmarked
from arvnodeman.slurm.placed import by_name, read_placed


def line(number: str = "17", **more: str) -> str:
    fields = {
        "state": "CONFIGURING",
        "nodes": "s-[1-2]",
        "requeue": "1",
        "batch": "1",
        "cpus": "4",
        "priority": "100",
        "limit": "1:00:00",
        "reason": "None",
        "partition": "cloud",
        "user": "ann",
        "account": "(null)",
        "qos": "(null)",
        "comment": "(null)",
        **more,
    }
    return BEHIND.join([number, *fields.values()])


def test_a_job_has_its_names_and_what_it_is() -> None:
    (job,), malformed = read_placed(line() + "\n")
    assert malformed == []
    assert (job.names, job.placed, job.marked) == (("s-1", "s-2"), PlacedJob("17"), False)
    assert (job.job.names, job.job.shape.nodes, job.job.shape.cores) == (("s-1", "s-2"), 2, 2)
    assert (job.job.shape.owner, job.job.shape.partitions) == (JobOwner("ann"), ("cloud",))
    assert (job.job.time_limit, job.job.priority) == (3600.0, 100)


@pytest.mark.parametrize(
    ("more", "placed"),
    [
        ({"requeue": "0"}, PlacedJob("17", requeue_off=True)),
        ({"batch": "0"}, PlacedJob("17", batch=False)),
        ({"comment": BACK + ONCE}, PlacedJob("17", requeue_off=True)),
        ({"comment": BACK}, PlacedJob("17")),
    ],
)
def test_how_it_is_given_back(more: dict[str, str], placed: PlacedJob) -> None:
    (job,), _ = read_placed(line(**more))
    assert job.placed == placed
    assert job.marked is ("comment" in more)


def test_one_that_waits_has_no_names_and_tasks_have_numbers_of_their_own() -> None:
    text = "\n".join([line("17_3", nodes="", state="PENDING"), line("18_[4%2]", nodes="", state="PENDING"), ""])
    jobs, malformed = read_placed(text)
    assert malformed == []
    assert [(job.id, job.names) for job in jobs] == [("17_3", ()), ("18_[4%2]", ())]


def test_junk_and_second_lines_cost_only_themselves() -> None:
    text = "\n".join(
        ["what is this", line("1", comment="two\nlines"), line("x y"), line("2", priority="high"), line("3")]
    )
    jobs, malformed = read_placed(text)
    assert [job.id for job in jobs] == ["1", "3"]
    assert [bad[:6] for bad in malformed] == ["what i", line("x y")[:6], line("2")[:6]]


def test_jobs_by_the_names_that_are_asked_about() -> None:
    jobs, _ = read_placed("\n".join([line("1"), line("2", nodes="s-2")]))
    found = by_name(jobs, ["s-2", "s-3"])
    assert {name: [job.id for job in some] for name, some in found.items()} == {"s-2": ["1", "2"], "s-3": []}


@pytest.mark.parametrize(
    ("comment", "once", "after"),
    [
        ("", False, BACK),
        ("", True, BACK + ONCE),
        ("Node Manager: no capacity", False, BACK),
        ("Node Manager: no capacity", True, BACK + ONCE),
        ("the admin's", False, "the admin's"),
        ("the admin's", True, "the admin's" + ONCE),
        ("the admin's" + ONCE, False, "the admin's" + ONCE),  # given back twice
        (BACK + ONCE, False, BACK + ONCE),
    ],
)
def test_a_mark_goes_on_and_off(comment: str, once: bool, after: str) -> None:
    found = marked(comment, once=once)
    assert found == after
    assert is_once(found) is (once or comment.endswith(ONCE))
    assert is_marked(found) is (found != "the admin's")
    assert not is_marked(unmarked(found))
    assert unmarked(found) == ("the admin's" if comment.startswith("the") else "")
