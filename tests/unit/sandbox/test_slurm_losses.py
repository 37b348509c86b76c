"""Who took a job's node, read of what slurmctld logs of it."""

from __future__ import annotations

import pytest

from arvnodeman.sandbox.slurm_losses import Loss, loss_of

KILLED = "[t] Killing JobId=7 on failed node s-1\n"
REQUEUED = "[t] requeue job JobId=7 due to failure of node s-1\n[t] Requeuing JobId=7\n"
QUEUED = "[t] Requeuing JobId=7\n"
GIVEN_UP = "[t] error: Nodes m-3,s-[1-2] not responding, setting DOWN\n"
SET_DOWN = "[t] update_node: node s-1 state set to DOWN\n"
FORCED = "[t] powering down node s-1\n"
DRAINED = "[t] update_node: node s-1 state set to DRAINING#\n"
COMPLETED = "[t] _job_complete: requeue JobId=7 per user/system request\n"
MISSING = "[t] Batch JobId=7 missing from batch node s-1 (not found BatchStartTime after startup)\n"
OURS, SLURMS = Loss("s-1", by_command=True), Loss("s-1", answered=False)


@pytest.mark.parametrize(
    ("log", "loss"),
    [
        ("", None),
        (KILLED, None),
        (KILLED + GIVEN_UP, SLURMS),
        (REQUEUED + GIVEN_UP + SET_DOWN, SLURMS),
        (KILLED + SET_DOWN + GIVEN_UP, OURS),
        (GIVEN_UP + KILLED + SET_DOWN, OURS),
        (REQUEUED + FORCED, OURS),
        (KILLED + DRAINED, OURS),
        (KILLED + SET_DOWN.replace("s-1", "s-11") + GIVEN_UP, SLURMS),
        (KILLED.replace("=7", "=71") + GIVEN_UP + KILLED + SET_DOWN, OURS),
        (KILLED + "[t] x\n" * 300 + SET_DOWN, None),
        (COMPLETED + SET_DOWN, Loss()),
        (MISSING, Loss()),
        (MISSING + KILLED + SET_DOWN, OURS),
        (KILLED + SET_DOWN + COMPLETED, Loss()),
        (QUEUED + GIVEN_UP, Loss()),
        (QUEUED.replace("=7", "=71") + GIVEN_UP, None),
        (COMPLETED + KILLED.replace("=7", "=71") + SET_DOWN + QUEUED, Loss()),
    ],
)
def test_the_newest_end_of_a_job_is_told_with_what_was_done_to_its_node(log: str, loss: Loss | None) -> None:
    assert loss_of(log, 7) == loss


def test_the_task_of_an_array_has_the_number_of_its_array() -> None:
    log = "requeue job JobId=7_2(9) due to failure of node s-1\npowering down node s-1\n"
    assert loss_of(log, 7 + 2 * 2**32) == OURS
    assert loss_of(log, 7) is loss_of(log, 9) is loss_of(log, 7 + 3 * 2**32) is None
