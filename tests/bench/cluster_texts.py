"""A cluster that lives steadily, full and busy, as cloud, Arvados and Slurm would tell of it: the same to every build.

Everything is a function of the seed and of the number of the cycle. Four of five nodes work. In each cycle so many
nodes, records and jobs differ from the cycle before as `changed` says (1.0: all of them).
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

EPOCH = 1_700_000_000.0
SIZES = 50
SHAPES = 40
_TOKEN = re.compile(r"([A-Za-z-]+):0([^,]*)(?:,|$)")
_LETTER = re.compile(r"%([a-zA-Z])")
_LONG_OF = {
    "c": "MinCpus",
    "m": "MinMemory",
    "d": "MinTmpDisk",
    "r": "Reason",
    "j": "Name",
    "f": "Feature",
    "Q": "PriorityLong",
    "D": "NumNodes",
}


@dataclass(slots=True)
class WaitingJob:
    """One line of squeue."""

    number: int
    shape: int
    priority: int


@dataclass(slots=True)
class Cluster:
    """`nodes` nodes, five jobs for each."""

    nodes: int
    changed: float
    rng: random.Random = field(default_factory=lambda: random.Random(1))
    cycle: int = 0
    working: list[bool] = field(default_factory=list)
    address: list[int] = field(default_factory=list)  # changes of each node's address
    pinged: list[float] = field(default_factory=list)
    jobs: list[WaitingJob] = field(default_factory=list)
    fresh: set[int] = field(default_factory=set)  # nodes that changed in this cycle
    shapes: list[tuple[int, int, int | None]] = field(default_factory=list)  # cores, MB, number of a size
    _number: int = 0

    def __post_init__(self) -> None:
        count = self.nodes
        self.working = [self.rng.random() < 0.8 for _ in range(count)]
        self.address = [0] * count
        self.pinged = [EPOCH - 60 * self.rng.random() for _ in range(count)]
        self.shapes = [
            (self.rng.randint(1, 16), self.rng.randrange(20000), self.rng.choice([None, n])) for n in range(SHAPES)
        ]
        self.jobs = [self._job() for _ in range(5 * count)]
        self.fresh = set(range(count))
        self._in_order()

    @property
    def now(self) -> float:
        """Seconds since the epoch."""
        return EPOCH + 60 * self.cycle

    def step(self) -> None:
        """The next cycle."""
        self.cycle += 1
        count = self.nodes
        part = max(1, int(count * self.changed))
        first = self.cycle * part % count
        self.fresh = {(first + n) % count for n in range(part)}
        for node in self.fresh:
            self.working[node] = self.rng.random() < 0.8 if self.changed == 1 else not self.working[node]
            self.address[node] += 1
            self.pinged[node] = self.now - 60 * self.rng.random()
        if self.changed == 1:
            for job in self.jobs:
                job.priority = self.rng.randrange(1 << 31)
        else:
            leave = max(1, part * 5 // 2)
            gone = set(self.rng.sample(range(len(self.jobs)), leave))
            self.jobs = [job for place, job in enumerate(self.jobs) if place not in gone]
            self.jobs += [self._job() for _ in range(leave)]
        self._in_order()

    def _job(self) -> WaitingJob:
        self._number += 1
        return WaitingJob(self._number, self.rng.randrange(SHAPES), self.rng.randrange(1 << 31))

    def _in_order(self) -> None:
        self.jobs.sort(key=lambda job: -job.priority)

    # ---- what a build's classes are made of ------------------------------------------------------------------------

    def cloud_node(self, node: int) -> dict[str, Any]:
        """Fields of a CloudNode."""
        return {
            "id": f"i-{node}",
            "name": f"compute{node + 1}.x",
            "report_id": f"i-{node}",
            "fqdn": f"compute{node + 1}.x",
            "size_tag": f"s{node % SIZES}",
            "provider_size": f"s{node % SIZES}",
            "start_time": EPOCH - 5000,
            "address": f"10.{self.address[node] % 256}.{node // 256}.{node % 256}",
        }

    def record(self, node: int) -> dict[str, Any]:
        """Fields of a NodeRecord."""
        return {
            "uuid": f"zzzzz-7ekkf-{node:015d}",
            "hostname": f"compute{node + 1}",
            "domain": "x",
            "slot": node + 1,
            "instance_id": f"i-{node}",
            "created_at": EPOCH - 6000,
            "modified_at": self.pinged[node],
            "first_ping_at": EPOCH - 4900,
            "last_ping_at": self.pinged[node],
        }

    # ---- what Slurm's commands print -------------------------------------------------------------------------------

    def answer(self, argv: list[str]) -> str:
        """The output of one command."""
        form = next((each.partition("=")[2] for each in argv if each.startswith(("--format=", "--Format="))), "")
        if argv[0] == "squeue":
            return "slurm 24.11.5\n" if "--version" in argv else self._squeue(form)
        if argv[0] == "sinfo":
            return "slurm 24.11.5\n" if "--version" in argv else self._sinfo()
        if argv[:1] == ["scontrol"] and argv[-1] == "reservations":
            return "No reservations in the system\n"
        return ""

    def _squeue(self, form: str) -> str:
        parts = _TOKEN.findall(form)
        if not parts:
            raise ValueError(f"squeue is not asked for {form!r} here")
        behind = {number: self._fields(number) for number in range(SHAPES)}
        lines = []
        for job in self.jobs:
            values = behind[job.shape]
            own = {
                "Name": f"zzzzz-dz642-{job.number:015d}",
                "PriorityLong": str(job.priority),
                "JobArrayID": str(job.number),
            }
            lines.append("".join([(own.get(name) or values.get(name, "N/A")) + mark for name, mark in parts]))
        return "\n".join([*lines, ""])

    def _fields(self, number: int) -> dict[str, str]:
        cores, memory, size = self.shapes[number]
        return {
            "MinCpus": str(cores),
            "MinMemory": f"{memory}M",
            "MinTmpDisk": "0",
            "Reason": "Resources" if number % 2 else "Priority",
            "Feature": "(null)" if size is None else f"instancetype=s{size}",
            "NumNodes": "1",
            "TimeLimit": "1:00:00",
            "Partition": "compute",
            "UserName": f"user{number % 7}",
            "Account": f"lab{number % 3}",
            "QOS": "normal",
            "Reservation": "",
            "Licenses": "(null)",
            "ReqNodes": "",
            "ExcNodes": "",
            "NumTasks": "1",
            "NumCPUs": str(cores),
            "tres-alloc": f"cpu={cores},mem={memory}M,node=1,billing={cores}",
        }

    def _sinfo(self) -> str:
        """%N|%t|%w|%f|%E: those alike share a line."""
        lines = []
        for size in range(SIZES):
            of_size = range(size, self.nodes, SIZES)
            for state in (True, False):
                alike = [node + 1 for node in of_size if self.working[node] is state]
                if alike:
                    weight, word = int(price_of(size) * 1000), "alloc" if state else "idle"
                    lines.append(f"compute[{_ranges(alike)}]|{word}|{weight}|instancetype=s{size}|none")
        return "\n".join([*lines, ""])


def price_of(size: int) -> float:
    """Dollars an hour."""
    return 0.05 + 0.01 * size


def _ranges(numbers: list[int]) -> str:
    """[1, 2, 3, 7] as 1-3,7."""
    runs = []
    for _, run in groupby(enumerate(numbers), lambda pair: pair[1] - pair[0]):
        found = [number for _, number in run]
        runs.append(str(found[0]) if len(found) == 1 else f"{found[0]}-{found[-1]}")
    return ",".join(runs)
