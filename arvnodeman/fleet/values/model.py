"""The values that the whole program speaks in.

Everything here is a frozen value with slots: it can be kept, compared, hashed where its fields allow, and read from any
thread. No vocabulary of libcloud, of the Arvados SDK or of Slurm's commands goes beyond the rooms that talk to them.

Units, unless a field says otherwise: times are seconds since the epoch (UTC, fractions kept), durations are seconds,
RAM and scratch are MB, disk is GB, prices are $/hour.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum

from arvnodeman.fleet.values.budgets import Budget
from arvnodeman.fleet.values.capacity import Footprint
from arvnodeman.fleet.values.gres import Gres
from arvnodeman.fleet.values.keeps_hash import KeepsHash
from arvnodeman.fleet.values.otherwise import Otherwise
from arvnodeman.fleet.values.places import ANYWHERE, Place
from arvnodeman.fleet.values.quick import quick
from arvnodeman.fleet.values.rungs import Purchase, Rung
from arvnodeman.fleet.values.spares import Spare
from arvnodeman.fleet.values.work import WaitKind

DEFAULT_DOMAIN = "dynamic.compute"
NO_LIMIT = 1 << 30  # nodes, jobs


class NodeState(StrEnum):
    """What a node is, as far as we can tell: the rows of the table of states."""

    BOOTING = "booting"
    UNPAIRED = "unpaired"
    BUSY = "busy"
    IDLE = "idle"
    FAIL = "fail"
    RESERVED = "reserved"
    DOWN = "down"
    SHUTDOWN = "shutdown"


class Directive(StrEnum):
    """What an operator can say of a node; kept in a tag of the cloud node, so it survives a restart."""

    HOLD = "hold"
    DRAIN = "drain"
    RUN = "run"
    KILL = "kill"


class ErrorKind(StrEnum):
    """What a failed request means for us: each error of the outside is put into one of these once, by its room."""

    THROTTLED = "throttled"  # too many requests: wait, nothing else changes
    QUOTA = "quota"  # the account may have no more nodes
    CAPACITY = "capacity"  # the cloud has no room for this size now
    REFUSED = "refused"  # wrong for good: permission, image, configuration; retrying is useless
    GONE = "gone"  # the thing does not exist
    TRANSIENT = "transient"  # network, time-out, server error: try again
    SLOTS = "slots"  # Arvados has no free slot (MaxComputeVMs)
    NOT_LEADER = "not leader"  # another manager may act in our place: nothing was sent
    UNREADABLE = "unreadable"  # a create was answered, and the answer says nothing that we understand
    UNEXPECTED = "unexpected"  # an exception nobody foresaw


UNSENT = frozenset({ErrorKind.THROTTLED, ErrorKind.NOT_LEADER})
"""For certain nothing was done: what was wanted waits, and no attempt is counted."""


class Secret:
    """A string that no log, repr or traceback shows. `reveal()` gives it to the one call that needs it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself."""
        return self._text

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return "Secret('***')" if self._text else "Secret('')"

    __str__ = __repr__


@dataclass(frozen=True, slots=True)
class RemoteError:
    """One failed request to the outside, classified."""

    kind: ErrorKind
    text: str  # one line, without secrets
    retry_after: float | None = None  # seconds that the server asked us to wait
    hint: str = ""  # the option to look at, as "[Section] option", when the error is for an operator to mend
    unlisted: str = ""  # the code, or the words, of a cloud's error that is in no table of ours


class RemoteFailure(Exception):
    """What the hands raise when a request to cloud, Arvados or Slurm fails in a way that they recognise."""

    def __init__(self, error: RemoteError) -> None:
        super().__init__(error.text)
        self.error = error


class SchedulerFailure(RemoteFailure):
    """A request to the scheduler failed, whoever made it. `error.kind`: GONE, it does not know the node; REFUSED, it
    does not let us, or not this; TRANSIENT, it did not answer, or with what cannot be read."""


@dataclass(frozen=True, slots=True)
class ProviderSize:
    """A node size as the cloud provider lists it. 0 or None: the provider does not say."""

    id: str
    name: str
    ram: float = 0  # MB, as advertised
    disk: float = 0  # GB
    bandwidth: float = 0
    price: float | None = None
    cores: float = 0


@dataclass(frozen=True, slots=True)
class SizeSection:
    """One `[Size NAME]` section: a size that the operator is willing to boot. None: take the provider's value."""

    id: str  # NAME
    cores: int
    instance_type: str
    price: float | None = None
    ram: float | None = None  # MB, before node_mem_scaling
    disk: float | None = None  # GB
    scratch: float | None = None  # MB
    bandwidth: float | None = None
    preemptible: bool = False
    gres: Gres = ()  # what Slurm counts beside cores, memory and disk, such as GPUs
    partitions: tuple[str, ...] = ()  # of Slurm: it serves jobs of these alone; empty: of any
    features: tuple[str, ...] = ()  # of Slurm, that its nodes have beside instancetype=NAME
    node_names: str = ""  # a host list: the names that are its nodes' alone; '': as their features say
    extra: tuple[tuple[str, str], ...] = ()  # free overrides, passed on to the driver
    ladder: tuple[Rung, ...] = ()  # where and how its nodes can be had, in order; empty: as the other options say

    @property
    def made_of(self) -> tuple[object, ...]:
        """What nodes of it are, as far as its section says: of other ones nobody knows whether they come up."""
        return self.instance_type, self.preemptible, self.extra


