"""One node's life: what it is.

`Node` is a row of the Fleet's table, changed only by the Fleet. `judge()` says what one node poll makes of it,
`settle()` what it is after counting; whether it may go is said in eligible.py.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from arvnodeman.fleet.nodes.polls import Ages
from arvnodeman.fleet.nodes.stamps import FIRST_PING_TOLERANCE
from arvnodeman.fleet.nodes.states import NODE_MOVES
from arvnodeman.fleet.nodes.use import NodeUse
from arvnodeman.fleet.values import reasons
from arvnodeman.fleet.values.meant_for import MeantFor
from arvnodeman.fleet.values.model import CloudNode, Directive, JobShape, Load, NodeRecord, NodeSize, NodeState, Policy
from arvnodeman.fleet.values.quick import quick
from arvnodeman.fleet.values.reasons import Reason
from arvnodeman.fleet.values.windows import ShutdownWindows
from arvnodeman.fleet.values.work import FREE, OUR_BOOT, OUR_REBALANCE, NodeWork, OurDrain, WorkKind, reason_for

if TYPE_CHECKING:
    from arvnodeman.fleet.operations.boot import Boot
    from arvnodeman.fleet.operations.shutdown import Shutdown

MAX_WEIGHT = 4_294_967_000  # Slurm keeps weights in 32 bits (row C26)
RESUMES = 5  # times that an older node's drain is taken back before the node counts as down
FAILED_LISTS = 2  # in a row that call a node failed: some faults pass
LONG_STALE = 3600.0  # seconds that a node may be busy with a `*` before it is worth a warning
# Short names for what is asked of every node at every poll: Python 3.11 is slow to find a member of an enumeration.
BOOTING, UNPAIRED, BUSY, IDLE, FAIL, RESERVED, DOWN, SHUTDOWN = NodeState
HOLD = Directive.HOLD
NOT_UP = frozenset({DOWN, FAIL, SHUTDOWN})


@quick
@dataclass(frozen=True, slots=True)
class Basis:
    """What one node poll is judged by: the same for all nodes."""

    policy: Policy
    windows: ShutdownWindows
    ages: Ages
    t: float  # steady
    record_now: float  # the record keeper's wall clock
    cloud_now: float  # the cloud's wall clock
    clock_margin: float = 0.0  # seconds that clocks differ, when that is worth minding
    heard: bool = True  # the scheduler answered this poll
    never_paired_known: bool = True  # two record lists have come

    def too_old(self, stamp: float | None) -> bool:
        """Is a ping or record older than node_stale_after, with all allowances for outages?"""
        stale_after = self.policy.node_stale_after
        if self.t < self.ages.amnesty_until or (stamp is not None and self.record_now - stamp <= stale_after):
            return False
        return self.ages.age_of(stamp, self.record_now) > stale_after


@dataclass(slots=True, eq=False)
class Node:
    """A node that exists at the cloud, as far as we know. Changed by the Fleet alone; times are steady seconds."""

    cloud: CloudNode
    size: NodeSize | None  # None: not recognisable
    first_seen: float
    id: str = field(init=False)  # the cloud's
    listed: bool = True  # it has been in a list
    record: NodeRecord | None = None  # paired with it
    prepared: NodeRecord | None = None  # made for it, while it has not pinged
    slurm: NodeWork | None = None  # of the newest node poll
    namesake: NodeWork | None = None  # likewise, of a name that is another's, and under which Slurm may find this one
    state: NodeState = NodeState.UNPAIRED
    since: float = 0.0  # in this state
    price: float = 0.0  # $/hour; see reprice()
    weight: int = 0  # in Slurm, for that price
    booted: bool = False  # by this run
    wanted_for: JobShape | None = None  # the group of jobs that it was booted for
    load: Load = ()  # the jobs that were to share it
    meant_for: tuple[MeantFor, ...] = ()  # the first of these, for bills
    been_up: bool = False  # Slurm has called it idle or busy in this run
    idle_polls: int = 0  # node polls in a row that found it idle
    idle_since: float | None = None
    use: NodeUse = field(default_factory=NodeUse)
    down_polls: int = 0  # node polls in a row that found it down
    down_times: deque[float] | None = None  # node polls that found it down since it was last busy
    down_cause: Reason | None = None
    reason: Reason | None = None  # why it stays, as decided last; None: nothing has been decided yet
    doubtful: bool = False  # not heard from for long, and kept all the same
    ending: Reason | None = None  # why its shutdown was begun
    slurm_down: bool | None = None  # what Slurm alone says; None: not asked yet
    grace_until: float | None = None  # mass-down: it keeps its state
    supply_until: float = 0.0  # mass-down: nothing is booted in its place
    missing: int = 0  # lists in a row that lacked it
    missing_since: float | None = None
    missing_again: float = 0.0  # when the second list in a row lacked it
    missing_ping: float | None = None  # its last ping at the first of them
    stop_polls: int = 0  # lists in a row that showed it stopped
    failed_polls: int = 0  # lists in a row in which the cloud itself called it failed
    undelivered: bool = False  # the cloud has taken the request for it, and does not deliver
    address_warned: bool = False  # that it has no address has been said
    boot: Boot | None = None  # our boot of it, while that is under way
    shutdown: Shutdown | None = None  # our shutdown of it, while that is under way
    chore: int | None = None  # the operation that does some small thing to it
    chore_waits: dict[type, tuple[float, float]] | None = None  # by kind of step: the last wait, and until when
    directive_chore: int | None = None  # the operation that writes an operator's word
    directive_unwritten: bool = False  # the word is not in the cloud's tag yet, for all we know
    directive_unseen_until: float = 0.0  # until a list shows what was written, or so long, lists may show an older one
    gone: bool = False  # without us, for certain: counted once
    destroyed_at: float | None = None
    destroy_wait: float = 0.0
    destroy_again_at: float = 0.0  # after a destroy that failed
    resumes: int = 0  # times that we resumed it from an older node's drain
    busy_at: float | None = None  # the newest node poll that found it busy
    unresponsive_since: float | None = None
    at_work_since: float | None = None  # Slurm's word for it is one of somebody's work, such as a reboot
    at_work_told: bool = False  # that this has lasted too long
    noticed: bool = False  # it has told that the cloud takes it back
    warned_at: float | None = None
    turn: int = 0  # rows that came earlier have a lower one
    quiet: tuple[str | None, NodeState] | None = None  # size and state, while nothing can happen to it
    rested: int = 0  # the number of the node poll since which it is quiet
    woken: int = 0  # the number of times that rows could come to rest, when something happened to it last
    alarm: float | None = None  # when it is looked at all the same, in the record keeper's time

    def __post_init__(self) -> None:
        self.id = self.cloud.id
        self.since = self.first_seen
        if not self.listed:
            self.state = NodeState.BOOTING
        self.reprice()

    @property
    def hostname(self) -> str | None:
        """Its name in Slurm: of its record, or of the one made for it, else the first part of its FQDN at the cloud."""
        record = self.record or self.prepared
        return record.hostname if record is not None else host_part(self.cloud)

    def reprice(self) -> None:
        """Its price in $/hour: as written into its record or its tag, else of its size, else the provider's, else 0."""
        record = self.record or self.prepared
        if self.cloud.rung and self.cloud.tagged_price is not None:  # where it was had in the end
            self.price = self.cloud.tagged_price
        elif record is not None and record.intent is not None:
            self.price = record.intent.price
        elif self.cloud.tagged_price is not None:
            self.price = self.cloud.tagged_price
        elif self.size is not None and self.size.price:
            self.price = self.size.price
        else:
            price = self.cloud.price or 0.0
            self.price = price if 0 < price < float("inf") else 0.0
        self.weight = slurm_weight(self.price)

    @property
    def directive(self) -> Directive | None:
        """The operator's word on it."""
        return self.cloud.directive.directive if self.cloud.directive is not None else None

    @property
    def has_failed(self) -> bool:
        """The cloud itself has called it failed, twice in a row."""
        return self.failed_polls >= FAILED_LISTS

    @property
    def lacks(self) -> reasons.NoAddress | None:
        """Somebody has to be told where it is, and the cloud shows no address of it."""
        if self.cloud.address is not None or not self.listed:
            return None
        record = self.record or self.prepared
        return reasons.NoAddress(shown=self.cloud.no_address) if record is not None and record.is_name else None

    @property
    def is_out_of_reach(self) -> bool:
        """It lacks an address and has never answered: it may have registered, and Slurm cannot find it."""
        answers = self.slurm is not None and self.slurm.responding
        return self.lacks is not None and not self.been_up and not answers

    @property
    def slurm_busy(self) -> bool:
        """Slurm's newest word is that it works."""
        return self.slurm is not None and self.slurm.state.busy

    def age(self, basis: Basis) -> float:
        """Seconds since its start at the cloud, or since we first saw it: also while its keeper does not know that it
        has its name, for nothing can be heard of it before."""
        name = self.prepared
        if name is not None and name.is_name and name.instance_id != self.cloud.report_id:
            return basis.t - self.first_seen
        return max(0.0, basis.cloud_now - self.start(basis))

    def start(self, basis: Basis) -> float:
        """Its start at the cloud; when we first saw it, where the cloud gives none or one that is long to come."""
        start = self.cloud.start_time
        if start is None or start - basis.cloud_now > FIRST_PING_TOLERANCE:
            return basis.cloud_now - (basis.t - self.first_seen)
        return start

    def boot_exceeded(self, basis: Basis) -> bool:
        """Is it older than boot_fail_after?"""
        return self.age(basis) >= basis.policy.boot_fail_after

    def set_state(self, state: NodeState, t: float) -> None:
        """Enter a state; the same again keeps the time of entry."""
        if state is not self.state:
            assert NODE_MOVES.may(self.state, state), f"a node goes from {self.state.value} to {state.value}"
            self.state, self.since = state, t

    def restart_idle_count(self) -> None:
        """It has been something else than idle, or a shutdown of it was cancelled."""
        self.idle_polls, self.idle_since = 0, None


