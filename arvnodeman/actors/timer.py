"""The timer: delivers messages at moments of the monotonic clock."""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable
from dataclasses import dataclass

from arvnodeman.actors.base import Ref, tell
from arvnodeman.supervision.clock import Clock
from arvnodeman.supervision.ending import Ending, ExitCause, ExitKind

LONGEST_SLEEP = 3600.0  # seconds; the C library's waits have an upper limit


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message that is due at a moment."""

    at: float
    receiver: Ref
    message: object


class Schedule:
    """What is due when. For each receiver and type of message only the newest is kept: arming again moves it.

    Deliveries for the same moment come in the order in which they were armed. Not thread-safe.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, tuple[str, type]]] = []
        self._newest: dict[tuple[str, type], tuple[int, Delivery]] = {}
        self._number = 0

    def add(self, delivery: Delivery) -> None:
        """Arm a delivery, in place of an older one for this receiver of a message of this type."""
        self._number += 1
        key = (delivery.receiver.actor_urn, type(delivery.message))
        self._newest[key] = (self._number, delivery)
        heapq.heappush(self._heap, (delivery.at, self._number, key))
        if len(self._heap) > 64 and len(self._heap) > 4 * len(self._newest):  # mostly moved ones
            self._heap = [(armed.at, number, key) for key, (number, armed) in self._newest.items()]
            heapq.heapify(self._heap)

    def next(self) -> float | None:
        """The moment of the first delivery, None when there is none."""
        while self._heap and not self._is_newest(self._heap[0]):
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def due(self, moment: float) -> list[Delivery]:
        """Take out what is due at or before this moment (row A19)."""
        taken: list[Delivery] = []
        while (first := self.next()) is not None and first <= moment:
            _, _, key = heapq.heappop(self._heap)
            taken.append(self._newest.pop(key)[1])
        return taken

    def _is_newest(self, entry: tuple[float, int, tuple[str, type]]) -> bool:
        return entry[2] in self._newest and self._newest[entry[2]][0] == entry[1]


class Timer:
    """One thread that tells actors what is due. Any thread may call `at`.

    Its death would stop all polling in silence (row N9), so it ends the process.
    """

    def __init__(self, clock: Clock, ending: Ending) -> None:
        self._monotonic: Callable[[], float] = clock.monotonic
        self._ending = ending
        self._schedule = Schedule()
        self._changed = threading.Condition()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="Timer", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def at(self, moment: float, receiver: Ref, message: object) -> None:
        """Tell `receiver` the message at `moment` (monotonic), in place of an earlier one of the message's type."""
        with self._changed:
            self._schedule.add(Delivery(moment, receiver, message))
            self._changed.notify()

    def stop(self) -> None:
        """Stop at once; what is still due is dropped."""
        with self._changed:
            self._stopped = True
            self._changed.notify()

    def join(self, timeout: float) -> bool:
        """Wait for the thread's end; False when it is still there after `timeout` seconds."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            while (due := self._wait()) is not None:
                for delivery in due:
                    tell(delivery.receiver, delivery.message)
        except BaseException as error:
            self._ending.now(
                ExitCause(ExitKind.FATAL, "Timer", "The timer has failed, killing Node Manager", "Timer", error)
            )
            raise

    def _wait(self) -> list[Delivery] | None:
        """Sleep until something is due; None when stopped."""
        with self._changed:
            while not self._stopped:
                due = self._schedule.due(self._monotonic())
                if due:
                    return due
                first = self._schedule.next()
                self._changed.wait(None if first is None else min(LONGEST_SLEEP, max(0.0, first - self._monotonic())))
            return None
