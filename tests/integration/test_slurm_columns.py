"""What squeue, sinfo and scontrol of a real Slurm print, and what is read from it: names, line breaks, and what jobs of
every kind ask for. Nothing runs here: the nodes are drained before the first job is submitted."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial

import pytest
from slurm_stage import need_slurm, slurm_version

from arvnodeman.fleet.values.model import Job, JobOwner, JobShape
from arvnodeman.sandbox.real_slurm import PrivateSlurm
from arvnodeman.sandbox.real_slurm_conf import Shape
from arvnodeman.slurm.commands import Slurm
from arvnodeman.slurm.keeping import NamesInSlurm
from arvnodeman.slurm.run_times import FEW, RunTimes

BOUND = 60.0  # seconds
UP = ("compute1", "compute2", "compute3")


@pytest.fixture(scope="module")
def private() -> Iterator[PrivateSlurm]:
    need_slurm()
    with PrivateSlurm(Shape(nodes=6, message_timeout=10, gres="gpu:tesla:2", gres_nodes=3)) as private:
        for name in UP:
            private.start_node(name)
        until(lambda: all(private.state(name) == "idle" for name in UP), "three idle nodes")
        yield private


@pytest.fixture
def slurm(private: PrivateSlurm, monkeypatch: pytest.MonkeyPatch) -> NamesInSlurm:
    """Our own way to ask it, where jobs go by their numbers."""
    for name, value in private.environment().items():
        monkeypatch.setenv(name, value)
    return NamesInSlurm(job_name_pattern="", numbered=True)


def until(true: object, what: str) -> None:
    assert callable(true)
    end = time.monotonic() + BOUND
    while not true():
        assert time.monotonic() < end, what
        time.sleep(0.1)


def asked(private: PrivateSlurm, slurm: Slurm, *options: str) -> list[Job]:
    """What is read of a job that is submitted with these options and has to wait."""
    private.say("scontrol", "update", f"NodeName={','.join(UP)}", "State=DRAIN", "Reason=so that jobs wait")
    said = private.say("sbatch", "--output=/dev/null", *options, text="#!/bin/sh\nexec sleep 600\n")
    number = said.split()[-1]
    found: list[Job] = []

    def read() -> bool:
        found[:] = [job for job in slurm.queue().jobs if job.id.replace("+", "_").split("_")[0] == number]
        return bool(found)

    until(read, f"the job {options} to wait for nodes")
    private.say("scancel", number)
    return found


def test_a_node_goes_by_its_name_and_not_by_that_of_its_machine(private: PrivateSlurm, slurm: Slurm) -> None:
    private.say("scontrol", "update", "NodeName=compute2", "NodeHostName=ip-10-0-0-2.example.com")
    assert private.say("sinfo", "-h", "-n", "compute2", "-p", "compute", "-o", "%n").strip() != "compute2"
    assert set(slurm.nodes()) == {f"compute{number}" for number in range(7)}
    node = slurm.node("compute2")
    assert node is not None
    assert node == slurm.nodes()["compute2"]
    slurm.describe("compute2", "small", 50)
    assert slurm.nodes()["compute2"].features == {"instancetype=small"}
    private.say("scontrol", "update", "NodeName=compute2", "NodeHostName=compute2")


def _named(name: str, _: JobShape) -> tuple[str, ...]:
    return (name,) if name else ()


def test_how_long_jobs_ran_is_shown_when_they_have_ended(private: PrivateSlurm, slurm: NamesInSlurm) -> None:
    private.run("scontrol", "update", f"NodeName={','.join(UP)}", "State=RESUME")
    for _ in range(FEW):
        name = "--job-name=a|b\n9|root|shared|9:00:00|x"
        said = ("--output=/dev/null", "--partition=shared", "--mem=1", name)
        private.say("sbatch", *said, text="#!/bin/sh\nexec sleep 1\n")
    ended = ("squeue", "--noheader", "--states=COMPLETED", "--partition=shared", "--format=%i")
    until(lambda: len(private.say(*ended).split()) == FEW, "the jobs to end")
    here = JobShape(partitions=("shared",), owner=JobOwner(private.say("id", "-un").strip()))
    nobodys = JobShape(partitions=("shared",), owner=JobOwner("nobody"))
    for name in ("", "a|b", "other"):
        told = RunTimes(private.say).fetch([here, nobodys], partial(_named, name))
        assert 1 <= told[here] < 600
        assert told[nobodys] == told[here]
    reader = RunTimes(private.say)
    reader.fetch([])
    assert reader._by_name.longest([(here.owner.user, "shared", "a|b")]) is not None


def test_line_breaks_in_reasons_comments_and_names_of_jobs(
    private: PrivateSlurm, slurm: NamesInSlurm, caplog: pytest.LogCaptureFixture
) -> None:
    reason = "health check\nslurm_load_node error: Unable to contact slurm controller\n   State=IDLE"
    private.say("scontrol", "update", "NodeName=compute3", "State=DRAIN", f"Reason={reason}")
    private.say("scontrol", "update", "NodeName=compute3", "Comment=a\n   State=IDLE NodeAddr=nowhere\n\nmunge")
    nodes, shown = slurm.nodes(), slurm.shown()
    assert set(nodes) == set(shown) == {f"compute{number}" for number in range(7)}
    assert nodes["compute3"].state.said == "drain"
    assert nodes["compute3"].reason.startswith("health check slurm_load_node error: ")
    assert (shown["compute3"].reason, shown["compute3"].address) == ("health check", "127.0.0.1")
    assert "DRAIN" in shown["compute3"].flags
    private.say("scontrol", "update", "NodeName=compute3", "Comment=")
    caplog.clear()
    (job,) = asked(private, slurm, "--job-name=one\nmunge\n\nUnable to contact slurm controller", "--mem=500")
    assert job.shape.ram == 500
    not_shown = {"this squeue does not show ExcNodes of jobs"} if slurm_version() < (24, 11) else set()
    assert {record.getMessage().partition(":")[0] for record in caplog.records} <= not_shown


def test_each_part_of_a_heterogeneous_job_and_each_task_of_an_array(private: PrivateSlurm, slurm: Slurm) -> None:
    """All are there by themselves, each with what it asks for; of an array as many as may run at once (%2)."""
    parts = asked(private, slurm, "--nodes=1", "--mem=100", ":", "--nodes=2", "--mem=300")
    assert [(job.id[-2:], job.shape.nodes, job.shape.ram) for job in parts] == [("+0", 1, 100), ("+1", 2, 300)]
    tasks = asked(private, slurm, "--array=0-3,7", "--mem=100")
    assert [job.id.split("_")[1] for job in tasks] == ["0", "1", "2", "3", "7"]
    numbers = [number * number for number in range(30)]
    tasks = asked(private, slurm, f"--array={','.join(map(str, numbers))}%25")
    assert [int(job.id.split("_")[1]) for job in tasks] == numbers[:25]


@pytest.mark.parametrize(
    ("options", "cores", "ram", "nodes"),
    [
        ("--mem=3000", 1, 3000, 1),
        ("--mem=3000 --nodes=2", 1, 3000, 2),
        ("--mem=3000 --ntasks=4", 4, 3000, 1),
        ("--mem-per-cpu=1000", 1, 1000, 1),
        ("--mem-per-cpu=1000 --cpus-per-task=4", 4, 4000, 1),
        ("--mem-per-cpu=1000 --ntasks=4", 4, 4000, 1),
        ("--mem-per-cpu=1000 --ntasks=4 --nodes=2", 2, 2000, 2),
        ("--mem-per-cpu=1000 --ntasks=5 --nodes=2", 3, 3000, 2),
        ("--mem-per-cpu=1000 --ntasks=4 --ntasks-per-node=2", 2, 2000, 2),
        ("--mem-per-cpu=500 --ntasks=6 --nodes=2-3", 2, 1000, 3),
        ("--mem=0", 1, 0, 1),
        ("--mem=0 --nodes=2", 1, 0, 2),
        ("--nodes=1-3", 1, 0, 1),
        ("--nodes=2-3", 1, 0, 2),
        ("--nodes=2-3 --mem=700", 1, 700, 2),
        ("--gpus=2 --mem-per-gpu=1500 --cpus-per-gpu=4", 8, 3000, 1),
        ("--gpus=2 --nodes=2-3 --mem=700", 1, 700, 2),
        ("--gpus-per-node=1 --nodes=2 --mem-per-gpu=1G", 1, 1024, 2),
        ("--exclusive --mem-per-cpu=1000", 1, 1000, 1),
        ("--contiguous --nodes=2 --mem=10", 1, 10, 2),
    ],
)
def test_what_each_node_of_a_job_must_have(
    private: PrivateSlurm, slurm: Slurm, options: str, cores: int, ram: float, nodes: int
) -> None:
    """Row F14: in cores and MB, however it was asked for."""
    (job,) = asked(private, slurm, *options.split())
    assert (job.shape.cores, job.shape.ram, job.shape.nodes) == (cores, ram, nodes)


@pytest.mark.parametrize(
    ("options", "nodes", "gpus"),
    [
        ("--gpus=2", 1, 2),
        ("--gpus=3", 2, 2),
        ("--gpus=4", 2, 2),
        ("--gpus=5", 3, 2),
        ("--gpus=4 --ntasks=4", 2, 2),
        ("--gpus=4 --nodes=2-3", 2, 2),
        ("--gpus-per-task=1 --ntasks=3", 2, 2),
    ],
)
def test_gpus_that_are_asked_for_together(
    private: PrivateSlurm, slurm: Slurm, options: str, nodes: int, gpus: int
) -> None:
    """A node has two: Slurm spreads them over as many nodes as that takes."""
    (job,) = asked(private, slurm, *options.split())
    assert (job.shape.nodes, job.shape.gres) == (nodes, (("gpu", gpus),))


def test_a_job_waits_for_nodes_of_the_partition_that_can_have_it(private: PrivateSlurm, slurm: Slurm) -> None:
    """It may run in two, and needs more nodes than one of them allows: of that alone its reason tells. Row F13."""
    private.say("scontrol", "update", "PartitionName=shared", "MaxNodes=1")
    private.say("scontrol", "update", f"NodeName={','.join(UP)}", "State=DRAIN", "Reason=so that jobs wait")
    script = "#!/bin/sh\nexec sleep 600\n"
    both, one = (
        private.say("sbatch", "--parsable", "-o/dev/null", "-N2", f"-p{where}", text=script).strip()
        for where in ("compute,shared", "shared")
    )
    try:
        for number in (both, one):
            reason = partial(private.say, "squeue", "-h", "-j", number, "-o", "%r")
            until(lambda reason=reason: reason().strip() == "PartitionNodeLimit", f"the reason of {number}")
        queue = slurm.queue()
        assert [job.id for job in queue.jobs if job.id in {both, one}] == [both]
        assert queue.others[one] == "PartitionNodeLimit"
    finally:
        private.say("scancel", both, one)
        private.say("scontrol", "update", "PartitionName=shared", "MaxNodes=UNLIMITED")
