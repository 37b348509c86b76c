"""The memory of vain boots: a node that Slurm does not use for the jobs that it was booted for is evidence.

Slurm decides where a job runs, by rules of which we see a part, and while every node is off its reason does not tell of
most of them. So for each group of jobs (one JobShape) it is remembered that a node was up for it and was not used, and
what Slurm said of its jobs then. Nothing is booted for such a group until its back-off has passed; then one job's nodes
as a probe, and four times as many with each poll that finds Slurm starting its jobs.

Two things are evidence: a node that Slurm could have used for `use_within` while jobs that it fits waited for nodes;
and, at once, a reason which Slurm gives only while a node is up, of jobs for which nodes were booted (or kept) in vain.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from itertools import islice

from arvnodeman.fleet.values.model import JobShape
from arvnodeman.fleet.values.reasons import Reason
from arvnodeman.fleet.values.reasons_of_use import InVain, ProbeFirst

LONGEST = 48  # times the first back-off
REMEMBERED = 86400.0  # seconds: so long after it was vain, or refused, a group's boots begin with a probe
MISLED = 6  # more doublings would be longer than the longest back-off
FASTER = 4  # times as many jobs' nodes at once, with each poll that finds Slurm starting some
MOST_AT_ONCE = 1 << 20
MOST = 2000  # groups that are remembered
SAMPLE = 16  # jobs of a group, the first in turn, that are followed to see whether Slurm starts any
USED_SOON = 600.0  # seconds in which a job that left the queue is brought together with a node that became busy


def group_name(shape: JobShape) -> str:
    """A short name for a group of jobs, the same in every run."""
    asked = repr(shape)
    for unused in (", takes=None", ", behind=''"):  # keys of old journals and of people's notes stay what they were
        asked = asked.replace(unused, "")
    return "g" + hashlib.blake2s(asked.encode(), digest_size=4).hexdigest()


@dataclass(slots=True)
class Memory:
    """What is remembered of a group. Times are steady seconds."""

    reason: str = ""  # Slurm's, while a node was up
    node: str = ""  # that stood idle for it; '': none did yet
    idle: float = 0.0  # seconds that it did
    told_at: float = 0.0  # when Slurm said so last
    vain_at: float | None = None
    wait: float = 0.0  # the last back-off; 0: none since Slurm started a job of it
    until: float = 0.0  # end of the back-off
    at_once: int = 1  # jobs for which nodes may come at the same time
    refused: bool = False  # by Slurm's newest word while a node was up
    turned: bool = False  # its words have changed since to such that nodes would help, and have ended no back-off yet
    heeded: bool = False  # such words ended the last back-off
    misled: int = 0  # times in a row that the nodes which came then were in vain, too
    sample: tuple[str, ...] = ()  # ids of its first jobs, as of the last queue poll
    left_after: float | None = None  # a job has left the queue since this moment: was it started?
    left_at: float = 0.0

    def cause(self, t: float) -> Reason | None:
        """Why nothing is booted for it now; None when something may be."""
        if t >= self.until:
            return None
        return InVain(until=self.until, said=self.reason, node=self.node, idle=self.idle)

    def probing(self) -> Reason:
        """Why no more than a few nodes are booted for it."""
        return ProbeFirst(said=self.reason, jobs=self.at_once)


@dataclass(slots=True)
class Watch:
    """Jobs of a group wait though a node that fits could take one."""

    since: float
    sample: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class IdleNode:
    """A node that Slurm does not use."""

    node: str
    since: float


@dataclass(frozen=True, slots=True)
class Mark:
    """Slurm refused a group for which a node had been booted, and that was idle. Told by the next queue poll: is it so
    still, by the jobs of its sample?"""

    idle: IdleNode
    at: float
    sample: tuple[str, ...]


@dataclass(slots=True)
class Verdict:
    """A group for which nodes came up in vain."""

    shape: JobShape
    memory: Memory


@dataclass(slots=True)
class VainBoots:
    """Changed by the Fleet alone. `first_wait`: the first back-off, in seconds."""

    first_wait: float
    groups: dict[JobShape, Memory] = field(default_factory=dict)
    asked: dict[JobShape, float] = field(default_factory=dict)  # groups for which nodes were booted, and when
    watches: dict[JobShape, Watch] = field(default_factory=dict)
    marks: dict[JobShape, Mark] = field(default_factory=dict)  # groups refused while a node was idle
    looked_at: float = 0.0  # the last queue poll

    def limits(self, shapes: Collection[JobShape]) -> dict[JobShape, Memory]:
        """The groups among these whose boots are held back."""
        if not self.groups:
            return {}
        return {shape: self.groups[shape] for shape in shapes if shape in self.groups}

    def next_end(self, t: float) -> float | None:
        """When the next back-off ends."""
        return min((memory.until for memory in self.groups.values() if memory.until > t), default=None)

    # ---- what is learnt ---------------------------------------------------------------------------------------------

    def refuse(self, shape: JobShape, reason: str, t: float) -> None:
        """Slurm says, while a node that fits is up, that its jobs wait for something else."""
        memory = self.groups.get(shape)
        if memory is None:
            self._make_room()
            memory = self.groups[shape] = Memory()
        memory.reason, memory.refused, memory.told_at, memory.turned = reason, True, t, False

    def said(self, shape: JobShape) -> str:
        """What Slurm said last of its jobs while a node was up."""
        memory = self.groups.get(shape)
        return memory.reason if memory is not None else ""

    def welcome(self, shape: JobShape, t: float, *, useless: bool = False) -> bool:
        """Slurm says, while a node that fits is up, that its jobs wait for nodes. True when that ends a back-off. Words
        that go back and forth end it later each time, else it would never bind. `useless`: for nodes that are as they
        ask, though one that should be is up."""
        memory = self.groups.get(shape)
        if memory is None:
            return False
        memory.turned = not useless and (memory.turned or memory.refused)
        memory.refused = useless
        at_least = self.first_wait * (2**memory.misled - 1)
        if not memory.turned or (memory.vain_at is not None and t - memory.vain_at < at_least):
            return False
        memory.turned = False
        memory.heeded = self.end(memory, t)
        return memory.heeded

    def in_vain(self, shape: JobShape, reason: str, idle: IdleNode, t: float, *, useless: bool = False) -> Verdict:
        """A node was up for this group, and was not used. `useless`: see welcome()."""
        memory = self.groups.get(shape)
        if memory is None:
            self._make_room()
            memory = self.groups[shape] = Memory()
        if memory.vain_at is not None and t - memory.vain_at > REMEMBERED:
            memory.wait = 0.0
        memory.wait = min(2 * memory.wait, LONGEST * self.first_wait) or self.first_wait
        memory.until, memory.vain_at, memory.told_at, memory.at_once = t + memory.wait, t, t, 1
        memory.reason, memory.node, memory.idle = reason, idle.node, t - idle.since
        memory.refused = memory.refused or useless
        memory.misled = min(memory.misled + memory.heeded, MISLED)
        memory.heeded = memory.turned = False
        for table in (self.asked, self.watches, self.marks):
            table.pop(shape, None)
        return Verdict(shape, memory)

    def started(self, shape: JobShape, t: float) -> None:
        """Slurm has started a job of this group, it seems: one that left the queue may have been cancelled, too. So a
        back-off is over, and a probe is to show more; without one it is taken for true."""
        memory = self.groups.get(shape)
        self.marks.pop(shape, None)
        self.watches.pop(shape, None)
        if memory is None:
            return
        memory.left_after = None
        if memory.until > t:
            memory.until = t
            return
        memory.wait, memory.heeded, memory.misled = 0.0, False, 0
        memory.at_once = min(FASTER * memory.at_once, MOST_AT_ONCE)

    def end(self, memory: Memory, t: float) -> bool:
        """The back-off is over early. True when there was one."""
        if memory.until <= t:
            return False
        memory.until = t
        return True

    def end_all(self, t: float) -> None:
        """Circumstances have changed: every group may be tried again."""
        self.watches.clear()
        for memory in self.groups.values():
            self.end(memory, t)

    def be_careful(self) -> None:
        """Slurm was away: that it used no node meanwhile tells nothing."""
        self.watches.clear()
        self.marks.clear()

    # ---- keeping it small -------------------------------------------------------------------------------------------

    def forget_old(self, waiting: Collection[JobShape], t: float, ask_again: float) -> None:
        """What nobody waits for and what is long ago goes. `ask_again`: seconds after which a boot says nothing."""
        self.asked = {s: at for s, at in self.asked.items() if s in waiting or t - at < ask_again}
        for shape in [s for s, m in self.groups.items() if t - max(m.told_at, m.until) > REMEMBERED]:
            del self.groups[shape]

    def _make_room(self) -> None:
        while len(self.groups) >= MOST:
            del self.groups[min(self.groups, key=lambda shape: self.groups[shape].told_at)]


def follow(memory: Memory, first: tuple[str, ...], others: Callable[[], Iterable[str]], last: float, t: float) -> None:
    """Note in the memory whether jobs of its sample have left the queue since the `last` poll. `first`: the first that
    wait now; `others`: gives all of them, where these do not tell."""
    before, memory.sample = memory.sample, first
    if before != first[: len(before)] and frozenset(before).difference(others()):
        memory.left_after, memory.left_at = last, t


def not_first(watch: Watch, ids: Iterable[str]) -> frozenset[str]:
    """The watched jobs that are not among the first that wait now. `ids`: of all, read as far as they are needed."""
    rest = iter(ids)
    first = tuple(islice(rest, SAMPLE))
    if watch.sample == first[: len(watch.sample)]:  # nearly always
        return frozenset()
    return frozenset(watch.sample).difference(first, islice(rest, SAMPLE))


def words_of(shape: JobShape) -> str:
    """What a group is, for people."""
    owner = shape.owner
    of = ((owner.payer, "user"), (owner.account, "account"), (owner.qos, "QOS"), (shape.reservation, "reservation"))
    parts = [f"{what} {name}" for name, what in of if name]
    parts += [f"partition {' or '.join(shape.partitions)}"] if shape.partitions else []
    parts += [f"size {shape.size}"] if shape.size else [f"{shape.cores:g} core(s), {shape.ram:g} MB"]
    return ", ".join(parts + ([f"{shape.nodes} nodes"] if shape.nodes > 1 else []))
