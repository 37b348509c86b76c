"""Jobs that ask for names of nodes, or for features that only some names have: such a name is booted, or none."""

from __future__ import annotations

from dataclasses import replace

import pytest
from test_fleet_names import cloud, given, name, world
from test_fleet_reservations import booted, why
from world import MINUTE, ONE, World, jobs, policy

from arvnodeman.fleet.messages import DestroyNode, DrainNode, PrepareRecord
from arvnodeman.fleet.outlook.ahead import Outlook, Reservation
from arvnodeman.fleet.values.features import meets
from arvnodeman.fleet.values.model import JobShape, SizeSection
from arvnodeman.fleet.values.places import Needs, Place
from arvnodeman.slurm.words import node_work, state_of

RACKS = {"c1": "rack1", "c2": "rack2", "c3": "rack1", "c4": "rack3"}
SIZE = frozenset({"instancetype=small"})


def racks(*up: str) -> World:
    """Four names, each with its rack; those that are up have an idle node."""
    records = [given(each, f"i-{each}", f"10.0.0.{each[1]}") if each in up else name(each) for each in RACKS]
    nodes = tuple(cloud(f"i-{each}", each, f"10.0.0.{each[1]}") for each in up)
    made = world(*records, nodes=nodes, shutdown_windows=(0.0, 1.0))
    assert made.slurm is not None
    for each, rack in RACKS.items():
        made.slurm[each] = replace(made.slurm[each], features=SIZE | {rack})
    return made


def on(features: str = "", required: str = "", excluded: str = "", nodes: int = 1) -> JobShape:
    """A job that asks for these, as it is read."""
    needs = Needs(features, tuple(required.split()), tuple(excluded.split()), nodes)
    return replace(ONE, features=features, nodes=nodes, place=Place(needs=needs))


@pytest.mark.parametrize(
    ("shape", "taken"),
    [
        (on("rack2"), ["c2"]),
        (on("rack1"), ["c1", "c3"]),
        (on("instancetype=small&[rack2|rack3]"), ["c2", "c4"]),
        (on("rack1|rack2"), ["c1", "c2", "c3"]),
        (on("", "c3"), ["c3"]),
        (on("", "c3 c4", nodes=2), ["c3", "c4"]),
        (on("", "", "c1 c3"), ["c2", "c4"]),
        (on("rack1", "", "c1"), ["c3"]),
        (on("rack1", "c2"), []),
        (on("rack1*2", nodes=2), ["c1", "c3"]),
    ],
)
def test_a_name_that_suits_is_booted_or_none(shape: JobShape, taken: list[str]) -> None:
    made = racks().begin()
    made.cycle(*jobs(4, shape), times=3)
    assert sorted(each or "" for each in booted(made)) == taken
    assert "no such name is free to be booted" in why(made)


def test_the_reason_tells_what_is_asked_for() -> None:
    made = racks().begin()
    made.cycle(*jobs(2, on("rack2", "", "c1")), times=2)
    assert why(made) == "it asks for the features rack2, none of c1, and no such name is free to be booted"


def test_other_jobs_leave_names_that_are_asked_for_to_the_last() -> None:
    made = racks().begin()
    made.cycle(*jobs(2, name="any"), *jobs(2, on("rack1"), name="picky"), times=2)
    first_two = [step.reuse for step in made.asked if isinstance(step, PrepareRecord)]
    assert sorted(each or "" for each in first_two) == ["c1", "c2", "c3", "c4"]


def test_a_node_under_another_name_is_no_supply_for_it_and_goes() -> None:
    made = racks("c2").begin()
    made.cycle(*jobs(1, on("rack1")), times=3)
    assert booted(made) == ["c1"]
    assert [step.hostname for step in made.asked if isinstance(step, DrainNode)] == ["c2"]


def test_a_node_that_suits_is_kept_and_none_is_booted() -> None:
    made = racks("c1", "c2").begin(*jobs(1, on("rack1")))
    made.cycle(*jobs(1, on("rack1")), times=2)
    assert booted(made) == []
    assert [step.hostname for step in made.asked if isinstance(step, DrainNode)] == ["c2"]


