"""Names that Slurm looks for in the DNS, and that nobody knows there."""

from __future__ import annotations

from collections.abc import Iterator

from arvnodeman.doctor.base import Area, Check, findings, first_of
from arvnodeman.doctor.facts import Facts

MOST = 5  # names that are asked for, each of which may take seconds


def judge(facts: Facts) -> Iterator[str]:
    """A line at most. Asked is where slurmctld asks: by the name, for nodes whose NodeAddr is the name itself."""
    setup = facts.setup()
    by_name = [name for name in setup.names if name in setup.shown and setup.shown[name].address == name]
    asked = by_name[:MOST]
    resolves = facts.resolves()
    unknown = [name for name in asked if not resolves(name)]
    if unknown:
        more = f" (checked were {len(asked)} of {len(by_name)})" if len(by_name) > len(asked) else ""
        yield (
            f"{first_of(unknown)}: Slurm looks for these nodes by name, and no such name can be resolved here{more}: "
            "each message to one blocks slurmctld for 10 s or more"
        )


CHECK = Check(
    name="names-not-in-dns",
    area=Area.SLURM,
    says="NodeAddr of a name is the name itself, which cannot be resolved: slurmctld hangs at each message to it.",
    mends="Set NodeAddr=192.0.2.1 for the names in slurm.conf (an address that nobody has), or put them into the DNS.",
    find=lambda facts: findings(judge(facts)),
    grave=False,
    places=False,
)
