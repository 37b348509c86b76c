"""Sizes: sections joined with the provider's offer, and which of them a job gets (section 2 of the rules)."""

from __future__ import annotations

import math
from typing import Any

import pytest

from arvnodeman.fleet.nodes.node import MAX_WEIGHT, slurm_weight
from arvnodeman.fleet.sizes.table import SizeTable, fits
from arvnodeman.fleet.values.model import CloudNode, JobShape, NodeSize, ProviderSize, SizeSection

OFFER = ProviderSize("m5.large", "M5 Large", ram=8192, disk=20, bandwidth=10, price=0.1, cores=2)


def section(name: str = "m5.large", **fields: Any) -> SizeSection:
    return SizeSection(name, fields.pop("cores", 2), fields.pop("instance_type", name), **fields)


def table(*sections: SizeSection, offers: tuple[ProviderSize, ...] = (OFFER,), scaling: float = 0.95) -> SizeTable:
    return SizeTable(sections, offers, scaling)


def test_what_the_section_does_not_say_the_provider_says() -> None:
    (size,) = table(section(cores=3)).by_id.values()
    assert (size.cores, size.disk, size.bandwidth, size.price) == (3, 20, 10, 0.1)
    assert (size.provider_id, size.provider_name) == ("m5.large", "M5 Large")


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("price", 0.25, 0.25),
        ("ram", 4000.0, 2000.0),  # scaled, as the provider's is
        ("disk", 7.0, 7.0),
        ("scratch", 123.0, 123.0),
        ("bandwidth", 99.0, 99.0),
        ("preemptible", True, True),
    ],
)
def test_the_section_overrides_what_the_provider_says(field: str, value: Any, expected: Any) -> None:
    size = table(section(**{field: value}), scaling=0.5).by_id["m5.large"]
    assert getattr(size, field) == expected


def test_ram_is_scaled() -> None:
    """Row C20: advertised RAM is more than a node has."""
    size = table(section(), scaling=0.95).by_id["m5.large"]
    assert size.ram == pytest.approx(8192 * 0.95)
    assert not fits(size, JobShape(ram=8192))


@pytest.mark.parametrize(("disk", "scratch"), [(20, 20_000), (0.5, 500), (0, 0)])
def test_scratch_is_by_default_a_thousand_mb_for_each_gb_of_disk(disk: float, scratch: float) -> None:
    """Row C21."""
    offer = ProviderSize("t", "t", ram=1000, disk=disk, price=1)
    assert table(section("t"), offers=(offer,)).by_id["t"].scratch == scratch


@pytest.mark.parametrize("odd", [0, math.nan, math.inf, -1])
def test_a_figure_of_0_or_nonsense_is_unknown_and_met_by_any_demand(odd: float) -> None:
    """Row C22: most EC2 types list disk 0."""
    offer = ProviderSize("t", "t", ram=odd, disk=odd, bandwidth=odd, price=1)
    size = table(section("t"), offers=(offer,)).by_id["t"]
    assert (size.ram, size.disk, size.scratch) == (0, 0, 0)
    assert fits(size, JobShape(cores=2, ram=1e9, scratch=1e9))


@pytest.mark.parametrize("price", [None, 0, 0.0, -1, math.nan, math.inf])
def test_no_price_is_an_error_of_the_configuration(price: float | None) -> None:
    """Row C10: a price of 0 from the provider is not a price."""
    found = table(section("t"), offers=(ProviderSize("t", "t", ram=1, price=price),))
    assert not found.by_id
    (missing,) = found.missing
    assert missing.id == "t"
    assert "price" in missing.problem


def test_a_price_in_the_section_stands_for_one_that_the_provider_lacks() -> None:
    """Row C10."""
    found = table(section("t", price=0.5), offers=(ProviderSize("t", "t", ram=1, price=None),))
    assert found.by_id["t"].price == 0.5


@pytest.mark.parametrize(("instance_type", "found"), [("m5.large", True), ("M5 Large", True), ("m5.larg", False)])
def test_a_type_is_matched_by_id_else_by_name(instance_type: str, found: bool) -> None:
    """Row H1."""
    assert ("x" in table(section("x", instance_type=instance_type)).by_id) is found


def test_an_id_goes_before_a_name() -> None:
    swapped = (ProviderSize("a", "b", price=1), ProviderSize("b", "a", price=2))
    assert table(section("a"), offers=swapped).by_id["a"].provider_id == "a"


