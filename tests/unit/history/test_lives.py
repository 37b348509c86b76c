"""When nodes began and ended, over restarts and with what the cloud does not say."""

from __future__ import annotations

from dataclasses import replace

import pytest
from world import EPOCH, HOUR, World, policy

from arvnodeman.fleet.messages import Decided
from arvnodeman.fleet.values.model import NodeState
from arvnodeman.fleet.view.node_table import NodeTable
from arvnodeman.fleet.view.view import View
from arvnodeman.history.lives import AWAY, DESTROYED, GONE, REPRICED, Life, Lives


@pytest.fixture
def world() -> World:
    """Two nodes, an hour and two hours old, that stay."""
    world = World(policy(shutdown_windows=(1e9, 1.0)))
    world.node("compute1", "small", age=HOUR)
    world.node("compute2", "large", age=2 * HOUR)
    world.begin()
    return world


def view_of(world: World) -> View:
    return world.fleet.view


def priced(view: View, name: str, price: float) -> View:
    """The same with another price of one node."""
    nodes = {key: node._replace(price=price) if node.name == name else node for key, node in view.nodes.items()}
    return replace(view, nodes=NodeTable(nodes))


def without(view: View, name: str) -> View:
    return replace(view, nodes=NodeTable({key: node for key, node in view.nodes.items() if node.name != name}))


def seconds(lives: Lives) -> float:
    """What has been paid for so far."""
    return sum(span.until - span.since for span in lives.spans)


def test_a_life_begins_with_the_clouds_start(world: World) -> None:
    lives = Lives()
    found = {life.size: life for life in lives.observe(view_of(world), world.now)}
    assert found["small"].began == pytest.approx(EPOCH - HOUR, abs=5)
    assert found["large"].began == pytest.approx(EPOCH - 2 * HOUR, abs=5)
    assert lives.observe(view_of(world), world.now + 60) == []


def test_a_start_that_cannot_be_is_not_believed(world: World) -> None:
    for key, node in world.cloud.items():
        world.cloud[key] = replace(node, start_time=1.0 if node.size_tag == "small" else EPOCH + 9 * HOUR)
    world.cycle()
    assert [life.began >= EPOCH - 60 for life in Lives().observe(view_of(world), world.now)] == [True, True]


def test_a_node_that_no_list_shows_has_ended(world: World) -> None:
    lives = Lives()
    lives.observe(view_of(world), world.now)
    gone = next(iter(view_of(world).nodes.values()))
    (life,) = lives.observe(without(view_of(world), gone.name), world.now + 100)
    assert (life.id, life.how, life.ended) == (gone.id, GONE, world.now + 100)


def test_a_life_ends_when_the_cloud_takes_the_request_and_not_when_lists_show_it(world: World) -> None:
    lives = Lives()
    lives.observe(view_of(world), world.now)
    name = next(iter(view_of(world).nodes.values())).name
    life = lives.decided(Decided.DESTROYED, name, world.now + 10)
    assert life is not None
    assert (life.how, life.ended) == (DESTROYED, world.now + 10)
    assert lives.observe(without(view_of(world), name), world.now + 100) == []


def test_a_destroyed_node_that_lists_still_show_does_not_begin_anew(world: World) -> None:
    lives = Lives()
    lives.observe(view_of(world), world.now)
    node = next(iter(view_of(world).nodes.values()))
    lives.decided(Decided.DESTROYED, node.name, world.now + 10)
    going = replace(view_of(world), nodes=NodeTable({node.id: node._replace(state=NodeState.SHUTDOWN)}))
    assert node.id not in {life.id for life in lives.observe(going, world.now + 20)}
    before = seconds(lives)
    again = lives.decided(Decided.DESTROYED, node.name, world.now + 70)
    assert again is not None
    assert again.ended == world.now + 70
    assert seconds(lives) - before == pytest.approx(60)


def test_other_decisions_end_no_life(world: World) -> None:
    lives = Lives()
    lives.observe(view_of(world), world.now)
    name = next(iter(view_of(world).nodes.values())).name
    assert lives.decided(Decided.SHUTDOWN, name, world.now) is None
    assert lives.decided(Decided.DESTROYED, "somebody else", world.now) is None
    assert len(lives.open) == 2


def test_another_price_is_another_life_on_its_end(world: World) -> None:
    lives = Lives()
    lives.observe(view_of(world), world.now)
    node = next(iter(view_of(world).nodes.values()))
    old, new = lives.observe(priced(view_of(world), node.name, 7.0), world.now + 60)
    assert (old.how, old.ended) == (REPRICED, new.began)
    assert (new.price, new.follows, new.id) == (7.0, True, node.id)
    assert not old.follows


def after_restart(*kept: Life, away_since: float) -> Lives:
    lives = Lives()
    lives.remember([replace(life) for life in kept], away_since)
    return lives


