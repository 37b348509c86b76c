"""Jobs that cannot start yet, as Slurm's commands tell of them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime

import pytest

from arvnodeman.fleet.outlook.ahead import NOTHING_AHEAD, Outlook, Reservation
from arvnodeman.slurm.errors import ControllerAway
from arvnodeman.slurm.fields import BEHIND, TAIL
from arvnodeman.slurm.later_jobs import LaterJobs
from arvnodeman.slurm.run_times import RunTimes

NOW = 1_900_000_000.0


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: NOW)


def local(seconds: float) -> str:
    return datetime.fromtimestamp(NOW + seconds).isoformat()


def line(number: str, reason: str, **fields: str) -> str:
    """A line of squeue, of a job of two cores."""
    known = dict.fromkeys(TAIL, "(null)") | {"number": number, "time_limit": "1:00:00", "partition": "main"}
    known |= {"user": "ann", "account": "lab", "qos": "normal", "tres_per_node": "N/A"} | fields
    return f"2|1G|0|{reason}|job{number}||(null)|100|1" + "".join(BEHIND + known[name] for name in TAIL)


class Asked:
    """Slurm's answers: what squeue says of jobs that wait and of jobs that run."""

    def __init__(self, pending: str = "", running: str = "", ended: str = "") -> None:
        self.answers = {"PENDING": pending, "RUNNING": running, "COMPLETED,FAILED,TIMEOUT": ended}
        self.commands: list[tuple[str, ...]] = []
        self.away = False

    def __call__(self, *words: str) -> str:
        if self.away:
            raise ControllerAway("squeue", "no answer")
        self.commands.append(words)
        (state,) = [word.partition("=")[2] for word in words if word.startswith("--states=")]
        mark = next(word for word in words if word.startswith("--format=")).removeprefix("--format=").partition("%")[0]
        return "".join(f"{mark}{each}\n" for each in self.answers[state].splitlines())


def coming(asked: Asked, *lines: str, outlook: Outlook = NOTHING_AHEAD) -> Mapping[str, tuple[float, float, str]]:
    """By job: seconds until it may start, by how much later that may be, and what frees nodes."""
    run_times = RunTimes(asked)
    run_times.learn()
    found = LaterJobs(asked, "", run_times).fetch("\n".join(lines), TAIL, None, outlook)
    return {job.id: (job.at - NOW, job.late, ",".join(job.frees)) for job in found}


def test_a_job_begins_at_its_begin_time() -> None:
    asked = Asked(pending=f"17|{local(1200)}|(null)")
    assert coming(asked, line("17", "BeginTime"), line("18", "Resources")) == {"17": (1200.0, 0.0, "")}


def test_moments_may_be_told_in_seconds_since_the_epoch() -> None:
    """As SLURM_TIME_FORMAT=%s has them."""
    assert coming(Asked(pending=f"17|{NOW + 1200:.0f}|(null)"), line("17", "BeginTime")) == {"17": (1200.0, 0.0, "")}


def test_nothing_is_asked_while_no_job_waits_for_a_moment() -> None:
    asked = Asked()
    assert coming(asked, line("18", "Resources"), line("19_[1-5%2]", "JobArrayTaskLimit"), "") == {}
    assert [words for words in asked.commands if "--states=COMPLETED,FAILED,TIMEOUT" not in words] == []


def test_a_job_waits_for_the_end_of_another_by_its_time_limit() -> None:
    """And its nodes are free then."""
    running = f"12|12|{local(-600)}|{local(3000)}|ann|main|compute[1-2]|first"
    asked = Asked(pending="17|N/A|afterok:12(unfulfilled)", running=running)
    assert coming(asked, line("17", "Dependency")) == {"17": (3000.0, 0.0, "compute1,compute2")}


