"""What each metric reads when somebody scrapes: the brain's view, signs of life, and what the daemon actor counted."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version

from arvnodeman.fleet import messages
from arvnodeman.fleet.nodes.milestones import BOUNDS, Span, Spread
from arvnodeman.fleet.operations.job_steps import CommentJobs
from arvnodeman.fleet.operations.lease_steps import RenewLeases
from arvnodeman.fleet.operations.name_steps import CloseNames, GiveBack, OfferFeatures, OpenNames, PowerUp, ReleaseJobs
from arvnodeman.fleet.values.budgets import BudgetStanding
from arvnodeman.fleet.values.leading import LeaderBackend
from arvnodeman.fleet.values.model import Directive, NodeState
from arvnodeman.fleet.values.reasons import BackingOff, Unsatisfiable
from arvnodeman.history.money import PERIODS, starts
from arvnodeman.manage.source import Moment, Source
from arvnodeman.money.dearest import KINDS, dearest
from arvnodeman.version import __version__

MOST_PAYERS = 50  # of each kind

Labels = tuple[str, ...]
Figure = float | Spread  # a Spread for a histogram
LIBRARIES = ("pykka", "apache-libcloud", "arvados-python-client")


@dataclass(frozen=True, slots=True)
class Reading:
    """What one scrape reads."""

    source: Source
    now: Moment
    monotonic: float

    def counted(self, name: str) -> float:
        """One of the brain's counters."""
        return self.now.view.counters.get(name, 0)


Read = Callable[[Reading], Iterator[tuple[Labels, Figure]]]


def one(figure: Callable[[Reading], float]) -> Read:
    """One figure without labels."""

    def read(reading: Reading) -> Iterator[tuple[Labels, Figure]]:
        yield (), figure(reading)

    return read


def count(name: str) -> Read:
    """One of the brain's counters."""
    return one(lambda reading: reading.counted(name))


def span(which: Span) -> Read:
    """How one of the times in the life of nodes was spread."""

    def read(reading: Reading) -> Iterator[tuple[Labels, Figure]]:
        yield (), reading.now.view.spreads.get(which, Spread((0,) * (len(BOUNDS) + 1), 0.0))

    return read


# ---- readers with labels ---------------------------------------------------------------------------------------------


def request_rates(reading: Reading) -> Iterator[tuple[Labels, Figure]]:
    """What the limits of our own allow now, by kind of request."""
    for kind, rate in reading.source.request_rates().items():
        yield (kind,), rate


def nodes(reading: Reading) -> Iterator[tuple[Labels, Figure]]:
    """By state and size; sizes without a node are 0."""
    view = reading.now.view
    counts: Counter[Labels] = Counter()
    for size in view.sizes:
        for state in NodeState:
            counts[state.value, size.id] = 0
    for status in view.nodes.values():
        counts[status.state.value, status.size or ""] += 1
    pending = [boot.size or "" for boot in view.operations if boot.kind == "boot" and boot.node is None]
    for name in (*pending, *view.phantoms):
        counts[NodeState.BOOTING.value, name] += 1
    yield from counts.items()


def costs(reading: Reading) -> Iterator[tuple[Labels, Figure]]:
    """By period of the calendar."""
    so_far = reading.source.history.costs(reading.source.vitals.clock.now())
    for period in PERIODS:
        yield (period,), getattr(so_far, period)


def budgets(figure: Callable[[BudgetStanding], float], *, known: bool = True) -> Read:
    """One figure of each budget; of those whose spending is not known none that follows from it."""

    def read(reading: Reading) -> Iterator[tuple[Labels, Figure]]:
        for standing in reading.now.view.budgets:
            if standing.known or not known:
                yield (standing.budget.name, standing.budget.per.value), figure(standing)

    return read


def payers(reading: Reading) -> Iterator[tuple[Labels, Figure]]:
    """The dearest of each kind, so that however many there are, lines are few."""
    now = reading.source.vitals.clock.now()
    spent = reading.source.history.bills.by_payer(starts(now)["month"], now)
    for kind in KINDS:
        for name, dollars in dearest(spent, kind, MOST_PAYERS):
            yield (kind, name), dollars


