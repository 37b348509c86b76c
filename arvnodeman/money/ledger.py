"""The ledger: what each payer has spent, by quarter hours, what is spent now, and what is committed.

Calendars of all time zones have their hours, days and months begin with a quarter hour, so what was spent in any of
these is a sum of whole ones.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from arvnodeman.fleet.values.budgets import USUAL_LIFE
from arvnodeman.money.division import Charge, PaidNode, Stay, charges, divided, stakes_now
from arvnodeman.money.payers import EVERYBODY, Payer, Whose

STEP = 900.0  # seconds
KEPT = 35 * 86_400.0  # seconds: a month, and what a clock that is set back may want
LEAST_LEFT = 900.0  # seconds that a node without a known end is committed for, however old it is
SUMS = 16  # beginnings of periods for which sums are kept


@dataclass(slots=True, eq=False)
class NodeBill:
    """A node and the jobs on it, as the one who keeps the ledger follows them. `settled`: up to when it is booked."""

    node: PaidNode
    stays: list[Stay] = field(default_factory=list)
    settled: float = -math.inf
    host: str = ""  # the name of the node for the scheduler

    def stays_now(self, now: float) -> list[Stay]:
        """Jobs that are on it, of a node that is there."""
        if self.node.ended is not None:
            return []
        return [stay for stay in self.stays if stay.began <= now and (stay.ended is None or stay.ended > now)]

    def forget_booked(self) -> None:
        """Stays that ended before all that is yet to be booked."""
        if len(self.stays) > 1:
            self.stays = [stay for stay in self.stays if stay.lasts_beyond(self.settled)]


class CostLedger:
    """For one thread. Moments are seconds since the epoch."""

    def __init__(self, since: float) -> None:
        """`since`: nothing before it is known."""
        self.known_since = since
        self._steps: dict[int, dict[Payer, float]] = {}
        self._sums: dict[int, dict[Payer, float]] = {}  # by the step since which they are
        self._open: Sequence[NodeBill] = ()
        self._lives: dict[str, tuple[int, float]] = {}  # by size: how many have ended, and their seconds

    # ---- keeping ---------------------------------------------------------------------------------------------------

    def goes_back_to(self, moment: float) -> None:
        """What was since this moment is, or will be, booked."""
        self.known_since = min(self.known_since, moment)

    def settle(self, account: NodeBill, until: float) -> list[Charge]:
        """Book what a node has cost up to this moment, as far as it is not booked. What was booked now."""
        found = list(charges(account.node, account.stays, account.settled, until))
        for charge in found:
            self._book(charge)
        account.settled = max(account.settled, min(until, account.node.ended or until))
        account.forget_booked()
        return found

    def follow(self, accounts: Sequence[NodeBill]) -> None:
        """These are not booked to their end; all others are."""
        self._open = accounts

    def lived(self, size: str, seconds: float) -> None:
        """A node of this size has ended, so old."""
        count, total = self._lives.get(size, (0, 0.0))
        self._lives[size] = count + 1, total + seconds

    def forget(self, now: float) -> None:
        """What is older than anybody asks for."""
        oldest = int((now - KEPT) // STEP)
        for step in [step for step in self._steps if step < oldest]:
            del self._steps[step]
        for step in [step for step in self._sums if step < oldest]:
            del self._sums[step]

    def _book(self, charge: Charge) -> None:
        seconds, begin, payer = charge.until - charge.since, charge.since, charge.stake.payer
        while begin < charge.until:
            step = int(begin // STEP)
            end = min(charge.until, (step + 1) * STEP)
            part = charge.dollars * (end - begin) / seconds
            spent = self._steps.setdefault(step, {})
            spent[payer] = spent.get(payer, 0.0) + part
            for since, sums in self._sums.items():
                if step >= since:
                    sums[payer] = sums.get(payer, 0.0) + part
            begin = end

    # ---- asking ----------------------------------------------------------------------------------------------------

    def by_payer(self, since: float, until: float) -> dict[Payer, float]:
        """What each has spent between two moments, in $: `since` and `until` at a quarter hour, or `until` now."""
        first, last = int(since // STEP), math.ceil(until / STEP)
        if any(step >= last for step in self._steps):
            found: dict[Payer, float] = {}
            for step, spent in self._steps.items():
                if first <= step < last:
                    _add(found, spent.items())
        else:
            found = dict(self._sum_since(first))
        for account in self._open:
            begin = max(since, account.settled)
            _add(found, _paid(charges(account.node, account.stays, begin, until)))
        return found

    def spent(self, since: float, until: float, whose: Whose = EVERYBODY) -> float:
        """What these have spent, likewise."""
        return math.fsum(dollars for payer, dollars in self.by_payer(since, until).items() if whose.has(payer))

    def rate(self, now: float, whose: Whose = EVERYBODY) -> float:
        """What these spend now, in $/hour."""
        return math.fsum(
            account.node.price * part
            for account in self._open
            if account.node.ended is None
            for stake, part in divided(stakes_now(account.node, account.stays, now))
            if whose.has(stake.payer)
        )

    def committed(self, now: float, whose: Whose = EVERYBODY) -> float:
        """What these will spend for the nodes that are there, in $: up to the end of the time limits of what runs on
        them; where one has none, or nothing runs, up to the age at which nodes of that size usually end."""
        return math.fsum(
            account.node.price * self._left(account, now) / 3600 * part
            for account in self._open
            if account.node.ended is None
            for stake, part in divided(stakes_now(account.node, account.stays, now))
            if whose.has(stake.payer)
        )

    def work(self, now: float, until: float, whose: Whose = EVERYBODY) -> float:
        """What these will spend up to `until`, in $, for nodes on which something runs: likewise."""
        return math.fsum(
            account.node.price * min(self._left(account, now), max(0.0, until - now)) / 3600 * part
            for account in self._open
            if account.stays_now(now)
            for stake, part in divided(stakes_now(account.node, account.stays, now))
            if whose.has(stake.payer)
        )

    def at_work(self, now: float) -> frozenset[str]:
        """The hosts on which something runs."""
        return frozenset(account.host for account in self._open if account.host and account.stays_now(now))

    def only_for(self, now: float, whose: Whose) -> frozenset[str]:
        """Those of them on which nobody else has anything."""
        return frozenset(
            account.host
            for account in self._open
            if account.host and (stays := account.stays_now(now)) and all(whose.has(stay.stake.payer) for stay in stays)
        )

    def lives(self) -> dict[str, float]:
        """Mean seconds that nodes have lived, by size; '' of any. Nothing before one has ended."""
        found = {size: seconds / count for size, (count, seconds) in self._lives.items()}
        if found:
            counts, totals = zip(*self._lives.values(), strict=True)
            found[""] = math.fsum(totals) / sum(counts)
        return found

    def usual_life(self, size: str) -> float:
        """Mean seconds that nodes of this size have lived."""
        count, total = self._lives.get(size, (0, 0.0))
        return total / count if count else USUAL_LIFE

    def _left(self, account: NodeBill, now: float) -> float:
        """Seconds that a node is committed for."""
        limits = [stay.limit for stay in account.stays_now(now)]
        known = [limit for limit in limits if limit is not None and limit < math.inf]
        if known and len(known) == len(limits):
            return max(0.0, max(known) - now)
        usual = max(LEAST_LEFT, account.node.began + self.usual_life(account.node.size) - now)
        return max([usual, *(limit - now for limit in known)])

    def _sum_since(self, first: int) -> Mapping[Payer, float]:
        """Of all steps from this one on: kept, since the same periods are asked for again and again."""
        sums = self._sums.pop(first, None)
        if sums is None:
            sums = {}
            for step, spent in self._steps.items():
                if step >= first:
                    _add(sums, spent.items())
        self._sums[first] = sums
        while len(self._sums) > SUMS:
            del self._sums[next(iter(self._sums))]
        return sums


def _paid(found: Iterable[Charge]) -> Iterable[tuple[Payer, float]]:
    return ((charge.stake.payer, charge.dollars) for charge in found)


def _add(sums: dict[Payer, float], more: Iterable[tuple[Payer, float]]) -> None:
    for payer, dollars in more:
        sums[payer] = sums.get(payer, 0.0) + dollars
