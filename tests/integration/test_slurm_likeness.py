"""The double of Slurm, held against a real one: the same commands get the same answers, and nodes come to the same
states. compute1 to compute4 have a slurmd, compute5, compute6 and the dummy have none."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
from slurm_stage import need_slurm

from arvnodeman.sandbox.clock import VirtualClock
from arvnodeman.sandbox.real_slurm import PrivateSlurm
from arvnodeman.sandbox.real_slurm_conf import Shape
from arvnodeman.sandbox.slurm import SlurmDouble
from arvnodeman.sandbox.slurm_commands import run_command
from arvnodeman.sandbox.slurm_jobs import Need
from arvnodeman.sandbox.slurm_nodes import Computer
from arvnodeman.slurm.fields import BEHIND, SQUEUE_FORMAT, SQUEUE_LONG_FORMAT
from arvnodeman.slurm.sinfo import SINFO_FORMAT

BOUND = 60.0  # real seconds in which the real one must come to the state of the double
FEATURES = tuple(f"instancetype={size}" for size in "abc")
UP = [f"compute{number}" for number in range(1, 5)]
Answer = tuple[str, str, int]


class Twins:
    """A double and a real Slurm, to which the same is done."""

    def __init__(self, real: PrivateSlurm) -> None:
        self.real = real
        self.clock = VirtualClock()
        names = [f"compute{number}" for number in range(7)]
        partitions = {"shared": "ALL"} | dict(real.shape.partitions)
        self.double = SlurmDouble(self.clock, names, partitions=partitions, sharing=["shared"])
        for feature in FEATURES:
            self.double.offer(feature)
        for name in UP:
            self.start(name)
        self.settle(*UP)

    def start(self, name: str) -> None:
        shape = self.real.shape
        gres = shape.gres if int(name.removeprefix("compute")) <= shape.gres_nodes else ""
        wall = self.clock.wall()
        computer = Computer(
            f"c-{name}", shape.cores, shape.memory, shape.tmp, "127.0.0.1", wall, gres, shape.threads
        )  # fmt: skip
        self.double.slurmd_started(name, computer)
        self.real.start_node(name)

    def kill(self, name: str) -> None:
        self.double.slurmd_stopped(name, f"c-{name}")
        self.real.kill_node(name)

    def submit(
        self,
        name: str,
        feature: str = "",
        nodes: int = 1,
        gres: str = "",
        gpus: int = 0,
        partition: str = "compute",
        cores: int = 1,
        memory: int = 0,
        per_core: bool = False,
        least: int = 0,
        exclusive: bool = False,
    ) -> None:
        features = frozenset([feature] if feature else [])
        need = Need(cores, memory, 0, features, nodes, gres, gpus, partition, per_core, least, exclusive)
        self.double.submit(name, need, feature)
        argv = ["sbatch", "--output=/dev/null", f"--job-name={name}", "--no-requeue", f"--nodes={nodes}"]
        argv += [f"--{'mem-per-cpu' if per_core else 'mem'}={memory}", f"--cpus-per-task={cores}"]
        argv += [f"--constraint={feature}"] if feature else []
        argv += [f"--partition={partition}"]
        argv += [f"--gres={gres}"] if gres else []
        argv += [f"--gpus={gpus}"] if gpus else []
        argv += [f"--mincpus={least}"] if least else []
        argv += ["--exclusive"] if exclusive else []
        self.real.say(*argv, text="#!/bin/sh\nexec sleep 600\n")

    def ask(self, *argv: str) -> tuple[Answer, Answer]:
        one, other = run_command(self.double, argv), self.real.run(*argv)
        return (one.stdout, one.stderr, one.returncode), (other.stdout, other.stderr, other.returncode)

    def same(self, *argv: str) -> Answer:
        """What both answer."""
        double, real = self.ask(*argv)
        assert double == real, argv
        return real

    def update(self, *changes: str) -> int:
        """scontrol update; the return code."""
        return self.same("scontrol", "update", *changes)[2]

    def settle(self, *names: str, form: str = SINFO_FORMAT) -> list[str]:
        """Let the double's time pass, and wait until the real one shows the same of these nodes; what it is."""
        self.clock.advance(120)
        return self.meet("sinfo", "--noheader", "--partition=compute", f"--nodes={','.join(names)}", "-o", form)

    def queue(self, form: str = "%c|%m|%d|%r|%j|%f|%D") -> list[str]:
        """The same for the waiting jobs, by name."""
        self.clock.advance(5)
        return self.meet("squeue", "--noheader", "--state=PENDING", f"--format={form}")

    def meet(self, *argv: str) -> list[str]:
        """Wait until both say the same; what it is, in order."""
        end = time.monotonic() + BOUND
        while True:
            double, real = (sorted(answer[0].splitlines()) for answer in self.ask(*argv))
            if double == real:
                return real
            assert time.monotonic() < end, f"the double shows {double}, the real one {real}"
            time.sleep(0.2)


