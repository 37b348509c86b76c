"""The memory of vain boots, word by word: what each thing that is learnt changes in it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pictures import BIG, ONE, PAIR, T

from arvnodeman.fleet.plan.vain import (
    LONGEST,
    MISLED,
    MOST,
    REMEMBERED,
    IdleNode,
    Mark,
    Memory,
    VainBoots,
    Watch,
    follow,
    group_name,
    not_first,
    words_of,
)
from arvnodeman.fleet.values.capacity import Footprint
from arvnodeman.fleet.values.model import JobOwner, JobShape
from arvnodeman.fleet.values.reasons_of_use import InVain, ProbeFirst

FIRST_WAIT = 60.0
PHYSICS = replace(ONE, owner=JobOwner("ada", "physics"))
NODE = IdleNode("compute1", T - 180)


def watched() -> VainBoots:
    """Two groups of which everything is noted."""
    watch, mark = Watch(T, ("1",)), Mark(NODE, T, ("1",))
    return VainBoots(
        FIRST_WAIT,
        {ONE: Memory(), BIG: Memory()},
        {ONE: T, BIG: T},
        {ONE: watch, BIG: watch},
        {ONE: mark, BIG: mark},
    )


def test_the_name_of_a_group_is_short_and_the_same_in_every_run() -> None:
    assert group_name(ONE) == group_name(type(ONE)())
    assert group_name(ONE) != group_name(BIG)
    name = group_name(ONE)
    assert (name[0], len(name), len(bytes.fromhex(name[1:]))) == ("g", 9, 4)


@pytest.mark.parametrize(
    ("shape", "name"),
    [(ONE, "g5474a737"), (PHYSICS, "g0777a1f2"), (replace(ONE, takes=Footprint(1, 100)), "g7137238f")],
)
def test_names_that_journals_have_stay_what_they_are(shape: JobShape, name: str) -> None:
    assert group_name(shape) == name


def test_what_a_memory_says_of_a_group() -> None:
    memory = Memory(reason="Licenses", node="compute1", idle=180.0, until=T, at_once=4)
    assert memory.cause(T - 1) == InVain(until=T, said="Licenses", node="compute1", idle=180.0)
    assert memory.cause(T) is None
    assert memory.probing() == ProbeFirst(said="Licenses", jobs=4)


def test_a_node_in_vain_is_noted_with_all_that_is_known_of_it() -> None:
    vain = watched()
    verdict = vain.in_vain(ONE, "Licenses", NODE, T)
    until = T + FIRST_WAIT
    expected = Memory("Licenses", "compute1", 180.0, told_at=T, vain_at=T, wait=FIRST_WAIT, until=until)
    assert (verdict.shape, verdict.memory, vain.groups[ONE]) == (ONE, expected, expected)
    assert [list(table) for table in (vain.asked, vain.watches, vain.marks)] == [[BIG]] * 3


@pytest.mark.parametrize(
    ("ages", "wait"),
    [
        ([], 1),
        ([100], 2),
        ([100, 100], 4),
        ([REMEMBERED], 2),
        ([REMEMBERED + 1], 1),
        ([100, REMEMBERED + 1], 1),
        ([100] * 5, 32),
        ([100] * 6, LONGEST),
        ([100] * 7, LONGEST),
    ],
)
def test_a_back_off_is_twice_as_long_each_time_for_a_day(ages: list[float], wait: int) -> None:
    vain, t = VainBoots(FIRST_WAIT), T
    vain.in_vain(ONE, "", NODE, t)
    for age in ages:
        t += age
        vain.in_vain(ONE, "", NODE, t)
    assert vain.groups[ONE].wait == wait * FIRST_WAIT
    assert vain.next_end(t) == t + wait * FIRST_WAIT


@pytest.mark.parametrize(
    ("before", "useless", "after"), [(False, False, False), (False, True, True), (True, False, True)]
)
def test_a_node_in_vain_leaves_it_refused_or_makes_it_so(before: bool, useless: bool, after: bool) -> None:
    vain = VainBoots(FIRST_WAIT, {ONE: Memory(refused=before, turned=True)})
    memory = vain.in_vain(ONE, "", NODE, T, useless=useless).memory
    assert (memory.refused, memory.turned) == (after, False)


def test_words_that_ended_a_back_off_and_misled_are_counted() -> None:
    vain = VainBoots(
        FIRST_WAIT, {ONE: Memory(heeded=True), BIG: Memory(heeded=False), PAIR: Memory(heeded=True, misled=MISLED)}
    )
    for shape, misled in ((ONE, 1), (BIG, 0), (PAIR, MISLED)):
        memory = vain.in_vain(shape, "", NODE, T).memory
        assert (memory.misled, memory.heeded) == (misled, False)


def test_the_next_end_is_that_of_a_back_off_which_has_not_ended() -> None:
    ends = {ONE: Memory(until=T), BIG: Memory(until=T + 90), PAIR: Memory(until=T + 60)}
    vain = VainBoots(FIRST_WAIT, ends)
    assert [vain.next_end(t) for t in (T - 1, T, T + 60, T + 90)] == [T, T + 60, T + 90, None]


def test_what_slurm_said_of_a_group() -> None:
    vain = VainBoots(FIRST_WAIT)
    assert vain.said(ONE) == ""
    vain.refuse(ONE, "Licenses", T)
    assert vain.groups[ONE] == Memory("Licenses", told_at=T, refused=True)
    vain.groups[ONE].turned = True
    vain.refuse(ONE, "QOSGrpCpuLimit", T + 1)
    assert vain.groups[ONE] == Memory("QOSGrpCpuLimit", told_at=T + 1, refused=True)
    assert vain.said(ONE) == "QOSGrpCpuLimit"


@pytest.mark.parametrize(
    ("memory", "useless", "ends", "refused", "turned"),
    [
        (Memory(refused=True, until=T + 60), False, True, False, False),
        (Memory(refused=False, until=T + 60), False, False, False, False),
        (Memory(refused=False, turned=True, until=T + 60), False, True, False, False),
        (Memory(refused=True, until=T), False, False, False, False),  # it has ended already
        (Memory(refused=True, until=T + 60), True, False, True, False),
        (Memory(refused=False, until=T + 60), True, False, True, False),
        (Memory(refused=True, until=T + 60, misled=1, vain_at=T - FIRST_WAIT), False, True, False, False),
        (Memory(refused=True, until=T + 60, misled=1, vain_at=T - FIRST_WAIT + 1), False, False, False, True),
        (Memory(refused=True, until=T + 60, misled=2, vain_at=T - 3 * FIRST_WAIT), False, True, False, False),
        (Memory(refused=True, until=T + 60, misled=2, vain_at=T - 3 * FIRST_WAIT + 1), False, False, False, True),
    ],
)
def test_words_that_nodes_would_help_end_a_back_off(
    memory: Memory, useless: bool, ends: bool, refused: bool, turned: bool
) -> None:
    memory = replace(memory)  # the table keeps its own
    vain = VainBoots(FIRST_WAIT, {ONE: memory})
    assert vain.welcome(ONE, T, useless=useless) is ends
    assert (memory.refused, memory.turned, memory.heeded) == (refused, turned, ends)
    assert (memory.until == T) is (ends or memory.until <= T)


def test_of_a_group_that_is_not_remembered_nothing_ends() -> None:
    vain = VainBoots(FIRST_WAIT)
    assert vain.welcome(ONE, T) is False
    vain.started(ONE, T)
    assert not vain.groups


def test_a_job_that_is_started_clears_what_was_noted_of_its_group() -> None:
    vain = watched()
    vain.groups[ONE] = Memory(until=T, wait=120.0, heeded=True, misled=2, at_once=4, left_after=T - 9)
    vain.started(ONE, T)
    assert (list(vain.marks), list(vain.watches)) == ([BIG], [BIG])
    assert vain.groups[ONE] == Memory(until=T, at_once=16)
    vain.groups[BIG] = Memory(until=T + 60, wait=120.0, misled=2, left_after=T - 9)
    vain.started(BIG, T)
    assert vain.groups[BIG] == Memory(until=T, wait=120.0, misled=2)


def test_all_back_offs_end_when_circumstances_change() -> None:
    vain = watched()
    vain.groups = {ONE: Memory(until=T), BIG: Memory(until=T + 60), PAIR: Memory(until=T + 1)}
    vain.end_all(T)
    assert {memory.until for memory in vain.groups.values()} == {T}
    assert (vain.watches, list(vain.marks)) == ({}, [ONE, BIG])


def test_what_is_old_is_forgotten() -> None:
    vain = VainBoots(FIRST_WAIT, asked={ONE: T - 300, BIG: T - 300, PAIR: T - 299})
    told, ended = T - REMEMBERED - 1, T - REMEMBERED
    vain.groups = {ONE: Memory(told_at=told), BIG: Memory(told_at=told, until=ended), PAIR: Memory(told_at=ended)}
    vain.forget_old({ONE}, T, 300.0)
    assert (list(vain.asked), list(vain.groups)) == ([ONE, PAIR], [BIG, PAIR])


@pytest.mark.parametrize(
    ("sample", "ids", "sought"),
    [
        (("a", "b"), "abc", ""),
        (("a", "b"), "bca", ""),
        (("a", "b"), "b" + "c" * 30 + "a", ""),
        (("a", "b"), "b" + "c" * 31 + "a", "a"),  # it stands far behind now
        (("a", "b"), "bcdef", "a"),
        (("a",), "", "a"),
        ((), "a", ""),
    ],
)
def test_those_of_a_sample_are_sought_that_are_not_among_the_first(
    sample: tuple[str, ...], ids: str, sought: str
) -> None:
    assert not_first(Watch(T, sample), ids) == frozenset(sought)


@pytest.mark.parametrize(
    ("before", "first", "others", "left"),
    [
        (("a", "b"), ("a", "b", "c"), "", False),  # nobody asks for the others
        (("a", "b"), ("c", "a", "b"), "cab", False),
        (("a", "b"), ("b", "c"), "bc", True),
        (("a", "b"), ("b",), "b", True),
        ((), ("a",), "", False),
    ],
)
def test_a_job_of_the_sample_that_is_gone_has_left_since_the_last_poll(
    before: tuple[str, ...], first: tuple[str, ...], others: str, left: bool
) -> None:
    memory = Memory(sample=before)
    follow(memory, first, lambda: others, T - 10, T)
    assert memory == Memory(sample=first, left_after=T - 10 if left else None, left_at=T if left else 0.0)


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        (ONE, "1 core(s), 0 MB"),
        (PAIR, "4 core(s), 0 MB, 2 nodes"),
        (JobShape(size="large", ram=512, nodes=3), "size large, 3 nodes"),
        (
            JobShape(ram=512, owner=JobOwner("anna", "chem", "short"), reservation="course", partitions=("a", "b")),
            "user anna, account chem, QOS short, reservation course, partition a or b, 1 core(s), 512 MB",
        ),
    ],
)
def test_what_a_group_is_called_for_people(shape: JobShape, words: str) -> None:
    assert words_of(shape) == words


def test_the_groups_whose_boots_are_held_back_are_those_that_are_remembered() -> None:
    assert VainBoots(FIRST_WAIT).limits([ONE, BIG]) == {}
    vain = VainBoots(FIRST_WAIT, {BIG: Memory(), PAIR: Memory()})
    assert vain.limits([ONE, BIG]) == {BIG: vain.groups[BIG]}


def test_what_was_told_of_longest_ago_makes_room_for_another_group() -> None:
    told = {JobShape(ram=number + 1): Memory(told_at=T + number % 7) for number in range(MOST)}
    told[JobShape(ram=4)].told_at = T - 1
    vain = VainBoots(FIRST_WAIT, dict(told))
    vain.refuse(ONE, "Licenses", T)
    assert (len(vain.groups), JobShape(ram=4) in vain.groups, ONE in vain.groups) == (MOST, False, True)
    vain = VainBoots(FIRST_WAIT, dict(told))
    vain.in_vain(BIG, "Licenses", NODE, T)
    assert (len(vain.groups), JobShape(ram=4) in vain.groups, BIG in vain.groups) == (MOST, False, True)


def test_another_word_leaves_what_is_known_beside() -> None:
    vain = VainBoots(FIRST_WAIT, {ONE: Memory(node="compute1", wait=120.0, misled=3, until=T + 60, vain_at=T - 400)})
    vain.refuse(ONE, "Licenses", T)
    assert (vain.groups[ONE].node, vain.groups[ONE].wait, vain.groups[ONE].until) == ("compute1", 120.0, T + 60)
    assert not vain.welcome(ONE, T)  # seven times the first wait has not passed
    assert vain.welcome(ONE, T + 20)
    assert (vain.groups[ONE].refused, vain.groups[ONE].until) == (False, T + 20)
