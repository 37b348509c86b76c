"""What a boot is at: the rung of its size where the cloud is asked for its node, one at a time."""

from __future__ import annotations

from dataclasses import replace

from arvnodeman.fleet.messages import ERROR, INFO, WARNING, Decided
from arvnodeman.fleet.operations.operation import Operation, OperationContext
from arvnodeman.fleet.values.meant_for import MeantFor
from arvnodeman.fleet.values.model import BootIntent, ErrorKind, JobShape, Load, NodeSize, RemoteError
from arvnodeman.fleet.values.rungs import Purchase, Rung


class AtRung(Operation):
    """An operation that asks for a node of a size."""

    def __init__(self, context: OperationContext, size: NodeSize, token: str) -> None:
        super().__init__(context)
        self.size = size
        self.intent = BootIntent(size.id, size.price, token, context.clock.now)
        self.refusal: RemoteError | None = None  # why the other side refused, the last time
        self.rung: Rung | None = None  # where the cloud is asked, or was asked last
        self.wanted_for: JobShape | None = None  # the group of jobs that it is for
        self.load: Load = ()  # the jobs that are to share it
        self.meant_for: tuple[MeantFor, ...] = ()  # the first of these, for bills
        self.shuns: frozenset[Purchase] = frozenset()  # ways to pay that are tried last

    @property
    def token(self) -> str:
        """The name of the create request."""
        return self.intent.token

    def goes_to(self, rung: Rung) -> None:
        """It asks there next, and its record is to say so: a daemon that goes on with it asks nowhere else before."""
        self.intent = replace(self.intent, price=self.size.at(rung).price, rung=rung.key)

    @property
    def bound(self) -> bool:
        """It has to go on at its rung: a request there may have worked."""
        return self.rung is not None and self.refusal is None

    def rung_of(self, key: str) -> Rung | None:
        """The rung of its size with this key; None where there is none."""
        return next((rung for rung in self.size.ladder if rung.key == key), None)

    @property
    def sized(self) -> NodeSize:
        """The size that is asked for, at the rung where it is."""
        return self.size.at(self.rung)

    def tell_refused(self, rung: Rung, error: RemoteError) -> None:
        """The cloud has no node for it at a rung."""
        level = ERROR if error.kind is ErrorKind.REFUSED else INFO
        hint = f" (look at {error.hint})" if error.hint else ""
        text = "Create request failed at the rung %s of %s: %s%s"
        self.tell_failed(text, rung.words, self.size.id, error.text, hint, level=level)

    def tell_quota(self, error: RemoteError) -> None:
        """It ends with this refusal: say so where it is the quota's."""
        if error.kind is ErrorKind.QUOTA:
            self.tell_failed("Quota exceeded: %s", error.text, level=WARNING)

    def tell_failed(self, text: str, *args: object, level: int) -> None:
        """A step of it failed, in these words."""
        self.context.decide(Decided.BOOT_FAILED, self.size.id, text, *args, level=level, logger=self.logger)

    @property
    def rung_key(self) -> str:
        """Its rung; '' before it has one, and of a size without."""
        return self.rung.key if self.rung is not None else ""
