"""Results for programs."""

from __future__ import annotations

import msgspec


def json_text(result: msgspec.Struct) -> str:
    """Everything, under the names of the fields. The same result is the same bytes."""
    return msgspec.json.format(msgspec.json.encode(result), indent=2).decode() + "\n"
