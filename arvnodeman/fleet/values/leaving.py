"""Why a node goes, which decides what can stop it."""

from __future__ import annotations

from enum import StrEnum


class ShutdownKind(StrEnum):
    """Of a shutdown."""

    UNWANTED = "unwanted"  # cancelled as soon as it is wanted
    REMOVAL = "removal"  # unpaired, down, fail, of no known size: never cancelled for want
    OPERATOR = "operator"  # an operator's drain: ended by run
    KILL = "kill"  # an operator's kill: now
    GONE = "gone"  # not at the cloud any more, or stopped there: only the traces are cleared
