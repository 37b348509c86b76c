"""What checks judge: facts of a site, each part fetched when the first check asks for it, and once.

Who fetches is examination/; the start, the node poll and `check-config` have what they need at hand, and give that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from arvnodeman.config import Findings, Settings
from arvnodeman.doctor.base import CannotTell, NotHere
from arvnodeman.doctor.unit import ServiceLimits
from arvnodeman.fleet.values.model import CloudNode, NodeRecord, ProviderSize
from arvnodeman.slurm.show import ShownNode

T = TypeVar("T")
Partitions = Mapping[str, Mapping[str, str]]


class FactPart(Generic[T]):
    """One part of the facts. Calling it gives the value, or raises CannotTell; both stay as they were. One thread."""

    def __init__(self, fetch: Callable[[], T]) -> None:
        self._fetch = fetch
        self._value: list[T] = []
        self._failure: CannotTell | None = None

    @classmethod
    def of(cls, value: T) -> FactPart[T]:
        """One that is at hand."""
        return cls(lambda: value)

    def __call__(self) -> T:
        """The value. Raises CannotTell."""
        if self._failure is not None:
            raise self._failure
        if not self._value:
            try:
                self._value.append(self._fetch())
            except CannotTell as failure:
                self._failure = failure
                raise
        return self._value[0]


def _not_asked() -> FactPart[T]:
    def fetch() -> T:
        raise NotHere("it was not asked for")

    return FactPart(fetch)


@dataclass(frozen=True, slots=True)
class SlurmSetup:
    """slurm.conf, as slurmctld has read it, against the configuration."""

    settings: Settings
    config: Mapping[str, str]
    partitions: Partitions
    shown: Mapping[str, ShownNode]  # all nodes, by name
    names: Sequence[str]  # that are ours, whether they are shown or not
    by_size: Mapping[str, Sequence[str]] = field(default_factory=dict)  # the same, where Slurm places jobs on them
    held: frozenset[str] = frozenset()  # those that a cloud node of ours has


@dataclass(frozen=True, slots=True)
class CloudFacts:
    """What the cloud says."""

    nodes: Sequence[CloudNode]  # with our tags
    clock_offset: float | None = None  # its clock less ours in seconds


@dataclass(frozen=True, slots=True)
class ArvadosFacts:
    """What the API server says."""

    refusal: str = ""  # why it does not let us in, for people
    user: str = ""  # whose the token is
    is_admin: bool = True
    clock_offset: float | None = None  # its clock less ours in seconds


@dataclass(frozen=True, slots=True)
class HistoryFacts:
    """The history file, as others read it."""

    complaint: str = ""  # why it cannot be read
    set_aside: str = ""  # the file of an earlier one that could not be used


@dataclass(frozen=True, slots=True)
class DaemonFacts:
    """What only the running daemon knows."""

    max_nodes: int
    quota: int  # nodes that the cloud lets be, as far as refusals have shown
    slots: int  # likewise node records
    wrong: Sequence[str] = ()  # why it is not well
    reload_problems: Sequence[str] = ()
    in_vain: Mapping[str, str] = field(default_factory=dict)  # groups of jobs, by name: why nothing is booted for them
    unknown_cloud_errors: Mapping[str, int] = field(default_factory=dict)  # how often, by the cloud's code


Lookups = Sequence[tuple[str, Callable[[], str]]]


@dataclass(frozen=True, slots=True)
class Facts:
    """All that checks may ask for."""

    now: float = 0.0  # seconds since the epoch
    file: FactPart[Findings] = field(default_factory=_not_asked)
    settings: FactPart[Settings] = field(default_factory=_not_asked)
    # ---- Slurm
    shown: FactPart[Mapping[str, ShownNode]] = field(default_factory=_not_asked)  # all nodes, by name
    setup: FactPart[SlurmSetup] = field(default_factory=_not_asked)
    rights: FactPart[str | None] = field(default_factory=_not_asked)  # why this account may not change nodes
    slurm_version: FactPart[str] = field(default_factory=_not_asked)  # what `squeue --version` prints
    waiting: FactPart[Mapping[str, str]] = field(default_factory=_not_asked)  # Slurm's reason by job
    working_without_jobs: FactPart[Mapping[str, str]] = field(default_factory=_not_asked)  # nodes: Slurm's state
    unknown_accounts: FactPart[Sequence[str]] = field(default_factory=_not_asked)  # of budgets, a line each
    resolves: FactPart[Callable[[str], bool]] = field(default_factory=_not_asked)  # a host name
    # ---- cloud, Arvados
    cloud: FactPart[CloudFacts] = field(default_factory=_not_asked)
    cloud_refusal: FactPart[str] = field(default_factory=_not_asked)  # '' for none
    offers: FactPart[Sequence[ProviderSize]] = field(default_factory=_not_asked)
    lookups: FactPart[Lookups] = field(default_factory=_not_asked)
    records: FactPart[Sequence[NodeRecord]] = field(default_factory=_not_asked)
    arvados: FactPart[ArvadosFacts] = field(default_factory=_not_asked)
    # ---- this machine
    state_dir: FactPart[str] = field(default_factory=_not_asked)
    filesystem: FactPart[str] = field(default_factory=_not_asked)  # of the state directory: its kind, as nfs4
    disks: FactPart[Mapping[str, int]] = field(default_factory=_not_asked)  # bytes that are free, by folder
    history: FactPart[HistoryFacts] = field(default_factory=_not_asked)
    proven: FactPart[frozenset[str]] = field(default_factory=_not_asked)  # sizes of which a node has come up
    unit: FactPart[str] = field(default_factory=_not_asked)  # that is installed, its drop-ins behind it
    patience: FactPart[ServiceLimits] = field(default_factory=_not_asked)
    # ---- the running daemon
    daemon: FactPart[DaemonFacts] = field(default_factory=_not_asked)
