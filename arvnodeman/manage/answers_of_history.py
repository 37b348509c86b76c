"""What the management server says of the last hours, as answers.py has it."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from arvnodeman.manage.json_kinds import Number

Line = list[Number | None]


class LinesShown(Struct, frozen=True, gc=False):
    """Nodes by state."""

    booting: Annotated[Line, Meta(description="nodes that are booting")]
    unpaired: Annotated[Line, Meta(description="nodes that are unpaired")]
    idle: Annotated[Line, Meta(description="nodes that are idle")]
    busy: Annotated[Line, Meta(description="nodes that are busy")]
    other: Annotated[Line, Meta(description="nodes that are other")]


class HistoryShown(Struct, frozen=True, gc=False):
    """Lines with one figure for each point; null where nothing was recorded."""

    step: Annotated[Number, Meta(description="seconds from one point to the next")]
    since: Annotated[Number, Meta(description="seconds since the epoch")]
    until: Annotated[Number, Meta(description="seconds since the epoch: now")]
    times: Annotated[list[Number], Meta(description="where each point begins, in seconds since the epoch")]
    nodes: LinesShown
    queue: Annotated[Line, Meta(description="waiting jobs")]
    capacity: Annotated[Line, Meta(description="nodes that may exist at most, by max_nodes and the limits learnt")]
    cost_per_hour: Annotated[Line, Meta(description="$/hour of everything that exists or is booting")]