@pytest.fixture(scope="module")
def twins() -> Iterator[Twins]:
    need_slurm()
    shape = Shape(
        nodes=6,
        features=FEATURES,
        slurmd_timeout=3,
        message_timeout=3,
        gres="gpu:tesla:2,license:4",
        gres_nodes=1,
        partitions=(("gpu", "compute[0-1]"), ("debug", "compute[2,5]")),
    )
    with PrivateSlurm(shape) as real:
        yield Twins(real)


@pytest.mark.parametrize(
    "command",
    [
        "scontrol update NodeName=nosuch State=RESUME",
        "scontrol update NodeName=compute1 State=DRAIN",
        "scontrol update NodeName=compute1 State=DOWN",
        "scontrol update NodeName=compute1 State=FAIL",
        "scontrol update NodeName=compute1 State=RESUME",
        "scontrol update NodeName=compute1 State=WRONG Reason=x",
        "scontrol update NodeName=compute1 Weight=abc",
        "scontrol update NodeName=compute1 Nonsense=1",
        "scontrol update NodeName=compute1",
        "scontrol update NodeName=ALL Weight=5",
        "scontrol update NodeName= State=RESUME",
        "scontrol update NodeName=compute[1 Weight=5",
        "scontrol update Weight=1",
        "scontrol frobnicate",
        "scontrol show node nosuch",
        "scontrol show thing",
        "sinfo -h -n nosuch -o %n",
        "sinfo -n compute1 -p compute -o %n|%t|%T|%w|%f|%b|%E|%H|%u|%P|%R|%a|%l|%D",
        "sinfo --nonsense",
        "squeue",
        "squeue -o %i|%P|%j|%u|%t|%D|%R",
        "squeue -h -w nosuch",
        "squeue -h -j 77",
        "squeue -h -t NONSENSE",
        "squeue -h --name=none",
        "squeue --version",
        "squeue -O name:0,nonsense:0",
        "squeue --array-unique -h",
        "scontrol show reservations",
        "scontrol show licenses",
        "sinfo -h -N -p compute -o %N|%w",
        "squeue --nonsense",
        "scancel",
        "scancel abc",
        "scancel 999",
        "scancel --name=none",
        "scancel --nonsense",
    ],
)
def test_the_same_command_gets_the_same_answer(twins: Twins, command: str) -> None:
    twins.same(*command.split(" "))


def test_features_and_weights_of_one_node_and_of_a_list(twins: Twins) -> None:
    """Rows F11, F17: Features= cannot replace one, and loses the weight with it."""
    forms = {"form": "%n|%w|%f|%b"}
    assert twins.update("NodeName=compute1", "Features=instancetype=a") == 0
    assert twins.update("NodeName=compute1", "Features=instancetype=b", "Weight=33") == 1
    assert twins.settle("compute1", **forms) == ["compute1|1|instancetype=a|instancetype=a"]
    changes = ("AvailableFeatures=gpu,instancetype=b", "ActiveFeatures=gpu,instancetype=b", "Weight=33")
    assert twins.update("NodeName=compute1", *changes) == 0
    assert twins.update("NodeName=compute1", "ActiveFeatures=gpu") == 0
    assert twins.settle("compute1", **forms) == ["compute1|33|gpu,instancetype=b|gpu"]
    assert twins.update("NodeName=compute1,nosuch,compute2", *changes[:2], "Weight=7") == 1
    assert [line.split("|")[1] for line in twins.settle("compute1", "compute2", **forms)] == ["33", "1"]
    assert twins.update("NodeName=compute[1-2]", "AvailableFeatures=", "ActiveFeatures=", "Weight=1") == 0
    twins.settle("compute1", "compute2", form="%n|%w|%f")


