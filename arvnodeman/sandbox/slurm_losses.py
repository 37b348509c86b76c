"""Why a job has lost its node, by the log of slurmctld: did somebody set the node down, or Slurm put the job back?

What one command does stands together there: first the jobs that it ends, then what was done to their node.

    [...] Killing JobId=9 on failed node small-2
    [...] update_node: node small-2 state set to DOWN

A job that had been put back before is queued again when its last node is done with it, or is given up:

    [...] _job_complete: requeue JobId=8 per user/system request
    [...] Requeuing JobId=8
    [...] error: Nodes medium-3 not responding, setting DOWN
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from arvnodeman.sandbox.hostlist import expand

_ENDED = re.compile(r"(?:requeue job|Killing) JobId=(\S+) (?:due to failure of|on failed) node (\S+)")
_PUT_BACK = re.compile(r"_job_complete: requeue JobId=(\S+)|Batch JobId=(\S+) missing from batch node")
_QUEUED = re.compile(r"Requeuing JobId=(\S+)")
_NO_ANSWER = re.compile(r"Nodes (\S+) not responding, setting DOWN")
_COMMAND = re.compile(
    r"update_node: node (\S+) state set to (?:DOWN|DRAIN)|power(?:ing down| down request repeating for) node (\S+)"
)
_TOGETHER = 200  # lines after the end of a job that may say what was done to its node
_TASK = 2**32  # the number of a task of an array is that of the array, and so much more for each


@dataclass(frozen=True, slots=True)
class Loss:
    """How a job came off its nodes."""

    node: str = ""  # that was set down, or powered down; '': none was
    by_command: bool = False  # by scontrol; else by Slurm itself
    answered: bool = True  # False: since it did not answer


def loss_of(log: str, job: int) -> Loss | None:
    """The newest that this part of the log tells; None: nothing, or not who did it."""
    lines = log.splitlines()
    queued = None
    for place in range(len(lines) - 1, -1, -1):
        put_back = _PUT_BACK.search(lines[place])
        if put_back is not None and _is(put_back[1] or put_back[2], job):
            return Loss()
        ended = _ENDED.search(lines[place])
        if ended is not None and _is(ended[1], job):
            return _done_to(ended[2], lines[place + 1 : place + 1 + _TOGETHER])
        again = _QUEUED.search(lines[place])
        if again is not None and _is(again[1], job):
            queued = Loss()  # what came before it is not told here any more
    return queued


def _is(shown: str, job: int) -> bool:
    """`shown`: 7, or 7_3(9) for a task of an array."""
    number, task = job % _TASK, job // _TASK
    return shown.startswith(f"{number}_{task}(") if task else shown == str(number)


def _done_to(node: str, lines: Sequence[str]) -> Loss | None:
    for line in lines:
        given_up = _NO_ANSWER.search(line)
        if given_up is not None and node in expand(given_up[1]):
            return Loss(node, answered=False)
        command = _COMMAND.search(line)
        if command is not None and node in (command[1], command[2]):
            return Loss(node, by_command=True)
    return None
