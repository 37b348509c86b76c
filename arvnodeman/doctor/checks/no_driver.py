"""No driver can be made of what the file says of the cloud."""

from __future__ import annotations

from collections.abc import Iterator

from arvnodeman.cloud.registry import check_driver
from arvnodeman.config import ConfigError
from arvnodeman.doctor.base import Area, Check, findings
from arvnodeman.doctor.facts import Facts


def judge(facts: Facts) -> Iterator[str]:
    """Mistakes of options of which nothing has been told: one mistake leads to another."""
    try:
        check_driver(facts.settings())
    except ConfigError as error:
        told = {_option(line) for line in facts.file().problems}
        yield from (line for line in (*error.problems, *error.warnings) if _option(line) not in told)


def _option(line: str) -> str:
    """`FILE: [Section] option` of a line."""
    before, bracket, behind = line.partition("]")
    return before + bracket + behind.partition(":")[0]


CHECK = Check(
    name="no-driver",
    area=Area.FILE,
    says=(
        "The cloud's driver cannot be made from the configuration: credentials, files, or options that it does not "
        "accept."
    ),
    mends="Correct the options in the finding; nothing was asked over the network.",
    find=lambda facts: findings(judge(facts)),
)
