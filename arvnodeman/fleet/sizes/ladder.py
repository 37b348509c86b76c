"""How boots of a size with several rungs go: each rung rests by itself, and the size when all of them do.

Want of capacity, quota, a refusal, a node that is not delivered or does not come up: all that tells of the rung where
it happened. What tells of the size, whatever the rung, is kept by the size: whether a node of it has ever come up, and
that the cloud's answers or lists cannot be read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from arvnodeman.fleet.sizes.limits import BackOff, SizeHealth
from arvnodeman.fleet.values.model import NodeSize
from arvnodeman.fleet.values.rungs import Purchase, Rung

_DETAIL = 120  # characters of what the cloud said of one rung, for people


@dataclass(slots=True)
class LadderHealth(SizeHealth):
    """Of a size with rungs. `backing_off`, `until` and `detail` are those of all rungs together, while none is open."""

    ladder: tuple[Rung, ...] = ()
    rungs: dict[str, SizeHealth] = field(default_factory=dict)  # by key
    _mirrors: bool = False  # it rests because its rungs do

    def at(self, rung: str) -> SizeHealth:
        """How boots at one rung have gone; those of the size, where there is no such rung."""
        if not any(each.key == rung for each in self.ladder):
            return self
        found = self.rungs.get(rung)
        if found is None:
            found = self.rungs[rung] = SizeHealth(first_wait=self.first_wait, proven=True)
        return found

    def climb(self, ladder: tuple[Rung, ...], first_wait: float) -> None:
        """The configuration may have other rungs, or in another order: what is known of those that stay is kept."""
        for known in self.rungs.values():
            known.first_wait = first_wait
        if ladder != self.ladder:
            self.ladder = ladder
            keys = {each.key for each in ladder}
            self.rungs = {key: each for key, each in self.rungs.items() if key in keys}
            self.settle()

    def rest(
        self, why: BackOff, t: float, detail: str = "", standing: int = 0, *, late: bool = False, least: float = 0.0
    ) -> None:
        """See SizeHealth: all of it, whatever its rungs do."""
        if self._mirrors:
            self._mirrors = False
            self.recover()
        SizeHealth.rest(self, why, t, detail, standing, late=late, least=least)

    def retry(self, t: float) -> None:
        """See SizeHealth."""
        for each in self.rungs.values():
            each.retry(t)
        SizeHealth.retry(self, t)

    def copied(self) -> LadderHealth:
        """See SizeHealth."""
        return replace(self, rungs={key: each.copied() for key, each in self.rungs.items()})

    @property
    def rests(self) -> bool:
        """See SizeHealth."""
        return self.backing_off is not None or any(each.backing_off is not None for each in self.rungs.values())

    def create_succeeded(self, rung: str = "") -> None:
        """See SizeHealth."""
        if not self.late and not self._mirrors:
            self.recover()
        each = self.at(rung)
        if each is not self:
            each.create_succeeded()
        self.settle()

    def came_up(self, rung: str = "") -> None:
        """See SizeHealth."""
        self.proven = True
        self.trouble = ""
        if self.late and not self._mirrors:
            self.recover()
        each = self.at(rung)
        if each is not self:
            each.came_up()
        self.settle()

    def boot_failed(self, t: float, rung: str = "") -> bool:
        """See SizeHealth: of the rung."""
        each = self.at(rung)
        began = SizeHealth.boot_failed(each, t)
        self.settle()
        return began

    def settle(self) -> None:
        """Something of a rung is otherwise: does the size rest?"""
        if self.backing_off is not None and not self._mirrors:
            return
        known = [self.rungs.get(each.key) for each in self.ladder]
        resting = [each for each in known if each is not None and each.backing_off is not None]
        self._mirrors = bool(known) and len(resting) == len(known)
        if not self._mirrors:
            self.backing_off, self.until, self.detail, self.late = None, 0.0, "", False
            return
        only_quota = all(each.backing_off is BackOff.QUOTA for each in resting)
        self.backing_off = BackOff.QUOTA if only_quota else BackOff.LADDER
        self.until = min(each.until for each in resting)
        self.late = all(each.late for each in resting)
        self.quota_nodes = max(each.quota_nodes for each in resting)
        self.detail = self.tried()

    def tried(self) -> str:
        """What rests, and why, in words."""
        told = []
        for rung in self.ladder:
            each = self.rungs.get(rung.key)
            if each is not None and each.backing_off is not None:
                said = each.detail if len(each.detail) <= _DETAIL else each.detail[:_DETAIL] + "…"
                told.append(f"{rung.words}: {each.backing_off.value}" + (f": {said}" if said else ""))
        return "; ".join(told)

    def is_backing_off(self, t: float, standing: int) -> bool:
        """See SizeHealth."""
        if not self._mirrors:
            return SizeHealth.is_backing_off(self, t, standing)
        return all(self._is_shut(each, t, standing) for each in self.ladder)

    def _is_shut(self, rung: Rung, t: float, standing: int) -> bool:
        known = self.rungs.get(rung.key)
        return known is not None and known.is_backing_off(t, standing)

    def room(self, t: float, standing: int, creating: int, pending: int) -> int:
        """See SizeHealth."""
        if self._mirrors and not self.is_backing_off(t, standing):  # one of them has rested: one node as a probe
            return max(0, 1 - (pending if self.late else creating))
        return SizeHealth.room(self, t, standing, creating, pending)

    def first_open(self, t: float, standing: int, shunned: frozenset[Purchase] = frozenset()) -> Rung | None:
        """The first rung that does not rest; those of a shunned purchase come after all others."""
        rungs = sorted(self.ladder, key=lambda each: each.purchase in shunned)
        return next((each for each in rungs if not self._is_shut(each, t, standing)), None)

    def choose(
        self,
        t: float,
        standing: int,
        flying: Mapping[str, int],
        coming: Mapping[str, int],
        shunned: frozenset[Purchase] = frozenset(),
    ) -> Rung | None:
        """The rung at which a node is asked for now; those of a shunned purchase come after all others. One that has
        rested is asked for one node first. By rung: `flying` are requests that the cloud has not answered, `coming`
        these and nodes that have not come up."""
        for rung in sorted(self.ladder, key=lambda each: each.purchase in shunned):
            known = self.rungs.get(rung.key)
            if known is None or known.room(t, standing, flying.get(rung.key, 0), coming.get(rung.key, 0)) > 0:
                return rung
        return None


def health_of(size: NodeSize, before: SizeHealth | None, first_wait: float) -> SizeHealth:
    """What is kept of how boots of a size go, in the form that its rungs ask for."""
    if isinstance(before, LadderHealth) and size.ladder:
        before.climb(size.ladder, first_wait)
        return before
    if before is not None and not size.ladder and not isinstance(before, LadderHealth):
        return before
    proven = before.proven if before is not None else False
    if size.ladder:
        return LadderHealth(first_wait=first_wait, proven=proven, ladder=size.ladder)
    return SizeHealth(first_wait=first_wait, proven=proven)