def test_the_states_of_a_node_without_work(twins: Twins) -> None:
    """Rows F5, F12, E17."""
    node = "NodeName=compute1"
    assert twins.update(node, "Reason=just so") == 0
    assert twins.settle("compute1", form="%E") == ["none"]
    for change, state in (
        (("State=DRAIN", "Reason=one"), "drain|one"),
        (("State=DRAIN", "Reason=two"), "drain|two"),
        (("Reason=three",), "drain|three"),
        (("Reason=",), "drain|three"),
        (("State=RESUME",), "idle|none"),
        (("State=DOWN", "Reason=down"), "idle|none"),  # its slurmd lives
        (("State=UNDRAIN",), "idle|none"),
        (("State=FAIL", "Reason=f"), "fail|f"),
        (("State=RESUME",), "idle|none"),
        (("State=DRAIN", "Reason=d1"), "drain|d1"),
        (("State=DOWN", "Reason=d2"), "drain|d2"),
        (("State=UNDRAIN",), "idle|none"),
    ):
        assert twins.update(node, *change) == 0, change
        assert twins.settle("compute1", form="%t|%E") == [state], change
    twins.update("NodeName=compute2", "State=DRAIN", "Reason=x")
    assert twins.update("NodeName=compute[1-2]", "State=RESUME") == 1  # of compute1, which is well
    assert twins.settle("compute2", form="%t|%E") == ["idle|none"]


def test_the_states_of_a_node_with_work_and_the_reasons_of_those_that_wait(twins: Twins) -> None:
    """Rows F1, F3, F10, F13."""
    for name, feature in (("compute1", "a"), ("compute2", "b")):
        changes = (f"AvailableFeatures=instancetype={feature}", f"ActiveFeatures=instancetype={feature}")
        twins.update(f"NodeName={name}", *changes)
    twins.submit("runs", "instancetype=a")
    assert twins.settle("compute1", form="%t") == ["alloc"]
    twins.submit("next", "instancetype=a")
    twins.submit("last", "instancetype=a")
    twins.submit("dummy", "instancetype=c")
    reasons = dict(line.split("|")[::-1] for line in twins.queue("%r|%j"))
    assert (reasons["next"], reasons["last"]) == ("Resources", "Priority")
    assert reasons["dummy"] == "ReqNodeNotAvail, UnavailableNodes:compute[0,5-6]"
    twins.update("NodeName=compute1", "State=DRAIN", "Reason=one")
    assert twins.settle("compute1", form="%t|%E") == ["drng|one"]
    assert len([line for line in twins.queue() if "UnavailableNodes:compute[0-1,5-6]" in line]) == 3
    twins.update("NodeName=compute1", "State=RESUME")
    assert twins.settle("compute1", form="%t|%E") == ["alloc|none"]
    twins.update("NodeName=compute1", "State=FAIL", "Reason=two")
    assert twins.settle("compute1", form="%t|%E") == ["failg|two"]
    for job in ("next", "last", "dummy"):
        twins.same("scancel", f"--name={job}")
    twins.same("scancel", "--name=runs")
    assert twins.settle("compute1", form="%t|%E") == ["fail|two"]
    twins.update("NodeName=compute1", "State=RESUME")
    twins.submit("wide", nodes=5)
    (line,) = twins.queue()
    assert "Nodes required for job are DOWN, DRAINED or reserved" in line
    twins.same("scancel", "--name=wide")
    assert twins.update("NodeName=compute[1-2]", "AvailableFeatures=", "ActiveFeatures=") == 0
    twins.settle(*UP)


