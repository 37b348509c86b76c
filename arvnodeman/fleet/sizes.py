"""Node sizes: what the operator is willing to boot, joined with the provider's offer, and which of them a job gets."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from difflib import get_close_matches

from arvnodeman.fleet import gres
from arvnodeman.fleet.model import CloudNode, JobShape, NodeSize, ProviderSize, SizeSection

NO_NODE_TYPE = "Constraints cannot be satisfied by any node type"
SCRATCH_PER_DISK_GB = 1000  # MB (row C21)


@dataclass(frozen=True, slots=True)
class MissingSize:
    """A section whose type the provider does not offer, and the types that come nearest."""

    id: str
    instance_type: str
    nearest: tuple[str, ...]
    problem: str = "the provider does not offer it"


def _known(value: float | None) -> float:
    """A figure of the provider's: anything but a positive number says nothing (row C22)."""
    return value if value is not None and math.isfinite(value) and value > 0 else 0.0


def _join(section: SizeSection, offer: ProviderSize, mem_scaling: float) -> NodeSize | None:
    """The section's figures where it has them, else the provider's; None without a price."""
    price = section.price if section.price is not None else _known(offer.price)
    if not (math.isfinite(price) and price > 0):
        return None
    disk = section.disk if section.disk is not None else _known(offer.disk)
    ram = section.ram if section.ram is not None else _known(offer.ram)
    scratch = section.scratch if section.scratch is not None else disk * SCRATCH_PER_DISK_GB
    bandwidth = section.bandwidth if section.bandwidth is not None else _known(offer.bandwidth)
    return NodeSize(
        id=section.id,
        instance_type=section.instance_type,
        provider_id=offer.id,
        provider_name=offer.name,
        cores=section.cores,
        ram=ram * mem_scaling,
        disk=disk,
        scratch=scratch,
        price=price,
        preemptible=section.preemptible,
        bandwidth=bandwidth,
        extra=section.extra,
        gres=section.gres,
        partitions=section.partitions,
    )


def _by_section(section: SizeSection, mem_scaling: float) -> NodeSize:
    """A size of which the provider says nothing now: a list that lacks it must not make its nodes strangers."""
    return NodeSize(
        id=section.id,
        instance_type=section.instance_type,
        provider_id=section.instance_type,
        provider_name=section.instance_type,
        cores=section.cores,
        ram=(section.ram or 0.0) * mem_scaling,
        disk=section.disk or 0.0,
        scratch=section.scratch or 0.0,
        price=section.price or 0.0,
        preemptible=section.preemptible,
        extra=section.extra,
        gres=section.gres,
        partitions=section.partitions,
    )


