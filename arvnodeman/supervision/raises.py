"""By what operators have raised budgets, over restarts: a small JSON file in the state directory.

It is written before anybody is told that a budget is raised. What is over is forgotten at the next change.
"""

from __future__ import annotations

import json
import logging
import math
import threading
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from arvnodeman.fleet.values.budgets import BudgetRaise
from arvnodeman.supervision.ready_file import ReadyFile, read_object

FILE_NAME = "budgets.json"
FORMAT = 1
ROOM = 64 << 10  # bytes

logger = logging.getLogger("arvnodeman.budgets")


class RaisedBudgets:
    """The file. Any thread."""

    def __init__(self, folder: Path | None, now: float) -> None:
        """Without a folder it is known until the process ends."""
        self._path = folder / FILE_NAME if folder is not None else None
        self._file = ReadyFile(self._path, ROOM) if self._path is not None else None
        self._lock = threading.Lock()
        self._kept = {each.budget: each for each in self._read() if each.until > now}

    @property
    def kept(self) -> tuple[BudgetRaise, ...]:
        """Those that are not over, or were not when the file was last changed."""
        return tuple(self._kept.values())

    def keep(self, said: BudgetRaise) -> bool:
        """Replaces what was said of the same budget before. False: a restart will not know of it, as there is
        no state directory. Raises OSError, and nothing is kept."""
        with self._lock:
            kept = {name: each for name, each in self._kept.items() if each.until > said.at and name != said.budget}
            if said.amount > 0:
                kept[said.budget] = said
            if self._file is not None:
                raises = [asdict(each) for each in kept.values()]
                self._file.replace(json.dumps({"format": FORMAT, "raises": raises}, indent=1) + "\n")
            self._kept = kept
            return self._file is not None

    def close(self) -> None:
        """Give the room back."""
        if self._file is not None:
            self._file.close()

    def _read(self) -> list[BudgetRaise]:
        if self._path is None:
            return []
        try:
            found = read_object(self._path)
            if found is None:
                return []
            if found.get("format") != FORMAT:
                raise ValueError("its format is another")
            return [_raise(each) for each in found["raises"]]
        except (OSError, ValueError, TypeError, KeyError) as error:
            logger.warning("%s was not written by this version (%s): budgets are as configured", self._path, error)
            return []


def _raise(plain: Mapping[str, Any]) -> BudgetRaise:
    numbers = [float(plain[name]) for name in ("amount", "until", "at")]
    if not all(map(math.isfinite, numbers)):
        raise ValueError("a figure in it is not a number")
    amount, until, at = numbers
    return BudgetRaise(str(plain["budget"]), amount, until, str(plain["reason"]), at, str(plain["ends"]))
