"""Kinds of values in the answers of the management server, as they are described."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from msgspec import Meta


def one_of(words: Iterable[str]) -> Meta:
    """A text that is one of these, as far as this build knows."""
    return Meta(extra_json_schema={"enum": list(words)})


Whole = Annotated[int, Meta(ge=0)]
Number = Annotated[float, Meta(ge=0)]
Seconds = Annotated[float, Meta(ge=0, description="seconds")]
