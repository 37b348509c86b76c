"""Which options may let a waiting job have its nodes, and what each of them makes of a picture."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from arvnodeman.fleet.plan.asking import Variable, number, whole
from arvnodeman.fleet.plan.booting import NewNode
from arvnodeman.fleet.plan.picture import Picture
from arvnodeman.fleet.plan.plan import Plan, Share
from arvnodeman.fleet.values.counterfactual import Meant, OptionValue
from arvnodeman.fleet.values.model import JobShape, SizeSection

MANY = 1_000_000  # nodes or $/hour: more than any limit that stops a job
CENT = 100  # steps of one: dollars, factors and shares are told to two places
DAEMON = "Daemon"
MOST_SECTIONS = 10  # sizes that are asked whether they could serve one more partition


@dataclass(frozen=True, slots=True)
class JobAsked:
    """The job that is asked for: its group, and where it stands in the order of service."""

    shape: JobShape
    place: int

    def share(self, made: Plan) -> Share | None:
        """What a plan has for its group."""
        return made.shares.get(self.shape)

    def is_served(self, made: Plan) -> bool:
        """Are all its nodes there or coming?"""
        share = self.share(made)
        return share is not None and bisect_left(share.places, self.place) < share.served

    def would_run(self, made: Plan) -> str:
        """What it would have by a plan that serves it."""
        share = self.share(made)
        if share is None or not self.is_served(made):
            return ""
        if bisect_left(share.places, self.place) < share.served - share.booting:
            return "it would have room on nodes that are there or on their way"
        sizes = dict.fromkeys(new.size.id for new in made.boots if _jobs_on(new, self.shape))
        kind = f" of {' or '.join(sizes)}" if sizes else ""
        nodes = "a node" if self.shape.nodes == 1 else f"{self.shape.nodes} nodes"
        return f"{nodes}{kind} would boot for it at once"

    def boots_up_to(self, made: Plan) -> Sequence[NewNode]:
        """The boots of a plan, in turn, up to those for the job."""
        share = self.share(made)
        if share is None:
            return made.boots
        lacking = float(bisect_left(share.places, self.place) + 1 - (share.served - share.booting))
        for count, new in enumerate(made.boots, 1):
            lacking -= _jobs_on(new, self.shape) / self.shape.nodes
            if lacking < 1e-6:
                return made.boots[:count]
        return made.boots

    def might_run(self, made: Plan) -> str:
        """Of a job that can never run: by a plan that has another reason for it."""
        share = self.share(made)
        if share is None or share.never:
            return ""
        why = f": {share.cause.words(0.0)}" if share.cause is not None and share.cause.until is None else ""
        return f"it could run, and would wait{why}"


def _jobs_on(new: NewNode, shape: JobShape) -> float:
    """How many jobs of a shape a node is booted for."""
    if new.jobs:
        return dict(new.jobs).get(shape, 0)
    return float(new.shape == shape)


def options_for(job: JobAsked, picture: Picture) -> Iterator[Variable]:
    """The options that limit what comes for a waiting job, those that bind most often first."""
    policy = picture.policy
    now = policy.max_nodes
    yield Variable(
        DAEMON, "max_nodes", now, Meant.AT_LEAST, range(now + 1, max(now, 1) + MANY), lambda n: more_nodes(picture, n),
        unit="nodes", enough=lambda made: made.tally.nodes + len(job.boots_up_to(made)),
    )  # fmt: skip
    if policy.max_total_price > 0:
        first = beyond(policy.max_total_price)
        yield Variable(
            DAEMON, "max_total_price", policy.max_total_price, Meant.AT_LEAST, range(first, first + MANY * CENT),
            lambda cap: more_dollars(picture, cap), unit="$/hour", value=parts,
            enough=lambda made: _cents(made.tally.price + sum(new.size.price for new in job.boots_up_to(made))),
        )  # fmt: skip
    choices = picture.table.choices(job.shape)
    if len(choices) > 1 and choices[0].dearest > 0:
        first, last = beyond(policy.max_price_factor), beyond(choices[-1].price / choices[0].dearest)
        yield Variable(
            DAEMON, "max_price_factor", policy.max_price_factor, Meant.AT_LEAST, range(first, last + 1),
            lambda factor: replace(picture, policy=replace(policy, max_price_factor=number(factor))), value=parts,
        )  # fmt: skip
    if policy.max_jobs_per_node and job.shape.takes is not None:
        yield more_jobs_on_a_node(picture)
    if policy.node_mem_scaling < 1:
        yield Variable(
            DAEMON, "node_mem_scaling", policy.node_mem_scaling, Meant.AT_LEAST,
            range(beyond(policy.node_mem_scaling), CENT + 1), lambda part: other_memory(picture, part), value=parts,
        )  # fmt: skip
    yield from _partitions(job, picture)


def more_jobs_on_a_node(picture: Picture) -> Variable:
    """max_jobs_per_node, up to all jobs that wait."""
    policy = picture.policy
    now, waiting = policy.max_jobs_per_node, sum(map(len, picture.demand.values()))
    on_nodes = max((free.jobs for alike in picture.tally.rooms.values() for free in alike), default=0)
    return Variable(
        DAEMON, "max_jobs_per_node", now, Meant.AT_LEAST, range(now + 1, now + on_nodes + waiting + 1),
        lambda n: replace(picture, policy=replace(policy, max_jobs_per_node=whole(n))), unit="jobs",
    )  # fmt: skip


def _partitions(job: JobAsked, picture: Picture) -> Iterator[Variable]:
    """[Size NAME] partitions: the size serves one of the job's partitions, too."""
    asked = job.shape.partitions
    bound = [section for section in picture.policy.sections if asked and section.partitions]
    for section in [each for each in bound if not set(asked).intersection(each.partitions)][:MOST_SECTIONS]:
        yield _serving(picture, section, asked[0])


