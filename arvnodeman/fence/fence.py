"""The fence: how long this process may act for sure, and why not.

It stands at the hands. Whoever is about to send what changes something outside asks it at that moment, in the thread
that sends; nobody else may be asked whether it is still so. One process has one fence (`of_process`), as it has one
pace for its requests: commands that people type never set it, and it is open for them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from arvnodeman.fleet.values.model import ErrorKind, RemoteError, RemoteFailure

ALWAYS = float("inf")
GENERATION_HEADER = "X-Node-Manager-Generation"
"""Of HTTP requests that change something: the lead under which each is sent, for those who ask who wrote what."""
GENERATION_VARIABLE = "NODE_MANAGER_GENERATION"
"""The same in the environment of commands that change something, for a wrapper of Slurm's commands."""


def steady() -> float:
    """Seconds of a clock that nobody sets, and that goes on while the host is suspended: holds are counted by it."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


@dataclass(frozen=True, slots=True)
class FenceStanding:
    """How things stand at one moment, for those who tell of it."""

    leads: bool  # for all that is known, this process leads
    generation: int  # of the newest hold; 0: there was none, or the backend counts none
    age: float  # seconds since the newest hold began; 0 where it does not age
    left: float  # seconds for which it may act; below 0: it may not
    why_not: str = ""  # in words, where it may not act

    @property
    def acts(self) -> bool:
        """May it send what changes something?"""
        return self.left > 0


@dataclass(frozen=True, slots=True)
class _Held:
    """What the fence knows: replaced as a whole, so that a reader needs no lock."""

    leads: bool
    generation: int
    began: float
    why_not: str


class Fence:
    """Any thread may ask it; one sets it."""

    def __init__(self, ttl: float, margin: float, clock: Callable[[], float] = steady, *, why_not: str = "") -> None:
        """Shut until the first hold. Seconds."""
        self.ttl, self.margin = ttl, margin
        self.clock = clock
        self._led_since = -ALWAYS  # when the present lead began
        self._held = _Held(leads=False, generation=0, began=-ALWAYS, why_not=why_not or "it does not lead yet")
        self._lock = threading.Lock()  # for those who set it
        self.refused = 0  # requests that were not sent

    def hold(self, generation: int, began: float) -> None:
        """This process leads, by an answer to a request that began then. An older answer takes nothing back."""
        with self._lock:
            before = self._held
            if not before.leads or before.generation != generation:
                self._led_since = -ALWAYS if began == ALWAYS else self.clock()
            if before.leads and before.generation == generation:
                began = max(began, before.began)
            self._held = _Held(True, generation, began, "")

    def lose(self, why: str) -> None:
        """Somebody else leads, or may. `why`: one line for people."""
        with self._lock:
            self._held = replace(self._held, leads=False, began=-ALWAYS, why_not=why)

    @property
    def standing(self) -> FenceStanding:
        """How things stand now."""
        held = self._held
        age = 0.0 if held.began == ALWAYS else self.clock() - held.began
        left = ALWAYS if held.began == ALWAYS else self.ttl - self.margin - age
        why = held.why_not
        if held.leads and left <= 0:
            why = f"its lead was renewed {age:.1f} s ago for the last time, and lasts {self.ttl:g} s"
        return FenceStanding(held.leads, held.generation, age, left if held.leads else -ALWAYS, why)

    @property
    def led_for(self) -> float:
        """Seconds since the present lead began: what another manager has asked for was asked for before that."""
        return self.clock() - self._led_since

    def fit(self, seconds: float) -> tuple[int, float]:
        """As `check`, for a request whose answer need not be waited for so long: the generation, and for how long it
        may be waited for, which is at least what any request may take."""
        generation = self.check(min(seconds, self.ttl / 2 - self.margin))
        return generation, min(seconds, self.standing.left)

    def check(self, seconds: float = 0.0) -> int:
        """To be called just before something is sent whose answer is waited for so long at most. The generation.

        Raises RemoteFailure of the kind NOT_LEADER: nothing must be sent."""
        standing = self.standing
        if standing.left > seconds:
            return standing.generation
        why = (
            standing.why_not
            or f"its lead lasts {standing.left:.1f} s yet for sure, and a request may take {seconds:g} s"
        )
        with self._lock:
            self.refused += 1
        raise RemoteFailure(RemoteError(ErrorKind.NOT_LEADER, f"not the leader: {why}"))


def open_fence() -> Fence:
    """One that lets everything through: nobody else can lead."""
    fence = Fence(ALWAYS, 0.0)
    fence.hold(0, ALWAYS)
    return fence


_of_process = open_fence()


def of_process() -> Fence:
    """The one that all writers of this process ask."""
    return _of_process


def set_for_process(fence: Fence) -> None:
    """From now on all writers of this process ask this one. For the launcher, before anything is sent."""
    global _of_process  # noqa: PLW0603  # one for the process, as the pace of its requests is
    _of_process = fence
