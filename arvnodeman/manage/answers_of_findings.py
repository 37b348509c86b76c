"""What the management server says of the daemon's hourly examination of its site."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct


class FindingShown(Struct, frozen=True, gc=False):
    """Something is wrong at the site, by the daemon's hourly examination."""

    check: Annotated[str, Meta(description="the name of the check that found it")]
    grave: Annotated[bool, Meta(description="false: for somebody to look at")]
    text: Annotated[str, Meta(description="what is wrong, and where")]
    mends: Annotated[str, Meta(description="what mends it")]
