"""What the command line prints for people: tables and sentences made of what the API shows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from msgspec import UNSET

from arvnodeman.fleet.values.counterfactual import Outside
from arvnodeman.fleet.values.reasons import span
from arvnodeman.manage.answers import (
    DecisionShown,
    GroupShown,
    JobShown,
    NodeShown,
    OperationShown,
    OtherJobShown,
    PollShown,
    SizeShown,
    StatusShown,
)
from arvnodeman.manage.answers_of_findings import FindingShown
from arvnodeman.manage.answers_of_leader import LeaderShown
from arvnodeman.manage.answers_of_money import CostShown
from arvnodeman.manage.answers_of_spares import SpareShown
from arvnodeman.manage.answers_of_spot import SpotShown
from arvnodeman.manage.changes import CounterfactualShown
from arvnodeman.supervision.clock import wall_time

GROUPS_SHOWN = 5  # of those for which nodes were up in vain
PROBLEMS_SHOWN = 5  # of a configuration that was refused
NAMES_SHOWN = 6  # in a list of nodes
STATES = ("busy", "idle", "unpaired", "booting", "reserved", "down", "fail", "shutdown")


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Lines in columns, two blanks between them; the last column as long as it is."""
    lines = [tuple(header), *(tuple(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header) - 1)]
    for line in lines:
        cells = [cell.ljust(width) for cell, width in zip(line, widths, strict=False)]
        yield "  ".join([*cells, line[-1]]).rstrip()


def status(shown: StatusShown) -> Iterator[str]:
    """The daemon in a few lines."""
    modes = [word for word, on in (("dry run", shown.dry_run), ("safe mode", shown.safe_mode)) if on]
    modes += ["stopping"] if shown.stopping else []
    modes += ["stands by"] if shown.leader is not UNSET and not shown.leader.leads else []
    well = "boots fail" if shown.boot_troubles else "all is well"
    well = "it is unknown who leads" if shown.leader is not UNSET and shown.leader.trouble else well
    health = well if shown.healthy else "; ".join(shown.wrong)
    yield f"Arvados Node Manager {', '.join([shown.version, *modes])}, up {span(shown.up_seconds)}: {health}"
    if shown.leader is not UNSET:
        yield _leader(shown.leader)
    nodes = sum(shown.nodes.values())
    limits = [f"at most {shown.max_nodes}"]
    limits += [f"quota {shown.node_quota}"] if shown.node_quota < shown.max_nodes else []
    limits += [f"slots {shown.slot_quota}"] if shown.slot_quota < shown.max_nodes else []
    limits += [f"at least {shown.min_nodes}"] if shown.min_nodes else []
    cap = f" of at most ${shown.max_total_price:g}" if shown.max_total_price else ""
    yield f"nodes: {nodes} ({', '.join(limits)}), ${shown.price:g}/hour{cap}; jobs need {shown.nodes_wish}"
    yield _cost(shown.cost)
    longest = shown.longest_wait_seconds
    wait = "" if longest is None else f", the longest for {span(longest)}"
    yield f"jobs: {shown.jobs_waiting} wait{wait}; {shown.jobs_served} of them have a node there or coming"
    for trouble in shown.boot_troubles:
        yield f"boots of {trouble.size} fail: {trouble.words} ({span(trouble.seconds)} ago)"
    if shown.spares is not UNSET:
        yield from map(_spare, shown.spares)
    yield from shown.remarks
    yield from _findings(shown.findings or ())
    if shown.reload_refused is not UNSET:
        yield from _reload_refused(shown.reload_refused, shown.reload_problems or ())
    yield "lists: " + ", ".join(_poll(poll) for poll in shown.polls)
    if shown.blocked:
        yield f"Nothing is decided now: {shown.blocked}"


def _leader(shown: LeaderShown) -> str:
    """Who leads, and how sure that is."""
    trouble = f"; {shown.backend} does not say who leads: {shown.trouble}" if shown.trouble else ""
    if not shown.leads:
        who = f"{shown.leader} leads" if shown.leader else "nobody is known to lead"
        return f"leader: {who}; this one, {shown.name}, stands by: {shown.why}{trouble}"
    sure = f"for another {span(shown.left_seconds)} without being renewed" if shown.acts else f"not sure: {shown.why}"
    return f"leader: this one, {shown.name}, generation {shown.generation}, {sure}{trouble}"


