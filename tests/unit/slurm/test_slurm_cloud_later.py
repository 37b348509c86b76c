"""Jobs that cannot start yet, and room on nodes, as asked of a Slurm that places jobs on names that are off."""

from __future__ import annotations

import time
from datetime import datetime

import pytest
from squeue_lines import behind

from arvnodeman.fleet.outlook.ahead import NOTHING_AHEAD
from arvnodeman.slurm.cloud import CloudNodesAndJobs
from arvnodeman.slurm.fields import BEHIND, LONG_TAIL, sharing_form
from arvnodeman.slurm.job_marks import BACK
from arvnodeman.slurm.placed import PLACED_FORMAT

NOW = 1_900_000_000.0
NODES = """NodeName=s-1 CoresPerSocket=1
   CPUAlloc=1 CPUEfctv=2 CPUTot=2 CPULoad=0.27
   RealMemory=4000 AllocMem=100 FreeMem=13761 Sockets=2 Boards=1
   State=MIXED+CLOUD ThreadsPerCore=1 TmpDisk=0 Weight=1
"""
COURSE = """ReservationName=course StartTime=1900000900 EndTime=1900009000 Duration=02:15:00
   Nodes=s-1 NodeCnt=1 CoreCnt=2 Features=(null) PartitionName=(null) Flags=SPEC_NODES
   Users=root Groups=(null) Accounts=(null) Licenses=(null) State=INACTIVE BurstBuffer=(null)
"""


def waiting(number: str, reason: str, tail: tuple[str, ...], **fields: str) -> str:
    """A line of squeue."""
    known = {"oversubscribe": "OK", "threads": "*", "per_core": "N/A", "per_node": "0", "tasks": "1", "cpus": "1"}
    said = known | {"number": number, "partition": "cloud", "time_limit": "1:00:00"} | fields
    return f"1|1G|0|{reason}|job{number}||(null)|100|1{behind(tail, **said)}\n"


class Answering(CloudNodesAndJobs):
    """Its commands answer as told, and are kept."""

    def __init__(self, *, ahead: bool) -> None:
        super().__init__(1.0, ahead=ahead)
        self.commands: list[str] = []
        self.lines = ""
        self.pending = ""
        self.placed = ""
        self.reservations = "No reservations in the system\n"

    def _run(self, command: str, *arguments: str) -> str:
        words = " ".join((command, *arguments))
        self.commands.append(words)
        answers = {
            "--version": "slurm 24.11.5\n",
            "show config": "SelectType = select/cons_tres\nSelectTypeParameters = CR_CPU_MEMORY\n",
            "show partitions": "PartitionName=cloud OverSubscribe=NO ExclusiveUser=NO\n",
            "show nodes": NODES,
            "show reservations": self.reservations,
            f"--Format={PLACED_FORMAT}": self.placed,
            "--states=PENDING --jobs": self.pending,
            "--states=COMPLETED": "",
            "--Format=": self.lines,
        }
        return next(said for part, said in answers.items() if part in words)


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: NOW)


def local(seconds: float) -> str:
    return datetime.fromtimestamp(NOW + seconds).isoformat()


TAIL = sharing_form((24, 11))[1]


def test_a_job_is_told_of_with_its_moment_and_what_it_takes_of_a_node() -> None:
    slurm = Answering(ahead=True)
    slurm.lines = waiting("17", "BeginTime", TAIL)
    slurm.pending = f"17|{local(600)}|(null)\n"
    queue = slurm.queue()
    (job,) = queue.later
    assert (job.id, job.at, job.shape.takes is not None) == ("17", NOW + 600, True)
    assert (list(queue.jobs), queue.others) == ([], {"17": "BeginTime"})
    again = slurm.queue()
    assert list(again.later) == [job]


def test_reservations_are_asked_for_because_of_such_jobs_alone() -> None:
    slurm = Answering(ahead=True)
    slurm.lines, slurm.reservations = waiting("16", "Resources", TAIL), COURSE
    assert slurm.queue().outlook.reservations == {}
    slurm.lines += waiting("17", "Reservation", TAIL, reservation="course")
    slurm.pending = "17|N/A|(null)\n"
    queue = slurm.queue()
    (job,) = queue.later
    assert (job.at, job.shape.place.inside) == (1_900_000_900.0, ("course",))
    assert queue.outlook.zones() == {"s-1": ("course",)}


def test_one_that_was_given_back_waits_because_of_us() -> None:
    """Its begin time is what we, or Slurm's requeue, have given it."""
    slurm = Answering(ahead=True)
    slurm.lines = waiting("17", "BeginTime", TAIL)
    slurm.pending = f"17|{local(120)}|(null)\n"
    fields = ("17", "PENDING", "", "1", "1", "1", "1", "UNLIMITED", "BeginTime", "cloud", "ann", "lab", "normal", BACK)
    slurm.placed = BEHIND.join(fields) + "\n"
    queue = slurm.queue()
    assert [job.id for job in queue.returned] == ["17"]
    assert list(queue.later) == []


def test_what_is_free_of_each_node_is_of_the_answer_that_its_word_is_of() -> None:
    slurm = Answering(ahead=True)
    slurm.listed()
    slurm.commands.clear()
    works = slurm.listed()[1]
    assert len(slurm.commands) == 1
    free = works["s-1"].free
    assert free is not None
    assert (free.cpus, free.ram) == (1, 3900.0)
    assert slurm.listed()[1] is works


def test_without_the_option_nothing_more_is_asked() -> None:
    """Neither by which rules jobs share nodes, nor what is free of these, nor when jobs may start."""
    slurm = Answering(ahead=False)
    slurm.lines = waiting("17", "BeginTime", LONG_TAIL)
    for _ in range(2):
        queue = slurm.queue()
        works = slurm.listed()[1]
    assert (list(queue.later), queue.outlook) == ([], NOTHING_AHEAD)
    assert works["s-1"].free is None
    asked = {words.split(" --Format=")[0] for words in slurm.commands}
    assert {words for words in asked if "--jobs" not in words} == {
        "squeue --version",
        "squeue --all --state=PENDING --noheader --array-unique",
        "squeue --all --noheader --states=CONFIGURING,PENDING,RUNNING,SUSPENDED",
        "squeue --all --noheader --states=CONFIGURING",
        "scontrol --all show nodes",
    }
