"""Several EC2 nodes made by one RunInstances: what says which instance is which node, and what is not answered yet.

All instances of a request get the same tags. So the list of nodes, by launch index, stands in tags that all of them
have from the first moment on: whoever lists an instance, also a daemon that has just started, knows by its launch index
which boot made it, and what it is called. The node's own tags come after that, and nothing depends on them.

    arvados_node_batch     stem=19a3f tail=.zyxwv.example.com
    arvados_node_batch_0   -12=compute3 -13=compute4 -15=compute0
    arvados_node_batch_3   ...

A request that was not answered for certain is *open*: what is asked for again of it is the same request, to the last
byte, for which EC2 answers with the same instances.
"""

from __future__ import annotations

import functools
import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from arvnodeman.cloud.base import NodeWish
from arvnodeman.cloud.shared_user_data import common_start

MOST = 100  # nodes of one request: AWS advises five requests of 100 rather than one of 500
BATCH_TAG = "arvados_node_batch"
_MOST_OPEN = 10_000  # boots remembered
_LONGEST_VALUE = 256  # characters of a tag's value
_MOST_TAGS = 50  # of an instance
_OWN_TAGS = 4  # that are written later: Name, token, word, one to spare


@dataclass(frozen=True, slots=True)
class Member:
    """A node of a batch: the token of its boot, and its name."""

    token: str
    name: str


def list_tags(members: Sequence[Member]) -> dict[str, str]:
    """The tags that all instances of a batch have: members by launch index."""
    stem = common_start([member.token for member in members])
    tail = common_start([member.name[::-1] for member in members])[::-1]
    tail = tail[tail.index(".") :] if "." in tail else ""
    tags = {BATCH_TAG: f"stem={stem} tail={tail}"}
    first, value = 0, ""
    for index, member in enumerate(members):
        entry = f"{member.token[len(stem) :]}={member.name[: len(member.name) - len(tail)]}"
        if value and len(value) + 1 + len(entry) > _LONGEST_VALUE:
            tags[f"{BATCH_TAG}_{first}"] = value
            first, value = index, ""
        value = f"{value} {entry}" if value else entry
    tags[f"{BATCH_TAG}_{first}"] = value
    return tags


def room_in_tags(members: Sequence[Member], others: int) -> int:
    """So many of the first of these members have room in the tags, beside so many other tags."""
    count = len(members)
    while count > 1 and len(list_tags(members[:count])) + others + _OWN_TAGS > _MOST_TAGS:
        count -= max(1, count // 10)
    return count


def member_of(tags: Mapping[str, str], index: object) -> Member | None:
    """Which node an instance is, by what all of its batch carry and its own launch index; None where it is of no batch,
    or none of its nodes."""
    stem, _, tail = tags.get(BATCH_TAG, "").partition(" ")
    if not stem.startswith("stem=") or not tail.startswith("tail=") or not isinstance(index, int) or index < 0:
        return None
    firsts = [int(name.rpartition("_")[2]) for name in tags if _is_part(name)]
    first = max((each for each in firsts if each <= index), default=None)
    if first is None:
        return None
    entries = tags[f"{BATCH_TAG}_{first}"].split(" ")
    token, _, name = entries[index - first].partition("=") if index - first < len(entries) else ("", "", "")
    return Member(stem[5:] + token, name + tail[5:]) if name else None


def _is_part(name: str) -> bool:
    start, _, number = name.rpartition("_")
    return start == BATCH_TAG and number.isdecimal() and number.isascii()


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """One request: its nodes by launch index, and the arguments of create_node, with which it can be sent again."""

    wishes: tuple[NodeWish, ...]
    arguments: Mapping[str, Any] = field(repr=False)  # the user data holds ping secrets

    @property
    def request(self) -> str:
        """What the client token is made of: the boots in their order."""
        boots = "\n".join(f"{wish.record.uuid}/{wish.token}" for wish in self.wishes)
        return hashlib.sha256(boots.encode()).hexdigest()


class OpenBatches:
    """The requests that were sent and not answered for certain. Many threads may use it."""

    def __init__(self) -> None:
        self.born = time.monotonic()  # what an earlier run has asked for was asked for before that
        self._lock = threading.Lock()
        self._by_token: OrderedDict[str, Batch] = OrderedDict()

    def of(self, token: str) -> Batch | None:
        """The one that a boot is in."""
        with self._lock:
            return self._by_token.get(token)

    def sent(self, batch: Batch) -> None:
        """It goes out."""
        with self._lock:
            for wish in batch.wishes:
                self._by_token[wish.token] = batch
                self._by_token.move_to_end(wish.token)
            while len(self._by_token) > _MOST_OPEN:
                self._by_token.popitem(last=False)

    def answered(self, tokens: Iterable[str]) -> None:
        """These boots have their answer: a node, or that there is none."""
        with self._lock:
            for token in tokens:
                self._by_token.pop(token, None)


@functools.cache
def batches_of_process() -> OpenBatches:
    """Those of this process, shared by all its drivers: tokens are of one boot each."""
    return OpenBatches()