def _reload_refused(at: float, problems: Sequence[str]) -> Iterator[str]:
    """Why the configuration that was read last is not in force."""
    yield f"The configuration of {wall_time(at)} was refused; the one before it is in force:"
    yield from (f"  {problem}" for problem in problems[:PROBLEMS_SHOWN])
    if len(problems) > PROBLEMS_SHOWN:
        yield f"  and {len(problems) - PROBLEMS_SHOWN} more"


def _spare(shown: SpareShown) -> str:
    """How one spare stands."""
    changes = span(shown.changes_seconds) if shown.changes_seconds is not None else ""
    if not shown.open:
        return f"spare {shown.name}: none of {shown.size} now" + (f", opens in {changes}" if changes else "")
    why = f": {shown.why}" if shown.why else ""
    closes = f"; closes in {changes}" if changes else ""
    there = f"{shown.idle} of {shown.wanted} of {shown.size} are ready, {shown.coming} coming"
    return f"spare {shown.name}: {there}{why}{closes}"


def _findings(found: Sequence[FindingShown]) -> Iterator[str]:
    """What the hourly examination found, the grave things first."""
    for each in sorted(found, key=lambda each: not each.grave)[:PROBLEMS_SHOWN]:
        yield f"{'WRONG' if each.grave else 'note'}: {each.text}"
    if found:
        more = f"{len(found) - PROBLEMS_SHOWN} more; " if len(found) > PROBLEMS_SHOWN else ""
        yield f"  {more}`doctor` has the remedies"


def in_vain(groups: Sequence[GroupShown]) -> Iterator[str]:
    """The groups for which nothing is booted, as Slurm did not use a node for them."""
    waiting = [group for group in groups if group.until_seconds is not None]
    for group in waiting[:GROUPS_SHOWN]:
        yield f"in vain: {group.name} ({group.words}; {group.jobs} jobs): {group.why}"
    if len(waiting) > GROUPS_SHOWN:
        yield f"in vain: {len(waiting) - GROUPS_SHOWN} more groups"


def _cost(cost: CostShown) -> str:
    """What was spent so far."""
    since = "" if cost.complete else f" (nodes gone before {wall_time(cost.since)} not counted)"
    return f"cost: ${cost.hour:.2f} this hour, ${cost.day:.2f} today, ${cost.month:.2f} this month{since}"


def _poll(poll: PollShown) -> str:
    age = "never" if poll.age_seconds is None else f"{span(poll.age_seconds)} old"
    error = f" ({poll.error})" if poll.error else ""
    return f"{poll.list} {age}{error}"


def groups(nodes: Sequence[NodeShown], sizes: Sequence[SizeShown]) -> Iterator[str]:
    """As sinfo: one line for each size and state."""
    found: dict[tuple[str, str], list[str]] = {}
    for node in nodes:
        found.setdefault((node.size or "?", node.state), []).append(node.hostname or node.name)
    rows: list[tuple[str, ...]] = []
    for size in sizes:
        price = f"{size.price:g}" if size.price is not None else "-"
        for state in STATES:
            names = found.get((size.id, state), [])
            rows += _row(size.id, price, state, names, max(len(names), size.nodes.get(state, 0)))
        note = size.rests or ("the cloud does not offer it" if size.missing else "")
        if note:
            rows.append((size.id, price, "-", "0", note))
        if size.wanted:
            rows.append((size.id, price, "wanted", str(size.wanted), ""))
    for state in STATES:
        names = found.get(("?", state), [])
        rows += _row("?", "-", state, names, len(names))
    yield from table(("SIZE", "PRICE", "STATE", "NODES", "NODELIST"), rows)


def _row(size: str, price: str, state: str, names: Sequence[str], count: int) -> list[tuple[str, ...]]:
    return [(size, price, state, str(count), _names(sorted(names, key=_by_number)))] if count else []


