"""The real World: each list by its own fetch, a step alone or several as few commands."""

from __future__ import annotations

from unittest.mock import Mock, call

from arvnodeman.actors.real_world import RealWorld
from arvnodeman.fleet.messages import DrainNode, ListSizes, Poll


def test_each_list_has_its_own_fetch() -> None:
    fetches = {poll: Mock() for poll in Poll}
    world = RealWorld(fetches, Mock())
    assert [world.list(poll) for poll in Poll] == [fetches[poll].return_value for poll in Poll]
    assert all(fetch.call_count == 1 for fetch in fetches.values())


def test_one_step_is_one_request_and_several_go_together() -> None:
    hands = Mock()
    hands.do.return_value = ()
    hands.do_all.return_value = [None, None]
    world = RealWorld({}, hands)
    drains = [DrainNode(number, f"compute{number}", "why") for number in (1, 2)]
    assert world.do([ListSizes(1)]) == [()]
    assert world.do(drains) == [None, None]
    assert hands.mock_calls == [call.do(ListSizes(1)), call.do_all(drains)]
