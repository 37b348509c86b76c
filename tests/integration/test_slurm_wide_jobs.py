"""The simulated Slurm and a real one let the same jobs past one that waits for several nodes, on the same nodes."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from slurm_stage import need_slurm

from arvnodeman.fleet.messages import CreateNode, DescribeRecord, PrepareRecord, RecordPrepared
from arvnodeman.fleet.values.model import BootIntent, CloudNode, JobShape, NodeSize, ProviderSize
from arvnodeman.foresight.agenda import Agenda
from arvnodeman.foresight.simulated_site import SimulatedSite
from arvnodeman.sandbox.real_slurm import PrivateSlurm
from arvnodeman.sandbox.real_slurm_conf import Shape

NAMES = 4
BOUND = 60.0  # real seconds


class Asked(NamedTuple):
    """A job."""

    name: str
    nodes: int = 1
    minutes: float = math.inf  # at most


FIRST = [Asked("one", minutes=2), Asked("two", minutes=2)]
THEN = [
    Asked("wide", nodes=3),  # gets what ends first, and one of those that are free
    Asked("beside"),
    Asked("behind"),
    Asked("long", minutes=5),
    Asked("short", minutes=1),
    Asked("too wide", nodes=NAMES + 1),
]


def at_the_real(jobs: Sequence[Sequence[Asked]]) -> Mapping[str, str]:
    """Where each runs; '' for those that wait."""
    shape = Shape(nodes=NAMES + 1, slurmd_timeout=3, message_timeout=3)
    with PrivateSlurm(shape) as slurm:
        for number in range(1, NAMES + 1):
            slurm.start_node(f"compute{number}")
        until(lambda: slurm.say("sinfo", "-hN", "-pcompute", "-o%t").split().count("idle") == NAMES)
        for each in jobs:
            for job in each:
                limit = [] if job.minutes == math.inf else [f"--time={job.minutes:.0f}"]
                asked = ["--output=/dev/null", f"--job-name={job.name}", f"--nodes={job.nodes}", "--mem=10", *limit]
                slurm.say("sbatch", *asked, text="#!/bin/sh\nexec sleep 600\n")
            until(lambda: len(slurm.say("squeue", "-h", "-tRUNNING").splitlines()) >= len(FIRST))
        until(lambda: any(line.endswith("|compute3") for line in queue(slurm)))
        passes = 3
        before = queue(slurm)
        while passes:  # of backfill, each a second
            time.sleep(1.5)
            after = queue(slurm)
            passes, before = passes - 1 if after == before else 3, after
        return {name: where for name, _, where in (line.partition("|") for line in before)}


def queue(slurm: PrivateSlurm) -> list[str]:
    return sorted(slurm.say("squeue", "-h", "-o%j|%N").splitlines())


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + BOUND
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.2)


def at_the_simulated(jobs: Sequence[Sequence[Asked]]) -> Mapping[str, str]:
    agenda = Agenda(1e9)
    offer = ProviderSize("small", "small", ram=4000, disk=10, price=0.1, cores=2)
    site = SimulatedSite(agenda, (offer,), random.Random(1), slots=NAMES + 1)
    size = NodeSize("small", "small", "small", "small", 2, 4000, 0, 0, 0.1)
    for number in range(NAMES):
        intent = BootIntent("small", 0.1, f"t{number}", agenda.now)
        (prepared,) = site.do((PrepareRecord(1, intent, None),))
        assert isinstance(prepared, RecordPrepared)
        (node,) = site.do((CreateNode(1, size, prepared.record, intent.token, prepared.ping_secret),))
        assert isinstance(node, CloudNode)
        site.do((DescribeRecord(1, prepared.record.uuid, node),))
    up = agenda.now + 300
    while agenda.next() <= up:
        agenda.turn()
    made = [site.submit(JobShape(nodes=job.nodes), 600.0, limit=job.minutes * 60) for each in jobs for job in each]
    names = [job.name for each in jobs for job in each]
    return {name: ",".join(job.nodes) for name, job in zip(names, made, strict=True)}


def test_the_same_jobs_are_let_past_one_of_several_nodes() -> None:
    need_slurm()
    real = at_the_real([FIRST, THEN])
    assert {name: where for name, where in real.items() if where} == {
        "one": "compute1",
        "two": "compute2",
        "short": "compute3",
        "beside": "compute4",
    }
    assert at_the_simulated([FIRST, THEN]) == real
