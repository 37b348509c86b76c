"""What stands in the AdminComments of a real Slurm's jobs: by our hands alone, and said by the daemon."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator

import pytest
from slurm_stage import BOUND, need_slurm

from arvnodeman.fleet.values.job_comments import JobComment, JobsCommented, Line
from arvnodeman.sandbox.real_slurm import PrivateSlurm
from arvnodeman.sandbox.real_slurm_conf import Shape
from arvnodeman.slurm.job_marks import BACK, ONCE
from arvnodeman.slurm.keeping import NamesInSlurm

QUOTA, OURS = "m5.large: cloud quota of 8 reached", "Node Manager: m5.large: cloud quota of 8 reached"
SCRIPT = "#!/bin/sh\nexec sleep 900\n"


class Stage:
    """A Slurm with one node that is up, compute1, and our hands on it."""

    def __init__(self, slurm: PrivateSlurm) -> None:
        self.slurm = slurm
        self.hands = NamesInSlurm(20.0, job_name_pattern="", numbered=True)

    def submit(self, *options: str) -> str:
        """A job; its number. Nothing is up for it but on compute1."""
        said = self.slurm.say("sbatch", "--output=/dev/null", "--partition=compute", *options, text=SCRIPT)
        return said.split()[-1]

    def comments(self) -> dict[str, str]:
        """By job or task, each by itself."""
        text = self.slurm.say("squeue", "--noheader", "--array", "--Format=JobArrayID:0|,admin_comment:0")
        found = dict(line.split("|", 1) for line in text.splitlines())
        return {number: "" if comment == "(null)" else comment for number, comment in found.items()}

    def say(self, *jobs: str, text: str = QUOTA, spared: tuple[str, ...] = ()) -> JobsCommented:
        return self.hands.comment_jobs((JobComment(Line(text), jobs),) if jobs else (), spared)

    def write(self, job: str, comment: str) -> None:
        """Somebody's own."""
        self.slurm.say("scontrol", "update", f"JobId={job}", f"AdminComment={comment}")

    def until(self, true: Callable[[], object], what: str) -> None:
        end = time.monotonic() + BOUND
        while not true():
            assert time.monotonic() < end, f"never: {what}\n{self.slurm.say('squeue')}"
            time.sleep(0.1)

    def until_runs(self, job: str) -> None:
        self.until(lambda: job in self.slurm.say("squeue", "-h", "-t", "R", "-o", "%i").split(), f"{job} to run")


@pytest.fixture(scope="module")
def slurm() -> Iterator[PrivateSlurm]:
    need_slurm()
    with PrivateSlurm(Shape(nodes=2, state="UNKNOWN", message_timeout=30)) as private:
        private.start_node("compute1")
        yield private


@pytest.fixture
def stage(slurm: PrivateSlurm, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    for name, value in slurm.environment().items():
        monkeypatch.setenv(name, value)
    made = Stage(slurm)
    yield made
    slurm.run("scancel", "--user", str(os.getuid()))
    made.until(lambda: not slurm.say("squeue", "-h").strip(), "no job")


def test_jobs_are_told_and_told_otherwise_and_somebody_elses_words_stay(stage: Stage) -> None:
    one, two, jane, back, once = (stage.submit("-w", "compute2") for _ in range(5))
    stage.write(jane, "ask Jane before you cancel it")
    stage.write(back, BACK)
    stage.write(once, BACK + ONCE)
    assert stage.say(one, two, jane, back, once) == JobsCommented(2)
    left = {jane: "ask Jane before you cancel it", back: BACK, once: BACK + ONCE}
    assert stage.comments() == {one: OURS, two: OURS, **left}
    assert stage.say(one, two, jane, back, once) == JobsCommented()
    assert stage.say(one, text="else") == JobsCommented(2)
    assert stage.comments() == {one: "Node Manager: else", two: "", **left}
    assert stage.say(spared=(one,)) == JobsCommented()
    assert stage.say() == JobsCommented(1)
    assert stage.comments() == {one: "", two: "", **left}


def test_an_array_stays_one_job_and_tasks_that_run_are_told_nothing(stage: Stage) -> None:
    array = stage.submit("-w", "compute1", "--array=1-6%1")
    waits = stage.submit("-w", "compute2", "--array=1-3")
    stage.until_runs(f"{array}_1")
    stage.say(array, waits)
    told = {f"{array}_{task}": OURS for task in range(2, 7)} | {f"{waits}_{task}": OURS for task in (1, 2, 3)}
    assert stage.comments() == told | {f"{array}_1": ""}
    records = stage.slurm.say("scontrol", "--oneliner", "show", "job", array).splitlines()
    assert len(records) == 2  # the task that runs, and the others together
    stage.slurm.say("scancel", f"{array}_1")
    stage.until_runs(f"{array}_2")
    assert stage.comments()[f"{array}_2"] == OURS  # as it was when it began
    assert stage.say(array, waits) == JobsCommented(1)
    assert stage.comments()[f"{array}_2"] == ""
    assert stage.comments()[f"{array}_3"] == OURS


def test_when_a_job_begins_its_line_is_taken_away(stage: Stage) -> None:
    job = stage.submit("-w", "compute1", "--hold")
    stage.say(job)
    stage.slurm.say("scontrol", "release", job)
    stage.until_runs(job)
    assert stage.comments()[job] == OURS
    stage.say()
    assert stage.comments()[job] == ""


def test_jobs_that_end_meanwhile_hold_up_no_others(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = [stage.submit("-w", "compute2") for _ in range(3)]
    change = stage.hands._change

    def late(numbers: list[str], comment: str) -> None:
        stage.slurm.say("scancel", jobs[1])
        stage.until(lambda: jobs[1] not in stage.comments(), "it to be gone")
        change([*numbers, "4000000"], comment)

    monkeypatch.setattr(stage.hands, "_change", late)
    stage.say(*jobs)
    assert stage.comments() == {jobs[0]: OURS, jobs[2]: OURS}


def test_why_a_job_will_never_run_is_one_of_these_lines(stage: Stage) -> None:
    never, jane = stage.submit("-w", "compute2"), stage.submit("-w", "compute2")
    stage.write(jane, "mine")
    for job in (never, jane):
        stage.hands.note_on_job(job, "too big")
    assert stage.comments() == {never: "Node Manager: too big", jane: "mine"}
    assert stage.say(never, jane, text="too big") == JobsCommented()
    stage.hands.note_on_job("4000000", "too late")
