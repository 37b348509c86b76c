"""Many points at once, in processes of their own.

The trace goes to each process once, through its pipe: no file is left behind, whatever ends. A process that dies, out
of memory or by a fault, takes its point with it and no other.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from arvnodeman.traces.job import TracedJob
from arvnodeman.whatif.points import Play, PlayedPoint, Point, Trials

LOOK_EVERY = 0.2  # seconds between two looks at whether all is to end
TOLD_LEAST = 0.005  # of a point, between two words of how far it is

_context = multiprocessing.get_context("spawn")


class Stopped(Exception):
    """Somebody has ended it. What came until then has been given."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A point of which nothing came. The text is one line for people."""

    text: str


@dataclass(slots=True)
class _Worker:
    process: BaseProcess
    pipe: Connection
    index: int | None = None  # of the point that it plays


def cores() -> int:
    """That this process may use."""
    return len(os.sched_getaffinity(0))


class Workers:
    """Some processes that have a trace. To be closed: as a context."""

    def __init__(self, jobs: Sequence[TracedJob], play: Play, processes: int) -> None:
        self._start = pickle.dumps((tuple(jobs), play), protocol=pickle.HIGHEST_PROTOCOL)
        self._processes = processes
        self._workers: list[_Worker] = []

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def results(
        self,
        points: Sequence[Point],
        progress: Callable[[float], object] | None = None,
        stop: Callable[[], bool] | None = None,
    ) -> Iterator[tuple[int, PlayedPoint | Failure]]:
        """What came of each, with its place in the list, in the order in which they are done. `progress` is told the
        share of all that is done. Raises Stopped once `stop` says so."""
        shares = [0.0] * len(points)
        waiting = list(enumerate(points))[::-1]
        open_points = len(points)
        while open_points:
            if stop is not None and stop():
                self.close()
                raise Stopped
            self._feed(waiting)
            busy = {worker.pipe: worker for worker in self._workers if worker.index is not None}
            for pipe in wait(list(busy), LOOK_EVERY):
                worker = busy[pipe]  # type: ignore[index]  # they are what was given
                index = worker.index
                assert index is not None
                said = self._said(worker)
                if isinstance(said, float):
                    shares[index] = said
                else:
                    shares[index], open_points = 1.0, open_points - 1
                    yield index, said
            if progress is not None:
                progress(sum(shares) / len(shares))

    def close(self) -> None:
        """End all processes, whatever they do."""
        for worker in self._workers:
            worker.process.kill()
        for worker in self._workers:
            worker.process.join()
            worker.pipe.close()
        self._workers.clear()

    def _feed(self, waiting: list[tuple[int, Point]]) -> None:
        """Give points to those that have none; start processes as long as there are points for them."""
        free = [worker for worker in self._workers if worker.index is None]
        while waiting and (free or len(self._workers) < self._processes):
            worker = free.pop() if free else self._started()
            worker.index, point = waiting.pop()
            with contextlib.suppress(OSError):  # dead: it is seen when it is listened to
                worker.pipe.send(point)

    def _started(self) -> _Worker:
        ours, theirs = _context.Pipe()
        process = _context.Process(target=_work, args=(theirs, os.getpid()), daemon=True)
        with _without_interrupts():
            process.start()
        theirs.close()
        worker = _Worker(process, ours)
        self._workers.append(worker)
        with contextlib.suppress(OSError):
            ours.send_bytes(self._start)
        return worker

    def _said(self, worker: _Worker) -> float | PlayedPoint | Failure:
        """A share that is done, or what came of its point."""
        try:
            said: float | PlayedPoint | Failure = worker.pipe.recv()
        except (EOFError, OSError):
            self._workers.remove(worker)
            worker.process.join()
            worker.pipe.close()
            return Failure(f"its process has ended: {_ending(worker.process.exitcode)}")
        if not isinstance(said, float):
            worker.index = None
        return said


@contextlib.contextmanager
def _without_interrupts() -> Iterator[None]:
    """What is started here never hears of Ctrl-C, which a terminal sends to all: not even while it starts."""
    resource_tracker.ensure_running()  # else the first start starts it, too, and lets the signal through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _ending(code: int | None) -> str:
    if code is not None and code < 0:
        name = signal.Signals(-code).name
        return f"{name}, out of memory, it may be" if name == "SIGKILL" else name
    return f"exit code {code}"


def _work(pipe: Connection, parent: int) -> None:
    """A process: takes the trace, then point after point, until nobody is there any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(EOFError, OSError):
        jobs, play = pickle.loads(pipe.recv_bytes())  # noqa: S301  # from our own parent
        trials = Trials(jobs, play)
        while True:
            pipe.send(_outcome(trials, pipe.recv(), pipe, parent))


def _outcome(trials: Trials, point: Point, pipe: Connection, parent: int) -> PlayedPoint | Failure:
    told = 0.0

    def progress(share: float) -> None:
        nonlocal told
        if share - told >= TOLD_LEAST:
            told = share
            pipe.send(float(share))

    def stop() -> bool:
        return os.getppid() != parent

    try:
        return trials.run(point, progress, stop)
    except Exception as error:  # noqa: BLE001  # a fault of one point is told, and ends no other
        return Failure(one_line_of(error))


def one_line_of(error: BaseException) -> str:
    """What went wrong, for people."""
    words: list[Any] = str(error).split()
    return f"{type(error).__name__}: {' '.join(words)}"[:300]
