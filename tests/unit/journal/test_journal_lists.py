"""A list is what has changed in it, and comes out as it went in."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from arvnodeman.fleet.messages import CloudListed, RecordsListed
from arvnodeman.fleet.values.model import CloudNode, NodeRecord
from arvnodeman.fleet.values.work import NodeWork
from arvnodeman.journal.codec import Codec
from arvnodeman.journal.lists import ListCoder
from arvnodeman.journal.reader import RecordReader, Told
from arvnodeman.journal.records import RecordWriter
from arvnodeman.slurm.words import node_work

NODES = st.lists(st.builds(CloudNode, st.sampled_from("abcdef"), st.sampled_from("xy"), st.just("r")), max_size=7)
WORDS = st.none() | st.dictionaries(
    st.sampled_from("abcdef"), st.builds(node_work, st.just("n"), st.sampled_from(["idle", "drain"])), max_size=6
)


@settings(deadline=None)
@given(st.lists(st.tuples(NODES, WORDS), max_size=8))
def test_lists_come_out_as_they_went_in(told: list[tuple[list[CloudNode], dict[str, NodeWork] | None]]) -> None:
    """With items of one key twice, in any order, and in a mapping too."""
    codec = Codec()
    writer, reader = RecordWriter(codec), RecordReader(codec)
    for nodes, words in told:
        for event in (CloudListed(tuple(nodes), 1.5), RecordsListed((), words, 2.5)):
            read = reader.entry(json.loads(writer.record(event, 3.5, [])))
            assert read == Told(event, 3.5)
            assert isinstance(read, Told)
            slurm = getattr(read.event, "slurm", None)
            assert list(slurm or ()) == list(getattr(event, "slurm", None) or ()), "the order is kept, too"


POOL = [CloudNode(key, name, "r") for key in "abcdefghijklmnopqrst" for name in ("x", "x", "y")]  # some equal, not same


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["again", "cut", "turned", "other"]), st.lists(st.sampled_from(POOL), max_size=70)),
        max_size=8,
    )
)
def test_lists_of_which_items_are_the_same_objects_come_out_as_they_went_in(
    told: list[tuple[str, list[CloudNode]]],
) -> None:
    codec = Codec()
    writer, reader = RecordWriter(codec), RecordReader(codec)
    listed: tuple[CloudNode, ...] = ()
    for how, more in told:
        half = len(listed) // 2
        listed = {
            "again": listed,
            "cut": (*listed[:half], *more[:2], *listed[half + 1 :]),
            "turned": (*listed[half:], *listed[:half]),
            "other": tuple(more),
        }[how]
        event = CloudListed(listed, 1.5)
        assert reader.entry(json.loads(writer.record(event, 3.5, []))) == Told(event, 3.5)


def coded(*lists: Any) -> list[Any]:
    coder = ListCoder(Codec(), CloudNode)
    return [coder.code(each) for each in lists]


def nodes(*ids: str, **fields: Any) -> list[CloudNode]:
    return [CloudNode(each, each, each, **fields) for each in ids]


def test_what_has_not_changed_is_not_written() -> None:
    long = [str(number) for number in range(1000)]
    _, same, moved, changed = coded(
        nodes(*long),
        nodes(*long),
        nodes(*long[1:], "new"),
        [*nodes(*long[1:]), CloudNode("new", "new", "new", stopped=True)],
    )
    assert same == {}
    assert [each if isinstance(each, list) else set(each) for each in moved["o"]] == [[1, 999], {"+"}]
    assert "c" not in moved
    assert changed == {"c": {999: {"stopped": True}}}


def test_a_list_that_equals_the_last_one_costs_a_few_bytes() -> None:
    writer = RecordWriter(Codec())
    event = RecordsListed(tuple(NodeRecord(f"u{n}") for n in range(5000)), {}, 1.0)
    first, second = (writer.record(event, 1_700_000_000.25, []) for _ in range(2))
    assert len(first) > 100_000
    assert len(second) < 100


def test_an_item_that_has_not_changed_is_not_made_anew() -> None:
    codec = Codec()
    writer, reader = RecordWriter(codec), RecordReader(codec)
    read = []
    for last in ("x", "y"):
        event = CloudListed((*nodes("a", "b"), CloudNode("c", last, "c")), 1.0)
        entry = reader.entry(json.loads(writer.record(event, 1.0, [])))
        assert isinstance(entry, Told)
        read.append(entry.event)
    first, second = (each.nodes for each in read)  # type: ignore[union-attr]
    assert [one is other for one, other in zip(first, second, strict=True)] == [True, True, False]
