"""The queue as squeue lists it: when all jobs are asked for, and when only those that were submitted since."""

from __future__ import annotations

import pytest

from arvnodeman.slurm.errors import ControllerAway, NotPermitted, Refused, SlurmFailure
from arvnodeman.slurm.fields import BEHIND
from arvnodeman.slurm.listing import EACH, MOST, JobsListing

STANDS = 30.0
WHOLE = ("squeue", "--all", "--state=PENDING", "--noheader", "--Format=x")


def line(number: str, name: str = "wrap") -> str:
    """What squeue says of one job."""
    return f"1|1G|0|None|{name}||(null)|1|1{BEHIND}{number}{BEHIND}1:00{BEHIND}compute\n"


class Slurm:
    """A queue, as a test has it, and what was asked."""

    def __init__(self, jobs: int = 10 * EACH) -> None:
        self.lines = {number: line(str(number)) for number in range(1, jobs + 1)}
        self.next_job = jobs + 1
        self.left = dict.fromkeys(("started", "completed", "canceled", "failed"), 0)
        self.since = "Sun Nov 29 00:00:00 2026"
        self.refusals: dict[str, SlurmFailure] = {}
        self.while_listed = 0  # jobs that are submitted just before squeue answers
        self.now = 1000.0
        self.calls: list[tuple[str, ...]] = []
        self.listing = JobsListing(self.answer, STANDS, lambda: self.now)

    def submit(self, count: int = 1, text: str = "") -> None:
        for _ in range(count):
            self.lines[self.next_job] = text or line(str(self.next_job))
            self.next_job += 1

    def answer(self, command: str, *arguments: str) -> str:
        self.calls.append((command, *arguments))
        if command in self.refusals:
            raise self.refusals[command]
        if command == "sdiag":
            counted = "".join(f"Jobs {name}:  {count}\n" for name, count in self.left.items())
            return f"Data since      {self.since}\nJobs submitted: {self.next_job - 1}\n{counted}Jobs pending: 9\n"
        if command == "scontrol":
            return f"MpiParams = (null)\nNEXT_JOB_ID             = {self.next_job}\n"
        self.submit(self.while_listed)
        self.while_listed = 0
        asked = [each.removeprefix("--jobs=") for each in arguments if each.startswith("--jobs=")]
        if not asked:
            return "".join(self.lines.values())
        if int(asked[0]) not in self.lines:
            raise Refused("squeue", "slurm_load_jobs error: Invalid job id specified")
        return self.lines[int(asked[0])]

    def read(self) -> tuple[str, list[tuple[str, ...]]]:
        """The text, and how squeue was asked for it."""
        self.calls.clear()
        text = self.listing.read("--Format=x")
        return text, [call for call in self.calls if call[0] == "squeue"]


@pytest.fixture
def slurm() -> Slurm:
    """Of which a whole list is known, with the counters of its moment."""
    found = Slurm()
    found.read()
    found.read()
    return found


def test_new_jobs_are_asked_for_alone_while_none_has_left(slurm: Slurm) -> None:
    slurm.submit(2)
    text, calls = slurm.read()
    assert text == "".join(slurm.lines.values())
    assert calls == [(*WHOLE[:-1], f"--jobs={number}", WHOLE[-1]) for number in (4001, 4002)]


def test_those_asked_for_alone_are_asked_for_again_and_so_show_what_became_of_them(slurm: Slurm) -> None:
    slurm.submit()
    slurm.read()
    slurm.lines[4001] = line("4001").replace("None", "Priority")
    slurm.submit()
    assert slurm.read()[0] == "".join(slurm.lines.values())


def test_a_new_array_is_one_job(slurm: Slurm) -> None:
    slurm.submit(text=line("4001_[1-7%2]") + line("4001_9"))
    text, calls = slurm.read()
    assert text == "".join(slurm.lines.values())
    assert len(calls) == 1


@pytest.mark.parametrize("gone", ["started", "completed", "canceled", "failed"])
def test_all_are_listed_once_one_has_left_the_queue(slurm: Slurm, gone: str) -> None:
    slurm.submit()
    slurm.left[gone] += 1
    del slurm.lines[7]
    assert slurm.read() == ("".join(slurm.lines.values()), [WHOLE])
    slurm.submit()
    assert len(slurm.read()[1]) == 1, "by the counters of that list"


