"""One pass of a simulated Slurm's scheduler over jobs that it places on names which are off."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

from arvnodeman.foresight.sim_kept import to_be_kept
from arvnodeman.foresight.sim_placed_jobs import PlacedSimJob
from arvnodeman.foresight.sim_power import OFF, STARTING, UP, PowerName

STAGES = {UP: 0, STARTING: 1, OFF: 2}  # names that are up first, then those that come up anyway


def placed(
    jobs: Iterable[PlacedSimJob],
    names: Collection[PowerName],
    may_use: Callable[[PlacedSimJob, PowerName], bool],
    now: float,
) -> Iterator[tuple[PlacedSimJob, Sequence[PowerName]]]:
    """The jobs that get names, in their turn; each is to be put on them before the next is asked for.

    One that needs more names than are free keeps those that it could have from the jobs behind it, but for those whose
    time limit ends before it can begin.
    """
    kept: dict[PowerName, float] = {}
    for job in sorted((job for job in jobs if job.waits and job.begin_at <= now), key=lambda job: job.turn):
        ends, usable = now + job.limit, [name for name in names if may_use(job, name)]
        fitting = [name for name in usable if name.fits(job) and ends <= kept.get(name, ends)]
        fitting.sort(key=lambda name: (STAGES[name.power], name.weight, name.number))
        if len(fitting) >= job.shape.nodes:
            yield job, fitting[: job.shape.nodes]
        elif fitting:
            up = {name: name.free_by for name in usable if name.could_fit(job)}
            chosen, starts = to_be_kept(up, job.shape.nodes)
            kept.update(dict.fromkeys(chosen, starts))
