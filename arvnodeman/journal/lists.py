"""Lists as what has changed in them since the list before: one that equals it costs a few bytes.

A code is an object with `o`, the order, where it is another one: runs `[FIRST, COUNT]` of the list before and new items
`{"+": ITEM}` (with `k`, the key, in a mapping); and `c`, the changed fields of items that were there, by their place in
the new list. No code at all: the same list again. A list that is none (None) is the code `null`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import compress
from operator import attrgetter, is_not
from typing import Any

from arvnodeman.journal.codec import Codec

Items = Collection[Any] | Mapping[str, Any] | None
_Pair = tuple[int, Any, Any]  # a place, the item of its key before, and now
_SOME = 16  # items that are compared at once


class ListCoder:
    """Codes one field of one event after the other. Items are found again by key: that of the mapping, or their first
    field. That decides on the length of the code alone, not on what it says."""

    def __init__(self, codec: Codec, item: type) -> None:
        self._codec = codec
        self._item = item
        self._fields = codec.encoders(item)
        self._key: Callable[[Any], Any] = attrgetter(dataclasses.fields(item)[0].name)
        self._last: Items = None
        self._items: list[Any] = []
        self._keys: list[Any] = []  # of a mapping

    def code(self, new: Items) -> dict[str, Any] | None:
        """The code of the next list, which nobody changes; {} when it equals the one before. Items that are the very
        objects that they were cost next to nothing."""
        if new is None:
            self._last, self._items, self._keys = None, [], []
            return None
        if new is self._last:
            return {}
        items = list(new.values()) if isinstance(new, Mapping) else list(new)
        keys = list(new) if isinstance(new, Mapping) else []
        coded: dict[str, Any] = {}
        pairs = self._in_place(items, keys)
        if pairs is None:
            coded["o"], pairs = self._order(items, keys)
        if changes := dict(self._changes(pairs)):
            coded["c"] = changes
        self._last, self._items, self._keys = new, items, keys
        return coded

    def _in_place(self, items: list[Any], keys: list[Any]) -> Iterable[_Pair] | None:
        """Items that are other objects than those in their places before, by place; None where keys have moved."""
        if len(items) != len(self._items) or keys != self._keys:
            return None
        others = list(compress(range(len(items)), map(is_not, self._items, items)))
        old, new = [self._items[place] for place in others], [items[place] for place in others]
        if not keys and list(map(self._key, old)) != list(map(self._key, new)):
            return None
        return zip(others, old, new, strict=True)

    def _order(self, items: list[Any], keys: list[Any]) -> tuple[list[list[int] | dict[str, Any]], list[_Pair]]:
        """The order, by runs and new items; and those that were there, but are other objects."""
        places = {key: place for place, key in enumerate(self._keys or map(self._key, self._items))}
        order: list[list[int] | dict[str, Any]] = []
        pairs: list[_Pair] = []
        run = [0, 0]
        place = 0
        named = keys or list(map(self._key, items))
        while place < len(items):
            item, before = items[place], places.get(named[place])
            if before is None or type(self._items[before]) is not type(item):
                order.append({"+": self._plain(item), **({"k": named[place]} if keys else {})})
                run = [0, 0]
                place += 1
                continue
            count = self._alike(before, items, place, keys)
            if not count:
                pairs.append((place, self._items[before], item))
                count = 1
            if run[1] and before == run[0] + run[1]:
                run[1] += count
            else:
                run = [before, count]
                order.append(run)
            place += count
        return order, pairs

    def _alike(self, before: int, items: list[Any], place: int, keys: list[Any]) -> int:
        """How many items, from these places on, are the same one after the other."""
        count, most = 0, min(len(self._items) - before, len(items) - place)
        if keys:  # of a mapping each is looked for by its key
            return int(self._items[before] is items[place])
        while count < most:
            first, second, some = before + count, place + count, min(_SOME, most - count)
            if self._items[first : first + some] != items[second : second + some]:
                break
            count += some
        while count < most and self._items[before + count] is items[place + count]:
            count += 1
        return count

    def _changes(self, pairs: Iterable[_Pair]) -> Iterator[tuple[int, dict[str, Any]]]:
        for place, old, new in pairs:
            if old == new:
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
        return self._codec.fields(item) if type(item) is self._item else self._codec.plain(item)


class ListReader:
    """Makes plain lists of the codes again. An item that has not changed is the very object that it was."""

    def __init__(self) -> None:
        self._items: list[tuple[str | None, Any]] = []  # key, in a mapping, and item

    def items(self, coded: Mapping[str, Any] | None) -> list[tuple[str | None, Any]] | None:
        """The next list. Raises KeyError, IndexError, TypeError or ValueError for what is not a code."""
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
