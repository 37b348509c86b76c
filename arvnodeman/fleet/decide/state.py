"""All that a Fleet knows between two events, and the small questions that every part of it asks."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Mapping, Sequence
from operator import attrgetter

from arvnodeman.fleet.decide.ahead import Ahead
from arvnodeman.fleet.decide.funds import Purse
from arvnodeman.fleet.decide.names import NameTraits
from arvnodeman.fleet.decide.placed import Placements
from arvnodeman.fleet.decide.reclaims import Reclaims
from arvnodeman.fleet.decide.spare_hours import SpareHours
from arvnodeman.fleet.decide.stock import Stock
from arvnodeman.fleet.decide.under_way import Ongoing
from arvnodeman.fleet.messages import Poll
from arvnodeman.fleet.nodes.alarms import Alarms
from arvnodeman.fleet.nodes.milestones import Milestones
from arvnodeman.fleet.nodes.node import Basis, Node, undrained
from arvnodeman.fleet.nodes.polls import CLOCKS_DIFFER, BrainClock, Freshness, Trust
from arvnodeman.fleet.nodes.roster import Roster
from arvnodeman.fleet.operations.boot import Boot
from arvnodeman.fleet.operations.chores import Chore, CleanRecord
from arvnodeman.fleet.operations.operation import Operation, OperationContext
from arvnodeman.fleet.operations.returning import NameOperation
from arvnodeman.fleet.operations.shutdown import Shutdown
from arvnodeman.fleet.outlook.ahead import NOTHING_AHEAD, Outlook
from arvnodeman.fleet.plan.picture import Picture
from arvnodeman.fleet.plan.plan import Allotment, Plan
from arvnodeman.fleet.plan.rooms import Rooms
from arvnodeman.fleet.plan.vain import VainBoots
from arvnodeman.fleet.sizes.bounds import Bounds
from arvnodeman.fleet.sizes.ladder import health_of
from arvnodeman.fleet.sizes.limits import Quota, SizeHealth
from arvnodeman.fleet.sizes.table import SizeTable
from arvnodeman.fleet.values.gate import OPEN, Bar, Gate, Shut
from arvnodeman.fleet.values.leading import ALONE
from arvnodeman.fleet.values.model import BootIntent, Job, JobShape, NodeRecord, NodeSize, Policy
from arvnodeman.fleet.values.places import Zone
from arvnodeman.fleet.values.queue import Queue
from arvnodeman.fleet.values.windows import ShutdownWindows

_ID = attrgetter("id")
INTENT_COUNTS_FOR = 900.0  # seconds that a record prepared by an earlier run counts as a booting node
LONGEST_MARGIN = 60.0  # seconds off the end of a window: the servers' own clocks are used, this is for their unrest
OFFSET_NOISE = 2.0  # seconds: Date headers have no fractions


class State:
    """The Fleet's memory. Only the Fleet's own modules touch it, one event at a time."""

    def __init__(self, policy: Policy, now: float) -> None:
        self.clock = BrainClock(now)
        self.began = self.clock.t
        self.context = OperationContext(policy, self.clock)
        self.windows = ShutdownWindows(policy.shutdown_windows)
        self.freshness = Freshness(policy.poll_stale_after)
        self.cloud_trust = Trust()
        self.record_trust = Trust()
        self.roster = Roster()
        self.alarms = Alarms()
        self.queue = Queue()
        self.outlook = NOTHING_AHEAD  # of the newest queue poll
        self.names = NameTraits()
        self.offers_at = 0.0  # t before which Slurm is not told what free names offer
        self.zones: Mapping[str, Zone] = {}  # names of nodes in reservations
        self.run_times: Mapping[JobShape, float] = {}  # seconds that jobs of a group are likely to run
        self.refused: Mapping[JobShape, Sequence[Job]] = {}  # jobs of the newest queue poll that nodes do not help
        self.vain = VainBoots(policy.vain_retry_after)
        self.rooms = Rooms(policy.vain_retry_after)
        self.table: SizeTable | None = None
        self.plan: Plan | None = None
        self.allotment: Allotment | None = None  # of the newest plan
        self.picture: Picture | None = None  # that the plan was made of
        self.picture_of_ends: Picture | None = None  # of the newest plan by which nodes go, until that is shown
        self.plans = 0  # that were made
        self.news = 0  # how often something has come that a plan must know
        self.stock = Stock()
        self.under_way = Ongoing()
        self.spare_hours, self.ahead = SpareHours(), Ahead()
        self.quota = Quota(policy.max_nodes, policy.quota_retry_after)
        self.slots = Quota(policy.max_nodes, policy.quota_retry_after)
        self.health: dict[str, SizeHealth] = {}
        self.boots: dict[int, Boot] = {}
        self.shutdowns: dict[int, Shutdown] = {}
        self.chores: dict[int, Chore] = {}
        self.name_operations: dict[int, NameOperation] = {}
        self.placements = Placements()
        self.reclaims = Reclaims()
        self.purse = Purse()
        self.ended_tokens: dict[str, float] = {}  # boots of this run that have ended, with a node or without
        self.phantoms: dict[str, BootIntent] = {}  # record uuid -> boot that an earlier run began
        self.unlisted: dict[str, NodeRecord] = {}  # records of nodes that no list shows, and that seem to be there
        self.stale_records: deque[str] = deque()  # uuids that may be taken for a boot, those with a slot first
        self.record_polls: deque[float] = deque()  # t of the node polls of the last boot_fail_after
        self.slurm_back = 0  # node polls to be taken with care after Slurm was away
        self.cloud_offset = self.record_offset = 0.0
        self.cloud_clock: float | None = None  # the cloud's clock less ours, as its last list showed it; None: never
        self.records_started = 0.0  # t at which the newest record list was asked for
        self.resumed: dict[str, tuple[Node, float]] = {}  # by id, nodes whose drain Slurm took back, and when
        self.absent: list[Node] = []  # that the newest cloud list lacks, or shows as stopped once more
        self.touched: set[str] = set()  # nodes that changed since the last snapshot, by id
        self.moved: set[int] = set()  # operations that have begun, gone on or ended since, by number
        self.poll_again_at: float | None = None  # t at which the polls are brought forward
        self.safe_until: float | None = None  # t at which safe mode ends; None: it is not on
        self.held_back: tuple[str, str] | None = None  # the limit and the size that it stops, as noted last
        self.milestones = Milestones()
        self.lead, self.stopping = ALONE, False
        self.reloaded = self.clock.t
        self._due: list[tuple[float, int]] = []
        self.check_gate()

    @property
    def policy(self) -> Policy:
        """The options that decide."""
        return self.context.policy

    @property
    def t(self) -> float:
        """Steady time."""
        return self.clock.t

    @property
    def heard(self) -> bool:
        """Slurm answered the newest node poll."""
        return self.roster.slurm is not None

    def basis(self) -> Basis:
        """What nodes are judged by now."""
        differ = max(abs(self.cloud_offset), abs(self.record_offset))
        return Basis(
            policy=self.policy,
            windows=self.windows,
            ages=self.freshness.ages,
            t=self.t,
            record_now=self.record_now,
            cloud_now=self.clock.now + self.cloud_offset,
            clock_margin=min(differ, LONGEST_MARGIN) if differ > CLOCKS_DIFFER else 0.0,
            heard=self.heard,
            never_paired_known=self.freshness.counts[Poll.RECORDS] > 1,
        )

    @property
    def record_now(self) -> float:
        """The time of the record keeper's server."""
        return self.clock.now + self.record_offset

    def bounds(self) -> Bounds:
        """What bounds boots now, all of it."""
        return Bounds(
            max_nodes=self.policy.max_nodes,
            quota=self.quota.value,
            quota_until=self.quota.retry_at,
            slots=self.slots.value,
            slots_until=self.slots.retry_at,
            price_cap=self.policy.max_total_price,
        )

    def check_gate(self) -> Gate:
        """What may go out by now? Kept in the context, for operations and for all who tell of it."""
        doubted = self.cloud_trust.doubted or self.record_trust.doubted
        closes = self.safe_until is not None or self.stopping or self.table is None or not self.lead.is_sure(self.t)
        closes = closes or bool(doubted)
        shut = tuple(self._what_shuts()) if closes or not self.freshness.is_fresh(self.t) else ()
        goes_on = tuple(each for each in shut if each.bar is not Bar.LATE_HOLD)
        self.context.gate = Gate(shut, goes_on) if shut else OPEN
        return self.context.gate

    def _what_shuts(self) -> list[Shut]:
        shut: list[Shut] = []
        if not self.lead.leads:
            shut.append(Shut(Bar.NOT_LEADER, f"this manager stands by: {self.lead.words}"))
        elif self.t >= self.lead.acts_until:
            shut.append(
                Shut(
                    Bar.NOT_LEADER, "it is not certain that this manager still leads: its lead was not renewed in time"
                )
            )
        elif self.t >= self.lead.begins_until:
            shut.append(Shut(Bar.LATE_HOLD, "nothing new is begun: the lead of this manager was not renewed recently"))
        if self.safe_until is not None:
            shut.append(Shut(Bar.SAFE_MODE, "safe mode, after a series of quick ends"))
        if self.stopping:
            shut.append(Shut(Bar.STOPPING, "the daemon stops"))
        if stale := self.freshness.stale(self.t):
            shut.append(Shut(Bar.OLD_LISTS, f"lists are missing or too old: {', '.join(stale)}"))
        if self.table is None:
            shut.append(Shut(Bar.NO_SIZES, "the provider's sizes are not known yet"))
        if doubted := len(self.cloud_trust.doubted):
            text = f"the cloud's list is not believed: it lacks {doubted} nodes that were there"
            shut.append(Shut(Bar.DOUBTED_NODES, text))
        if doubted := len(self.record_trust.doubted):
            text = f"the list of node records is not believed: it lacks {doubted} that were there"
            shut.append(Shut(Bar.DOUBTED_RECORDS, text))
        return shut

    def touch(self, node: Node) -> None:
        """Something has been done to a node, or it is seen otherwise: its row is awake, and is shown anew."""
        self.stock.touch(node.id)
        self.show(node)

    def touch_rows(self, nodes: Sequence[Node]) -> None:
        """The same, of many."""
        self.stock.touch_rows(nodes)
        self.touched.update(map(_ID, nodes))
        self.roster.wake_rows(nodes)
        for node in nodes:
            if node.shutdown is not None:
                self.went_on(node.shutdown)

    def show(self, node: Node) -> None:
        """There is something new to tell of a node, which counts as before: its row is awake, and is shown anew."""
        self.touched.add(node.id)
        self.roster.wake(node)
        if node.shutdown is not None:
            self.went_on(node.shutdown)

    def went_on(self, operation: Operation) -> None:
        """An operation has begun, gone on or ended, or its node has changed: it is shown and counted anew."""
        self.moved.add(operation.id)
        self.under_way.moved(operation.id)

    def health_of(self, size: NodeSize) -> SizeHealth:
        """How boots of a size have gone lately."""
        if size.id not in self.health:
            self.health[size.id] = health_of(size, None, self.policy.size_retry_after)
        return self.health[size.id]

    def health_named(self, size: str) -> SizeHealth:
        """The same, by the size's NAME, also before it is known what that is."""
        health = self.health.get(size)
        if health is None:
            health = self.health[size] = SizeHealth(first_wait=self.policy.size_retry_after)
        return health

    def at_rung(self, size: NodeSize) -> NodeSize:
        """A size at the rung where a node is asked for now, if it has rungs."""
        return size.at(self.health_of(size).first_open(self.t, self.existing())) if size.ladder else size

    def operation(self, number: int) -> Operation | None:
        """A running operation."""
        found = self.boots.get(number) or self.shutdowns.get(number) or self.chores.get(number)
        return found or self.name_operations.get(number)

    def busy_records(self) -> set[str]:
        """Uuids of the records that an operation works on."""
        busy = {boot.record.uuid for boot in self.boots.values() if boot.record is not None}
        busy.update(boot.reuse for boot in self.boots.values() if boot.reuse is not None)
        busy.update(shutdown.record_uuid for shutdown in self.shutdowns.values() if shutdown.record_uuid is not None)
        busy.update(chore.record.uuid for chore in self.chores.values() if isinstance(chore, CleanRecord))
        return busy

    def schedule(self, operation: Operation) -> None:
        """Remember when an operation wants to be woken."""
        if operation.due is not None and operation.outcome is None and operation.due != operation.scheduled:
            operation.scheduled = operation.due
            heapq.heappush(self._due, (operation.due, operation.id))

    def due_operations(self) -> list[Operation]:
        """The operations whose time has come."""
        found: list[Operation] = []
        while self._due and self._due[0][0] <= self.t:
            due, number = heapq.heappop(self._due)
            operation = self.operation(number)
            if operation is not None and operation.due == due:
                operation.scheduled = None
                found.append(operation)
        return found

    def next_due(self) -> float | None:
        """The steady time at which the next operation is to be woken."""
        while self._due:
            due, number = self._due[0]
            operation = self.operation(number)
            if operation is not None and operation.due == due:
                return due
            heapq.heappop(self._due)  # it went on, or ended, by itself
        return None

    def poll_again(self, at: float | None) -> None:
        """The polls are to be brought forward at this time, if not earlier."""
        if at is not None and at > self.t and (self.poll_again_at is None or at < self.poll_again_at):
            self.poll_again_at = at

    def drain_taken_back(self, node: Node) -> None:
        """Slurm has taken a drain of ours back: what lists from before say of it counts no more."""
        undrained(node)
        self.resumed[node.id] = (node, self.t)

    def foresee(self, outlook: Outlook) -> None:
        """What a queue poll says of Slurm's reservations and licences."""
        if outlook.reservations is not self.outlook.reservations:
            self.zones = outlook.zones()
        self.outlook = outlook

    @property
    def has_names(self) -> bool:
        """Are records names, so that it is known beforehand which name a boot takes?"""
        return next((record.is_name for record in self.roster.records.values()), False)

    @property
    def is_zoned(self) -> bool:
        """May nodes of one size be in several pools?"""
        return bool(self.zones or self.names.needs)

    def is_taken(self, name: NodeRecord) -> bool:
        """Is a free name in a reservation that we do not know of?"""
        return name.reserved and (name.hostname is None or name.hostname not in self.zones)

    def zone(self, hostname: str | None) -> Zone:
        """The reservations that a name is in, and the needs of waiting jobs that it meets. Where records are no names,
        or it is not known which name a node will have, all needs are met: only Slurm can tell."""
        reservations: Zone = ()
        if self.zones and hostname is not None and self.has_names:
            reservations = self.zones.get(hostname, ())
        return (*reservations, *self.names.met_by(hostname)) if self.names.needs else reservations

    def existing(self) -> int:
        """Nodes that exist, and creates that are with the cloud now."""
        flying = sum(boot.in_flight and boot.row is None for boot in self.boots.values())
        return len(self.roster.nodes) + len(self.unlisted) + flying

    def find(self, name: str) -> Node | None:
        """A node by cloud id, cloud name or hostname."""
        node = self.roster.nodes.get(name)
        if node is not None:
            return node
        for node in self.roster.nodes.values():
            if name == node.cloud.name or name == self.roster.hostname(node):
                return node
        return None
