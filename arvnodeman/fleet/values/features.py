"""What a job's constraint asks of nodes' features, as Slurm reads it: `a&(b|c)`, `[rack1|rack2]`, `[gpu*2&big*1]`.

* `&` and `|` bind alike, from left to right: `a|b&c` is `(a|b)&c`. A comma is an `&`. Parentheses go one level deep.
* One pair of brackets may be there. `[a|b]`: the job's nodes have all a, or all b. That is wanted whatever stands
  beside it: `c|[a|b]` is `c&[a|b]`, and what follows goes on from before it.
* With a count, as in `gpu*2`, so many of the job's nodes must have the feature; then what has no count counts for
  nothing, but for `[a|b]`. Counts in brackets are of different nodes: `[a*2&b*1]` takes three.

Nodes that a job gets are alike here, for they are booted from one size.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from functools import lru_cache

SIZE_FEATURE = "instancetype="
NONE = ("", "(null)", "N/A", "none")  # how Slurm writes that nothing is asked for
_TOKEN = re.compile(r"([^&|,()\[\]*\s]+)|\*([0-9]{1,9})(?![0-9])|(.)", re.DOTALL)
_LONGEST = 4096  # characters
Features = frozenset[str]
_MANY = 1 << 40  # nodes: enough for every count
_AND, _OR = "&", "|"


class NoFeatures(ValueError):
    """A text that is no expression of features."""


@dataclass(slots=True)
class _Item:
    """One feature, or what stands in parentheses."""

    before: str  # the operator before it
    bracket: bool
    terms: list[tuple[str, str]] = field(default_factory=list)  # operator and feature
    count: int = 0  # nodes that must have it; 0: not said

    def is_met(self, features: Collection[str]) -> bool:
        """Does a node with these features have it?"""
        met = True
        for operator, name in self.terms:
            met = _joined(met, operator, name in features)
        return met


class _Reader:
    """One reading of one text, sign by sign."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.items: list[_Item] = []
        self._operator = _AND  # before what comes next
        self._complete = False  # has a feature come since the last operator?
        self._group: _Item | None = None  # the parentheses that are open
        self._bracket = self._had_bracket = False

    def read(self) -> tuple[_Item, ...]:
        """The items, in order. Raises NoFeatures."""
        for name, count, sign in _TOKEN.findall(self._text):
            good = self._name(name) if name else self._count(int(count)) if count else self._sign(sign)
            if not good:
                raise self._wrong()
        if self._group is not None or self._bracket or not self.items or not self._bracket_is_good():
            raise self._wrong()
        return tuple(self.items)

    def _name(self, name: str) -> bool:
        if self._complete:
            return False
        if self._group is None:
            self.items.append(_Item(self._operator, self._bracket, [(_AND, name)]))
        else:
            self._group.terms.append((self._operator if self._group.terms else _AND, name))
        self._complete = True
        return True

    def _count(self, count: int) -> bool:
        if not self._complete or self._group is not None or self.items[-1].count or not count:
            return False
        self.items[-1].count = count
        return True

    def _sign(self, sign: str) -> bool:
        was_complete = self._complete
        match sign:
            case "&" | "," | "|":
                self._operator, self._complete = _OR if sign == _OR else _AND, False
                return was_complete
            case "(":
                nested, self._group = self._group is not None, _Item(self._operator, self._bracket)
                self.items.append(self._group)
                return not was_complete and not nested
            case ")":
                closed, self._group = self._group, None
                return was_complete and closed is not None
            case "[":
                good = not was_complete and not self._had_bracket and self._group is None
                self._bracket = self._had_bracket = True
                return good
            case "]":
                good = was_complete and self._bracket and self._group is None
                self._bracket = False
                return good
        return False

    def _bracket_is_good(self) -> bool:
        """Alternatives without counts, or features that all have one, or a single one."""
        inside = [item for item in self.items if item.bracket]
        operators = {item.before for item in inside[1:]}
        counted = [item for item in inside if item.count]
        return operators == set() or (operators == {_OR} and not counted) or (operators == {_AND} and counted == inside)

    def _wrong(self) -> NoFeatures:
        return NoFeatures(f"not an expression of features: {self._text[:80]!r}")


@lru_cache(maxsize=4096)
def _items(text: str) -> tuple[_Item, ...]:
    if len(text) > _LONGEST:
        raise NoFeatures(f"too long for an expression of features: {text[:40]!r}…")
    return _Reader(text).read()


def _joined(left: bool, operator: str, right: bool) -> bool:
    return left or right if operator == _OR else left and right


def meets(text: str, features: Collection[str], nodes: int = 1) -> bool:
    """May so many nodes, each with these features, be those of a job that asks for this? Raises NoFeatures."""
    if text in NONE:
        return True
    items = _items(text)
    inside = [item for item in items if item.bracket]
    alternatives = inside if len(inside) > 1 and not inside[0].count else []
    if alternatives and not any(item.is_met(features) for item in alternatives):
        return False
    counted = [item for item in items if item.count]
    if counted:
        together = sum(item.count for item in inside)
        return together <= nodes and all(item.count <= nodes and item.is_met(features) for item in counted)
    met = True
    for item in items:
        if not (alternatives and item.bracket):
            met = _joined(met, item.before, item.is_met(features))
    return met


def named(text: str) -> tuple[str, ...]:
    """The features that are named in it, in order. Raises NoFeatures."""
    if text in NONE:
        return ()
    return tuple(dict.fromkeys(name for item in _items(text) for _, name in item.terms))


def size_needed(text: str) -> str | None:
    """X, where no node that lacks `instancetype=X` will do; the first, where that holds for several. Raises
    NoFeatures."""
    names = named(text)
    for size in sizes_named(text):
        if not meets(text, [name for name in names if name != SIZE_FEATURE + size], _MANY):
            return size
    return None


def sizes_named(text: str) -> tuple[str, ...]:
    """Each X of `instancetype=X` in it. Raises NoFeatures."""
    sizes = (name.removeprefix(SIZE_FEATURE) for name in named(text) if name.startswith(SIZE_FEATURE))
    return tuple(filter(None, sizes))
