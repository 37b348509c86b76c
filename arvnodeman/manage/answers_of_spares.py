"""How spares stand, as the API says it."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from arvnodeman.manage.json_kinds import Seconds, Whole


class SpareShown(Struct, frozen=True, gc=False):
    """One [Spare NAME]."""

    name: str
    size: str
    open: Annotated[bool, Meta(description="its hours are")]
    wanted: Annotated[Whole, Meta(description="nodes that should be ready now")]
    idle: Annotated[Whole, Meta(description="of them: nodes that are ready")]
    coming: Annotated[Whole, Meta(description="of them: nodes that are on their way")]
    why: Annotated[str, Meta(description="why there are no more; empty when there are all")]
    changes_seconds: Annotated[Seconds | None, Meta(description="until its hours open or close; null: not in a week")]
