"""Which jobs that cannot start yet are to have nodes ready, and what became of these nodes.

A node is booted so early that nine of ten of its size would be up when the job may start, if it is expected to idle no
longer than the job would have waited without it, and no longer than `ahead_max_idle`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from arvnodeman.fleet.nodes.node import BUSY
from arvnodeman.fleet.plan.picture import AheadWish, Keep
from arvnodeman.fleet.values import reasons
from arvnodeman.fleet.values.later_jobs import LaterJob
from arvnodeman.fleet.values.model import NodeSize
from arvnodeman.fleet.values.reasons import Reason
from arvnodeman.fleet.values.reasons_of_spares import NotWorth, StaysAhead, WaitsToBoot

if TYPE_CHECKING:
    from arvnodeman.fleet.decide.state import State
    from arvnodeman.fleet.plan.plan import Plan

UNKNOWN_BOOT = 300.0  # seconds from create to up, where too few nodes have come up to tell
POWERED_UP = 15.0  # seconds until a node is asked for, where its name is powered up first and a list has to show that
SAME = 5.0  # seconds by which a moment may be told otherwise at another poll
GONE_FOR = 60.0  # seconds from the moment at which it is a job that may start until the scheduler has looked at it


class Ahead:
    """What is known of such jobs, and remembered of nodes for them. Times are steady."""

    def __init__(self) -> None:
        self.jobs: Sequence[LaterJob] = ()
        self.whys: dict[str, Reason] = {}  # of each job that has no nodes yet why that is so
        self.nameless: dict[str, Reason] = {}  # likewise, of those for which no name was found by the newest plan
        self._at: dict[str, float] = {}  # when each may start
        self._begun: set[str] = set()  # jobs for which it was time already
        self._idle: dict[str, float] = {}  # since when the nodes of a job stand ready
        self._given_up: set[str] = set()  # jobs whose nodes have idled for too long
        self._boots: dict[int, str] = {}  # boots for such jobs, by number: for which
        self._nodes: dict[str, str] = {}  # nodes that were booted so, or stay for one, by id: for which job
        self._wished: dict[str, AheadWish] = {}  # the newest wish of each job for which it is time
        self._gone: dict[str, float] = {}  # jobs with a wish that may start, or are gone: since when

    def told(self, jobs: Sequence[LaterJob], state: State) -> None:
        """A queue has come."""
        self.jobs = sorted(jobs, key=lambda job: (job.at, job.id))
        there = {job.id for job in jobs}
        if state.policy.places and (self._begun or self._gone):
            there |= self._about_to_start(there, state)
        self.nameless.clear()
        for known in (self._at, self._idle, self.whys, self._wished):
            for gone in known.keys() - there:
                del known[gone]
        self._begun &= there
        self._given_up &= there

    def _about_to_start(self, later: set[str], state: State) -> set[str]:
        """Jobs with nodes that may start by now. Where the scheduler places jobs, none of these waits for a node as far
        as a plan can tell: until it has a place its nodes stay. That a job is gone is believed after a while: for some
        seconds the queue gives its old reason."""
        for job in self._begun - later:
            self._gone.setdefault(job, state.t)
        waits = {job.id: not job.names for job in state.queue.jobs if job.id in self._gone}
        most = 60 * state.policy.ahead_max_idle
        for job, since in list(self._gone.items()):
            until = max(since, self._at.get(job, since)) + most if waits.get(job) else since + GONE_FOR
            if job in later or job not in self._wished or waits.get(job) is False or state.t >= until:
                del self._gone[job]
        return set(self._gone)

    def partitions_of(self, job: str) -> tuple[str, ...]:
        """That such a job may run in; empty: any."""
        wish = self._wished.get(job)
        return wish.shape.partitions if wish is not None else ()

    def lacks_name(self, job: str, size: str) -> None:
        """No name that such a job may have is off, for a node of this size."""
        if job in self._wished:
            text = f"{self._wished[job].why}; no name of {size} that it may have is off and free, for a node of its own"
            self.nameless[job] = reasons.Plain(text=text)

    def wishes(self, state: State) -> list[AheadWish]:
        """The jobs for which it is time, the next to start first. Those behind them may have begun since the queue was
        read: then what is left on their nodes is for the others."""
        if not (self.jobs or self._gone) or state.table is None:
            return []
        found, begun = list(self._waiting(state)), list(self._perhaps_begun(state))
        for job in self.jobs:
            wish = self._wish(state, job, state.table.choices(job.shape))
            if wish is not None:
                self._begun.add(job.id)
                self._wished[job.id] = wish
                (found if state.t < wish.at else begun).append(wish._replace(keeps=state.t >= wish.at))
        return found + begun

    def _waiting(self, state: State) -> Iterator[AheadWish]:
        """Of jobs that may start by now, and that the queue shows waiting."""
        for job in state.queue.jobs if self._gone else ():
            if job.id in self._gone and job.id not in self._given_up:
                yield self._wished[job.id]._replace(keeps=True)

    def _perhaps_begun(self, state: State) -> Iterator[AheadWish]:
        """Of those that it does not show: their own nodes stay, until one of them works."""
        waits = {job.id for job in state.queue.jobs if job.id in self._gone} if self._gone else set()
        for job in sorted(self._gone.keys() - waits - self._given_up):
            mine = [state.roster.nodes.get(identity) for identity, each in self._nodes.items() if each == job]
            nodes = sum(node is not None for node in mine)
            if nodes and not any(node is not None and node.state is BUSY for node in mine):
                yield self._wished[job]._replace(keeps=True, nodes=min(nodes, self._wished[job].nodes))

    def _wish(self, state: State, job: LaterJob, choices: Sequence[NodeSize]) -> AheadWish | None:
        if job.id in self._given_up or job.id in state.placements.given or not choices:
            return None
        at = state.t + job.at - state.clock.now
        if abs(at - self._at.get(job.id, at)) > SAME or job.id not in self._at:
            self._at[job.id] = at
        at = self._at[job.id]
        nodes = job.shape.nodes - _freed(state, job, choices)
        if nodes <= 0:
            self.whys[job.id] = reasons.Plain(text=f"{job.why}; the nodes that will be free then are enough for it")
            return None
        usual, latest = state.milestones.boot_times(choices[0].id) or (UNKNOWN_BOOT, UNKNOWN_BOOT)
        if state.policy.places:
            usual, latest = usual + POWERED_UP, latest + POWERED_UP
        idle, most = latest - usual + job.late, 60 * state.policy.ahead_max_idle
        if idle > min(usual, most):
            self.whys[job.id] = NotWorth(job=job.id, why=job.why, idle=idle, saved=usual, most=most)
            return None
        if job.id not in self._begun and state.t < at - latest:
            self.whys[job.id] = WaitsToBoot(until=at - latest, why=job.why, starts=at, boot=latest)
            state.poll_again(at - latest)
            return None
        self.whys.pop(job.id, None)
        return AheadWish(job.id, job.shape, nodes, at, job.why)

    def note(self, state: State, plan: Plan) -> None:
        """A node poll has been decided on: which nodes stay, for how long they have, and which were used."""
        counters, rows = state.context.counters, state.roster.nodes
        self._boots = {number: job for number, job in self._boots.items() if number in state.boots}
        for identity in list(self._nodes):
            node = rows.get(identity)
            if node is not None and node.state is BUSY:
                counters["ahead_used"] += 1
            elif node is None or node.shutdown is not None or node.destroyed_at is not None:
                counters["ahead_in_vain"] += 1
            else:
                continue
            del self._nodes[identity]
        for verdict in plan.verdicts:
            if isinstance(verdict, Keep) and isinstance(verdict.reason, StaysAhead):
                self._nodes[verdict.id] = verdict.reason.job
        most = 60 * state.policy.ahead_max_idle
        for share in plan.ahead:
            job = share.wish.job
            if not share.idle:
                self._idle.pop(job, None)
            elif state.t - self._idle.setdefault(job, state.t) >= most:
                self._given_up.add(job)
                text = (
                    "Nodes for job %s have been ready for %d seconds, and it has not started: they are no longer kept"
                )
                state.context.info(text, job, state.t - self._idle[job])
                self.whys[job] = reasons.Plain(text=f"{share.wish.why}; a node was ready for ahead_max_idle in vain")
            else:
                state.poll_again(self._idle[job] + most)

    def booted(self, state: State, job: str, boot: int) -> None:
        """A boot has begun for such a job."""
        state.context.counters["ahead_boots"] += 1
        self._boots[boot] = job

    def made(self, boot: int, node: str) -> None:
        """A boot has its node."""
        job = self._boots.pop(boot, None)
        if job is not None:
            self._nodes[node] = job


def _freed(state: State, job: LaterJob, choices: Sequence[NodeSize]) -> int:
    """Nodes of those sizes that the job which it waits for gives up when it may start."""
    if not job.frees:
        return 0
    sizes = {size.id for size in choices}
    names = set(job.frees)
    rows = (node for node in state.roster.nodes.values() if node.size is not None and node.shutdown is None)
    return sum(node.size.id in sizes and state.roster.hostname(node) in names for node in rows if node.size is not None)
