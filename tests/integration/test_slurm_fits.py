"""Which jobs may begin together on a node, and which never: our one rule over our readings of squeue and scontrol, held
against the real Slurm. Random nodes, random jobs. In the environment: FIT_DRAWS, how many jobs, and FIT_SEED.

A job is for one node, or two. All are read while every node is drained, as on a cluster without nodes; then each node
gets its jobs one after the other. Whether a job begins is foretold, and what it leaves, and held against what Slurm
does and says. So that a job is for these nodes alone, each has partitions of its own, and so has each pair; two giants
that are never up are in all of them, and let sbatch take what the others cannot hold.
"""

from __future__ import annotations

import math
import os
import random
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import pytest
from slurm_stage import need_slurm, slurm_version

from arvnodeman.fleet.sizes.fit import fits_in, less
from arvnodeman.fleet.values.capacity import Capacity, Footprint
from arvnodeman.fleet.values.model import Job, JobShape
from arvnodeman.fleet.values.otherwise import Otherwise
from arvnodeman.sandbox.real_slurm import PrivateSlurm
from arvnodeman.sandbox.real_slurm_conf import Shape
from arvnodeman.slurm.keeping import NamesInSlurm
from arvnodeman.slurm.sharing import NUMCPUS_ONLY_SINCE

DRAWS = int(os.environ.get("FIT_DRAWS", "200"))
SEED = os.environ.get("FIT_SEED", "1")
NODES = 10
IN_A_ROUND = 5  # jobs for each node, one after the other
BOUND = 120.0  # seconds that anything may take on a busy machine
COUNTED = ("CR_Core_Memory", "CR_CPU_Memory", "CR_Core", "CR_Core_Memory,CR_ONE_TASK_PER_CORE")
DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random")
GIANT = "Sockets=4 CoresPerSocket=16 ThreadsPerCore=2 RealMemory=900000 TmpDisk=900000 Gres=gpu:a:16,gpu:b:16,lic:64"
GIANTS = (0, NODES + 1)
WAITS = re.compile(r"Resources|BadConstraints|PartitionConfig|ReqNodeNotAvail.*|Nodes required.*|Priority")
ONE_THREAD = re.compile("nomultithread|threads-per-core=1|ntasks-per-core=1")
SCRIPT = "#!/bin/sh\nexec sleep 900\n"
Names = tuple[str, ...]


@dataclass
class Draw:
    """A job, and what becomes of it."""

    options: str
    names: Names  # its nodes
    number: str = ""
    shape: JobShape = field(default_factory=JobShape)
    otherwise: tuple[Otherwise, ...] = ()  # what explain says of it


