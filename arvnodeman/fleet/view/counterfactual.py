"""What would change what was decided about a job or a node: asked of the plan, on what the brain has shown.

For any thread: nothing of the brain is read but its view. A question costs some tens of plans, and nobody else's time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from arvnodeman.fleet.decide.placed import NOWHERE
from arvnodeman.fleet.plan.asking import Asker
from arvnodeman.fleet.plan.asking_for_jobs import JobAsked, options_for
from arvnodeman.fleet.plan.picture import Picture
from arvnodeman.fleet.plan.plan import Plan
from arvnodeman.fleet.sizes.limits import BackOff
from arvnodeman.fleet.values import reasons
from arvnodeman.fleet.values.counterfactual import Counterfactual, Outside
from arvnodeman.fleet.values.gate import Bar
from arvnodeman.fleet.values.model import Job, JobShape, NodeState
from arvnodeman.fleet.values.obstacles import LimitReached, NoLicence, NoSuchName, NotInside, Reserved
from arvnodeman.fleet.values.reasons import Reason
from arvnodeman.fleet.values.reasons_of_placing import Clears, Comes, InHands, NotListed, Returned, StaysPlaced
from arvnodeman.fleet.values.reasons_of_use import InVain, ProbeFirst, RoomInVain
from arvnodeman.fleet.view import asking_for_nodes
from arvnodeman.fleet.view.asking_for_nodes import NodeAsked, picture_by
from arvnodeman.fleet.view.view import NodeStatus, View

NOT_YET = Counterfactual(why_none="nothing has been decided about it yet", outside=Outside.TIME)
TOO_MANY = Counterfactual(why_none="too many nodes come or go at once to ask for one of them", outside=Outside.TIME)
NO_OPTION = "no single option would change this"
MOST_SIZES = 10  # whose names are closed, and that are asked whether one option opens them
_SCHEDULERS = NoLicence | LimitReached | Reserved | NotInside | NoSuchName | InVain | ProbeFirst | RoomInVain | InHands
_SHUT_BY = {
    Bar.NOT_LEADER: Outside.TIME,
    Bar.LATE_HOLD: Outside.TIME,
    Bar.SAFE_MODE: Outside.TIME,
    Bar.STOPPING: Outside.OPERATOR,
    Bar.NO_SIZES: Outside.CLOUD,
}  # else by lists
_PLAIN = (NodeState.BUSY, NodeState.IDLE)
_OURS = (BackOff.BOOT_FAILURES.value, BackOff.NO_ADDRESS.value)  # the site's image and network, not the cloud


def of_job(view: View, job: Job, place: int, t: float) -> Counterfactual:
    """Of a job that waits, `place` being its index in `View.jobs`. `t`: steady time, for the words."""
    if view.stands_by:
        return _led_elsewhere(view)
    if view.grounds is None:
        return NOT_YET
    if view.blocked:
        return _blocked(view)
    if view.policy.places:
        return _of_placed(view, view.grounds.picture, job, t)
    asked, picture = JobAsked(job.shape, place), view.grounds.picture
    asker = Asker(asked.would_run)
    made = asker.plan_of(picture)
    if asked.is_served(made):
        return Counterfactual(why_none="a node for it is there or on its way", outside=Outside.TIME, plans=asker.plans)
    changes = asker.changes(options_for(asked, picture))
    share = asked.share(made)
    if share is None:
        return NOT_YET
    if not changes and share.never:
        asker = asker.asking(asked.might_run)
        changes = asker.changes(options_for(asked, picture))
    if changes:
        return Counterfactual(tuple(changes), plans=asker.plans)
    then = ((option, _cause_of(asked, each)) for option, each in asker.furthest.items())
    return _none(share.cause, then, asker.plans, t)


def of_node(view: View, status: NodeStatus, t: float) -> Counterfactual:
    """Of a node that stays."""
    if status.doing or status.state is NodeState.SHUTDOWN:
        return Counterfactual(why_none="it goes already", outside=Outside.TIME)
    if view.stands_by:
        return _led_elsewhere(view)
    if view.grounds is None or view.grounds.ends is None:
        return NOT_YET
    if view.blocked:
        return _blocked(view)
    ends = view.grounds.ends
    if ends.left and status.id not in ends.odd and status.state not in _PLAIN:
        return TOO_MANY
    asker = Asker(NodeAsked(status.id).would_go)
    if NodeAsked(status.id).would_go(asker.plan_of(picture_by(ends, ends.basis))):
        return Counterfactual(why_none="it goes at the next node poll", outside=Outside.TIME, plans=asker.plans)
    changes = asker.changes(asking_for_nodes.options_for(ends))
    if changes:
        return Counterfactual(tuple(changes), plans=asker.plans)
    return _none(status.why, (), asker.plans, t)


def _led_elsewhere(view: View) -> Counterfactual:
    return Counterfactual(
        why_none=f"only the manager that leads decides about it; {view.blocked}", outside=Outside.TIME
    )


def _blocked(view: View) -> Counterfactual:
    outside = _SHUT_BY.get(view.gate.boots[0].bar, Outside.LISTS)
    return Counterfactual(why_none=f"{NO_OPTION}: nothing is decided at all now, {view.blocked}", outside=outside)


def _cause_of(asked: JobAsked, made: Plan) -> Reason | None:
    share = asked.share(made)
    return share.cause if share is not None else None


def _none(cause: Reason | None, then: Iterable[tuple[str, Reason | None]], plans: int, t: float) -> Counterfactual:
    """Why no option changes it, and what the next thing in the way would be with one option as far as it goes."""
    text = f"{NO_OPTION}: {cause.words(t) if cause is not None else 'the next queue poll will judge it'}"
    root = _root(cause)
    for option, other in then:
        if other is not None and type(_root(other)) is not type(root):
            text += f"; with {option} as far as it goes, {other.words(t)}"
            break
    return Counterfactual(why_none=text, outside=whose(root), plans=plans)


def _root(cause: Reason | None) -> Reason | None:
    """What stands in the way in the end: of a job behind another, what stops that."""
    while isinstance(cause, reasons.Behind | Returned | StaysPlaced):
        cause = cause.limit if isinstance(cause, reasons.Behind) else cause.cause
    return cause


def whose(cause: Reason | None) -> Outside | None:
    """Whose it is that stands in the way; None: ours, or nobody's."""
    if isinstance(cause, _SCHEDULERS | NotListed | reasons.RecordStale):
        return Outside.SCHEDULER
    if isinstance(cause, reasons.AtQuota) or (isinstance(cause, reasons.BackingOff) and cause.why not in _OURS):
        return Outside.CLOUD
    if isinstance(cause, reasons.Held):
        return Outside.OPERATOR
    if isinstance(cause, reasons.Working | reasons.MayWork):
        return Outside.WORK
    if isinstance(cause, reasons.Wanted):
        return Outside.QUEUE
    if isinstance(cause, reasons.UnderWay | reasons.NotYet | reasons.Unproven | Clears):
        return Outside.TIME
    return None


