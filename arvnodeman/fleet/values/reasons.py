"""Why: the typed reasons of decisions, and of decisions not to act. They are put into words only when somebody asks.

Every reason is a frozen value with the figures in it. `words(t)` needs the steady time at which it is asked, since "in
43 s" changes. Times in reasons (`until`) are steady seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import ClassVar, NamedTuple


def span(seconds: float) -> str:
    """A duration for people: 43 s, 12 min, 3.5 h."""
    seconds = max(0.0, seconds)
    if seconds < 120:
        return f"{seconds:.0f} s" if seconds >= 10 or seconds == int(seconds) else f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


@dataclass(frozen=True, slots=True)
class Reason:
    """The base of all reasons. `until`, where a reason has one, is the steady time at which it may end by itself."""

    goes: ClassVar[bool] = False  # of a node: it may be shut down for this reason
    until: float | None = None

    def words(self, t: float) -> str:
        """One clause, as asked at steady time `t`."""
        raise NotImplementedError

    def _in(self, t: float) -> str:
        return "" if self.until is None else f" in {span(self.until - t)}"


class InWords(NamedTuple):
    """A reason as an argument of a line of the log: put into words, as of steady time `t`, when that is written."""

    cause: Reason
    t: float

    def __str__(self) -> str:
        return self.cause.words(self.t)


@dataclass(frozen=True, slots=True)
class Plain(Reason):
    """A reason that is all said by its text."""

    text: str = ""

    def words(self, t: float) -> str:
        """The text."""
        return self.text


# ---- why a node is not shut down -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Held(Reason):
    """An operator's hold forbids it."""

    reason: str = ""

    def words(self, t: float) -> str:
        """held by an operator (REASON)."""
        return f"held by an operator ({self.reason or 'no reason given'})"


@dataclass(frozen=True, slots=True)
class Working(Reason):
    """Slurm calls it busy."""

    slurm: str = ""

    def words(self, t: float) -> str:
        """Slurm says alloc."""
        return f"it works: Slurm says {self.slurm}" if self.slurm else "it works"


@dataclass(frozen=True, slots=True)
class MayWork(Reason):
    """Slurm calls a name busy that is another node's, and under which it may find this one."""

    hostname: str = ""
    slurm: str = ""

    def words(self, t: float) -> str:
        """Slurm says alloc of compute1, which may be this node."""
        return f"it may work: Slurm says {self.slurm} of {self.hostname}, which may be this node"


@dataclass(frozen=True, slots=True)
class WindowShut(Reason):
    """No shutdown window is open."""

    def words(self, t: float) -> str:
        """shutdown window closed, next in 12 min."""
        return f"shutdown window closed, next{self._in(t)}"


@dataclass(frozen=True, slots=True)
class BootWait(Reason):
    """It is younger than boot_fail_after, and gets time to come up."""

    lacks: NoAddress | None = None

    def words(self, t: float) -> str:
        """it has 20 min left to come up."""
        lacks = f"; {self.lacks.words(t)}" if self.lacks else ""
        return f"it has {span((self.until or t) - t)} left to come up{lacks}"


@dataclass(frozen=True, slots=True)
class IdleWait(Reason):
    """It has not been idle for enough node polls in a row."""

    polls: int = 0
    needed: int = 0

    def words(self, t: float) -> str:
        """idle for 1 node poll in a row of 2 needed."""
        return f"idle for {self.polls} node poll(s) in a row of {self.needed} needed"


@dataclass(frozen=True, slots=True)
class RecordStale(Reason):
    """Its record is old and Slurm does not vouch: it may be working and only cut off."""

    age: float = 0.0

    def words(self, t: float) -> str:
        """node state is stale (record 3.0 h old), it may be working and cut off."""
        return f"node state is stale (record {span(self.age)} old), it may be working and cut off"