@dataclass
class Tally:
    """What Slurm said, and where we said something else."""

    counted: str  # SelectTypeParameters
    began: int = 0
    waited: int = 0
    otherwise: int = 0  # of which explain says why
    differences: list[str] = field(default_factory=list)

    def add(self, draw: Draw, before: Mapping[str, Capacity], after: Mapping[str, Capacity], begins: bool) -> None:
        """What is free on its nodes `before` and `after` Slurm began it, or did not."""
        wrong = self._wrong(draw, draw.shape, before, after, begins)
        if wrong:
            others = self._readings(draw, before, begins)
            right = [kind for kind, shape in others if not self._wrong(draw, shape, before, after, begins)]
            if not right:
                free = [before[name] for name in draw.names]
                self.differences.append(f"{draw.options}: {wrong}; it is {draw.shape}, and free is {free}")
            elif not set(right) & set(draw.otherwise):
                self.differences.append(f"{draw.options}: {wrong}; explain says {draw.otherwise}, and not {right}")
            self.otherwise += 1
        self.began += begins
        self.waited += not begins

    def _readings(self, draw: Draw, before: Mapping[str, Capacity], begins: bool) -> list[tuple[Otherwise, JobShape]]:
        """What the job may be, too, by what squeue shows of it."""
        takes, readings = draw.shape.takes, list[tuple[Otherwise, JobShape]]()
        counts_memory = "Memory" in self.counted
        if takes is None and counts_memory and (by_cpu := re.search(r"--mem-per-cpu=(\d+)", draw.options)):
            cpus = max(before[name].cpus for name in draw.names)  # all of its nodes are its
            readings.append((Otherwise.ALONE_BY_CPU, replace(draw.shape, ram=int(by_cpu[1]) * cpus)))
        one_each = ONE_THREAD.search(draw.options) or "ONE_TASK" in self.counted
        if "--mincpus" in draw.options and (one_each or re.search("-c[2-9]", draw.options)):
            readings.append(
                (Otherwise.LEAST_CPUS, replace(draw.shape, cores=math.inf))
            )  # not all CPUs are such as its tasks could use
        if takes is not None and takes.ram_by_cpu and "--mem=" in draw.options:
            by_node = replace(takes, ram=draw.shape.ram, ram_by_cpu=False)
            readings.append((Otherwise.ONE_CPU, replace(draw.shape, takes=by_node)))
        if takes is not None and not begins and "--mem-per-cpu" in draw.options and ONE_THREAD.search(draw.options):
            threads = max(before[name].threads for name in draw.names)  # Slurm may want that for all CPUs of its cores
            more = replace(takes, ram=takes.ram * threads)
            readings.append((Otherwise.ONE_THREAD_BY_CPU, replace(draw.shape, ram=more.ram, takes=more)))
        if not counts_memory and "--mem-per-cpu" in draw.options:
            readings.append(
                (Otherwise.MEMORY_NOT_COUNTED, replace(draw.shape, ram=0))
            )  # Slurm does not look whether the node has that at all
        if takes is None and one_each:
            cpus = math.ceil(draw.shape.cores)  # which squeue shows; of a job alone on its node we look no further
            readings.append(
                (Otherwise.ALONE_ONE_THREAD, replace(draw.shape, takes=Footprint(cpus, math.inf, apart=cpus)))
            )
        return readings

    def _wrong(
        self, draw: Draw, shape: JobShape, before: Mapping[str, Capacity], after: Mapping[str, Capacity], begins: bool
    ) -> str:
        if all(fits_in(shape, before[name]) for name in draw.names) is not begins:
            return "it begins, and we think that it waits" if begins else "it waits, and we think that it begins"
        for name in draw.names if begins else ():
            left, there = replace(less(before[name], shape), jobs=1), replace(after[name], jobs=1)
            if left != there and not (draw.shape.takes is None and there.cpus == 0):
                return f"we think that {left} is left, and there is {there}"
        return ""


def node_of(dice: random.Random) -> str:
    """A node, in the words of slurm.conf."""
    sockets, cores, threads = dice.choice((1, 1, 2)), dice.choice((1, 2, 4, 5, 8, 16)), dice.choice((1, 1, 2, 2, 4))
    total = sockets * cores * threads
    words = [f"Sockets={sockets} CoresPerSocket={cores} ThreadsPerCore={threads}"]
    if threads > 1 and dice.random() < 0.25:
        words.append(f"CPUs={sockets * cores}")  # then a core is one CPU
    else:
        words.append(f"CPUs={total}")
    words.append(f"RealMemory={dice.choice((900, 2000, 3000, 4000, 7777))} TmpDisk={dice.choice((0, 1000, 5000))}")
    if sockets * cores > 1 and dice.random() < 0.3:
        words.append("CoreSpecCount=1")
    if dice.random() < 0.3:
        words.append(f"MemSpecLimit={dice.choice((100, 500))}")
    if dice.random() < 0.4:
        words.append(f"Gres={dice.choice(('gpu:a:2', 'gpu:a:1,gpu:b:2', 'gpu:a:2,lic:3', 'lic:4'))}")
    return " ".join(words)


def job_of(dice: random.Random) -> str:
    """Options of sbatch, for one node."""
    tasks, each = dice.choice((1, 1, 1, 1, 2, 3, 4)), dice.choice((1, 1, 1, 1, 2, 3, 4))
    words = [f"-n{tasks} -c{each}" if each > 1 or dice.random() < 0.3 else f"-n{tasks}"]
    kind = dice.random()
    if kind < 0.5:
        words.append(f"--mem={dice.choice((20, 50, 100, 100, 450, 500, 900, 1500, 3900, 8000))}")
    elif kind < 0.94:
        words.append(f"--mem-per-cpu={dice.choice((20, 50, 100, 250, 500))}")
    elif kind < 0.97:
        words.append("--mem=0")
    if dice.random() < 0.2:
        words.append(dice.choice(("--hint=nomultithread", "--ntasks-per-core=1", "--threads-per-core=1")))
    if dice.random() < 0.1 and (slurm_version() >= NUMCPUS_ONLY_SINCE or (words[0] == "-n1" and len(words) == 1)):
        words.append(f"--mincpus={dice.choice((2, 3, 5))}")  # older Slurms give a bit more or less, with other options
    if dice.random() < 0.3:
        words.append(f"--gres={dice.choice(('gpu:1', 'gpu:2', 'gpu:a:1', 'gpu:b:1', 'lic:1', 'gpu:1,lic:2', 'lic:3'))}")
    if dice.random() < 0.07:
        words.append(dice.choice(("--exclusive", "--oversubscribe")))
    if dice.random() < 0.1:
        words.append(f"--tmp={dice.choice((500, 2000))}")
    return " ".join(words)


