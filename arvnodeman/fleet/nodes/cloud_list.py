"""The newest list of the cloud. What a list leaves as it was costs next to nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from arvnodeman.fleet.nodes.rows import are_few, moved
from arvnodeman.fleet.values.model import CloudNode


@dataclass(slots=True)
class CloudChange:
    """What a list changed."""

    came: Sequence[CloudNode]  # new, or another object than before
    left: Sequence[CloudNode]  # what those were before, and what is gone
    duplicates: list[str] = field(default_factory=list)  # ids that stand twice: the first counts


class CloudList:
    """What the cloud listed last, by id."""

    def __init__(self) -> None:
        self.entries: dict[str, CloudNode] = {}
        self._list: tuple[CloudNode, ...] = ()

    def take(self, listed: Sequence[CloudNode]) -> CloudChange:
        """Take a list in."""
        newest = tuple(listed)
        change = CloudChange(*moved(self._list, newest))
        single = len(self.entries) == len(self._list)
        self._list = newest
        if single and are_few(change.came, newest) and are_few(change.left, newest):
            for cloud in change.left:
                self.entries.pop(cloud.id, None)
            self.entries.update((cloud.id, cloud) for cloud in change.came)
        else:
            self.entries = {cloud.id: cloud for cloud in newest}
        if not single:
            change.came = list(self.entries.values())  # that of two entries may count which did not
        if len(self.entries) != len(newest):
            self._take_first(newest, change)
        return change

    def _take_first(self, newest: Sequence[CloudNode], change: CloudChange) -> None:
        self.entries = {}
        for cloud in newest:
            if self.entries.setdefault(cloud.id, cloud) is not cloud:
                change.duplicates.append(cloud.id)
        change.came = list(self.entries.values())

    def report_ids(self) -> set[str]:
        """The ids that the nodes report themselves."""
        return {cloud.report_id for cloud in self._list}
