"""What the nodes have cost so far this hour, this day and this month, of this machine's calendar."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass

from arvnodeman.history.lives import Life, PaidSpan, cost

PERIODS = ("hour", "day", "month")


@dataclass(frozen=True, slots=True)
class Costs:
    """In $. `since`: nodes that ended before this moment (seconds since the epoch) are not known, and not counted."""

    hour: float = 0.0
    day: float = 0.0
    month: float = 0.0
    complete: bool = False  # all nodes of this month are counted
    since: float = 0.0


def starts(now: float) -> dict[str, float]:
    """When the hour, the day and the month began in which this moment is."""
    local = time.localtime(now)
    day = time.mktime((local.tm_year, local.tm_mon, local.tm_mday, 0, 0, 0, 0, 0, -1))
    month = time.mktime((local.tm_year, local.tm_mon, 1, 0, 0, 0, 0, 0, -1))
    return {"hour": now - local.tm_min * 60 - local.tm_sec - now % 1, "day": day, "month": month}


class Money:
    """Adds up. Told by the recorder, asked by any thread."""

    def __init__(self, since: float) -> None:
        """`since`: when the account begins, in seconds since the epoch."""
        self._lock = threading.Lock()
        self._since = since
        self._starts = dict.fromkeys(PERIODS, 0.0)
        self._spent = dict.fromkeys(PERIODS, 0.0)  # by lives that have ended
        self._running: list[tuple[float, float]] = []  # when it began, $/hour
        self._rate = 0.0
        self._before = dict.fromkeys(PERIODS, 0.0)  # $/hour × moment, from which each open life counts

    def count(self, running: Iterable[Life], spans: Iterable[PaidSpan], now: float) -> None:
        """The lives that go on, all of them, and the times since the last call that are to be paid for."""
        with self._lock:
            self._roll(now)
            for span in spans:
                self._spend(*span)
            self._running = [(max(life.began, life.owed_from), life.price) for life in running]
            self._weigh()

    def goes_back_to(self, moment: float) -> None:
        """An earlier run has left an account that begins there."""
        with self._lock:
            self._since = min(self._since, moment)

    def costs(self, now: float) -> Costs:
        """So far."""
        with self._lock:
            self._roll(now)
            so_far = {
                period: max(0.0, self._spent[period] + (self._rate * now - self._before[period]) / 3600)
                for period in PERIODS
            }
            return Costs(**so_far, complete=self._since <= self._starts["month"], since=self._since)

    def _spend(self, price: float, since: float, until: float) -> None:
        for period in PERIODS:
            self._spent[period] += cost(price, max(since, self._starts[period]), until)

    def _roll(self, now: float) -> None:
        """Periods that have begun since the last look begin at nothing."""
        now_starts = starts(now)
        if abs(now_starts["hour"] - self._starts["hour"]) < 1 and now_starts["day"] == self._starts["day"]:
            return
        for period, start in now_starts.items():
            if start > self._starts[period] + 1:
                self._starts[period], self._spent[period] = start, 0.0
        self._weigh()

    def _weigh(self) -> None:
        self._rate = sum(price for _, price in self._running)
        for period in PERIODS:
            start = self._starts[period]
            self._before[period] = sum(price * max(began, start) for began, price in self._running)
