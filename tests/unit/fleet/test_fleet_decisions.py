"""The account of decisions: each is told once, with its kind, its subject and its reason."""

from __future__ import annotations

from collections import Counter

from world import BIG, World, jobs, policy

from arvnodeman.fleet.fleet import Fleet
from arvnodeman.fleet.messages import (
    INFO,
    WARNING,
    CreateNode,
    Decided,
    DescribeNode,
    Note,
    PrepareRecord,
)
from arvnodeman.fleet.values.model import Directive, ErrorKind, JobShape


def decided(world: World) -> list[tuple[Decided, str, str]]:
    """All decisions so far: kind, subject, words."""
    return [
        (note.kind, note.subject, note.text % note.args if note.args else note.text)
        for note in world.notes
        if note.kind is not None
    ]


def kinds(world: World) -> list[Decided]:
    return [kind for kind, _, _ in decided(world)]


def test_a_boot_and_what_came_of_it() -> None:
    world = World().begin(*jobs(1))
    world.obey()
    assert decided(world) == [
        (Decided.BOOT, "small", "Want 1 more small nodes.  Booting a node."),
        (Decided.CREATED, *decided(world)[1][1:]),
    ]


def test_a_limit_that_stops_boots_is_told_once_for_as_long_as_it_stands() -> None:
    world = World(policy(max_nodes=1)).begin(*jobs(3))
    world.cycle(times=3)
    held = [(subject, words) for kind, subject, words in decided(world) if kind is Decided.HELD_BACK]
    assert held == [("small", "Not booting: 2 of small wanted, max_nodes of 1 reached with 1 node(s)")]
    world.cycle(*jobs(1))
    world.cycle(*jobs(3))
    assert kinds(world).count(Decided.HELD_BACK) == 2, "it stood again"


def test_a_refusal_teaches_a_quota_and_lets_the_size_rest() -> None:
    world = World().begin(*jobs(1, JobShape(size="small")))
    world.obey(PrepareRecord, DescribeNode)
    world.fail(world.one(CreateNode), ErrorKind.QUOTA, "no more")
    world.obey()
    assert set(kinds(world)) >= {Decided.BOOT_FAILED, Decided.QUOTA, Decided.REST}
    (rest,) = [words for kind, _, words in decided(world) if kind is Decided.REST]
    assert rest == "Size small rests for 60 seconds: the cloud refused it for quota (no more)"


def test_a_shutdown_with_its_reason_and_its_end() -> None:
    world = World()
    world.node("compute1")
    world.begin()
    world.cycle(times=2)
    world.obey()
    name = "compute1.zzzzz"
    assert [entry for entry in decided(world) if entry[1] == name] == [
        (
            Decided.SHUTDOWN,
            name,
            f"Suggesting shutdown of {name} because idle for 2 node poll(s) in a row and not wanted",
        ),
        (Decided.DESTROYED, name, "Shutdown success"),
    ]


def test_a_shutdown_that_is_taken_back() -> None:
    """Row E15."""
    world = World(policy(max_nodes=1))
    world.node("compute1")
    world.begin()
    world.cycle(times=2)
    world.cycle(*jobs(1))
    assert (Decided.KEPT, "compute1.zzzzz", "Shutdown cancelled: Node size is in wishlist.") in decided(world)


def test_what_operators_say_and_jobs_that_can_never_run() -> None:
    world = World()
    world.node("compute1")
    hopeless = jobs(1, JobShape(cores=99))
    world.begin(*hopeless, *jobs(4))
    world.say("compute1", Directive.HOLD, "a look")
    world.cycle(times=3)
    assert (Decided.WORD, "compute1.zzzzz", "Operator hold on compute1.zzzzz: a look") in decided(world)
    (cancel,) = [subject for kind, subject, _ in decided(world) if kind is Decided.CANCEL]
    assert cancel == hopeless[0].id


def test_a_node_that_vanished_and_its_record() -> None:
    world = World()
    world.node("compute1", slurm="down")
    world.begin()
    del world.cloud["i-compute1"]
    world.cycle(times=3)
    world.obey()
    assert (
        Decided.GONE,
        "compute1.zzzzz",
        "Cloud node compute1.zzzzz has disappeared without us (not listed any more)",
    ) in decided(world)


# ---- why an idle node stays ------------------------------------------------------------------------------------------


def why(world: World, name: str) -> str:
    return world.fleet.view.nodes[f"i-{name}"].why.words(world.fleet.view.t)


def test_an_idle_node_that_might_go_says_who_needs_it() -> None:
    world = World(policy(min_nodes=1, max_nodes=2))
    world.node("compute1")
    world.node("compute2", "large")
    world.begin(*jobs(1, BIG))
    world.cycle(times=3)
    assert why(world, "compute2") == "a waiting job wants a node of large"
    world.jobs = ()
    world.cycle(times=2)  # the queue, then the nodes
    assert why(world, "compute2") == "min_nodes keeps 1 node(s)"


def test_a_node_that_is_destroyed_and_listed_still_says_so() -> None:
    world = World()
    world.node("compute1")
    world.begin()
    world.cycle()
    listed = dict(world.cloud)
    world.obey()
    world.cloud = listed
    world.cycle()
    because = "idle for 2 node poll(s) in a row and not wanted"
    assert why(world, "compute1") == f"destroyed, but still listed by the cloud; begun because {because}"


# ---- lines of the log ------------------------------------------------------------------------------------------------


def test_at_info_a_quiet_site_has_one_line_for_each_size_and_queue_poll_and_no_other() -> None:
    """Row K1: none for each poll and node."""
    world = World(policy(max_nodes=60, shutdown_windows=(1e9, 1.0)))
    for number in range(1, 51):
        world.node(f"compute{number}", slurm="alloc" if number % 2 else "idle")
    world.begin()
    world.cycle(times=2)
    world.obey()
    world.notes.clear()
    world.cycle(times=3)
    lines: list[Note] = [note for note in world.notes if note.level >= INFO]
    assert Counter(note.args[0] for note in lines) == {"small": 3, "large": 3}


def test_one_change_is_one_line_for_each_node_that_changes() -> None:
    world = World()
    world.node("compute1")
    world.node("compute2")
    world.begin()
    world.notes.clear()
    world.now += 60.0
    world.poll_cloud()
    world.poll_records()
    lines = [note.text for note in world.notes if note.level >= INFO]
    assert lines == ["Draining SLURM node %s"] * 2


def test_lines_that_nobody_reads_are_not_made_and_all_else_is_the_same() -> None:
    """A simulation reads neither INFO nor DEBUG, but for decisions."""
    all_read, some_read = World(), World()
    some_read.fleet = Fleet(some_read.policy, some_read.now, notes_from=WARNING)
    for world in (all_read, some_read):
        world.begin(*jobs(1))
        world.obey()
        world.cycle(times=3)
    assert some_read.asked == all_read.asked
    assert some_read.notes == [note for note in all_read.notes if note.level >= WARNING or note.kind is not None]
    assert len(some_read.notes) < len(all_read.notes)
