"""What a sweep tries: options with several values each, and all combinations of these."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from arvnodeman.config.assignments import Assignment, assignment
from arvnodeman.config.table import find

APART = " | "
MOST = 10_000  # combinations


@dataclass(frozen=True, slots=True)
class Axis:
    """One option and its values, as texts."""

    option: str  # [Section] option
    values: tuple[Assignment, ...]


def axis(text: str) -> Axis:
    """Of `[Section] option = value, value ...`. Values are parted by commas; by ` | ` where the text has it. Where the
    option's own value may have commas, it is `|` that parts. Raises ValueError with words."""
    given = assignment(text)
    option = find(given.declared_in, given.name)
    has_commas = option is not None and option.kind.has_commas
    by = "|" if has_commas or APART in f" {given.text} " else ","
    texts = [value.strip() for value in given.text.split(by)]
    name = f"[{given.section}] {option.name if option is not None else given.name}"
    if "" in texts and len(texts) > 1:
        raise ValueError(f"{name}: a value is empty; they stand between {'bars' if by == '|' else 'commas'}")
    if len(set(texts)) < len(texts):
        twice = next(value for value in texts if texts.count(value) > 1)
        raise ValueError(f"{name}: {twice[:40]!r} is there twice")
    return Axis(name, tuple(Assignment(given.section, given.name, value) for value in texts))


def combinations(axes: Sequence[Axis]) -> list[tuple[Assignment, ...]]:
    """All of them, in order: the last axis changes fastest. Raises ValueError with words."""
    for place, each in enumerate(axes):
        if each.option in {other.option for other in axes[:place]}:
            raise ValueError(f"{each.option}: given twice; give all its values at once")
    number = 1
    for each in axes:
        number *= len(each.values)
    if number > MOST:
        raise ValueError(f"{number:,} combinations; allowed: at most {MOST:,}")
    return list(product(*(each.values for each in axes)))