@pytest.fixture(scope="module")
def private() -> Iterator[PrivateSlurm]:
    need_slurm()
    with PrivateSlurm(Shape(nodes=NODES + 1, slurmd_timeout=300, message_timeout=10)) as private:
        yield private


def until(true: Callable[[], object], what: Callable[[], str]) -> None:
    end = time.monotonic() + BOUND
    while not true():
        assert time.monotonic() < end, what()
        time.sleep(0.02)


def build(private: PrivateSlurm, counted: str, nodes: Sequence[str]) -> None:
    """Let it be a cluster of these nodes; all are idle then."""
    for number in range(1, NODES + 1):
        private.kill_node(f"compute{number}")
    private.stop_controller()
    conf = private.folder / "slurm.conf"
    lines = conf.read_text().split("\n")
    first = int(re.findall(r"Port=\[?(\d+)", "\n".join(line for line in lines if line.startswith("NodeName=")))[0])
    ours = ("NodeName=", "PartitionName=", "SelectTypeParameters=", "GresTypes=")
    lines = [line for line in lines if line and not line.startswith(ours)]
    lines += [f"SelectTypeParameters={counted}", "GresTypes=gpu,lic"]
    gres = []
    for number, words in enumerate([GIANT, *nodes, GIANT]):
        lines.append(f"NodeName=compute{number} NodeAddr=127.0.0.1 Port={first + number} {words} State=UNKNOWN")
        offer = re.search(r"Gres=(\S+)", words)
        files = iter(DEVICES)
        for item in offer[1].split(",") if offer is not None and words != GIANT else ():
            name, *kind, count = item.split(":")
            what = f"NodeName=compute{number} Name={name}" + "".join(f" Type={each}" for each in kind)
            gres += [f"{what} File={next(files)}" for _ in range(int(count))] if kind else [f"{what} Count={count}"]
    for names in [
        *((number,) for number in range(1, NODES + 1)),
        *((n, n + 1) for n in range(1, NODES)),
    ]:
        hosts = ",".join(f"compute{number}" for number in (*names, *GIANTS))
        for kind, mode in (("p", "NO"), ("whole", "EXCLUSIVE")):
            lines.append(f"PartitionName={partition(kind, names)} Nodes={hosts} MaxTime=INFINITE OverSubscribe={mode}")
    lines.append("PartitionName=all Default=YES Nodes=ALL")
    conf.write_text("\n".join([*lines, ""]))
    (private.folder / "gres.conf").write_text("\n".join([*gres, ""]))
    private.start_controller()
    for number in range(1, NODES + 1):
        private.start_node(f"compute{number}")
    idle(private)


def partition(kind: str, numbers: Sequence[int]) -> str:
    return kind + "-".join(map(str, numbers))


def idle(private: PrivateSlurm) -> None:
    listing = ("sinfo", "-h", "-p", "all", "-n", f"compute[1-{NODES}]", "-o", "%t")
    until(lambda: set(private.say(*listing).split()) == {"idle"}, lambda: private.say("sinfo", "-p", "all", "-N", "-l"))


def drawn(private: PrivateSlurm, dice: random.Random, many: int) -> list[list[Draw]]:
    """So many jobs at least, each list for as many nodes as there are, to begin together. They wait."""
    private.say("scontrol", "update", f"NodeName=compute[1-{NODES}]", "State=DRAIN", "Reason=to let jobs wait")
    rows: list[list[Draw]] = []
    while sum(map(len, rows)) < many:
        row: list[Draw] = []
        number = 1
        while number <= NODES:
            options, numbers = job_of(dice), [number]
            if dice.random() < 0.1 and number < NODES and "mincpus" not in options:
                numbers = [number, number + 1]
                tasks = re.search(r"-n(\d+)", options)
                assert tasks is not None
                options = options.replace(tasks[0], f"-n{2 * int(tasks[1])} --ntasks-per-node={tasks[1]}")
            kind = "whole" if dice.random() < 0.03 else "p"
            options += f" --nodes={len(numbers)} --partition={partition(kind, numbers)}"
            number += len(numbers)
            row.append(Draw(options, tuple(f"compute{number}" for number in numbers)))
        rows.append(row)
    for draw in (draw for row in rows for draw in row):
        said = private.say("sbatch", "--parsable", "--output=/dev/null", *draw.options.split(), text=SCRIPT)
        draw.number = said.strip()
    return rows


