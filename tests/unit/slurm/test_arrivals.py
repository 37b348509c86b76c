"""Have jobs been submitted? By sdiag, and where that cannot be had, by the next job's number."""

from __future__ import annotations

import pytest

from arvnodeman.slurm.arrivals import Arrivals
from arvnodeman.slurm.errors import ControllerAway, NotInstalled, SlurmFailure

STARS = "*******************************************************"
SDIAG = f"""\
{STARS}
sdiag output at Sun Nov 29 19:54:00 2026 (1795982040)
Data since      Sun Nov 29 19:51:49 2026 (1795981909)
{STARS}
Server thread count:  3
Agent queue size:     0

Jobs submitted: 5000
Jobs started:   0
Jobs pending:   5000

Remote Procedure Call statistics by user
\troot            (       0) count:5400   ave_time:4297   total_time:21485124
"""
CONFIG = (
    "Configuration data as of 2026-11-29T19:53:25\nMpiParams               = (null)\nNEXT_JOB_ID             = 5001\n"
)


class AnsweringSlurm:
    """Slurm, as a test has it answer."""

    def __init__(self, **answers: str | SlurmFailure) -> None:
        self.answers = answers
        self.calls: list[tuple[str, ...]] = []

    def __call__(self, command: str, *arguments: str) -> str:
        self.calls.append((command, *arguments))
        answer = self.answers[command]
        if isinstance(answer, SlurmFailure):
            raise answer
        return answer


def test_it_is_another_text_when_jobs_came_and_the_same_while_none_did() -> None:
    asked = AnsweringSlurm(sdiag=SDIAG)
    arrivals = Arrivals(asked)
    first = arrivals.check()
    asked.answers["sdiag"] = SDIAG.replace("19:54:00", "19:54:05").replace("count:5400", "count:5401").replace(
        "started:   0", "started:   7"
    )  # fmt: skip
    assert arrivals.check() == first
    asked.answers["sdiag"] = SDIAG.replace("submitted: 5000", "submitted: 5001")
    assert arrivals.check() != first
    assert asked.calls == [("sdiag",)] * 3


def test_a_counter_that_begins_anew_is_another_text() -> None:
    """At midnight, by `sdiag --reset`, after a restart of slurmctld: one poll more, and no job that is not seen."""
    asked = AnsweringSlurm(sdiag=SDIAG)
    arrivals = Arrivals(asked)
    first = arrivals.check()
    asked.answers["sdiag"] = SDIAG.replace("(1795981909)", "(1795999999)")
    assert arrivals.check() != first


def test_without_sdiag_the_next_number_is_looked_at_from_then_on() -> None:
    asked = AnsweringSlurm(sdiag=NotInstalled("sdiag", "not installed (no such command on PATH)"), scontrol=CONFIG)
    arrivals = Arrivals(asked)
    first = arrivals.check()
    assert arrivals.check() == first
    asked.answers["scontrol"] = CONFIG.replace("5001", "5002").replace("19:53:25", "19:54:25")
    assert arrivals.check() != first
    assert [call[0] for call in asked.calls] == ["sdiag", "scontrol", "scontrol", "scontrol"]


def test_a_controller_that_is_away_is_a_failure_and_sdiag_is_asked_again() -> None:
    asked = AnsweringSlurm(sdiag=ControllerAway("sdiag", "Unable to contact slurm controller"), scontrol=CONFIG)
    arrivals = Arrivals(asked)
    for _ in range(2):
        with pytest.raises(ControllerAway):
            arrivals.check()
    asked.answers["sdiag"] = SDIAG
    assert "5000" in arrivals.check()
    assert {call[0] for call in asked.calls} == {"sdiag"}


@pytest.mark.parametrize("text", ["", "garbage\n", "Jobs submitted 5\n", "x" * 10_000])
def test_an_answer_that_tells_nothing_is_a_failure_of_one_line(text: str) -> None:
    """It must not be taken for `nothing new`."""
    with pytest.raises(ControllerAway) as caught:
        Arrivals(AnsweringSlurm(sdiag=text)).check()
    assert "\n" not in caught.value.error.text
    assert len(caught.value.error.text) < 500
