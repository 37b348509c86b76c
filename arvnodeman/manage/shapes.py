"""How the answers under /v1 (answers.py) are made of what the daemon publishes."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping

from msgspec import UNSET, UnsetType

from arvnodeman.doctor.base import Finding
from arvnodeman.fleet.messages import Poll
from arvnodeman.fleet.plan.vain import group_name
from arvnodeman.fleet.values import gres
from arvnodeman.fleet.values.decisions import Decision
from arvnodeman.fleet.values.model import Job, NodeSize, NodeState
from arvnodeman.fleet.values.reasons import Reason
from arvnodeman.fleet.values.reasons_of_placing import Comes
from arvnodeman.fleet.values.reasons_of_use import InVain
from arvnodeman.fleet.view.spares import SpareStanding
from arvnodeman.fleet.view.view import NodeStatus, OperationStatus, Waiting
from arvnodeman.history.money import starts
from arvnodeman.history.spot import SpotPaid
from arvnodeman.manage.answers import (
    BootTroubleShown,
    ContainerShown,
    DecisionShown,
    GroupShown,
    JobShown,
    NodeShown,
    NodeWordShown,
    OperationShown,
    OtherJobShown,
    PollShown,
    SizeShown,
    StatusShown,
)
from arvnodeman.manage.answers_of_findings import FindingShown
from arvnodeman.manage.answers_of_leader import leader
from arvnodeman.manage.answers_of_money import CostShown, PayerShown
from arvnodeman.manage.answers_of_spares import SpareShown
from arvnodeman.manage.answers_of_spot import spots
from arvnodeman.manage.source import Moment, Source
from arvnodeman.money.dearest import dearest
from arvnodeman.version import __version__

FEW = 8  # who has paid most, on the page


def seconds(value: float) -> float:
    """A duration as it is shown; never below 0."""
    return round(max(0.0, value), 1)


def states(counts: Mapping[str, int]) -> dict[str, int]:
    """Nodes by state, all states."""
    return {state.value: counts.get(state.value, 0) for state in NodeState}


def status(source: Source) -> StatusShown:
    """The daemon in one object: what `arvados-node-manager status` tells first."""
    now = source.moment()
    view, policy, wrong = now.view, now.view.policy, source.ailments()
    oldest, refused, examined = source.waits.oldest, source.vitals.refused_reload, source.examined()
    return StatusShown(
        version=__version__,
        dry_run=source.dry_run,
        safe_mode=view.safe_mode,
        stopping=view.stopping,
        healthy=not wrong,
        wrong=wrong,
        remarks=list(source.vitals.remarks.values()),
        blocked=view.blocked,
        up_seconds=seconds(source.vitals.clock.monotonic() - source.vitals.began),
        nodes=states(view.states),
        price=round(view.price, 6),
        max_total_price=policy.max_total_price,
        cost=cost(source),
        min_nodes=policy.min_nodes,
        max_nodes=policy.max_nodes,
        node_quota=view.quota,
        slot_quota=view.slots,
        nodes_wish=view.wish,
        jobs_waiting=len(view.jobs),
        jobs_served=view.served,
        boot_troubles=[
            BootTroubleShown(size=size, words=trouble.words, seconds=seconds(now.t - trouble.at))
            for size, trouble in view.troubles.items()
        ],
        groups_in_vain=sum(isinstance(group.cause, InVain) for group in view.vain.values()),
        longest_wait_seconds=None if oldest is None else seconds(source.vitals.clock.now() - oldest),
        decisions=source.published.decisions.last,
        words_over_tcp=bool(source.settings().manage.management_token),
        polls=polls(source),
        leader=leader(source.leading()),
        reload_refused=UNSET if refused is None else round(refused.at, 3),
        reload_problems=UNSET if refused is None else list(refused.problems),
        payers=payers(source) or UNSET,
        cloud_requests_per_second={kind: round(rate, 3) for kind, rate in source.request_rates().items()} or UNSET,
        spares=[_spare(standing, now.t) for standing in view.spares] or UNSET,
        unknown_cloud_error_codes=dict(view.unknown_errors) or UNSET,
        examined_seconds=UNSET if examined is None else seconds(source.vitals.clock.now() - examined.at),
        findings=UNSET if examined is None else [finding(each) for each in examined.found],
    )


def _spare(standing: SpareStanding, t: float) -> SpareShown:
    return SpareShown(
        name=standing.name,
        size=standing.size,
        open=standing.is_open,
        wanted=standing.wanted,
        idle=standing.idle,
        coming=standing.coming,
        why=standing.cause.words(t) if standing.cause is not None else "",
        changes_seconds=seconds(standing.changes - t) if standing.changes is not None else None,
    )


def finding(found: Finding) -> FindingShown:
    """What an examination found."""
    return FindingShown(check=found.check, grave=found.grave, text=found.text, mends=found.mends)


def cost(source: Source) -> CostShown:
    """What the nodes have cost so far, in $. Not `complete`: nodes that ended before `since` are not in it."""
    so_far = source.history.costs(source.vitals.clock.now())
    return CostShown(
        hour=round(so_far.hour, 4),
        day=round(so_far.day, 4),
        month=round(so_far.month, 4),
        complete=so_far.complete,
        since=round(so_far.since, 3),
    )


def payers(source: Source) -> list[PayerShown]:
    """Who has paid most this month: accounts, or users where no accounts are known."""
    now = source.vitals.clock.now()
    spent = source.history.bills.by_payer(starts(now)["month"], now)
    kind = "account" if any(payer.account for payer in spent) else "user"
    if not any(getattr(payer, kind) for payer in spent):
        return []
    return [PayerShown(by=kind, name=name, month=round(dollars, 4)) for name, dollars in dearest(spent, kind, FEW)]


def polls(source: Source) -> list[PollShown]:
    """The three lists: how old, how long the last attempt took, what went wrong."""
    now = source.vitals.clock.monotonic()
    ages = source.vitals.polls.all()
    found: list[PollShown] = []
    for poll in Poll:
        age = ages.get(poll)
        found.append(
            PollShown(
                list=poll.value,
                age_seconds=seconds(age.since_success(now)) if age and age.succeeded is not None else None,
                duration_seconds=round(age.took, 3) if age and age.attempt_ended is not None else None,
                items=age.items if age else 0,
                errors=age.errors if age else 0,
                error=age.error if age else "",
            )
        )
    return found


def node(status: NodeStatus, now: Moment, operations: list[OperationShown] | UnsetType = UNSET) -> NodeShown:
    """One node, with the reason why it is there or goes; where it alone is asked for, with the operations on it."""
    basis, cause, directive = now.view.basis, status.why, status.cloud.directive
    ping = status.record.last_ping_at if status.record is not None else None
    born = status.cloud.start_time
    return NodeShown(
        id=status.id,
        name=status.name,
        hostname=status.hostname,
        size=status.size,
        instance_type=status.cloud.provider_size,
        preemptible=status.cloud.preemptible,
        price=round(status.price, 6),
        state=status.state.value,
        state_seconds=seconds(now.t - status.since),
        slurm=status.slurm,
        slurm_reason=status.slurm_node.reason if status.slurm_node is not None else "",
        answers_slurm=status.slurm_node.responding if status.slurm_node is not None else None,
        record=status.record.uuid if status.record is not None else None,
        last_ping_seconds=seconds(basis.record_now + now.age - ping)
        if basis is not None and ping is not None
        else None,
        age_seconds=seconds(
            basis.cloud_now + now.age - born if basis is not None and born is not None else now.t - status.first_seen
        ),
        idle_seconds=seconds(now.t - status.idle_since) if status.idle_since is not None else None,
        address=status.cloud.address,
        word=None if directive is None else NodeWordShown(directive.directive.value, directive.reason),
        doubtful=status.doubtful,
        goes=bool(status.doing),
        why=cause.words(now.t),
        until_seconds=seconds(cause.until - now.t) if cause.until is not None else None,
        operations=operations,
    )


def job(waiting: Job, place: int, source: Source, now: Moment) -> JobShown:
    """One waiting job: its place in the order of service (from 1), and what stands in its way."""
    group = now.view.waiting.get(waiting.shape)
    places = now.view.policy.places  # then Slurm knows what fits, and not we
    served, cause = _placed(waiting, now) if places else _standing(group, place, now)
    since = source.waits.since.get(waiting.id)
    shape = waiting.shape
    container = source.waits.containers.get(waiting.id)
    return JobShown(
        id=waiting.id,
        place=place + 1,
        priority=waiting.priority,
        nodes=shape.nodes,
        cores=shape.cores,
        ram=shape.ram,
        scratch=shape.scratch,
        named_size=shape.size,
        gres=gres.words(shape.gres),
        partitions=list(shape.partitions),
        group=group_name(shape),
        sizes=[size.id for size in group.choices] if group is not None else [],
        slurm_reason=waiting.reason,
        in_slurm=waiting.in_slurm,
        container=None if container is None else ContainerShown(container.state, container.priority),
        waiting_seconds=None if since is None else seconds(source.vitals.clock.now() - since),
        served=served,
        why=cause.words(now.t) if isinstance(cause, Reason) else cause,
        until_seconds=seconds(cause.until - now.t) if isinstance(cause, Reason) and cause.until else None,
        slurm_places=places or UNSET,
    )


def other_job(name: str, reason: str, now: Moment) -> OtherJobShown:
    """A job that waits in Slurm, and that more nodes would not help."""
    told = f"Slurm's reason is {reason}: more nodes would not help"
    if (given := now.view.placed.get(name)) is not None:
        told = f"Slurm's reason is {reason}; {given.words(now.t)}"
    if (ahead := now.view.ahead.get(name)) is not None:
        told = f"Slurm's reason is {reason}; {ahead.words(now.t)}"
    for meant in groups_meant(name, now):
        if isinstance(cause := now.view.vain[meant].cause, InVain):
            told += f"; of jobs like it, {cause.words(now.t)}"
    return OtherJobShown(
        id=name,
        slurm_reason=reason,
        waits_for_nodes=False,
        why="Slurm has not looked at it yet" if reason == "None" else told,
    )


def groups(now: Moment) -> list[GroupShown]:
    """The groups of waiting jobs for which a node was up in vain, or which Slurm refused while one was up."""
    view = now.view
    return [
        GroupShown(
            name=name,
            words=group.words,
            jobs=len(view.waiting[group.shape].places if group.shape in view.waiting else ())
            + len(view.refused.get(group.shape, ())),
            slurm_reason=group.said,
            node=group.node,
            idle_seconds=seconds(group.idle),
            why=group.cause.words(now.t),
            until_seconds=seconds(group.until - now.t) if group.until > now.t else None,
        )
        for name, group in view.vain.items()
    ]


def groups_meant(name: str, now: Moment) -> list[str]:
    """The groups that are meant by the name of a group, a job or a size."""
    view = now.view
    if name in view.vain:
        return [name]
    jobs = (view.jobs, *view.refused.values())
    shape = next((job.shape for some in jobs for job in some if job.id == name), None)
    if shape is not None:
        return [group for group in (group_name(shape),) if group in view.vain]
    return [group for group, vain in view.vain.items() if name in vain.sizes]


def _placed(waiting: Job, now: Moment) -> tuple[bool, Reason | str]:
    """Of a job that Slurm places itself: are its nodes there or coming, and else why not?"""
    if now.view.blocked:
        return False, f"nothing is decided now: {now.view.blocked}"
    cause = now.view.placed.get(waiting.id)
    if cause is None:
        told = f"Slurm has not placed it: its reason is {waiting.reason or 'none'}"
        return False, told + _closed_words(now)
    return isinstance(cause, Comes), cause


def _closed_words(now: Moment) -> str:
    """What of ours keeps Slurm from placing jobs: '' for nothing. Sizes that are closed for one reason share it."""
    sizes: dict[str, list[str]] = {}
    for size, cause in now.view.closed.items():
        sizes.setdefault(cause.words(now.t), []).append(size)
    return "".join(f"; names of {', '.join(some)} are closed: {words}" for words, some in sizes.items())


def _standing(group: Waiting | None, place: int, now: Moment) -> tuple[bool, Reason | str]:
    """Is a node there or coming for the job at this place, and else why not?"""
    blocked = f"nothing is decided now: {now.view.blocked}"
    if group is None:
        return False, blocked if now.view.blocked else "the sizes of the cloud's nodes are not known yet"
    if bisect_left(group.places, place) < group.served:
        troubles = [
            (size.id, now.view.troubles[size.id].words) for size in group.choices if size.id in now.view.troubles
        ]
        failing = "".join(f"; the newest boot of {size} has trouble: {words}" for size, words in troubles[:1])
        room = f"; {group.shut_room.words(now.t)}" if group.shut_room is not None else ""
        return True, f"a node for it is there or on its way{failing}{room}"
    if now.view.blocked:
        return False, blocked
    return False, group.cause if group.cause is not None else "the next queue poll will judge it"


def sizes(now: Moment, spot: SpotPaid | None = None) -> list[SizeShown]:
    """All sizes: those that the cloud has, the cheapest first, then those that it lacks."""
    counts: dict[str | None, Counter[str]] = {}
    for status in now.view.nodes.values():
        counts.setdefault(status.size, Counter())[status.state.value] += 1
    pending = [boot.size for boot in now.view.operations if boot.kind == "boot" and boot.node is None]
    for name in (*pending, *now.view.phantoms):
        counts.setdefault(name, Counter())[NodeState.BOOTING.value] += 1
    known = [_size(each, counts.get(each.id, Counter()), now, spot) for each in now.view.sizes]
    return known + [_missing_size(name, counts.get(name, Counter())) for name in now.view.missing_sizes]


def _size(each: NodeSize, counts: Counter[str], now: Moment, spot: SpotPaid | None) -> SizeShown:
    rest, trouble = now.view.backing_off.get(each.id), now.view.troubles.get(each.id)
    closed = now.view.closed.get(each.id)
    return SizeShown(
        id=each.id,
        instance_type=each.instance_type,
        missing=False,
        cores=each.cores,
        ram=each.ram,
        scratch=each.scratch,
        price=each.price,
        preemptible=each.preemptible,
        gres=gres.words(each.gres),
        partitions=list(each.partitions),
        wanted=now.view.wanted.get(each.id, 0),
        nodes=states(counts),
        trouble=trouble.words if trouble is not None else None,
        rests=rest.words(now.t) if rest is not None else None,
        rest_seconds=seconds((rest.until or now.t) - now.t) if rest is not None else None,
        closed=closed.words(now.t) if closed is not None and rest is None else UNSET,
        spot=spots(spot, each.id) if spot is not None else UNSET,
    )


def _missing_size(name: str, counts: Counter[str]) -> SizeShown:
    return SizeShown(
        id=name,
        instance_type=None,
        missing=True,
        cores=None,
        ram=None,
        scratch=None,
        price=None,
        preemptible=None,
        gres=None,
        partitions=None,
        wanted=0,
        nodes=states(counts),
        trouble=None,
        rests=None,
        rest_seconds=None,
    )


def operation(each: OperationStatus, now: Moment) -> OperationShown:
    """One operation under way."""
    return OperationShown(
        id=each.id,
        kind=each.kind,
        subject=each.subject,
        stage=each.stage,
        seconds=seconds(now.t - each.since),
        attempts=each.attempts,
        size=each.size,
        node=each.node,
        trouble=each.trouble.text if each.trouble is not None else None,
        next_attempt_seconds=seconds(each.until - now.t) if each.until is not None else None,
    )


def decision(each: Decision) -> DecisionShown:
    """One decision."""
    return DecisionShown(
        serial=each.serial,
        time=round(each.at, 3),
        kind=each.kind.value,
        subject=each.subject,
        words=each.words,
    )