@dataclass(frozen=True, slots=True)
class Wanted(Reason):
    """The queue wants it."""

    size: str = ""

    def words(self, t: float) -> str:
        """a waiting job wants a node of m5.large."""
        return f"a waiting job wants a node of {self.size}"


@cache
def wanted(size: str) -> Reason:
    """The queue wants nodes of a size: one value for each."""
    return Wanted(size=size)


@dataclass(frozen=True, slots=True)
class KeepsMinimum(Reason):
    """min_nodes."""

    min_nodes: int = 0

    def words(self, t: float) -> str:
        """min_nodes keeps 2 nodes."""
        return f"min_nodes keeps {self.min_nodes} node(s)"


@dataclass(frozen=True, slots=True)
class UnderWay(Reason):
    """An operation of ours works on it."""

    what: str = ""
    because: Reason | None = None  # why it was begun

    def words(self, t: float) -> str:
        """waiting for its work to end; begun because its size is unknown."""
        return self.what if self.because is None else f"{self.what}; begun because {self.because.words(t)}"


@dataclass(frozen=True, slots=True)
class NotYet(Reason):
    """It may go, and nothing is begun now. `until`: no earlier than then."""

    cause: Reason | None = None  # why it may go

    def words(self, t: float) -> str:
        """idle for 3 node poll(s) in a row and not wanted; decided at the next node poll."""
        when = "decided at the next node poll" if self.until is None else f"tried again{self._in(t)}"
        return f"{self.cause.words(t)}; {when}" if self.cause is not None else when


BOOTS = UnderWay(what="it is booting")
NOT_JUDGED = Plain(text="it is new: the next node poll will judge it")


@cache
def working(slurm: str) -> Reason:
    """Slurm calls it busy: one value for each of its few words."""
    return Working(slurm=slurm)


# ---- why a node is shut down -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class IdleExceeded(Reason):
    """Nobody wants it, and it was idle long enough."""

    goes: ClassVar[bool] = True
    polls: int = 0
    makes_room: bool = False  # at a limit: window and min_nodes do not count

    def words(self, t: float) -> str:
        """idle for 3 node polls in a row and not wanted."""
        extra = ", and a job of another size waits for its place" if self.makes_room else ""
        return f"idle for {self.polls} node poll(s) in a row and not wanted{extra}"


@dataclass(frozen=True, slots=True)
class NeverPaired(Reason):
    """It did not come up within boot_fail_after (row D1)."""

    goes: ClassVar[bool] = True
    age: float = 0.0

    def words(self, t: float) -> str:
        """never paired in 30 min."""
        return f"never paired in {span(self.age)}"


@dataclass(frozen=True, slots=True)
class CloudFailed(Reason):
    """The cloud itself calls it failed, and Slurm does not call it busy."""

    goes: ClassVar[bool] = True
    fault: str = ""

    def words(self, t: float) -> str:
        """the cloud calls it failed: No valid host was found."""
        return f"the cloud calls it failed: {self.fault}" if self.fault else "the cloud calls it failed"


@dataclass(frozen=True, slots=True)
class NoAddress(Reason):
    """The cloud shows no address of it, and without one Slurm cannot reach it."""

    goes: ClassVar[bool] = True
    shown: str = ""

    def words(self, t: float) -> str:
        """the cloud shows no address of it, so Slurm cannot reach it."""
        return f"the cloud shows {self.shown or 'no address of it'}, so Slurm cannot reach it"


@dataclass(frozen=True, slots=True)
class IsDown(Reason):
    """It is down."""

    goes: ClassVar[bool] = True
    why: str = ""

    def words(self, t: float) -> str:
        """down: Slurm says drain (REASON)."""
        return f"down: {self.why}"


@dataclass(frozen=True, slots=True)
class HasFailed(Reason):
    """Slurm says fail (row E17)."""

    goes: ClassVar[bool] = True

    def words(self, t: float) -> str:
        """Slurm says fail."""
        return "Slurm says fail"