def read_all(private: PrivateSlurm, slurm: NamesInSlurm, draws: Sequence[Draw]) -> None:
    """Our readings of these jobs, once Slurm has thought of each."""
    numbers = {draw.number for draw in draws}
    jobs: dict[str, Job] = {}

    def read() -> bool:
        jobs.update((job.id, job) for job in slurm.queue().jobs)
        return numbers <= jobs.keys()

    until(read, lambda: private.say("squeue", "-o", "%i %t %r"))
    for draw in draws:
        draw.shape, draw.otherwise = jobs[draw.number].shape, jobs[draw.number].otherwise


def begun(private: PrivateSlurm, draws: Sequence[Draw]) -> set[str]:
    """The numbers of those that begin once they may; the others are cancelled."""
    numbers = [draw.number for draw in draws]
    private.say("scontrol", "release", ",".join(numbers))
    states: dict[str, list[str]] = {}

    def settled() -> bool:
        lines = private.say("squeue", "-h", "--jobs", ",".join(numbers), "--states=all", "-o", "%i|%t|%r").split("\n")
        states.update((line.split("|")[0], line.split("|")[1:]) for line in lines if line)
        assert all(state[0] in ("R", "CF", "PD") for state in states.values()), states
        return all(state[0] == "R" or WAITS.fullmatch(state[1]) for state in states.values())

    until(settled, lambda: str(states))
    others = [number for number in numbers if states[number][0] == "PD"]
    if others:
        private.say("scancel", *others)
    return set(numbers).difference(others)


def free_of(slurm: NamesInSlurm) -> dict[str, Capacity]:
    """What is free on the nodes that are up."""
    nodes = slurm.nodes()
    found = {f"compute{number}": nodes[f"compute{number}"].free for number in range(1, NODES + 1)}
    assert None not in found.values(), found
    return {name: free for name, free in found.items() if free is not None}


def a_round(private: PrivateSlurm, slurm: NamesInSlurm, dice: random.Random, many: int, tally: Tally) -> None:
    rows = drawn(private, dice, many)
    every = [draw for row in rows for draw in row]
    read_all(private, slurm, every)
    free = free_of(slurm)
    assert free == {name: node.has for name, node in slurm.nodes().items() if name in free}
    private.say("scontrol", "hold", ",".join(draw.number for draw in every))
    private.say("scontrol", "update", f"NodeName=compute[1-{NODES}]", "State=RESUME")
    idle(private)
    for draws in rows:
        real = begun(private, draws)
        now = free_of(slurm)
        for draw in draws:
            tally.add(draw, free, now, draw.number in real)
        free = now
    private.say("scancel", *[draw.number for draw in every])
    idle(private)


@pytest.mark.parametrize(
    "counted", [COUNTED[0], *(pytest.param(counted, marks=pytest.mark.long) for counted in COUNTED[1:])]
)
def test_slurm_begins_the_jobs_that_fit_by_our_rule(
    private: PrivateSlurm, counted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in private.environment().items():
        monkeypatch.setenv(name, value)
    dice = random.Random(f"{counted} {SEED}")
    tally, left = Tally(counted), DRAWS // len(COUNTED)
    while left > 0:
        build(private, counted, [node_of(dice) for _ in range(NODES)])
        for _ in range(4):
            if left > 0:
                slurm = NamesInSlurm(job_name_pattern="", numbered=True, share=True)
                a_round(private, slurm, dice, min(left, NODES * IN_A_ROUND), tally)
                left -= NODES * IN_A_ROUND
    print(f"{counted}: {tally.began} began, {tally.waited} waited, of {tally.otherwise} explain says what is otherwise")
    assert not tally.differences, "\n".join(tally.differences)
    assert min(tally.began, tally.waited) > DRAWS / len(COUNTED) / 10, tally
