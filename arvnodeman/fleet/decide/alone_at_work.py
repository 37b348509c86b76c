"""The nodes that work for one budget alone: kept up to date row by row, so that asking costs what has changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from arvnodeman.fleet.decide.stock import is_plainly_busy
from arvnodeman.fleet.nodes.node import Node

Hostname = Callable[[Node], str | None]


class AloneAtWork:
    """Changed by the Fleet alone. While it is asked about no budget, nothing is followed, and nothing is paid."""

    def __init__(self) -> None:
        self._touched: dict[str, None] | None = None  # ids of rows that changed since it was asked; None: any may have
        self._names: dict[str, str] = {}  # hostnames of rows that plainly work, by id
        self._ids: dict[str, str] = {}  # the same the other way round
        self._alone: dict[str, frozenset[str]] = {}  # by budget: the hostnames that it was asked about
        self._found: dict[str, set[str]] = {}  # by budget: ids

    def touch(self, identities: Iterable[str] | None) -> None:
        """These rows have changed, have come or have gone; None: any may have."""
        if identities is None:
            self._touched = None
        elif self._touched is not None:
            self._touched.update(dict.fromkeys(identities))

    def nodes(
        self, alone: Mapping[str, frozenset[str]], rows: Mapping[str, Node], hostname: Hostname
    ) -> Mapping[str, list[Node]]:
        """Of each budget those that plainly work under one of its hostnames, in the order in which they came."""
        if not alone:
            self._touched = None
            self._alone, self._found = {}, {}
            return {}
        changed = self._read(rows, hostname)
        for budget in self._alone.keys() - alone.keys():
            del self._alone[budget], self._found[budget]
        return {budget: self._of(budget, names, changed, rows, hostname) for budget, names in alone.items()}

    def _of(
        self, budget: str, names: frozenset[str], changed: set[str], rows: Mapping[str, Node], hostname: Hostname
    ) -> list[Node]:
        found, before = self._found.setdefault(budget, set()), self._alone.get(budget, frozenset())
        self._alone[budget] = names
        others = names ^ before if names is not before else frozenset()
        for identity in {*changed, *(self._ids[name] for name in others if name in self._ids)}:
            if self._names.get(identity) in names:
                found.add(identity)
            else:
                found.discard(identity)
        # Whose name it is may have changed without the row: few are here to be asked again.
        still = [node for node in map(rows.get, found) if node is not None and hostname(node) in names]
        return sorted(still, key=lambda node: node.turn)

    def _read(self, rows: Mapping[str, Node], hostname: Hostname) -> set[str]:
        """Read again what has changed; the ids of that."""
        if self._touched is None:
            self._names, self._ids = {}, {}
            changed = {*rows, *(identity for found in self._found.values() for identity in found)}
        else:
            changed = set(self._touched)
        self._touched = {}
        for identity in changed:
            name = self._names.pop(identity, None)
            if name is not None and self._ids.get(name) == identity:
                del self._ids[name]
        for identity in changed:
            node = rows.get(identity)
            name = hostname(node) if node is not None and is_plainly_busy(node) else None
            if name is not None:
                self._names[identity] = name
                self._ids[name] = identity
        return changed
