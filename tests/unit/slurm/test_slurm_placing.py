"""Which commands change names and jobs where Slurm places these by itself, with commands that answer as told."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from time import monotonic

import pytest

from arvnodeman.fleet.values.placed import GivenBack, JobsReleased, PlacedJob
from arvnodeman.slurm import many
from arvnodeman.slurm.errors import ControllerAway, Refused, UnknownNode, failure_of
from arvnodeman.slurm.fields import BEHIND
from arvnodeman.slurm.job_marks import BACK, ONCE
from arvnodeman.slurm.placing import PlacingSlurm
from arvnodeman.slurm.run import Output

OFF, WANTED, STARTING = "IDLE+CLOUD+POWERED_DOWN", "MIXED+CLOUD+POWERED_DOWN", "MIXED+CLOUD+POWERING_UP"
GOING, UP, WORKING = "IDLE+CLOUD+POWERING_DOWN", "IDLE+CLOUD", "MIXED+CLOUD"
WHY = "Node Manager return (x)"


class ToldSlurm(PlacingSlurm):
    """Its commands answer as told; what changes something is kept, but for the name of the command."""

    def __init__(self, told: dict[str, float] | None = None) -> None:
        super().__init__(1.0, told)
        self.states: dict[str, tuple[str, str]] = {}  # State and Reason by name
        self.after: dict[str, tuple[str, str]] = {}  # ... once a change was made
        self.jobs: list[str] = []
        self.refusals: dict[str, str] = {}  # by a part of the command
        self.done: list[str] = []
        self.placed_late: list[str] = []  # jobs that are placed while the first change is made

    def _run(self, command: str, *arguments: str) -> str:
        words = " ".join(arguments)
        for part, said in self.refusals.items():
            if part in words:
                raise failure_of(command, 1, "", said)
        if command == "squeue":
            return "".join(f"{line}\n" for line in self.jobs)
        if "show" in arguments:
            states = self.states | (self.after if self.done else {})
            asked = arguments[-1].split(",") if arguments[-1] != "nodes" else states
            if unknown := [name for name in asked if name not in states]:
                raise UnknownNode("scontrol", f"Node {unknown[0]} not found")
            return "".join(
                f"NodeName={name} x\n   State={states[name][0]} Weight=1\n   Reason={states[name][1]}\n\n"
                for name in asked
            )
        self.done.append(words.removeprefix("update "))
        return ""

    def change_all(self, changes):  # type: ignore[no-untyped-def]
        self.jobs += self.placed_late
        self.placed_late = []
        return self._change_each(changes)


@pytest.fixture
def slurm() -> ToldSlurm:
    return ToldSlurm()


def job(
    number: str, names: str, state: str = "CONFIGURING", requeue: int = 1, batch: int = 1, comment: str = ""
) -> str:
    fields = (
        number,
        state,
        names,
        str(requeue),
        str(batch),
        "1",
        "100",
        "1:00",
        "None",
        "cloud",
        "ann",
        "",
        "",
        comment,
    )
    return BEHIND.join(fields)


def test_jobs_are_made_such_as_can_go_back_before_their_name_is_powered_down(slurm: ToldSlurm) -> None:
    slurm.states = {"s-1": (STARTING, "")}
    slurm.jobs = [job("1", "s-1"), job("2_7", "s-1", requeue=0), job("3", "s-1", comment="the admin's")]
    given = slurm.give_back(["s-1"], WHY, interactive=False)
    assert given == GivenBack({"s-1": (PlacedJob("1"), PlacedJob("2_7", requeue_off=True), PlacedJob("3"))})
    assert slurm.done == [
        f"NodeName=s-1 State=POWER_DOWN_ASAP Reason={WHY}",
        f"JobId=1 AdminComment={BACK}",
        f"JobId=2_7 Requeue=1 AdminComment={BACK}{ONCE}",
        f"NodeName=s-1 State=POWER_DOWN_FORCE NodeAddr=192.0.2.1 Reason={WHY}",
        f"NodeName=s-1 State=POWER_DOWN_ASAP Reason={WHY}",
    ]


@pytest.mark.parametrize("state", [UP, WORKING, OFF, GOING])
def test_a_name_that_is_not_being_powered_up_is_never_forced(slurm: ToldSlurm, state: str) -> None:
    slurm.states = {"s-1": (state, "")}
    slurm.jobs = []
    assert slurm.give_back(["s-1", "nope"], WHY, interactive=True) == GivenBack({}, (), ("s-1", "nope"))
    assert slurm.done == []


def test_a_job_that_would_be_lost_keeps_its_name(slurm: ToldSlurm, caplog: pytest.LogCaptureFixture) -> None:
    slurm.states = dict.fromkeys(("s-1", "s-2"), (STARTING, ""))
    slurm.jobs = [job("1", "s-1", requeue=0), job("2", "s-2", requeue=0)]
    slurm.refusals = {"JobId=1 ": "Access is odd", "JobId=1,2 ": "Access is odd"}
    with caplog.at_level(logging.WARNING):
        given = slurm.give_back(["s-1", "s-2"], WHY, interactive=False)
    assert (list(given.jobs), given.kept) == (["s-2"], ("s-1",))
    assert not any("NodeName=s-1 State=POWER_DOWN_FORCE" in each for each in slurm.done)
    assert "Slurm does not take back job 1: " in caplog.text


def test_names_that_fail_alike_are_one_line(slurm: ToldSlurm, caplog: pytest.LogCaptureFixture) -> None:
    """There may be thousands, and the same again at each list."""
    names = [f"s-{number}" for number in range(1, 101)]
    slurm.states = dict.fromkeys(names, (OFF, ""))
    slurm.refusals = {"NodeName=": "Access is odd"}
    with caplog.at_level(logging.WARNING):
        slurm.close_names(names, WHY, 60.0)
    (line,) = caplog.messages
    assert line.startswith("Slurm does not close s-1, s-2, s-3 and 97 more: ")


def test_a_job_at_a_terminal_keeps_all_its_names_and_those_who_share_them(slurm: ToldSlurm) -> None:
    slurm.states = dict.fromkeys(("s-1", "s-2", "s-3"), (STARTING, ""))
    slurm.jobs = [job("1", "s-[1-2]", batch=0), job("2", "s-2"), job("3", "s-3")]
    given = slurm.give_back(["s-1", "s-2", "s-3"], WHY, interactive=False)
    assert (list(given.jobs), given.kept) == (["s-3"], ("s-1", "s-2"))
    assert not any("s-1" in each or "s-2" in each or "JobId=2" in each for each in slurm.done)
    slurm.done.clear()
    given = slurm.give_back(["s-1"], WHY, interactive=True)
    assert given.jobs["s-1"] == (PlacedJob("1", batch=False),)
    states = ("POWER_DOWN_ASAP", "POWER_DOWN_FORCE NodeAddr=192.0.2.1", "POWER_DOWN_ASAP")
    assert slurm.done == [f"NodeName=s-1 State={state} Reason={WHY}" for state in states]


def test_two_changes_are_one_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs wait for it, and most of what a command takes is its start."""
    asked: list[list[str]] = []

    def run(argv: Sequence[str], *, timeout: float, text: str = "") -> Output:
        asked.append([*argv, text])
        return Output("", "".join(f"invalid keyword: {line}\n" for line in text.splitlines()[1::2]), 1)

    monkeypatch.setattr(many, "run", run)
    assert (
        PlacingSlurm(1.0).change_all([("s-1", ("State=POWER_DOWN_FORCE",)), ("s-1", ("State=POWER_DOWN_ASAP",))]) == {}
    )
    assert [argv[0] for argv in asked] == ["scontrol"]


