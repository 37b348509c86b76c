"""slurmctld restarts at each point of giving names back: no job that is to run once at most is lost by that."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from slurm_stage import BOUND, need_slurm, slurm_version

from arvnodeman.fleet.values.work import OUR_RETURN, Power
from arvnodeman.sandbox.real_slurm import PrivateSlurm
from arvnodeman.sandbox.real_slurm_conf import CloudNames, Shape
from arvnodeman.slurm.job_marks import BACK, ONCE
from arvnodeman.slurm.placing import PlacingSlurm

WHY = f"{OUR_RETURN} (a test)"
CLOSED = ("State=POWER_DOWN_ASAP", f"Reason={WHY}")
BOOTING, SHUT, REQUEUEABLE, GIVEN, PLACED, PLACED_AND_SHUT = (f"s-{number}" for number in range(1, 7))


def until(true: Callable[[], object], what: str) -> None:
    end = time.monotonic() + BOUND
    while not true():
        assert time.monotonic() < end, f"never: {what}"
        time.sleep(0.05)


@pytest.mark.long
def test_no_job_is_lost_by_a_restart_at_any_point_of_a_return(monkeypatch: pytest.MonkeyPatch) -> None:
    need_slurm()
    if slurm_version() < (24, 11):
        pytest.skip(f"Slurm {slurm_version()} is older than the mode: make proofs ARGS=slurms")
    cloud = (CloudNames(names="s-[1-6]", size="small", cores=2),)
    with PrivateSlurm(Shape(nodes=1, cloud=cloud, power=(("SuspendTimeout", "60"),), message_timeout=10)) as slurm:
        for variable, value in slurm.environment().items():
            monkeypatch.setenv(variable, value)
        hands = PlacingSlurm(20.0)
        jobs: dict[str, str] = {}

        def submit(*names: str) -> None:
            for name in names:
                words = ("--parsable", "--partition=cloud", "--mem=10", "--no-requeue", f"--nodelist={name}")
                jobs[name] = slurm.say("sbatch", *words, "--wrap", "sleep 600").strip()

        def states() -> dict[str, str]:
            return {line.id: line.state for line in hands.lines_of(list(jobs.values()))}

        submit(BOOTING, SHUT, REQUEUEABLE, GIVEN)
        until(lambda: all(hands.nodes()[name].power is Power.STARTING for name in jobs), "they to be powered up")
        hands.change_all([(SHUT, CLOSED), (REQUEUEABLE, CLOSED)])
        hands.change_jobs({("Requeue=1", f"AdminComment={BACK}{ONCE}"): [jobs[REQUEUEABLE]]})
        back = list(hands.give_back([GIVEN], WHY, interactive=False).jobs[GIVEN])
        submit(PLACED, PLACED_AND_SHUT)
        until(lambda: states()[jobs[PLACED_AND_SHUT]] == "CONFIGURING", "it to be placed")
        hands.change_all([(PLACED_AND_SHUT, CLOSED)])

        slurm.stop_controller()
        slurm.start_controller()
        assert states() == {job: "PENDING" if name == GIVEN else "CONFIGURING" for name, job in jobs.items()}

        others = [name for name in jobs if name != GIVEN]
        until(lambda: all(hands.nodes()[name].power is Power.STARTING for name in others), "they to be powered up")
        given = hands.give_back(others, WHY, interactive=False)
        assert given.kept == ()
        back += [job for some in given.jobs.values() for job in some]
        until(lambda: not hands.release_jobs(back).waiting, "them to be back")
        lines = hands.lines_of(list(jobs.values()))
        assert [(line.state, line.requeue, line.comment) for line in lines] == [("PENDING", False, "")] * len(jobs)