def words(reading: Reading) -> Iterator[tuple[Labels, Figure]]:
    """By operator's word."""
    counts = Counter(
        status.cloud.directive.directive.value for status in reading.now.view.nodes.values() if status.cloud.directive
    )
    for directive in (Directive.HOLD, Directive.DRAIN, Directive.KILL):
        yield (directive.value,), counts[directive.value]


def doubtful(reading: Reading) -> Iterator[tuple[Labels, Figure]]:
    """Each by name."""
    for status in reading.now.view.nodes.values():
        if status.doubtful:
            yield (status.name, status.hostname or ""), 1


def wanted(reading: Reading) -> Iterator[tuple[Labels, Figure]]:
    """By size."""
    view = reading.now.view
    for size in view.sizes:
        yield (size.id,), view.wanted.get(size.id, 0)


def spares(reading: Reading) -> Iterator[tuple[Labels, Figure]]:
    """Of each spare, by standing."""
    for each in reading.now.view.spares:
        yield (each.name, "wanted"), each.wanted
        yield (each.name, "idle"), each.idle
        yield (each.name, "coming"), each.coming


def ahead(reading: Reading) -> Iterator[tuple[Labels, Figure]]:
    """By what became of them."""
    counters = reading.now.view.counters
    for outcome, name in (("booted", "ahead_boots"), ("used", "ahead_used"), ("in_vain", "ahead_in_vain")):
        yield (outcome,), counters.get(name, 0)


def jobs(reading: Reading) -> Iterator[tuple[Labels, Figure]]:
    """By standing."""
    groups = reading.now.view.waiting.values()
    served = reading.now.view.served
    hopeless = sum(group.jobs for group in groups if isinstance(group.cause, Unsatisfiable))
    yield ("served",), served
    yield ("unsatisfiable",), hopeless
    yield ("waiting",), len(reading.now.view.jobs) - served - hopeless


def longest_wait(reading: Reading) -> float:
    """In seconds; 0 when no job waits."""
    oldest = reading.source.waits.oldest
    return 0.0 if oldest is None else max(0.0, reading.source.vitals.clock.now() - oldest)


def poll_age(reading: Reading) -> Iterator[tuple[Labels, Figure]]:
    """By list."""
    for poll, age in reading.source.vitals.polls.all().items():
        yield (poll.value,), age.since_success(reading.monotonic)


def poll_took(reading: Reading) -> Iterator[tuple[Labels, Figure]]:
    """By list."""
    for poll, age in reading.source.vitals.polls.all().items():
        yield (poll.value,), age.took


def poll_errors(reading: Reading) -> Iterator[tuple[Labels, Figure]]:
    """By list."""
    for poll, age in reading.source.vitals.polls.all().items():
        yield (poll.value,), age.errors


def poll_items(reading: Reading) -> Iterator[tuple[Labels, Figure]]:
    """By list."""
    for poll, age in reading.source.vitals.polls.all().items():
        yield (poll.value,), age.items


CLOUD_STEPS = {
    messages.ListSizes: "list_sizes",
    messages.CreateNode: "create_node",
    messages.FindNode: "find_node",
    messages.FinishNode: "finish_node",
    messages.SyncFqdn: "sync_fqdn",
    messages.SetWord: "set_word",
    messages.DestroyNode: "destroy_node",
    messages.LookForNode: "look_for_node",
}
OTHER_STEPS = {
    messages.PrepareRecord: "prepare_record",
    messages.ReleaseRecord: "release_record",
    messages.DescribeRecord: "describe_record",
    messages.DescribeNode: "describe_node",
    OfferFeatures: "offer_features",
    CloseNames: "close_names",
    GiveBack: "give_back",
    OpenNames: "open_names",
    PowerUp: "power_up",
    ReleaseJobs: "release_jobs",
    messages.DrainNode: "drain_node",
    messages.ResumeNode: "resume_node",
    messages.SetNodeDown: "set_node_down",
    messages.LookAtNode: "look_at_node",
    messages.CancelJob: "cancel_job",
    messages.ExplainJob: "explain_job",
    CommentJobs: "comment_jobs",
    RenewLeases: "renew_leases",
}


