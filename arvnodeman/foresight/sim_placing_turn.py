"""One pass of a simulated Slurm's scheduler over jobs that it places on names which are off."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

from arvnodeman.foresight.sim_placed_jobs import PlacedSimJob
from arvnodeman.foresight.sim_power import OFF, STARTING, UP, PowerName

STAGES = {UP: 0, STARTING: 1, OFF: 2}  # names that are up first, then those that come up anyway


def placed(
    jobs: Iterable[PlacedSimJob],
    names: Collection[PowerName],
    may_use: Callable[[PlacedSimJob, PowerName], bool],
    now: float,
) -> Iterator[tuple[PlacedSimJob, Sequence[PowerName]]]:
    """The jobs that get names, in their turn; each is to be put on them before the next is asked for. One that has to
    wait keeps nobody else from them: what slurmctld keeps for a job of several nodes while names are closed was not
    measured."""
    for job in sorted((job for job in jobs if job.waits and job.begin_at <= now), key=lambda job: job.turn):
        fitting = [name for name in names if may_use(job, name) and name.fits(job)]
        fitting.sort(key=lambda name: (STAGES[name.power], name.weight, name.number))
        if len(fitting) >= job.shape.nodes:
            yield job, fitting[: job.shape.nodes]
