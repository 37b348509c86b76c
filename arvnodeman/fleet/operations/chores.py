"""Small operations: one or two steps on a node, a record or a job, tried again when that makes sense."""

from __future__ import annotations

from arvnodeman.fleet.messages import ListSizes, ReleaseRecord, SetNodeDown, SetWord, Step, StepResult
from arvnodeman.fleet.nodes.node import Node
from arvnodeman.fleet.operations.name_steps import OfferFeatures
from arvnodeman.fleet.operations.operation import Operation, OperationContext
from arvnodeman.fleet.values.model import ErrorKind, NodeRecord, RemoteError


class Chore(Operation):
    """Steps that are carried out one after the other. `outcome` is done or failed."""

    retried: frozenset[ErrorKind] = frozenset()

    def __init__(self, context: OperationContext, role: str, subject: str) -> None:
        super().__init__(context)
        self.role = role
        self._subject = subject
        self.steps: list[Step] = []
        self.last_step: Step | None = None
        self.node: Node | None = None  # that it works on
        self.result: StepResult = None
        self.error: RemoteError | None = None

    @property
    def subject(self) -> str:
        """What it works on."""
        return self._subject

    def begin(self, *steps: Step) -> None:
        """Carry out these steps."""
        self.steps = list(steps)
        self.wake()

    def wake(self) -> None:
        """The next step, or the same again."""
        self.due = None
        if self.steps:
            self.last_step = self.steps[0]
            self.send(self.last_step)
        else:
            self.outcome = "done"

    def done(self, step: Step, result: StepResult) -> None:
        """On to the next."""
        self.step = None
        self.result = result
        self.fresh_attempts()
        self.steps.pop(0)
        self.wake()

    def failed(self, step: Step, error: RemoteError) -> None:
        """Try again, or end."""
        self.step = None
        if error.kind is ErrorKind.GONE and self.skips_what_is_gone:
            self.done(step, None)
        elif error.kind is ErrorKind.NOT_LEADER or (
            error.kind in self.retried and self.attempts + 1 < self.context.policy.boot_attempts
        ):
            self.again(error)
        else:
            self.error = error
            self.outcome = "failed"

    @property
    def skips_what_is_gone(self) -> bool:
        """Is a step on something that does not exist as good as done?"""
        return False


class WriteDirective(Chore):
    """An operator's word, kept in the node's tag: tried again, since it must survive a restart."""

    retried = frozenset({ErrorKind.TRANSIENT, ErrorKind.THROTTLED})

    def rewrite(self, step: SetWord) -> None:
        """A newer word replaces the older, also one that is being written now."""
        self.steps.append(step)


class CleanRecord(Chore):
    """A record whose node is not there: its Slurm node is set DOWN, then its slot is given back."""

    retried = frozenset({ErrorKind.TRANSIENT, ErrorKind.THROTTLED})

    def __init__(self, context: OperationContext, record: NodeRecord) -> None:
        super().__init__(context, "ComputeNodeUpdateActor", record.uuid)
        self.record = record

    @property
    def skips_what_is_gone(self) -> bool:
        """What does not exist need not be cleaned."""
        return True

    def clean(self, *, set_down: str | None, action: str) -> None:
        """`set_down`: the Slurm reason, or None to leave Slurm alone."""
        steps: list[Step] = []
        if set_down is not None and self.record.hostname is not None:
            steps.append(SetNodeDown(self.id, self.record.hostname, set_down, logger=self.logger))
        steps.append(ReleaseRecord(self.id, self.record.uuid, action, self.record.is_name, logger=self.logger))
        self.begin(*steps)


class OfferNames(Chore):
    """Features that Slurm is to show of names that nobody has."""

    def __init__(self, context: OperationContext, hostnames: tuple[str, ...], features: frozenset[str]) -> None:
        super().__init__(context, "ComputeNodeUpdateActor", f"{len(hostnames)} free names")
        self.hostnames = frozenset(hostnames)
        self.begin(OfferFeatures(self.id, hostnames, features, logger=self.logger))

    @staticmethod
    def number(context: OperationContext) -> int:
        """Its own kind, so that what an earlier build has written down of nodes can be played again."""
        return context.next_offer_id()


class FetchSizes(Chore):
    """The provider's list of sizes: tried again for ever, with waits that double."""

    def __init__(self, context: OperationContext) -> None:
        super().__init__(context, "ComputeNodeDriver", "sizes")

    @property
    def logger(self) -> str:
        """The driver's logger."""
        return self.role

    def ask(self) -> None:
        """Ask the provider."""
        self.begin(ListSizes(self.id, logger=self.logger))

    def done(self, step: Step, result: StepResult) -> None:
        """An empty list of sizes is a failed request."""
        if not result:
            self.failed(step, RemoteError(ErrorKind.TRANSIENT, "the provider lists no sizes at all"))
        else:
            super().done(step, result)

    def failed(self, step: Step, error: RemoteError) -> None:
        """Try again."""
        self.step = None
        self.again(error)