class SizeTable:
    """The sizes that can be booted now. Built anew when the provider's list or the configuration changes."""

    def __init__(self, sections: Iterable[SizeSection], offers: Iterable[ProviderSize], mem_scaling: float) -> None:
        by_id: dict[str, ProviderSize] = {}
        by_name: dict[str, ProviderSize] = {}
        for offer in offers:
            by_id.setdefault(offer.id, offer)
            by_name.setdefault(offer.name, offer)
        self.by_id: dict[str, NodeSize] = {}
        self.unoffered: dict[str, NodeSize] = {}  # sizes that cannot be booted now, for the nodes that there are
        missing: list[MissingSize] = []
        for section in sections:
            offered = by_id.get(section.instance_type) or by_name.get(section.instance_type)
            if offered is None:
                names = [*by_id, *(name for name in by_name if name not in by_id)]
                nearest = tuple(get_close_matches(section.instance_type, names, n=3))
                missing.append(MissingSize(section.id, section.instance_type, nearest))
                self.unoffered[section.id] = _by_section(section, mem_scaling)
                continue
            size = _join(section, offered, mem_scaling)
            if size is None:
                problem = "the provider gives no price for it, and the section has none"
                missing.append(MissingSize(section.id, section.instance_type, (), problem))
                self.unoffered[section.id] = _by_section(section, mem_scaling)
                continue
            self.by_id.setdefault(size.id, size)
        self.missing = tuple(missing)
        order = list(self.by_id.values())
        self.cheapest_first = tuple(sorted(order, key=lambda size: size.price))  # stable: equals as in the file
        self._choices: dict[JobShape, tuple[NodeSize, ...]] = {}

    def choices(self, shape: JobShape) -> tuple[NodeSize, ...]:
        """The sizes that may serve a job, the wanted one first. A job that names a size gets that one alone (F17)."""
        found = self._choices.get(shape)
        if found is None:
            found = self._choices[shape] = self._choose(shape)
        return found

    def forget_others(self, shapes: Collection[JobShape]) -> None:
        """The shapes of the queue, now and then: where every job asks for another number of bytes, new ones come
        without end."""
        if len(self._choices) > 2 * len(shapes) + 100:
            self._choices = {shape: self._choices[shape] for shape in shapes if shape in self._choices}

    def _choose(self, shape: JobShape) -> tuple[NodeSize, ...]:
        if shape.size is not None:
            named = self.named(shape.size)
            return (named,) if named is not None and not _against(named, shape) else ()
        return tuple(size for size in self.cheapest_first if fits(size, shape))

    def why_none(self, shape: JobShape) -> str:
        """Why no size serves a job that has no choices, in the words that its user reads."""
        if shape.size is not None:
            named = self.named(shape.size)
            return _against(named, shape) if named is not None else NO_NODE_TYPE
        sizes = self.cheapest_first
        if not any(_in_partition(size, shape) for size in sizes):
            return f"No node type is for the partition {' or '.join(shape.partitions)}"
        if not any(_in_partition(size, shape) and gres.meets(size.gres, shape.gres) for size in sizes):
            bound = shape.partitions and any(size.partitions for size in sizes)
            where = f" in the partition {' or '.join(shape.partitions)}" if bound else ""
            return f"No node type{where} offers the GRES {gres.words(shape.gres)}"
        return NO_NODE_TYPE

    def named(self, name: str) -> NodeSize | None:
        """The size that a job means by a name: a section's NAME, else the provider's name or id for it (row C27)."""
        size = self.by_id.get(name)
        if size is not None:
            return size
        for size in self.by_id.values():
            if name in (size.instance_type, size.provider_name, size.provider_id):
                return size
        return None

    def is_missing(self, name: str) -> bool:
        """True when a section that this name may mean is configured but cannot be booted now."""
        return any(name in (missing.id, missing.instance_type) for missing in self.missing)

    def of_node(self, node: CloudNode) -> NodeSize | None:
        """The size of a cloud node: by its tag (rows C25, C26), else by its type when exactly one section has that.

        None: the size is not recognisable. Preemptible and other nodes of one type are different sizes."""
        if node.size_tag is not None:
            size = self.by_id.get(node.size_tag) or self.unoffered.get(node.size_tag)
            if size is not None:
                return size
        if node.provider_size is None:
            return None
        same = [
            size
            for size in (*self.by_id.values(), *self.unoffered.values())
            if node.provider_size in (size.provider_id, size.provider_name, size.instance_type)
            and size.preemptible == node.preemptible
        ]
        if node.size_tag is None:  # older than the tag: any section of that type will do
            return same[0] if same else None
        return same[0] if len(same) == 1 else None


def fits(size: NodeSize, shape: JobShape) -> bool:
    """Does one node of this size meet the demand? A figure of 0 is unknown and meets any demand (row C22)."""
    return (
        (not size.cores or size.cores >= shape.cores)
        and (not size.ram or size.ram >= shape.ram)
        and (not size.scratch or size.scratch >= shape.scratch)
        and (not shape.gres or gres.meets(size.gres, shape.gres))
        and _in_partition(size, shape)
    )


def _in_partition(size: NodeSize, shape: JobShape) -> bool:
    """Is one of the partitions that the job names among those that the size is bound to?"""
    return not size.partitions or not shape.partitions or any(name in size.partitions for name in shape.partitions)


def _against(size: NodeSize, shape: JobShape) -> str:
    """Why a job does not even get the size that it names; empty when it does. Only what the section says counts: older
    files say nothing of GRES, and such a job may ask for its GPUs all the same."""
    if not _in_partition(size, shape):
        bound, asked = ", ".join(size.partitions), ", ".join(shape.partitions)
        return f"Node type {size.id} is for the partition {bound} alone, and the job is for {asked}"
    if size.gres and not gres.meets(size.gres, shape.gres):
        offers, asks = gres.words(size.gres), gres.words(shape.gres)
        return f"Node type {size.id} offers the GRES {offers}, and the job asks for {asks}"
    return ""