@pytest.mark.parametrize("others", [[], ["s-2"]])
def test_a_name_is_not_kept_because_slurm_did_not_answer_once(slurm: ToldSlurm, others: list[str]) -> None:
    """What is kept is not given back again: its job would wait for a node that is not to come."""
    slurm.states = dict.fromkeys(("s-1", "s-2"), (STARTING, ""))
    slurm.jobs = [job("1", "s-1"), job("2", "s-2")]
    slurm.refusals = {"NodeName=s-1 State=POWER_DOWN_FORCE": "Unable to contact slurm controller (connect failure)"}
    if not others:
        with pytest.raises(ControllerAway):
            slurm.give_back(["s-1"], WHY, interactive=False)
        return
    given = slurm.give_back([*others, "s-1"], WHY, interactive=False)
    assert given == GivenBack({"s-2": (PlacedJob("2"),)})


def test_a_job_that_is_placed_while_its_name_is_closed_goes_back_too(slurm: ToldSlurm) -> None:
    slurm.states = {"s-1": (STARTING, "")}
    slurm.jobs = [job("1", "s-1")]
    slurm.placed_late = [job("2", "s-1", requeue=0)]
    given = slurm.give_back(["s-1"], WHY, interactive=False)
    assert given.jobs["s-1"] == (PlacedJob("1"), PlacedJob("2", requeue_off=True))
    assert f"JobId=2 Requeue=1 AdminComment={BACK}{ONCE}" in slurm.done


