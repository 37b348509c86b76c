"""What a real Slurm says of a node is its newest word, whatever was asked before.

Asked about one node by its name, sinfo does not count the CPUs in use anew: `mix`, `drng` and `failg` are those of the
last listing of several nodes. No destroy may follow such an answer.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from slurm_stage import need_slurm

from arvnodeman.fleet.values.work import NodeWork
from arvnodeman.sandbox.real_slurm import PrivateSlurm
from arvnodeman.sandbox.real_slurm_conf import Shape
from arvnodeman.slurm.commands import Slurm

BOUND = 60.0  # seconds
NAMES = ("compute1", "compute2", "compute3")


@pytest.fixture(scope="module")
def private() -> Iterator[PrivateSlurm]:
    need_slurm()
    with PrivateSlurm(Shape(nodes=4)) as private:
        for name in NAMES:
            private.start_node(name)
        until(lambda: all(private.state(name) == "idle" for name in NAMES), "three idle nodes")
        yield private


@pytest.fixture
def slurm(private: PrivateSlurm, monkeypatch: pytest.MonkeyPatch) -> Slurm:
    for name, value in private.environment().items():
        monkeypatch.setenv(name, value)
    return Slurm(job_name_pattern="", numbered=True)


def until(true: Callable[[], object], what: str) -> None:
    end = time.monotonic() + BOUND
    while not true():
        assert time.monotonic() < end, what
        time.sleep(0.1)


def begin(private: PrivateSlurm, name: str) -> str:
    """A job on a part of a node, which runs; its number."""
    options = ["--parsable", "--partition=shared", f"--nodelist={name}", "--cpus-per-task=2", "--mem=10"]
    number = private.say("sbatch", *options, "--output=/dev/null", text="#!/bin/sh\nexec sleep 600\n").strip()
    until(lambda: private.say("squeue", "-h", "-j", number, "-o", "%t").strip() == "R", "the job to run")
    return number


def words(slurm: Slurm, names: tuple[str, ...]) -> set[str]:
    """How these nodes are shown: once alone, and once together."""
    together = slurm.nodes_now(names)
    found = {node.state.said for node in together.values() if isinstance(node, NodeWork)}
    return found | {node.state.said for name in names if (node := slurm.node(name)) is not None}


@pytest.mark.parametrize("names", [NAMES[:1], NAMES[:2]], ids=["one", "two"])
@pytest.mark.parametrize("state", ["DRAIN", "FAIL"])
def test_the_answer_is_newer_than_the_last_listing(
    private: PrivateSlurm, slurm: Slurm, names: tuple[str, ...], state: str
) -> None:
    """What the last listing said is false each time: first that nothing runs, then that something does."""
    slurm.nodes()
    jobs = [begin(private, name) for name in names]
    assert words(slurm, names) == {"mix"}
    for name in names:
        private.say("scontrol", "update", f"NodeName={name}", f"State={state}", "Reason=a test")
    busy, free = {"DRAIN": ({"drng"}, "drain"), "FAIL": ({"fail", "failg"}, "fail")}[state]
    assert words(slurm, names) <= busy
    assert [slurm.jobs_on(name) for name in names] == [1] * len(names)
    slurm.nodes()
    for job in jobs:
        private.say("scancel", job)
    until(lambda: not private.say("squeue", "--noheader").strip(), "the jobs to be gone")
    assert words(slurm, names) == {free}
    for name in names:
        slurm.resume(name)
    until(lambda: words(slurm, names) == {"idle"}, "the nodes to be idle")