# ---- where the scheduler places jobs ---------------------------------------------------------------------------------


def _of_placed(view: View, picture: Picture, job: Job, t: float) -> Counterfactual:
    """Its names are the scheduler's choice: what can be asked is whether nodes for them may be booted."""
    assert view.grounds is not None
    cause = view.placed.get(job.id)
    if isinstance(cause, Comes):
        return Counterfactual(why_none=cause.words(t), outside=Outside.TIME)
    lacked = view.grounds.lacked.get(job.id)
    if lacked:
        return _of_names(picture, lacked, cause, t)
    if cause is not None or not view.closed:
        text = cause.words(t) if cause is not None else f"Slurm has not placed it: its reason is {job.reason or 'none'}"
        outside = Outside.SCHEDULER if cause is None else whose(_root(cause))
        return Counterfactual(why_none=f"{NO_OPTION}: {text}", outside=outside)
    sizes = [size.id for size in view.sizes if size.id in view.closed][:MOST_SIZES]
    return _of_closed(picture, sizes, job.shape.nodes, view.closed, t)


def _of_names(picture: Picture, lacked: Mapping[str, int], cause: Reason | None, t: float) -> Counterfactual:
    """Of a job that was sent back for want of these nodes."""
    shapes = [JobShape(size=size, nodes=nodes, place=NOWHERE) for size, nodes in lacked.items()]
    jobs, asked = _with(picture, shapes)
    asker = Asker(lambda made: _all_come(made, jobs))
    changes = asker.changes(options_for(jobs[0], asked))
    if changes:
        return Counterfactual(tuple(changes), plans=asker.plans)
    then = ((option, _cause_of(jobs[0], each)) for option, each in asker.furthest.items())
    return _none(cause, then, asker.plans, t)


def _of_closed(
    picture: Picture, sizes: Sequence[str], nodes: int, closed: Mapping[str, Reason], t: float
) -> Counterfactual:
    """Of a job that the scheduler has not placed, while names are closed to it."""
    jobs, asked = _with(picture, [JobShape(size=size, nodes=nodes, place=NOWHERE) for size in sizes])
    if not jobs:
        cause = next(iter(closed.values()))
        return Counterfactual(why_none=f"{NO_OPTION}: {cause.words(t)}", outside=whose(cause))
    plans = 0
    for job in jobs:
        asker = Asker(partial(_would_open, job=job))
        changes = asker.changes(options_for(job, asked))
        plans += asker.plans
        if changes:
            return Counterfactual(tuple(changes), plans=plans)
    return _none(closed[sizes[0]], (), plans, t)


def _with(picture: Picture, shapes: Sequence[JobShape]) -> tuple[list[JobAsked], Picture]:
    """The picture with jobs of these shapes, which stand behind all others."""
    place = 1 + max((places[-1] for places in picture.demand.values()), default=-1)
    demand = {shape: list(places) for shape, places in picture.demand.items()}
    for shape in shapes:
        demand.setdefault(shape, []).append(place)
    return [JobAsked(shape, place) for shape in shapes], replace(picture, demand=demand)


def _all_come(made: Plan, jobs: Sequence[JobAsked]) -> str:
    if not all(job.is_served(made) for job in jobs):
        return ""
    return "nodes for the names that it is placed on would boot as soon as Slurm places it again"


def _would_open(made: Plan, job: JobAsked) -> str:
    return f"names of {job.shape.size} would be open to it in Slurm" if job.is_served(made) else ""
