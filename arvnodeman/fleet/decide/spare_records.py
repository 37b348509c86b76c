"""Records that nobody uses: most of a list, where a site has many slots or names.

Whether one may be taken for a boot does not change by itself, but that a young one becomes old enough, at a known time.
So a poll asks nothing of those that are the same objects as before, but whether somebody has them now.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Collection, Set
from operator import is_
from typing import NamedTuple

from arvnodeman.fleet.decide.state import State
from arvnodeman.fleet.values.model import NodeRecord
from arvnodeman.fleet.values.work import NodeWork

EARLY = 1.0  # seconds before a young one is old enough, from which on it is asked about
Turn = tuple[bool, int, str]  # those with a slot first; of names that differ in a number the lowest


def turn_of(record: NodeRecord) -> Turn:
    """When it is taken."""
    return record.slot is None, len(record.uuid), record.uuid


class _Spare(NamedTuple):
    record: NodeRecord
    word: NodeWork | None  # the scheduler's, of its name
    lacked: int  # the number of the cloud list that first lacked its node
    until: float  # it is asked about again then, in the record keeper's time; 0: it may be taken, and stays so


class SpareRecords:
    """Those of the newest list."""

    def __init__(self) -> None:
        self._spare: dict[str, _Spare] = {}  # by uuid
        self._were: dict[str, int] = {}  # those that are to be asked about, and when each first lacked a node
        self._basis: tuple[object, object] = (None, None)  # what is the same for all of them
        self._now = 0.0
        self._changed = True  # the following are to be made anew
        self._records: list[NodeRecord] = []
        self._hosts: list[str] = []
        self._words: list[NodeWork | None] = []
        self._names: list[str] = []  # those of the hosts that are given to nodes
        self._turns: list[Turn] = []  # of those that may be taken, in order; kept up to date one by one
        self._until = math.inf  # when the first of the others is asked about again

    def __contains__(self, uuid: str) -> bool:
        return uuid in self._spare

    def lacked(self, uuid: str) -> int:
        """The number of the cloud list that first lacked the node of one that was spare; 0 for all others."""
        known = self._spare.get(uuid)
        return known.lacked if known is not None else self._were.get(uuid, 0)

    def still(self, state: State, taken: Set[str]) -> Set[str]:
        """A list has come: those that are spare as before. `taken`: records that are somebody's."""
        self._were = {}
        basis, now = (state.policy, state.freshness.ages), state.record_now
        if now < self._now or not all(map(is_, basis, self._basis)):  # their ages are others
            self._were = {uuid: each.lacked for uuid, each in self._spare.items()}
            self._spare, self._turns, self._changed = {}, [], True
        self._basis, self._now = basis, now
        self._drop(self._somebodys(state, taken))
        self._arrange()
        known, words = state.roster.records.get, state.roster.slurm or {}
        alike = all(map(is_, map(known, self._spare), self._records))
        if now < self._until and alike and all(map(is_, map(words.get, self._hosts), self._words)):
            return self._spare.keys()
        others = {
            uuid: lacked
            for uuid, (record, word, lacked, until) in self._spare.items()
            if 0 < until <= now or known(uuid) is not record or words.get(record.hostname or "") is not word
        }
        self._drop(others)
        self._were.update(others)
        return self._spare.keys()

    def _somebodys(self, state: State, taken: Set[str]) -> set[str]:
        """Those that an operation or a node has, or of whose name there is a node."""
        roster = state.roster
        found = taken & self._spare.keys() | roster.paired.keys() & self._spare.keys()
        if not roster.carried.isdisjoint(self._names):
            names = ((uuid, each.record) for uuid, each in self._spare.items() if each.record.is_name)
            found.update(uuid for uuid, record in names if record.hostname in roster.carried)
        return found

    def _drop(self, uuids: Collection[str]) -> None:
        for uuid in uuids:
            spare = self._spare.pop(uuid)
            if not spare.until:
                del self._turns[bisect_left(self._turns, turn_of(spare.record))]
            self._changed = True

    def _arrange(self) -> None:
        if not self._changed:
            return
        self._changed = False
        spare = self._spare.values()
        self._records = [each.record for each in spare]
        self._hosts = [record.hostname or "" for record in self._records]
        self._words = [each.word for each in spare]
        self._names = [record.hostname or "" for record in self._records if record.is_name]
        self._until = min((each.until for each in spare if each.until), default=math.inf)

    def take(self, state: State, record: NodeRecord, lacked: int, *, free: bool) -> bool:
        """One without a node. `free`: it may be taken for a boot. Is it spare until it is another, or somebody's?"""
        if record.slot is not None or record.intent is not None or record.instance_id is not None:
            return False
        until = 0.0
        if not free:
            until = math.inf
            if record.free is None:
                until = (record.modified_at or 0.0) + state.policy.node_stale_after - EARLY
                if until <= state.record_now:
                    return False
        word = (state.roster.slurm or {}).get(record.hostname or "")
        self._spare[record.uuid] = _Spare(record, word, lacked, until)
        if not until:
            insort(self._turns, turn_of(record))
        self._changed = True
        return True

    def in_turn(self, others: Collection[Turn]) -> deque[str]:
        """The uuids of all that may be taken, and of these others, in the order in which they are."""
        turns = sorted([*others, *self._turns]) if others else self._turns
        return deque([uuid for _, _, uuid in turns])