def test_a_job_that_has_gone_meanwhile_holds_nothing_up(slurm: ToldSlurm) -> None:
    slurm.states = {"s-1": (STARTING, "")}
    slurm.jobs = [job("1", "s-1", requeue=0)]
    slurm.refusals = {"JobId=1 ": "Invalid job id specified for job 1"}
    assert list(slurm.give_back(["s-1"], WHY, interactive=False).jobs) == ["s-1"]


def test_what_fails_for_all_is_raised(slurm: ToldSlurm) -> None:
    slurm.states = {"s-1": (STARTING, "")}
    slurm.jobs = [job("1", "s-1", requeue=0)]
    slurm.refusals = {"JobId=1 ": "Unable to contact slurm controller"}
    with pytest.raises(ControllerAway):
        slurm.give_back(["s-1"], WHY, interactive=False)
    assert slurm.done == [f"NodeName=s-1 State=POWER_DOWN_ASAP Reason={WHY}"]


def test_jobs_are_released_as_they_were(slurm: ToldSlurm) -> None:
    """But for one that is placed again: it would be lost if its name were given back at this moment."""
    mark = BACK + ONCE
    slurm.jobs = [
        job("1", "", "PENDING", comment=BACK),
        job("2", "", "PENDING", comment=mark),
        job("3", "s-1", "CONFIGURING", comment=mark),
        job("4", "", "COMPLETING", comment=mark),
        job("5", "s-1", "RUNNING"),
        job("6", "", "CANCELLED", comment=mark),
        job("7", "", "PENDING", comment=f"Node Manager: no room{ONCE}"),
        job("8", "", "PENDING", requeue=0),
    ]
    wanted = [PlacedJob(str(number), requeue_off=number in (2, 3, 4, 6)) for number in range(1, 10)]
    assert slurm.release_jobs(wanted) == JobsReleased((PlacedJob("4", requeue_off=True),))
    assert sorted(slurm.done) == [
        "JobId=1 StartTime=now AdminComment=",
        "JobId=2 StartTime=now Requeue=0 AdminComment=",
        "JobId=7 StartTime=now Requeue=0 AdminComment=Node Manager: no room",
        "JobId=8 StartTime=now",
    ]


def test_names_that_are_ours_are_opened_and_others_are_not_asked_for_again(slurm: ToldSlurm) -> None:
    ours, theirs = "Node Manager closed (x)", "disk broken"
    slurm.states = {
        "s-1": (GOING, ""),
        "s-2": ("IDLE+CLOUD+DRAIN+POWERED_DOWN", ours),
        "s-3": ("IDLE+CLOUD+DRAIN+POWERED_DOWN", theirs),
        "s-4": ("DOWN+CLOUD+POWERED_DOWN", "ResumeTimeout reached"),
        "s-5": ("DOWN+CLOUD+POWERED_DOWN", theirs),
        "s-6": ("IDLE+CLOUD+POWER_DOWN", ours),
        "s-7": (OFF, ours),
        "s-8": ("IDLE+CLOUD+DRAIN+POWERING_DOWN", theirs),
        "s-9": ("DOWN+CLOUD+POWERED_DOWN", f"{ours} : Not responding"),
    }
    slurm.after = dict.fromkeys(("s-1", "s-4", "s-9"), (OFF, ""))
    opened = slurm.open_names([*slurm.states, "nope"]).opened
    assert slurm.done == [f"NodeName={name} State=RESUME" for name in ("s-1", "s-2", "s-4", "s-9")]
    assert opened == ("s-1", "s-3", "s-4", "s-5", "s-7", "s-8", "s-9", "nope")


