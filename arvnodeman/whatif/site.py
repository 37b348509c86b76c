"""The site on which jobs are played: one that keeps books, and forgets what is over."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

from arvnodeman.fleet.messages import CreateNode
from arvnodeman.fleet.values.model import CloudNode, NodeSize, ProviderSize
from arvnodeman.foresight.agenda import Agenda
from arvnodeman.foresight.sim_cloud import SimNode
from arvnodeman.foresight.sim_jobs import SimJob
from arvnodeman.foresight.sim_room import SimName
from arvnodeman.foresight.sim_site import Fate
from arvnodeman.foresight.simulated_site import SimulatedSite
from arvnodeman.whatif.books import Books, Doing
from arvnodeman.whatif.chance import Fates, Stock, dice
from arvnodeman.whatif.scenario import Scenario

LONGEST_UNHEARD = 600.0  # seconds between two signs of life of a node: nobody acts upon that it is well
JobNews = Callable[[SimJob], None]


class PlayedSite(SimulatedSite):
    """One cluster. `began` and `ended` are told of each job that does so, each time that it does."""

    def __init__(
        self,
        agenda: Agenda,
        scenario: Scenario,
        sizes: tuple[NodeSize, ...],
        books: Books,
        slots: int,
        *,
        began: JobNews,
        ended: JobNews,
    ) -> None:
        """`sizes`: those that can be booted."""
        settings = scenario.settings
        super().__init__(
            agenda,
            tuple(map(_as_shown, sizes)),
            dice(scenario.seed, "site"),
            slots=slots,
            names=not keeps_records(scenario),
            share=settings.shares,
            offers=scenario.sizes,
        )
        self.slurms.rules.gres = {size.id: size.gres for size in sizes}
        self.slurms.rules.partitions = {size.id: size.partitions for size in sizes}
        self.slurms.watch = self._looks
        self.clouds.quota = scenario.assumed.quota
        self.hears_every(min(LONGEST_UNHEARD, settings.daemon.node_stale_after / 4))
        self._of_size = {size.id: size for size in sizes}
        self._fates = Fates(scenario.assumed, scenario.seed)
        self._books = books
        self._began, self._ended = began, ended
        for size in sizes:
            self._stock(size.id, Stock(scenario.assumed, scenario.seed, size.id))

    # ---- nodes -------------------------------------------------------------------------------------------------------

    def _fate(self, node: SimNode) -> Fate:
        fate = self._fates.of(self._of_size[node.size])
        self._books.failed += fate.up is None or (fate.vanishes is not None and fate.vanishes < fate.up)
        return fate

    def _create(self, step: CreateNode) -> CloudNode:
        shown = super()._create(step)
        self._books.created(self.clouds.node(shown.id), self._agenda.now)
        return shown

    def vanish(self, identity: str) -> None:
        """A node is gone."""
        node = self.clouds.node(identity)
        self._books.gone(node, self._agenda.now)
        super().vanish(identity)

    def _looks(self, name: SimName) -> None:
        """Something has changed of a name."""
        node = name.node
        if node is None or node.gone:
            return
        if name.jobs:
            doing = Doing.WORKS
        elif name.drain or node.dead:
            doing = Doing.ENDS
        else:
            doing = Doing.IS_IDLE
        self._books.does(node, doing, self._agenda.now)

    def _stock(self, size: str, stock: Stock) -> None:
        """From now on, until it is otherwise."""
        (self.clouds.no_capacity.add if stock.is_out else self.clouds.no_capacity.discard)(size)
        lasts = stock.lasts()
        if lasts < math.inf:
            self._agenda.at(self._agenda.now + lasts, partial(self._restock, size, stock))

    def _restock(self, size: str, stock: Stock) -> None:
        stock.turn()
        self._stock(size, stock)

    # ---- jobs --------------------------------------------------------------------------------------------------------

    def _job_started(self, job: SimJob) -> None:
        super()._job_started(job)
        self._began(job)

    def _finish(self, job: SimJob) -> None:
        super()._finish(job)
        del self.jobs[job.id]
        self._ended(job)

    def take_back(self, job: SimJob) -> None:
        """Its user ends it, whether it waits or runs."""
        if job.nodes:
            job.duration = self._agenda.now - (job.started or 0.0)
            self._finish(job)
        elif job.waits:
            self.cancel(job, "withdrawn")
            del self.jobs[job.id]
            self._ended(job)


def keeps_records(scenario: Scenario) -> bool:
    """Does an API server keep the node records? Else Slurm's names are these."""
    arvados = scenario.settings.arvados
    return bool(arvados.host) and arvados.node_records in ("auto", "arvados")


def _as_shown(size: NodeSize) -> ProviderSize:
    """What a node of it has for jobs; of memory that is not known, all that they ask for."""
    ram = size.ram or math.inf
    return ProviderSize(size.id, size.id, ram=ram, disk=size.disk, price=size.price, cores=size.cores)
