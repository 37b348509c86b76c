"""What only the running daemon knows, as its answers under /v1 tell it."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import UNSET

from arvnodeman.doctor.facts import DaemonFacts
from arvnodeman.manage.answers import GroupShown, StatusShown


def daemon_facts(status: StatusShown, groups: Iterable[GroupShown]) -> DaemonFacts:
    """As facts."""
    refused = status.reload_problems
    return DaemonFacts(
        max_nodes=status.max_nodes,
        quota=status.node_quota,
        slots=status.slot_quota,
        wrong=status.wrong,
        reload_problems=[] if refused is UNSET else refused,
        in_vain={group.name: group.why for group in groups if group.until_seconds is not None},
        unknown_cloud_errors=status.unknown_cloud_error_codes or {},
    )
