"""Whatever a cloud answers to creates and lists, it is not asked for more and more nodes that nobody can see.

The cloud of this world says yes to a create in words that can be read or not, whether it has made a node or not, and
hides any of its nodes from its lists, for a while or for ever. A no is a no: where an error comes for a create that has
worked, the next list shows the node, or the same token answers with it.
"""

from __future__ import annotations

import os
import random

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from simulation.run import Pace, Run

from arvnodeman.fleet.messages import CloudListed, CreateNode, Event, FindNode, LookForNode, Poll, StepDone, StepFailed
from arvnodeman.fleet.messages import Step as AnyStep
from arvnodeman.fleet.values.model import CloudNode, ErrorKind, JobShape, Policy, ProviderSize, RemoteError, SizeSection

HISTORIES = int(os.environ.get("HISTORIES", "40"))
OFFERS = (
    ProviderSize("small", "small", ram=4000, disk=10, price=0.1, cores=2),
    ProviderSize("medium", "medium", ram=8000, disk=20, price=0.13, cores=4),
    ProviderSize("big", "big", ram=16000, disk=50, price=0.15, cores=8),
)
SECTIONS = tuple(SizeSection(offer.id, int(offer.cores), offer.id) for offer in OFFERS)
NO = (ErrorKind.CAPACITY, ErrorKind.QUOTA, ErrorKind.REFUSED, ErrorKind.THROTTLED, ErrorKind.TRANSIENT)
FOR_EVER = 1e12


class StrangeRun(Run):
    """A run on a cloud that cannot be understood. Nobody pings, so that the jobs wait for nodes until the end."""

    def meet(self, wishes: int, unread: float, hides: float, refuses: float) -> None:
        """How strange it is; rates of 0 to 1."""
        self.wishes, self.unread, self.hides, self.refuses = wishes, unread, hides, refuses
        self.dice = random.Random(self.seed + 1)
        self.made: dict[str, float] = {}  # id -> when it was made
        self.hidden: dict[str, float] = {}  # id -> until when no list shows it
        self.told: set[str] = set()
        self.wrong: list[str] = []

    def _seen(self, nodes: tuple[CloudNode, ...]) -> tuple[CloudNode, ...]:
        shown = tuple(node for node in nodes if self.hidden.get(node.id, 0.0) <= self.now)
        self.told.update(node.id for node in shown)
        return shown

    def _poll(self, poll: Poll) -> Event:
        heard = super()._poll(poll)
        if isinstance(heard, CloudListed):
            return CloudListed(self._seen(tuple(heard.nodes)), heard.started, heard.clock_offset)
        return heard

    def _answer(self, step: AnyStep) -> StepDone | StepFailed:
        if isinstance(step, CreateNode):
            return self._create(step)
        answer = super()._answer(step)
        if isinstance(step, FindNode | LookForNode) and isinstance(answer, StepDone):
            found = answer.result
            if isinstance(found, CloudNode) and not self._seen((found,)):
                return StepDone(step, None)
        return answer

    def _create(self, step: CreateNode) -> StepDone | StepFailed:
        if self.dice.random() < self.refuses:
            return StepFailed(step, RemoteError(self.dice.choice(NO), "no"))
        made = self.dice.random() < 0.8
        readable = made and self.dice.random() >= self.unread
        if not made:
            return StepFailed(step, RemoteError(ErrorKind.UNREADABLE, "?"))
        before = set(self.site.cloud)
        answer = super()._answer(step)
        for identity in set(self.site.cloud) - before:
            self._note_made(identity)
            if self.dice.random() < self.hides:
                self.hidden[identity] = self.now + self.dice.choice([90.0, 600.0, FOR_EVER])
        if isinstance(answer, StepFailed) or not readable:
            return StepFailed(step, RemoteError(ErrorKind.UNREADABLE, "?"))
        assert isinstance(answer.result, CloudNode)
        self.told.add(answer.result.id)
        return answer

    def _note_made(self, identity: str) -> None:
        """One more is made. So many may be unknown to us now as there are wishes, it included."""
        since = self.now - self.policy.boot_fail_after
        unknown = [other for other, at in self.made.items() if other not in self.told and at > since]
        self.made[identity] = self.now
        if len(unknown) >= self.wishes:
            self.wrong.append(f"{identity} is made while {', '.join(unknown)} may be there, for {self.wishes} wishes")


@given(
    seed=st.integers(0, 1 << 30),
    wishes=st.integers(1, 3),
    size=st.sampled_from([None, "small", "big"]),
    unread=st.sampled_from([1.0, 1.0, 0.5, 0.1]),
    hides=st.sampled_from([1.0, 1.0, 0.5, 0.0]),
    refuses=st.sampled_from([0.0, 0.0, 0.3]),
)
@settings(max_examples=HISTORIES, deadline=None, derandomize=HISTORIES <= 100, suppress_health_check=list(HealthCheck))
def test_no_more_nodes_are_made_unseen_than_are_wished_for(
    seed: int, wishes: int, size: str | None, unread: float, hides: float, refuses: float
) -> None:
    """At most one for each wish, per boot_fail_after, beside those that the cloud has told of."""
    policy = Policy(sections=SECTIONS, shutdown_windows=(0.0, 60.0), max_nodes=20, slurm=True, max_price_factor=5.0)
    run = StrangeRun(policy, OFFERS, seed=seed, pace=Pace(never_pings=1.0))
    run.meet(wishes, unread, hides, refuses)
    for _ in range(wishes):
        run.site.submit(JobShape(size=size), 60.0)
    run.advance(3 * 3600.0)
    assert not run.wrong, run.wrong
    event(f"{len(run.made)} made")
    event("some were never told of" if set(run.made) - run.told else "all were told of")
