"""What a list changed: told by the objects in it, kept in indices, and the same as if each list were taken anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arvnodeman.fleet.nodes.cloud_list import CloudList
from arvnodeman.fleet.nodes.polls import Trust
from arvnodeman.fleet.nodes.record_index import STAMPS, RecordIndex, is_fresher
from arvnodeman.fleet.nodes.rows import keys_of_others, moved
from arvnodeman.fleet.values.model import BootIntent, CloudNode, NodeRecord

UUIDS = [f"zzzzz-7ekkf-{number:015}" for number in range(6)]
POOL = [
    NodeRecord(
        uuid,
        hostname=host,
        instance_id=instance,
        first_ping_at=ping,
        address=instance and f"10.0.0.{instance}",
        intent=BootIntent("small", 0.1, token, 1.0) if token else None,
    )
    for uuid in UUIDS
    for host, instance, token, ping in (
        (f"compute{uuid[-1]}", uuid[-1], None, 1.0),
        (f"compute{uuid[-1]}", None, f"t{uuid[-1]}", None),
        ("compute0", "0", "t0", 2.0),
        (None, None, None, None),
    )
]
SCATTERED = st.lists(st.sampled_from(POOL), max_size=12)
STEADY = st.lists(st.integers(0, 3), min_size=len(UUIDS), max_size=len(UUIDS)).map(
    lambda kinds: [POOL[4 * place + kind] for place, kind in enumerate(kinds)]
)


def as_taken(index: RecordIndex) -> list[object]:
    """All that can be asked of it."""
    return [
        list(index.records.items()),
        dict(index.hosts),
        index.one_for_each_host,
        [index.of_instance(str(number)) for number in range(6)],
        [index.of_token(f"t{number}") for number in range(6)],
        [index.of_name(f"compute-{uuid[-15:]}-x") for uuid in UUIDS],
        [index.at(f"10.0.0.{number}") for number in range(6)],
    ]


@given(st.lists(st.one_of(SCATTERED, STEADY), min_size=1, max_size=6))
def test_an_index_of_records_is_what_it_would_be_of_the_last_list_alone(lists: list[list[NodeRecord]]) -> None:
    index = RecordIndex()
    for listed in lists:
        known = dict(index.records)
        change = index.take(listed)
        anew = RecordIndex()
        anew.take(listed)
        assert as_taken(index) == as_taken(anew)
        assert set(change.new) == index.records.keys() - known.keys()
        assert set(change.gone) == known.keys() - index.records.keys()
        others = {uuid for uuid, record in index.records.items() if known.get(uuid) is not record}
        assert others <= change.came.keys()


def test_a_list_in_another_order_is_another_list() -> None:
    """Of two records with one uuid the later one counts; all stand in the order of the list."""
    first, second = NodeRecord(UUIDS[0], slot=1), NodeRecord(UUIDS[0], slot=2)
    others = [NodeRecord(f"zzzzz-7ekkf-{number:015d}") for number in range(100, 120)]
    for before, after in (
        ([first, second], [second, first]),
        (others, others[::-1]),
        (others, [*others[1:], others[0]]),
        (others, [others[1], others[0], *others[2:]]),
    ):
        index, anew = RecordIndex(), RecordIndex()
        index.take(before)
        index.take(after)
        anew.take(after)
        assert as_taken(index) == as_taken(anew)


@given(st.lists(STEADY, min_size=2, max_size=6))
def test_one_record_at_a_time(lists: list[list[NodeRecord]]) -> None:
    """Few are others than before: the indices are patched."""
    index, listed = RecordIndex(), list(lists[0])
    index.take(listed)
    for place, others in enumerate(lists[1:]):
        listed[place] = others[place]
        index.take(listed)
        anew = RecordIndex()
        anew.take(listed)
        assert as_taken(index) == as_taken(anew)


@settings(deadline=None)
@given(st.lists(st.lists(st.booleans(), min_size=len(UUIDS), max_size=len(UUIDS)), max_size=5), st.booleans())
def test_records_of_which_any_number_have_only_pinged(lists: list[list[bool]], shared: bool) -> None:
    """`shared`: two of them are looked for at one address."""
    listed = [
        NodeRecord(uuid, f"compute{place}", instance_id=str(place), address=f"10.0.0.{0 if shared else place}")
        for place, uuid in enumerate(UUIDS)
    ]
    index = RecordIndex()
    index.take(listed)
    for now, pinged in enumerate(lists):
        assert index.at("10.0.0.0") is not None
        listed = [
            replace(record, last_ping_at=float(now)) if ping else record
            for record, ping in zip(listed, pinged, strict=True)
        ]
        change = index.take(listed)
        anew = RecordIndex()
        anew.take(listed)
        assert as_taken(index) == as_taken(anew)
        assert [*change.came] == [record.uuid for record, ping in zip(listed, pinged, strict=True) if ping]


@given(st.lists(st.tuples(st.sets(st.integers(0, 30)), st.sets(st.integers(0, 30)), st.booleans()), max_size=8))
def test_trust_that_follows_what_changed_is_that_which_looks_at_all(
    lists: list[tuple[set[int], set[int], bool]],
) -> None:
    looking, following, before = Trust(), Trust(), set[str]()
    for numbers, forgotten, expects in lists:
        listed = {str(number) for number in numbers}
        if expects:
            looking.expect({"31", "32"})
            following.expect({"31", "32"})
        for number in forgotten:
            looking.forget(str(number))
            following.forget(str(number))
        believed = looking.judge(set(listed))
        assert following.follow(listed - before, before - listed, listed.copy) is believed
        assert following.doubted == looking.doubted
        before = listed


@pytest.mark.parametrize(
    ("before", "after", "came", "left"),
    [
        ("abcd", "abcd", "", ""),
        ("abcdefgh", "abcxefgh", "x", "d"),
        ("abcd", "bcde", "e", "a"),
        ("abcd", "abc", "", "d"),
        ("", "ab", "ab", ""),
        ("ab", "", "", "ab"),
        ("aab", "ab", "", ""),
    ],
)
def test_what_moved(before: str, after: str, came: str, left: str) -> None:
    assert moved(tuple(before), tuple(after)) == (list(came), list(left))


def test_an_equal_row_that_is_another_object_has_moved() -> None:
    """Whoever asks may hold the two against each other; nothing is lost."""
    row = CloudNode("i-1", "compute1", "i-1")
    again = replace(row)
    came, left = moved((row,), (again,))
    assert came[0] is again
    assert left[0] is row


@pytest.mark.parametrize(
    ("before", "after", "others"),
    [
        ("abc", "abc", ""),
        ("abc", "aBc", "b"),
        ("abc", "acB", "b"),  # in another order: found by their keys
        ("abc", "cab", ""),
        ("abc", "abcd", "d"),
        ("abc", "ab", ""),
        ("abc", "abd", "d"),
        ("", "a", "a"),
    ],
)
def test_keys_that_have_another_object(before: str, after: str, others: str) -> None:
    """A key is a small letter; a great one is another object than before."""
    objects = {letter: object() for letter in (*before, *after)}
    found = keys_of_others(
        {letter: objects[letter] for letter in before}, {letter.lower(): objects[letter] for letter in after}
    )
    assert found == list(others)


@pytest.mark.parametrize("name", [each.name for each in fields(NodeRecord)])
def test_a_record_is_fresher_only_if_nothing_but_its_stamps_is_new(name: str) -> None:
    old = NodeRecord("u", hostname="compute1", modified_at=1.0, last_ping_at=1.0)
    changed: dict[str, Any] = {name: 2.0}
    new = replace(old, **changed)
    assert is_fresher(new, old) is (name in STAMPS)
    assert not is_fresher(old, new)


def listed(*ids: str) -> Sequence[CloudNode]:
    """Entries of these ids."""
    return [CloudNode(each, each, each) for each in ids]


def test_of_a_node_that_is_listed_twice_the_first_entry_counts() -> None:
    cloud = CloudList()
    first, second = listed("i-1", "i-1")
    change = cloud.take([first, second])
    assert change.duplicates == ["i-1"]
    assert cloud.entries["i-1"] is first
    assert cloud.take([first, second]).duplicates == ["i-1"]
    change = cloud.take([second])
    assert not change.duplicates
    assert cloud.entries["i-1"] is second
    assert change.came == [second]
