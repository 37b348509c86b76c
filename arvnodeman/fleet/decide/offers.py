"""Names that nobody has offer every size in Slurm: else it refuses a job that names one while no node of it is up."""

from __future__ import annotations

from collections.abc import Mapping

from arvnodeman.fleet.decide.state import State
from arvnodeman.fleet.operations.chores import OfferNames
from arvnodeman.fleet.operations.operation import Operation
from arvnodeman.fleet.sizes.table import SizeTable
from arvnodeman.fleet.values.features import Features
from arvnodeman.fleet.values.model import NodeRecord
from arvnodeman.fleet.values.work import NodeWork, WorkKind

OFF = frozenset({WorkKind.UNHEARD, WorkKind.DOWN})  # of names; what else is off is drained, and may be somebody's
AGAIN_AFTER = 300.0  # seconds after a failure
MOST = 500  # names in one step


def offer_sizes(state: State) -> list[Operation]:
    """A node poll has come: tell Slurm what names offer that are free and off. A restart of slurmctld forgets it."""
    table, slurm = state.table, state.roster.slurm
    if table is None or slurm is None or not state.policy.slurm or not state.has_names or state.t < state.offers_at:
        return []
    if state.names.unlike is None:
        state.names.unlike = _unlike(state.roster.records, slurm, table)
    unlike = state.names.unlike
    free = unlike.keys() - state.roster.paired.keys()
    if not free:
        return []
    told = {name for chore in state.chores.values() if isinstance(chore, OfferNames) for name in chore.hostnames}
    free -= state.busy_records() | told
    lacking: dict[Features, list[str]] = {}
    for uuid, wanted in unlike.items():
        if uuid in free and state.roster.records[uuid].slot is None and slurm[uuid].state.kind in OFF:
            lacking.setdefault(wanted, []).append(uuid)
    begun: list[Operation] = []
    for features, names in lacking.items():
        for first in range(0, len(names), MOST):
            chore = OfferNames(state.context, tuple(names[first : first + MOST]), features)
            state.chores[chore.id] = chore
            begun.append(chore)
    return begun


def _unlike(records: Mapping[str, NodeRecord], slurm: Mapping[str, NodeWork], table: SizeTable) -> dict[str, Features]:
    """What names should offer that are free, by uuid, of those that show something else: most of these have nodes."""
    found = {}
    for uuid, record in records.items():
        name = slurm.get(uuid) if record.is_name else None
        if name is not None and name.features != (wanted := table.when_free(name.features, record.partitions)):
            found[uuid] = wanted
    return found


def after_offer(state: State, chore: OfferNames) -> None:
    """Slurm has been told, or not."""
    if chore.error is not None:
        state.offers_at = state.t + AGAIN_AFTER
        text = "Could not tell Slurm which sizes free names offer, so it refuses jobs that name one: %s"
        state.context.error(text, chore.error.text, logger=chore.logger)