def test_names_are_closed_in_two_steps_and_no_job_is_thrown_off(slurm: ToldSlurm) -> None:
    ours, why = "Node Manager closed (x)", "Node Manager closed (y)"
    slurm.states = {
        "s-1": (OFF, ""),
        "s-2": (WANTED, ""),
        "s-3": (STARTING, ""),
        "s-5": ("IDLE+CLOUD+DRAIN+POWERED_DOWN", ours),
        "s-6": ("IDLE+CLOUD+DRAIN+POWERED_DOWN", "disk broken"),
        "s-7": (UP, ""),
        "s-8": ("MIXED+CLOUD+POWERING_DOWN", ""),
        "s-9": ("IDLE+CLOUD+DRAIN+POWERING_DOWN", ours),
    }
    slurm.close_names(list(slurm.states), why, 59.6)
    assert slurm.done == [f"NodeName=s-1 State=POWER_DOWN_ASAP Reason={why}"]
    slurm.done.clear()
    slurm.states["s-1"] = (GOING, why)
    slurm.close_names(list(slurm.states), why, 59.6)
    assert slurm.done == [f"NodeName=s-1 State=DRAIN Reason={why} ResumeAfter=60"]
    slurm.done.clear()
    slurm.refusals = {"ResumeAfter": "Update of this parameter is not supported: resumeafter"}
    slurm.close_names(["s-1"], why, 60)
    assert slurm.done == [f"NodeName=s-1 State=DRAIN Reason={why}"]


@pytest.mark.parametrize("told", [{}, {"s-1": monotonic() - 9.0}])
def test_a_name_that_may_be_off_by_now_is_closed_and_not_drained(told: dict[str, float]) -> None:
    """It powers down for long, or for who knows how long: it may have a job when the command is carried out."""
    slurm = ToldSlurm(told)
    slurm.states = {"s-1": (GOING, "")}
    slurm.close_names(["s-1"], WHY, 60)
    assert slurm.done == ["NodeName=s-1 State=RESUME", f"NodeName=s-1 State=POWER_DOWN_ASAP Reason={WHY}"]


def test_what_one_thread_has_told_a_name_another_knows() -> None:
    told: dict[str, float] = {}
    one, other = ToldSlurm(told), ToldSlurm(told)
    one.states = {"s-1": (STARTING, "")}
    one.give_back(["s-1"], WHY, interactive=False)
    other.states = {"s-1": (GOING, "")}
    other.close_names(["s-1"], WHY, 60)
    assert other.done == [f"NodeName=s-1 State=DRAIN Reason={WHY} ResumeAfter=60"]


def test_only_a_name_that_is_off_is_powered_up(slurm: ToldSlurm) -> None:
    slurm.states = {"s-1": (OFF, ""), "s-2": (UP, ""), "s-3": (STARTING, ""), "s-4": (GOING, "")}
    slurm.power_up(list(slurm.states))
    assert slurm.done == ["NodeName=s-1 State=POWER_UP"]


def test_a_drain_powers_down_what_is_up(slurm: ToldSlurm) -> None:
    slurm.states = {"s-1": (UP, ""), "s-2": (WORKING, ""), "s-3": (GOING, ""), "s-4": (STARTING, ""), "s-5": (OFF, "")}
    failures = slurm.drain_all(dict.fromkeys([*slurm.states, "nope"], WHY))
    assert slurm.done == [f"NodeName={name} State=POWER_DOWN_ASAP Reason={WHY}" for name in ("s-1", "s-2")]
    assert {name: type(failure) for name, failure in failures.items()} == {"s-4": Refused, "nope": UnknownNode}


def test_a_machine_that_is_gone_is_set_down_and_its_jobs_need_not_wait(slurm: ToldSlurm) -> None:
    slurm.states = {"s-1": (WORKING, ""), "s-2": (GOING, ""), "s-3": (STARTING, "")}
    slurm.jobs = [
        job("1", "s-1", "RUNNING"),
        job("2", "s-1", "RUNNING", requeue=0),
        job("3", "s-1", "RUNNING", batch=0),
    ]
    failures = slurm.set_down_all(dict.fromkeys(slurm.states, WHY))
    assert list(failures) == ["s-3"]
    assert [each for each in slurm.done if "JobId=2" in each or "JobId=3" in each] == []
    assert slurm.done[:2] == [f"JobId=1 AdminComment={BACK}", f"NodeName=s-1 State=DOWN Reason={WHY}"]
    assert slurm.done[-1] == f"NodeName=s-1 State=POWER_DOWN Reason={WHY}"


def test_a_job_that_lacks_other_nodes_yet_is_not_lost_with_the_one_that_is_gone(slurm: ToldSlurm) -> None:
    slurm.states = {"s-1": (WORKING, "")}
    slurm.jobs = [job("1", "s-[1-2]", requeue=0), job("2", "s-1", "RUNNING", requeue=0), job("3", "s-1", batch=0)]
    assert slurm.set_down_all({"s-1": WHY}) == {}
    assert slurm.done == [
        f"JobId=1 Requeue=1 AdminComment={BACK}{ONCE}",
        f"NodeName=s-1 State=DOWN Reason={WHY}",
        f"NodeName=s-1 State=POWER_DOWN Reason={WHY}",
    ]


