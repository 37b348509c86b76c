"""Who pays for a job, and whose costs somebody asks about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from arvnodeman.fleet.values.model import JobOwner, JobShape

LONGEST = 100  # characters of a name: those behind tell nobody apart whom we know of


class Payer(NamedTuple):
    """Whose a job is, and in which partition it runs or waits; '' where that is not known."""

    user: str = ""
    account: str = ""
    qos: str = ""
    partition: str = ""


OVERHEAD = Payer()
"""Of what no job is to pay for: nodes that were booted for none, while none is on them."""


@dataclass(frozen=True, slots=True)
class Whose:
    """Whose costs are meant: of these accounts, of these users, in these partitions. An empty set is all."""

    accounts: frozenset[str] = frozenset()
    users: frozenset[str] = frozenset()
    partitions: frozenset[str] = frozenset()

    def has(self, payer: Payer) -> bool:
        """Is it one of these? The overhead is nobody's: it is among all alone."""
        return (
            (not self.accounts or payer.account in self.accounts)
            and (not self.users or payer.user in self.users)
            and (not self.partitions or payer.partition in self.partitions)
        )


EVERYBODY = Whose()


def payer_of(owner: JobOwner, partition: str) -> Payer:
    """Of a job of this owner."""
    return Payer(*(known(text) for text in (owner.payer, owner.account, owner.qos, partition)))


def payer_of_shape(shape: JobShape) -> Payer:
    """Of a job that waits. One that may run in several partitions pays in the first of them until it runs."""
    return payer_of(shape.owner, shape.partitions[0] if shape.partitions else "")


def known(text: str) -> str:
    """A name as it is kept and shown: printable, and of a length that fits everywhere."""
    clean = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)
    return clean if len(clean) <= LONGEST else f"{clean[: LONGEST - 1]}\N{HORIZONTAL ELLIPSIS}"
