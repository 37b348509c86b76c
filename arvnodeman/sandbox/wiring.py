"""How the parts of a site are wired up: Arvados API, cloud, Slurm, computers and jobs."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from arvnodeman.sandbox.arvados_api import ArvadosApi
from arvnodeman.sandbox.arvados_query import Row
from arvnodeman.sandbox.arvados_store import ArvadosStore
from arvnodeman.sandbox.catalogue import SIZES, Size
from arvnodeman.sandbox.clock import SiteClock
from arvnodeman.sandbox.cloud import PAGE, Cloud
from arvnodeman.sandbox.dispatcher import Dispatcher
from arvnodeman.sandbox.faults import Faults
from arvnodeman.sandbox.node_faults import NodeFaults
from arvnodeman.sandbox.nodes import Machines
from arvnodeman.sandbox.past import DelayedCopy
from arvnodeman.sandbox.site_events import SiteEvents
from arvnodeman.sandbox.site_faults import SiteFaults
from arvnodeman.sandbox.slurm import SlurmDouble, SlurmTimes
from arvnodeman.sandbox.slurm_nodes import DUMMY
from arvnodeman.sandbox.slurm_side import SlurmSide
from arvnodeman.sandbox.verdict import OUR_REASON, SiteVerdict, judge_jobs

PLACES = "slurm-cloud"

# Who keeps the node records: Arvados up to 2.7; Slurm, without any Arvados; Slurm, with an Arvados from 3.0 on; Slurm,
# which places jobs on names that are off.
RECORDS = ("arvados", "slurm", "arvados-3", PLACES)


OFF = "idle~"  # of a name that is off, and free for the next job


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteOptions:
    """What a site is like. `slots`: MaxComputeVMs, and how many compute nodes slurm.conf has besides compute0."""

    seed: int = 1
    speed: float = 20.0
    slots: int = 64
    quota: int = 1000
    cluster: str = "zzzzz"
    token: str = "sandbox-admin-token"  # noqa: S105 - a made-up site's
    key: str = "sandbox-cloud-key"
    sizes: tuple[Size, ...] = SIZES
    jitter: float = 0.2  # of boot times
    linger: float = 300.0  # simulated seconds for which a terminated node is listed
    page: int = PAGE  # nodes on one page of the cloud's list
    ping_interval: float = 60.0  # simulated seconds
    self_resume: bool = True  # the image resumes its own Slurm node when it joins
    jobs_mode: str = "2.0"  # "1.4": the old jobs queue works
    nodes_api: bool = True
    partitions: Mapping[str, str] = field(default_factory=dict)  # of Slurm, besides compute: hostlists, or ALL
    records: str = "arvados"  # one of RECORDS
    address: str = ""  # of every node; "": each has its own
    slurm_times: SlurmTimes = field(default_factory=SlurmTimes)

    @property
    def alone(self) -> bool:
        """There is no Arvados."""
        return self.records in ("slurm", PLACES)

    @property
    def names_of_size(self) -> int:
        """How many names each size has, where Slurm places jobs on them."""
        return max(1, self.slots // len(self.sizes))

    @property
    def named(self) -> bool:
        """The names in Slurm are the records."""
        return self.records != "arvados"


class Site:
    """All parts of the site, wired up. Whoever touches them holds `clock.lock`. `slurm`: None for a double."""

    def __init__(self, options: SiteOptions, clock: SiteClock, slurm: SlurmSide | None = None) -> None:
        self.options = options
        self.clock = clock
        self._restarting = threading.Lock()
        self.views: dict[str, Callable[[], dict[str, object]]] = {}  # more that GET /site/NAME shows
        self.events = SiteEvents(clock)
        self.faults = Faults(options.seed)
        self.site_faults = SiteFaults(
            clock, self.faults, self.events, seed=options.seed, restart_slurm=self._slurm_restarted
        )
        records_clock = self.site_faults.clocks["arvados"].wall
        self.store = ArvadosStore(
            records_clock,
            cluster=options.cluster,
            max_compute_vms=options.slots,
            jobs_mode="1.4" if options.jobs_mode == "1.4" else "2.0",
        )
        self.store.add_token(options.token)
        self.arvados = ArvadosApi(self.store, records_clock, nodes_api=options.nodes_api and not options.named)
        self.arvados.listed_nodes = self._listed_nodes
        self.arvados.forgets = self._forgets
        self._past_nodes: DelayedCopy[dict[str, Row]] = DelayedCopy(clock, lambda: dict(self.store.nodes))
        self.cloud = Cloud(
            clock,
            self.faults,
            self.events,
            options.sizes,
            seed=options.seed,
            quota=options.quota,
            jitter=options.jitter,
            linger=options.linger,
            page=options.page,
            wall=self.site_faults.clocks["cloud"].wall,
            address=options.address,
        )
        names = (f"compute{number}" for number in range(options.slots + 1))
        self.slurm_side: SlurmSide = slurm or SlurmDouble(
            clock, names, options.slurm_times, options.partitions, told=options.named
        )
        for size in options.sizes:
            self.slurm_side.offer(f"instancetype={size.id}")
        self.machines = Machines(
            clock,
            self.faults,
            self.events,
            self.cloud,
            self.slurm_side,
            self.store,
            seed=options.seed,
            ping_interval=options.ping_interval,
            self_resume=options.self_resume and not options.named,
        )
        self.node_faults = NodeFaults(clock, self.faults, self.events, self.cloud, self.machines, options.seed)
        self.dispatcher = Dispatcher(
            clock, self.events, self.store, self.slurm_side, self.machines, resubmit_cancelled=not options.alone
        )

    @property
    def slurm(self) -> SlurmDouble:
        """The Slurm double. Raises ValueError where the site has a real Slurm."""
        if not isinstance(self.slurm_side, SlurmDouble):
            raise ValueError("this site's Slurm is a real one: use Slurm's own commands")
        return self.slurm_side

    # ---- faults of the API server and of Slurm -----------------------------------------------------------------------

    def _forgets(self, uuid: str) -> bool:
        """Is this change of a node record forgotten?"""
        with self.clock.lock:
            hit = self.faults.strikes("records-forget")
            if hit:
                self.events.add("fault", uuid, "records-forget")
        return hit

    def _listed_nodes(self) -> Mapping[str, Row]:
        """The node records as a list shows them."""
        with self.clock.lock:
            self._past_nodes.keep()
            if not self.faults.strikes("records-old"):
                return self.store.nodes
            self.events.add("fault", "the list of records", "records-old")
            return self._past_nodes.ago(self.faults.values["lag"])

    def _slurm_restarted(self) -> None:
        """Features and weights are slurm.conf's; there the dummy's are."""
        if not isinstance(self.slurm_side, SlurmDouble):
            threading.Thread(target=self._restart_slurmctld, args=(self.slurm_side,), daemon=True).start()
            return
        for node in self.slurm.nodes.values():
            if node.name != DUMMY:
                node.available = node.active = ()
                node.weight = 1
        self.slurm.changed()

    def _restart_slurmctld(self, slurm: SlurmSide) -> None:
        """One at a time: another that comes meanwhile is the same."""
        if self._restarting.acquire(blocking=False):
            with contextlib.suppress(ValueError):  # Slurm is being ended
                slurm.slurmctld("restart")
            self._restarting.release()

    # ---- how it stands -----------------------------------------------------------------------------------------------

    def slots_taken(self) -> list[str]:
        """Hostnames of the node records that have a slot; where names are the records, those that are marked as given
        to a node."""
        if self.options.named:
            return sorted(node.name for node in self.slurm_side.nodes.values() if node.mark)
        with self.store.lock:
            rows = [row for row in self.store.nodes.values() if row["slot_number"] is not None]
        return sorted(str(row["hostname"] or row["uuid"]) for row in rows)

    def verdict(self) -> SiteVerdict:
        """How it stands. Under the clock's lock."""
        work = list(self.dispatcher.work.values())
        in_slurm = frozenset(job.name for job in self.slurm_side.jobs.values())
        busy = [h["subject"] for h in self.events.since(0, "busy-node-destroyed")]
        slurm, places = self.slurm_side, self.options.records == PLACES
        held = [job.name for job in slurm.jobs.values() if job.held and not self.dispatcher.work[job.name].spec.held]
        drained = [
            node.name
            for node in self.slurm_side.nodes.values()
            if node.drain and node.computer is not None and not node.lost and node.reason.startswith(OUR_REASON)
        ]
        return SiteVerdict(
            **judge_jobs(work, in_slurm),  # type: ignore[arg-type]  # a dict of its fields
            nodes_booted=self.cloud.created,
            nodes_left=tuple(node.id for node in self.cloud.alive()),
            halted=tuple(machine.node.id for machine in self.machines.machines.values() if machine.halted),
            slots_left=tuple(self.slots_taken()),
            names_left=tuple(node.name for node in slurm.nodes.values() if places and node.short() != OFF),
            held=tuple(held),
            drained_left=tuple(drained),
            busy_destroyed=tuple(str(subject) for subject in busy),
            most_at_once=self.cloud.most_at_once,
            cost=self.cloud.cost(),
        )
