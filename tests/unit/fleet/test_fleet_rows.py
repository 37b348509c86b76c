"""Rows that come again are the objects that they were."""

from __future__ import annotations

from dataclasses import replace
from operator import attrgetter

from hypothesis import given
from hypothesis import strategies as st

from arvnodeman.fleet.values.model import CloudNode
from arvnodeman.fleet.values.rows import Rows

nodes = st.lists(st.builds(CloudNode, st.sampled_from("abcdef"), st.sampled_from("xy"), st.just("r")), max_size=8)


@given(st.lists(nodes, max_size=8))
def test_lists_are_as_they_come_and_rows_that_are_equal_are_the_same(lists: list[list[CloudNode]]) -> None:
    rows: Rows[CloudNode] = Rows(attrgetter("id"))
    before: dict[str, CloudNode] = {}
    for listed in lists:
        found = rows.renewed(listed)
        assert list(found) == listed
        once = {row.id for row in found if [each.id for each in found].count(row.id) == 1}
        assert all(row is before[row.id] for row in found if row.id in once and before.get(row.id) == row)
        again = rows.renewed([replace(row) for row in found])
        assert again == found
        assert again is found or len(once) < len(found)
        before = {row.id: row for row in found if row.id in once}


def test_the_same_list_again_is_the_same_list() -> None:
    rows: Rows[CloudNode] = Rows(attrgetter("id"))
    listed = [CloudNode(name, name, name) for name in "abc"]
    first = rows.renewed(listed)
    assert rows.renewed([replace(node) for node in listed]) is first
    other = rows.renewed([replace(listed[0], name="other"), *map(replace, listed[:0:-1])])
    assert [row is old for row, old in zip(other, (first[0], first[2], first[1]), strict=True)] == [False, True, True]
    assert rows.renewed(listed[:2]) == tuple(listed[:2])
    assert rows.renewed(()) == ()


def test_of_a_long_list_some_rows_tell_whether_any_is_as_it_was() -> None:
    """A few changed ones anywhere keep the others; where all are others, none is held against its last one."""
    rows: Rows[CloudNode] = Rows(attrgetter("id"))
    first = rows.renewed([CloudNode(f"i{number}", "n", "r") for number in range(1000)])
    listed = [replace(row, name="other") if place % 50 == 0 else replace(row) for place, row in enumerate(first)]
    second = rows.renewed(listed)
    assert [row is old for row, old in zip(second, first, strict=True)] == [place % 50 != 0 for place in range(1000)]
    others = [replace(row, name="new") for row in second]
    third = rows.renewed(others)
    assert all(row is other for row, other in zip(third, others, strict=True))
    assert rows.renewed([*map(replace, third)]) is third
