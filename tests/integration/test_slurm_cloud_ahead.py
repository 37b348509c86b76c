"""Where a real Slurm that places jobs on names that are off puts a job whose begin time comes, if a node is up already.

doc/money.md says what follows for `ahead`, with the tasks of an array beyond its limit, which need nothing booted.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from slurm_stage import BOUND, need_slurm, slurm_version

from arvnodeman.sandbox.real_slurm import PrivateSlurm
from arvnodeman.sandbox.real_slurm_conf import CloudNames, Shape

NAMES = (CloudNames(names="s-[1-4]", size="small"), CloudNames(names="b-[1-2]", size="big", cores=4, weight=9))
BEGINS = "--begin=now+3"
pytestmark = pytest.mark.long


@pytest.fixture
def slurm() -> Iterator[PrivateSlurm]:
    need_slurm()
    if slurm_version() < (24, 11):
        pytest.skip(f"Slurm {slurm_version()} is older than the mode: make proofs ARGS=slurms")
    with PrivateSlurm(Shape(nodes=1, cloud=NAMES, message_timeout=10)) as slurm:
        yield slurm


def until(true: Callable[[], object], what: str) -> None:
    end = time.monotonic() + BOUND
    while not true():
        assert time.monotonic() < end, f"never: {what}"
        time.sleep(0.2)


def power_up(slurm: PrivateSlurm, name: str) -> None:
    """Slurm waits for the node of a name, and no job does."""
    slurm.say("scontrol", "update", f"NodeName={name}", "State=POWER_UP")
    until(lambda: "POWERING_UP" in slurm.say("scontrol", "show", "node", name), f"{name} to be waited for")


def bring_up(slurm: PrivateSlurm, name: str) -> None:
    """Likewise, and the node registers."""
    power_up(slurm, name)
    slurm.start_node(name)
    until(lambda: slurm.say("sinfo", "-hN", "-n", name, "-o", "%t").split()[0] == "idle", f"{name} to be idle")


def submit(slurm: PrivateSlurm, *options: str) -> str:
    return slurm.say("sbatch", "-p", "cloud", "--mem=10", *options, "--wrap", "sleep 600").split()[-1]


def put(slurm: PrivateSlurm, *options: str) -> list[str]:
    """Submit a job; its state and its name once Slurm has found it one. It has no name before its begin time."""
    job = submit(slurm, *options)
    found: list[str] = []

    def look() -> bool:
        found[:] = slurm.say("squeue", "-h", f"--jobs={job}", "-o", "%T %N").split()
        return len(found) > 1

    until(look, f"job {job} to have a name")
    return found


@pytest.mark.parametrize("option", ["--ntasks=1", "--constraint=instancetype=small", "--exclusive"])
def test_of_names_of_one_weight_the_one_that_is_up_is_taken(slurm: PrivateSlurm, option: str) -> None:
    bring_up(slurm, "s-3")
    assert put(slurm, BEGINS, option) == ["RUNNING", "s-3"]


def test_one_that_is_up_is_taken_before_one_of_less_weight_that_is_off(slurm: PrivateSlurm) -> None:
    bring_up(slurm, "b-1")
    assert put(slurm, BEGINS) == ["RUNNING", "b-1"]


def test_one_that_is_powered_up_already_is_not_off(slurm: PrivateSlurm) -> None:
    """So among it and one that is up the weight decides, and the job waits for the boot."""
    bring_up(slurm, "b-1")
    power_up(slurm, "s-3")
    assert put(slurm, BEGINS) == ["CONFIGURING", "s-3"]


def test_room_on_a_node_at_work_is_taken_before_a_node_that_was_brought_up(slurm: PrivateSlurm) -> None:
    for name in ("s-3", "s-4"):
        bring_up(slurm, name)
    assert put(slurm, "--nodelist=s-4") == ["RUNNING", "s-4"]
    assert put(slurm, BEGINS) == ["RUNNING", "s-4"]
