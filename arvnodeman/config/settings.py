"""The configuration as values: what config.load() makes of a file.

Plain frozen dataclasses, compared field by field, so that a reload can tell what has changed. Secrets are `Secret`s and
show nothing in a repr.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

from arvnodeman.fleet.messages import Poll
from arvnodeman.fleet.values.model import Policy, Secret, SizeSection

KEPT_BY_AUTO, KEPT_BY_ARVADOS, KEPT_BY_SLURM = "auto", "arvados", "slurm"
ARVADOS_CONTAINER = "-dz642-"
"""Part of the name of every job that Arvados' dispatcher submits: the type code of container uuids (row F16)."""
SLURM_TIMEOUT = 20.0  # seconds that one of Slurm's commands may take


@dataclass(frozen=True, slots=True, kw_only=True)
class ManageSettings:
    """[Manage]."""

    address: str
    port: int  # below 0: no TCP server; 0: any free port
    management_token: Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonSettings:
    """[Daemon]: each option under its own name, explained in the table of options. Times are seconds."""

    dispatcher: str  # "" or "slurm"
    min_nodes: int
    max_nodes: int
    max_total_price: float  # $/hour; 0: no limit
    max_price_factor: float
    poll_time: float
    cloudlist_poll_time: float  # 0: poll_time; see Settings.poll_time_of()
    nodelist_poll_time: float
    wishlist_poll_time: float
    max_poll_time: float
    poll_stale_after: float
    poll_hopeless_after: float  # resolved: 10 × poll_stale_after when the file does not say; 0: never
    boot_fail_after: float
    node_stale_after: float
    consecutive_idle_count: int
    node_mem_scaling: float
    boot_attempts: int
    quota_retry_after: float
    size_retry_after: float
    use_within: float
    vain_retry_after: float
    drain_poll_time: float
    max_concurrent_cloud_ops: int
    max_cloud_ops_per_second: float  # 0: no limit
    cancel_unsatisfiable: bool
    keep_drained: bool
    node_names: str  # a hostlist that can be read; "": those of `partitions`
    partitions: tuple[str, ...]  # (): all
    job_name_pattern: str  # resolved: that of Arvados where there is one; "": every job counts
    watchdog: float
    watchdog_interval: float  # resolved: a tenth of watchdog, within bounds, when the file does not say
    stop_timeout: float
    certs_file: str  # "": the system's certificates
    state_dir: str  # resolved: $STATE_DIRECTORY when the file does not say; "": none
    history_days: int  # 0: no history file
    journal: bool

    @property
    def slurm_timeout(self) -> float:
        """Seconds that a Slurm command may take: a poller's calls end well within the watchdog's time."""
        return min(SLURM_TIMEOUT, self.watchdog / 4)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggingSettings:
    """[Logging]. Levels are the upper-case names of the logging module."""

    file: str
    level: str
    loggers: Mapping[str, str]  # name of a logger, its case kept -> level
    format: str = "text"  # or "json"


@dataclass(frozen=True, slots=True, kw_only=True)
class ArvadosSettings:
    """[Arvados]. `host` is HOST or HOST:PORT, spoken to over https, unless `http://` stands before it; "" where there
    is no Arvados."""

    host: str
    token: Secret
    timeout: float  # seconds
    insecure: bool
    jobs_queue: bool
    slurm_queue: bool
    node_records: str  # auto, arvados or slurm
    certs_file: str  # that of [Daemon]


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudSettings:
    """[Cloud] and the three free sections of the cloud, their names in lower case.

    A known option that is left empty is not in the mappings; one with a default is there for the clouds that have it.
    """

    provider: str
    shutdown_windows: tuple[float, ...]  # minutes: closed, open, closed ...
    driver_class: str  # dotted path; "": the provider's own
    credentials: Mapping[str, Secret]
    listing: Mapping[str, str]
    create: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One configuration file that has been found good."""

    path: str
    warnings: tuple[str, ...]  # unknown names, one line each
    manage: ManageSettings
    daemon: DaemonSettings
    logging: LoggingSettings
    arvados: ArvadosSettings
    cloud: CloudSettings
    sizes: tuple[SizeSection, ...]  # in the order of the file

    def policy(self) -> Policy:
        """What the Fleet decides by. Fields of Policy that are not named here are [Daemon] options of that name."""
        slurm = self.daemon.dispatcher == "slurm"
        elsewhere = {"sections", "shutdown_windows", "slurm", "asks_scheduler", "explain_unsatisfiable"}
        names = [each.name for each in fields(Policy) if each.name not in elsewhere]
        return Policy(
            sections=self.sizes,
            shutdown_windows=self.cloud.shutdown_windows,
            slurm=slurm,
            explain_unsatisfiable=not self.arvados.host,
            asks_scheduler=slurm or self.arvados.slurm_queue,  # else no Slurm command is ever run (row N5)
            **{name: getattr(self.daemon, name) for name in names},
        )

    def poll_time_of(self, poll: Poll) -> float:
        """Seconds between two polls of this list (row A16)."""
        daemon = self.daemon
        own = {
            Poll.CLOUD: daemon.cloudlist_poll_time,
            Poll.RECORDS: daemon.nodelist_poll_time,
            Poll.QUEUE: daemon.wishlist_poll_time,
        }
        return own[poll] or daemon.poll_time
