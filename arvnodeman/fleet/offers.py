"""What the names of nodes have in Slurm by themselves: features that no size gives, such as the rack they stand in."""

from __future__ import annotations

from collections.abc import Iterable

from arvnodeman.fleet.model import SlurmNode
from arvnodeman.fleet.state import State


def note_names(state: State) -> None:
    """Records or sizes have come: which sets of features nodes can have by their names. Where records are names, nodes
    get those alone; else any name that Slurm shows."""
    table, slurm, records = state.table, state.roster.slurm, state.roster.records
    if table is None or slurm is None:
        return
    shown: Iterable[SlurmNode] = slurm.values()
    if any(record.is_name for record in records.values()):
        shown = [slurm[name] for name in state.roster.hosts if name in slurm]
    table.know_names(frozenset({table.own_features(features) for features in {node.features for node in shown}}))
