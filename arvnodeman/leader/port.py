"""Who leads, as a store knows it: four verbs. Each backend is of this kind, and one contract test holds for all.

A hold is counted from the moment at which its request *began*, on this host's own steady clock: an answer that comes
late makes the hold older, never younger, and no two hosts compare their clocks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

NEVER_AGES = float("inf")  # a hold's `began`, where it ends with the process and at no other moment


class NotTheLeader(Exception):
    """Somebody else leads, or nobody does any more. The text is one line for people."""


class StoreAway(Exception):
    """The store did not answer in time, or not in a way that can be understood. The text is one line for people, and
    holds no secret."""


@dataclass(frozen=True, slots=True)
class Hold:
    """One answer of the store: this process leads."""

    generation: int  # grows with each change of the leader, for ever; the same as long as one holds on
    began: float  # steady() of arvnodeman.fence.fence, when the request for it began; or NEVER_AGES


@dataclass(frozen=True, slots=True)
class Holder:
    """Who leads, in words that people know it by."""

    name: str  # HOST, or HOST:PID
    generation: int


@dataclass(frozen=True, slots=True)
class LeadCandidate:
    """What is led, and who wants to lead it: what each backend is made with, beside the settings."""

    cluster: str  # the same for all who stand in for each other, and for nobody else
    name: str  # HOST:PID.TAIL, other than every other candidate's, and than that of an earlier run


def led_by(holder: Holder | None) -> str:
    """Why somebody is not the leader, in words."""
    if holder is None:
        return "the store knows of no leader"
    return f"{holder.name} leads (generation {holder.generation})"


class Leadership(Protocol):
    """For one thread. Each call waits for the store, and for no longer than `[Leader] timeout`."""

    def take(self, at_least: int = 0) -> Hold | None:
        """Become the leader, if nobody is; None: somebody else leads, or it cannot be told yet that nobody does.

        at_least: the greatest generation that the caller knows of, of its state directory and of the nodes in the
        cloud. That of the new leader is greater, so that it never goes back where the store has lost what it knew.
        Raises StoreAway."""
        ...

    def hold(self) -> Hold:
        """Renew it. Raises NotTheLeader, and StoreAway: then it is not known whether this process still leads."""
        ...

    def give_up(self) -> None:
        """Let the next one lead at once. Does nothing where this process does not lead. Raises StoreAway."""
        ...

    def who(self) -> Holder | None:
        """Who leads now; None: nobody. Changes nothing. Raises StoreAway."""
        ...