def test_a_node_that_ends_and_the_next_one_under_its_name(twins: Twins) -> None:
    """Row F12: DRAIN, destroy, DOWN, as a shutdown of ours does it."""
    twins.update("NodeName=compute3", "State=DRAIN", "Reason=ours")
    twins.kill("compute3")
    assert twins.update("NodeName=compute3", "State=DOWN", "Reason=ours") == 0
    assert twins.same("sinfo", "-h", "-p", "compute", "-n", "compute3", "-o", "%t|%E")[0] == "drain|ours\n"
    twins.start("compute3")
    assert twins.settle("compute3", form="%t|%E") == ["drain|ours"]
    assert twins.update("NodeName=compute3", "State=RESUME") == 0
    assert twins.settle("compute3", form="%t|%E") == ["idle|none"]
    twins.kill("compute3")
    assert twins.update("NodeName=compute3", "State=DOWN", "Reason=gone") == 0
    assert twins.same("sinfo", "-h", "-p", "compute", "-n", "compute3", "-o", "%t|%E")[0] == "down|gone\n"
    twins.start("compute3")
    assert twins.settle("compute3", form="%t|%E") == ["idle|none"]


def test_a_name_that_never_had_a_slurmd(twins: Twins) -> None:
    twins.settle("compute5", form="%t|%E")
    assert twins.update("NodeName=compute5", "State=DRAIN", "Reason=x") == 0
    assert twins.update("NodeName=compute5", "State=RESUME") == 1
    assert twins.settle("compute5", form="%E") == ["none"]  # resumed all the same


LONG = "Partition:0|,Name:0|,tres-per-node:0|,tres-per-job:0|,NumNodes:0|,MinCpus:0|,NumCPUs:0|,NumTasks:0|,Feature:0"


def test_gres_and_partitions_of_jobs(twins: Twins) -> None:
    """What squeue shows of them, to both ways of asking; and a job runs where its GRES and its partition are."""
    twins.same("scontrol", "update", "NodeName=compute[2-4]", "State=DRAIN", "Reason=so that they wait")
    jobs: dict[str, dict[str, Any]] = {
        "both": {"gres": "gpu:tesla:2,license:1", "partition": "gpu"},
        "all": {"gpus": 2},
        "any": {"gres": "gpu"},
        "two": {"gpus": 1, "partition": "gpu,debug"},
        "none": {"partition": "debug"},
    }
    twins.submit("holds", gres="license:4", partition="gpu")
    assert twins.settle("compute1", form="%n|%t")[0].split("|")[1] in ("alloc", "mix")
    for name, asked in jobs.items():
        twins.submit(name, **asked)
    lines = twins.queue("%P|%j|%b|%D|%C|%f")
    assert "gpu|both|gres:gpu:tesla:2,gres:license:1|1|1|(null)" in lines
    assert "compute|all|N/A|1|1|(null)" in lines
    double, real = twins.ask("squeue", "--all", "--noheader", "--state=PENDING", f"--Format={LONG}")
    assert sorted(double[0].splitlines()) == sorted(real[0].splitlines())
    assert "compute|all|N/A|gres:gpu:2|1|1|1|1|(null)" in real[0].splitlines()
    assert twins.settle(*UP, form="%n|%G")[:2] == ["compute1|gpu:tesla:2,license:4", "compute2|(null)"]
    twins.same("scancel", "--name=holds")
    assert twins.settle("compute1", form="%n|%t")[0].split("|")[1] in ("alloc", "mix")
    for name in jobs:
        twins.same("scancel", f"--name={name}")
    twins.settle("compute1")


