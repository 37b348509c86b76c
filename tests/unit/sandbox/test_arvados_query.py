"""List requests of the sandbox's API server."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arvnodeman.sandbox.arvados_query import ApiFailure, ListQuery, Row, normal_stamp, select_of, stamp

COLUMNS = frozenset(("uuid", "modified_at", "slot_number", "hostname", "properties"))


def row(uuid: str, **columns: Any) -> Row:
    empty: Row = {"modified_at": stamp(0), "slot_number": None, "hostname": None, "properties": {}}
    return {"uuid": uuid} | empty | columns


ROWS = [
    row("a", slot_number=2, hostname="compute2", modified_at=stamp(1.5), properties={"x": 1}),
    row("b", slot_number=10, hostname="Compute10", modified_at=stamp(2.5)),
    row("c"),
]


def found(**parameters: object) -> list[str]:
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in parameters.items()}
    rows, _ = ListQuery.of(texts, COLUMNS).page(ROWS)
    return [row["uuid"] for row in rows]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (["uuid", "=", "a"], "a"),
        (["uuid", "!=", "a"], "bc"),
        (["uuid", ">", "a"], "bc"),
        (["uuid", ">=", "b"], "bc"),
        (["uuid", "<", "b"], "a"),
        (["uuid", "<=", "b"], "ab"),
        (["uuid", "in", ["a", "c"]], "ac"),
        (["uuid", "not in", ["a", "c"]], "b"),
        (["slot_number", "=", None], "c"),
        (["slot_number", "!=", None], "ab"),
        (["slot_number", "!=", 2], "b"),
        (["slot_number", ">", 2], "b"),
        (["hostname", "like", "compute%"], "a"),
        (["hostname", "ilike", "COMPUTE%"], "ab"),
        (["properties", "exists", "x"], "a"),
        (["properties.x", "=", 1], "a"),
        (["modified_at", ">", "1970-01-01T00:00:01.5Z"], "b"),
        (["modified_at", ">=", "1970-01-01 00:00:01.500000000Z"], "ab"),
        (["modified_at", ">=", "1970-01-01T01:00:01.5+01:00"], "ab"),
        (["modified_at", "=", "1970-01-01T00:00:00"], "c"),
    ],
)
def test_filters(condition: list[object], expected: str) -> None:
    assert "".join(found(filters=[condition], order=["uuid asc"])) == expected


def test_filters_are_joined_by_and() -> None:
    assert found(filters=[["uuid", ">", "a"], ["slot_number", "=", None]]) == ["c"]


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        (["slot_number asc"], "abc"),
        (["slot_number desc"], "cba"),
        (["hostname desc", "uuid"], "cab"),
        ("slot_number desc, uuid", "cba"),
        ("", "bac"),
        (["nonsense"], "bac"),
    ],
)
def test_order_with_null_as_the_greatest_and_the_newest_change_first_by_default(order: object, expected: str) -> None:
    assert "".join(found(order=order)) == expected


def test_pages_are_cut_by_limit_and_offset_and_capped() -> None:
    assert found(order="uuid", limit="2") == ["a", "b"]
    assert found(order="uuid", limit="2", offset="2") == ["c"]
    assert found(limit="0") == []
    assert ListQuery.of({"limit": "5000"}, COLUMNS).limit == 1000
    assert ListQuery.of({}, COLUMNS).limit == 100


@pytest.mark.parametrize(
    "parameters",
    [
        {"filters": "no json"},
        {"filters": '{"a": 1}'},
        {"filters": '[["uuid", "="]]'},
        {"filters": '[["secret", "=", 1]]'},
        {"filters": '[["uuid", "~", 1]]'},
        {"filters": '[["uuid", "in", "a"]]'},
        {"filters": '[["modified_at", ">", "soon"]]'},
        {"filters": '[["modified_at", ">", "2024-02-30T00:00:00+01:00"]]'},
        {"limit": "-1"},
        {"limit": "many"},
        {"offset": "1.5"},
        {"select": '["secret"]'},
        {"select": "7"},
    ],
)
def test_what_the_server_refuses_is_a_422(parameters: dict[str, str]) -> None:
    with pytest.raises(ApiFailure) as caught:
        ListQuery.of(parameters, COLUMNS)
    assert caught.value.status == 422


def test_a_comparison_of_unlike_things_is_a_422() -> None:
    with pytest.raises(ApiFailure, match="operand"):
        found(filters=[["slot_number", ">", "a"]])


def test_select_always_shows_the_kind() -> None:
    assert select_of({"select": '["uuid"]'}, COLUMNS) == frozenset(("uuid", "kind"))
    assert select_of({}, COLUMNS) is None


@given(st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(2199, 1, 1)), st.integers(0, 999))
def test_stamps_have_nanoseconds_and_come_back(moment: datetime, nanoseconds: int) -> None:
    """Row A18."""
    text = stamp(moment.replace(tzinfo=UTC).timestamp(), nanoseconds)
    assert (len(text), normal_stamp(text)) == (30, text)
    back = datetime.fromisoformat(text).replace(tzinfo=None)
    assert abs((back - moment).total_seconds()) <= 1e-5


@given(st.lists(st.floats(0, 4e9), min_size=2, max_size=2))
def test_stamps_sort_as_their_times_do(moments: list[float]) -> None:
    early, late = sorted(moments)
    assert stamp(early) <= stamp(late)