def test_better_by_how_long_jobs_of_that_name_ran() -> None:
    ended = "\n".join(f"{number}|ann|main|{minutes}:00|first" for number, minutes in enumerate((20, 20, 20, 20, 40)))
    running = f"12|12|{local(-600)}|{local(30000)}|ann|main|compute1|first"
    asked = Asked(pending="17|N/A|afterany:12", running=running, ended=ended)
    assert coming(asked, line("17", "Dependency")) == {"17": (600.0, 600.0, "compute1")}
    asked.answers["RUNNING"] = running.replace(local(-600), local(-1500))  # longer than half of them
    assert coming(asked, line("17", "Dependency")) == {"17": (900.0, 0.0, "compute1")}
    asked.answers["RUNNING"] = running.replace(local(-600), local(-3000))  # longer than all
    assert coming(asked, line("17", "Dependency")) == {"17": (30000.0, 0.0, "compute1")}
    asked.answers["RUNNING"] = running.replace("first", "other")
    assert coming(asked, line("17", "Dependency")) == {"17": (30000.0, 0.0, "compute1")}


def test_of_several_the_last_end_counts_and_all_must_be_known() -> None:
    running = "\n".join(
        f"{each}|{each}|{local(0)}|{local(60 * int(each))}|ann|main|compute{each}|x" for each in ("12", "13")
    )
    asked = Asked(pending="17|N/A|afterok:12,afterany:13", running=running)
    assert coming(asked, line("17", "Dependency")) == {"17": (780.0, 0.0, "compute13")}
    asked.answers["RUNNING"] = running.splitlines()[0]
    assert coming(asked, line("17", "Dependency")) == {}


@pytest.mark.parametrize("depends", ["singleton", "after:12", "afternotok:12", "afterok:12?afterok:13"])
def test_what_does_not_tell_a_moment_is_left_out(depends: str) -> None:
    running = f"12|12|{local(0)}|{local(60)}|ann|main|compute1|x"
    assert coming(Asked(pending=f"17|N/A|{depends}", running=running), line("17", "Dependency")) == {}


def test_a_job_without_a_limit_ends_nobody_knows_when() -> None:
    running = f"12|12|{local(0)}|NONE|ann|main|compute1|x"
    assert coming(Asked(pending="17|N/A|afterok:12", running=running), line("17", "Dependency")) == {}


def test_a_job_waits_for_its_reservation_and_has_nodes_inside() -> None:
    course = Reservation("course", NOW + 900, NOW + 9000, frozenset({"compute7"}))
    asked = Asked(pending="17|N/A|(null)")
    run_times = RunTimes(asked)
    lines = line("17", "Reservation", reservation="course")
    (job,) = LaterJobs(asked, "", run_times).fetch(lines, TAIL, None, Outlook({"course": course}))
    assert (job.at, job.why, job.shape.place.inside) == (NOW + 900, "its reservation course begins", ("course",))


def test_tasks_of_an_array_are_jobs_of_their_own() -> None:
    asked = Asked(pending=f"17_[1-3]|{local(600)}|(null)")
    assert sorted(coming(asked, line("17_[1-3]", "BeginTime"))) == ["17_1", "17_2", "17_3"]


def test_a_moment_that_is_over_or_not_told_is_none() -> None:
    for said in (local(-5), "N/A", "Unknown", ""):
        assert coming(Asked(pending=f"17|{said}|(null)"), line("17", "BeginTime")) == {}


def test_a_slurm_that_does_not_answer_costs_a_line_in_the_log_once(caplog: pytest.LogCaptureFixture) -> None:
    asked = Asked()
    reader = LaterJobs(asked, "", RunTimes(asked))
    asked.away = True
    for _ in range(2):
        assert reader.fetch(line("17", "BeginTime"), TAIL, None, NOTHING_AHEAD) == ()
        reader._again_at = 0.0
    assert [record.message.partition(":")[0] for record in caplog.records] == [
        "it is not known when jobs that cannot start yet may start"
    ]


def test_the_same_is_the_same_object_and_is_not_asked_again() -> None:
    asked = Asked(pending=f"17|{local(600)}|(null)")
    reader = LaterJobs(asked, "", RunTimes(asked))
    first = reader.fetch(line("17", "BeginTime"), TAIL, None, NOTHING_AHEAD)
    assert reader.fetch(line("17", "BeginTime"), TAIL, None, NOTHING_AHEAD) is first
    assert len(asked.commands) == 1
