"""What would change a decision is found by planning anew: what is named does, and the value before it does not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from placed_world import PlacedWorld, places
from test_fleet_sharing import two_half_empty
from world import HOUR, MINUTE, World, jobs, policy

from arvnodeman.fleet.messages import (
    CreateNode,
    DescribeNode,
    PolicyChanged,
    PrepareRecord,
    SafeMode,
    StopAsked,
)
from arvnodeman.fleet.outlook.ahead import Outlook
from arvnodeman.fleet.plan.asking import Asker
from arvnodeman.fleet.plan.asking_for_jobs import JobAsked, options_for
from arvnodeman.fleet.values.capacity import Footprint
from arvnodeman.fleet.values.counterfactual import Counterfactual, Meant, OptionChange, Outside
from arvnodeman.fleet.values.model import Directive, ErrorKind, JobShape, NodeState, OperatorDirective, SizeSection
from arvnodeman.fleet.view.counterfactual import of_job, of_node

ONE = JobShape()
FEW = settings(max_examples=50, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
HOURLY = (54.0, 5.0, 1.0)


def of_last(world: World, place: int = -1) -> Counterfactual:
    view = world.fleet.view
    at = place % len(view.jobs)
    return of_job(view, view.jobs[at], at, view.t)


def of(world: World, name: str = "compute1") -> Counterfactual:
    return of_node(world.fleet.view, world.status(name), world.fleet.view.t)


def told(found: Counterfactual) -> list[tuple[str, str, object, object, str]]:
    return [(each.section, each.option, each.now, each.needed, str(each.bound)) for each in found.changes]


# ---- jobs ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "shape", "count", "expected"),
    [
        ({"max_nodes": 2}, ONE, 5, ("Daemon", "max_nodes", 2, 5, ">=")),
        ({"max_nodes": 0}, ONE, 1, ("Daemon", "max_nodes", 0, 1, ">=")),
        ({"max_nodes": 2}, JobShape(nodes=3), 1, ("Daemon", "max_nodes", 2, 3, ">=")),
        ({"max_total_price": 0.25}, ONE, 3, ("Daemon", "max_total_price", 0.25, 0.3, ">=")),
        ({"max_total_price": 0.5}, JobShape(cores=4, nodes=3), 1, ("Daemon", "max_total_price", 0.5, 1.2, ">=")),
        ({"node_mem_scaling": 0.9}, JobShape(cores=4, ram=7550), 1, ("Daemon", "node_mem_scaling", 0.9, 0.95, ">=")),
    ],
)
def test_the_smallest_change_of_one_option_for_a_job(
    options: dict[str, Any], shape: JobShape, count: int, expected: tuple[object, ...]
) -> None:
    world = World(policy(**options)).begin(*jobs(count, shape))
    found = of_last(world)
    assert expected in told(found)
    assert "would boot for it at once" in found.words
    assert not found.why_none
    assert found.plans <= 100


def test_the_first_that_waits_needs_less_than_the_last() -> None:
    world = World(policy(max_nodes=2)).begin(*jobs(5))
    assert [of_last(world, place).words.partition(" (")[0] for place in (2, 3)] == [
        "with max_nodes >= 3",
        "with max_nodes >= 4",
    ]
    assert of_last(world, 0).why_none == "a node for it is there or on its way"


def test_a_job_that_shares_may_have_a_node_of_its_own_or_room_where_more_jobs_are() -> None:
    twos = JobShape(cores=2, ram=100, takes=Footprint(2, 100))
    world = World(policy(max_nodes=1, max_jobs_per_node=1)).begin(*jobs(2, twos))
    found = of_last(world)
    assert told(found) == [
        ("Daemon", "max_nodes", 1, 2, ">="),
        ("Daemon", "max_jobs_per_node", 1, 2, ">="),
    ]


def test_a_dearer_size_is_named_by_the_factor_that_lets_it() -> None:
    world = World(policy(boot_attempts=1)).begin(*jobs(1))
    world.obey(PrepareRecord, DescribeNode)
    world.fail(world.one(CreateNode), ErrorKind.CAPACITY, "no room")
    world.obey()
    world.now += 10
    world.poll_queue(*jobs(1))
    assert told(of_last(world)) == [("Daemon", "max_price_factor", 1.5, 4.0, ">=")]
    assert of_last(world).words == "with max_price_factor >= 4 (now 1.5) a node of large would boot for it at once"


def test_a_size_that_serves_other_partitions_is_named() -> None:
    sections = (SizeSection("small", 1, "small", partitions=("a", "b")),)
    world = World(policy(sections=sections)).begin(*jobs(1, JobShape(partitions=("gpu",))))
    assert told(of_last(world)) == [("Size small", "partitions", "a, b", "a, b, gpu", "=")]
    assert of_last(world).words.startswith("with [Size small] partitions = a, b, gpu (now a, b) a node of small would")


def test_a_job_that_could_run_but_would_wait_is_told_so() -> None:
    world = World(policy(max_nodes=2, max_total_price=0.1)).begin(*jobs(1), *jobs(1, JobShape(nodes=3), name="wide"))
    assert told(of_last(world)) == []
    world = World(policy(max_nodes=2, max_total_price=0.3)).begin(*jobs(1), *jobs(1, JobShape(nodes=3), name="wide"))
    (change,) = of_last(world).changes
    assert (change.option, change.needed) == ("max_nodes", 3)
    assert change.effect.startswith("it could run, and would wait: 3 of small")


def test_two_limits_at_once_are_both_told() -> None:
    world = World(policy(max_nodes=2, max_total_price=0.2)).begin(*jobs(3))
    found = of_last(world)
    assert not found.changes
    assert found.why_none.startswith("no single option would change this: ")
    assert "max_nodes of 2 reached" in found.why_none
    assert "with max_nodes as far as it goes, " in found.why_none
    assert "would exceed max_total_price of 0.2" in found.why_none


def test_what_is_not_ours_is_said_to_be_others() -> None:
    world = World(policy(boot_attempts=1)).begin(*jobs(1, JobShape(cores=4)))
    world.obey(PrepareRecord, DescribeNode)
    world.fail(world.one(CreateNode), ErrorKind.CAPACITY, "no room")
    world.obey()
    world.now += 10
    world.poll_queue(*jobs(1, JobShape(cores=4)))
    found = of_last(world)
    assert (found.changes, found.outside) == ((), Outside.CLOUD)
    assert "large rests for" in found.why_none
    world = World(policy())
    world.outlook = Outlook(licences={"solver": 0})
    world.begin(*jobs(1, JobShape(licences=((("solver", 1),),))))
    found = of_last(world)
    assert (found.changes, found.outside) == ((), Outside.SCHEDULER)
    assert "no licence of solver is free for it" in found.why_none


def test_a_quota_that_was_learnt_is_the_clouds() -> None:
    world = World(policy(boot_attempts=1)).begin(*jobs(1))
    world.obey(PrepareRecord, DescribeNode)
    world.fail(world.one(CreateNode), ErrorKind.QUOTA, "no more")
    world.obey()
    world.now += 10
    world.poll_queue(*jobs(1, JobShape(size="large")))
    world.poll_queue(*jobs(2, JobShape(size="small")))
    found = of_last(world)
    assert (found.changes, found.outside) == ((), Outside.CLOUD)


def test_nothing_is_promised_while_nothing_is_decided() -> None:
    world = World(policy(max_nodes=1)).begin(*jobs(2))
    world.tell(SafeMode(world.now + 600))
    assert (of_last(world).why_none.split(": ")[1][:34], of_last(world).outside) == (
        "nothing is decided at all now, saf",
        Outside.TIME,
    )
    world.tell(StopAsked())
    fresh = World(policy())
    assert fresh.fleet.view.grounds is None
    assert of_job(fresh.fleet.view, jobs(1)[0], 0, 0.0).why_none == "nothing has been decided about it yet"


def test_a_question_has_its_plans_and_no_more() -> None:
    world = World(policy(max_nodes=2)).begin(*jobs(5))
    grounds = world.fleet.view.grounds
    assert grounds is not None
    job = JobAsked(ONE, 4)
    asker = Asker(job.would_run, most=3)
    asker.changes(options_for(job, grounds.picture))
    assert asker.plans == 3


def test_a_job_whose_price_is_the_limit_itself_is_not_too_dear() -> None:
    """3 × 0.4 is 1.2000000000000002: as the limits of boots have it, that is 1.2."""
    world = World(policy(max_total_price=1.2)).begin(*jobs(1, JobShape(cores=4, nodes=3)))
    assert world.prepared() == ["large"] * 3


# ---- nodes -----------------------------------------------------------------------------------------------------------


def stays(options: dict[str, Any], times: int = 3, **node: Any) -> World:
    world = World(policy(**options))
    world.node(**node)
    world.begin()
    world.cycle(times=times)
    return world


@pytest.mark.parametrize(
    ("options", "node", "expected"),
    [
        ({"min_nodes": 1}, {}, ("Daemon", "min_nodes", 1, 0, "<=")),
        ({"consecutive_idle_count": 9}, {}, ("Daemon", "consecutive_idle_count", 9, 4, "<=")),
        (
            {"shutdown_windows": HOURLY}, {"age": 2 * HOUR + 30 * MINUTE},
            ("Cloud", "shutdown_windows", "54, 5, 1", "33, 26, 1", "="),
        ),
        ({}, {"record": False, "slurm": None, "age": 600.0}, ("Daemon", "boot_fail_after", 1800.0, 780, "<=")),
        ({"keep_drained": True}, {"slurm": "drain", "reason": "x"}, ("Daemon", "keep_drained", "yes", "no", "=")),
    ],
)  # fmt: skip
def test_the_smallest_change_of_one_option_for_a_node(
    options: dict[str, Any], node: dict[str, Any], expected: tuple[object, ...]
) -> None:
    found = of(stays(options, **node))
    assert told(found) == [expected]
    assert "it would go at the next node poll: " in found.words


def test_a_window_that_has_just_shut_would_be_open_a_minute_longer() -> None:
    world = stays({"shutdown_windows": HOURLY}, times=1, age=2 * HOUR + 58.5 * MINUTE)
    assert told(of(world)) == [("Cloud", "shutdown_windows", "54, 5, 1", "54, 6, 0", "=")]


@pytest.mark.parametrize(
    ("node", "outside", "words"),
    [
        ({"slurm": "alloc"}, Outside.WORK, "it works: Slurm says alloc"),
        ({"directive": OperatorDirective(Directive.HOLD, "mine")}, Outside.OPERATOR, "held by an operator (mine)"),
        ({"slurm": "resv"}, None, "reserved: Slurm says resv"),
    ],
)
def test_a_node_that_no_option_lets_go(node: dict[str, Any], outside: Outside | None, words: str) -> None:
    found = of(stays({}, **node))
    assert (found.changes, found.outside) == ((), outside)
    assert found.why_none == f"no single option would change this: {words}"


def test_a_node_that_a_job_wants_and_one_that_goes() -> None:
    world = World(policy())
    world.node()
    world.begin(*jobs(1))
    world.cycle(*jobs(1), times=2)
    assert (of(world).outside, of(world).changes) == (Outside.QUEUE, ())
    world.cycle(times=1)
    world.jobs = []
    world.cycle(times=2)
    assert world.state() is NodeState.SHUTDOWN
    assert of(world).why_none == "it goes already"


def test_of_two_nodes_the_dearer_goes_first_so_that_the_other_needs_a_lower_minimum() -> None:
    world = World(policy(min_nodes=2))
    world.node()
    world.node("compute2", "large")
    world.begin()
    world.cycle(times=2)
    assert [told(of(world, name))[0][3] for name in ("compute2", "compute1")] == [1, 0]


def test_a_half_empty_node_would_run_dry() -> None:
    """As many as one would, where both are alike."""
    view = two_half_empty().fleet.view
    found = [of_node(view, node, view.t) for node in view.nodes.values()]
    assert [told(each) for each in found if each.changes] == [[("Daemon", "drain_to_consolidate", "no", "yes", "=")]]
    (words,) = [each.words for each in found if each.changes]
    assert words.endswith("it would take no new jobs, and go when those on it have ended")
    assert [each.outside for each in found if not each.changes] == [Outside.WORK]


# ---- where Slurm places jobs -----------------------------------------------------------------------------------------


def test_a_placed_job_that_a_limit_sends_back() -> None:
    world = PlacedWorld(places(max_nodes=1)).begin()
    world.place("1", "small-1")
    world.place("2", "small-2")
    world.cycle()
    for _ in range(2):
        assert told(of_last(world)) == [("Daemon", "max_nodes", 1, 2, ">=")]
        assert "as soon as Slurm places it again" in of_last(world).words
        world.settle()
        world.cycle()
    assert of_last(world, 0).why_none.startswith("placed on small-1")


# ---- what is named does, and the value before it does not ------------------------------------------------------------


@dataclass(frozen=True)
class Site:
    """A site up to its last poll, which comes with other options, too."""

    options: dict[str, Any]
    ages: tuple[float, ...] = ()  # of idle nodes, in minutes
    sizes: tuple[str, ...] = ()
    waiting: tuple[JobShape, ...] = ()
    polls: int = 2

    def up_to_last(self) -> World:
        world = World(policy(**self.options))
        for number, (age, size) in enumerate(zip(self.ages, self.sizes, strict=False), 1):
            world.node(f"compute{number}", size, age=age * MINUTE)
        world.begin()
        world.cycle(times=self.polls)
        world.now += MINUTE
        world.poll_cloud()
        return world

    def after(self, **options: Any) -> World:
        """The last polls, with these options."""
        world = self.up_to_last()
        if options:
            world.tell(PolicyChanged(replace(world.policy, **options)))
        world.poll_records()
        if self.waiting:
            world.poll_queue(*(job for at, shape in enumerate(self.waiting) for job in jobs(1, shape, name=f"j{at}-")))
        return world


def before(change: OptionChange) -> Any:
    """The value just before the named one, on the way from what is now."""
    assert not isinstance(change.needed, str)
    step = 1 if isinstance(change.needed, int) else 0.01
    return round(change.needed - step, 2) if change.bound is Meant.AT_LEAST else change.needed + step


def options_of(change: OptionChange, value: Any) -> dict[str, Any]:
    if change.option == "shutdown_windows":
        return {"shutdown_windows": tuple(float(each) for each in value.split(","))}
    return {change.option: {"yes": True, "no": False}.get(value, value)}


def alters(change: OptionChange, decided_otherwise: Callable[[dict[str, Any]], bool]) -> None:
    """Both sides, by a Fleet that is told of the option."""
    assert decided_otherwise(options_of(change, change.needed)), change
    if change.option == "shutdown_windows":
        now = [float(each) for each in str(change.now).split(",")]
        needed = [float(each) for each in str(change.needed).split(",")]
        nearer = [there + (here > there) - (here < there) for here, there in zip(now, needed, strict=True)]
        assert not decided_otherwise({"shutdown_windows": tuple(nearer)}), change
    elif not isinstance(change.needed, str):
        assert not decided_otherwise(options_of(change, before(change))), change


SHAPES = (ONE, JobShape(cores=4), JobShape(cores=4, nodes=2), JobShape(ram=1950), JobShape(size="small"))


@FEW
@given(
    st.builds(
        Site,
        st.fixed_dictionaries(
            {
                "max_nodes": st.integers(0, 6),
                "max_total_price": st.sampled_from([0.0, 0.1, 0.35, 0.8, 1.1]),
                "max_price_factor": st.sampled_from([1.0, 2.0, 5.0]),
                "node_mem_scaling": st.sampled_from([0.8, 0.95, 1.0]),
            }
        ),
        st.tuples(st.just(100.0)),
        st.tuples(st.sampled_from(["small", "large"])),
        st.lists(st.sampled_from(SHAPES), min_size=1, max_size=6).map(tuple),
    )
)
def test_what_is_named_lets_a_job_have_its_nodes_and_less_does_not(site: Site) -> None:
    world = site.after()
    view = world.fleet.view

    def is_served(place: int, options: dict[str, Any]) -> bool:
        shape = view.jobs[place].shape
        waiting = site.after(**options).fleet.view.waiting[shape]
        return list(waiting.places).index(place) < waiting.served

    for place in range(len(view.jobs)):
        found = of_last(world, place)
        assert bool(found.changes) != bool(found.why_none)
        for change in found.changes:
            if "could run" not in change.effect:
                assert not is_served(place, {})
                alters(change, partial(is_served, place))


@FEW
@given(
    st.builds(
        Site,
        st.fixed_dictionaries(
            {
                "min_nodes": st.integers(0, 3),
                "consecutive_idle_count": st.integers(0, 6),
                "shutdown_windows": st.sampled_from([(0.0, 60.0), HOURLY, (20.0, 10.0), (10.0, 5.0, 5.0, 5.0, 5.0)]),
            }
        ),
        st.lists(st.integers(70, 200).map(float), min_size=1, max_size=4).map(tuple),
        st.lists(st.sampled_from(["small", "large"]), min_size=4, max_size=4).map(tuple),
        st.just(()),
        st.integers(0, 3),
    )
)
def test_what_is_named_lets_a_node_go_and_less_does_not(site: Site) -> None:
    world = site.after()

    def goes(name: str, options: dict[str, Any]) -> bool:
        found = site.after(**options).fleet.view.nodes.get(name)
        return found is None or bool(found.doing)

    for name, status in world.fleet.view.nodes.items():
        found = of_node(world.fleet.view, status, world.fleet.view.t)
        assert bool(found.changes) != bool(found.why_none)
        for change in found.changes:
            assert not goes(name, {})
            alters(change, partial(goes, name))
