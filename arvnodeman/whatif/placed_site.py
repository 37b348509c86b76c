"""The site on which jobs are played where Slurm itself places them on names that are off."""

from __future__ import annotations

from functools import partial

from arvnodeman.fleet.sizes.table import SizeTable
from arvnodeman.fleet.values.model import JobShape
from arvnodeman.foresight.agenda import Agenda
from arvnodeman.foresight.placing_site import PlacingSite
from arvnodeman.foresight.sim_placed_jobs import PlacedSimJob
from arvnodeman.foresight.sim_power import GOING, PowerName
from arvnodeman.whatif.books import NodePhase
from arvnodeman.whatif.chance import dice
from arvnodeman.whatif.load import Part
from arvnodeman.whatif.paid import JobOnNode
from arvnodeman.whatif.scenario import Scenario
from arvnodeman.whatif.site import KeepsBooks, Telling, as_shown


class PlacedPlayedSite(KeepsBooks, PlacingSite):
    """One cluster that keeps books, and forgets what is over."""

    def __init__(
        self, agenda: Agenda, scenario: Scenario, table: SizeTable, telling: Telling, names: int
    ) -> None:  # fmt: skip
        """`names`: of each size."""
        super().__init__(
            agenda,
            tuple(map(as_shown, table.cheapest_first)),
            dice(scenario.seed, "site"),
            names=names,
            offers=scenario.sizes,
        )
        self.slurms.suits = partial(_suits, table)
        self.slurms.watch = self._looks
        self.clouds.quota = scenario.assumed.quota
        self._telling = telling
        self._since: dict[str, float] = {}  # when jobs have begun, by id
        telling.stock(agenda, self.clouds)

    # ---- nodes -------------------------------------------------------------------------------------------------------

    def _looks(self, name: PowerName) -> None:
        """Something has changed of a name."""
        node = name.node
        if node is None or node.gone or not node.up:
            return
        if any(job.begun for job in name.jobs):
            doing = NodePhase.WORKS
        else:
            doing = NodePhase.ENDS if name.power == GOING or name.drain else NodePhase.IS_IDLE
        self._telling.books.does(node, doing, self._agenda.now)
        if (ledger := self._telling.books.ledger) is not None:
            begun = [job for job in name.jobs if job.begun]
            jobs = [JobOnNode(each.id, each.shape, each.limit) for each in begun]
            ledger.runs(node, jobs, self._agenda.now)

    # ---- jobs --------------------------------------------------------------------------------------------------------

    def come(self, parts: list[Part], ids: list[str]) -> None:
        """Jobs are submitted. Slurm numbers them; `ids`: by which they are known here."""
        for part, identity in zip(parts, ids, strict=True):
            self._serial += 1
            job = PlacedSimJob(
                identity,
                part.shape,
                part.seconds,
                0,
                self._agenda.now,
                self._serial,
                alone=part.shape.takes is None,
                limit=part.limit,
            )
            self.slurms.submit(job)

    def number(self, identity: str) -> int:
        """Of the job that has this id, in the order in which they came."""
        return self.jobs[identity].number

    def _job_began(self, job: PlacedSimJob) -> None:
        super()._job_began(job)
        self._since[job.id] = self._agenda.now
        self._telling.began(job.id, job.runs, self._agenda.now - job.submitted)

    def _finish(self, job: PlacedSimJob) -> None:
        super()._finish(job)
        self._over(job)

    def take_back(self, identity: str) -> None:
        """Its user ends it, whether it waits or runs."""
        job = self.jobs.get(identity)
        if job is not None and job.begun:
            job.duration = self._agenda.now - self._since[identity]
            self._finish(job)
        elif job is not None:
            self.cancel(job, "withdrawn")
            self._over(job)

    def _over(self, job: PlacedSimJob) -> None:
        del self.jobs[job.id]
        self._since.pop(job.id, None)
        self._telling.ended(job.id, job.duration if job.done else None)

    def running(self) -> int:
        """Jobs that run."""
        return sum(job.begun for job in self.jobs.values())


def _suits(table: SizeTable, shape: JobShape, size: str) -> bool:
    return any(size == each.id for each in table.choices(shape))
