"""What a shutdown is, and what may still be done about it."""

from __future__ import annotations

from arvnodeman.fleet.nodes.node import Node, reason_of
from arvnodeman.fleet.operations.operation import Operation, OperationContext
from arvnodeman.fleet.operations.shutdown_stages import SHUTDOWN_MOVES, ShutdownStage
from arvnodeman.fleet.values.leaving import ShutdownKind
from arvnodeman.fleet.values.model import RemoteError
from arvnodeman.fleet.values.work import OUR_REMOVAL, OUR_SHUTDOWN


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
        """The reason in Slurm: of the first kind it may be resumed, of the second never while the instance lives."""
        return reason_of(OUR_SHUTDOWN if self.kind is ShutdownKind.UNWANTED else OUR_REMOVAL, self.node.cloud)

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
        return self.stage not in (ShutdownStage.DRAIN, ShutdownStage.WAIT, ShutdownStage.ASK, ShutdownStage.UNDO)

    @property
    def goes_anyway(self) -> bool:
        """It needs no telling that the node is gone."""
        return self.past_return or self.kind in (ShutdownKind.GONE, ShutdownKind.KILL)