def test_sections_may_share_a_type_and_keep_their_names() -> None:
    """Row C24: spot and on-demand of one type."""
    spot = section("spot", instance_type="m5.large", preemptible=True, price=0.03)
    found = table(section("m5.large"), spot)
    assert [(size.id, size.provider_id, size.preemptible) for size in found.by_id.values()] == [
        ("m5.large", "m5.large", False),
        ("spot", "m5.large", True),
    ]


def test_a_type_that_is_not_offered_is_missing_and_the_nearest_are_named() -> None:
    found = table(section("m5.large"), section("m5.xlarg"), offers=(OFFER, ProviderSize("m5.xlarge", "x", price=1)))
    (missing,) = found.missing
    assert (missing.id, missing.instance_type) == ("m5.xlarg", "m5.xlarg")
    assert missing.nearest[0] == "m5.xlarge"
    assert found.is_missing("m5.xlarg")
    assert not found.is_missing("m5.large")


SIZES = (
    section("dear", cores=4, instance_type="t", price=0.3, ram=8000, scratch=9000),
    section("cheap", cores=1, instance_type="t", price=0.1, ram=2000, scratch=1000),
    section("equal", cores=1, instance_type="t", price=0.1, ram=4000, scratch=1000),
    section("middle", cores=2, instance_type="t", price=0.2, ram=4000, scratch=50_000),
)
OFFERED = (ProviderSize("t", "T", ram=1000, disk=10, price=9),)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        (JobShape(), ["cheap", "equal", "middle", "dear"]),  # at equal price the first in the file
        (JobShape(cores=2), ["middle", "dear"]),
        (JobShape(ram=1900.5), ["equal", "middle", "dear"]),
        (JobShape(ram=1900), ["cheap", "equal", "middle", "dear"]),
        (JobShape(scratch=9000), ["middle", "dear"]),
        (JobShape(cores=4, ram=7600, scratch=9000), ["dear"]),
        (JobShape(cores=5), []),
        (JobShape(ram=7601), []),
        (JobShape(size="dear"), ["dear"]),
        (JobShape(size="cheap", cores=64, ram=1e9), ["cheap"]),  # whatever else it says, row F17
        (JobShape(size="T"), ["dear"]),  # the provider's name, row C27: the first in the file
        (JobShape(size="nothing"), []),
        (JobShape(nodes=3), ["cheap", "equal", "middle", "dear"]),
    ],
)
def test_a_job_gets_the_size_that_it_names_or_the_cheapest_that_fits(shape: JobShape, expected: list[str]) -> None:
    """Rows C27 and F17."""
    assert [size.id for size in table(*SIZES, offers=OFFERED).choices(shape)] == expected


def test_a_name_is_matched_by_id_before_the_providers_names() -> None:
    """Row C27."""
    found = table(section("a", instance_type="b"), section("b", instance_type="a"), offers=(
        ProviderSize("a", "A", price=1), ProviderSize("b", "B", price=1)))  # fmt: skip
    named = found.named("b")
    assert named is not None
    assert named.id == "b"


NODE_SIZES = (
    section("big", cores=4, instance_type="b"),
    section("small", instance_type="s"),
    section("spot", instance_type="s", preemptible=True),
    section("one", instance_type="o"),
    section("two", instance_type="o"),
)
NODE_OFFERS = tuple(ProviderSize(name, name.upper(), ram=1, price=1) for name in "bso")


@pytest.mark.parametrize(
    ("tag", "provider", "preemptible", "expected"),
    [
        ("big", "b", False, "big"),
        ("big", "other", False, "big"),  # the tag decides
        ("renamed", "b", False, "big"),  # exactly one section has the type, row C25
        ("renamed", "B", False, "big"),
        ("renamed", "s", False, "small"),  # preemptible and other nodes of one type are different sizes
        ("renamed", "s", True, "spot"),
        ("renamed", "b", True, None),
        ("renamed", "o", False, None),  # two sections have it
        ("renamed", "other", False, None),
        ("renamed", None, False, None),
        (None, "b", False, "big"),  # older than the tag, row C26
        (None, "o", False, "one"),
        (None, "other", False, None),
        (None, None, False, None),
    ],
)
def test_the_size_of_a_node(tag: str | None, provider: str | None, preemptible: bool, expected: str | None) -> None:
    """Rows C25 and C26."""
    node = CloudNode("i-1", "n", "i-1", size_tag=tag, provider_size=provider, preemptible=preemptible)
    size = table(*NODE_SIZES, offers=NODE_OFFERS).of_node(node)
    assert (size.id if size is not None else None) == expected


