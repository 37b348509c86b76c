"""Numbers of jobs: tasks of arrays, one by one or many in one row, and parts of heterogeneous jobs."""

from __future__ import annotations

import re
from typing import NamedTuple

MOST_TASKS = 4_000_001  # MaxArraySize at its largest
_NUMBER = re.compile(r"([0-9]{1,10})(?:_([0-9]{1,10})|\+([0-9]{1,10}))?")
_PACKED = re.compile(r"([0-9]{1,10})_\[([0-9,:-]*)(\.\.\.)?(?:%[0-9]{1,10})?(\])?")
_SPAN = re.compile(r"([0-9]{1,7})(?:-([0-9]{1,7})(?::([0-9]{1,7}))?)?")


class Numbered(NamedTuple):
    """Whose row this is."""

    ids: tuple[str, ...]  # one, or those of all tasks that share the row
    array: str = ""
    het: str = ""
    cut: bool = False  # the list of tasks is not whole
    raw: str = ""  # of a part of a heterogeneous job, which has no other while it waits


def numbered(text: str, raw: str = "") -> Numbered:
    """`17`, `17_3`, `17+1`, `17_[1-9:2,20%4]`. A list that sacct has cut is what there is of it. `raw`: the number that
    is the job's own. Raises ValueError."""
    match = _NUMBER.fullmatch(text)
    if match is not None:
        number, task, part = match.groups()
        return Numbered((text,), number if task else "", number if part else "", raw=raw if part else "")
    packed = _PACKED.fullmatch(text)
    if packed is None:
        raise ValueError(f"not the number of a job: {text[:60]!r}")
    number, items, dots, closed = packed.groups()
    cut = bool(dots) or not closed
    spans = items.split(",")
    if cut:
        spans.pop()  # its last one may be cut itself, as `31` of `310`; with dots it is empty
    tasks: dict[int, None] = {}
    for item in spans:
        span = _SPAN.fullmatch(item)
        if span is None:
            raise ValueError(f"not tasks of an array: {text[:60]!r}")
        first, last, step = (int(part) if part else 0 for part in span.groups())
        found = range(first, (last if span[2] else first) + 1, step or 1)
        if len(tasks) + len(found) > MOST_TASKS:
            raise ValueError(f"more tasks than an array may have: {text[:60]!r}")
        tasks.update(dict.fromkeys(found))
    if not tasks:
        raise ValueError(f"tasks of an array that are not listed: {text[:60]!r}")
    return Numbered(tuple(f"{number}_{task}" for task in tasks), number, "", cut)


def tasks_of_mask(mask: str) -> list[int]:
    """Which tasks a mask of hexadecimal digits has: bit i is task i. Raises ValueError."""
    if not re.fullmatch(r"0x[0-9a-fA-F]{1,1000002}", mask):
        raise ValueError(f"not a mask of tasks: {mask[:60]!r}")
    bits = bin(int(mask, 16))[:1:-1]
    return [place for place, bit in enumerate(bits) if bit == "1"]
