"""What is written into AdminComments of jobs, and what stays there. The answers are those of Slurm 22.05."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from arvnodeman.fleet.values.job_comments import JobComment, JobsCommented, Line
from arvnodeman.slurm import job_comments, nodes
from arvnodeman.slurm.errors import ControllerAway, NotPermitted, Refused
from arvnodeman.slurm.fields import BEHIND
from arvnodeman.slurm.job_comments import AT_ONCE, LONGEST, LONGEST_TEXT, MOST, clock_words, lists_of
from arvnodeman.slurm.job_marks import BACK, ONCE
from arvnodeman.slurm.keeping import NamesInSlurm
from arvnodeman.slurm.run import Output

QUOTA, OURS = "m5.large: cloud quota of 8 reached", "Node Manager: m5.large: cloud quota of 8 reached"
MOMENT = 1_700_000_000.0
UUID = "zzzzz-dz642-000000000000001"


@dataclass
class Slurm:
    """Stands for squeue and scontrol."""

    jobs: list[tuple[str, str, str]] = field(default_factory=list)  # number, state, AdminComment
    name: str = "wrap"
    refused: str = ""  # what scontrol says, with code 1
    listings: list[list[str]] = field(default_factory=list)
    changes: list[tuple[list[str], str]] = field(default_factory=list)

    def run(self, argv: Sequence[str], *, timeout: float) -> Output:
        assert timeout > 0
        if argv[0] == "squeue":
            self.listings.append(list(argv[1:]))
            return Output("".join(f"{BEHIND.join((n, s, self.name, c))}\n" for n, s, c in self.jobs), "", 0)
        assert list(argv[:2]) == ["scontrol", "update"]
        numbers, comment = argv[2].removeprefix("JobId="), argv[3].removeprefix("AdminComment=")
        self.changes.append((numbers.split(",") if "[" not in numbers else [numbers], comment))
        return Output("", self.refused, 1 if self.refused else 0)


@pytest.fixture
def slurm(monkeypatch: pytest.MonkeyPatch) -> Slurm:
    made = Slurm()
    monkeypatch.setattr(nodes, "run", made.run)
    monkeypatch.setattr(job_comments, "run", made.run)
    monkeypatch.setattr(time, "time", lambda: MOMENT)
    return made


def say(*jobs: str, text: str = QUOTA, until: float | None = None, spared: Sequence[str] = ()) -> JobsCommented:
    comments = (JobComment(Line(text, until), jobs),) if jobs else ()
    return NamesInSlurm(job_name_pattern="", numbered=True).comment_jobs(comments, spared)


def test_jobs_with_one_reason_are_one_command(slurm: Slurm) -> None:
    slurm.jobs = [(str(number), "PENDING", "(null)") for number in (3, 4, 5)]
    assert say("3", "4", "5") == JobsCommented(3)
    assert slurm.changes == [(["3", "4", "5"], OURS)]
    assert len(slurm.listings) == 1


@pytest.mark.parametrize(
    ("state", "before", "after"),
    [
        ("PENDING", "(null)", OURS),
        ("PENDING", "", OURS),
        ("PENDING", "Node Manager: m5.large: max_nodes of 8 reached", OURS),
        ("PENDING", OURS, None),
        ("PENDING", "ask Jane before you cancel it", None),
        ("PENDING", "Node Managers are great", None),
        ("PENDING", BACK, None),
        ("PENDING", BACK + ONCE, None),
        ("PENDING", "ask Jane" + ONCE, None),
        ("CONFIGURING", "(null)", OURS),
    ],
)
def test_only_ours_is_overwritten_and_only_what_differs_is_written(
    slurm: Slurm, state: str, before: str, after: str | None
) -> None:
    slurm.jobs = [("7", state, before)]
    say("7")
    assert slurm.changes == ([] if after is None else [(["7"], after)])


@pytest.mark.parametrize("state", ["PENDING", "CONFIGURING", "RUNNING", "SUSPENDED"])
@pytest.mark.parametrize(
    ("before", "gone"),
    [(OURS, True), ("(null)", False), ("ask Jane", False), (BACK, False), (BACK + ONCE, False)],
)
def test_ours_is_taken_off_all_other_jobs(slurm: Slurm, state: str, before: str, gone: bool) -> None:
    slurm.jobs = [("7", state, before)]
    say()
    assert slurm.changes == ([(["7"], "")] if gone else [])


def test_jobs_that_are_spared_keep_what_they_have(slurm: Slurm) -> None:
    slurm.jobs = [("7", "PENDING", OURS), ("8", "PENDING", OURS), ("9_[2-4%1]", "PENDING", OURS)]
    say(spared=["7", "9"])
    assert slurm.changes == [(["8"], "")]


def test_an_array_that_waits_is_one_change_and_its_tasks_that_run_have_none(slurm: Slurm) -> None:
    slurm.jobs = [("9_[3-90%2]", "PENDING", "(null)"), ("9_1", "RUNNING", OURS), ("9_2", "CONFIGURING", OURS)]
    say("9")
    assert slurm.changes == [(["9_1", "9_2"], ""), (["9_[3-90]"], OURS)]


def test_a_task_that_stands_by_itself_is_one_of_its_array(slurm: Slurm) -> None:
    slurm.jobs = [("9_5", "PENDING", "(null)"), ("12+1", "PENDING", "(null)")]
    say("9", "12+1")
    assert slurm.changes == [(["9_5", "12+1"], OURS)]


def test_where_jobs_are_known_by_their_names_only_those_that_are_seen_are_touched(slurm: Slurm) -> None:
    by_name = NamesInSlurm()
    slurm.jobs, slurm.name = [("7", "PENDING", "(null)")], UUID
    by_name.comment_jobs([JobComment(Line(QUOTA), (UUID,))], [])
    assert slurm.changes == [(["7"], OURS)]
    slurm.jobs, slurm.name = [("8", "PENDING", OURS)], "somebody's"
    by_name.comment_jobs([], [])
    assert len(slurm.changes) == 1


def test_until_when_is_a_time_of_day_at_the_end_of_its_minute(slurm: Slurm) -> None:
    slurm.jobs = [("7", "PENDING", "(null)")]
    say("7", until=MOMENT + 61)
    at = time.strftime("%H:%M", time.localtime(MOMENT + 120))
    assert slurm.changes == [(["7"], f"{OURS}; next try {at}")]
    assert clock_words(MOMENT + 3 * 86400, MOMENT).startswith("2023-11-1")


def test_a_long_text_is_cut_and_stays_on_one_line(slurm: Slurm) -> None:
    slurm.jobs = [("7", "PENDING", "(null)")]
    say("7", text="a\nb" * 200)
    (_, comment), *_ = slurm.changes
    assert len(comment) == len("Node Manager: ") + LONGEST_TEXT
    assert comment.isprintable()


def test_the_second_line_of_somebody_elses_comment_is_no_job(slurm: Slurm) -> None:
    slurm.jobs = [("7", "PENDING", "ask Jane\nNode Manager: no"), ("8", "PENDING", "(null)")]
    say("7", "8")
    assert slurm.changes == [(["8"], OURS)]


def test_five_thousand_jobs_are_a_handful_of_commands_and_the_rest_comes_later(slurm: Slurm) -> None:
    slurm.jobs = [(str(number), "PENDING", "(null)") for number in range(1, MOST + 101)]
    assert say(*(number for number, _, _ in slurm.jobs)) == JobsCommented(MOST, 100)
    assert [len(numbers) for numbers, _ in slurm.changes] == [AT_ONCE] * (MOST // AT_ONCE)
    assert len(slurm.listings) == 1


def test_no_argument_is_longer_than_the_kernel_takes() -> None:
    tasks = ",".join(str(number) for number in range(1, LONGEST // 8, 2))
    arrays = [f"{number}_[{tasks}]" for number in range(10, 20)]
    found = list(lists_of(arrays))
    assert [number for some in found for number in some] == arrays
    assert len(found) > 1
    assert all(len(",".join(some)) <= LONGEST for some in found)
    assert list(lists_of([f"7_[{tasks},{tasks},{tasks},{tasks}]"])) == [["7"]]


@pytest.mark.parametrize(
    "said",
    [
        "Invalid job id specified for job 7\n",
        "Job has already finished for job 7\nInvalid job id specified for job 8\n",
        "2_1: Job has already finished\n2_2-5: No error\n",
    ],
)
def test_jobs_that_are_gone_meanwhile_are_success(slurm: Slurm, said: str) -> None:
    slurm.jobs, slurm.refused = [("7", "PENDING", "(null)")], said
    assert say("7") == JobsCommented(1)


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("Access/permission denied for job 1\nAccess/permission denied for job 3\n", NotPermitted),
        ("Invalid job id specified for job 7\nInvalid partition name for job 8\n", Refused),
        ("slurm_update error: Unable to contact slurm controller (connect failure)\n", ControllerAway),
    ],
)
def test_a_refusal_is_raised(slurm: Slurm, said: str, kind: type[Exception]) -> None:
    slurm.jobs, slurm.refused = [("7", "PENDING", "(null)")], said
    with pytest.raises(kind):
        say("7")


@pytest.mark.parametrize(
    ("before", "writes"),
    [("(null)", True), ("Node Manager: never", False), ("Node Manager: later", True), ("ask Jane", False)],
)
def test_why_a_job_will_never_run_is_written_like_all_others(slurm: Slurm, before: str, writes: bool) -> None:
    slurm.jobs = [("7", "PENDING", before)]
    NamesInSlurm(numbered=True).note_on_job("7", "never")
    assert slurm.changes == ([(["7"], "Node Manager: never")] if writes else [])
    say("7", text="never")
    assert len(slurm.changes) == (2 if writes else 0)  # the listing here stays as it is
