"""Which nodes work for a spent budget alone: what is kept of that is what a look at every row would find."""

from __future__ import annotations

from dataclasses import replace

import pytest
from world import EPOCH, HOUR, ONE, World, jobs, policy

from arvnodeman.fleet.decide import alone_at_work
from arvnodeman.fleet.decide.stock import is_plainly_busy
from arvnodeman.fleet.messages import DrainNode
from arvnodeman.fleet.nodes.node import Node
from arvnodeman.fleet.values.budgets import Budget, Period, Spending, Spent
from arvnodeman.fleet.values.model import CloudNode, JobOwner, NodeSize, NodeState

PHYSICS = replace(ONE, owner=JobOwner("ada", "physics"))
BUDGET = Budget("physics", 1.0, Period.DAY, accounts=("physics",))
SIZE = NodeSize("small", "small", "small", "small", cores=1, ram=1000, disk=0, scratch=0, price=0.1)


def spent(alone: frozenset[str] = frozenset()) -> Spending:
    """Of the budget: all, where these nodes work for it."""
    amount = Spent(EPOCH - HOUR, EPOCH + 24 * HOUR, 1.0 if alone else 0.0)
    return Spending(budgets={"physics": amount}, counted=alone, alone={"physics": alone})


def working(number: int) -> Node:
    """A node that plainly works, which came at this place."""
    node = Node(CloudNode(str(number), f"n{number}", str(number)), SIZE, EPOCH, turn=number)
    node.been_up, node.state = True, NodeState.BUSY
    assert is_plainly_busy(node)
    return node


def test_finding_them_costs_what_has_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 300 nodes at work for a spent budget, which stay as min_nodes."""
    names = [f"compute{number}" for number in range(1, 301)]
    world = World(policy(budgets=(BUDGET,), max_nodes=300, min_nodes=300))
    for name in names:
        world.node(name, slurm="alloc")
    world.spending = spent()
    world.begin(*jobs(2, PHYSICS)).cycle()
    looked: list[str] = []

    def look(node: Node) -> bool:
        looked.append(node.id)
        return is_plainly_busy(node)

    monkeypatch.setattr(alone_at_work, "is_plainly_busy", look)
    world.spending = spent(frozenset(names))
    world.cycle(times=2)
    assert len(set(looked)) == 300
    looked.clear()
    world.says("compute7", "idle")
    world.cycle(times=2)
    assert 0 < len(looked) <= 6
    assert world.open(DrainNode) == []


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        ({"a": {"n1", "n2"}}, {"a": {"n2", "n3"}}, {"a": ["2", "3"]}),
        ({"a": {"n1"}}, {"a": {"n1"}, "b": {"n2", "n1", "elsewhere"}}, {"a": ["1"], "b": ["1", "2"]}),
        ({"a": {"n1"}, "b": {"n2"}}, {"b": {"n2"}}, {"b": ["2"]}),
        ({"a": {"n1"}}, {}, {}),
    ],
)
def test_whose_nodes_they_are_follows_what_is_told(
    before: dict[str, set[str]], after: dict[str, set[str]], found: dict[str, list[str]]
) -> None:
    nodes = {str(number): working(number) for number in (3, 2, 1)}
    hostname = lambda node: f"n{node.id}"  # noqa: E731
    alone = alone_at_work.AloneAtWork()
    for told in (before, after):
        got = alone.nodes({name: frozenset(hosts) for name, hosts in told.items()}, nodes, hostname)
    assert {name: [node.id for node in some] for name, some in got.items()} == found


def test_rows_that_come_go_and_get_other_names() -> None:
    nodes = {str(number): working(number) for number in (1, 2)}
    names = {"1": "n1", "2": "n2", "3": "n3"}
    alone, told = alone_at_work.AloneAtWork(), {"a": frozenset({"n1", "n3"})}

    def found(*touched: str) -> list[str]:
        alone.touch(touched)
        return [node.id for node in alone.nodes(told, nodes, lambda node: names[node.id])["a"]]

    assert found() == ["1"]
    nodes["3"] = working(3)
    assert found("3") == ["1", "3"]
    nodes["1"].state = NodeState.IDLE
    assert found("1") == ["3"]
    nodes["1"].state = NodeState.BUSY
    names["1"], names["2"] = "n2", "n1"
    assert found("1", "2") == ["2", "3"]
    del nodes["3"]
    assert found("3") == ["2"]
