"""A frozen dataclass of many fields that stands in many tables: its hash is worked out once for each object."""

from __future__ import annotations

from dataclasses import fields


class KeepsHash:
    """To be a base of such a class, which says `__hash__ = KeepsHash.__hash__`, or it would get another. What is kept
    is no field: nobody compares, copies, sends or writes it, so it never leaves the process, where it would be wrong.
    """

    __slots__ = ("_hash",)

    _hash: int

    def __hash__(self) -> int:
        try:
            return self._hash
        except AttributeError:
            found = hash(tuple([getattr(self, each.name) for each in fields(self)]))  # type: ignore[arg-type]
            object.__setattr__(self, "_hash", found)
            return found
