"""The options of [Daemon]."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, Literal

from arvnodeman.config.kinds import FOLDER, HOSTLIST, LEASE, NUMBER, NUMBER_OR_AUTO, TEXT, TEXTS, WHOLE, YES_NO, choice
from arvnodeman.config.option import DAEMON, option, section

if TYPE_CHECKING:
    from arvnodeman.config.settings import Settings

ARVADOS_CONTAINER = "-dz642-"
"""Part of the name of every job that Arvados' dispatcher submits: the type code of container uuids (row F16)."""
SLURM_TIMEOUT = 20.0  # seconds that one of Slurm's commands may take
HOPELESS_POLLS = 10  # poll_hopeless_after is so many times poll_stale_after when the file does not say
WATCHDOG_ROUNDS = 10  # watchdog_interval is this part of watchdog when the file does not say, within these bounds
SHORTEST_INTERVAL, LONGEST_INTERVAL = 0.5, 20.0  # seconds

BY_SIZE: Final = "size"
CHEAPEST: Final = "cheapest"
S, USD = "seconds", "$/hour"


def _hopeless_after(given: Settings) -> float:
    return HOPELESS_POLLS * given.daemon.poll_stale_after


def _watchdog_interval(given: Settings) -> float:
    return min(max(given.daemon.watchdog / WATCHDOG_ROUNDS, SHORTEST_INTERVAL), LONGEST_INTERVAL)


def _with_arvados(given: Settings) -> bool:
    return bool(given.arvados.host)


def _job_name_pattern(given: Settings) -> str:
    return ARVADOS_CONTAINER if given.arvados.host else ""


def _state_directory(_given: Settings) -> str:
    """systemd gives several, with colons between, when the unit names several."""
    return os.environ.get("STATE_DIRECTORY", "").partition(":")[0]


def _poke_file(_given: Settings) -> str:
    folder = os.environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]
    return f"{folder}/poke" if folder else ""


