"""What nodes are told so that they do not end themselves."""

from __future__ import annotations

from dataclasses import dataclass

from arvnodeman.fleet.messages import Step


@dataclass(frozen=True, slots=True)
class RenewLeases(Step):
    """Nodes are managed: write `value`, which differs from the last one, where they read it. Whether that is in the
    cloud, by id, or in the scheduler, by hostname, the hands know; a node that is gone is success. Result: None."""

    ids: tuple[str, ...]
    hostnames: tuple[str, ...]
    value: str
