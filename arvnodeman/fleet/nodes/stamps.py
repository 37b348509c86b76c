"""Stamps of two clocks, compared: when a node started, by the cloud, and when it was first heard from, by whoever keeps
its record.

`apart` is the keeper's clock less the cloud's, in seconds, as far as both have shown theirs.
"""

from __future__ import annotations

from arvnodeman.fleet.values.model import CloudNode, NodeRecord

FIRST_PING_TOLERANCE = 300.0  # seconds before the node's start that a first ping may show (clocks differ; row B3)


def heard_after(record: NodeRecord, cloud: CloudNode, apart: float) -> float | None:
    """Seconds from the start to the first ping; None: one of them is not known."""
    first, start = record.first_ping_at, cloud.start_time
    return None if first is None or start is None else first - start - apart


def pinged_by(record: NodeRecord, cloud: CloudNode, apart: float = 0.0) -> bool:
    """Was the record's first ping sent by this node, and not by an earlier one under the same id? Either the stamps say
    so as they are, or after the difference of the clocks: a clock that is wrong by much must not keep a node apart from
    its record."""
    if record.first_ping_at is None:
        return False
    seconds = heard_after(record, cloud, min(0.0, apart))
    return seconds is None or seconds >= -FIRST_PING_TOLERANCE
