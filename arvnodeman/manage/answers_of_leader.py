"""Who leads, where there may be several managers: as /v1/status says it."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from arvnodeman.fleet.values.leading import LeaderBackend
from arvnodeman.leader.keeper import Leading
from arvnodeman.manage.json_kinds import Seconds, Whole, one_of


class LeaderShown(Struct, frozen=True, gc=False):
    """Who leads, and how sure this manager is."""

    backend: Annotated[str, one_of(LeaderBackend)]
    name: Annotated[str, Meta(description="the name of this manager")]
    leads: Annotated[bool, Meta(description="this manager leads, as far as it knows")]
    acts: Annotated[bool, Meta(description="it is sure enough to create and destroy")]
    generation: Annotated[Whole, Meta(description="of its newest lead; 0 for none")]
    leader: Annotated[str, Meta(description="who leads; empty if nobody does, or nobody can be asked")]
    why: Annotated[str, Meta(description="why it does not act; empty if it does")]
    age_seconds: Annotated[Seconds, Meta(description="since its lead was renewed")]
    left_seconds: Annotated[Seconds, Meta(description="how long it may act without being renewed")]
    trouble: Annotated[str, Meta(description="the newest error of the backend; empty after a good answer")]


def leader(leading: Leading | None) -> LeaderShown | UnsetType:
    """Where nobody else can lead there is nothing to tell."""
    if leading is None or leading.backend == LeaderBackend.HOST:
        return UNSET
    return LeaderShown(
        backend=leading.backend,
        name=leading.name,
        leads=leading.leads,
        acts=leading.left > 0,
        generation=leading.generation,
        leader=leading.leader,
        why=leading.words,
        age_seconds=round(leading.age, 1),
        left_seconds=round(leading.left, 1),
        trouble=leading.trouble,
    )