def test_all_are_listed_when_the_counters_begin_anew(slurm: Slurm) -> None:
    slurm.submit()
    slurm.since = "Mon Nov 30 00:00:00 2026"
    assert slurm.read()[1] == [WHOLE]


def test_all_are_listed_when_nothing_was_submitted_for_then_something_else_is_looked_for(slurm: Slurm) -> None:
    assert slurm.read()[1] == [WHOLE]


def test_all_are_listed_when_the_list_is_old(slurm: Slurm) -> None:
    slurm.submit()
    slurm.now += STANDS - 1
    assert slurm.read()[1] != [WHOLE]
    slurm.submit()
    slurm.now += 1
    assert slurm.read()[1] == [WHOLE]


def test_all_are_listed_when_many_came(slurm: Slurm) -> None:
    slurm.submit(MOST)
    assert len(slurm.read()[1]) == MOST
    slurm.submit()
    assert slurm.read()[1] == [WHOLE]


def test_in_a_shorter_list_fewer_are_many() -> None:
    slurm = Slurm(jobs=3 * EACH)
    slurm.read()
    slurm.read()
    slurm.submit(3)
    assert len(slurm.read()[1]) == 3
    slurm.submit()
    assert slurm.read()[1] == [WHOLE]


def test_a_short_list_costs_nothing_else() -> None:
    slurm = Slurm(jobs=2 * EACH - 1)
    for _ in range(3):
        slurm.read()
        assert slurm.calls == [WHOLE]


def test_a_job_that_came_while_all_were_listed_is_not_there_twice(slurm: Slurm) -> None:
    slurm.while_listed = 1
    slurm.read()
    slurm.submit()
    assert slurm.read() == ("".join(slurm.lines.values()), [WHOLE])


@pytest.mark.parametrize(
    "said",
    [
        line("17_3"),  # a task of an older array has a number of its own since it was changed
        line("4001+0") + line("4002+1"),
        line("4001", name="two\nlines"),
        "what is this\n",
    ],
)
def test_a_line_that_is_not_as_expected_has_all_listed(slurm: Slurm, said: str) -> None:
    slurm.submit(text=said)
    text, calls = slurm.read()
    assert text == "".join(slurm.lines.values())
    assert calls[-1] == WHOLE


def test_a_job_that_is_gone_has_all_listed(slurm: Slurm) -> None:
    slurm.submit()
    del slurm.lines[4001]
    assert slurm.read()[1][-1] == WHOLE


def test_with_other_fields_all_are_listed(slurm: Slurm) -> None:
    slurm.submit()
    slurm.calls.clear()
    slurm.listing.read("--Format=y")
    assert slurm.calls[-1] == (*WHOLE[:-1], "--Format=y")


def test_counters_that_cannot_be_had_are_not_asked_for_again_and_all_are_listed(slurm: Slurm) -> None:
    slurm.refusals["sdiag"] = NotPermitted("sdiag", "Access denied")
    slurm.submit()
    assert slurm.read()[1] == [WHOLE]
    slurm.read()
    assert slurm.calls == [WHOLE]


def test_counters_that_do_not_come_are_asked_for_again_and_all_are_listed(slurm: Slurm) -> None:
    slurm.refusals["scontrol"] = ControllerAway("scontrol", "timed out")
    slurm.submit()
    assert slurm.read()[1] == [WHOLE]
    slurm.refusals.clear()
    slurm.read()
    slurm.submit()
    assert slurm.read()[1] != [WHOLE]


def test_counters_of_other_words_have_all_listed(slurm: Slurm) -> None:
    del slurm.left["canceled"]
    slurm.read()
    slurm.submit()
    assert slurm.read()[1] == [WHOLE]


def test_a_list_that_fails_is_a_failure_and_the_last_one_stands_for_none(slurm: Slurm) -> None:
    slurm.refusals["squeue"] = ControllerAway("squeue", "timed out")
    slurm.submit()
    with pytest.raises(ControllerAway):
        slurm.read()


def test_where_lists_may_not_stand_squeue_alone_is_asked() -> None:
    slurm = Slurm()
    slurm.listing = JobsListing(slurm.answer, 0.0)
    for _ in range(3):
        slurm.submit()
        slurm.read()
        assert slurm.calls == [WHOLE]
