"""Lists as what has changed in them since the list before: one that equals it costs a few bytes.

A code is an object with `o`, the order, where it is another one: runs `[FIRST, COUNT]` of the list before and new items
`{"+": ITEM}` (with `k`, the key, in a mapping); and `c`, the changed fields of items that were there, by their place in
the new list. No code at all: the same list again. A list that is none (None) is the code `null`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from arvnodeman.journal.codec import Codec

Items = Collection[Any] | Mapping[str, Any] | None


class ListCoder:
    """Codes one field of one event after the other. Items are found again by key: that of the mapping, or their first
    field. That decides on the length of the code alone, not on what it says."""

    def __init__(self, codec: Codec, item: type) -> None:
        self._codec = codec
        self._item = item
        self._fields = () if item is str else codec.encoders(item)
        self._key = "" if item is str else dataclasses.fields(item)[0].name
        self._keys: list[Any] = []
        self._items: list[Any] = []
        self._places: dict[Any, int] = {}

    def code(self, new: Items) -> dict[str, Any] | None:
        """The code of the next list; {} when it equals the one before."""
        if new is None:
            self._keys, self._items, self._places = [], [], {}
            return None
        mapping = isinstance(new, Mapping)
        items = list(new.values()) if isinstance(new, Mapping) else list(new)
        if isinstance(new, AbstractSet):
            items.sort()
        if isinstance(new, Mapping):
            keys = list(new)
        else:
            keys = [getattr(item, self._key) for item in items] if self._key else items
        coded: dict[str, Any] = {}
        if keys == self._keys:
            places = self._places
            changes = dict(self._changes(enumerate(zip(self._items, items, strict=True))))
        else:
            order, changes = self._order(keys, items, mapping=mapping)
            places = {key: place for place, key in enumerate(keys)}
            coded["o"] = order
        if changes:
            coded["c"] = changes
        self._keys, self._items, self._places = keys, items, places
        return coded

    def _order(
        self, keys: list[Any], items: list[Any], *, mapping: bool
    ) -> tuple[list[list[int] | dict[str, Any]], dict[int, Any]]:
        order: list[list[int] | dict[str, Any]] = []
        pairs: list[tuple[int, tuple[Any, Any]]] = []
        run = [0, 0]
        for place, (key, item) in enumerate(zip(keys, items, strict=True)):
            before = self._places.get(key)
            if before is None or type(self._items[before]) is not type(item):
                order.append({"+": self._plain(item), **({"k": key} if mapping else {})})
                run = [0, 0]
                continue
            pairs.append((place, (self._items[before], item)))
            if run[1] and before == run[0] + run[1]:
                run[1] += 1
            else:
                run = [before, 1]
                order.append(run)
        return order, dict(self._changes(iter(pairs)))

    def _changes(self, pairs: Iterator[tuple[int, tuple[Any, Any]]]) -> Iterator[tuple[int, dict[str, Any]]]:
        for place, (old, new) in pairs:
            if old is new or old == new:
                continue
            yield (
                place,
                {
                    there: encode(getattr(new, name))
                    for name, there, encode in self._fields
                    if getattr(old, name) != getattr(new, name)
                },
            )

    def _plain(self, item: Any) -> Any:
        if self._item is str:
            return item
        return self._codec.fields(item) if type(item) is self._item else self._codec.plain(item)


class ListReader:
    """Makes plain lists of the codes again. An item that has not changed is the very object that it was."""

    def __init__(self) -> None:
        self._items: list[tuple[str | None, Any]] = []  # key, in a mapping, and item

    def items(self, coded: Mapping[str, Any] | None) -> list[tuple[str | None, Any]] | None:
        """The next list. Raises KeyError, IndexError, TypeError or ValueError for what is no code."""
        if coded is None:
            self._items = []
            return None
        items = self._items if "o" not in coded else list(self._ordered(coded["o"]))
        if changes := coded.get("c"):
            items = list(items)
            for place, fields in changes.items():
                key, item = items[int(place)]
                items[int(place)] = key, {**item, **fields}
        self._items = items
        return items

    def _ordered(self, order: Sequence[Any]) -> Iterator[tuple[str | None, Any]]:
        for each in order:
            if isinstance(each, dict):
                yield each.get("k"), each["+"]
            else:
                first, count = each
                if not 0 <= first <= first + count <= len(self._items):
                    raise IndexError(f"a run of {count} from {first}, of {len(self._items)}")
                yield from self._items[first : first + count]