@pytest.mark.parametrize(
    ("price", "weight"),
    [
        (0.1, 100),
        (1.2345, 1234),
        (0.0001, 0),
        (0, 0),
        (-1, 0),
        (math.nan, 0),
        (9_999_999, MAX_WEIGHT),
        (1e300, MAX_WEIGHT),
    ],
)
def test_the_weight_is_the_price_in_thousandths_below_two_to_the_32(price: float, weight: int) -> None:
    """Rows F11 and C26."""
    assert slurm_weight(price) == weight
    assert slurm_weight(price) < 2**32


def test_cores_of_0_are_unknown_too() -> None:
    """Row C22."""
    size = NodeSize("x", "x", "x", "x", cores=0, ram=0, disk=0, scratch=0, price=1)
    assert fits(size, JobShape(cores=99))


@pytest.mark.parametrize(("price", "expected"), [(0.7, 0.7), (None, 0.0)])
def test_a_node_of_a_section_that_the_provider_lacks_now_is_of_that_section(
    price: float | None, expected: float
) -> None:
    """Row C25: it is configured, and so its nodes are no strangers; but none is booted."""
    found = table(section("m5.large"), section("lost", price=price))
    size = found.of_node(CloudNode("i-1", "n", "i-1", size_tag="lost"))
    assert size is not None
    assert (size.id, size.price) == ("lost", expected)
    assert [choice.id for choice in found.choices(JobShape())] == ["m5.large"]


GPU = (("gpu", 1),)
FARM = (
    section("cpu", price=1, cores=4),
    section("gpu", price=3, cores=4, gres=(("gpu", 1),), partitions=("gpu",)),
    section(
        "tesla", price=5, cores=8, gres=(("gpu:k80", 1), ("gpu:tesla", 2), ("license", 4)), partitions=("gpu", "long")
    ),
    section("debug", price=2, cores=1, partitions=("debug",)),
)
FARM_OFFERS = tuple(ProviderSize(each.id, each.id, ram=8000, disk=10, price=1, cores=8) for each in FARM)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        (JobShape(), ["cpu", "debug", "gpu", "tesla"]),  # a job whose partition is not known
        (JobShape(gres=GPU), ["gpu", "tesla"]),
        (JobShape(gres=(("gpu", 2),)), ["tesla"]),  # of whatever types
        (JobShape(gres=(("gpu", 3),)), ["tesla"]),
        (JobShape(gres=(("gpu", 4),)), []),
        (JobShape(gres=(("gpu:tesla", 1),)), ["tesla"]),
        (JobShape(gres=(("gpu:v100", 1),)), []),
        (JobShape(gres=(("gpu", 1), ("license", 4))), ["tesla"]),
        (JobShape(gres=(("gpu", 1), ("license", 5))), []),
        (JobShape(gres=(("gp", 1),)), []),
        (JobShape(gres=GPU, cores=8), ["tesla"]),
        (JobShape(gres=GPU, cores=9), []),
        (JobShape(partitions=("compute",)), ["cpu"]),
        (JobShape(partitions=("gpu",)), ["cpu", "gpu", "tesla"]),
        (JobShape(partitions=("debug", "long")), ["cpu", "debug", "tesla"]),
        (JobShape(partitions=("compute",), gres=GPU), []),
        (JobShape(size="cpu", gres=GPU), ["cpu"]),  # the section says nothing of GRES: row F17
        (JobShape(size="gpu", gres=(("gpu", 2),)), []),
        (JobShape(size="gpu", partitions=("compute",)), []),
        (JobShape(size="gpu", partitions=("compute", "gpu")), ["gpu"]),
    ],
)
def test_gres_and_partitions_are_met(shape: JobShape, expected: list[str]) -> None:
    assert [size.id for size in table(*FARM, offers=FARM_OFFERS).choices(shape)] == expected


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        (JobShape(cores=99), "Constraints cannot be satisfied by any node type"),
        (JobShape(size="none"), "Constraints cannot be satisfied by any node type"),
        (JobShape(gres=GPU, cores=9), "Constraints cannot be satisfied by any node type"),
        (JobShape(gres=(("gpu:v100", 2), ("x", 1))), "No node type offers the GRES gpu:v100:2,x:1"),
        (JobShape(gres=GPU, partitions=("debug",)), "No node type in the partition debug offers the GRES gpu:1"),
        (
            JobShape(size="gpu", gres=(("gpu", 2),)),
            "Node type gpu offers the GRES gpu:1, and the job asks for gpu:2",
        ),
        (
            JobShape(size="tesla", partitions=("compute", "debug")),
            "Node type tesla is for the partition gpu, long alone, and the job is for compute, debug",
        ),
    ],
)
def test_why_no_size_serves_a_job(shape: JobShape, words: str) -> None:
    assert table(*FARM, offers=FARM_OFFERS).why_none(shape) == words