def host_part(cloud: CloudNode) -> str | None:
    """The first part of the FQDN that the cloud keeps for a node (its name, where it keeps none)."""
    return (cloud.fqdn or cloud.name).split(".", 1)[0] or None


def slurm_weight(price: float) -> int:
    """The Weight of a node: Slurm fills the lowest first, so the cheapest (row F11); kept below 2^32 (row C26)."""
    if not price > 0:
        return 0
    return MAX_WEIGHT if price * 1000 >= MAX_WEIGHT else int(price * 1000)


def reason_of(kind: str, node: CloudNode) -> str:
    """The reason of a drain of ours for this instance."""
    return reason_for(kind, node.report_id)


def drained_by_us(node: Node) -> str | None:
    """The kind of drain when Slurm shows it drained by us, for this very instance; else None."""
    if node.slurm is None or not node.slurm.state.drained:
        return None
    drain = node.slurm.drain
    return drain.kind if drain is not None and _is_for(drain, node) else None


def _is_for(drain: OurDrain, node: Node) -> bool:
    return drain.instance == node.cloud.report_id and drain.kind != OUR_BOOT


def undrained(node: Node) -> None:
    """Make of Slurm's word on a node that we drained what it is without the drain."""
    slurm = node.slurm
    if slurm is not None and slurm.drain is not None:
        node.slurm = replace(slurm, state=slurm.state.undrained, reason="")


