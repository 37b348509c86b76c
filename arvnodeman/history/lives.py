"""The lives of nodes: when each began and ended, of which size, at what price. What they cost follows from that.

A node whose price changes has two lives on end. A life ends when the cloud takes the request to destroy the node, or
when no list shows it any more. A spot node that the cloud takes back is gone, whoever destroys what is left of it: it
may have given notice, or be listed as stopped.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from arvnodeman.fleet.messages import Decided
from arvnodeman.fleet.values.model import NodeState
from arvnodeman.fleet.values.rungs import Purchase
from arvnodeman.fleet.view.view import NodeStatus, View

LONGEST = 10 * 366 * 86_400.0  # seconds: a start time further back is a slip of the cloud's
SAME_START = 300.0  # seconds by which two accounts of one node's start may differ
REMEMBERED = 86_400.0  # seconds after its end in which a node may turn up again

_TAKES = frozenset({Decided.RECLAIMED, Decided.GONE})
_SPOT = f"/{Purchase.SPOT}"  # the end of the key of a rung
GONE, AWAY, DESTROYED, REPRICED = "gone", "away", "destroyed", "repriced"  # how lives end


@dataclass(slots=True)
class Life:
    """One node at one price. Moments are seconds since the epoch, the price is $/hour."""

    id: str  # the cloud's
    began: float
    name: str
    hostname: str
    size: str  # '' unknown
    price: float
    preemptible: bool = False
    follows: bool = False  # the same node lived before, at another price
    ended: float | None = None
    how: str = ""
    rung: str = ""  # the key of its size's rung at which it was had
    on_demand: float = 0.0  # what it would cost at the dearest rung of its size; 0: it has no rung
    lost: float = 0.0  # seconds that it had worked without a break when it was gone
    works_from: float | None = None  # since when it works without a break
    owed_from: float = 0.0  # what it cost before is added up already
    taken: bool = False  # the cloud takes it back, or has: how it ends then is no choice of ours

    @property
    def destroyed(self) -> bool:
        """Has it ended by our request?"""
        return self.how == DESTROYED or (self.taken and self.ended is not None)


class PaidSpan(NamedTuple):
    """A time that has been, and is to be paid for."""

    price: float  # $/hour
    since: float
    until: float


def cost(price: float, since: float, until: float) -> float:
    """In $; nothing when the time is empty."""
    return price * max(0.0, until - since) / 3600


class Lives:
    """Follows the nodes from view to view. Used by one thread."""

    def __init__(self) -> None:
        self.open: dict[str, Life] = {}
        self.spans: list[PaidSpan] = []  # of lives that have ended, until somebody takes them
        self._past: dict[str, Life] = {}  # ended lately, by id: the newest life of each
        self._names: dict[str, str] = {}  # cloud name -> id
        self._unsaid: list[Life] = []  # ends that happened while nobody looked

    def remember(self, lives: Iterable[Life], away_since: float) -> None:
        """What an earlier run has left, before the first look. Its open lives go on when their nodes are there still;
        else they ended at `away_since`, when that run last looked."""
        for life in lives:
            if life.ended is None:
                life.ended, life.how = max(away_since, life.began), AWAY
                self._unsaid.append(life)
            self._pay(life)
            known = self._past.get(life.id)
            if known is None or known.began <= life.began:
                self._past[life.id] = life

    def observe(self, view: View, now: float) -> list[Life]:
        """A view of this moment. The lives that have begun, changed or ended."""
        changed: list[Life] = []
        for status in view.nodes.values():
            life = self.open.get(status.id)
            if life is None:
                changed += self._appears(status, view, now)
            elif (life.price, life.size) != (status.price, status.size or ""):
                changed += self._reprice(life, status, now, view)
            elif status.hostname is not None and life.hostname != status.hostname:
                life.hostname = status.hostname
                changed.append(life)
        for life in self.open.values():
            if life.rung and life.id in view.nodes:
                _note_work(life, view.nodes[life.id], view, now)
        changed += [self._end(self.open[gone], now, GONE, lost=True) for gone in self.open.keys() - view.nodes.keys()]
        changed += [life for life in self._unsaid if life.ended is not None]
        self._unsaid.clear()
        self._forget(view, now)
        return changed

    def decided(self, kind: Decided, subject: str, at: float) -> Life | None:
        """A decision was made at this moment. The life that it ended, or prolonged."""
        identity = self._names.get(subject, "")
        life = self.open.get(identity)
        if life is not None and kind in _TAKES and life.rung.endswith(_SPOT):
            life.taken = True
            if life.works_from is not None:
                life.lost = max(0.0, at - life.works_from)
        if kind is not Decided.DESTROYED:
            return None
        if life is not None:
            return self._end(life, max(at, life.began), GONE if life.taken else DESTROYED)
        life = self._past.get(identity)
        if life is not None and life.destroyed and (life.ended or 0.0) < at:
            life.ended = at  # the first request did not do
            self._pay(life)
            return life
        return None

    def take_spans(self) -> list[PaidSpan]:
        """The spans since the last call."""
        spans, self.spans = self.spans, []
        return spans

    def _appears(self, status: NodeStatus, view: View, now: float) -> Iterator[Life]:
        began = _began(status, view, now)
        past = self._past.get(status.id)
        self._names[status.name] = status.id
        if past is None or (status.cloud.start_time is not None and began > past.began + SAME_START):
            yield self._begin(status, began, view)
        elif not past.destroyed or not (status.state is NodeState.SHUTDOWN or (past.taken and status.cloud.stopped)):
            del self._past[status.id]  # it was there all the time
            past.ended, past.how, past.taken = None, "", False
            self.open[status.id] = past
            yield past
            if (past.price, past.size) != (status.price, status.size or ""):
                yield from self._reprice(past, status, now, view)

    def _begin(self, status: NodeStatus, began: float, view: View, *, follows: bool = False) -> Life:
        life = Life(
            id=status.id,
            began=began,
            name=status.name,
            hostname=status.hostname or "",
            size=status.size or "",
            price=status.price,
            preemptible=status.cloud.preemptible,
            follows=follows,
            rung=status.cloud.rung,
            on_demand=_on_demand(status, view),
            owed_from=began,
        )
        self._past.pop(status.id, None)
        self.open[status.id] = life
        return life

    def _reprice(self, life: Life, status: NodeStatus, now: float, view: View) -> Iterator[Life]:
        yield self._end(life, now, REPRICED)
        again = self._begin(status, now, view, follows=True)
        again.works_from = life.works_from
        yield again

    def _end(self, life: Life, at: float, how: str, *, lost: bool = False) -> Life:
        self.open.pop(life.id)
        if lost and life.works_from is not None:
            life.lost = max(0.0, at - life.works_from)
        life.ended, life.how = at, how
        self._pay(life)
        self._past[life.id] = life
        return life

    def _pay(self, life: Life) -> None:
        assert life.ended is not None
        since = max(life.began, life.owed_from)
        self.spans.append(PaidSpan(life.price, since, life.ended))
        life.owed_from = max(since, life.ended)

    def _forget(self, view: View, now: float) -> None:
        for identity, life in list(self._past.items()):
            if identity not in view.nodes and now - (life.ended or now) > REMEMBERED:
                del self._past[identity]
                self._names.pop(life.name, None)


def _note_work(life: Life, status: NodeStatus, view: View, now: float) -> None:
    """Since when does it work? What is going or silent is as it was."""
    if status.state is NodeState.BUSY:
        if life.works_from is None:
            life.works_from = now - max(0.0, view.t - status.since)
    elif status.state not in (NodeState.SHUTDOWN, NodeState.DOWN):
        life.works_from = None


def _on_demand(status: NodeStatus, view: View) -> float:
    """What it would cost at the dearest rung of its size."""
    if not status.cloud.rung:
        return 0.0
    return next((size.dearest for size in view.sizes if size.id == status.size), 0.0)


def _began(status: NodeStatus, view: View, now: float) -> float:
    """When a node began, by our clock: by the cloud's word, else when it was first seen."""
    if status.cloud.start_time is not None and view.basis is not None:
        age = view.basis.cloud_now - status.cloud.start_time
        if 0 <= age <= LONGEST:
            return now - age
    return now - max(0.0, view.t - status.first_seen)
