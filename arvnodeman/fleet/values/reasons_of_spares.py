"""Why, where nodes stand ready before a job wants them."""

from __future__ import annotations

from dataclasses import dataclass

from arvnodeman.fleet.values.reasons import Reason, span


@dataclass(frozen=True, slots=True)
class StaysAsSpare(Reason):
    """It is idle beyond all that jobs have, and is wanted so."""

    spare: str = ""

    def words(self, t: float) -> str:
        """it stays as a spare of day."""
        return f"it stays as a spare of {self.spare}"


@dataclass(frozen=True, slots=True)
class StaysAhead(Reason):
    """It is idle, and a job that cannot start yet is to have it. `until`: when that may start."""

    job: str = ""
    why: str = ""

    def words(self, t: float) -> str:
        """it stays for job 17, which may start in 3 min: it begins at 14:00."""
        return f"it stays for job {self.job}, which may start{self._in(t)}: {self.why}"


@dataclass(frozen=True, slots=True)
class WaitsToBoot(Reason):
    """Why there is no node yet for a job that cannot start: it is early. `until`: when it begins to boot."""

    why: str = ""
    starts: float = 0.0  # steady time
    boot: float = 0.0  # seconds that nine of ten boots take at most

    def words(self, t: float) -> str:
        """it begins at 14:00, in 20 min; a node for it boots in 15 min, as nine of ten are up within 5 min."""
        starts, boot = span(self.starts - t), span(self.boot)
        return f"{self.why}, in {starts}; a node for it boots{self._in(t)}, as nine of ten are up within {boot}"


@dataclass(frozen=True, slots=True)
class Readied(Reason):
    """Nodes for a job that cannot start yet. `until`: when it may."""

    why: str = ""
    idle: int = 0
    coming: int = 0
    rooms: int = 0  # nodes that other jobs have, with room for it

    def words(self, t: float) -> str:
        """its begin time comes in 3 min; 1 node stands ready for it, 0 are on their way."""
        ready = f"{self.idle} node{' stands' if self.idle == 1 else 's stand'} ready for it"
        room = f", {self.rooms} with other jobs ha{'s' if self.rooms == 1 else 've'} room for it" if self.rooms else ""
        return f"{self.why}{self._in(t)}; {ready}, {self.coming} on the way{room}"


@dataclass(frozen=True, slots=True)
class NotWorth(Reason):
    """Why no node is booted ahead for a job: it would idle for longer than that saves."""

    job: str = ""
    why: str = ""
    idle: float = 0.0  # seconds that a node is expected to
    saved: float = 0.0  # that the job would wait for one
    most: float = 0.0  # ahead_max_idle

    def words(self, t: float) -> str:
        """job 17 ends then; a node booted ahead would idle for 30 min on average, to save it a wait of 5 min."""
        idles = f"a node booted ahead would idle for {span(self.idle)} on average"
        if self.idle > self.most:
            return f"{self.why}; {idles}, and ahead_max_idle is {span(self.most)}"
        return f"{self.why}; {idles}, to save it a wait of {span(self.saved)}"


@dataclass(frozen=True, slots=True)
class AnotherHolds(Reason):
    """Why nothing is kept for a spare whose hours are open: another one of its size wants as many, or more."""

    spare: str = ""

    def words(self, t: float) -> str:
        """spare day of the same size wants as many or more, and counts."""
        return f"spare {self.spare} of the same size wants as many or more, and counts"


@dataclass(frozen=True, slots=True)
class JobsFirst(Reason):
    """Why there are fewer spares than are wanted: jobs wait for room."""

    def words(self, t: float) -> str:
        """a job waits for room, and goes first."""
        return "a job waits for room, and goes first"
