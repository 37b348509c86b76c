"""Slurm looks for several nodes at one address."""

from __future__ import annotations

from collections.abc import Iterator

from arvnodeman.doctor.base import Area, Check, findings, first_of
from arvnodeman.doctor.facts import SlurmSetup
from arvnodeman.slurm.keeping import NOBODYS_ADDRESS


def judge(setup: SlurmSetup) -> Iterator[str]:
    """A line for each such address."""
    holders: dict[tuple[str, str], list[str]] = {}
    for name in setup.names:
        node = setup.shown.get(name)
        if node is not None and name in setup.held and node.address not in (name, NOBODYS_ADDRESS):
            holders.setdefault((node.address, node.port), []).append(name)
    for (address, _), sharing in holders.items():
        if len(sharing) > 1:
            yield f"Slurm expects {first_of(sharing)} at one address, {address}: only one of them can be there"


CHECK = Check(
    name="shared-addresses",
    area=Area.SETUP,
    says="Slurm expects several of our nodes at one address.",
    mends="Find out which node has the address; `scontrol update NodeName=NAME NodeAddr=ADDRESS` corrects the others.",
    find=lambda facts: findings(judge(facts.setup())),
    grave=False,
    places=False,
)
