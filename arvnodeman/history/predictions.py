"""Predictions that `simulate --save` has put into the history, and how they compare with what came."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from arvnodeman.history import report, schema
from arvnodeman.history.reading import PATIENCE
from arvnodeman.history.schema import NotOurs

HOUR = 3600.0


class CannotSave(Exception):
    """The history cannot be written to. The text is one line for people."""


class Prediction(NamedTuple):
    """What a simulation has told of a time. Moments are seconds since the epoch, `cost` is $."""

    made: float
    since: float  # the time that it is of
    until: float
    config: str  # of which configuration
    jobs: int  # that begin
    node_hours: float
    cost: float
    mean_wait: float  # seconds


@dataclass(frozen=True, slots=True)
class PredictionScore:
    """A prediction beside what the history has of its time."""

    prediction: Prediction
    recorded_hours: float  # of that time
    jobs: int  # that left the queue
    node_hours: float
    cost: float
    mean_wait: float
    is_over: bool  # its time is

    @property
    def hours(self) -> float:
        """That its time is long."""
        return (self.prediction.until - self.prediction.since) / HOUR


def save(path: Path, prediction: Prediction) -> None:
    """Put it into a history that there is; one of an older version is migrated. Raises CannotSave."""
    try:
        if complaint := schema.no_file(path):
            raise NotOurs(complaint)
        with path.open("r+b"):  # its errors say more than SQLite's
            pass
        connection = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None)
        try:
            if schema.is_empty(connection):
                raise NotOurs("it is empty")
            schema.migrate(connection, schema.check(connection))
            connection.execute(schema.INSERT["prediction"], prediction)
        finally:
            connection.close()
    except NotOurs as error:
        raise CannotSave(f"{path} is not a history that can be written: {error}") from None
    except OSError as error:
        raise CannotSave(f"{path} cannot be written: {error.strerror or error}") from None
    except sqlite3.Error as error:
        raise CannotSave(f"{path} cannot be written: {error}") from None


def scores(connection: sqlite3.Connection, since: float, until: float, now: float) -> Sequence[PredictionScore]:
    """Of the predictions made in that time, in order. Raises sqlite3.Error."""
    seen = report.seen_until(connection, now)
    rows = connection.execute(
        f"SELECT {schema.PREDICTION} FROM prediction WHERE made >= ? AND made <= ? ORDER BY made, rowid",  # noqa: S608
        (since, until),
    )
    return [_score(connection, Prediction(*row), seen, now) for row in rows.fetchall()]


def _score(connection: sqlite3.Connection, prediction: Prediction, seen: float, now: float) -> PredictionScore:
    came = report.make(connection, prediction.since, min(prediction.until, max(now, prediction.since)), seen)
    total = came.total
    return PredictionScore(
        prediction=prediction,
        recorded_hours=came.recorded_hours,
        jobs=came.waits.jobs,
        node_hours=total.hours,
        cost=total.cost,
        mean_wait=came.waits.mean,
        is_over=prediction.until <= now,
    )
