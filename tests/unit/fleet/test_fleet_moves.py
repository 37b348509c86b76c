"""Tables of moves: each is whole, each is held, and doc/moves.md shows them as they are.

After a change that is meant, `DRAWINGS=write make test TESTS=tests/unit/fleet/test_fleet_moves.py` draws them again.
"""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest
from world import EPOCH, World, jobs

from arvnodeman.fleet.nodes.node import Node
from arvnodeman.fleet.nodes.states import NODE_MOVES
from arvnodeman.fleet.operations.boot import Boot
from arvnodeman.fleet.operations.moves_of_boots import BOOT_MOVES, BootStage
from arvnodeman.fleet.operations.moves_of_returns import RETURN_MOVES, ReturnStage
from arvnodeman.fleet.operations.returning import Return
from arvnodeman.fleet.operations.shutdown import Shutdown
from arvnodeman.fleet.operations.shutdown_stages import SHUTDOWN_MOVES, ShutdownStage
from arvnodeman.fleet.values.leaving import ShutdownKind
from arvnodeman.fleet.values.model import CloudNode, NodeState
from arvnodeman.fleet.values.moves import Move, Moves
from arvnodeman.fleet.values.reasons import Plain

DRAWN = Path(__file__).parents[3] / "doc" / "moves.md"
TABLES: list[Moves[Any]] = [NODE_MOVES, BOOT_MOVES, SHUTDOWN_MOVES, RETURN_MOVES]
START = """# Moves

From which state a node, a boot, a shutdown or a return may go into which. The program checks each move against
these tables, and this page is made from them (in `arvnodeman/fleet/`: `nodes/states.py`,
`operations/moves_of_boots.py`, `operations/shutdown_stages.py`, `operations/moves_of_returns.py`). A boot is over when
its node is made or its record is given back. A shutdown is over when the record is given back, when the node has been
resumed, or when it has failed.
Returns exist only where Slurm itself places jobs; a return is over when its names are open or closed.
"""


def test_the_page_shows_the_tables_as_they_are() -> None:
    drawing = START + "".join(f"\n{table.drawing()}\n" for table in TABLES)
    if os.environ.get("DRAWINGS") == "write":
        DRAWN.write_text(drawing)
        pytest.fail("written, not compared")
    assert drawing == DRAWN.read_text()


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.title)
def test_every_state_can_be_reached_and_no_edge_stands_twice(table: Moves[Any]) -> None:
    states: set[Any] = set(table.states)
    reached: set[Any] = set(table.first)
    while more := {each.target for each in table.moves if reached.intersection(each.sources)} - reached:
        reached |= more
    assert reached == states
    edges = [(source, move.target) for move in table.moves for source in move.sources]
    if table is NODE_MOVES:
        assert len(edges) == len(set(edges))
    assert all(source is not target for source, target in edges)
    assert all(move.why for move in table.moves)


class Light(StrEnum):
    """Of a crossing."""

    RED = "red"
    GREEN = "green"


def test_a_move_that_no_row_names_is_none() -> None:
    lights = Moves("A light", [Light.RED], [Move([Light.RED], Light.GREEN, "it is our turn")])
    assert lights.may(Light.RED, Light.GREEN)
    assert lights.may(Light.GREEN, Light.GREEN)
    assert not lights.may(Light.GREEN, Light.RED)
    assert lights.drawing().splitlines() == [
        "**A light** begins as `RED`.",
        "",
        "| from | to | when |",
        "|---|---|---|",
        "| `RED` | `GREEN` | it is our turn |",
    ]


def test_a_node_in_shutdown_does_not_turn_busy() -> None:
    node = Node(CloudNode("i-1", "n", "i-1"), None, EPOCH)
    node.set_state(NodeState.SHUTDOWN, EPOCH)
    with pytest.raises(AssertionError, match="from shutdown to busy"):
        node.set_state(NodeState.BUSY, EPOCH)
    node.set_state(NodeState.DOWN, EPOCH)
    assert node.state is NodeState.DOWN


def test_a_boot_that_gives_its_record_back_creates_nothing() -> None:
    world = World().begin(*jobs(1))
    (boot,) = world.fleet._state.boots.values()
    assert isinstance(boot, Boot)
    boot.stage = BootStage.RELEASE
    with pytest.raises(AssertionError, match="from RELEASE to CREATE"):
        boot.stage = BootStage.CREATE


def test_a_shutdown_never_goes_from_its_drain_to_set_down() -> None:
    world = World()
    node = Node(CloudNode("i-1", "n", "i-1"), None, EPOCH)
    shutdown = Shutdown(world.fleet._state.context, node, ShutdownKind.REMOVAL, None)
    with pytest.raises(AssertionError, match="from DRAIN to SET_DOWN"):
        shutdown.stage = ShutdownStage.SET_DOWN


def test_a_return_never_opens_what_it_has_closed() -> None:
    returning = Return(World().fleet._state.context, ["small-1"], "small", Plain(text="no capacity"))
    returning.stage = ReturnStage.CLOSE
    with pytest.raises(AssertionError, match="from CLOSE to OPEN"):
        returning.stage = ReturnStage.OPEN