def drained_for_another(node: Node) -> bool:
    """Slurm shows it drained or down by us, but for an earlier node under its name."""
    slurm = node.slurm
    if slurm is None or not (slurm.state.drained or slurm.state.kind is WorkKind.DOWN):
        return False
    drain = slurm.drain
    return drain is not None and not _is_for(drain, node)


def may_go_soon(node: Node) -> bool:
    """It has told that the cloud may take it back: no new work for a while. It takes that back itself."""
    return drained_by_us(node) == OUR_REBALANCE


def note_work(node: Node, t: float) -> None:
    """Note since when Slurm's newest word is one of somebody's work on the node: a reboot, or one that is not known."""
    if node.slurm is None or (node.slurm.state.known and not may_go_soon(node)):
        node.at_work_since, node.at_work_told = None, False
    elif node.at_work_since is None:
        node.at_work_since = t


def at_work_too_long(node: Node, policy: Policy, t: float) -> bool:
    """Does somebody's work on the node take longer than a boot may? Then the node counts as down."""
    return node.at_work_since is not None and t - node.at_work_since >= policy.boot_fail_after


def _at_work(node: Node, slurm: NodeWork, basis: Basis) -> bool:
    """Somebody is at work on it, such as who has Slurm reboot it: it is not for us, for as long as a boot may take."""
    taken = not slurm.state.known or may_go_soon(node)
    return taken and not at_work_too_long(node, basis.policy, basis.t)