def steps(kinds: dict[type[messages.Step], str]) -> Read:
    """By kind of step and outcome; kinds that have not been yet are 0."""
    names = {kind.__name__: name for kind, name in kinds.items()}

    def read(reading: Reading) -> Iterator[tuple[Labels, Figure]]:
        counts = dict(reading.source.published.steps)
        for name in names:
            counts.setdefault((name, "ok"), 0)
        for (step, outcome), count in sorted(counts.items()):
            if step in names:
                yield (names[step], outcome), count

    return read


def operations(reading: Reading) -> Iterator[tuple[Labels, Figure]]:
    """By kind."""
    counts = Counter(each.kind for each in reading.now.view.operations)
    for kind in ("boot", "shutdown", "kill", "chore"):
        yield (kind,), counts[kind]


def boots(reading: Reading) -> Iterator[tuple[Labels, Figure]]:
    """By outcome."""
    counters = reading.now.view.counters
    yield ("up",), counters.get("boots_up", 0)
    failed = {name: count for name, count in counters.items() if name.startswith("boots_failed_")}
    yield ("failed",), counters.get("boot_failures", 0) - sum(failed.values())
    yield ("stopped",), counters.get("boots_stopped", 0)
    for name, count in counters.items():
        if name.startswith(("boots_refused_", "boots_failed_")):
            yield (name.removeprefix("boots_"),), count


def backing_off(reading: Reading) -> Iterator[tuple[Labels, Figure]]:
    """By size and reason."""
    for size, cause in reading.now.view.backing_off.items():
        why = cause.why if isinstance(cause, BackingOff) else ""
        yield (size, why), max(0.0, (cause.until or reading.now.t) - reading.now.t)


def troubles(reading: Reading) -> Iterator[tuple[Labels, Figure]]:
    """By size."""
    for size in reading.now.view.troubles:
        yield (size,), 1


def missing(reading: Reading) -> Iterator[tuple[Labels, Figure]]:
    """By size."""
    for size in reading.now.view.missing_sizes:
        yield (size,), 1


def findings(reading: Reading) -> Iterator[tuple[Labels, Figure]]:
    """By check, those that found something."""
    examined = reading.source.examined()
    found = () if examined is None else examined.found
    yield from Counter((each.check, "yes" if each.grave else "no") for each in found).items()


def restarts(reading: Reading) -> Iterator[tuple[Labels, Figure]]:
    """By cause."""
    for cause, count in reading.source.restarts.items():
        yield (cause,), count


def events(of: str) -> Read:
    """One figure of the cycles, by event."""

    def read(reading: Reading) -> Iterator[tuple[Labels, Figure]]:
        for event, cycles in dict(reading.source.published.cycles).items():
            yield (event,), float(getattr(cycles, of))

    return read


def leads(reading: Reading) -> Iterator[tuple[Labels, Figure]]:
    """Who is not sure does not. A dry run leads nothing."""
    leading = reading.source.leading()
    if leading is not None:
        yield (), float(leading.left > 0)


def lead(of: str) -> Read:
    """A figure of those who may not be the only ones."""

    def read(reading: Reading) -> Iterator[tuple[Labels, Figure]]:
        leading = reading.source.leading()
        if leading is not None and leading.backend != LeaderBackend.HOST:
            figure = getattr(leading, of)
            yield (), float(bool(figure) if isinstance(figure, str) else figure)

    return read


def build(_reading: Reading) -> Iterator[tuple[Labels, Figure]]:
    """Versions."""
    yield (__version__, platform.python_version(), *map(_installed, LIBRARIES)), 1


@cache
def _installed(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