def _serving(picture: Picture, section: SizeSection, partition: str) -> Variable:
    served = ", ".join((*section.partitions, partition))
    return Variable(
        f"Size {section.id}", "partitions", ", ".join(section.partitions), Meant.IS, range(1),
        lambda text: _with_partitions(picture, section, str(text)), value=lambda _: served,
    )  # fmt: skip


# ---- pictures with one option otherwise ------------------------------------------------------------------------------


def more_nodes(picture: Picture, most: OptionValue) -> Picture:
    """With another max_nodes. Limits learnt stay where they are."""
    policy = replace(picture.policy, max_nodes=whole(most))
    return replace(picture, policy=policy, bounds=picture.bounds.with_max_nodes(whole(most)))


def more_dollars(picture: Picture, cap: OptionValue) -> Picture:
    """With another max_total_price."""
    policy = replace(picture.policy, max_total_price=number(cap))
    return replace(picture, policy=policy, bounds=replace(picture.bounds, price_cap=number(cap)))


def other_memory(picture: Picture, part: OptionValue) -> Picture:
    """With another node_mem_scaling."""
    policy = replace(picture.policy, node_mem_scaling=number(part))
    return replace(picture, policy=policy, table=picture.table.rebuilt(policy.sections, policy.node_mem_scaling))


def _with_partitions(picture: Picture, section: SizeSection, partitions: str) -> Picture:
    other = replace(section, partitions=tuple(partitions.split(", ")))
    sections = tuple(other if each is section else each for each in picture.policy.sections)
    policy = replace(picture.policy, sections=sections)
    return replace(picture, policy=policy, table=picture.table.rebuilt(sections, policy.node_mem_scaling))


def beyond(value: float) -> int:
    """The first step of a hundredth above a value."""
    return math.floor(round(value * CENT, 6)) + 1


def parts(step: int) -> float:
    """The value of such a step."""
    return step / CENT


def _cents(dollars: float) -> int:
    return math.ceil(round(dollars * CENT, 6))
