"""What a shutdown is, and what may still be done about it."""

from __future__ import annotations

from arvnodeman.fleet.nodes.node import Node, drained_by_us, reason_of
from arvnodeman.fleet.operations.operation import Operation, OperationContext
from arvnodeman.fleet.operations.shutdown_stages import SHUTDOWN_MOVES, ShutdownStage
from arvnodeman.fleet.values.leaving import ShutdownKind
from arvnodeman.fleet.values.model import RemoteError
from arvnodeman.fleet.values.work import OUR_DESTROY, OUR_REMOVAL, OUR_SHUTDOWN, NodeWork

_BEFORE_DESTROY = (ShutdownStage.DRAIN, ShutdownStage.WAIT, ShutdownStage.ASK, ShutdownStage.MARK, ShutdownStage.UNDO)


class ShutdownFacts(Operation):
    """What there is to know of the end of one node, and how far it has come."""

    role = "ComputeNodeShutdownActor"

    def __init__(
        self, context: OperationContext, node: Node, kind: ShutdownKind, hostname: str | None, *, drained: bool = False
    ) -> None:
        super().__init__(context)
        self.node = node
        self.kind = kind
        self.hostname = hostname  # None: no name in Slurm that this node may have
        self.runs_dry = False  # jobs were on it when it began, and it goes when they have ended
        self.shared = False  # the name is another's: it is looked at, and never drained or set down
        record = node.record or node.prepared
        self.record_uuid = record.uuid if record is not None else None
        self._is_name = record is not None and record.is_name
        self._stage = ShutdownStage.DRAIN
        self.ours = drained  # the drain in Slurm is ours
        self.drain_reason = node.slurm.reason if drained and node.slurm is not None else ""  # as Slurm has it
        self.marked = drained and drained_by_us(node) == OUR_DESTROY and not context.policy.places
        self._mark_written = self.marked
        self._shown: NodeWork | None = None  # by the last look
        self.failure: RemoteError | None = None
        self._undrained = 0
        self._kill = kind is ShutdownKind.KILL  # or asked for later, while a step was under way
        self._cancel = ""  # likewise

    @property
    def stage(self) -> ShutdownStage:
        """How far it has come."""
        return self._stage

    @stage.setter
    def stage(self, stage: ShutdownStage) -> None:
        assert SHUTDOWN_MOVES.may(self._stage, stage), f"a shutdown goes from {self._stage.name} to {stage.name}"
        self._stage = stage

    @property
    def subject(self) -> str:
        """The operation's number and the cloud node's name."""
        return f"{self.id}.{self.node.cloud.name}"

    @property
    def reason(self) -> str:
        """The reason in Slurm: of the first kind it may be resumed, of the second only by an operator's word, and by
        nobody of us once it is marked or the cloud has destroyed it, which its list may not show yet."""
        kind = OUR_SHUTDOWN if self.kind is ShutdownKind.UNWANTED else OUR_REMOVAL
        gone = self.node.destroyed_at is not None and not self.context.policy.places
        return reason_of(OUR_DESTROY if self.marked or gone else kind, self.node.cloud)

    @property
    def has_to_be_marked(self) -> bool:
        """May a manager that comes after this one, or a unit on the node, resume it while a destroy is on the way? Not
        without a name in Slurm, or where Slurm does not know it: no job comes to it there. Nor where somebody else has
        drained it: nobody of us takes that back, and his reason is for him to read. A dispatcher that is not Slurm
        knows no drain at all."""
        shown = self._shown
        if self.marked or not self.context.policy.slurm or self.hostname is None or self.shared or shown is None:
            return False
        return not (shown.state.drained and shown.reason and shown.drain is None)

    @property
    def _waits(self) -> ShutdownStage:
        return ShutdownStage.MARK if self.marked else ShutdownStage.WAIT

    @property
    def cancelling(self) -> bool:
        """It is being taken back: the node is as good as there."""
        return self.stage is ShutdownStage.UNDO or bool(self._cancel)

    @property
    def cancellable(self) -> bool:
        """Can it still be taken back for want of the node?"""
        return (
            self.kind is ShutdownKind.UNWANTED
            and self.stage in (ShutdownStage.DRAIN, ShutdownStage.WAIT, ShutdownStage.ASK)
            and not self._kill
            and not self.marked
        )

    @property
    def ends_at_once(self) -> bool:
        """Taken back now, it is over: nothing is under way, and there is no drain of ours."""
        return self.step is None and not (self.ours and self.hostname)

    @property
    def past_return(self) -> bool:
        """A destroy request has left, or it is gone anyway."""
        if self.stage is ShutdownStage.SET_DOWN and self.node.destroyed_at is None and self.step is None:
            return False  # DOWN is to be said once more, and meanwhile the node may turn up
        return self.stage not in _BEFORE_DESTROY

    @property
    def goes_anyway(self) -> bool:
        """It needs no telling that the node is gone."""
        return self.past_return or self.kind in (ShutdownKind.GONE, ShutdownKind.KILL)
