"""The sandbox's error codes: see sandbox/cloud.py."""

from __future__ import annotations

from arvnodeman.cloud.errors import CREDENTIALS, table

SANDBOX = table(
    {"InvalidParameter": "[Cloud Create]", "Unauthorized": CREDENTIALS},
    throttled=["Throttled"],
    quota=["QuotaExceeded"],
    capacity=["InsufficientCapacity"],
    gone=["NoSuchNode"],
    transient=["Unavailable"],
)
