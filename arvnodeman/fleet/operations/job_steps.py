"""What is done with jobs in the scheduler, many at a time."""

from __future__ import annotations

from dataclasses import dataclass

from arvnodeman.fleet.messages import Step
from arvnodeman.fleet.values.job_comments import JobComment


@dataclass(frozen=True, slots=True)
class CommentJobs(Step):
    """Say on jobs why no node runs for them. What we said on others is taken away, but for those that are `spared`;
    somebody else's text stays. What stands there already is not written again. Result: JobsCommented."""

    comments: tuple[JobComment, ...] = ()
    spared: tuple[str, ...] = ()