def _names(names: Sequence[str]) -> str:
    if not names:
        return "-"
    more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    return ",".join(names[:NAMES_SHOWN]) + more


def _by_number(name: str) -> list[str]:
    """compute9 before compute10."""
    return [part.zfill(12) if part.isdigit() else part for part in re.split(r"(\d+)", name)]


def nodes(shown: Sequence[NodeShown]) -> Iterator[str]:
    """One line for each node, by name."""
    rows = [
        (
            node.hostname or "-",
            node.name,
            node.size or "?",
            node.state,
            span(node.state_seconds),
            node.slurm or "-",
            node.word.word if node.word else "-",
            node.why,
        )
        for node in sorted(shown, key=lambda node: _by_number(node.hostname or node.name))
    ]
    yield from table(("HOST", "NODE", "SIZE", "STATE", "FOR", "SLURM", "WORD", "WHY"), rows)


# ---- explain ---------------------------------------------------------------------------------------------------------


def node(shown: NodeShown) -> Iterator[str]:
    """Why a node is there, or goes."""
    size = shown.size or f"no configured size (its type is {shown.instance_type})"
    spot = ", preemptible" if shown.preemptible else ""
    yield (
        f"Node {shown.hostname or shown.name}: {shown.state} for {span(shown.state_seconds)}; {size}{spot},"
        f" ${shown.price:g}/hour, {span(shown.age_seconds)} old"
    )
    yield f"  cloud node {shown.name} ({shown.id})" + (f" at {shown.address}" if shown.address else "")
    yield f"  {_slurm(shown)}; {_record(shown)}"
    if shown.word:
        yield f"  operator {shown.word.word}: {shown.word.reason or 'no reason given'}"
    if shown.doubtful:
        yield "  it has been silent for long, and is kept because it may be working"
    yield f"  It {'goes' if shown.goes else 'stays'}: {shown.why}."
    for operation in shown.operations if shown.operations is not UNSET else ():
        yield f"  under way: {_operation(operation)}"


def _slurm(shown: NodeShown) -> str:
    if not shown.slurm:
        return "Slurm says nothing about it"
    reason = f" ({shown.slurm_reason})" if shown.slurm_reason else ""
    silent = "" if shown.answers_slurm else ", and it does not answer"
    return f"Slurm says {shown.slurm}{reason}{silent}"


def _record(shown: NodeShown) -> str:
    if shown.record is None:
        return "it has not pinged"
    ping = shown.last_ping_seconds
    return f"node record {shown.record}" + ("" if ping is None else f", last ping {span(ping)} ago")


def _operation(shown: OperationShown) -> str:
    told = f"{shown.kind}, {shown.stage}, for {span(shown.seconds)}"
    if shown.trouble is not None:
        told += f"; waits {span(shown.next_attempt_seconds or 0)} after: {shown.trouble}"
    return told


def job(shown: JobShown) -> Iterator[str]:
    """What stands in a job's way."""
    waited = "" if shown.waiting_seconds is None else f" for {span(shown.waiting_seconds)}"
    yield f"Job {shown.id}: waits{waited}, at place {shown.place} with priority {shown.priority}"
    many = f"{shown.nodes} nodes, each with " if shown.nodes > 1 else ""
    named = f"; it names the size {shown.named_size}" if shown.named_size else ""
    wants = f"{shown.cores:g} core(s), {shown.ram:g} MB RAM, {shown.scratch:g} MB scratch"
    wants += f", GRES {shown.gres}" if shown.gres else ""
    named += f"; in the partition {' or '.join(shown.partitions)}" if shown.partitions else ""
    yield f"  it wants {many}{wants}{named}"
    yield f"  its group, of jobs like it: {shown.group}"
    if not shown.slurm_places:
        yield f"  sizes that fit: {', '.join(shown.sizes) or 'none'}"
    elif not shown.served:
        yield "  sizes that fit: Slurm itself chooses"
    if shown.in_slurm:
        yield f"  Slurm's reason: {shown.slurm_reason or 'none'}"
    if shown.container:
        container = shown.container
        unwanted = "" if container.priority else ": nobody wants it any more"
        yield f"  Arvados: the container is {container.state}, with priority {container.priority}{unwanted}"
    yield f"  {'Node' if shown.served else 'No node yet'}: {shown.why}."
    for text in shown.otherwise or ():
        yield f"  Slurm may do otherwise: {text}."


