"""Whatever a cloud answers to creates and lists, it is not asked for more and more nodes that nobody can see.

The cloud of this world says yes to a create in words that can be read or not, whether it has made a node or not, and
hides any of its nodes from its lists, for a while or for ever. A no is a no: where an error comes for a create that has
worked, the next list shows the node, or the same token answers with it.
"""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from dataclasses import replace

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from arvnodeman.fleet.messages import CloudListed, CreateNode, FindNode, LookForNode, Poll, Step
from arvnodeman.fleet.values.model import CloudNode, ErrorKind, JobShape, Policy, ProviderSize, RemoteError, SizeSection
from arvnodeman.foresight.sim_site import Nature
from arvnodeman.foresight.simulation import Simulation
from arvnodeman.loop.world import Answer, Listed, World

HISTORIES = int(os.environ.get("HISTORIES", "40"))
OFFERS = (
    ProviderSize("small", "small", ram=4000, disk=10, price=0.1, cores=2),
    ProviderSize("medium", "medium", ram=8000, disk=20, price=0.13, cores=4),
    ProviderSize("big", "big", ram=16000, disk=50, price=0.15, cores=8),
)
SECTIONS = tuple(SizeSection(offer.id, int(offer.cores), offer.id) for offer in OFFERS)
NO = (ErrorKind.CAPACITY, ErrorKind.QUOTA, ErrorKind.REFUSED, ErrorKind.THROTTLED, ErrorKind.TRANSIENT)
FOR_EVER = 1e12


class StrangeWorld:
    """A cloud that cannot be understood. Rates of 0 to 1."""

    def __init__(self, run: Simulation, world: World, wishes: int, unread: float, hides: float, refuses: float) -> None:
        self.wishes, self.unread, self.hides, self.refuses = wishes, unread, hides, refuses
        self.run, self.world = run, world
        self.dice = random.Random(run.seed + 1)
        self.made: dict[str, float] = {}  # id -> when it was made
        self.hidden: dict[str, float] = {}  # id -> until when no list shows it
        self.told: set[str] = set()
        self.wrong: list[str] = []

    def list(self, poll: Poll) -> Listed:
        """Some nodes are not in it."""
        listed = self.world.list(poll)
        return replace(listed, nodes=self._seen(listed.nodes)) if isinstance(listed, CloudListed) else listed

    def do(self, steps: Sequence[Step]) -> Sequence[Answer]:
        """Creates are answered in words that cannot be read."""
        return [self._create(step) if isinstance(step, CreateNode) else self._do(step) for step in steps]

    def _seen(self, nodes: Sequence[CloudNode]) -> tuple[CloudNode, ...]:
        shown = tuple(node for node in nodes if self.hidden.get(node.id, 0.0) <= self.run.now)
        self.told.update(node.id for node in shown)
        return shown

    def _do(self, step: Step) -> Answer:
        (answer,) = self.world.do((step,))
        if isinstance(step, FindNode | LookForNode) and isinstance(answer, CloudNode) and not self._seen((answer,)):
            return None
        return answer

    def _create(self, step: CreateNode) -> Answer:
        if self.dice.random() < self.refuses:
            return RemoteError(self.dice.choice(NO), "no")
        made = self.dice.random() < 0.8
        readable = made and self.dice.random() >= self.unread
        if not made:
            return RemoteError(ErrorKind.UNREADABLE, "?")
        before = set(self.run.site.clouds.nodes)
        (answer,) = self.world.do((step,))
        for identity in set(self.run.site.clouds.nodes) - before:
            self._note_made(identity)
            if self.dice.random() < self.hides:
                self.hidden[identity] = self.run.now + self.dice.choice([90.0, 600.0, FOR_EVER])
        if isinstance(answer, RemoteError) or not readable:
            return RemoteError(ErrorKind.UNREADABLE, "?")
        assert isinstance(answer, CloudNode)
        self.told.add(answer.id)
        return answer

    def _note_made(self, identity: str) -> None:
        """One more is made. So many may be unknown to us now as there are wishes, it included."""
        since = self.run.now - self.run.policy.boot_fail_after
        unknown = [other for other, at in self.made.items() if other not in self.told and at > since]
        self.made[identity] = self.run.now
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
    strange: list[StrangeWorld] = []

    def before(run: Simulation, world: World) -> World:
        strange.append(StrangeWorld(run, world, wishes, unread, hides, refuses))
        return strange[0]

    run = Simulation(policy, OFFERS, seed=seed, before=before)
    run.site.nature = Nature(never_pings=1.0)  # so that the jobs wait for nodes until the end
    for _ in range(wishes):
        run.site.submit(JobShape(size=size), 60.0)
    run.advance(3 * 3600.0)
    (world,) = strange
    assert not world.wrong, world.wrong
    event(f"{len(world.made)} made")
    event("some were never told of" if set(world.made) - world.told else "all were told of")
