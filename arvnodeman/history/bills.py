"""Who pays for the nodes that are and were, as it goes on: the ledger, fed with lives of nodes and jobs on them."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from arvnodeman.fleet.view.view import NodeStatus, View
from arvnodeman.history.lives import REMEMBERED, REPRICED, Life
from arvnodeman.history.paying import PaidLife, booted_for_rows, run_row
from arvnodeman.history.schema import Row
from arvnodeman.money.division import PaidNode, Stake, Stay, part_of
from arvnodeman.money.job_costs import JobCosts
from arvnodeman.money.ledger import KEPT, CostLedger, NodeBill
from arvnodeman.money.payers import EVERYBODY, Payer, Whose, payer_of
from arvnodeman.money.runs import JobRun, JobsOnNodes, RunsListed

LAG = 60.0  # seconds: what is younger is not booked yet, since a node's end may be heard of later
BOOK_EVERY = 30.0  # seconds, where nothing is new: what is not booked yet is counted when somebody asks
DEAF_FOR = 3600.0  # seconds without a list of jobs, after which those that were on nodes are taken to be there

_UNKNOWN = (0.0, 0.0)
_Key = tuple[str, float]  # of a life: id, beginning
_On = tuple[str, str, float]  # host, job, beginning


@dataclass(slots=True, eq=False)
class _Followed:
    """A life, and its bill."""

    life: Life
    bill: NodeBill
    has: tuple[float, float] = _UNKNOWN  # CPUs and MB that jobs can have of the node; 0: not known


@dataclass(slots=True)
class _Stay:
    """A job on a host, and when it was listed last."""

    host: str
    stay: Stay
    listed: float  # when it was listed last


class Bills:
    """Told by the recorder, asked by any thread."""

    def __init__(self, since: float) -> None:
        """`since`: when the account begins, in seconds since the epoch."""
        self._lock = threading.Lock()
        self.is_ready = False  # what earlier runs have left is in it, as far as it can be read
        self._ledger = CostLedger(since)
        self._followed: dict[_Key, _Followed] = {}
        self._stays: dict[_On, _Stay] = {}  # that have not ended
        self._closed: dict[_Key, float] = {}  # that have ended of late, and are booked
        self._heard: RunsListed | None = None
        self._known: Mapping[_On, JobRun] = {}  # in the newest list
        self._seen: View | None = None
        self._costs = JobCosts()
        self._booked = -math.inf  # when
        self._is_changed = False  # a life has begun, changed or ended since

    # ---- telling ---------------------------------------------------------------------------------------------------

    def remember(self, lives: Iterable[Life], paid: Iterable[PaidLife], last: float) -> None:
        """What earlier runs have left: all lives, of which those that go on have their stays followed. `last`: when the
        last run looked last; who was on a node then was there until then."""
        going_on = {(life.id, life.began): life for life in lives}
        with self._lock:
            for each in paid:
                key, bill = (each.id, each.node.began), NodeBill(each.node, each.stays, last - KEPT, each.host)
                if each.node.ended is not None or key not in going_on:
                    ended = each.node.ended = each.node.ended if each.node.ended is not None else last
                    self._ledger.settle(bill, ended)
                    self._ledger.lived(each.node.size, ended - each.node.began)
                    self._closed[key] = ended
                    continue
                self._costs.add(self._ledger.settle(bill, last - LAG))
                self._followed[key] = _Followed(going_on[key], bill)
                for stay in each.stays:
                    if stay.ended is None:
                        self._stays[each.host, stay.stake.job, stay.began] = _Stay(each.host, stay, last)

    def goes_back_to(self, moment: float) -> None:
        """An earlier run has left an account that begins there."""
        with self._lock:
            self._ledger.goes_back_to(moment)

    def note(self, life: Life) -> None:
        """A life has begun, changed or ended."""
        key = life.id, life.began
        with self._lock:
            followed = self._followed.get(key)
            if followed is None:
                if life.ended == self._closed.get(key, -1.0):
                    return
                node = PaidNode(life.price, life.began, None, life.size, self._stakes_before(life))
                bill = NodeBill(node, settled=self._closed.pop(key, -math.inf))
                followed = self._followed[key] = _Followed(life, bill)
                if life.follows:  # at another price: the jobs on it go on
                    bill.stays += [there.stay for there in self._stays.values() if there.host == life.hostname]
            elif followed.life is not life:  # at another price from its first moment on
                followed.life, followed.bill.node.price = life, life.price
            self._is_changed = True
            followed.bill.node.ended, followed.bill.host = life.ended, life.hostname

    def observe(self, view: View, on_nodes: JobsOnNodes, now: float) -> list[Row]:
        """This moment. What is to be kept of the jobs on nodes, and of those that nodes were booted for."""
        with self._lock:
            listed, rows = on_nodes.listed, list[Row]()
            if view is not self._seen:
                self._seen = view
                for followed in self._followed.values():
                    rows += _learn_stakes(followed, view)
            if listed is not None and listed is not self._heard:
                self._heard, self._is_changed = listed, True
                rows += self._hear(listed)
            if not self._is_changed and 0 <= now - self._booked < BOOK_EVERY:
                return rows
            until = self._settle(now)
            self._booked, self._is_changed = now, False
            if on_nodes.costs is not None:
                on_nodes.costs.extend(self._costs.told(until))
            return rows

    # ---- asking ----------------------------------------------------------------------------------------------------

    @property
    def known_since(self) -> float:
        """Nothing before this moment (seconds since the epoch) is known."""
        return self._ledger.known_since

    def by_payer(self, since: float, until: float) -> dict[Payer, float]:
        """What each has spent between two moments, in $: both at a quarter hour, or `until` now."""
        with self._lock:
            return self._ledger.by_payer(since, until)

    def spent(self, since: float, until: float, whose: Whose = EVERYBODY) -> float:
        """What these have spent, likewise."""
        with self._lock:
            return self._ledger.spent(since, until, whose)

    def committed(self, now: float, whose: Whose = EVERYBODY) -> float:
        """What these will spend, in $, for nodes that are there: see CostLedger.committed()."""
        with self._lock:
            return self._ledger.committed(now, whose)

    def rate(self, now: float, whose: Whose = EVERYBODY) -> float:
        """What these spend now, in $/hour."""
        with self._lock:
            return self._ledger.rate(now, whose)

    def work(self, now: float, until: float, whose: Whose = EVERYBODY) -> float:
        """What these will spend up to `until`, in $, by what runs now."""
        with self._lock:
            return self._ledger.work(now, until, whose)

    def at_work(self, now: float) -> frozenset[str]:
        """The hostnames of nodes on which something runs."""
        with self._lock:
            return self._ledger.at_work(now)

    def only_for(self, now: float, whose: Whose) -> frozenset[str]:
        """Those of them on which nobody else has anything."""
        with self._lock:
            return self._ledger.only_for(now, whose)

    def lives(self) -> dict[str, float]:
        """Mean seconds that nodes live, by size; '' of any."""
        with self._lock:
            return self._ledger.lives()

    # ---- inside ----------------------------------------------------------------------------------------------------

    def _hear(self, listed: RunsListed) -> list[Row]:
        """A new list of jobs on nodes."""
        by_age = sorted(self._followed.values(), key=lambda each: each.life.began)
        hosts = {each.life.hostname: each for each in by_age if each.life.hostname}
        known = {(host, run.job, run.began): run for run in listed.runs for host in run.hosts if host in hosts}
        rows: list[Row] = []
        for key, run in known.items():
            if self._known.get(key) != run:
                rows += self._note_run(key, run, hosts[key[0]], listed.at)
        for key, there in list(self._stays.items()):
            if key in known:
                there.listed = listed.at
            else:  # gone, nobody knows when
                there.stay.ended = max(there.listed, there.stay.began)
                rows.append(run_row(there.host, there.stay))
                del self._stays[key]
        self._known = known
        return rows

    def _note_run(self, key: _On, run: JobRun, followed: _Followed, at: float) -> list[Row]:
        """One that is new, or of which something else is said now."""
        there = self._stays.get(key)
        if there is None:
            if key in self._known:
                return []  # it had ended
            stake = Stake(run.job, run.payer, part_of(run.cpus, run.ram, *followed.has))
            there = self._stays[key] = _Stay(key[0], Stay(stake, run.began, None, run.limit), at)
            followed.bill.stays.append(there.stay)
        there.stay.ended, there.stay.limit, there.listed = run.ended, run.limit, at
        if run.ended is not None:
            del self._stays[key]
            self._costs.ends(run)
        return [run_row(key[0], there.stay)]

    def _stakes_before(self, life: Life) -> Sequence[Stake]:
        """What a node was booted for that has another price now."""
        if not life.follows:
            return ()
        of_node = [each for each in self._followed.values() if each.life.id == life.id]
        return max(of_node, key=lambda each: each.life.began).bill.node.stakes if of_node else ()

    def _settle(self, now: float) -> float:
        """Book what is old enough; up to when that is."""
        heard = now if self._heard is None else max(self._heard.at, now - DEAF_FOR)
        until = min(heard, now - LAG)
        for key, followed in list(self._followed.items()):
            ended = followed.bill.node.ended
            if ended is None or ended > until:
                self._costs.add(self._ledger.settle(followed.bill, until))
                continue
            self._costs.add(self._ledger.settle(followed.bill, ended))
            if followed.life.how != REPRICED:
                self._ledger.lived(followed.bill.node.size, ended - followed.bill.node.began)
            self._closed[key] = ended
            del self._followed[key]
        for key in [key for key, ended in self._closed.items() if now - ended > REMEMBERED]:
            del self._closed[key]
        self._ledger.follow([followed.bill for followed in self._followed.values()])
        self._ledger.forget(now)
        self._costs.forget(now)
        return until


def _learn_stakes(followed: _Followed, view: View) -> list[Row]:
    """What a node was booted for, once that shows."""
    status = view.nodes.get(followed.life.id)
    if status is None:
        return []
    if followed.has == _UNKNOWN or status.slurm_node is not None:
        followed.has = _has(status)
    if not status.meant_for or followed.bill.node.stakes:
        return []
    stakes = [
        Stake(each.job, payer_of(each.owner, each.partition), part_of(each.cpus, each.ram, *followed.has))
        for each in {each.job: each for each in status.meant_for}.values()
    ]
    followed.bill.node.stakes = stakes
    return booted_for_rows(followed.life.id, followed.life.began, stakes)


def _has(status: NodeStatus) -> tuple[float, float]:
    """CPUs and MB that jobs can have of a node, as far as that is known: as the scheduler says, else by its size."""
    work, size = status.slurm_node, status.node_size
    if work is not None and work.has is not None:
        ram = work.has.ram
        return work.has.cpus, ram if ram < float("inf") else 0.0
    return (size.cores, size.ram) if size is not None else (0.0, 0.0)
