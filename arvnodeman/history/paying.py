"""Who was on which node, and what nodes were booted for, as the history file has it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from arvnodeman.history.schema import Row
from arvnodeman.money.division import PaidNode, Stake, Stay
from arvnodeman.money.payers import Payer

WHO = 'user, account, qos, "partition"'


class PaidLife(NamedTuple):
    """A node at one price, with the jobs that were on it in the time asked for."""

    id: str
    host: str
    node: PaidNode
    stays: list[Stay]


def paid_lives(connection: sqlite3.Connection, since: float, until: float) -> Iterator[PaidLife]:
    """All that lived between two moments, those of one name together. Raises sqlite3.Error."""
    asked = {"since": since, "until": until}
    in_that_time = "WHERE began < :until AND (ended IS NULL OR ended > :since)"
    lives = connection.execute(
        f"SELECT hostname, id, began, ended, size, price FROM life {in_that_time} ORDER BY hostname, began",  # noqa: S608
        asked,
    )
    runs = connection.execute(
        f"SELECT host, began, ended, job, part, {WHO} FROM run {in_that_time} ORDER BY host, began",  # noqa: S608
        asked,
    )
    booted_for = _booted_for(connection)
    stays_of = _Stays(runs)
    for host, rows in groupby(lives, lambda row: str(row[0])):
        stays = stays_of.host(host) if host else []
        for _, identity, began, ended, size, price in rows:
            end = until if ended is None else ended
            node = PaidNode(price, began, ended, size, _stakes(booted_for.get(identity, ()), end))
            here = [stay for stay in stays if stay.began < end and stay.lasts_beyond(began)]
            yield PaidLife(identity, host, node, here)


class _Stays:
    """Stays by host, of rows in the order of hosts: read once, and no more of them kept than one host's."""

    def __init__(self, rows: Iterable[Sequence[object]]) -> None:
        self._hosts = groupby(rows, lambda row: str(row[0]))
        self._next = next(self._hosts, None)

    def host(self, name: str) -> list[Stay]:
        """Those of this host, which comes after all that were asked for."""
        while self._next is not None and self._next[0] < name:
            self._next = next(self._hosts, None)
        if self._next is None or self._next[0] != name:
            return []
        found = [_stay(*row[1:]) for row in self._next[1]]
        self._next = next(self._hosts, None)
        return found


def _stay(*row: object) -> Stay:
    began, ended, job, part, *who = row
    assert isinstance(began, float)
    assert isinstance(part, float)
    assert ended is None or isinstance(ended, float)
    return Stay(Stake(str(job), Payer(*map(str, who)), part), began, ended)


_BootedFor = dict[str, list[tuple[float, list[Stake]]]]


def _booted_for(connection: sqlite3.Connection) -> _BootedFor:
    """By id of the node, the oldest first: an id may come again."""
    found: _BootedFor = {}
    rows = connection.execute(f"SELECT id, at, job, part, {WHO} FROM booted_for ORDER BY id, at")  # noqa: S608
    for (identity, at), group in groupby(rows, lambda row: (row[0], row[1])):
        stakes = [Stake(str(job), Payer(*map(str, who)), part) for _, _, job, part, *who in group]
        found.setdefault(identity, []).append((at, stakes))
    return found


def _stakes(known: Sequence[tuple[float, list[Stake]]], end: float) -> list[Stake]:
    """Of the node of this id that ended then."""
    return next((stakes for at, stakes in reversed(known) if at < end), [])


def run_row(host: str, stay: Stay) -> Row:
    """The row of a job on a node."""
    stake = stay.stake
    ended = None if stay.ended is None else round(stay.ended, 3)
    return "run", (host, round(stay.began, 3), stake.job, ended, round(stake.part, 6), *stake.payer)


def booted_for_rows(identity: str, at: float, stakes: Iterable[Stake]) -> list[Row]:
    """The rows of what a node was booted for."""
    moment = round(at, 3)
    return [("booted_for", (identity, moment, stake.job, round(stake.part, 6), *stake.payer)) for stake in stakes]