def test_all_that_is_read_of_a_job_that_waits(twins: Twins) -> None:
    """Both ways of asking, with each field where it is expected."""
    twins.ask("scontrol", "update", "NodeName=compute[1-4]", "State=DRAIN", "Reason=so that jobs wait")
    twins.submit("waits", memory=100)
    long = ["squeue", "--all", "--noheader", "--state=PENDING", "--array-unique"]
    for form in (f"--format={SQUEUE_FORMAT}", f"--Format={SQUEUE_LONG_FORMAT}"):
        double, real = twins.ask(*long, form)
        first, behind = ([re.split(mark, answer[0]) for answer in (double, real)] for mark in (rf"\||{BEHIND}", BEHIND))
        assert [fields[:3] + fields[4:6] for fields in first] == [["1", "100M", "0", "waits", ""]] * 2
        assert [(fields[6], fields[8]) for fields in first] == [("(null)", "1")] * 2
        assert behind[0][2:] == behind[1][2:]
        assert all(fields[1].isdigit() for fields in behind)
        said = "squeue: error: Invalid job format specification: ExcNodes\n" if "Format" in form else ""
        assert (double[1], double[2]) == (real[1], real[2]) == (said, 0)
    twins.same("scancel", "--name=waits")
    twins.ask("scontrol", "update", "NodeName=compute[1-4]", "State=RESUME")
    twins.settle(*UP, form="%t")


def test_the_memory_of_jobs(twins: Twins) -> None:
    """MinMemory is that of a node, or of a CPU; tres-alloc has that of all nodes."""
    twins.ask("scontrol", "update", "NodeName=compute[1-4]", "State=DRAIN", "Reason=so that they wait")
    twins.submit("each", memory=3000, cores=2, nodes=2)
    twins.submit("percpu", memory=1000, cores=4, nodes=2, per_core=True)
    twins.submit("even", memory=1024, cores=2, per_core=True)
    twins.queue("%j|%c|%m|%D|%C")
    form = "--Format=Name:0|,MinMemory:0|,tres-alloc:0|,cpus-per-tres:0|,mem-per-tres:0"
    double, real = twins.ask("squeue", "--all", "--noheader", "--state=PENDING", form)
    assert sorted(double[0].splitlines()) == sorted(real[0].splitlines())
    assert "percpu|1000M|cpu=8,mem=8000M,node=2,billing=8|N/A|N/A" in real[0].splitlines()
    for name in ("each", "percpu", "even"):
        twins.same("scancel", f"--name={name}")
    twins.ask("scontrol", "update", "NodeName=compute[1-4]", "State=RESUME")
    twins.settle(*UP, form="%t")


def test_a_node_whose_machine_has_another_name(twins: Twins) -> None:
    """%n is the NodeHostName, %N the NodeName; an unknown field of squeue is empty, and what follows it is there."""
    twins.ask("scontrol", "update", "NodeName=compute[1-4]", "State=RESUME")
    assert twins.settle(*UP, form="%t") == ["idle"]
    assert twins.update("NodeName=compute2", "NodeHostName=ip-10-0-0-2.example.com") == 0
    shown = twins.settle("compute1", "compute2", form="%n|%N")
    assert shown == ["compute1|compute1", "ip-10-0-0-2.example.com|compute2"]
    assert twins.settle("compute1", "compute2", form="%N|%t") == ["compute[1-2]|idle"]
    assert twins.update("NodeName=compute2", "NodeHostName=compute2") == 0
    twins.same("scontrol", "update", "NodeName=compute[1-4]", "State=DRAIN", "Reason=so that it waits")
    twins.submit("waits")
    twins.queue()
    assert "waits||compute\n" in twins.same("squeue", "-h", "--Format=name:0|,nonsense:0|,partition:0")[0]
    twins.same("scancel", "--name=waits")
    twins.same("scontrol", "update", "NodeName=compute[1-4]", "State=RESUME")
    assert twins.settle(*UP, form="%N|%t|%w|%f") == ["compute[1-4]|idle|1|(null)"]
    double, real = twins.ask("sinfo", "-h", "-o", "%N|%f")  # of all partitions
    assert sorted(double[0].splitlines()) == sorted(real[0].splitlines())


