"""Errors of the cloud that are in no table of ours."""

from __future__ import annotations

from collections.abc import Iterator

from arvnodeman.doctor.base import Area, Check, findings
from arvnodeman.doctor.facts import Facts


def judge(facts: Facts) -> Iterator[str]:
    """A line at most."""
    count = facts.daemon().unknown_cloud_errors
    if count:
        yield (
            f"the cloud has answered {count} time{'' if count == 1 else 's'} with errors that are in no table of ours: "
            "they are judged by their HTTP status; the log names each once"
        )


CHECK = Check(
    name="unknown-cloud-errors",
    area=Area.DAEMON,
    says="The cloud answers with errors that this version does not know.",
    mends="Report the codes that the log names, so that they get into the table; nothing is lost meanwhile.",
    find=lambda facts: findings(judge(facts)),
    grave=False,
)
