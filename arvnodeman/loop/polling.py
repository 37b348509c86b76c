"""When a list is fetched next: the rules, without a thread or a timer. Moments are of a clock that is never set."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class PollTimes:
    """Seconds between polls: while all is well, and at most after failures."""

    interval: float
    max_wait: float

    @property
    def longest(self) -> float:
        """No wait is longer than this one."""
        return max(self.interval, self.max_wait)


@dataclass(slots=True)
class PollPlan:
    """One poll's. Success: the next attempt comes at planned start + interval, or at end + interval when that is past.
    Failure: at start + a wait that doubles up to `max_wait`, until the first success (rows A1, A2, A15, A16), or until
    a wake, where that comes from the source itself."""

    times: PollTimes
    planned: float  # the next attempt
    started: float = float("-inf")  # the last one
    wait: float = field(init=False)  # grows with failures
    answers: bool = False  # a wake says of the source that failed last that it answers again

    def __post_init__(self) -> None:
        self.wait = self.times.interval

    def succeeded(self, end: float) -> None:
        """The attempt that began at `started` brought a list."""
        self.wait = self.times.interval
        self._plan(self.planned + self.wait, end)

    def failed(self, end: float, retry_after: float | None, *, wakes: bool = False) -> None:
        """It did not. `retry_after`: seconds that the server asked for; `wakes`: wakes come from this very source."""
        self.answers = wakes and retry_after is None
        self.wait = min(self.wait * 2, self.times.longest)
        if retry_after is not None:
            self.wait = min(max(self.wait, retry_after), self.times.longest)
        self._plan(self.started + self.wait, end)

    def bring_forward(self, asked_at: float, *, wake: bool = False) -> bool:
        """Poll now, unless an attempt has begun after `asked_at`. True where that moves it. A source that fails, and
        may have said how long it wants to be left alone, is left alone; but a wake says that it answers again."""
        left_alone = self.wait > self.times.interval and not (wake and self.answers)
        if left_alone or not self.started < asked_at < self.planned:
            return False
        self.planned = asked_at
        return True

    def retime(self, times: PollTimes, now: float) -> None:
        """Other intervals, from the next attempt on."""
        self.times = times
        self.wait = times.interval
        self.planned = min(self.planned, now + times.interval)

    def _plan(self, moment: float, end: float) -> None:
        self.planned = moment if moment >= end else end + self.wait