def test_over_a_restart_a_node_goes_on_and_every_second_is_paid_once(world: World) -> None:
    first = Lives()
    kept = first.observe(view_of(world), world.now)
    second = after_restart(*kept, away_since=world.now + 30)
    changed = second.observe(view_of(world), world.now + 200)
    assert {life.id: life.began for life in changed} == {life.id: life.began for life in kept}
    assert all(life.ended is None for life in changed)
    world.now += 200
    for node in list(view_of(world).nodes.values()):
        second.decided(Decided.DESTROYED, node.name, world.now)
    assert seconds(second) == pytest.approx(sum(world.now - life.began for life in kept), abs=1)


def test_a_node_that_went_while_nobody_looked_has_ended_when_it_was_last_seen(world: World) -> None:
    kept = Lives().observe(view_of(world), world.now)
    last = world.now + 30
    lives = after_restart(*kept, away_since=last)
    gone = kept[0]
    shown = without(view_of(world), gone.name)
    ended = [life for life in lives.observe(shown, world.now + 200) if life.ended is not None]
    assert [(life.id, life.ended, life.how) for life in ended] == [(gone.id, last, AWAY)]
    assert [life for life in lives.observe(shown, world.now + 260) if life.ended is not None] == []


def test_a_node_that_the_first_list_lacked_goes_on_when_it_turns_up(world: World) -> None:
    kept = Lives().observe(view_of(world), world.now)
    lives = after_restart(*kept, away_since=world.now)
    lives.observe(without(view_of(world), kept[0].name), world.now + 10)
    (back,) = lives.observe(view_of(world), world.now + 70)
    assert (back.id, back.began, back.ended, back.how) == (kept[0].id, kept[0].began, None, "")


def test_a_repriced_node_goes_on_over_a_restart(world: World) -> None:
    first = Lives()
    first.observe(view_of(world), world.now)
    name = next(iter(view_of(world).nodes.values())).name
    dear = priced(view_of(world), name, 7.0)
    old, new = first.observe(dear, world.now + 60)
    rest = [life for life in first.open.values() if life.id != new.id]
    lives = after_restart(old, new, *rest, away_since=world.now + 60)
    changed = lives.observe(dear, world.now + 120)
    assert {(life.id, life.began) for life in changed} == {(life.id, life.began) for life in (new, *rest)}


def test_another_node_under_an_id_that_was_used_is_another_life(world: World) -> None:
    kept = Lives().observe(view_of(world), world.now)
    node = kept[0]
    node.ended, node.how = node.began + 60, GONE
    node.began -= 5 * HOUR
    lives = after_restart(node, away_since=world.now)
    found = [life for life in lives.observe(view_of(world), world.now) if life.id == node.id]
    assert [life.began > EPOCH - 3 * HOUR for life in found] == [True]


def test_what_has_ended_is_forgotten_in_time(world: World) -> None:
    lives = Lives()
    lives.observe(view_of(world), world.now)
    empty = replace(view_of(world), nodes=NodeTable({}))
    lives.observe(empty, world.now)
    lives.observe(empty, world.now + 2 * 86_400)
    assert not lives._past
    assert not lives._names


@pytest.mark.parametrize("notice", [True, False])
def test_a_spot_node_that_the_cloud_takes_back_is_gone_even_where_we_destroy_what_is_left(
    world: World, notice: bool
) -> None:
    """It has given notice, or is listed as stopped: `report` counts it as taken."""
    lives, view = Lives(), view_of(world)
    table = {
        key: node._replace(state=NodeState.BUSY, cloud=replace(node.cloud, rung="a/spot"))
        for key, node in view.nodes.items()
    }
    at_work = replace(view, nodes=NodeTable(table))
    lives.observe(at_work, world.now)
    taken, other = (node.name for node in at_work.nodes.values())
    lives.decided(Decided.RECLAIMED if notice else Decided.GONE, taken, world.now + 60)
    ended = [lives.decided(Decided.DESTROYED, name, world.now + 90) for name in (taken, other)]
    assert [life and life.how for life in ended] == [GONE, DESTROYED]
    assert [life and life.lost >= 60 for life in ended] == [True, False]
    left = {
        key: node._replace(state=NodeState.DOWN, cloud=replace(node.cloud, stopped=True))
        for key, node in table.items()
        if node.name == taken
    }
    assert lives.observe(replace(view, nodes=NodeTable(left)), world.now + 120) == []  # what is left of it


def test_a_node_that_is_not_spot_is_destroyed_by_us_whatever_it_was(world: World) -> None:
    lives, view = Lives(), view_of(world)
    lives.observe(view, world.now)
    name = next(iter(view.nodes.values())).name
    lives.decided(Decided.GONE, name, world.now + 60)
    ended = lives.decided(Decided.DESTROYED, name, world.now + 90)
    assert ended is not None
    assert (ended.how, ended.lost) == (DESTROYED, 0.0)
