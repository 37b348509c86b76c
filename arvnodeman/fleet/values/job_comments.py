"""What is said on a job in the scheduler of why no node runs for it: a line that holds good for a while.

The reason is the one that is published. A line stands until it is written anew, and each costs the scheduler a little:
so it has neither spans of time nor figures that change with every node, and jobs with one reason have one line.
"""

from __future__ import annotations

from dataclasses import dataclass

from arvnodeman.fleet.values.obstacles import LimitReached, NoLicence, Reserved
from arvnodeman.fleet.values.reasons import AtMaxNodes, AtPriceCap, AtQuota, BackingOff, Behind, Reason, Unproven
from arvnodeman.fleet.values.reasons_of_budgets import OverBudget
from arvnodeman.fleet.values.reasons_of_placing import Returned, StaysPlaced
from arvnodeman.fleet.values.reasons_of_use import InVain

NODES_END = "waits for others to end"
_NO_NODE = "no node comes for it now"


@dataclass(frozen=True, slots=True)
class Line:
    """What is said, and until when at least: steady time in the brain, seconds since the epoch in a step."""

    text: str
    until: float | None = None  # when it is tried again; None: that is not known


@dataclass(frozen=True, slots=True)
class JobComment:
    """One line for jobs with one reason. A job array that waits is named by its number alone."""

    line: Line
    jobs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class JobsCommented:
    """Result of CommentJobs: lines changed, and jobs whose line is to be changed yet, since there were too many."""

    changed: int = 0
    left: int = 0


def line_of(cause: Reason) -> Line:
    """What is said of this reason."""
    match cause:
        case Behind(limit=None) | Returned(cause=None) | StaysPlaced(cause=None):
            return Line("behind a job that waits" if isinstance(cause, Behind) else _NO_NODE, cause.until)
        case Behind(limit=Reason() as limit):
            before = line_of(limit)
            return Line(f"behind a job that waits: {before.text}", before.until)
        case Returned(cause=Reason() as why):
            return line_of(why)
        case StaysPlaced(cause=Reason() as why):
            before = line_of(why)
            return Line(f"{_NO_NODE}, and giving it back would end it: {before.text}", before.until)
    return Line(_text_of(cause), cause.until)


def _text_of(cause: Reason) -> str:
    match cause:
        case AtMaxNodes():
            return f"{cause.size}: max_nodes of {cause.max_nodes} reached, {NODES_END}"
        case AtQuota():
            of = "cloud quota" if cause.of == "quota" else cause.of
            return f"{cause.size}: {of} of {cause.quota} reached"
        case AtPriceCap():
            return f"{cause.size}: max_total_price of {cause.cap:g} reached, {NODES_END}"
        case BackingOff():
            dear = f"; {cause.too_dear} would fit, but max_price_factor forbids it" if cause.too_dear else ""
            return f"{cause.size}: {cause.why}{dear}"
        case Unproven(probe=True):
            return f"{cause.size}: waits for a node that is tried first after its rest"
        case Unproven():
            return f"{cause.size}: waits for the first node, none has come up yet"
        case InVain():
            said = f": Slurm said {cause.said}" if cause.said else ""
            return f"{cause.node} stood idle for a job like it and Slurm did not use it{said}"
        case Reserved():
            return f"every name that could be booted is in the reservation {cause.reservation!r}"
        case NoLicence():
            return f"no licence of {cause.licence} is free for it"
        case OverBudget():
            frees = f"; it frees at {cause.ends}" if cause.ends else ""
            return f"{cause.rule} is used up{frees}"
        case LimitReached():
            rule = f"{cause.of}: {cause.rule}={cause.limit:g}"
            return f"{rule} reached" if cause.shared else f"{rule} forbids it, it needs {cause.wanted:g}"
    return cause.words(cause.until or 0.0)


def number_of(job: str) -> str:
    """By which a waiting job is named: a task that waits in a job array by the array's number."""
    array, found, task = job.partition("_")
    return array if found and array.isdecimal() and task.isdecimal() else job