@dataclass(frozen=True, slots=True)
class NodeSize(KeepsHash):
    """A section joined with what the provider offers. 0 is unknown, and meets any demand (row C22).

    Where it has a ladder, price is that of its first rung, until it is taken *at* a rung: so the cloud is asked for it,
    and what it costs and whether it is preemptible follow from that."""

    __hash__ = KeepsHash.__hash__

    id: str
    instance_type: str
    provider_id: str
    provider_name: str
    cores: int
    ram: float  # MB, after node_mem_scaling
    disk: float  # GB
    scratch: float  # MB
    price: float
    preemptible: bool = False
    bandwidth: float = 0
    extra: tuple[tuple[str, str], ...] = ()
    gres: Gres = ()
    partitions: tuple[str, ...] = ()  # empty: any
    features: tuple[str, ...] = field(default=(), repr=False)  # beside instancetype=ID
    ladder: tuple[Rung, ...] = field(default=(), repr=False)
    rung: Rung | None = field(default=None, repr=False)  # at which it is asked for

    def at(self, rung: Rung | None) -> NodeSize:
        """It at one of its rungs; itself for None."""
        if rung is None:
            return self
        price = self.price if rung.price is None else rung.price
        preemptible = rung.purchase is Purchase.SPOT
        return replace(self, price=price, preemptible=preemptible, ladder=(), rung=rung)

    @property
    def dearest(self) -> float:
        """What its dearest rung costs, $/hour."""
        return max([self.price if rung.price is None else rung.price for rung in self.ladder], default=self.price)


@dataclass(frozen=True, slots=True)
class OperatorDirective:
    """An operator's word on one node, with the reason given."""

    directive: Directive
    reason: str = ""


@dataclass(frozen=True, slots=True)
class CloudNode:
    """A node as the cloud lists it. Nodes that are terminated or shutting down are not listed at all."""

    id: str  # the driver's id, with which it is destroyed
    name: str
    report_id: str  # the id that the node itself reports in its ping (row B4)
    fqdn: str | None = None  # as kept at the cloud
    size_tag: str | None = None  # the tag arvados_node_size: a section's NAME
    provider_size: str | None = None  # id or name of its type, as the provider says
    price: float | None = None  # the provider's
    tagged_price: float | None = None  # as its tag says, where the tags are all the record there is
    start_time: float | None = None
    preemptible: bool = False
    building: bool = False  # the cloud still makes it, and lets nobody write to it before that is done
    broken: bool = False  # the cloud says that it does not work, or does not know what it is
    failed: bool = False  # the cloud says that it has failed: ERROR, Failed, Canceled
    fault: str = ""  # why it is broken, in the cloud's words: one line, cut, without secrets; '' where it does not say
    fault_kind: ErrorKind | None = None  # what those words mean: CAPACITY, QUOTA or REFUSED; None: nothing that we know
    stopped: bool = False  # listed as stopped or preempted: it cannot be working
    directive: OperatorDirective | None = None
    address: str | None = None
    no_address: str = ""  # why there is none though it has some: "no IPv6 address of it, only 10.0.0.5"
    token: str | None = None  # of the boot that made it, as tagged
    rung: str = ""  # the key of the rung at which it was asked for, as tagged
    pending: bool = False  # of one with a rung: the cloud has taken the request, and has not delivered it yet

    @property
    def goes_stopped(self) -> bool:
        """Listed as stopped, and held by nobody: it may be destroyed, whatever else is known of it."""
        return self.stopped and (self.directive is None or self.directive.directive is not Directive.HOLD)


@dataclass(frozen=True, slots=True)
class BootIntent:
    """What a boot under way writes into its node record, so that a restarted daemon knows what is coming."""

    size: str  # section NAME
    price: float
    token: str  # unique for each boot; names the create request
    at: float
    rung: str = ""  # the key of the rung at which the cloud is asked next, where a restarted daemon goes on with it


@quick
@dataclass(frozen=True, slots=True)
class NodeRecord:
    """A node record: who keeps it (the Arvados nodes resource, or Slurm) does not show."""

    uuid: str
    hostname: str | None = None
    domain: str | None = None
    slot: int | None = None
    instance_id: str | None = None
    created_at: float | None = None
    modified_at: float | None = None
    first_ping_at: float | None = None
    last_ping_at: float | None = None
    worker_state: str | None = None  # crunch_worker_state
    node_name: str | None = None  # the cloud node that it was prepared for, where that is known
    intent: BootIntent | None = None
    address: str | None = None  # where its node is looked for; None: nodes find their keeper by themselves
    free: bool | None = None  # may it be taken for a boot? None: its age tells
    partitions: tuple[str, ...] = ()  # of Slurm, that its name is in; empty: not known
    reserved: bool = False  # its name is in a reservation of Slurm's that has begun
    size: str | None = None  # section NAME, where the name can have nodes of that size alone

    @property
    def fqdn(self) -> str | None:
        """hostname.domain (domain `dynamic.compute` where there is none), or None without a hostname. Where the domain
        is empty, the hostname stands alone."""
        if not self.hostname or self.domain == "":
            return self.hostname
        return f"{self.hostname}.{self.domain or DEFAULT_DOMAIN}"

    @property
    def is_name(self) -> bool:
        """It is a name that is given to a node, and the keeper has to be told which node has it."""
        return self.address is not None


