"""What may be asked of the brain beside its view, which costs more to make. Nothing is decided by it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from arvnodeman.fleet.decide.funds import funds_of
from arvnodeman.fleet.decide.state import State
from arvnodeman.fleet.values.budgets import BudgetStanding
from arvnodeman.fleet.values.model import JobShape
from arvnodeman.fleet.values.reasons import Reason
from arvnodeman.fleet.view.snapshot import groups_of
from arvnodeman.fleet.view.view import Waiting


class Asked:
    """As of the newest event."""

    _state: State

    def waiting(self) -> tuple[Mapping[JobShape, Waiting], float]:
        """What there is for each group of jobs, as in the view, which costs more; and the steady time of that."""
        return groups_of(self._state), self._state.t

    def why_stays(self, identity: str) -> Reason | None:
        """Why this node stays, as was decided last; None: nothing was, or it is not known."""
        node = self._state.roster.nodes.get(identity)
        return node.reason if node is not None else None

    def budgets(self) -> Sequence[BudgetStanding]:
        """Where budgets stand, likewise."""
        return funds_of(self._state).standings
