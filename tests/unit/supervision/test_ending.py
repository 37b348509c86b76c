"""The end comes, always, and last words never hold it up."""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Callable

import pytest

from arvnodeman.supervision.ending import Ending, ExitCause, ExitKind, is_fatal

CAUSE = ExitCause(ExitKind.WATCHDOG, "an actor", "it hangs")
BOUND = 10.0


class Kill:
    """Counts, and tells when."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> None:
        self.count += 1


@pytest.mark.parametrize(
    ("error", "fatal"),
    [
        (MemoryError(), True),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), True),
        (RuntimeError("can't start new thread"), True),
        (RuntimeError("unable to start watchdog thread"), True),  # of faulthandler
        (OSError(errno.ENOENT, "No such file or directory"), False),
        (OSError("no errno"), False),
        (ConnectionRefusedError(errno.ECONNREFUSED, "refused"), False),
        (RuntimeError("dictionary changed size during iteration"), False),
        (ValueError("can't start new thread"), False),
        (SystemExit(1), False),
    ],
)
def test_which_errors_are_fatal(error: BaseException, fatal: bool) -> None:
    """Row L1 and the traps of Python 3: ENOMEM is an OSError, and not every RuntimeError is a thread error."""
    assert is_fatal(error) is fatal


def test_last_words_come_before_the_kill() -> None:
    order: list[str] = []
    ending = Ending([lambda cause: order.append(cause.text)], lambda: order.append("kill"), limit=BOUND)
    ending.now(CAUSE)
    assert order == ["it hangs", "kill"]
    ending.close()


def test_a_writer_that_fails_holds_up_nothing() -> None:
    kill = Kill()
    written: list[ExitCause] = []

    def fail(_cause: ExitCause) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    Ending([fail, written.append], kill, limit=BOUND).now(CAUSE)
    assert written == [CAUSE]
    assert kill.count == 1


def test_a_writer_that_hangs_holds_up_neither_the_kill_nor_the_others() -> None:
    kill = Kill()
    release = threading.Event()
    written: list[ExitCause] = []
    ending = Ending([lambda _cause: _hang(release), written.append], kill, limit=0.2)
    ending.now(CAUSE)
    assert written == [CAUSE]
    assert kill.count == 1
    release.set()


def _hang(release: threading.Event) -> None:
    release.wait(BOUND)


def test_no_thread_is_started_at_the_end() -> None:
    """When no thread can be started any more, last words are still written."""
    kill = Kill()
    written: list[int] = []
    ending = Ending([lambda _cause: written.append(threading.get_ident())], kill, limit=BOUND)
    before = {thread.ident for thread in threading.enumerate()}
    ending.now(CAUSE)
    assert written[0] in before
    assert written[0] != threading.get_ident()


def test_only_the_first_of_several_callers_kills() -> None:
    kill = Kill()
    ending = Ending([], kill)
    for _ in range(3):
        ending.now(CAUSE)
    assert kill.count == 1


def test_an_end_that_is_called_off_at_the_last_moment_kills_nobody_and_may_come_again() -> None:
    kill = Kill()
    ending = Ending([], kill)
    ending.now(CAUSE, called_off=lambda: True)
    assert kill.count == 0
    ending.now(CAUSE)
    assert kill.count == 1


def test_words_alone_kill_nobody_and_return_in_time() -> None:
    kill = Kill()
    release = threading.Event()
    ending = Ending([lambda _cause: _hang(release)], kill)
    began = time.monotonic()
    ending.words(CAUSE, limit=0.05)
    assert time.monotonic() - began < BOUND
    assert kill.count == 0
    release.set()


@pytest.mark.parametrize("error", [MemoryError, RuntimeError])
def test_even_an_error_while_words_are_begun_does_not_prevent_the_kill(error: type[Exception]) -> None:
    kill = Kill()
    ending = Ending([], kill)

    def fail(*_args: object) -> None:
        raise error

    ending.words = fail  # type: ignore[method-assign, assignment]
    with pytest.raises(error):
        ending.now(CAUSE)
    assert kill.count == 1


def test_the_default_kill_is_sigkill_to_the_own_group(monkeypatch: pytest.MonkeyPatch) -> None:
    """Row L5."""
    killed: list[tuple[int, int]] = []
    monkeypatch.setattr("os.killpg", lambda group, number: killed.append((group, number)))
    monkeypatch.setattr("os.getpgid", lambda _pid: 4711)
    kill: Callable[[], None] = Ending([])._kill
    kill()
    assert killed == [(4711, 9)]


def test_the_c_timer_is_set_before_the_words_and_longer_than_they_may_take() -> None:
    """The kill comes, always: also when Python itself hangs from here on."""
    order: list[object] = []
    ending = Ending([lambda _cause: order.append("words")], lambda: order.append("kill"), 5.0, order.append)
    ending.now(CAUSE)
    assert order == [6.0, "words", "kill"]
    ending.close()


def test_a_c_timer_that_cannot_be_set_prevents_nothing() -> None:
    """It needs a thread, and there may be none."""
    kill = Kill()
    written: list[ExitCause] = []

    def fail(_seconds: float | None) -> None:
        raise RuntimeError("unable to start watchdog thread")

    Ending([written.append], kill, BOUND, fail).now(CAUSE)
    assert (written, kill.count) == ([CAUSE], 1)


def test_an_end_that_is_called_off_sets_the_c_timer_back() -> None:
    armed: list[float | None] = []
    ending = Ending([], Kill(), 5.0, armed.append)
    ending.now(CAUSE, called_off=lambda: True)
    assert armed == [6.0, None]


def test_a_group_that_may_not_be_killed_is_left_by_exit(monkeypatch: pytest.MonkeyPatch) -> None:
    codes: list[int] = []

    def refuse(_group: int, _number: int) -> None:
        raise PermissionError

    monkeypatch.setattr("os.killpg", refuse)
    monkeypatch.setattr("os._exit", codes.append)
    Ending([])._kill()
    assert codes == [137]
