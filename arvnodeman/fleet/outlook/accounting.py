"""Limits of Slurm's accounting: what its QOS and associations let run at once, as it says itself, and what of that is
used.

Of a job that waits the least is counted that Slurm would count: a wrong guess lets a job through, and costs a node that
nobody uses (see vain.py); it never keeps one from a job that Slurm would start. Where two rules may apply, and it is
not shown which, the looser one does. What Slurm has beside these (wall time, CPUs on each node, what minutes a job
would need) is left to it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import NamedTuple, TypeAlias

from arvnodeman.fleet.values.model import JobOwner, JobShape
from arvnodeman.fleet.values.obstacles import LimitReached

_INEXACT = 0.99  # amounts of memory come rounded
_DEPTH = 64  # accounts above each other


class Counted(StrEnum):
    """What a limit counts."""

    JOBS = "jobs"
    NODES = "nodes"
    CPUS = "cpus"
    MEMORY = "memory"  # MB
    GRES = "gres"
    SPENT = "spent"  # minutes, of what has run: a job waits when all are used
    OTHER = "other"  # what a job needs of it is not known


@dataclass(frozen=True, slots=True)
class LimitKind:
    """What a limit of the scheduler's means."""

    counts: Counted = Counted.OTHER
    gres: str = ""  # of GRES: which
    of_each_job: bool = False  # it is one of each job by itself; else jobs use it up together
    of_all: bool = False  # of an account it holds for all below; else it is only what a user has who has none
    scaled: bool = False  # an association's is multiplied by the factor of a QOS
    behind: frozenset[str] = frozenset()  # limits: an association's does not count where a QOS has one of these


@dataclass(frozen=True, slots=True)
class Use:
    """A limit and what is used of it. What it means follows from its name."""

    limit: float
    used: float = 0.0
    of: LimitKind = field(default=LimitKind(), compare=False)


Rules = Mapping[str, Use]
"""By the scheduler's name for them, which is for people. Those with a limit alone."""
NO_RULES: Rules = {}


AssociationKey: TypeAlias = tuple[str, str, str]
"""Account, user ('': of the account itself), partition ('': in any)."""


@dataclass(frozen=True, slots=True)
class Qos:
    """What a QOS lets run."""

    rules: Rules = field(default_factory=dict)  # for all of its jobs together, and for each job
    by_user: Mapping[int, Rules] = field(default_factory=dict)  # by number; those who have jobs, waiting ones included
    by_account: Mapping[str, Rules] = field(default_factory=dict)  # likewise


@dataclass(frozen=True, slots=True)
class Association:
    """What an account, or a user of it, may run."""

    rules: Rules = field(default_factory=dict)
    parent: str = ""  # the account above an account; '': none, or it is a user's

    @property
    def is_scaled(self) -> bool:
        """Is a limit of it multiplied by a factor?"""
        return any(use.of.scaled for use in self.rules.values())


@dataclass(frozen=True, slots=True)
class Accounting:
    """The limits that Slurm enforces; nothing, where it enforces none or they are not known."""

    qos: Mapping[str, Qos] = field(default_factory=dict)
    associations: Mapping[AssociationKey, Association] = field(default_factory=dict)
    numbers: Mapping[str, int] = field(default_factory=dict)  # of users
    partitions: Mapping[str, str] = field(default_factory=dict)  # the QOS of each; '': it has none
    factors: Mapping[str, float] = field(default_factory=dict)
    """LimitFactor of each QOS, by which the TRES limits of associations are multiplied. Without it they are unknown."""

    def __bool__(self) -> bool:
        """Is anything known?"""
        return bool(self.qos)

    def concerning(self, shapes: Iterable[JobShape]) -> Accounting:
        """What of it limits jobs of these shapes; nothing where none of them is under a limit."""
        limited = [shape for shape in shapes if bounds_of(shape, self)]
        owners = {shape.owner for shape in limited}
        numbers = {owner.user: self.numbers[owner.user] for owner in owners if owner.user in self.numbers}
        accounts = {owner.account for owner in owners}
        chains = {key for shape in limited for key in _chain(shape, self.associations)}
        partitions = {name: self.partitions[name] for shape in limited for name in shape.partitions}
        names = {owner.qos for owner in owners} | set(filter(None, partitions.values()))
        qos = {
            name: Qos(
                each.rules,
                {number: each.by_user[number] for number in numbers.values() if each.by_user.get(number)},
                {account: each.by_account[account] for account in accounts if each.by_account.get(account)},
            )
            for name, each in self.qos.items()
            if name in names
        }
        associations = {key: each for key, each in self.associations.items() if key in chains}
        factors = {name: self.factors[name] for name in names if name in self.factors}
        return Accounting(qos, associations, numbers, partitions, factors)


NOTHING_ENFORCED = Accounting()


