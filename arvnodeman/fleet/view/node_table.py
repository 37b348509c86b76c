"""The rows of a view: those of the view before, and what has changed since."""

from __future__ import annotations

from collections import Counter
from collections.abc import ItemsView, Iterator, KeysView, Mapping, ValuesView
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from arvnodeman.fleet.view.view import NodeStatus

FEW = 8  # a table that differs from the older one in more than one of so many rows is made whole


class NodeTable(Mapping[str, "NodeStatus"]):
    """Rows by cloud id; nobody changes one. To follow another costs what has changed: whoever reads all of it puts it
    together, once, in his own thread."""

    __slots__ = ("_base", "_changed", "_whole")

    def __init__(self, base: dict[str, NodeStatus], changed: dict[str, NodeStatus | None] | None = None) -> None:
        self._base = base
        self._changed = changed or {}  # since the base; None: it is gone
        self._whole: dict[str, NodeStatus] | None = None if changed else base

    def following(self, changed: Mapping[str, NodeStatus | None]) -> NodeTable:
        """This table with some rows changed; None: such a row is gone, if there was one."""
        if self._whole is not None:
            return NodeTable(self._whole, dict(changed))
        if FEW * len(self._changed) > len(self._base):
            return NodeTable(self._all(), dict(changed))
        return NodeTable(self._base, {**self._changed, **changed})

    def _all(self) -> dict[str, NodeStatus]:
        whole = self._whole
        if whole is None:
            whole = self._base.copy()
            for identity, status in self._changed.items():
                if status is None:
                    whole.pop(identity, None)
                else:
                    whole[identity] = status
            self._whole = whole
        return whole

    def states(self) -> Counter[str]:
        """How many rows are in which state."""
        return Counter([row.state for row in self._all().values()])

    def __getitem__(self, identity: str) -> NodeStatus:
        return self._all()[identity]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    def keys(self) -> KeysView[str]:
        """Of all rows."""
        return self._all().keys()

    def values(self) -> ValuesView[NodeStatus]:
        """All rows."""
        return self._all().values()

    def items(self) -> ItemsView[str, NodeStatus]:
        """All rows by id."""
        return self._all().items()
