"""Job arrays: how many of their tasks may run now, and what is asked for that."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

import pytest
from squeue_lines import behind

from arvnodeman.slurm.arrays import RunningTasks, grouped, limits_of, told_apart
from arvnodeman.slurm.errors import ControllerAway
from arvnodeman.slurm.fields import TAIL


def queue(*numbers: str) -> str:
    return "".join(f"1|1G|0|Resources|x|(null)|5|1{behind(TAIL, number=number)}\n" for number in numbers)


class Counted:
    """Answers how many tasks run, and keeps what was asked."""

    def __init__(self, **running: int) -> None:
        self.running: Mapping[str, int] = {name.removeprefix("a"): number for name, number in running.items()}
        self.asked: list[Sequence[str]] = []
        self.away = False

    def __call__(self, arrays: Sequence[str]) -> Mapping[str, int]:
        self.asked.append(arrays)
        if self.away:
            raise ControllerAway("squeue", "it hangs")
        return self.running


def test_the_limits_that_squeue_shows() -> None:
    assert limits_of(queue("17", "3_[1-10%2]", "4_[1-3]", "5_7", "6_[1%1]", "8_[1-2%0]")) == {"3": 2, "6": 1}


def test_a_limit_is_remembered_while_a_task_waits() -> None:
    """Once every task has a line of its own, no line shows it."""
    assert limits_of(queue("3_5", "4_1"), {"3": 2, "9": 1}) == {"3": 2}
    assert limits_of(queue("3_5", "3_[6-7%4]"), {"3": 2}) == {"3": 4}


def test_running_tasks_are_counted_only_where_there_is_a_limit() -> None:
    counted = Counted()
    assert RunningTasks().left(queue("17", "4_[1-3]", "5_7"), counted) == {}
    assert counted.asked == []


def test_as_many_as_may_run_less_those_that_do() -> None:
    counted = Counted(a3=1, a6=5)
    assert RunningTasks().left(queue("3_[2-10%2]", "6_[1-9%4]", "7_[1-9%3]"), counted) == {"3": 1, "6": 0, "7": 3}
    assert counted.asked == [("3", "6", "7")]


def test_a_count_that_fails_costs_itself_alone_and_one_line(caplog: pytest.LogCaptureFixture) -> None:
    counted, tasks = Counted(a3=2), RunningTasks()
    assert tasks.left(queue("3_[2-10%3]"), counted) == {"3": 1}
    counted.away = True
    assert [tasks.left(queue("3_[2-10%3]"), counted) for _ in range(3)] == [{"3": 1}] * 3
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "it hangs" in caplog.text


def group(number: str, reason: str) -> str:
    return f"1|1G|0|{reason}|x||(null)|5|1{behind(TAIL, number=number)}"


@pytest.mark.parametrize(
    ("number", "reason", "limits", "expected"),
    [
        ("3_[1-9]", "Resources,JobHeldAdmin,BeginTime", {}, ["3"]),
        ("3_[1-9]", "Nodes required for job are DOWN, DRAINED or reserved for jobs,BeginTime", {}, ["3"]),
        ("3_[1-9]", "Resources", {"3": 2}, ["3"]),
        ("3_[1-9]", "Resources", {"4": 2}, []),
        ("3_[1-9%2]", "Resources", {"3": 2}, []),
        ("3_[1-9%2]", "ReqNodeNotAvail, UnavailableNodes:compute[0,5],cloud1", {}, []),
        ("3_[1-9]", "Nodes required for job are DOWN, DRAINED or reserved for jobs", {}, []),
        ("3_1", "Resources,BeginTime", {"3": 2}, []),
        ("17", "Resources", {"17": 2}, []),
    ],
)
def test_lines_that_stand_for_tasks_which_are_not_alike(
    number: str, reason: str, limits: dict[str, int], expected: list[str]
) -> None:
    assert grouped(f"{group(number, reason)}\n", limits) == expected


def test_each_task_stands_where_its_array_stood() -> None:
    text = "".join(f"{group(number, 'Resources')}\n" for number in ("17", "3_[1-2]", "18", "4_[1-2]"))
    each = "".join(f"{group(number, why)}\n" for number, why in (("3_2", "BeginTime"), ("3_1", "Resources")))
    shown = told_apart(text, each)
    assert shown == "".join(
        f"{group(number, why)}\n"
        for number, why in (
            ("17", "Resources"),
            ("3_2", "BeginTime"),
            ("3_1", "Resources"),
            ("18", "Resources"),
            ("4_[1-2]", "Resources"),
        )
    )
    assert told_apart(text, "") == text


def test_a_limit_that_no_line_shows_is_asked_for_once() -> None:
    tasks, counted = RunningTasks(), Counted(a3=1)
    assert tasks.unknown(["3", "4"]) == ["3", "4"]
    tasks.learn("3", "JobId=3 ArrayJobId=3 ArrayTaskId=1-9%2 ArrayTaskThrottle=2 JobName=x\n")
    tasks.learn("4", "JobId=4 ArrayJobId=4 ArrayTaskId=1-9 JobName=x\n")
    assert tasks.unknown(["3", "4"]) == []
    assert tasks.left(queue("3_[1-9]", "4_[1-9]"), counted) == {"3": 1}
    assert tasks.left(queue("17"), counted) == {}
    assert tasks.unknown(["3", "4"]) == ["3", "4"]  # gone, and forgotten