def other_job(shown: OtherJobShown) -> Iterator[str]:
    """A job that more nodes would not help."""
    yield f"Job {shown.id}: waits, but not for nodes"
    yield f"  {shown.why}."


OTHERS = {Outside.SCHEDULER: "Slurm's", Outside.CLOUD: "the cloud's", Outside.OPERATOR: "an operator's word"}


def changes(shown: CounterfactualShown, why: str) -> Iterator[str]:
    """What would change a decision whose reason has been told."""
    if not shown.changes:
        text = shown.why_none.removesuffix(why).removesuffix(": ")
        others = [words for outside, words in OTHERS.items() if outside == shown.outside]
        text += f": what stands in the way is {others[0]}" if others else ""
        yield f"  {text[:1].upper()}{text[1:]}."
    for number, change in enumerate(shown.changes):
        yield f"  {'Or with' if number else 'With'}{change.words.removeprefix('with')}."


def size(shown: SizeShown, limits: StatusShown) -> Iterator[str]:
    """What is booted of a size, and what is in the way."""
    if shown.missing:
        yield f"Size {shown.id}: the cloud does not offer it; it is looked for again every 10 minutes"
    else:
        spot = ", preemptible" if shown.preemptible else ""
        kind = f" ({shown.instance_type})" if shown.instance_type != shown.id else ""
        gres = f", GRES {shown.gres}" if shown.gres else ""
        bound = f"; for the partition {' or '.join(shown.partitions)} alone" if shown.partitions else ""
        yield (
            f"Size {shown.id}{kind}: {shown.cores} core(s), {shown.ram:g} MB RAM, "
            f"{shown.scratch:g} MB scratch{gres}, ${shown.price:g}/hour{spot}{bound}"
        )
    counts = [f"{count} {state}" for state, count in shown.nodes.items() if count]
    yield f"  nodes: {', '.join(counts) or 'none'}; jobs need {shown.wanted}"
    if shown.trouble:
        yield f"  Its newest boot did not go well: {shown.trouble}."
    yield f"  It is in back-off: {shown.rests}." if shown.rests else "  It is not in back-off."
    if shown.closed:
        yield f"  Names of it that are off are closed to jobs: {shown.closed}."
    cap = f"max_total_price {limits.max_total_price:g} (now {limits.price:g})"
    yield (
        f"  limits: {sum(limits.nodes.values())} nodes of max_nodes {limits.max_nodes}, quota "
        f"{limits.node_quota}, slots {limits.slot_quota}; "
        f"{cap if limits.max_total_price else 'no price limit'}"
    )
    for pool in () if shown.spot is UNSET else shown.spot:
        yield _spot(pool)
    if limits.cloud_requests_per_second:
        allowed = (f"{rate:.3g} to {kind}" for kind, rate in limits.cloud_requests_per_second.items())
        yield f"  requests to the cloud: at most {', '.join(allowed)} a second now"


def _spot(pool: SpotShown) -> str:
    """Whether the spot nodes of one zone paid."""
    of = [f"{_dollars(saved)} by jobs of {length}" for length, saved in pool.saved_by_length.items()]
    paid = "saved" if pool.saved >= 0 else "it did not pay"
    return (
        f"  spot{f' in {pool.zone}' if pool.zone else ''}, 30 days: {pool.nodes} nodes for {pool.hours:,.1f} h, "
        f"{pool.taken} taken; {paid}: {_dollars(pool.saved)} against on demand" + (f" ({', '.join(of)})" if of else "")
    )


def _dollars(amount: float) -> str:
    return f"{'-' if amount < 0 else ''}${abs(amount):,.2f}"


def decision(shown: DecisionShown) -> str:
    """One decision in a line."""
    return f"{wall_time(shown.time)}  {shown.kind:<12}  {shown.subject or '-'}  {shown.words}"
