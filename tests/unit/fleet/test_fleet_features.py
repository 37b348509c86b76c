"""A job's constraint: which nodes meet it, what it names, and the size that such a job gets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arvnodeman.fleet.sizes.table import SizeTable
from arvnodeman.fleet.values.features import NoFeatures, meets, named, size_needed, sizes_named
from arvnodeman.fleet.values.model import JobShape, ProviderSize, SizeSection

SIZES = ("", "a", "b", "c", "ab", "ac", "bc", "abc")  # the features of a node, a letter each


@pytest.mark.parametrize(
    ("expression", "met_by"),
    [  # as a real slurmctld 22.05 said, and 24.11
        ("a", "a ab ac abc"),
        ("a&b", "ab abc"),
        ("a,b", "ab abc"),
        ("a|b", "a b ab ac bc abc"),
        ("a|b&c", "ac bc abc"),  # from left to right
        ("c&a|b", "b ab ac bc abc"),
        ("(a|b)&c", "ac bc abc"),
        ("a&(b|c)", "ab ac abc"),
        ("a&b|c", "c ab ac bc abc"),
        ("[a|b]", "a b ab ac bc abc"),
        ("[a]&b", "ab abc"),
        ("[a|b]&c", "ac bc abc"),
        ("c|[a|b]", "ac bc abc"),  # what is in brackets is wanted in any case
        ("[a|b]|c", "a b ab ac bc abc"),
        ("a&[b|c]|b", "b ab ac bc abc"),
        ("[(a&b)|(a&c)]", "ab ac abc"),
        ("a&", "a ab ac abc"),
        ("(null)", " a b c ab ac bc abc"),
    ],
)
def test_which_nodes_meet_a_constraint(expression: str, met_by: str) -> None:
    assert [node for node in SIZES if meets(expression, node)] == met_by.split(" ")


@pytest.mark.parametrize(
    ("expression", "nodes", "met_by"),
    [
        ("a*2", 1, ""),
        ("a*2", 2, "a ab ac abc"),
        ("a*2&b", 4, "a ab ac abc"),  # two of the four have a, and b counts for nothing
        ("b*2&a*3", 2, ""),
        ("b*2&a*3", 4, "ab abc"),
        ("[a*2&b*2]", 3, ""),  # on different nodes
        ("[a*2&b*2]", 4, "ab abc"),
        ("(a&b)*2", 2, "ab abc"),
        ("c*2&[a|b]", 2, "ac bc abc"),
    ],
)
def test_counts_are_of_the_nodes_of_a_job(expression: str, nodes: int, met_by: str) -> None:
    assert [node for node in SIZES if meets(expression, node, nodes)] == met_by.split()


@pytest.mark.parametrize(
    "text",
    [
        "|a", "a&&b", "a||b", "[a", "a]", "(a", "a)", "()", "[]", "((a))", "[[a]]", "([a])", "a b", "a(b)", "[a]b",
        "[a&b]", "[a|b]&[c|d]", "[a*2|b]", "[a*2&b]", "(a*2)", "a*", "a*0", "a*2*3", "*2", "&", "a\n", "a" * 5000,
    ],
)  # fmt: skip
def test_what_slurm_refuses_is_no_expression(text: str) -> None:
    with pytest.raises(NoFeatures, match="expression of features"):
        meets(text, "abcd")


@given(st.text(alphabet="ab&|,()[]*2 ", max_size=30))
def test_no_text_does_more_than_be_refused(text: str) -> None:
    """And one that is taken is met by more, where nodes have more."""
    try:
        small, large = meets(text, "a"), meets(text, "ab")
    except NoFeatures:
        return
    assert large or not small
    assert meets(text, [*named(text), "b"], 10_000)


def test_the_sizes_that_a_constraint_names() -> None:
    text = "gpu&(instancetype=a|instancetype=b)&[instancetype=|x]"
    assert sizes_named(text) == ("a", "b")
    assert named(text) == ("gpu", "instancetype=a", "instancetype=b", "instancetype=", "x")
    assert size_needed(text) is None
    assert size_needed("instancetype=a&instancetype=b") == "a"
    assert size_needed("gpu|instancetype=a&instancetype=b") == "b"
    assert size_needed("[instancetype=a*1&gpu*1]") == "a"


def section(name: str, *features: str, cores: int = 1) -> SizeSection:
    return SizeSection(name, cores, name, price=float(cores), features=features)


TABLE = (section("small"), section("fast", "avx512", "ib", cores=2), section("large", "avx512", cores=8))


def table(*names: str) -> SizeTable:
    """`names`: what names have by themselves, a blank between."""
    made = SizeTable(TABLE, [ProviderSize(each.id, each.id) for each in TABLE], 1.0)
    made.know_names(frozenset(frozenset(own.split()) for own in names))
    return made


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        (JobShape(features="avx512"), "fast large"),
        (JobShape(features="avx512&ib"), "fast"),
        (JobShape(features="avx512", cores=4), "large"),
        (JobShape(features="ib", cores=4), ""),
        (JobShape(features="rack1"), "small fast large"),  # a name has it
        (JobShape(features="rack1&avx512"), "fast large"),
        (JobShape(features="[rack1|rack2]"), "small fast large"),
        (JobShape(features="rack1&rack2"), ""),  # no name has both
        (JobShape(features="rack9"), ""),
        (JobShape(size="large", features="instancetype=large&[rack1|rack2]"), "large"),
        (JobShape(size="large", features="instancetype=large&ib"), ""),
        (JobShape(features="instancetype=small|instancetype=large"), "small large"),
        (JobShape(features="instancetype=small|instancetype=large", cores=3), "large"),
        (JobShape(features="instancetype=small|instancetype=fast", cores=99), "small fast"),  # it names them, row F17
        (JobShape(features="instancetype=none|ib"), "fast"),
        (JobShape(features="ib*2", nodes=2), "fast"),
        (JobShape(features="ib*2", nodes=1), ""),
        (JobShape(features="[ib*1&instancetype=large*1]", nodes=2), ""),  # all nodes of a job are of one size
    ],
)
def test_a_job_gets_the_cheapest_size_whose_nodes_meet_its_constraint(shape: JobShape, expected: str) -> None:
    assert [size.id for size in table("rack1 x", "rack2").choices(shape)] == expected.split()


def test_a_job_that_asks_for_what_nobody_offers_is_told() -> None:
    known = table("rack1")
    assert known.why_none(JobShape(features="rack9")) == "No node type offers the features rack9"
    shape = JobShape(size="large", features="instancetype=large&rack9")
    assert known.why_none(shape) == "Node type large does not offer the features instancetype=large&rack9"


def test_before_slurm_has_shown_its_names_nobody_is_told_that() -> None:
    unknown = SizeTable(TABLE, [ProviderSize(each.id, each.id) for each in TABLE], 1.0)
    assert [size.id for size in unknown.choices(JobShape(features="rack9"))] == ["small", "fast", "large"]
    unknown.know_names(frozenset())  # it has shown them, and there are none
    assert not unknown.choices(JobShape(features="rack9"))
    assert [size.id for size in unknown.choices(JobShape(features="ib"))] == ["fast"]


def test_what_a_size_gives_is_no_feature_of_a_names_own() -> None:
    """A name had it with the last node of that size."""
    shown = frozenset({"rack1", "ib", "instancetype=fast", "myinstancetype=x"})
    assert table().own_features(shown) == {"rack1", "myinstancetype=x"}