def test_a_reconfigure_forgets_features_and_weights(twins: Twins) -> None:
    """Row F18."""
    changes = ("AvailableFeatures=instancetype=a", "ActiveFeatures=instancetype=a", "Weight=9")
    assert twins.update("NodeName=compute4", *changes) == 0
    assert twins.settle("compute4", form="%w|%f") == ["9|instancetype=a"]
    twins.same("scontrol", "reconfigure")
    assert twins.settle("compute4", "compute0", form="%n|%w|%f") == ["compute0|1|(null)", "compute4|1|(null)"]
    assert twins.settle("compute4", "compute0", form="%w|%f") == ["1|(null)"]  # sinfo merges lines that are alike
    for feature in FEATURES:
        twins.double.offer(feature)
    twins.real.say("scontrol", "update", "NodeName=compute0", f"Features={','.join(FEATURES)}")


# ---- jobs that share nodes -------------------------------------------------------------------------------------------

SHOWN = ["CPUAlloc", "CPUEfctv", "CPUTot", "RealMemory", "AllocMem", "ThreadsPerCore", "Sockets", "CoresPerSocket"]
SHOWN += ["State", "Gres", "GresUsed", "CfgTRES", "AllocTRES"]
DEVICES = re.compile(r"\(IDX:[^)]*\)")


class SharedQueue:
    """What jobs of the partition `shared` take of nodes, at both."""

    def __init__(self, twins: Twins) -> None:
        self.twins = twins
        self.names: list[str] = []

    def submit(self, name: str, **asked: Any) -> None:
        """A job, and let it begin before the next one comes."""
        self.names.append(name)
        self.twins.submit(name, partition="shared", **asked)
        self.places()

    def places(self) -> dict[str, str]:
        """Where each job is, or why it waits."""
        self.twins.clock.advance(5)
        form = "Name:0|,State:0|,NodeList:0|,Reason:0|,MinCpus:0|,MinMemory:0|,OverSubscribe:0"
        argv = ("squeue", "--all", "--noheader", f"--Format={form}")
        lines = (line.split("|") for line in self.twins.meet(*argv))
        return {name: where or why for name, _, where, why, *_ in lines}

    def node(self, name: str) -> dict[str, str]:
        """What `scontrol --details show node` has of it, the same of both."""
        answers = self.twins.ask("scontrol", "--details", "show", "node", name)
        double, real = (_shown_of(answer[0]) for answer in answers)
        assert double == real
        return real

    def __enter__(self) -> SharedQueue:
        return self

    def __exit__(self, *_: object) -> None:
        for name in self.names:
            self.twins.ask("scancel", f"--name={name}")
        self.twins.settle(*UP, form="%N|%t")


def _shown_of(text: str) -> dict[str, str]:
    fields = dict(re.findall(r"(?:^|\s)([A-Za-z]+)=(\S*)", text))
    return {name: DEVICES.sub("", fields.get(name, "")) for name in SHOWN}


def test_two_jobs_on_a_node(twins: Twins) -> None:
    """CPUs, memory and GRES are those of both; the third has the next node; one that fits beside does not wait."""
    with SharedQueue(twins) as at:
        at.submit("first", cores=2, memory=100, gres="gpu:1,license:1")
        at.submit("second", cores=3, memory=24_000)
        at.submit("third", cores=1, memory=10_000)
        at.submit("fourth", cores=1, memory=7000, gres="gpu:tesla:1")
        assert at.places() == {"first": "compute1", "second": "compute1", "third": "compute2", "fourth": "compute1"}
        node = at.node("compute1")
        assert (node["CPUAlloc"], node["AllocMem"], node["State"]) == ("6", "31100", "MIXED")
        assert node["GresUsed"] == "gpu:tesla:2,license:1"
        assert at.node("compute2")["AllocTRES"] == "cpu=1,mem=10000M"
        at.node("compute3")
        at.submit("nogpu", cores=1, memory=10, gres="gpu:1")
        assert at.places()["nogpu"] == "Resources"
        at.submit("rest", cores=16, memory=100)
        assert at.places()["rest"] == "compute3"
        assert at.node("compute3")["State"] == "ALLOCATED"
        twins.ask("scancel", "--name=first")
        assert at.places()["nogpu"] == "compute1"
        assert at.node("compute1")["CPUAlloc"] == "5"
    assert at.node("compute1")["AllocTRES"] == ""


