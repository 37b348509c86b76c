"""The last pass of the plan: which nodes go and which stay, each by its id and with its reason."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set

from arvnodeman.fleet.plan.booting import Booting
from arvnodeman.fleet.plan.closing import run_dry
from arvnodeman.fleet.plan.picture import IDLE, Ends, Going, IdleBin, Keep, Kept, Picture, Stop, size_of
from arvnodeman.fleet.plan.spares import Unmatched, stays
from arvnodeman.fleet.plan.wishlist import Supply
from arvnodeman.fleet.values import reasons
from arvnodeman.fleet.values.leaving import ShutdownKind
from arvnodeman.fleet.values.reasons import Reason


class NodeEnding:
    """Goes through what may go."""

    def __init__(self, picture: Picture, ends: Ends, supply: Supply, booting: Booting) -> None:
        self.verdicts: list[Keep | Stop] = []
        self.wanted: list[tuple[Sequence[IdleBin], Reason]] = []  # idle nodes that jobs have, and why they stay
        self._picture = picture
        self._ends = ends
        self._supply = supply
        self._booting = booting
        self._up = 0
        self._room = 0
        self._candidates: list[tuple[float, float, Unmatched]] = []  # less the price, since
        self._in_the_way: set[str] = set()  # candidates that Slurm keeps for one job, and whose place another waits for

    def walk(
        self, taken_back: Set[str], ended: int, room: int, seeks: Callable[[str], bool], *, in_the_way: bool
    ) -> None:
        """`taken_back`: nodes whose shutdown is; `ended`: boots that are gone at once; `room`: nodes that are to make
        room for jobs which a limit stops; `seeks`: may a waiting job get a node of this pool? `in_the_way`: a job that
        a limit stops would have room without the nodes that Slurm keeps."""
        at_once = [node for node in self._picture.leaving if node.at_once and node.id in taken_back]
        self._up = self._ends.unlisted - ended + self._ends.busy + len(at_once)
        self._up += sum(len(nodes) for nodes in self._ends.idle.values())
        self._room = room
        for case in self._ends.cases:
            match case:
                case Keep():
                    self.verdicts.append(case)
                    self._up += case.up
                case Stop():
                    self.verdicts.append(case)
                    self._room -= not case.works
                case Kept():
                    self._up += 1
                    if self._ends.may_unplan and (in_the_way or not seeks(case.pool)):
                        unplanned = Unmatched(case.id, "", case.reason)
                        self._candidates.append((-case.price, self._picture.t, unplanned))
                        if in_the_way:
                            self._in_the_way.add(case.id)
                    else:
                        self.verdicts.append(Keep(case.id, case.meanwhile, told=False))
                case Going():
                    self._room -= case.makes_room and case.id not in taken_back
        self._choose_unmatched()
        for node in at_once:
            self.verdicts.append(Keep(node.id, reasons.wanted(size_of(node.pool))))
        self._stop_unwanted()

    def stop_spent(self) -> None:
        """Nodes at work for budgets whose money is all spent may take no new jobs; min_nodes stay."""
        closed = self._ends.spent[: max(0, self._up - self._picture.policy.min_nodes)]
        self._up -= len(closed)
        self.verdicts += closed

    def run_dry(self) -> None:
        """No job waits: half-empty nodes may take no new ones."""
        self.verdicts += run_dry(self._ends.partly_used, self._up - self._picture.policy.min_nodes)

    def _choose_unmatched(self) -> None:
        """Of the idle nodes of a pool so many may go as were matched to nothing: those idle for longest, held ones
        last."""
        t = self._picture.t
        for pool in sorted(self._ends.idle):
            nodes = self._ends.idle[pool]
            unmatched = min(self._supply.left(pool, IDLE), len(nodes))
            ahead = self._booting.ahead_idle.get(pool, ())
            if not unmatched and not ahead:
                self.wanted.append((nodes, reasons.wanted(size_of(pool))))
                continue
            turns = sorted(nodes, key=lambda node: (node.held, t if node.since is None else node.since, node.turn))
            for node in turns[:unmatched]:
                since = t if node.since is None else node.since
                candidate = Unmatched(node.id, node.size, self._ends.chances[node.id].reason)
                self._candidates.append((-node.price, since, candidate))
            matched = turns[unmatched:]
            self.verdicts += [Keep(node.id, reason) for node, reason in zip(matched, ahead, strict=False)]
            if len(ahead) < len(matched):
                self.wanted.append((matched[len(ahead) :], reasons.wanted(size_of(pool))))

    def _stop_unwanted(self) -> None:
        """The dearest first, then the longest idle; spares and min_nodes are kept, but for what is in the way at a
        limit: spares last."""
        least = self._picture.policy.min_nodes
        turns = [candidate for _, _, candidate in sorted(self._candidates, key=lambda row: row[:2])]
        spares = stays(turns, self._booting.wishes)
        for identity, _, reason in sorted(turns, key=lambda candidate: candidate.id in spares):
            spare, makes_room = spares.get(identity), self._room > 0 and self._makes_room(identity, reason)
            if spare is not None and not makes_room:
                self.verdicts.append(Keep(identity, spare))
            elif spare is None and reason.goes and (self._up > least or self._is_in_the_way(identity)):
                self._let_go(identity, reason)
            elif makes_room:
                polls = self._ends.chances[identity].polls
                self._let_go(identity, reasons.IdleExceeded(polls=polls, makes_room=True))
            else:
                why = reasons.KeepsMinimum(min_nodes=least) if reason.goes else reason
                self.verdicts.append(Keep(identity, why))

    def _is_in_the_way(self, identity: str) -> bool:
        return self._room > 0 and identity in self._in_the_way

    def _let_go(self, identity: str, reason: Reason) -> None:
        self._up -= 1
        self._room -= 1
        self.verdicts.append(Stop(identity, ShutdownKind.UNWANTED, reason))

    def _makes_room(self, identity: str, reason: Reason) -> bool:
        """At a limit: may a node that nobody wants go for a job of another size, whatever window and min_nodes say?"""
        chance = self._ends.chances.get(identity)
        return chance is not None and chance.enough and not isinstance(reason, reasons.Held)
