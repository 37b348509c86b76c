"""The site on which jobs are played: one that keeps books, and forgets what is over."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from arvnodeman.config import Settings
from arvnodeman.fleet.sizes.table import SizeTable
from arvnodeman.fleet.values.model import JobShape, NodeSize, ProviderSize
from arvnodeman.foresight.agenda import Agenda
from arvnodeman.foresight.sim_cloud import SimCloud, SimNode
from arvnodeman.foresight.sim_jobs import SimJob
from arvnodeman.foresight.sim_room import SimName
from arvnodeman.foresight.sim_site import Fate, SimSite
from arvnodeman.foresight.simulated_site import SimulatedSite
from arvnodeman.whatif.books import Books, NodePhase
from arvnodeman.whatif.chance import Fates, StockOuts, dice
from arvnodeman.whatif.load import Part
from arvnodeman.whatif.paid import JobOnNode
from arvnodeman.whatif.scenario import Scenario

UNHEARD = 0.25  # of `node_stale_after`: between two signs of life of a node, as nobody acts upon that it is well
LONGEST_UNHEARD = 600.0  # seconds; of records, in which stands when a node that is gone was heard from last
HEARD = 6.0  # seconds from a resume until slurmctld has asked the node that answers; 1 to 11 as measured
DEMO = "127.0.0.1"  # of all nodes and names of a demo on a real Slurm


class Telling:
    """What a site is told by chance, and whom it tells of what happens: of jobs by their ids."""

    def __init__(
        self,
        scenario: Scenario,
        sizes: tuple[NodeSize, ...],
        books: Books,
        *,
        began: Callable[[str, int, float], None],
        ended: Callable[[str, float | None], None],
    ) -> None:
        """`sizes`: those that can be booted. `began`: for the how-manieth time, and how long after it came. `ended`:
        how long it has run; None: it was taken back while it waited."""
        self.books = books
        self.began, self.ended = began, ended
        self._of_size = {size.id: size for size in sizes}
        self._fates = Fates(scenario.assumed, scenario.seed)
        self._stocks = {size.id: StockOuts(scenario.assumed, scenario.seed, size.id) for size in sizes}

    def fate(self, node: SimNode) -> Fate:
        """What becomes of a new node."""
        fate = self._fates.of(self._of_size[node.size])
        self.books.failed += fate.up is None or (fate.vanishes is not None and fate.vanishes < fate.up)
        return fate

    def stock(self, agenda: Agenda, cloud: SimCloud) -> None:
        """From now on the cloud has none of a size at times."""
        for size, stock in self._stocks.items():
            self._stocked(agenda, cloud, size, stock)

    def _stocked(self, agenda: Agenda, cloud: SimCloud, size: str, stock: StockOuts) -> None:
        (cloud.no_capacity.add if stock.is_out else cloud.no_capacity.discard)(size)
        lasts = stock.lasts()
        if lasts < math.inf:
            agenda.at(agenda.now + lasts, partial(self._turned, agenda, cloud, size, stock))

    def _turned(self, agenda: Agenda, cloud: SimCloud, size: str, stock: StockOuts) -> None:
        stock.turn()
        self._stocked(agenda, cloud, size, stock)


class KeepsBooks(SimSite):
    """A site whose nodes have the fates of a scenario, and are told to its books."""

    _telling: Telling

    def _fate(self, node: SimNode) -> Fate:
        self._telling.books.created(node, self._agenda.now)
        return self._telling.fate(node)

    def vanish(self, identity: str) -> None:
        """A node is gone."""
        self._telling.books.gone(self.clouds.node(identity), self._agenda.now)
        super().vanish(identity)


class PlayedSite(KeepsBooks, SimulatedSite):
    """One cluster that keeps books, and forgets what is over."""

    def __init__(self, agenda: Agenda, scenario: Scenario, table: SizeTable, telling: Telling, names: int) -> None:
        settings, sizes = scenario.settings, table.cheapest_first
        shares = any(job.shape.takes is not None for job in scenario.jobs)
        super().__init__(
            agenda,
            tuple(map(as_shown, sizes)),
            dice(scenario.seed, "site"),
            slots=names,
            names=not keeps_records(settings),
            share=shares,
            offers=scenario.sizes,
            address=DEMO if settings.cloud.provider == "sandbox" else "",
        )
        self.resumes_as_slurm_does(HEARD)
        self.slurms.rules.gres = {size.id: size.gres for size in sizes}
        self.slurms.rules.partitions = {size.id: size.partitions for size in sizes}
        if not shares:
            self.slurms.rules.lines = declared(settings, sizes)
        self.slurms.watch = self._looks
        self.clouds.quota = scenario.assumed.quota
        heard = UNHEARD * settings.daemon.node_stale_after
        self.hears_every(min(heard, LONGEST_UNHEARD) if keeps_records(settings) else heard)
        self._telling = telling
        telling.stock(agenda, self.clouds)

    # ---- nodes -------------------------------------------------------------------------------------------------------

    def _looks(self, name: SimName) -> None:
        """Something has changed of a name."""
        node = name.node
        if node is None or node.gone:
            return
        if name.jobs:
            doing = NodePhase.WORKS
        elif name.drain or node.dead:
            doing = NodePhase.ENDS
        else:
            doing = NodePhase.IS_IDLE
        self._telling.books.does(node, doing, self._agenda.now)
        if (ledger := self._telling.books.ledger) is not None:
            jobs = [JobOnNode(job.id, job.shape, job.limit) for job in name.jobs]
            ledger.runs(node, jobs, self._agenda.now)

    # ---- jobs --------------------------------------------------------------------------------------------------------

    def come(self, parts: list[Part], ids: list[str]) -> None:
        """Jobs are submitted; those with one mark begin together. `ids`: by which they are known here."""
        together: dict[str, list[tuple[JobShape, float, str]]] = {}
        for part, identity in zip(parts, ids, strict=True):
            if part.het:
                together.setdefault(part.het, []).append((part.shape, part.seconds, identity))
            else:
                self.submit(part.shape, part.seconds, identity=identity, limit=part.limit)
        for company in together.values():
            self.submit_together(company)

    def number(self, identity: str) -> int:
        """Of the job that has this id, in the order in which they came."""
        return self.jobs[identity].number

    def _job_started(self, job: SimJob) -> None:
        super()._job_started(job)
        self._telling.began(job.id, job.runs, self._agenda.now - job.submitted)

    def _finish(self, job: SimJob) -> None:
        super()._finish(job)
        self._over(job)

    def take_back(self, identity: str) -> None:
        """Its user ends it, whether it waits or runs."""
        job = self.jobs.get(identity)
        if job is not None and job.nodes:
            job.duration = self._agenda.now - (job.started or 0.0)
            self._finish(job)
        elif job is not None:
            self.cancel(job, "withdrawn")
            self._over(job)

    def _over(self, job: SimJob) -> None:
        del self.jobs[job.id]
        self._telling.ended(job.id, job.duration if job.done else None)

    def running(self) -> int:
        """Jobs that run."""
        return sum(bool(job.nodes) for job in self.jobs.values())


def keeps_records(settings: Settings) -> bool:
    """Does an API server keep the node records? Else Slurm's names are these."""
    arvados = settings.arvados
    return bool(arvados.host) and arvados.node_records in ("auto", "arvados")


def declared(settings: Settings, sizes: Sequence[NodeSize]) -> dict[str, ProviderSize]:
    """As what slurm.conf declares the names that nodes of a size get: where several sizes may get a name, as the
    largest of them, whichever node has registered under it."""
    own = {section.id for section in settings.sizes if section.node_names}
    found = {}
    for size in sizes:
        if size.id not in own:
            alike = [each for each in sizes if each.id not in own and set(each.partitions) == set(size.partitions)]
            cores, ram = max(each.cores for each in alike), max(each.ram or math.inf for each in alike)
            found[size.id] = replace(as_shown(size), cores=cores, ram=ram)
    return found


def as_shown(size: NodeSize) -> ProviderSize:
    """What a node of it has for jobs; of memory that is not known, all that they ask for."""
    ram = size.ram or math.inf
    return ProviderSize(size.id, size.id, ram=ram, disk=size.disk, price=size.price, cores=size.cores)
