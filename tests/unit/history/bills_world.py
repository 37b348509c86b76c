"""Random histories of nodes, jobs and daemons that end and begin again, told to a real recorder over a real file."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

from arvnodeman.fleet.messages import Decided, Poll
from arvnodeman.fleet.values.meant_for import MeantFor
from arvnodeman.fleet.values.model import CloudNode, JobOwner, NodeSize, NodeState, Policy
from arvnodeman.fleet.values.reasons import NOT_JUDGED
from arvnodeman.fleet.view.node_table import NodeTable
from arvnodeman.fleet.view.published import Published
from arvnodeman.fleet.view.view import NodeStatus, View
from arvnodeman.history import reading, report, shares
from arvnodeman.history.file import HistoryFile
from arvnodeman.history.money import starts
from arvnodeman.history.recorder import Recorder
from arvnodeman.history.schema import Row
from arvnodeman.history.shares import SharesReport
from arvnodeman.money.payers import payer_of
from arvnodeman.money.runs import JobRun, JobsOnNodes, RunsListed
from arvnodeman.supervision.clock import Clock
from arvnodeman.supervision.vitals import Vitals

START = 1_700_000_000.0
MIN_JOB_AGE = 300.0
SIZES = [
    NodeSize(name, name, name, name, cores, ram, 0, 0, price)
    for name, cores, ram, price in (("small", 2, 4000, 0.1), ("large", 16, 64000, 1.5), ("gpu", 8, 60000, 12.25))
]
OWNERS = [JobOwner("ann", "physics", "normal"), JobOwner("bob", "biology", "high"), JobOwner("eve", "physics")]
POLICY = Policy(sections=(), shutdown_windows=(55.0, 5.0))


@dataclass
class Machine:
    """A node of the world."""

    id: str
    host: str
    size: NodeSize
    price: float
    created: float
    first_seen: float
    meant_for: tuple[MeantFor, ...] = ()


class KeepingRecorder(Recorder):
    """Whose rows a test writes when it likes."""

    def __init__(self, published: Published, vitals: Vitals, on_nodes: JobsOnNodes) -> None:
        super().__init__(published, vitals, 60.0, on_nodes=on_nodes)
        self.rows: list[Row] = []

    def _keep(self, rows: Iterable[Row]) -> None:
        self.rows += rows


@dataclass
class BillsWorld:
    """One history. `play()` goes on with it at random."""

    path: Path
    dice: random.Random
    now: float = START
    machines: dict[str, Machine] = field(default_factory=dict)
    jobs: dict[tuple[str, float], JobRun] = field(default_factory=dict)  # those that Slurm remembers
    names: int = 0

    def __post_init__(self) -> None:
        self.now += self.dice.uniform(0, 86_400)
        self.began = self.now
        self.start()

    def start(self) -> None:
        """A run of the daemon, which knows what the file says."""
        self.on_nodes = JobsOnNodes()
        self.published = Published(View(0.0, POLICY))
        vitals = Vitals(Clock(now=lambda: self.now, monotonic=lambda: self.now))
        self.recorder = KeepingRecorder(self.published, vitals, self.on_nodes)
        file = HistoryFile(self.path)
        file.open()
        kept = file.earlier_runs(self.now - 30 * 86_400.0)
        if kept.began is not None:
            self.recorder.remember(kept)
        file.close()

    def flush(self) -> None:
        """What is to be kept gets into the file."""
        file = HistoryFile(self.path)
        file.write(self.recorder.rows)
        file.close()
        self.recorder.rows = []

    # ---- what happens ----------------------------------------------------------------------------------------------

    def play(self, steps: int) -> None:
        """So many things happen."""
        acts = [self.boot, self.boot, *[self.begin_job] * 6, *[self.end_job] * 5, *[self.list_runs] * 6]
        acts += [self.destroy, self.lose, self.reprice, self.restart]
        for _ in range(steps):
            self.now += self.dice.choice((0.0, 1.0, 7.3, 61.0, 500.0, 4000.0))
            self.dice.choice(acts)()
            self.observe()
        self.now += 1.0
        self.observe()
        self.flush()

    def boot(self) -> None:
        """A node appears; a name may come again."""
        self.names += 1
        host, size = f"compute{self.dice.randint(1, 6)}", self.dice.choice(SIZES)
        if any(each.host == host for each in self.machines.values()):
            return
        meant = [
            MeantFor(str(self.dice.randint(1, 40)), self.dice.choice(OWNERS), "main", 1.0, 500.0)
            for _ in range(self.dice.choice((0, 1, 3)))
        ]
        created = self.now - self.dice.choice((0.0, 30.0, 90.0))
        self.machines[host] = Machine(f"i-{self.names}", host, size, size.price, created, self.now, tuple(meant))

    def begin_job(self) -> None:
        """A job starts, on one node or some."""
        if not self.machines:
            return
        hosts = self.dice.sample(sorted(self.machines), self.dice.randint(1, min(2, len(self.machines))))
        owner, number = self.dice.choice(OWNERS), str(len(self.jobs) + self.dice.randint(1, 40))
        run = JobRun(
            number,
            payer_of(owner, "main"),
            tuple(hosts),
            self.now - self.dice.choice((0.0, 20.0)),
            None,
            self.dice.choice((None, float("inf"), self.now + 7200)),
            self.dice.choice((0.0, 1.0, 4.0, 64.0)),
            self.dice.choice((0.0, 1000.0, 90_000.0)),
        )
        self.jobs[run.job, run.began] = run

    def end_job(self) -> None:
        """One ends, or slurmctld forgets it at once."""
        running = [key for key, run in self.jobs.items() if run.ended is None]
        if not running:
            return
        key = self.dice.choice(running)
        if self.dice.random() < 0.2:
            del self.jobs[key]
        else:
            self.jobs[key] = replace(self.jobs[key], ended=max(self.now, self.jobs[key].began + 0.5))

    def destroy(self) -> None:
        """By a decision of the daemon's; the node is listed for a while."""
        if self.machines:
            machine = self.machines[self.dice.choice(sorted(self.machines))]
            self.published.decisions.add(self.now, Decided.DESTROYED, machine.host, "destroyed", ())
            if self.dice.random() < 0.8:
                self._gone(machine)

    def lose(self) -> None:
        """A node is gone without us."""
        if self.machines:
            self._gone(self.machines[self.dice.choice(sorted(self.machines))])

    def _gone(self, machine: Machine) -> None:
        del self.machines[machine.host]
        for key, run in list(self.jobs.items()):
            if machine.host in run.hosts and run.ended is None:
                self.jobs[key] = replace(run, ended=max(self.now, run.began + 0.5))

    def reprice(self) -> None:
        """A spot price."""
        if self.machines:
            self.machines[self.dice.choice(sorted(self.machines))].price = round(self.dice.uniform(0, 20), 4)

    def restart(self) -> None:
        """The daemon ends, or is killed with what it had not written, is away, and begins again."""
        if self.dice.random() < 0.7:
            self.flush()
        self.now += self.dice.choice((1.0, 300.0, 5000.0))
        for host in sorted(self.machines):
            if self.dice.random() < 0.2:
                self._gone(self.machines[host])
        self.start()

    def list_runs(self) -> None:
        """Slurm is asked, and tells what it remembers."""
        self.jobs = {
            key: run for key, run in self.jobs.items() if run.ended is None or self.now - run.ended < MIN_JOB_AGE
        }
        self.on_nodes.listed = RunsListed(self.now, list(self.jobs.values()))

    def observe(self) -> None:
        """A view is published, and the recorder looks."""
        nodes = {each.id: self._status(each) for each in self.machines.values()}
        ages = MappingProxyType({Poll.CLOUD: 0.0})
        self.published.view = View(
            self.now - self.began, POLICY, nodes=NodeTable(nodes), sizes=SIZES, poll_ages=ages, quota=9, slots=9
        )
        self.recorder.observe()

    def _status(self, machine: Machine) -> NodeStatus:
        steady = machine.first_seen - self.began
        return NodeStatus(
            cloud=CloudNode(machine.id, machine.host, machine.id),
            record=None,
            node_size=machine.size,
            slurm_node=None,
            hostname=machine.host,
            price=machine.price,
            state=NodeState.BUSY,
            since=steady,
            idle_since=None,
            doing="",
            first_seen=steady - (machine.first_seen - machine.created),
            been_up=True,
            doubtful=False,
            ending=None,
            why=NOT_JUDGED,
            meant_for=machine.meant_for,
        )

    # ---- what is told of it ----------------------------------------------------------------------------------------

    def times(self) -> list[tuple[float, float]]:
        """The whole, and a part at random."""
        two = sorted(self.dice.uniform(self.began - 100, self.now) for _ in range(2))
        return [(self.began - 3600, self.now), (two[0], two[1] + 1.0)]

    def month_began(self) -> float:
        """Of this machine's calendar."""
        return starts(self.now)["month"]

    def nodes_cost(self, since: float, until: float) -> float:
        """In $, as the report of sizes tells it."""
        with reading.reading(self.path) as connection:
            seen = report.seen_until(connection, self.now)
            return report.make(connection, since, until, seen).total.cost

    def shares(self, by: str, since: float, until: float) -> SharesReport:
        """As the report of who pays tells it."""
        with reading.reading(self.path) as connection:
            return shares.make(connection, by, since, until, report.seen_until(connection, self.now))


def worst_of(path: Path, seed: int, steps: int = 80) -> tuple[float, float, float]:
    """Of one random history: how far the sum of shares is from the sum of nodes at most, in $; how far the ledger is
    from the costs that the daemon shows for the month; and what the nodes have cost."""
    world = BillsWorld(path, random.Random(seed))
    world.play(steps)
    worst = whole = 0.0
    for since, until in world.times():
        cost = world.nodes_cost(since, until)
        whole = max(whole, cost)
        for by in shares.BY:
            found = world.shares(by, since, until)
            worst = max(worst, abs(found.total.cost - cost))
    chronicle = world.recorder.chronicle
    shown = chronicle.costs(world.now).month
    ledger = chronicle.bills.spent(world.month_began(), world.now)
    return worst, abs(shown - ledger), whole
