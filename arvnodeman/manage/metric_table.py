"""Every metric, declared once: the page /metrics and doc/metrics.md are made from METRICS.

To add one, add a line here and run `python -m arvnodeman.manage.metric_reference`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from arvnodeman.cloud import throttle
from arvnodeman.fleet.nodes.milestones import Span
from arvnodeman.fleet.values.reasons_of_use import InVain
from arvnodeman.manage import metric_readers as read
from arvnodeman.manage.metric_readers import CLOUD_STEPS, OTHER_STEPS, Labels, Read, count, one

PREFIX = "arvados_node_manager_"


class MetricKind(StrEnum):
    """Of a metric, as Prometheus has them."""

    GAUGE = "gauge"
    COUNTER = "counter"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. `name` without prefix; a counter's without `_total`, which the text format adds."""

    name: str
    kind: MetricKind
    meaning: str
    read: Read
    labels: Labels = ()

    @property
    def full_name(self) -> str:
        """As people query it; a histogram's stem."""
        return PREFIX + self.name + ("_total" if self.kind is MetricKind.COUNTER else "")


G, C, H = MetricKind.GAUGE, MetricKind.COUNTER, MetricKind.HISTOGRAM
METRICS: tuple[Metric, ...] = (
    Metric(
        "nodes", G, "Nodes by state and size; size is empty for one that no section has.", read.nodes, ("state", "size")
    ),
    Metric("nodes_with_word", G, "Nodes with an operator directive.", read.words, ("word",)),
    Metric(
        "doubtful_nodes",
        G,
        "1 for each node that has been silent for long and is kept because it may be working.",
        read.doubtful,
        ("node", "hostname"),
    ),
    Metric(
        "price_dollars_per_hour",
        G,
        "Price of all nodes that exist or are booting.",
        one(lambda reading: reading.now.view.price),
    ),
    Metric(
        "price_limit_dollars_per_hour",
        G,
        "[Daemon] max_total_price; 0: no limit.",
        one(lambda reading: reading.now.view.policy.max_total_price),
    ),
    Metric(
        "cost_dollars",
        G,
        "What the nodes have cost so far this hour, day and month of the machine's calendar.",
        read.costs,
        ("period",),
    ),
    Metric(
        "budget_limit_dollars",
        G,
        "[Budget NAME] limit, including an operator's raise.",
        read.budgets(lambda standing: standing.limit, known=False),
        ("budget", "per"),
    ),
    Metric(
        "budget_spent_dollars",
        G,
        "What a budget has spent in its period so far.",
        read.budgets(lambda standing: standing.spent),
        ("budget", "per"),
    ),
    Metric(
        "budget_committed_dollars",
        G,
        "What nodes that run or boot will still cost a budget in its period, to the end of time limits.",
        read.budgets(lambda standing: standing.committed),
        ("budget", "per"),
    ),
    Metric(
        "budget_forecast_dollars",
        G,
        "What a budget will have spent at the end of its period, at the rate of today.",
        read.budgets(lambda standing: standing.forecast),
        ("budget", "per"),
    ),
    Metric(
        "budget_nearly_spent",
        G,
        "1 when 80 % of a budget's limit is spent, else 0.",
        read.budgets(lambda standing: standing.is_nearly_spent),
        ("budget", "per"),
    ),
    Metric(
        "budget_refuses",
        G,
        "1 when no new node is booted for the jobs of a budget, else 0.",
        read.budgets(lambda standing: standing.refuses and (standing.is_used_up or not standing.known), known=False),
        ("budget", "per"),
    ),
    Metric(
        "cost_complete",
        G,
        "1 when all nodes of this month are counted; 0: only those since the history begins.",
        one(lambda reading: reading.source.history.costs(reading.source.vitals.clock.now()).complete),
    ),
    Metric(
        "payer_cost_dollars",
        G,
        "What nodes have cost so far this month, by who pays: the 50 dearest accounts, users and partitions, and "
        "`other` for all others; (overhead) is what no job pays for. Each kind adds up to what all have cost.",
        read.payers,
        ("by", "name"),
    ),
    Metric("min_nodes", G, "[Daemon] min_nodes.", one(lambda reading: reading.now.view.policy.min_nodes)),
    Metric("max_nodes", G, "[Daemon] max_nodes.", one(lambda reading: reading.now.view.policy.max_nodes)),
    Metric("quota_nodes", G, "The soft limit learnt from the cloud.", one(lambda reading: reading.now.view.quota)),
    Metric(
        "slot_quota_nodes",
        G,
        "The soft limit learnt from node records that had no slot (MaxComputeVMs).",
        one(lambda reading: reading.now.view.slots),
    ),
    Metric(
        "spare_nodes",
        G,
        "Nodes of each [Spare NAME] by standing: wanted (to stand ready now), idle (they do), coming.",
        read.spares,
        ("spare", "standing"),
    ),
    Metric(
        "ahead_nodes",
        C,
        "Nodes for jobs that could not start yet, by what became of them: booted (all of them), used, in_vain.",
        read.ahead,
        ("outcome",),
    ),
    Metric("wanted_nodes", G, "Nodes that waiting jobs need, by size.", read.wanted, ("size",)),
    Metric(
        "jobs",
        G,
        "Waiting jobs by standing: served (a node is there or coming), waiting, unsatisfiable.",
        read.jobs,
        ("standing",),
    ),
    Metric(
        "longest_wait_seconds", G, "How long the job that waits longest has been seen waiting.", one(read.longest_wait)
    ),
    Metric(
        "boots_in_vain",
        C,
        "Groups of jobs, counted once per back-off, for which a node was up that Slurm did not use.",
        count("boots_in_vain"),
    ),
    Metric(
        "groups_in_vain",
        G,
        "Groups of waiting jobs for which nothing is booted now, because Slurm did not use a node for them.",
        one(lambda reading: sum(isinstance(group.cause, InVain) for group in reading.now.view.vain.values())),
    ),
    Metric("jobs_cancelled", C, "Jobs cancelled because no size could ever serve them.", count("jobs_cancelled")),
    Metric(
        "poll_age_seconds",
        G,
        "Age of each list: since its last good poll, or since the start.",
        read.poll_age,
        ("list",),
    ),
    Metric("poll_duration_seconds", G, "How long the last attempt at each list took.", read.poll_took, ("list",)),
    Metric("poll_items", G, "Items of the last good poll of each list.", read.poll_items, ("list",)),
    Metric("poll_errors", C, "Failed attempts at each list.", read.poll_errors, ("list",)),
    Metric(
        "cloud_operations",
        C,
        "Requests to the cloud by kind and outcome: ok, or the kind of the error. Listing nodes is a poll.",
        read.steps(CLOUD_STEPS),
        ("operation", "outcome"),
    ),
    Metric(
        "other_operations",
        C,
        "Requests to Arvados and Slurm commands, by kind and outcome.",
        read.steps(OTHER_STEPS),
        ("operation", "outcome"),
    ),
    Metric("operations_under_way", G, "Boots, shutdowns, kills and chores under way.", read.operations, ("kind",)),
    Metric(
        "requests_queued",
        G,
        "Requests that wait for one of max_concurrent_cloud_ops places.",
        one(lambda reading: reading.source.published.queued),
    ),
    Metric(
        "operations_throttled",
        G,
        "Operations that wait because the other side throttles.",
        one(
            lambda reading: sum(
                each.trouble is not None and each.trouble.kind.value == "throttled"
                for each in reading.now.view.operations
            )
        ),
    ),
    Metric("throttled_requests", C, "Requests that were throttled by the other side.", count("throttled")),
    Metric(
        "throttle_wait_seconds", C, "Time that operations waited because of throttling.", count("throttled_seconds")
    ),
    Metric(
        "own_limit_wait_seconds",
        C,
        "Time that requests have waited in their operators for max_cloud_ops_per_second.",
        one(lambda _reading: throttle.total_waited()),
    ),
    Metric(
        "own_limit_put_off",
        C,
        "Requests that were postponed because of max_cloud_ops_per_second.",
        one(lambda _reading: throttle.total_refused()),
    ),
    Metric(
        "own_limit_requests_per_second",
        G,
        "Requests to the cloud per second that max_cloud_ops_per_second allows now; none if there is no limit.",
        read.request_rates,
        ("kind",),
    ),
    Metric(
        "boots",
        C,
        "How boots ended: up, failed (the node never came up), failed_KIND (the cloud itself called the node failed), "
        "stopped (not needed any more), refused_KIND.",
        read.boots,
        ("outcome",),
    ),
    Metric(
        "unknown_cloud_errors",
        C,
        "Errors of the cloud that are in no table of ours: judged by their status; each is logged once.",
        count("unknown_cloud_errors"),
    ),
    Metric(
        "reclaim_notices",
        C,
        "Nodes that reported that the cloud takes them back (spot interruption, preemption, a scheduled event).",
        count("reclaim_notices"),
    ),
    Metric("nodes_disappeared", C, "Nodes that disappeared without us (spot, crash).", count("nodes_disappeared")),
    Metric("nodes_reclaimed", C, "Spot nodes that the cloud took with a job on them.", count("nodes_reclaimed")),
    Metric("records_cleaned", C, "Node records without a node whose slot was given back.", count("records_cleaned")),
    Metric(
        "size_rest_seconds",
        G,
        "For each size in back-off: how long it will last, and why.",
        read.backing_off,
        ("size", "why"),
    ),
    Metric(
        "size_boot_trouble",
        G,
        "1 for each size whose newest boot failed, if none has come up since.",
        read.troubles,
        ("size",),
    ),
    Metric("size_missing", G, "1 for each configured size that the cloud does not offer.", read.missing, ("size",)),
    Metric(
        "node_created_to_listed_seconds",
        H,
        "From the cloud's answer to the node's being listed.",
        read.span(Span.LISTED),
    ),
    Metric(
        "node_created_to_paired_seconds", H, "Until its first ping paired it with its record.", read.span(Span.PAIRED)
    ),
    Metric("node_created_to_up_seconds", H, "Until Slurm called it idle or busy.", read.span(Span.UP)),
    Metric("node_created_to_work_seconds", H, "Until Slurm first called it busy.", read.span(Span.WORK)),
    Metric(
        "node_shutdown_to_destroyed_seconds",
        H,
        "From the decision to shut a node down until the cloud took the request; its drain is part of it.",
        read.span(Span.DESTROYED),
    ),
    Metric(
        "node_shutdown_to_gone_seconds", H, "From that decision until no list shows the node.", read.span(Span.GONE)
    ),
    Metric("events", C, "Events that the daemon handled, by kind.", read.events("count"), ("event",)),
    Metric("events_seconds", C, "Time spent on them, including decisions.", read.events("seconds"), ("event",)),
    Metric("event_longest_seconds", G, "The longest of each kind since the start.", read.events("longest"), ("event",)),
    Metric("watchdog_rounds", C, "Good rounds of the watchdog.", one(lambda reading: reading.source.vitals.rounds)),
    Metric(
        "watchdog_slowest_ping_seconds",
        G,
        "The slowest answer in the watchdog's last round.",
        one(lambda reading: reading.source.vitals.slowest_ping),
    ),
    Metric("restarts", C, "Ends of earlier runs by cause, as the state directory has them.", read.restarts, ("cause",)),
    Metric(
        "actor_exceptions",
        C,
        "Unexpected exceptions.",
        one(lambda reading: reading.source.vitals.counted("actor_exceptions")),
    ),
    Metric(
        "wakes",
        C,
        "Polls brought forward by pokes or by submitted jobs.",
        one(lambda reading: reading.source.vitals.counted("wakes")),
    ),
    Metric("healthy", G, "1 while /_health/ping would say OK.", one(lambda reading: not reading.source.ailments())),
    Metric(
        "blocked",
        G,
        "1 while nothing is decided: a list is missing or too old, it is safe mode, or this manager stands by.",
        one(lambda reading: bool(reading.now.view.blocked)),
    ),
    Metric(
        "safe_mode",
        G,
        "1 in safe mode, after a series of quick ends.",
        one(lambda reading: reading.now.view.safe_mode),
    ),
    Metric("leads", G, "1 while this manager leads for sure, or nobody else can.", read.leads),
    Metric("leader_generation", G, "Of this manager's newest lead; 0: it had none.", read.lead("generation")),
    Metric("leader_age_seconds", G, "Since the lead was renewed, while this manager leads.", read.lead("age")),
    Metric("leader_changes", C, "Times that this manager has begun to lead.", read.lead("changes")),
    Metric("leader_refused", C, "Requests not sent because another manager might lead.", read.lead("refused")),
    Metric("leader_trouble", G, "1 while the backend does not say who leads.", read.lead("trouble")),
    Metric(
        "reload_refused",
        G,
        "1 while the last reload was refused and the configuration before it is in force; `status` says why.",
        one(lambda reading: reading.source.vitals.refused_reload is not None),
    ),
    Metric(
        "findings",
        G,
        "Findings of the hourly examination of the site, by check; grave: yes or no. `status` shows their texts.",
        read.findings,
        ("check", "grave"),
    ),
    Metric(
        "history_writing",
        G,
        "1 while rows reach the history file; 0: it cannot be written, or there is none.",
        one(lambda reading: reading.source.history.writing),
    ),
    Metric(
        "history_rows",
        C,
        "Rows written into the history file.",
        one(lambda reading: reading.source.history.written),
    ),
    Metric(
        "history_dropped",
        C,
        "Rows and decisions that never reached the history file: it could not be written, or there were too many.",
        one(lambda reading: reading.source.history.missed + reading.source.history.dropped),
    ),
    Metric("history_bytes", G, "Size of the history file.", one(lambda reading: reading.source.history.bytes)),
    Metric("dry_run", G, "1 when started with --dry-run.", one(lambda reading: reading.source.dry_run)),
    Metric(
        "up_seconds",
        G,
        "Time since this run began.",
        one(lambda reading: reading.monotonic - reading.source.vitals.began),
    ),
    Metric(
        "build_info",
        G,
        "Always 1; its labels are the versions.",
        read.build,
        ("version", "python", "pykka", "libcloud", "arvados"),
    ),
)