def test_a_name_stays_up_while_a_job_would_be_lost_with_it(slurm: ToldSlurm) -> None:
    slurm.states = dict.fromkeys(("s-1", "s-2", "s-3"), (WORKING, ""))
    slurm.jobs = [job("1", "s-1", requeue=0), job("2", "s-2", "RUNNING"), job("3", "s-3", requeue=0)]
    slurm.refusals = {"JobId=1 ": "Access is odd", "JobId=1,3 ": "Access is odd", "JobId=2 ": "Access is odd"}
    failures = slurm.set_down_all(dict.fromkeys(slurm.states, WHY))
    assert {name: failure.said for name, failure in failures.items()} == {"s-1": "Access is odd"}
    assert [each for each in slurm.done if "State=" in each] == [
        f"NodeName={name} State={state} Reason={WHY}" for state in ("DOWN", "POWER_DOWN") for name in ("s-2", "s-3")
    ]


@pytest.mark.parametrize("what", ["give back", "set down"])
def test_no_job_is_made_one_that_runs_once_while_another_thread_ends_it(what: str) -> None:
    """Seen waiting by one, and placed on a name that another forces down just then."""
    done: list[str] = []

    class Ending(ToldSlurm):
        """The other thread's."""

        def _run(self, command: str, *arguments: str) -> str:
            if command == "scontrol" and "update" in arguments:
                done.append("ended" if "State=POWER_DOWN_FORCE" in arguments or "State=DOWN" in arguments else "")
            return super()._run(command, *arguments)

    other = Ending()
    other.states = {"s-1": (STARTING if what == "give back" else WORKING, "")}
    other.jobs = [job("1", "s-1", comment=BACK + ONCE)]

    def end() -> None:
        if what == "give back":
            other.give_back(["s-1"], WHY, interactive=False)
        else:
            other.set_down_all({"s-1": WHY})

    thread = threading.Thread(target=end)

    class Releasing(ToldSlurm):
        """Between its look and its change the job is placed."""

        def _run(self, command: str, *arguments: str) -> str:
            if command == "squeue" and not thread.ident:
                thread.start()
                thread.join(0.3)
            if "Requeue=0" in arguments:
                done.append("runs once")
            return super()._run(command, *arguments)

    mine = Releasing()
    mine.jobs = [job("1", "", "PENDING", comment=BACK + ONCE)]
    mine.release_jobs([PlacedJob("1", requeue_off=True)])
    thread.join()
    assert [each for each in done if each] == ["runs once", "ended"]


def test_a_marked_job_that_is_placed_again_is_returned_once_it_has_begun(slurm: ToldSlurm) -> None:
    mark = BACK + ONCE
    slurm._new = False
    slurm.jobs = [job("1", "s-1", comment=mark)]
    assert slurm.queue().returned == ()
    assert slurm.queue().returned == ()
    slurm.jobs = [job("1", "s-1", "RUNNING", comment=mark)]
    (returned,) = slurm.queue().returned
    assert slurm.release_jobs([returned]) == JobsReleased()
    assert slurm.done == ["JobId=1 Requeue=0 AdminComment="]
    slurm.jobs = [job("1", "s-1", "RUNNING")]
    assert slurm.queue().returned == ()


def test_the_queue_looks_once_for_marks_on_any_job(slurm: ToldSlurm) -> None:
    asked: list[str] = []
    lines = [job("1", "s-1"), job("2", "s-2", "RUNNING", comment=BACK + ONCE), job("3", "", "PENDING", comment="x")]

    def job_lines(*which: str) -> object:
        asked.append(" ".join(which))
        slurm.jobs = lines if "RUNNING" in which[0] else lines[:1]
        return PlacingSlurm.job_lines(slurm, *which)

    slurm.job_lines = job_lines  # type: ignore[method-assign, assignment]
    slurm._new = False
    queue = slurm.queue()
    assert [each.names for each in queue.jobs if each.id == "1"] == [("s-1",)]
    assert queue.returned == (PlacedJob("2", requeue_off=True),)
    assert slurm.queue().returned == ()
    assert asked == ["--states=CONFIGURING,PENDING,RUNNING,SUSPENDED", "--states=CONFIGURING"]
