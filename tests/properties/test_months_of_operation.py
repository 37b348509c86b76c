"""Months of one site's life in virtual time: by day more jobs come than by night, and things go wrong now and then.

`make proofs ARGS=months` lives until the Fleet has handled so many events, and prints what came of it; `make test`
lives for a few days. What must hold at every command is checked as it leaves (`Watch`), and each week's history is
played to a second Fleet, which must say the same.
"""

from __future__ import annotations

import os
import time

from simulation.watch import Watch

from arvnodeman.fleet.values.model import JobShape, Policy, ProviderSize, SizeSection
from arvnodeman.foresight.faults import Chances
from arvnodeman.foresight.sim_site import Nature
from arvnodeman.foresight.simulation import Simulation

EVENTS = int(os.environ.get("EVENTS", "5000"))
HOUR, DAY = 3600.0, 86400.0
OFFERS = (
    ProviderSize("small", "small", ram=4000, disk=10, price=0.1, cores=2),
    ProviderSize("medium", "medium", ram=8000, disk=20, price=0.13, cores=4),
    ProviderSize("big", "big", ram=16000, disk=50, price=0.4, cores=8),
)
FAULTS = Chances(
    fails_before=0.01,
    fails_after=0.01,
    poll_fails=0.01,
    list_lies=0.001,
    record_lies=0.001,
    slurm_lies=0.001,
    throttled=0.02,
)


class Months:
    """A site with a daemon, which lives by the hour."""

    def __init__(self, seed: int) -> None:
        sections = tuple(SizeSection(offer.id, int(offer.cores), offer.id) for offer in OFFERS)
        policy = Policy(sections=sections, shutdown_windows=(54.0, 5.0, 1.0), max_nodes=20, slurm=True)
        self.run = Simulation(policy, OFFERS, seed=seed)
        self.run.faulty.chances, self.run.site.nature = FAULTS, Nature(never_pings=0.02, dies=0.02)
        self.watch = Watch(self.run)
        self.jobs = self.served = self.kills = 0

    def hour(self, number: int) -> None:
        """Jobs come, by day more than by night; once in three days the daemon is killed."""
        rng = self.run.rng
        for _ in range(rng.choice([0, 1, 2, 5]) if 8 <= number % 24 < 18 else rng.choice([0, 0, 0, 1])):
            shape = JobShape(cores=rng.choice([1, 2, 4, 8]), nodes=rng.choice([1, 1, 1, 2]))
            self.run.site.submit(shape, rng.choice([300.0, HOUR, 3 * HOUR]), rng.randrange(3))
            self.jobs += 1
        if rng.random() < 1 / 72:
            self.kills += 1
            self.watch.restarted()
            self.run.restart()
        elif number % 168 == 167:
            self._forget_week()
        self.run.advance(HOUR)
        assert not self.watch.wrong, self.watch.account(str(self.watch.wrong))

    def _forget_week(self) -> None:
        """Hold the history against a second Fleet by starting a new daemon, and leave out jobs that are done."""
        self.watch.restarted()
        self.run.restart()
        jobs = self.run.site.jobs
        for job in [job for job in jobs.values() if job.done]:
            del jobs[job.id]
            self.served += 1

    def end(self) -> None:
        """The faults stop: all jobs are served, and all nodes go."""
        run = self.run
        run.faulty.chances, run.site.nature = Chances(), Nature()
        jobs = run.site.jobs
        assert run.until(lambda: all(job.done for job in jobs.values()), 14 * DAY), self.watch.account("jobs wait")
        assert run.until(lambda: not run.site.clouds.nodes, DAY), self.watch.account("nodes stay")
        assert not self.watch.wrong, self.watch.wrong
        self.served += len(jobs)
        assert self.served == self.jobs


def test_months_of_operation() -> None:
    months, began, hours = Months(seed=1), time.monotonic(), 0
    while months.run.events < EVENTS:
        months.hour(hours)
        hours += 1
    months.end()
    tally = months.run.site.tally
    print(
        f"\n{months.run.events} events, {sum(months.run.steps.values())} steps, {hours / 24:.0f} days in"
        f" {time.monotonic() - began:.0f} s: {months.jobs} jobs served, {tally.requeued} queued again,"
        f" {tally.created} nodes made, at most {tally.most_nodes} at once, for {tally.cost:.0f} $;"
        f" {months.kills} kills of the daemon"
    )
