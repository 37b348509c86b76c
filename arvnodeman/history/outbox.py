"""What is to be written, between the recorder and the writer: bounded, and never waited for."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from arvnodeman.history.schema import Row

MOST = 100_000  # rows, and as many lives
A_BATCH = 20_000  # rows in one transaction


class Outbox:
    """Two threads. Of a life the newest account alone is kept. What finds no room is dropped, and counted."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._lives: dict[tuple[object, ...], Row] = {}  # by id and beginning
        self._rows: list[Row] = []
        self.dropped = 0

    def put(self, rows: Iterable[Row]) -> None:
        """Add rows, as many as there is room for."""
        with self._lock:
            for row in rows:
                kind, values = row
                if kind == "life":
                    if values[:2] in self._lives or len(self._lives) < self._most:
                        self._lives[values[:2]] = row
                        continue
                elif len(self._rows) < self._most:
                    self._rows.append(row)
                    continue
                self.dropped += 1

    def take(self) -> list[Row]:
        """A batch, oldest first; [] when there is nothing."""
        with self._lock:
            lives = list(self._lives.values())[:A_BATCH]
            for _, values in lives:
                del self._lives[values[:2]]
            rows, self._rows = self._rows[:A_BATCH], self._rows[A_BATCH:]
            return lives + rows

    def give_back(self, rows: Iterable[Row]) -> None:
        """What could not be written, to be tried again before all else. Newer accounts of a life win."""
        with self._lock:
            lives: dict[tuple[object, ...], Row] = {}
            others: list[Row] = []
            for row in rows:
                if row[0] == "life":
                    lives[row[1][:2]] = row
                else:
                    others.append(row)
            self._lives = lives | self._lives
            self._rows = others + self._rows
            surplus = max(0, len(self._rows) - self._most)
            if surplus:
                del self._rows[-surplus:]
                self.dropped += surplus

    def __len__(self) -> int:
        return len(self._lives) + len(self._rows)