def test_a_job_without_memory_takes_all_of_it(twins: Twins) -> None:
    with SharedQueue(twins) as at:
        at.submit("all", cores=1)
        assert at.node("compute1")["AllocMem"] == "32000"
        at.submit("beside", cores=1, memory=1)
        assert at.places() == {"all": "compute1", "beside": "compute2"}
        at.submit("another", cores=1)
        assert at.places()["another"] == "compute3"


def test_a_job_that_has_its_node_to_itself_where_others_share(twins: Twins) -> None:
    with SharedQueue(twins) as at:
        at.submit("shares", cores=1, memory=100)
        at.submit("alone", cores=1, memory=100, exclusive=True)
        at.submit("late", cores=15, memory=100)
        assert at.places() == {"shares": "compute1", "alone": "compute2", "late": "compute1"}
        node = at.node("compute2")
        assert (node["CPUAlloc"], node["AllocMem"], node["State"]) == ("16", "100", "ALLOCATED")


def test_of_nodes_alike_the_shortest_row_of_neighbours_is_used(twins: Twins) -> None:
    """So an idle node may be taken before room on busy ones."""
    with SharedQueue(twins) as at:
        at.submit("first", cores=4, memory=31_000)
        at.submit("second", cores=2, memory=2000)
        at.submit("third", cores=16, memory=100)
        at.submit("fourth", cores=1, memory=100)
        assert at.places() == {"first": "compute1", "second": "compute2", "third": "compute3", "fourth": "compute4"}
        at.submit("fifth", cores=1, memory=100)
        assert at.places()["fifth"] == "compute4"


def test_cpus_that_a_node_gives_at_least(twins: Twins) -> None:
    with SharedQueue(twins) as at:
        at.submit("most", cores=14, memory=100)
        at.submit("three", cores=1, memory=100, least=3)
        assert at.places() == {"most": "compute1", "three": "compute2"}
        assert at.node("compute2")["CPUAlloc"] == "3"


def test_partitions_tell_whether_their_jobs_share(twins: Twins) -> None:
    double, real = twins.ask("scontrol", "--oneliner", "show", "partitions")
    said = r"PartitionName=(\S+) .*OverSubscribe=(\S+)"
    assert re.findall(said, double[0]) == re.findall(said, real[0])
    assert dict(re.findall(said, real[0])) == {
        "compute": "EXCLUSIVE",
        "shared": "NO",
        "gpu": "EXCLUSIVE",
        "debug": "EXCLUSIVE",
    }
    for name in ("SelectType", "SelectTypeParameters"):
        both = [re.findall(rf"{name} += (\S+)", answer[0]) for answer in twins.ask("scontrol", "show", "config")]
        assert both[0] == both[1] != []


@pytest.fixture(scope="module")
def threaded() -> Iterator[Twins]:
    need_slurm()
    with PrivateSlurm(Shape(nodes=6, cores=4, threads=2, slurmd_timeout=3, message_timeout=3)) as real:
        yield Twins(real)


def test_a_job_gets_whole_cores(threaded: Twins) -> None:
    """Two threads a core: two jobs of one CPU fill a node of four CPUs."""
    with SharedQueue(threaded) as at:
        at.submit("first", cores=1, memory=100)
        at.submit("second", cores=1, memory=100)
        at.submit("third", cores=3, memory=100)
        at.submit("fourth", cores=2, memory=100)
        where = {"first": "compute1", "second": "compute1", "third": "compute2", "fourth": "compute3"}
        assert at.places() == where
        assert [at.node(name)["CPUAlloc"] for name in UP] == ["4", "4", "2", "0"]
        assert at.node("compute1")["ThreadsPerCore"] == "2"