class Bound(NamedTuple):
    """One limit that a job is under, and what it needs of that."""

    of: str  # QOS spent
    name: str  # the scheduler's
    use: Use
    need: float

    @property
    def is_shared(self) -> bool:
        """Do jobs use it up together? Else it is one of each job by itself."""
        return not self.use.of.of_each_job

    @property
    def left(self) -> float:
        """What is not used."""
        return self.use.limit - self.use.used

    def forbids(self, left: float) -> bool:
        """Would Slurm let the job wait, with so much left?"""
        return left < self.need or left <= 0

    @property
    def cause(self) -> LimitReached:
        """Why it lets a job wait."""
        limit, used = self.use.limit, self.use.used
        return LimitReached(None, self.of, self.name, limit, used, self.need, self.is_shared)


# ---- which limits a job is under -------------------------------------------------------------------------------------


def bounds_of(shape: JobShape, accounting: Accounting) -> list[Bound]:
    """The limits that a job of this shape is under, as far as that is certain."""
    owner = shape.owner
    qos = accounting.qos.get(owner.qos)
    if qos is None or not shape.partitions:
        return []
    behind = {accounting.partitions.get(name) for name in shape.partitions}
    if None in behind or (len(behind) > 1):
        return []  # Slurm may take any of them: the limits of one are not those of another
    (partition,) = behind
    found = _of_qos(f"QOS {owner.qos}", qos, owner, accounting)
    if partition and partition != owner.qos:
        other = accounting.qos.get(str(partition))
        if other is None:
            return []
        for name, bound in _of_qos(f"QOS {partition}", other, owner, accounting).items():
            # One of the two goes before the other, by a flag that is not shown.
            found[name] = max(bound, found.get(name, bound), key=lambda each: each.left)
    factors = [accounting.factors.get(name) for name in (owner.qos, partition) if name]
    factor = None if None in factors else max((each for each in factors if each is not None), default=1.0)
    return [
        bound._replace(need=need)
        for bound in (*found.values(), *_of_associations(shape, accounting, found, factor))
        if (need := needed(shape, bound.use.of)) is not None
    ]


def _of_qos(of: str, qos: Qos, owner: JobOwner, accounting: Accounting) -> dict[str, Bound]:
    number = accounting.numbers.get(owner.user, -1)
    parts = (
        (of, qos.rules),
        (f"{of} for user {owner.user}", qos.by_user.get(number, NO_RULES)),
        (f"{of} for account {owner.account}", qos.by_account.get(owner.account, NO_RULES)),
    )
    return {name: Bound(whose, name, use, 0.0) for whose, rules in parts for name, use in rules.items()}


def _of_associations(
    shape: JobShape, accounting: Accounting, of_qos: Mapping[str, Bound], factor: float | None
) -> Iterable[Bound]:
    """Those of the user's association and of the accounts above; a limit of a QOS goes before each of its kind."""
    for key in _chain(shape, accounting.associations):
        account, user, partition = key
        whose = f"user {user} of account {account}" if user else f"account {account}"
        whose += f" in partition {partition}" if partition else ""
        for name, use in accounting.associations[key].rules.items():
            if name in of_qos or not (user or use.of.of_all) or not use.of.behind.isdisjoint(of_qos):
                continue
            if not use.of.scaled:
                yield Bound(whose, name, use, 0.0)
            elif factor is not None:
                yield Bound(whose, name, replace(use, limit=use.limit * factor), 0.0)


def _chain(shape: JobShape, known: Mapping[AssociationKey, Association]) -> Iterable[AssociationKey]:
    """From a job's association, as far as it is certain which that is, upwards. Nothing of a job that has none."""
    owner = shape.owner
    own = (owner.account, owner.user, "")
    alone = [key for name in shape.partitions if (key := (owner.account, owner.user, name)) in known]
    if not alone and own not in known:
        return
    if len(shape.partitions) == 1 or not alone:
        yield alone[0] if alone else own
    account = owner.account
    for _ in range(_DEPTH):
        key = (account, "", "")
        if key not in known:
            return
        yield key
        account = known[key].parent


# ---- what a job needs of a limit -------------------------------------------------------------------------------------


def needed(shape: JobShape, kind: LimitKind) -> float | None:
    """The least that a job of this shape counts for in a limit of this kind; None: nothing is known of it."""
    match kind.counts:
        case Counted.JOBS:
            return 1.0
        case Counted.SPENT:
            return 0.0
        case Counted.NODES:
            return float(shape.nodes)
        case Counted.CPUS:
            return _on_all(shape.cores, shape)
        case Counted.MEMORY:
            cpus = _on_all(shape.cores, shape)
            return math.floor(shape.ram * cpus / max(shape.cores, 1.0) * _INEXACT) if shape.ram else None
        case Counted.GRES:
            of_kind = [count for each, count in shape.gres if each == kind.gres or each.startswith(f"{kind.gres}:")]
            return _on_all(float(sum(of_kind)), shape) if of_kind else None
        case Counted.OTHER:
            return None


def _on_all(each: float, shape: JobShape) -> float:
    """The least on all nodes of what a node's share, rounded up, is known of."""
    if shape.nodes == 1:
        return each
    if shape.gres:  # these are rounded themselves, and CPUs may go by them
        return math.ceil(each * shape.nodes / 2)
    return (math.ceil(each) - 1) * shape.nodes + 1.0
