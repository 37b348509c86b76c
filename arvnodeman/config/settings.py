"""The configuration as values: what load() makes of a file, and the options of all sections but [Daemon].

Plain frozen dataclasses, compared field by field, so that a reload can tell what has changed. Secrets are `Secret`s and
show nothing in a repr.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from arvnodeman.config.cloud_options import PROVIDERS
from arvnodeman.config.daemon import CHEAPEST, DaemonSettings
from arvnodeman.config.kinds import (
    DOTTED,
    FEATURES,
    GRES,
    HOST,
    HOSTLIST,
    LEVEL,
    NAMES,
    NUMBER,
    PURCHASES,
    RESERVATIONS,
    TEXT,
    WHOLE,
    WINDOWS,
    WORD,
    YES_NO,
    choice,
)
from arvnodeman.config.leader import LeaderSettings
from arvnodeman.config.option import ARVADOS, CLOUD, LOGGING, MANAGE, SIZE, free, option, optional, section
from arvnodeman.fleet.messages import Poll
from arvnodeman.fleet.values.budgets import Budget
from arvnodeman.fleet.values.gres import Gres
from arvnodeman.fleet.values.model import Policy, Secret, SizeSection
from arvnodeman.fleet.values.rungs import Purchase, Rung
from arvnodeman.fleet.values.spares import Spare

KEPT_BY_AUTO: Final = "auto"
KEPT_BY_ARVADOS: Final = "arvados"
KEPT_BY_SLURM: Final = "slurm"
KEPT_BY_SLURM_CLOUD: Final = "slurm-cloud"

S, MIN, MB, GB, USD = "seconds", "minutes", "MB", "GB", "$/hour"


@section(MANAGE)
class ManageSettings:
    """[Manage]."""

    address: str = option(TEXT, "127.0.0.1", "The address to listen on; 0.0.0.0 is all of this machine's.")
    port: int = option(WHOLE, "-1", "The TCP port to listen on. Below 0: none; 0: any free one.", high=65535)
    management_token: Secret = option(
        WORD,
        "",
        "What requests must show as `Authorization: Bearer TOKEN`. Empty: /_health/ping is turned off, and what else "
        "needs a token is served to this machine only.",
        name="ManagementToken",
    )


@section(LOGGING)
class LoggingSettings:
    """[Logging]. Levels are the upper-case names of the logging module."""

    file: str = option(TEXT, "/dev/stderr", "The file that log lines are added to.")
    format: Literal["text", "json"] = option(
        choice("text", "json"),
        "text",
        "`json`: each line is an object with time, level, logger, pid and message, and error if there is a traceback.",
    )
    level: str = option(LEVEL, "WARNING", "The level of all loggers without their own level.", at_once=True)
    loggers: Mapping[str, str] = free(at_once=True)  # name of a logger, its case kept -> level


@section(ARVADOS)
class ArvadosSettings:
    """[Arvados]. `host` is HOST or HOST:PORT, spoken to over https, unless `http://` stands before it; "" where there
    is no Arvados."""

    host: str = option(
        HOST,
        "",
        "The API server. Empty: Slurm without Arvados (dispatcher = slurm).",
        example="zyxwv.example.com",
        live=True,
    )
    token: Secret = option(
        WORD,
        "",
        "An administrator's token, which may read and change all nodes and jobs. Required with `host`.",
        example="replace-with-an-administrator-token",
        live=True,
    )
    timeout: float = option(NUMBER, "15", "The longest wait for one answer.", S, above=0)
    insecure: bool = option(YES_NO, "no", "Do not check the server's certificate.")
    jobs_queue: bool = option(YES_NO, "yes", "Read waiting jobs from Arvados' own jobs queue.")
    slurm_queue: bool = option(YES_NO, "yes", "Read waiting jobs from Slurm's queue, and nodes' states from Slurm.")
    node_records: Literal["auto", "arvados", "slurm", "slurm-cloud"] = option(
        choice("auto", "arvados", "slurm", "slurm-cloud"),
        "auto",
        "What keeps the node records. `arvados`: the API server (up to 2.7). `slurm`: Slurm's node names are the "
        "records. `slurm-cloud`: the names are declared State=CLOUD, and Slurm itself (24.11 or newer) decides which "
        "of them its jobs need; not with an [Arvados] host. `auto`: the API server if it has node records, otherwise "
        "Slurm; `slurm-cloud` if slurm.conf has that for `partitions`.",
    )


@section(CLOUD)
class CloudSettings:
    """[Cloud] and the three free sections of the cloud, their names in lower case.

    A known option that is left empty is not in the mappings; one with a default is there for the clouds that have it.
    """

    provider: str = option(choice(*PROVIDERS), None, "The cloud.", example="ec2")
    shutdown_windows: tuple[float, ...] = option(
        WINDOWS,
        None,
        "When an idle node may be shut down, as alternating lengths of time from its start: closed, open, closed, "
        "open, and so on, repeated for ever. `54, 5, 1` is minutes 54 to 59 of each hour, for clouds that bill by the "
        "hour. If there is an odd number of values, the first is added to the last closed one.",
        MIN,
        example="54, 5, 1",
        at_once=True,
    )
    address_family: str = option(
        choice("any", "ipv4", "ipv6"),
        "any",
        "The family of the node's address that Slurm is told; a node without such an address is destroyed. `any`: "
        "IPv4 if there is one, otherwise IPv6. On azure `any` is the node's name, which the DNS of its network knows, "
        "and the other values cost one request per list.",
    )
    burst: bool | None = optional(
        YES_NO,
        "On ec2: create up to 100 nodes of a size with one request (doc/clouds/ec2.md). All of them can then read "
        "each other's ping secrets. Empty: yes if user_data is a script, or contains nothing that differs from node "
        "to node, or no node pings; no if images expect the bare ping URL.",
    )
    driver_class: str = option(DOTTED, "", "A class that replaces the cloud's libcloud driver. Empty: none.")
    credentials: Mapping[str, Secret] = free()
    listing: Mapping[str, str] = free()
    create: Mapping[str, str] = free()


@section(SIZE)
class SizeSettings:
    """One [Size NAME]. None: take the provider's value."""

    cores: int = option(WHOLE, None, "Cores that jobs can count on.", low=1, example="2")
    instance_type: str = option(TEXT, "", "The provider's type, by id or name. Empty: NAME.")
    price: float | None = optional(NUMBER, "Price of a node. Empty: the provider's.", USD, above=0)
    ram: float | None = optional(NUMBER, "RAM before node_mem_scaling; 0: unknown. Empty: the provider's.", MB, low=0)
    disk: float | None = optional(NUMBER, "Disk; 0: unknown. Empty: the provider's.", GB, low=0)
    scratch: float | None = optional(NUMBER, "Scratch space; 0: unknown. Empty: disk × 1000.", MB, low=0)
    bandwidth: float | None = optional(NUMBER, "Network bandwidth. Empty: the provider's.", low=0)
    preemptible: bool = option(YES_NO, "no", "Boot spot or preemptible nodes (ec2, gce).")
    purchases: tuple[Purchase, ...] = option(
        PURCHASES,
        "",
        "How nodes of this size are bought, in the order in which this is tried, each in all `zones`: `spot, "
        "on-demand` (ec2, gce). Empty: as `preemptible` says.",
    )
    spot_price: float | None = optional(
        NUMBER, "Price of a spot node, if `purchases` has spot. Empty: that of the size.", USD, above=0
    )
    reservations: tuple[tuple[str, str], ...] = option(
        RESERVATIONS,
        "",
        "Capacity that is reserved for this size, tried first: ids or group ARNs of capacity reservations (ec2), "
        "names of reservations (gce). If there are several `zones`: ID@ZONE.",
    )
    reserved_price: float = option(
        NUMBER,
        "0",
        "What a node in a reservation adds to the bill. The default is 0 because it is paid for anyway.",
        USD,
        low=0,
    )
    gres: Gres = option(
        GRES,
        "",
        "Generic resources (GRES) of a node: `gpu:1`, or `gpu:tesla:2, license:4`. A job that asks for such resources "
        "with --gres or --gpus gets a size that has them.",
    )
    partitions: tuple[str, ...] = option(
        NAMES, "", "The Slurm partitions whose jobs this size serves: `gpu, debug`. Empty: all."
    )
    features: tuple[str, ...] = option(
        FEATURES,
        "",
        "Slurm features that nodes of this size have in addition to `instancetype=NAME`: `avx512, ib`. A job that "
        "asks for one with --constraint gets a size, or a name in slurm.conf, that has it. Nodes of other sizes lose "
        "it.",
    )
    node_names: str = option(
        HOSTLIST,
        "",
        "If Slurm keeps the node records: the names in slurm.conf that only nodes of this size get, for example "
        "`m5l-[1-50]`. Empty: with node_records = slurm-cloud those with the feature `instancetype=NAME`, otherwise "
        "those that no size lists. Slurm counts a node's CPUs and memory by the line of its name, so sizes of "
        "different shape need names of their own if their nodes are shared.",
    )

    def section(self, name: str, extra: Mapping[str, str], ladder: tuple[Rung, ...] = ()) -> SizeSection:
        """As the Fleet knows it. `extra`: free overrides of what the provider says; `ladder`: where and how its nodes
        can be had."""
        return SizeSection(
            id=name,
            cores=self.cores,
            instance_type=self.instance_type or name,
            price=self.price,
            ram=self.ram,
            disk=self.disk,
            scratch=self.scratch,
            bandwidth=self.bandwidth,
            preemptible=self.preemptible,
            gres=self.gres,
            partitions=self.partitions,
            features=self.features,
            node_names=self.node_names,
            extra=tuple(extra.items()),
            ladder=ladder,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One configuration file that has been found good."""

    path: str
    warnings: tuple[str, ...]  # unknown names, one line each
    manage: ManageSettings
    daemon: DaemonSettings
    leader: LeaderSettings
    logging: LoggingSettings
    arvados: ArvadosSettings
    cloud: CloudSettings
    sizes: tuple[SizeSection, ...]  # in the order of the file
    spares: tuple[Spare, ...] = ()  # likewise
    budgets: tuple[Budget, ...] = ()  # likewise
    found_cloud: bool = False  # node_records is auto, and Slurm was found to place jobs on names declared CLOUD

    @property
    def slurm_timeout(self) -> float:
        """Seconds that one of Slurm's commands may take: no longer than a request may where another may lead."""
        return min(self.daemon.slurm_timeout, self.leader.longest_request or self.daemon.slurm_timeout)

    @property
    def pings(self) -> bool:
        """May nodes have to ping the API server? Those of names in Slurm do not."""
        kept = self.arvados.node_records
        return bool(self.arvados.host) and not self.found_cloud and kept in (KEPT_BY_AUTO, KEPT_BY_ARVADOS)

    @property
    def places(self) -> bool:
        """Does Slurm place jobs on names that are off, and say so which nodes are to be there?"""
        return self.found_cloud or self.arvados.node_records == KEPT_BY_SLURM_CLOUD

    @property
    def shares(self) -> bool:
        """May jobs that wait in Slurm share nodes, where Slurm lets them?"""
        share = self.daemon.share
        return not self.places and (share == "yes" or (share == "auto" and not self.arvados.host))

    @property
    def lease_by_tag(self) -> bool:
        """Do nodes read the tag by which their lease is renewed in their metadata? Else the scheduler tells."""
        return self.cloud.provider == "ec2" and self.cloud.create.get("imds_tags") == "yes"

    @property
    def lease_of_nodes(self) -> int:
        """Minutes that a node stays without a manager; 0: for ever, as where nothing could tell it of one."""
        return self.daemon.node_lease if self.daemon.dispatcher == "slurm" or self.lease_by_tag else 0

    def policy(self) -> Policy:
        """What the Fleet decides by."""
        daemon = self.daemon
        slurm = daemon.dispatcher == "slurm"
        return Policy(
            sections=self.sizes,
            shutdown_windows=self.cloud.shutdown_windows,
            min_nodes=daemon.min_nodes,
            max_nodes=daemon.max_nodes,
            max_total_price=daemon.max_total_price,
            max_price_factor=daemon.max_price_factor,
            max_jobs_per_node=daemon.max_jobs_per_node,
            spares=self.spares,
            ahead_max_idle=daemon.ahead_max_idle,
            drain_to_consolidate=daemon.drain_to_consolidate,
            max_poll_time=daemon.max_poll_time,
            poll_stale_after=daemon.poll_stale_after,
            boot_fail_after=daemon.boot_fail_after,
            node_stale_after=daemon.node_stale_after,
            node_mem_scaling=daemon.node_mem_scaling,
            consecutive_idle_count=daemon.consecutive_idle_count,
            boot_attempts=daemon.boot_attempts,
            quota_retry_after=daemon.quota_retry_after,
            size_retry_after=daemon.size_retry_after,
            rung_patience=daemon.rung_patience,
            cheapest_rung=daemon.rung_order == CHEAPEST,
            spot_tries=daemon.spot_tries,
            use_within=daemon.use_within,
            vain_retry_after=daemon.vain_retry_after,
            drain_poll_time=daemon.drain_poll_time,
            cancel_unsatisfiable=daemon.cancel_unsatisfiable,
            explain_after=daemon.explain_after,
            explain_unsatisfiable=not self.arvados.host,
            keep_drained=daemon.keep_drained,
            slurm=slurm,
            asks_scheduler=slurm or self.arvados.slurm_queue,  # else no Slurm command is ever run (row N5)
            budgets=self.budgets,
            places=self.places,
            renews_leases=bool(self.lease_of_nodes),
        )

    @property
    def woken_polls(self) -> tuple[Poll, ...]:
        """The lists that tell what is new in Slurm. Where jobs that wait are the demand not that of the records: in how
        many of its polls in a row a node was idle counts, and must not depend on how often jobs come."""
        return (Poll.RECORDS, Poll.QUEUE) if self.places else (Poll.QUEUE,)

    def poll_time_of(self, poll: Poll) -> float:
        """Seconds between two polls of this list (row A16)."""
        daemon = self.daemon
        own = {
            Poll.CLOUD: daemon.cloudlist_poll_time,
            Poll.RECORDS: daemon.nodelist_poll_time,
            Poll.QUEUE: daemon.wishlist_poll_time,
        }
        return own[poll] or daemon.poll_time
