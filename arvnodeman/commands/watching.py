"""Long work at a terminal: a bar that shows how far it is, and Ctrl-C, which lets it give what there is so far."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import FrameType

INTERRUPTED = 130  # exit code, as shells have it for SIGINT


@dataclass(slots=True)
class LongWork:
    """How far it is, and whether it is to end."""

    tell: Callable[[float], None]  # the share that is done
    interrupted: bool = False

    def stop(self) -> bool:
        """Has somebody pressed Ctrl-C?"""
        return self.interrupted


@contextlib.contextmanager
def watched(words: str) -> Iterator[LongWork]:
    """While something goes on. The first Ctrl-C asks it to end, a second one ends the program."""
    watch = LongWork(lambda _: None)

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        if watch.interrupted:
            raise KeyboardInterrupt
        watch.interrupted = True

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        if not sys.stderr.isatty():
            yield watch
            return
        with _bar(words) as watch.tell:
            yield watch
    finally:
        signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def _bar(words: str) -> Iterator[Callable[[float], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(words, total=1.0)
        yield lambda share: progress.update(task, completed=share)