def judge(node: Node, basis: Basis) -> tuple[NodeState, Reason | None]:
    """What this node poll makes of a node, before any counting. Slurm's word on work comes first."""
    slurm = node.slurm
    if slurm is not None and slurm.state.busy:
        return BUSY, None
    record = node.record
    if record is None or node.is_out_of_reach:
        return judge_unpaired(node, basis)
    if not basis.heard:
        return _judge_by_record(record, basis)
    if slurm is None:
        return DOWN, reasons.IsDown(why="Slurm does not know it")
    kind = slurm.state.kind
    if kind is WorkKind.FAILED:
        return FAIL, None
    if kind is WorkKind.RESERVED or _kept_drained(slurm, basis.policy) or _at_work(node, slurm, basis):
        return RESERVED, None
    if kind is FREE:
        if basis.too_old(record.last_ping_at):
            return DOWN, reasons.IsDown(why="its last ping is old")
        if basis.too_old(record.modified_at):
            return DOWN, reasons.IsDown(why="its record is old")
        return IDLE, None
    if kind in (WorkKind.DOWN, WorkKind.UNHEARD) and _in_boot_grace(node, basis):
        return IDLE, None
    if drained_for_another(node) and _will_be_resumed(node, slurm, basis):
        return IDLE, None
    return DOWN, reasons.IsDown(why=f"Slurm says {slurm.state.said}" + (f" ({slurm.reason})" if slurm.reason else ""))


def judge_unpaired(node: Node, basis: Basis) -> tuple[NodeState, Reason | None]:
    """Of a node that has not been heard from."""
    if not node.listed:
        return BOOTING, None  # until it counts as gone
    if node.boot_exceeded(basis) and basis.never_paired_known:
        return DOWN, node.lacks or reasons.NeverPaired(age=node.age(basis))
    return UNPAIRED, None


def _judge_by_record(record: NodeRecord, basis: Basis) -> tuple[NodeState, Reason | None]:
    """Without Slurm: crunch_worker_state, whose `down` means nothing on servers since 2.0."""
    if record.worker_state == "busy":
        return BUSY, None
    if record.worker_state == "idle":
        if basis.too_old(record.last_ping_at) or basis.too_old(record.modified_at):
            return DOWN, reasons.IsDown(why="its last ping or record is old")
        return IDLE, None
    return RESERVED, None


def _kept_drained(slurm: NodeWork, policy: Policy) -> bool:
    """keep_drained: somebody else's drain is a reservation."""
    return policy.keep_drained and slurm.state.kind is WorkKind.DRAINED and slurm.drain is None


def _will_be_resumed(node: Node, slurm: NodeWork, basis: Basis) -> bool:
    """A drain of ours for an earlier node of that name: about to be taken back, or waiting for slurmd to come up."""
    return _in_boot_grace(node, basis) or (slurm.responding and node.resumes < RESUMES)


def _in_boot_grace(node: Node, basis: Basis) -> bool:
    """It has pinged, and slurmd may need a moment yet (row C14). For `down` alone, never for a drain."""
    return (
        node.record is not None
        and node.record.first_ping_at is not None
        and not node.been_up
        and not node.cloud.broken
        and not node.boot_exceeded(basis)
    )


def settle(node: Node, judged: NodeState, cause: Reason | None, basis: Basis, polls_in_window: int | None) -> None:
    """Count, and give the node its state. `polls_in_window`: in the last boot_fail_after, None before that."""
    node.use.note(node.slurm, basis.t, idle=judged is IDLE)
    if judged is not DOWN:
        node.down_polls, node.down_cause = 0, None
        if judged is BUSY:
            node.down_times, node.busy_at = None, basis.t
        if judged is IDLE:
            node.idle_polls += 1
            if node.idle_since is None:
                node.idle_since = basis.t
        else:
            node.restart_idle_count()
        node.set_state(judged, basis.t)
        return
    node.restart_idle_count()
    node.down_polls += 1
    node.down_cause = cause
    if node.down_times is None:
        node.down_times = deque()
    node.down_times.append(basis.t)
    while basis.t - node.down_times[0] > basis.policy.boot_fail_after:
        node.down_times.popleft()
    if node.grace_until is not None:
        return
    if _is_settled_down(node, basis, polls_in_window):
        node.set_state(DOWN, basis.t)
    elif node.state in (BOOTING, UNPAIRED) and node.record is not None:
        pings = node.record.last_ping_at is not None and not basis.too_old(node.record.last_ping_at)
        node.set_state(IDLE if pings else UNPAIRED, basis.t)


def _is_settled_down(node: Node, basis: Basis, polls_in_window: int | None) -> bool:
    if node.state is DOWN or node.down_polls >= basis.policy.consecutive_idle_count:
        return True
    window = basis.policy.boot_fail_after
    if node.busy_at is not None and basis.t - node.busy_at <= window:
        return False
    watched = basis.t - node.first_seen >= window
    return polls_in_window is not None and watched and 3 * len(node.down_times or ()) >= polls_in_window