@section(DAEMON)
class DaemonSettings:
    """[Daemon]: each option under its own name. Times are seconds."""

    dispatcher: Literal["", "slurm"] = option(
        choice("", "slurm"),
        "",
        "`slurm`: drain nodes in Slurm before they are destroyed, and set their features and weights. Empty: never "
        "change Slurm's nodes.",
    )
    min_nodes: int = option(
        WHOLE,
        "0",
        "Keep at least this many nodes of the cheapest size. An idle one makes way for a job that a limit stops.",
        low=0,
        at_once=True,
    )
    max_nodes: int = option(
        WHOLE, "1", "Never more nodes than this, counting all that exist or are booting.", low=0, at_once=True
    )
    max_total_price: float = option(
        NUMBER,
        "0",
        "Never boot a node if all nodes that exist or are booting would then cost more than this. 0: no limit.",
        USD,
        low=0,
        no_limit=0,
        at_once=True,
    )
    max_price_factor: float = option(
        NUMBER,
        "1.5",
        "While the cheapest size that fits a job is not available, take a dearer one, up to this many times its price.",
        low=1,
        at_once=True,
    )
    max_jobs_per_node: int = option(
        WHOLE,
        "0",
        "Where jobs share nodes, plan at most this many on one node. 0: as many as fit.",
        low=0,
        no_limit=0,
        at_once=True,
    )
    drain_to_consolidate: bool = option(
        YES_NO,
        "no",
        "While no job waits, half-empty nodes take no new jobs and go when their jobs have ended, if these jobs would "
        "fit on another node of that size. No job is moved or ended. For the slurm dispatcher and shared nodes.",
        at_once=True,
    )
    ahead: bool = option(
        YES_NO,
        "no",
        "Boot nodes for jobs in Slurm before the jobs may start, so that the nodes are up by then: jobs with a begin "
        "time, jobs that depend on the end of another, jobs in a reservation. For the slurm dispatcher. See "
        "doc/money.md.",
    )
    ahead_max_idle: float = option(
        NUMBER,
        "10",
        "How long a node booted ahead may wait for its job. One that would probably wait longer is not booted.",
        "minutes",
        above=0,
        at_once=True,
    )
    poll_time: float = option(NUMBER, "60", "The time between two polls of one list.", S, above=0, at_once=True)
    cloudlist_poll_time: float = option(
        NUMBER, "0", "The same for the list of the cloud's nodes. 0: poll_time.", S, low=0, at_once=True
    )
    nodelist_poll_time: float = option(
        NUMBER, "0", "The same for node records and Slurm. 0: poll_time.", S, low=0, at_once=True
    )
    wishlist_poll_time: float = option(NUMBER, "0", "The same for the job queue. 0: poll_time.", S, low=0, at_once=True)
    payers_poll_time: float = option(
        NUMBER,
        "60",
        "How often, at most, Slurm is asked which jobs are on which nodes, to divide costs by user, account and job. "
        "It costs slurmctld as much as one list of the queue; if that takes long, it is asked less often. 0: never.",
        S,
        low=0,
    )
    payer_tags: bool = option(
        YES_NO,
        "no",
        "Tag nodes at the cloud with account, user and partition of the first job that they are booted for, and with "
        "that job, so that the provider's own bill can be divided (doc/money.md). The cloud then sees user names.",
    )
    cost_comment: bool = option(
        YES_NO,
        "no",
        "When a job has ended, write what it cost into its AdminComment in Slurm's accounting (`sacct -o "
        "jobid,admincomment`), some jobs every ten seconds. An AdminComment that somebody else wrote stays. Needs "
        "slurmdbd, and an account that is a Slurm operator there.",
    )
    wake_poll: float = option(
        NUMBER,
        "5",
        "How often, between two polls of the queue, Slurm is asked whether jobs were submitted, with a command that "
        "is cheap however long the queue is. If so, the queue is polled at once. 0: never.",
        S,
        low=0,
        at_once=True,
    )
    max_poll_time: float = option(
        NUMBER,
        "300",
        "The longest wait after a failed poll or request; waits double up to it.",
        S,
        above=0,
        at_once=True,
    )
    poll_stale_after: float = option(
        NUMBER,
        "600",
        "While any list is older than this, nothing is booted, stopped or cancelled.",
        S,
        above=0,
        at_once=True,
    )
    poll_hopeless_after: float = option(
        NUMBER,
        "",
        "When a list has not been read for this long, the daemon ends itself, to be restarted. 0: never. Empty: 10 "
        "times poll_stale_after.",
        S,
        otherwise=_hopeless_after,
        low=0,
    )
    boot_fail_after: float = option(
        NUMBER,
        "1800",
        "A node that has not come up this long after its start counts as broken and may be shut down.",
        S,
        above=0,
        at_once=True,
    )
    node_stale_after: float = option(
        NUMBER,
        "7200",
        "A ping or a node record older than this is ignored; a record this old may be used again.",
        S,
        above=0,
        at_once=True,
    )
    consecutive_idle_count: int = option(
        WHOLE,
        "2",
        "How many polls in a row must find a node idle before it may be shut down.",
        "polls",
        low=0,
        at_once=True,
    )
    node_mem_scaling: float = option(
        NUMBER, "0.95", "The share of a node's advertised RAM that jobs can count on.", above=0, high=2, at_once=True
    )
    boot_attempts: int = option(WHOLE, "10", "How often one boot is tried.", "tries", low=1, at_once=True)
    quota_retry_after: float = option(
        NUMBER,
        "60",
        "After a refusal because of quota, wait this long before one more node is tried; doubles up to 15 minutes.",
        S,
        above=0,
        at_once=True,
    )
    size_retry_after: float = option(
        NUMBER,
        "60",
        "The back-off of a size that is not available, before one node of it is tried; doubles up to 15 minutes.",
        S,
        above=0,
        at_once=True,
    )
    rung_patience: float = option(
        NUMBER,
        "10",
        "How long a zone and purchase may take to deliver a node that it has accepted. After that the node is "
        "destroyed, and the next zone or purchase is tried.",
        "minutes",
        above=0,
        at_once=True,
    )
    rung_order: Literal["size", "cheapest"] = option(
        choice(BY_SIZE, CHEAPEST),
        BY_SIZE,
        "`size`: all zones and purchases of the cheapest size that fits a job are tried before a dearer size, in the "
        "order in which they are given. `cheapest`: whatever is cheapest now, spot nodes before all that are dearer.",
        at_once=True,
    )
    spot_tries: int = option(
        WHOLE,
        "1",
        "After the cloud has taken this many spot nodes from a running job, the next of `purchases` is tried first.",
        low=1,
        at_once=True,
    )
    use_within: float = option(
        NUMBER,
        "180",
        "A node that Slurm has not used for this long, and for three node polls, is no longer kept for the jobs that "
        "wait for it. Should be at least two of Slurm's scheduling cycles (`bf_interval`, `sched_interval`).",
        S,
        above=0,
        at_once=True,
    )
    vain_retry_after: float = option(
        NUMBER,
        "300",
        "If Slurm did not use a node for the jobs that it was up for, nothing is booted for such jobs for this long, "
        "then one node as a probe; doubles up to 48 times that.",
        S,
        above=0,
        at_once=True,
    )
    drain_poll_time: float = option(
        NUMBER, "10", "How often Slurm is asked whether a node has drained.", S, above=0, at_once=True
    )
    max_concurrent_cloud_ops: int = option(
        WHOLE,
        "16",
        "How many requests of boots and shutdowns may run at once; one place is kept for shutdowns.",
        low=2,
        high=1000,
    )
    max_cloud_ops_per_second: float | None = option(
        NUMBER_OR_AUTO,
        "auto",
        "How many requests are sent to the cloud. `auto`: creates, destroys and tags each begin with the rate that "
        "the cloud documents; the rate grows while nothing is throttled, and is halved when the cloud throttles. A "
        "number: creates and destroys together begin with that rate and never exceed it; destroys come first. 0: no "
        "limit.",
        "requests/second",
        low=0,
        high=10_000,
        no_limit=0,
    )
    cancel_unsatisfiable: bool = option(
        YES_NO,
        "",
        "Cancel a job that no configured size can ever run, and log the reason on it. Empty: yes if there is an "
        "[Arvados] host. Without one the reason is written into the job's AdminComment in any case.",
        otherwise=_with_arvados,
        at_once=True,
    )
    explain_after: float = option(
        NUMBER,
        "60",
        "When a job has waited this long in Slurm and no node comes for it, its AdminComment says why, and until "
        "when, if that is known: `squeue -O jobarrayid,admin_comment:120`. It is removed when the job starts; an "
        "AdminComment that somebody else wrote stays. Only if dispatcher is slurm. 0: never.",
        S,
        low=0,
        at_once=True,
    )
    keep_drained: bool = option(
        YES_NO,
        "no",
        "Leave nodes alone that somebody else drained in Slurm. With `no` they count as broken and are destroyed.",
        at_once=True,
    )
    share: Literal["auto", "no", "yes"] = option(
        choice("auto", "no", "yes"),
        "auto",
        "Several jobs on one node. `auto`: jobs share where Slurm lets them, by its SelectType, by the partition's "
        "OverSubscribe and by each job, but each container of Arvados has its node to itself. `yes`: containers "
        "share, too. `no`: every job has its nodes to itself. No effect if node_records is slurm-cloud, because Slurm "
        "itself places the jobs.",
    )
    node_names: str = option(
        HOSTLIST,
        "",
        "If Slurm keeps the node records: the names in slurm.conf that new nodes may get, for example `cloud[1-20]`. "
        "Empty: all nodes of `partitions`, except compute0.",
    )
    partitions: tuple[str, ...] = option(
        TEXTS,
        "",
        "The Slurm partitions whose nodes are ours if node_names is empty, separated by commas. Empty: all.",
    )
    job_name_pattern: str = option(
        TEXT,
        "",
        "Only jobs in Slurm whose name contains this text count. Empty: `-dz642-`, as in Arvados' job names, if there "
        "is an [Arvados] host; otherwise every job counts.",
        otherwise=_job_name_pattern,
    )
    watchdog: float = option(
        NUMBER,
        "600",
        "If a part of the daemon does not answer for this long, the process ends, to be restarted.",
        S,
        above=0,
    )
    watchdog_interval: float = option(
        NUMBER,
        "",
        "How often the watchdog asks. Empty: a tenth of watchdog, at least 0.5 and at most 20.",
        S,
        otherwise=_watchdog_interval,
        above=0,
    )
    stop_timeout: float = option(
        NUMBER, "60", "How long a stopping daemon waits for boots that are under way.", S, low=0, at_once=True
    )
    node_lease: int = option(
        LEASE,
        "0",
        "A node ends itself when no manager has renewed it and nothing has run on it for this long. For nodes whose "
        "user data has `{lease_watch}`; see doc/node-lease.md. 0: never.",
        "minutes",
    )
    certs_file: str = option(TEXT, "", "A file of CA certificates to check the API server with. Empty: the system's.")
    state_dir: str = option(
        FOLDER,
        "",
        "A directory for the daemon's files: why the last run ended, the history, the journal, and a socket for the "
        "command line. Empty: $STATE_DIRECTORY, as systemd sets it; if that is empty too, none.",
        otherwise=_state_directory,
    )
    poke_file: str = option(
        FOLDER,
        "",
        "A file that the daemon creates; when anybody touches it, Slurm is polled at once. Empty: `poke` in "
        "$RUNTIME_DIRECTORY, as systemd sets it; if that is empty too, none.",
        otherwise=_poke_file,
    )
    history_days: int = option(
        WHOLE,
        "90",
        "How far the history file in the state directory goes back: lives of nodes, costs, waits, decisions. 0: no "
        "file.",
        "days",
        low=0,
        high=3660,
    )
    journal: bool = option(
        YES_NO,
        "yes",
        "Record what the daemon was told in the state directory, at most 64 MB and without secrets, so that its "
        "decisions can be examined and replayed.",
    )

    @property
    def slurm_timeout(self) -> float:
        """Seconds that a Slurm command may take: a poller's calls end well within the watchdog's time."""
        return min(SLURM_TIMEOUT, self.watchdog / 4)