@dataclass(frozen=True, slots=True)
class SizeUnknown(Reason):
    """Its size tag names no configured size (row C25)."""

    goes: ClassVar[bool] = True
    tag: str = ""

    def words(self, t: float) -> str:
        """node's size tag 'x' not recognizable."""
        return f"node's size tag {self.tag!r} not recognizable"


# ---- why a job has no node yet ---------------------------------------------------------------------------------------


def _wanted(nodes: int, size: str) -> str:
    """'' where nobody wants any, and it is only told that none may be."""
    return f"{nodes} of {size} wanted, " if nodes else ""


@dataclass(frozen=True, slots=True)
class AtMaxNodes(Reason):
    """max_nodes stops it."""

    wanted: int = 0
    size: str = ""
    nodes: int = 0
    max_nodes: int = 0

    def words(self, t: float) -> str:
        """2 of m5.large wanted, max_nodes of 8 reached with 8 nodes."""
        return f"{_wanted(self.wanted, self.size)}max_nodes of {self.max_nodes} reached with {self.nodes} node(s)"


@dataclass(frozen=True, slots=True)
class AtQuota(Reason):
    """The soft quota stops it."""

    wanted: int = 0
    size: str = ""
    nodes: int = 0
    quota: int = 0
    of: str = "quota"  # or "slot quota (MaxComputeVMs)"

    def words(self, t: float) -> str:
        """2 of m5.large wanted, quota of 8 reached with 8 nodes; tried again in 43 s."""
        again = f"; tried again{self._in(t)}" if self.until is not None else ""
        wanted = _wanted(self.wanted, self.size)
        return f"{wanted}{self.of} of {self.quota} reached with {self.nodes} node(s){again}"


@dataclass(frozen=True, slots=True)
class AtPriceCap(Reason):
    """max_total_price stops it."""

    wanted: int = 0
    size: str = ""
    price: float = 0.0
    total: float = 0.0
    cap: float = 0.0

    def words(self, t: float) -> str:
        """1 of m5.large (price 0.1) wanted, would exceed max_total_price of 8 (now 7.95)."""
        wanted = f"{self.wanted} of {self.size} (price {self.price:g}) wanted,"
        who = wanted if self.wanted else f"one more of {self.size} (price {self.price:g})"
        return f"{who} would exceed max_total_price of {self.cap:g} (now {self.total:g})"


@dataclass(frozen=True, slots=True)
class BackingOff(Reason):
    """Every size that it could have rests."""

    size: str = ""
    why: str = ""
    detail: str = ""
    too_dear: str = ""  # a size that only max_price_factor forbids

    def words(self, t: float) -> str:
        """m5.large rests for 43 s: the cloud has no capacity for it."""
        detail = f" ({self.detail})" if self.detail else ""
        dear = f"; {self.too_dear} would fit, but max_price_factor forbids it" if self.too_dear else ""
        return f"{self.size} rests for {span((self.until or t) - t)}: {self.why}{detail}{dear}"


@dataclass(frozen=True, slots=True)
class Unproven(Reason):
    """No node of the size has come up yet, and enough are on their way to find out."""

    size: str = ""
    pending: int = 0
    probe: bool = False

    def words(self, t: float) -> str:
        """no node of m5.large has come up yet, 5 are on their way."""
        if self.probe:
            return f"{self.pending} node(s) of {self.size} on their way as a probe after its back-off"
        return f"no node of {self.size} has come up yet, {self.pending} on their way"


@dataclass(frozen=True, slots=True)
class Behind(Reason):
    """A job before it is stopped by a limit."""

    limit: Reason | None = None

    def words(self, t: float) -> str:
        """behind a job that waits: quota …"""
        return f"behind a job that waits: {self.limit.words(t)}" if self.limit else "behind a job that waits"


@dataclass(frozen=True, slots=True)
class Unsatisfiable(Reason):
    """No configuration of ours can serve it."""

    text: str = ""

    def words(self, t: float) -> str:
        """Constraints cannot be satisfied by any node type."""
        return self.text
