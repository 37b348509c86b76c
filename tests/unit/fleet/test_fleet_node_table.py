"""The rows of a view are those of the view before with what changed since; each view stays as it was."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from arvnodeman.fleet.view.node_table import NodeTable

CHANGES = st.dictionaries(st.sampled_from("abcdefgh"), st.one_of(st.none(), st.integers()), max_size=3)


@given(st.lists(st.tuples(CHANGES, st.booleans()), max_size=12))
def test_a_table_that_follows_another_is_that_with_its_changes(steps: list[tuple[dict[str, Any], bool]]) -> None:
    table: Any = NodeTable({})
    expected: dict[str, Any] = {}
    older = []
    for changed, read in steps:
        table = table.following(changed)
        expected = {key: row for key, row in {**expected, **changed}.items() if row is not None}
        older.append((table, expected))
        if read:
            assert dict(table) == expected
    for each, rows in older:
        assert each == rows
        assert len(each) == len(rows)
        assert set(each) == set(each.keys()) == rows.keys()
        assert sorted(each.values()) == sorted(rows.values())
        assert all(row == row for key, row in each.items())
