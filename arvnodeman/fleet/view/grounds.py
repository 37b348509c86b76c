"""What the newest decisions were made of, for whoever asks what would change them: nothing of it changes any more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from arvnodeman.fleet.nodes.node import Basis, Node
from arvnodeman.fleet.plan.picture import Ends, Picture
from arvnodeman.fleet.view.node_table import NodeTable


class OddRow(NamedTuple):
    """A node that was neither plainly at work nor plainly idle, as it was."""

    node: Node  # a copy
    pool: str
    resumed: bool  # a drain of it was being taken back


@dataclass(frozen=True, slots=True)
class EndGrounds:
    """Of a node poll: which nodes went and stayed."""

    picture: Picture  # its chances are to be made anew, of `nodes`
    ends: Ends  # of it
    nodes: NodeTable
    basis: Basis
    odd: Mapping[str, OddRow]
    polls: int  # node polls so far
    left: int = 0  # odd rows that were not copied, for there were too many


@dataclass(frozen=True, slots=True)
class Grounds:
    """Of the newest plan, and of the newest by which nodes went."""

    made: int  # the plan's number
    picture: Picture
    ends: EndGrounds | None
    lacked: Mapping[str, Mapping[str, int]]  # where the scheduler places jobs: of those that were sent back, how many
    # nodes of which size they lacked
