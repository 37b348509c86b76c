"""The gate: may boots begin, may requests go out that create or destroy a node, and why not. One value for all."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Bar(StrEnum):
    """What shuts the gate."""

    NOT_LEADER = "not the leader"
    LATE_HOLD = "late hold"  # the lead was not renewed lately: nothing new
    SAFE_MODE = "safe mode"
    STOPPING = "stopping"
    OLD_LISTS = "old lists"
    NO_SIZES = "no sizes"
    DOUBTED_NODES = "doubted nodes"
    DOUBTED_RECORDS = "doubted records"


@dataclass(frozen=True, slots=True)
class Shut:
    """Why something may not go out now."""

    bar: Bar
    words: str


@dataclass(frozen=True, slots=True)
class Gate:
    """What may go out now. `boots`: why none may begin; `requests`: why no node may be created or destroyed, by what is
    under way either. Nothing in them: they may. The first reason is the one that is told. An operator's kill asks no
    gate."""

    boots: tuple[Shut, ...] = ()
    requests: tuple[Shut, ...] = ()

    @property
    def lets_boots(self) -> bool:
        """May boots, shutdowns and cancellations begin?"""
        return not self.boots

    @property
    def lets_requests(self) -> bool:
        """May nodes be created and destroyed?"""
        return not self.requests

    @property
    def words(self) -> str:
        """Why nothing is decided now; '' when it is."""
        return self.boots[0].words if self.boots else ""

    def is_shut_by(self, bar: Bar) -> bool:
        """Is this one of the reasons?"""
        return any(shut.bar is bar for shut in self.boots)


OPEN = Gate()
_NO_LIST = (Shut(Bar.OLD_LISTS, "no list has come yet"),)
AT_FIRST = Gate(_NO_LIST, _NO_LIST)
