"""What a job has cost, in its AdminComment once it has ended.

slurmctld refuses every change of a job that has ended ("Job has already finished"), and forgets it after MinJobAge;
until then its own record keeps the text from before the end. What stays is slurmdbd's, where `sacctmgr modify job`
writes, and sacct shows it. All that is so in 22.05, 24.11 and 26.05. sacctmgr reads commands from its input, and takes
up to 0.4 s for each. That of 22.05 writes values in small letters: the text has no others.
"""

from __future__ import annotations

from collections.abc import Sequence

from arvnodeman.money.runs import JobCost
from arvnodeman.slurm.commands import check_job_number
from arvnodeman.slurm.errors import NotInstalled, Refused
from arvnodeman.slurm.job_comments import CommentedJobs
from arvnodeman.slurm.job_marks import COSTS
from arvnodeman.slurm.run import run

MOST = 25  # jobs in one command
_NO_DATABASE = "not running a supported accounting_storage plugin"
_MODIFIED = "Modified jobs"
_RIGHTS = "privilege"


class CostsOfJobs(CommentedJobs):
    """Slurm, for the costs of jobs that have ended."""

    def note_costs(self, costs: Sequence[JobCost]) -> int:
        """Write on these, MOST at most, what they have cost; on how many it was. One that the accounting does not know
        is left out. Raises SlurmFailure; NotInstalled where no accounting is."""
        commands = []
        for cost in costs:
            check_job_number("sacctmgr", cost.number)
            commands.append(f'modify job where jobid={cost.number} set AdminComment="{text_of(cost)}"')
        if not commands:
            return 0
        output = run(["sacctmgr", "--immediate"], timeout=self.timeout, text="".join(f"{line}\n" for line in commands))
        said = output.stdout + output.stderr
        written = output.stdout.count(_MODIFIED)
        if _NO_DATABASE in said:
            raise NotInstalled("sacctmgr", "this Slurm has no slurmdbd, which would keep what jobs have cost")
        if not written and _RIGHTS in said:
            raise Refused(
                "sacctmgr", "it changed no job: this account is not an operator of Slurm's, or no job is known"
            )
        return written


def text_of(cost: JobCost) -> str:
    """In words."""
    return f"{COSTS}{cost.dollars:.2f}, {cost.hours:.2f} node hours"