def test_a_shutdown_is_taken_back_only_for_a_job_that_can_use_the_node() -> None:
    made = racks("c2").begin()
    made.cycle(times=3)
    (drain,) = made.open(DrainNode)
    made.cycle(*jobs(1, on("rack1")))
    made.done(drain)
    assert made.slurm is not None
    made.slurm["c2"] = replace(made.slurm["c2"], state=state_of("drain"), reason=drain.reason)
    made.wait(MINUTE)
    made.cycle(*jobs(1, on("rack1")))
    made.obey()
    assert any(isinstance(step, DestroyNode) for step in made.asked)


def test_a_feature_that_neither_size_nor_name_offers_can_never_be_met() -> None:
    made = racks().begin()
    made.cycle(*jobs(1, on("rack9")), times=2)
    assert booted(made) == []
    assert why(made) == "No node type offers the features rack9"
    assert made.slurm is not None  # Slurm's administrator gives it to a name
    made.slurm["c4"] = replace(made.slurm["c4"], features=SIZE | {"rack9"})
    made.cycle(*jobs(1, on("rack9")), times=2)
    assert booted(made) == ["c4"]


def test_what_a_size_offers_is_had_under_every_name() -> None:
    made = racks()
    sections = (SizeSection("small", 1, "small", features=("ssd",)),)
    made.fleet = World(policy(sections=sections, shutdown_windows=(0.0, 1.0))).fleet
    made.begin()
    made.cycle(*jobs(4, on("ssd")), times=2)
    assert len(booted(made)) == 4


def test_reservations_and_features_go_together() -> None:
    made = racks().begin()
    window = Reservation("window", made.now - MINUTE, made.now + 9 * MINUTE, frozenset({"c1"}))
    made.outlook = Outlook({"window": window})
    made.cycle(*jobs(2, on("rack1")), times=2)
    assert booted(made) == ["c3"]


def test_where_records_are_no_names_only_slurm_can_tell() -> None:
    """Which name a new node will have is not known: one is booted for each job, and no more."""
    made = World(policy(shutdown_windows=(0.0, 1.0)))
    made.slurm = {each: node_work(each, "down", features=frozenset({rack})) for each, rack in RACKS.items()}
    made.begin()
    made.cycle(*jobs(2, on("rack1")), times=4)
    assert len(booted(made)) == 2


def test_long_lists_of_names_make_no_long_words() -> None:
    """Nodes are counted by such words: those of thousands of names took seconds of each poll."""
    many = tuple(f"node{number}" for number in range(10_000))
    for needs in (Needs("rack1", many), Needs("rack1", (), many)):
        assert len(needs.key) < 32
        assert len(needs.words) < 200
        assert "node7 and 9,992 more" in needs.words
    assert len({Needs("a", many[:2]).key, Needs("a", (), many[:2]).key, Needs("a", many[:3]).key}) == 3
    assert "node8" in Needs("", many[:9]).words


def test_names_alike_are_held_against_an_expression_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def counted(text: str, features: frozenset[str], nodes: int) -> bool:
        asked.append(text)
        return meets(text, features, nodes)

    monkeypatch.setattr("arvnodeman.fleet.decide.names.meets", counted)
    made = world(*(name(f"c{number}") for number in range(200)), shutdown_windows=(0.0, 1.0))
    made.begin()
    made.cycle(*jobs(2, on("rack1")), every=0)
    made.cycle(every=0, times=3)  # the same queue again
    assert 1 <= len(asked) <= 2


def test_a_name_that_suits_is_free_in_another_partition_only() -> None:
    """A boot that finds no name lets its size rest, and others, whose names are free, would wait for that."""
    records = [
        replace(name("c1"), partitions=("a",)),
        *(replace(name(each), partitions=("b",)) for each in ("c2", "c3")),
    ]
    made = world(*records, sections=(SizeSection("small", cores=1, instance_type="small", partitions=("b",)),))
    assert made.slurm is not None
    for each in ("c1", "c2", "c3"):
        made.slurm[each] = replace(made.slurm[each], features=SIZE | {RACKS[each] if each == "c1" else "rack2"})
    made.begin()
    picky, plain = replace(on("rack1"), partitions=("b",)), replace(ONE, partitions=("b",))
    made.cycle(*jobs(1, picky, priority=9, name="picky"), *jobs(2, plain, name="any"), times=3)
    assert booted(made) == ["c2", "c3"]
    assert why(made) == "it asks for the features rack1, and no such name is free to be booted"
