"""Node sizes: what the operator is willing to boot, joined with the provider's offer, and which of them a job gets."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches

from arvnodeman.fleet.sizes.fit import capacity_of, fits_in
from arvnodeman.fleet.values import gres
from arvnodeman.fleet.values.features import SIZE_FEATURE, Features, meets, sizes_named
from arvnodeman.fleet.values.model import CloudNode, JobShape, NodeSize, ProviderSize, SizeSection

NO_NODE_TYPE = "Constraints cannot be satisfied by any node type"
NOTHING: Features = frozenset()
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
    ladder = tuple(rung if rung.price is not None else replace(rung, price=price) for rung in section.ladder)
    return NodeSize(
        id=section.id,
        instance_type=section.instance_type,
        provider_id=offer.id,
        provider_name=offer.name,
        cores=section.cores,
        ram=ram * mem_scaling,
        disk=disk,
        scratch=scratch,
        price=price if not ladder or ladder[0].price is None else ladder[0].price,
        preemptible=section.preemptible,
        bandwidth=bandwidth,
        extra=section.extra,
        gres=section.gres,
        partitions=section.partitions,
        features=section.features,
        ladder=ladder,
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
        features=section.features,
    )


class SizeTable:
    """The sizes that can be booted now. Built anew when the provider's list or the configuration changes."""

    def __init__(self, sections: Iterable[SizeSection], offers: Sequence[ProviderSize], mem_scaling: float) -> None:
        by_id: dict[str, ProviderSize] = {}
        by_name: dict[str, ProviderSize] = {}
        for offer in offers:
            by_id.setdefault(offer.id, offer)
            by_name.setdefault(offer.name, offer)
        self.by_id: dict[str, NodeSize] = {}
        self.unoffered: dict[str, NodeSize] = {}  # sizes that cannot be booted now, for the nodes that there are
        missing: list[MissingSize] = []
        self._offers, given = offers, tuple(sections)
        for section in given:
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
        self._given = frozenset(feature for section in given for feature in section.features)
        self._of_names: frozenset[Features] | None = None
        self.names_known = 0  # times that it was told of other names: choices are others since
        self.given = frozenset(feature for size in order for feature in self.features_of(size))
        self._own: dict[Features, Features] = {}
        self._offered: dict[tuple[Features, tuple[str, ...]], Features] = {}
        self._described: dict[tuple[str, Features], bool] = {}

    def rebuilt(self, sections: Iterable[SizeSection], mem_scaling: float) -> SizeTable:
        """A table of other sections, or another scaling, of the same offers and names."""
        other = SizeTable(sections, self._offers, mem_scaling)
        other._of_names = self._of_names
        return other

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

    def know_names(self, features: frozenset[Features]) -> None:
        """What the names have that nodes get, of features that no size gives them: each set of those that a name has.
        Before this is known, only Slurm can tell whether a job's constraint is met."""
        if features != self._of_names:
            self._of_names = features
            self.names_known += 1
            self._choices.clear()

    def gives(self, size: NodeSize) -> tuple[tuple[str, ...], frozenset[str]]:
        """Features that its nodes have in Slurm by their size, beside instancetype=; and those that they must not have,
        which other sizes give."""
        return size.features, self._given.difference(size.features)

    def is_described(self, size: NodeSize, shown: Features) -> bool:
        """Does a node of this size have in Slurm what its size gives, and nothing that another gives?"""
        found = self._described.get((size.id, shown))
        if found is None:
            by_size = {name for name in shown if name in self._given or name.startswith(SIZE_FEATURE)}
            found = by_size == {SIZE_FEATURE + size.id, *size.features}
            self._described[size.id, shown] = found
        return found

    def when_free(self, shown: Features, partitions: Collection[str]) -> Features:
        """What a free name that shows these should show: what it has beside its sizes', and all that these offer."""
        key = shown, tuple(partitions)
        found = self._offered.get(key)
        if found is None:
            found = self._offered[key] = self.own_features(shown) | self.offered_to(partitions)
        return found

    def offered_to(self, partitions: Collection[str]) -> Features:
        """All that nodes of any size may have by it, under a name of these partitions (none: of any)."""
        return frozenset(
            feature
            for size in (*self.by_id.values(), *self.unoffered.values())
            if not size.partitions or not partitions or not set(partitions).isdisjoint(size.partitions)
            for feature in (SIZE_FEATURE + size.id, *size.features)
        )

    def own_features(self, shown: Features) -> Features:
        """Of the features that a node has in Slurm, those that no size gives."""
        own = self._own.get(shown)
        if own is None:
            others = (name for name in shown if name not in self._given and not name.startswith(SIZE_FEATURE))
            own = self._own[shown] = frozenset(others)
        return own

    def _choose(self, shape: JobShape) -> tuple[NodeSize, ...]:
        if shape.size is not None:
            named = self.named(shape.size)
            return (named,) if named is not None and not self._against(named, shape) else ()
        offering = [size for size in self.cheapest_first if self.has_features(size, shape)]
        fitting = tuple(size for size in offering if fits(size, shape))
        if fitting or not (shape.features and sizes_named(shape.features)):
            return fitting
        return tuple(size for size in offering if not self._against(size, shape))  # it names them (F17)

    def has_features(self, size: NodeSize, shape: JobShape) -> bool:
        """Can nodes of this size, under names that there are, have what the job's constraint asks for?"""
        if not shape.features or self._of_names is None:
            return True
        own = self.features_of(size)
        return any(meets(shape.features, own | others, shape.nodes) for others in self._of_names or (NOTHING,))

    def features_of(self, size: NodeSize) -> Features:
        """What a node of this size has in Slurm by its size; jobs may name the provider's type, too (row C27)."""
        types = {size.instance_type, size.provider_name, size.provider_id} - self.by_id.keys()
        return frozenset([*size.features, *(SIZE_FEATURE + name for name in (size.id, *types))])

    def why_none(self, shape: JobShape) -> str:
        """Why no size serves a job that has no choices, in the words that its user reads."""
        if shape.size is not None:
            named = self.named(shape.size)
            return self._against(named, shape) if named is not None else NO_NODE_TYPE
        sizes = self.cheapest_first
        if not any(self.has_features(size, shape) for size in sizes):
            return f"No node type offers the features {shape.features}"
        if not any(_in_partition(size, shape) for size in sizes):
            return f"No node type is for the partition {' or '.join(shape.partitions)}"
        if not any(_in_partition(size, shape) and gres.meets(size.gres, shape.gres) for size in sizes):
            bound = shape.partitions and any(size.partitions for size in sizes)
            where = f" in the partition {' or '.join(shape.partitions)}" if bound else ""
            return f"No node type{where} offers the GRES {gres.words(shape.gres)}"
        return NO_NODE_TYPE

    def _against(self, size: NodeSize, shape: JobShape) -> str:
        """Why a job does not even get the size that it names; empty when it does. Only what the section says counts:
        older files say nothing of GRES, and such a job may ask for its GPUs all the same."""
        if not _in_partition(size, shape):
            bound, asked = ", ".join(size.partitions), ", ".join(shape.partitions)
            return f"Node type {size.id} is for the partition {bound} alone, and the job is for {asked}"
        if size.gres and not gres.meets(size.gres, shape.gres):
            offers, asks = gres.words(size.gres), gres.words(shape.gres)
            return f"Node type {size.id} offers the GRES {offers}, and the job asks for {asks}"
        if not self.has_features(size, shape):
            return f"Node type {size.id} does not offer the features {shape.features}"
        return ""

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
    """Does one node of this size meet the demand, and is it for such a job's partition?"""
    return fits_in(shape, capacity_of(size)) and _in_partition(size, shape)


def _in_partition(size: NodeSize, shape: JobShape) -> bool:
    """Is one of the partitions that the job names among those that the size is bound to?"""
    return not size.partitions or not shape.partitions or any(name in size.partitions for name in shape.partitions)
