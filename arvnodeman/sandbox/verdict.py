"""How it came out: jobs run once, lost or run again and why, what was left, what it cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from arvnodeman.sandbox.dispatcher import Work
from arvnodeman.sandbox.slurm_jobs import THROWN_OFF

OUR_REASON = "Node Manager"  # how every drain of the daemon's begins
# Why a job lost its node, where that was the daemon's doing: a DELETE, a DOWN for a living node, a secret made anew, a
# name taken from it that was not up yet.
OUR_DOING = ("destroyed", "node set down", "ping secret refused", THROWN_OFF)


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteVerdict:
    """The account of a site's life so far. Waits are simulated seconds from the submit to the first start."""

    jobs: int
    ran_once: int
    ran_again: tuple[str, ...]  # completed more than once
    cancelled: int
    unfinished: tuple[str, ...]  # still to run, or running
    lost: tuple[str, ...]  # neither in Slurm, nor on its way back to it, nor ended
    requeues: dict[str, int]  # by cause
    disturbed: int  # of these, how many by the daemon's own doing
    nodes_booted: int
    nodes_left: tuple[str, ...]
    halted: tuple[str, ...]  # nodes that have halted themselves, and are still paid for
    slots_left: tuple[str, ...]  # hostnames of records that still have a slot
    names_left: tuple[str, ...]  # of nodes that Slurm powers up and down: those that are not off and free
    held: tuple[str, ...]  # jobs that Slurm holds, though nobody wanted that
    drained_left: tuple[str, ...]  # living Slurm nodes that we drained and did not resume
    busy_destroyed: tuple[str, ...]  # nodes destroyed by a DELETE request while they ran a job
    most_at_once: int
    cost: float
    mean_wait: float
    longest_wait: float

    @property
    def clean(self) -> bool:
        """Every job has run once or was cancelled, undisturbed by the daemon, and nothing is left."""
        bad = (self.ran_again, self.unfinished, self.lost, self.nodes_left, self.slots_left, self.names_left)
        return not any((*bad, self.held, self.drained_left, self.busy_destroyed, self.disturbed))

    @property
    def quiet(self) -> bool:
        """Nothing runs, waits or is left: the site has come to rest, well or badly."""
        return not (self.unfinished or self.nodes_left or self.slots_left or self.names_left)

    def as_dict(self) -> dict[str, object]:
        """For /site/verdict."""
        return {**asdict(self), "clean": self.clean, "quiet": self.quiet}


def waits(work: Iterable[Work]) -> tuple[float, float]:
    """Mean and longest wait of the jobs that have started."""
    times = [w.first_start - w.submitted for w in work if w.first_start is not None and w.submitted is not None]
    return (sum(times) / len(times), max(times)) if times else (0.0, 0.0)


def judge_jobs(work: Sequence[Work], in_slurm: frozenset[str]) -> dict[str, object]:
    """The part of the verdict that is about jobs. `in_slurm`: the names that Slurm has."""
    requeues: Counter[str] = Counter()
    for one in work:
        requeues.update(one.requeues)
    mean, longest = waits(work)
    return {
        "jobs": len(work),
        "ran_once": sum(w.completions == 1 for w in work),
        "ran_again": tuple(w.spec.name for w in work if w.completions > 1),
        "cancelled": sum(w.state == "cancelled" for w in work),
        "unfinished": tuple(w.spec.name for w in work if w.state in ("coming", "pending", "running")),
        "lost": tuple(w.spec.name for w in work if w.state in ("pending", "running") and _missing(w, in_slurm)),
        "requeues": dict(requeues),
        "disturbed": sum(requeues[cause] for cause in OUR_DOING),
        "mean_wait": mean,
        "longest_wait": longest,
    }


def _missing(work: Work, in_slurm: frozenset[str]) -> bool:
    return not work.spec.old_queue and work.spec.name not in in_slurm
