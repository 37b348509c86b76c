"""What holds boots back beside max_nodes and the price cap: the soft quota, and sizes that rest.

Times are steady seconds (see `BrainClock`). Both kinds of limit end by themselves: nothing here stops booting for good
(row N1).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from arvnodeman.fleet.values.model import NO_LIMIT
from arvnodeman.fleet.values.rungs import Rung

LONGEST_WAIT = 900.0  # seconds: rests and quota retries double up to this
UNPROVEN_AT_ONCE = 5  # boots at once of a size of which no node has come up yet
FAILED_BOOTS = 5  # in a row, before a size rests


class Quota:
    """A soft limit learnt from refusals: the number of nodes at which the other side said "no more" (row C18)."""

    def __init__(self, ceiling: int, retry_after: float) -> None:
        self.ceiling = ceiling
        self.value = ceiling
        self.retry_at: float | None = None  # when the next probe is due; None: no refusal stands
        self.other_size_may_try = False  # right after a refusal, one boot of another size may go above it
        self._first_wait = retry_after
        self._wait = retry_after
        self._probing = False  # a probe is out: its refusal doubles the wait, the echo of a crowd's does not

    def set_ceiling(self, ceiling: int, retry_after: float) -> None:
        """The configuration changed: a quota that was not learnt follows the new ceiling."""
        self.value = ceiling if self.retry_at is None else min(self.value, ceiling)
        self.ceiling, self._first_wait = ceiling, retry_after

    def refused(self, standing: int, t: float) -> None:
        """A create was refused while `standing` nodes existed or were being created, the refused one not counted."""
        if self.retry_at is None:
            self._wait = self._first_wait
            self.retry_at = t + self._wait
        elif self._probing:
            self._wait = min(self._wait * 2, LONGEST_WAIT)
            self.retry_at = t + self._wait
        self._probing = False
        self.value = min(standing, self.ceiling)
        self.other_size_may_try = True

    def created(self, standing: int) -> bool:
        """A create succeeded with `standing` nodes, it included. True when that raised the quota."""
        if self.retry_at is None or standing < self.value:
            return False
        self._probing = False
        self._wait = self._first_wait
        self._raise_to(max(self.value + 1, standing))
        return True

    def probe_due(self, t: float) -> bool:
        """When the time has come, raise the quota by one, as a probe. True when it did."""
        if self.retry_at is None or t < self.retry_at:
            return False
        self.retry_at = t + self._wait
        self._probing = True
        self._raise_to(self.value + 1)
        return True

    def _raise_to(self, value: int) -> None:
        self.value = min(value, self.ceiling)
        if self.value >= self.ceiling:
            self.retry_at = None


class BackOff(StrEnum):
    """Why a size rests."""

    CAPACITY = "the cloud has no capacity for it"
    QUOTA = "the cloud refused it for quota"
    BOOT_FAILURES = "its nodes fail to come up"
    REFUSED = "the cloud refuses it for good"
    GAVE_UP = "requests for it kept failing"
    NO_ADDRESS = "its nodes have no address at which Slurm could reach them"
    UNSEEN = "no list of the cloud shows its nodes"
    UNDELIVERED = "the cloud accepts requests for it but does not deliver"
    LADDER = "no zone or purchase of it is available"
    UNREADABLE = "the cloud's answers to create requests for it cannot be read"


@dataclass(slots=True)
class SizeHealth:
    """How boots of one size have gone lately."""

    first_wait: float = 60.0
    proven: bool = False  # a node of it has come up
    backing_off: BackOff | None = None
    until: float = 0.0
    detail: str = ""  # the other side's words
    quota_nodes: int = 0  # BackOff.QUOTA: how many nodes stood when it was refused
    boot_failures: int = 0  # in a row
    late: bool = False  # it rests for what came after the cloud's yes to a create: another yes proves nothing
    trouble: str = ""  # what went wrong with its last boot, while none has come up since
    trouble_at: float = 0.0
    _wait: float = 0.0

    def rest(
        self, why: BackOff, t: float, detail: str = "", standing: int = 0, *, late: bool = False, least: float = 0.0
    ) -> None:
        """Let the size rest, twice as long as the last time unless something succeeded since, and `least` seconds."""
        if self.backing_off is not None and t < self.until:  # an echo of the same refusal
            self.detail = detail or self.detail
            self.quota_nodes = min(self.quota_nodes, standing)
            self.late = self.late or late
            if t + least > self.until:
                self.backing_off, self.until = why, t + least
            return
        self._wait = min(self._wait * 2, LONGEST_WAIT) if self._wait else self.first_wait
        self.backing_off, self.until, self.detail, self.quota_nodes = why, t + max(self._wait, least), detail, standing
        self.late = late

    def troubled(self, why: str, t: float) -> None:
        """A boot of it does not go well, for people to read."""
        self.trouble, self.trouble_at = why, t

    @property
    def rests(self) -> bool:
        """Does it rest, or has it rested, all of it or a part?"""
        return self.backing_off is not None

    def at(self, _rung: str) -> SizeHealth:
        """How boots at one rung have gone: it has no rungs."""
        return self

    def settle(self) -> None:
        """Something of its rungs is otherwise: it has none."""

    def first_open(self, _t: float, _standing: int) -> Rung | None:
        """The first rung that does not rest: it has none."""
        return None

    def retry(self, t: float) -> None:
        """An operator wants it tried again now."""
        if self.backing_off is not None:
            self.until = min(self.until, t)

    def copied(self) -> SizeHealth:
        """As it is now."""
        return replace(self)

    def create_succeeded(self, _rung: str = "") -> None:
        """The cloud made a node: want of capacity or quota is over."""
        if not self.late:
            self.recover()

    def came_up(self, _rung: str = "") -> None:
        """A node of this size is idle or busy in Slurm."""
        self.proven = True
        self.boot_failures = 0
        self.trouble = ""
        if self.late:
            self.recover()

    @property
    def comes_up(self) -> bool:
        """A node of it has come up, and not so many since then have failed to in a row."""
        return self.proven and self.boot_failures < FAILED_BOOTS

    def boot_failed(self, t: float, _rung: str = "") -> bool:
        """A node did not come up, or vanished before it did. True when the size begins to rest for it."""
        self.boot_failures += 1
        if self.boot_failures < FAILED_BOOTS:
            return False
        began = self.backing_off is None or t >= self.until
        self.rest(BackOff.BOOT_FAILURES, t, f"{self.boot_failures} boots in a row", late=True)
        return began

    def recover(self) -> None:
        """No rest of it counts any more."""
        self.backing_off, self.until, self.detail, self._wait, self.late = None, 0.0, "", 0.0, False

    def is_backing_off(self, t: float, standing: int) -> bool:
        """True while no boot of it may begin. A refusal for quota is over as soon as nodes have gone since."""
        if self.backing_off is None or t >= self.until:
            return False
        return self.backing_off is not BackOff.QUOTA or standing >= self.quota_nodes

    def room(self, t: float, standing: int, creating: int, pending: int) -> int:
        """How many more boots of this size may begin.

        `creating`: its boots that the cloud has not answered yet; `pending`: those, and its nodes not up yet.
        """
        if self.is_backing_off(t, standing):
            return 0
        if self.backing_off is not None:  # rested: one node as a probe
            return max(0, 1 - (pending if self.late else creating))
        if not self.proven:
            return max(0, UNPROVEN_AT_ONCE - pending)
        return NO_LIMIT