@dataclass(frozen=True, slots=True)
class JobOwner:
    """Whose a job is, as Slurm accounts for it; '' where that is not known."""

    user: str = ""
    account: str = ""
    qos: str = ""
    behind: str = ""  # for whom that user's job runs, where somebody else knows it: a container's user of Arvados

    @property
    def payer(self) -> str:
        """The user who pays."""
        return self.behind or self.user


NOBODY = JobOwner()


@dataclass(frozen=True, slots=True)
class JobShape(KeepsHash):
    """What a job asks for, and for whom. Jobs of one shape are a group: alike in every decision but their turn."""

    __hash__ = KeepsHash.__hash__

    cores: float = 1
    ram: float = 0  # MB, each node
    scratch: float = 0  # MB, each node
    size: str | None = None  # the size that it names (feature instancetype=X), where no other will do
    nodes: int = 1
    gres: Gres = ()  # each node
    partitions: tuple[str, ...] = ()  # of Slurm, any of which will do; empty: not known
    owner: JobOwner = NOBODY
    reservation: str = ""  # of Slurm, that it is to run in; '': none
    licences: tuple[Gres, ...] = ()  # of Slurm: it asks for those of one of these choices
    place: Place = ANYWHERE
    features: str = ""  # its constraint, see features.py; '' where that says no more than `size`
    takes: Footprint | None = None  # of each node that it runs on; None: it has its nodes to itself


Load = tuple[tuple[JobShape, int], ...]
"""Jobs that share a node: so many of each group."""


@dataclass(frozen=True, slots=True)
class Job:
    """One waiting job."""

    id: str  # container or job uuid
    shape: JobShape
    priority: int = 0
    reason: str = ""  # why it waits, as Slurm says: for people
    in_slurm: bool = True  # False: from Arvados' own jobs queue
    time_limit: float | None = None  # seconds that it may run once it has begun, infinity for no limit; None: not known
    waits: WaitKind = field(default=WaitKind.NODES, compare=False)  # what its reason means
    names: tuple[str, ...] = ()  # that the scheduler placed it on, where it has not begun
    otherwise: tuple[Otherwise, ...] = field(default=(), compare=False)  # in what the scheduler may count it otherwise


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The options that decide. Named as in the configuration file, where each is explained."""

    sections: tuple[SizeSection, ...]
    shutdown_windows: tuple[float, ...]  # minutes: closed, open, closed ...
    min_nodes: int = 0
    max_nodes: int = 1
    max_total_price: float = 0.0  # 0: no limit
    max_price_factor: float = 1.5
    max_jobs_per_node: int = 0  # of jobs that share; 0: no limit
    spares: tuple[Spare, ...] = ()
    ahead_max_idle: float = 10.0  # minutes that a node may idle which booted before its job could start
    drain_to_consolidate: bool = False  # half-empty nodes run dry where the others hold what is on them
    max_poll_time: float = 300.0
    poll_stale_after: float = 600.0
    boot_fail_after: float = 1800.0
    node_stale_after: float = 7200.0
    node_mem_scaling: float = 0.95
    consecutive_idle_count: int = 2
    boot_attempts: int = 10
    quota_retry_after: float = 60.0
    size_retry_after: float = 60.0  # first rest of a size
    rung_patience: float = 10.0  # minutes for a node with a rung to be delivered
    cheapest_rung: bool = False  # of all sizes that fit, before all rungs of the cheapest size
    spot_tries: int = 1  # spot nodes that the cloud may take from a job before it has one that it keeps
    use_within: float = 180.0  # of an idle node, by Slurm
    vain_retry_after: float = 300.0  # first back-off of jobs that Slurm did not use nodes for
    drain_poll_time: float = 10.0
    cancel_unsatisfiable: bool = True
    explain_after: float = 0.0  # say on a job in the scheduler why it has waited so long; 0: never
    explain_unsatisfiable: bool = False  # say why on the job in Slurm, also where it is not cancelled
    keep_drained: bool = False
    slurm: bool = False  # the slurm dispatcher: drains, features, weights
    asks_scheduler: bool = True  # what nodes do is asked of it: its word on work comes first
    budgets: tuple[Budget, ...] = ()
    places: bool = False  # the scheduler places jobs on names that are off, and the nodes for these are booted
    renews_leases: bool = False  # nodes are told that they are managed, and end themselves when they are not
