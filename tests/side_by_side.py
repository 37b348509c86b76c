"""The order of tests that run in several processes: files that wait for real services, spread among those that work."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")
WAITING = "tests/integration/"
SPREAD = 0.8  # of all; at the end stands what is short, so that no process waits for another


def mixed(items: Sequence[T], file_of: Callable[[T], str]) -> list[T]:
    """The same items, file by file: those of WAITING evenly among the first of the others. Any order of a file stays.

    Two cores have enough to do while a few processes wait for a Slurm, a daemon or a browser. All of these at the end
    would leave the cores idle.
    """
    files: dict[str, list[T]] = {}
    for item in items:
        files.setdefault(file_of(item), []).append(item)
    waiting = [file for file in files if file.startswith(WAITING)]
    working = [file for file in files if not file.startswith(WAITING)]
    place = {file: number / max(1, len(working)) for number, file in enumerate(working)}
    place |= {file: SPREAD * number / len(waiting) for number, file in enumerate(waiting)}
    return [item for file in sorted(place, key=place.__getitem__) for item in files[file]]
