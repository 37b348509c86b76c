"""Whether spot nodes of a size paid, as the API says it."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from arvnodeman.history.spot import SpotPaid


class SpotShown(Struct, frozen=True, gc=False):
    """Those of one zone in the last 30 days, as the history has it."""

    zone: Annotated[str, Meta(description="empty where the cloud chose it")]
    nodes: Annotated[int, Meta(ge=0)]
    hours: Annotated[float, Meta(ge=0)]
    taken: Annotated[int, Meta(ge=0, description="by the cloud, or gone otherwise without us")]
    saved: Annotated[
        float, Meta(description="$ against on demand, less the work that was lost; below 0 it did not pay")
    ]
    saved_by_length: Annotated[dict[str, float], Meta(description="the same of jobs, by how long they ran")]


def spots(paid: SpotPaid, size: str) -> list[SpotShown] | UnsetType:
    """Those of a size, by zone; nothing where it had none."""
    return [
        SpotShown(
            pool.zone,
            pool.nodes,
            round(pool.hours, 2),
            pool.taken,
            round(pool.saved, 4),
            {each.length: round(each.saved, 4) for each in paid.jobs if (each.size, each.zone) == (size, pool.zone)},
        )
        for pool in paid.pools
        if pool.size == size
    ] or UNSET
