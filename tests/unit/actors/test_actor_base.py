"""What all actors do: answer pings, show what they do, end the process for fatal errors only."""

from __future__ import annotations

import errno
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

import pykka
import pytest
from actor_doubles import BOUND, End, running, wait_for

from arvnodeman.actors.base import FATAL_TEXT, BaseNodeManagerActor, Ping, Ref, name_of, tell
from arvnodeman.actors.daemon import NodeManagerDaemonActor
from arvnodeman.actors.operators import OperatorActor
from arvnodeman.actors.pollers import ArvadosNodeListMonitorActor, CloudNodeListMonitorActor, JobQueueMonitorActor
from arvnodeman.actors.watchdog import WatchdogActor
from arvnodeman.supervision.ending import ExitKind


@dataclass(frozen=True, slots=True)
class Do:
    """Run this."""

    what: Callable[[], object]


class DoingActor(BaseNodeManagerActor):
    """Does what it is told."""

    def receive(self, message: object) -> None:
        match message:
            case Do(what):
                what()
            case _:
                super().receive(message)


class StartingActor(BaseNodeManagerActor):
    """Fails at its start."""

    def __init__(self, end: End, error: BaseException) -> None:
        super().__init__(end.supervision)
        self._error = error

    def begin(self) -> None:
        raise self._error


def raising(error: BaseException) -> Do:
    def fail() -> None:
        raise error

    return Do(fail)


class CriticalActor(DoingActor):
    """The process is not to outlive it."""

    critical = True


class CriticalStartingActor(StartingActor):
    """Nor this one."""

    critical = True


class Strange(BaseException):
    """No Exception, and none of Python's own."""


FATAL = [
    MemoryError(),
    OSError(errno.ENOMEM, "Cannot allocate memory"),
    RuntimeError("can't start new thread"),
]


@pytest.mark.parametrize("error", FATAL, ids=lambda error: type(error).__name__)
def test_fatal_errors_end_the_process(error: Exception) -> None:
    """Row L1."""
    end = End()
    ref = DoingActor.start(end.supervision)
    ref.tell(raising(error))
    assert end.killed.wait(BOUND)
    wait_for(lambda: not ref.is_alive())
    assert end.kills == 1
    assert [cause.kind for cause in end.causes] == [ExitKind.FATAL]
    assert end.causes[0].text == FATAL_TEXT
    assert end.causes[0].logger.startswith("DoingActor.")


OTHERS = [
    OSError(errno.ENOENT, "No such file or directory"),
    RuntimeError("something else"),
    KeyError("x"),
    SystemExit(3),
    KeyboardInterrupt(),
    GeneratorExit(),
    Strange(),
]


@pytest.mark.parametrize("error", OTHERS, ids=lambda error: type(error).__name__)
def test_other_exceptions_end_only_that_actor_and_are_counted(error: BaseException) -> None:
    """Rows L1, L11; SystemExit would make pykka stop every actor and leave a process that does nothing."""
    end = End()
    with running(DoingActor, end.supervision) as bystander:
        ref = DoingActor.start(end.supervision)
        ref.tell(raising(error))
        wait_for(lambda: end.vitals.counted("actor_exceptions") == 1)
        wait_for(lambda: not ref.is_alive())
        assert bystander.ask(Ping(), timeout=BOUND) is True
    assert end.kills == 0


@pytest.mark.parametrize(
    ("error", "kills"), [(MemoryError(), 1), (ValueError("x"), 0), (SystemExit(1), 0), (Strange(), 0)]
)
def test_an_actor_that_fails_at_its_start_is_told_apart_likewise(error: BaseException, kills: int) -> None:
    end = End()
    ref = StartingActor.start(end, error)
    wait_for(lambda: not ref.is_alive())
    wait_for(lambda: end.vitals.counted("actor_exceptions") == 1)
    assert end.kills == kills