def test_no_size_is_for_the_partition() -> None:
    bound = table(*FARM[1:], offers=FARM_OFFERS)
    assert bound.why_none(JobShape(partitions=("compute", "x"))) == "No node type is for the partition compute or x"


def test_a_size_that_the_cloud_lacks_now_keeps_its_gres() -> None:
    """Its nodes are no strangers."""
    lacking = table(FARM[1], offers=())
    assert (lacking.unoffered["gpu"].gres, lacking.unoffered["gpu"].partitions) == ((("gpu", 1),), ("gpu",))


def test_a_size_that_the_provider_lacks_is_known_by_its_section_for_the_nodes_that_there_are() -> None:
    extra, offer = (("subnet", "a"),), (("gpu", 2),)
    known = section(
        "old", instance_type="m1", cores=3, price=2.5, ram=1000, disk=7, scratch=9, preemptible=True, extra=extra,
        gres=offer, partitions=("gpu",),
    )  # fmt: skip
    assert table(known).unoffered["old"] == NodeSize(
        "old", "m1", "m1", "m1", 3, 950.0, 7, 9, 2.5, preemptible=True, extra=extra, gres=offer, partitions=("gpu",)
    )


def test_what_a_lacking_sizes_section_does_not_say_is_unknown() -> None:
    assert table(section("old", cores=3)).unoffered["old"] == NodeSize(
        "old", "old", "old", "old", 3, 0.0, 0.0, 0.0, 0.0
    )


def test_all_partitions_of_a_job_are_named() -> None:
    sizes = table(section(partitions=("x",)))
    assert sizes.why_none(JobShape(partitions=("a", "b"))) == "No node type is for the partition a or b"
    assert "in the partition x or b" in sizes.why_none(JobShape(partitions=("x", "b"), gres=(("gpu", 1),)))


@pytest.mark.parametrize("broken", [ProviderSize("other", "other", price=None), ProviderSize("another", "another")])
def test_sizes_after_one_that_is_missing_are_there(broken: ProviderSize) -> None:
    """The provider does not offer it, or nobody knows its price."""
    sizes = table(section("other"), section("m5.large"), offers=(OFFER, broken))
    assert [size.id for size in sizes.cheapest_first] == ["m5.large"]
    assert [missing.id for missing in sizes.missing] == ["other"]


# ---- what is remembered of shapes ------------------------------------------------------------------------------------


def shapes(count: int) -> list[JobShape]:
    return [JobShape(ram=float(ram)) for ram in range(count)]


@pytest.mark.parametrize(("known", "kept"), [(160, True), (161, False)])
def test_shapes_that_left_the_queue_are_forgotten_when_they_are_many(known: int, kept: bool) -> None:
    """Not at every poll: more than twice what waits now, and a hundred."""
    sizes, asked = table(section()), shapes(known)
    before = [sizes.choices(shape) for shape in asked]
    sizes.forget_others(asked[:30])
    assert [sizes.choices(shape) is choice for shape, choice in zip(asked, before, strict=True)] == [
        kept or number < 30 for number in range(known)
    ]


def test_a_shape_that_was_not_asked_for_yet_may_be_in_the_queue() -> None:
    sizes = table(section())
    for shape in shapes(200):
        sizes.choices(shape)
    new = JobShape(cores=99)
    sizes.forget_others([new])
    assert sizes.choices(new) == ()
