"""How long jobs are likely to run, by those that ended of late."""

from __future__ import annotations

import pytest

from arvnodeman.fleet.values.model import JobOwner, JobShape
from arvnodeman.slurm.errors import ControllerAway
from arvnodeman.slurm.run_times import RunTimes

ANNA = JobShape(partitions=("compute",), owner=JobOwner("anna"))
BOB = JobShape(partitions=("compute",), owner=JobOwner("bob"))
OTHER = JobShape(partitions=("other",), owner=JobOwner("anna"))
BOTH = JobShape(partitions=("other", "compute"), owner=JobOwner("bob"))


class Ended:
    """What squeue says of jobs that have ended; counts how often it is asked."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.asked = 0
        self.away = False
        self.time = 1000.0

    def ask(self, *words: str) -> str:
        assert words[0] == "squeue"
        self.asked += 1
        if self.away:
            raise ControllerAway("squeue", "no answer")
        mark = words[-1].removeprefix("--format=").removesuffix("%i|%u|%P|%M|%j")
        return "".join(f"{mark}{line}\n" for line in self.lines)

    def end(self, user: str, partition: str, *ran: str, name: str = "x") -> None:
        first = len(self.lines)
        self.lines += [f"{first + index}|{user}|{partition}|{said}|{name}" for index, said in enumerate(ran)]

    def pass_time(self, seconds: float = 120.0) -> None:
        self.time += seconds


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch) -> Ended:
    made = Ended()
    monkeypatch.setattr("arvnodeman.slurm.run_times.time.monotonic", lambda: made.time)
    return made


def test_the_median_of_the_users_jobs_in_the_partition_else_of_all_jobs_there(ended: Ended) -> None:
    ended.end("anna", "compute", "1:00", "2:00", "3:00", "1-00:00:00", "0:01")
    ended.end("bob", "compute", "1:00:00", "1:00:00")
    times = RunTimes(ended.ask)
    assert times.fetch([ANNA, BOB, OTHER, BOTH]) == {ANNA: 120.0, BOB: 180.0, BOTH: 180.0}
    ended.end("bob", "compute", "1:00:00", "1:00:00", "1:00:00")
    ended.pass_time()
    assert times.fetch([BOB]) == {BOB: 3600.0}


def test_a_few_jobs_say_nothing_and_those_that_never_began_or_cannot_be_read_neither(ended: Ended) -> None:
    ended.end("anna", "compute", "1:00", "1:00", "1:00", "1:00", "0:00", "INVALID", "long", "")
    ended.lines += ["", "munge", "7|anna"]
    assert RunTimes(ended.ask).fetch([ANNA]) == {}


def test_a_job_counts_once_however_often_it_is_shown(ended: Ended) -> None:
    times = RunTimes(ended.ask)
    ended.end("anna", "compute", "1:00", "1:00", "1:00")
    for _ in range(5):
        assert times.fetch([ANNA]) == {}
        ended.pass_time()
    ended.end("anna", "compute", "3:00", "3:00")
    assert times.fetch([ANNA]) == {ANNA: 60.0}


def test_it_is_asked_now_and_then_and_what_is_the_same_is_the_object_that_it_was(ended: Ended) -> None:
    times = RunTimes(ended.ask)
    ended.end("anna", "compute", *["1:00"] * 5)
    told = times.fetch([ANNA])
    ended.pass_time(119)
    assert times.fetch([ANNA]) is told
    assert ended.asked == 1
    ended.pass_time(1)
    ended.end("anna", "compute", "1:00")
    assert times.fetch([ANNA]) is told
    assert ended.asked == 2


def test_while_slurm_is_away_what_is_known_stands(ended: Ended, caplog: pytest.LogCaptureFixture) -> None:
    times = RunTimes(ended.ask)
    ended.end("anna", "compute", *["1:00"] * 5)
    told = times.fetch([ANNA])
    ended.away = True
    for _ in range(3):
        ended.pass_time()
        assert times.fetch([ANNA]) is told
    assert caplog.messages == ["how long jobs run is not known: squeue: no answer"]


def test_old_jobs_and_too_many_users_are_forgotten(ended: Ended) -> None:
    times = RunTimes(ended.ask)
    ended.end("anna", "compute", *["10:00"] * 90, *["1:00"] * 90)
    assert times.fetch([ANNA]) == {ANNA: 60.0}
    for number in range(3000):
        ended.end(f"user{number}", "compute", *["5:00"] * 5)
    ended.pass_time()
    last = JobShape(partitions=("compute",), owner=JobOwner("user2999"))
    assert times.fetch([ANNA, last]) == {ANNA: 300.0, last: 300.0}


def test_jobs_of_the_same_name_tell_most(ended: Ended) -> None:
    ended.end("anna", "compute", *["1:00"] * 5, name="short")
    ended.end("anna", "compute", *["2:00:00"] * 9, name="long")
    ended.end("anna", "compute", *["9:00:00"] * 4, name="rare")
    ended.end("bob", "compute", *["5:00:00"] * 30, name="short")
    names: dict[JobShape, list[str]] = {ANNA: ["short"], BOTH: ["short"], OTHER: ["short"]}
    times = RunTimes(ended.ask)
    assert times.fetch([ANNA, BOTH, OTHER], lambda shape: names[shape]) == {ANNA: 60.0, BOTH: 18_000.0}
    names[ANNA] = ["short", "long", "new"]  # the longest, for such a job keeps its node alive
    assert times.fetch([ANNA], lambda shape: names[shape]) == {ANNA: 7200.0}
    names[ANNA] = ["rare", "new"]
    assert times.fetch([ANNA], lambda shape: names[shape]) == {ANNA: 7200.0}  # as all of hers


def test_names_may_be_anything(ended: Ended) -> None:
    """Nobody says something of another's jobs by a line break in a name, and of long ones the beginning is enough."""
    long = "x" * 900
    ended.end("anna", "compute", *["1:00"] * 5, name=f"{long}|\x1b[2J")
    ended.end("anna", "compute", *["3:00"] * 5, name="a|b|2:00:00|")
    ended.end("anna", "compute", "1:00", name="".join(f"b\n{number}|bob|compute|1:00|x" for number in range(9)))
    times = RunTimes(ended.ask)
    assert times.fetch([ANNA], lambda _: [long]) == {ANNA: 60.0}
    assert times.fetch([ANNA], lambda _: ["a|b|2:00:00|"]) == {ANNA: 180.0}
    assert times.fetch([BOB], lambda _: ["x"]) == {BOB: 60.0}  # as all jobs there: five of a minute, five of three, one
    assert times.fetch([OTHER]) == {}


def test_names_that_never_come_again_push_out_no_users(ended: Ended) -> None:
    times = RunTimes(ended.ask)
    ended.end("anna", "compute", *["1:00"] * 5, name="step")
    for number in range(3000):
        ended.end("bob", "compute", "9:00", name=f"run{number}")
    assert times.fetch([ANNA, BOB], lambda _: ["step"]) == {ANNA: 60.0, BOB: 540.0}
