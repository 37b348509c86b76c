"""Node records that are as they were in the last list: the same objects, and all else as a new reader says."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any
from unittest.mock import Mock

from hypothesis import given
from hypothesis import strategies as st

from arvnodeman.arvados.nodes import ArvadosRecords, record_of
from arvnodeman.fleet.values.model import NodeRecord


class Listed(ArvadosRecords):
    """Records of these items."""

    def __init__(self) -> None:
        super().__init__(Mock())
        self.items: list[Any] = []

    def _items(self) -> Iterator[Any]:
        yield from self.items


odd: st.SearchStrategy[Any] = st.sampled_from([None, "", 0, 1, 1.0, True, False, [], {}, {"a": 1}, "text"])
times = st.sampled_from([None, "2024-01-31T12:00:00.5Z", "2024-01-31T12:00:01Z", "yesterday"])
intents = st.fixed_dictionaries(
    {},
    optional={
        "size": st.sampled_from(["s1", "s2", "", 1]),
        "price": st.sampled_from([1, 1.0, True, 0.5, -1, "1"]),
        "token": st.sampled_from(["t", ""]),
        "at": st.sampled_from(["2024-01-31T12:00:00Z", "then"]),
        "name": st.sampled_from(["compute1", "", None, 7]),
        "more": st.integers(0, 1),
    },
)
items = st.one_of(
    odd,
    st.fixed_dictionaries(
        {"uuid": st.sampled_from(["zzzzz-7ekkf-000000000000001", "zzzzz-7ekkf-000000000000002", "x", None, 7])},
        optional={
            "hostname": st.sampled_from([None, "compute1", "a,b", 0]),
            "domain": st.sampled_from([None, "", "example"]),
            "slot_number": st.sampled_from([None, 0, 1, True, 1.0, "1"]),
            "created_at": times,
            "modified_at": times,
            "first_ping_at": times,
            "last_ping_at": times,
            "crunch_worker_state": st.sampled_from([None, "idle", "busy", 0]),
            "info": st.one_of(odd, st.fixed_dictionaries({"ec2_instance_id": st.sampled_from([None, "", "i-1", 5])})),
            "properties": st.one_of(odd, st.fixed_dictionaries({"cloud_node": st.one_of(odd, intents)})),
        },
    ),
)


def read_alone(listed: list[Any]) -> list[NodeRecord]:
    found = []
    for item in listed:
        try:
            found.append(record_of(item))
        except ValueError:
            continue
    return found


@given(st.lists(st.tuples(st.lists(items, max_size=6), st.booleans()), max_size=6))
def test_after_other_lists_a_list_says_what_it_says_alone(lists: list[tuple[list[Any], bool]]) -> None:
    keeper = Listed()
    for new, more in lists:
        keeper.items = [*keeper.items[1:], *new] if more else new
        expected = read_alone(keeper.items)
        assert [repr(record) for record in keeper.list_records()] == [repr(record) for record in expected]


def item_of(number: int, ping: str = "2024-01-31T12:00:00Z") -> dict[str, Any]:
    return {
        "uuid": f"zzzzz-7ekkf-{number:015d}",
        "hostname": f"compute{number}",
        "slot_number": number,
        "last_ping_at": ping,
        "info": {"ec2_instance_id": f"i-{number}", "ping_secret": "secret"},
        "properties": {"cloud_node": {"size": "s", "price": 0.5, "token": "t", "at": "2024-01-31T12:00:00Z"}},
    }


def test_a_record_that_is_as_it_was_is_the_very_record() -> None:
    keeper = Listed()
    keeper.items = [item_of(number) for number in (1, 2, 3)]
    first = keeper.list_records()
    keeper.items = [copy.deepcopy(item_of(number)) for number in (4, 3, 1)] + [item_of(2, "2024-01-31T12:01:00Z")]
    second = keeper.list_records()
    assert [any(record is old for old in first) for record in second] == [False, True, True, False]
    assert "secret" not in repr(keeper._read)
