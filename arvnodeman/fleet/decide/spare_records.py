"""Records that nobody uses, and that may be taken for a boot: most of a list, where a site has many slots or names.

What makes one spare does not change by itself. So a poll asks nothing of those that are the same objects as before, but
whether somebody has them now.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Set
from operator import is_
from typing import NamedTuple

from arvnodeman.fleet.decide.state import State
from arvnodeman.fleet.values.model import NodeRecord
from arvnodeman.fleet.values.work import NodeWork

Turn = tuple[bool, int, str]  # those with a slot first; of names that differ in a number the lowest


def turn_of(record: NodeRecord) -> Turn:
    """When it is taken."""
    return record.slot is None, len(record.uuid), record.uuid


class _Spare(NamedTuple):
    record: NodeRecord
    word: NodeWork | None  # the scheduler's, of its name
    lacked: int  # the number of the cloud list that first lacked its node


class SpareRecords:
    """Those of the newest list."""

    def __init__(self) -> None:
        self._spare: dict[str, _Spare] = {}  # by uuid
        self._were: dict[str, int] = {}  # those that are others than at the last list, and when each first lacked one
        self._basis: tuple[object, ...] = ()  # what is the same for all of them
        self._now = 0.0
        self._changed = True  # the following are to be made anew
        self._records: list[NodeRecord] = []
        self._hosts: list[str] = []
        self._words: list[NodeWork | None] = []
        self._names: list[str] = []  # those of the hosts that are given to nodes
        self._turns: list[Turn] = []

    def __contains__(self, uuid: str) -> bool:
        return uuid in self._spare

    def lacked(self, uuid: str) -> int:
        """The number of the cloud list that first lacked the node of one that was spare; 0 for all others."""
        known = self._spare.get(uuid)
        return known.lacked if known is not None else self._were.get(uuid, 0)

    def still(self, state: State, taken: Set[str]) -> Collection[str]:
        """A list has come: those that are spare as before. `taken`: records that are somebody's."""
        basis, now = (state.policy, state.freshness.ages), state.record_now
        if now < self._now or len(basis) != len(self._basis) or not all(map(is_, basis, self._basis)):
            self._were = {uuid: each.lacked for uuid, each in self._spare.items()}  # their ages are others
            self._spare, self._changed = {}, True
        else:
            self._were = {}
        self._basis, self._now = basis, now
        roster, words = state.roster, state.roster.slurm or {}
        somebodys = taken & self._spare.keys() | roster.paired.keys() & self._spare.keys()
        if not roster.carried.isdisjoint(self._names):
            names = ((uuid, each.record) for uuid, each in self._spare.items() if each.record.is_name)
            somebodys.update(uuid for uuid, record in names if record.hostname in roster.carried)
        for uuid in somebodys:
            del self._spare[uuid]
            self._changed = True
        self._arrange()
        known = roster.records.get
        alike = all(map(is_, map(known, self._spare), self._records))
        if not (alike and all(map(is_, map(words.get, self._hosts), self._words))):
            for uuid, (record, word, lacked) in list(self._spare.items()):
                if known(uuid) is not record or words.get(record.hostname or "") is not word:
                    del self._spare[uuid]
                    self._were[uuid], self._changed = lacked, True
        return self._spare.keys()

    def _arrange(self) -> None:
        if not self._changed:
            return
        self._changed = False
        self._records = [each.record for each in self._spare.values()]
        self._hosts = [record.hostname or "" for record in self._records]
        self._words = [each.word for each in self._spare.values()]
        self._names = [record.hostname or "" for record in self._records if record.is_name]
        self._turns = sorted(map(turn_of, self._records))

    def take(self, state: State, record: NodeRecord, lacked: int) -> bool:
        """One that may be taken, and has no node: is it spare until it is another, or somebody's?"""
        if record.slot is not None or record.intent is not None or record.instance_id is not None:
            return False
        word = (state.roster.slurm or {}).get(record.hostname or "")
        self._spare[record.uuid] = _Spare(record, word, lacked)
        self._changed = True
        return True

    def in_turn(self, others: Collection[Turn]) -> deque[str]:
        """The uuids of all of them, and of these others, in the order in which they are taken."""
        self._arrange()
        turns = sorted([*others, *self._turns]) if others else self._turns
        return deque([uuid for _, _, uuid in turns])
