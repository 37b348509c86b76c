"""Frozen dataclasses that are made as they are by the hundred thousand: `@quick` above `@dataclass(frozen=True, ...)`.

A frozen class refuses assignments, so the `__init__` that a dataclass gets goes round that with a call for each field,
which is most of what a value costs. Here a value is filled while it is of a class that allows it, and of the frozen one
from then on: the same in all else.
"""

from __future__ import annotations

from dataclasses import MISSING, Field, fields
from typing import Any, TypeVar

Made = TypeVar("Made")


def quick(made: type[Made]) -> type[Made]:
    """To stand above a frozen dataclass with slots of its own, without a base or `__post_init__`."""
    every: tuple[Field[Any], ...] = fields(made)  # type: ignore[arg-type]  # it is one
    names = tuple(each.name for each in every)
    given: dict[str, Any] = {"new": object.__new__, "blank": type(made.__name__, (), {"__slots__": names})}
    parameters, lines = ["cls"], ["self = new(blank)"]
    keywords = False
    for each in every:
        if each.kw_only and not keywords:
            keywords = True
            parameters.append("*")
        parameters.append(each.name)
        value = each.name
        if each.default_factory is not MISSING:
            given[f"make_{each.name}"], given["missing"] = each.default_factory, MISSING
            parameters[-1] += "=missing"
            value = f"make_{each.name}() if {each.name} is missing else {each.name}"
        elif each.default is not MISSING:
            given[f"usual_{each.name}"] = each.default
            parameters[-1] += f"=usual_{each.name}"
        lines.append(f"self.{each.name} = {value}")
    lines += ["self.__class__ = cls", "return self"]
    text = f"def __new__({', '.join(parameters)}):\n " + "\n ".join(lines)
    exec(text, given)  # noqa: S102 - names of fields alone are in it, as in what dataclasses make
    reduced = f"def __reduce__(self):\n return again, (type(self), {', '.join(f'self.{name}' for name in names)},)"
    given["again"] = _again
    exec(reduced, given)  # noqa: S102 - likewise
    made.__new__ = given["__new__"]  # type: ignore[method-assign]
    made.__reduce__ = given["__reduce__"]  # type: ignore[method-assign]
    del made.__init__
    _in_turn[made] = names
    return made


_in_turn: dict[type, tuple[str, ...]] = {}  # names of fields


def _again(made: type[Made], *values: object) -> Made:
    """A copy, or what was pickled."""
    return made(**dict(zip(_in_turn[made], values, strict=True)))