@pytest.mark.parametrize("error", OTHERS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("at", ["a message", "its start", "its inbox", "its description"])
def test_the_process_ends_with_a_critical_actor_at_once(
    error: BaseException, at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Row L7: no watchdog goes its rounds here, so there is none to wait for."""
    end = End()
    ref: Ref = CriticalActor.start(end.supervision) if at != "its start" else CriticalStartingActor.start(end, error)
    if at == "its inbox":  # beyond all that pykka catches: the thread ends with it, as with a broken lock
        monkeypatch.setattr(threading, "excepthook", lambda _failed: None)
        monkeypatch.setattr(ref.actor_inbox, "_get", raising(error).what)
    if at == "its description":
        monkeypatch.setattr(CriticalActor, "describe", lambda _self, _message: raising(error).what())
    tell(ref, raising(error))
    assert end.killed.wait(BOUND)
    (cause,) = end.causes
    assert cause.kind is ExitKind.WATCHDOG
    assert cause.subject == name_of(ref)
    assert cause.text == f"Actor {ref} watchdog ping time out, killing Node Manager"
    assert repr(error) in (repr(cause.error), repr(cause.error.__cause__ if cause.error else None))
    if at == "its inbox":
        ref.actor_stopped.set()
        pykka.ActorRegistry.unregister(ref)


def test_the_end_comes_before_the_log_which_may_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    """pykka logs what ends an actor."""
    end = End()
    logged: list[int] = []
    monkeypatch.setattr("pykka._actor.logger.error", lambda *_args, **_kwargs: logged.append(end.kills))
    for failing in (CriticalStartingActor.start(end, ValueError("x")), CriticalActor.start(end.supervision)):
        tell(failing, raising(ValueError("x")))
        wait_for(lambda failing=failing: not failing.is_alive())  # type: ignore[misc]
    assert logged == [1, 1]


def test_a_critical_actor_may_die_while_all_stops() -> None:
    """Rows L8, N10: an orderly stop is never killed."""
    end = End()
    ref = CriticalActor.start(end.supervision)
    end.vitals.stopping.set()
    ref.tell(raising(SystemExit(3)))
    wait_for(lambda: end.vitals.counted("actor_exceptions") == 1)
    wait_for(lambda: not ref.is_alive())
    assert end.kills == 0
    assert end.causes == []


def test_who_is_critical() -> None:
    """Without a poller or the daemon nothing is decided; without a watchdog nobody sees it. Operators are replaced."""
    pollers = (CloudNodeListMonitorActor, ArvadosNodeListMonitorActor, JobQueueMonitorActor)
    assert all(each.critical for each in (*pollers, NodeManagerDaemonActor, WatchdogActor))
    assert not OperatorActor.critical


def test_a_ping_is_answered() -> None:
    with running(DoingActor, End().supervision) as ref:
        assert ref.ask(Ping(), timeout=BOUND) is True


def test_an_unknown_message_is_an_exception_not_silence(caplog: pytest.LogCaptureFixture) -> None:
    end = End()
    with caplog.at_level(logging.ERROR, logger="pykka"):
        ref = DoingActor.start(end.supervision)
        ref.tell("hello")
        wait_for(lambda: not ref.is_alive())
        wait_for(lambda: end.vitals.counted("actor_exceptions") == 1)
    assert "does not know the message str" in caplog.text


def test_what_an_actor_is_doing_can_be_seen_from_outside() -> None:
    end = End()
    entered, leave = threading.Event(), threading.Event()

    def work() -> None:
        entered.set()
        leave.wait(BOUND)

    with running(DoingActor, end.supervision) as ref:
        ref.tell(Do(work))
        assert entered.wait(BOUND)
        (activity,) = end.vitals.activities()
        assert activity.actor.startswith("DoingActor.")
        assert activity.doing.message == "Do"
        leave.set()
        wait_for(lambda: activity.doing.message == "")
    assert end.vitals.activities() == ()


def test_telling_a_dead_actor_is_no_error() -> None:
    """Row A4."""
    ref = DoingActor.start(End().supervision)
    ref.stop(timeout=BOUND)
    assert tell(ref, Ping()) is False


def test_actors_leave_no_registration_behind() -> None:
    before = set(pykka.ActorRegistry.get_all())
    with running(DoingActor, End().supervision):
        pass
    assert set(pykka.ActorRegistry.get_all()) <= before
