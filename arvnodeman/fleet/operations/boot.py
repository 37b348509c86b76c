"""One boot: a record with a slot, Slurm told, the cloud node created, its last touches.

    PREPARE ─▶ DESCRIBE ─▶ READY ─▶ CREATE ─▶ FINISH ─▶ created
                             ▲         │ refused at a rung: the next one, where another is open
                             └─ FIND ◀─┘ an error that may hide a success (rows D7, D8)
                                 └─▶ UNREAD  an answer that cannot be read: no second request

An answer that cannot be read says yes, as far as can be told: a node may be there that nobody shows, and a second
request may make a second one. So the boot waits until a list shows its node, for boot_fail_after at most.

From every stage before the node exists the way out is RELEASE, which gives the record back. READY waits until the Fleet
lets it through: lists fresh, room under the limits.
"""

from __future__ import annotations

from arvnodeman.fleet.messages import (
    DEBUG,
    ERROR,
    CreateNode,
    Decided,
    DescribeNode,
    FindNode,
    FinishNode,
    PrepareRecord,
    RecordPrepared,
    ReleaseRecord,
    Step,
    StepResult,
)
from arvnodeman.fleet.nodes.node import Node, slurm_weight
from arvnodeman.fleet.operations.at_rung import AtRung
from arvnodeman.fleet.operations.moves_of_boots import BOOT_MOVES, BootStage
from arvnodeman.fleet.operations.operation import OperationContext
from arvnodeman.fleet.values.model import UNSENT, CloudNode, ErrorKind, NodeRecord, NodeSize, RemoteError, Secret
from arvnodeman.fleet.values.rungs import Rung

ELSEWHERE = frozenset({ErrorKind.CAPACITY, ErrorKind.QUOTA, ErrorKind.REFUSED})  # another rung may have it
UNCERTAIN = frozenset({ErrorKind.TRANSIENT, ErrorKind.UNEXPECTED, ErrorKind.GONE})
PREPARED = "Prepared by Node Manager"


class Boot(AtRung):
    """The boot of one node. `outcome` is created, stopped, vanished, or the kind of the refusal."""

    role = "ComputeNodeSetupActor"

    def __init__(self, context: OperationContext, size: NodeSize, token: str, reuse: str | None) -> None:
        super().__init__(context, size, token)
        self.reuse = reuse
        self.of_names = False  # its record is a name in Slurm
        self.looks_first = False  # an earlier run may have asked the cloud under this token
        self._stage = BootStage.PREPARE
        self.record: NodeRecord | None = None
        self.node: CloudNode | None = None
        self.row: Node | None = None  # its row in the roster, once it is listed or created
        self.refused_by = ""  # "cloud" or "records"
        self.counted = False  # the Fleet has taken note of the node
        self.learnt = False  # the Fleet has drawn its conclusions from the refusal
        self.probes = False  # it may go one above the soft quota, to see whether that holds for its size, too
        self._secret = Secret("")
        self._ending = ""
        self._create_pending = False  # a create was sent and not answered for certain
        self._unread_until: float | None = None  # a create was answered, and nobody knows how
        self._creates = 0

    @property
    def stage(self) -> BootStage:
        """Where it is."""
        return self._stage

    @stage.setter
    def stage(self, stage: BootStage) -> None:
        assert BOOT_MOVES.may(self._stage, stage), f"a boot goes from {self._stage.name} to {stage.name}"
        self._stage = stage

    @property
    def subject(self) -> str:
        """The token of the boot."""
        return self.intent.token

    @property
    def hostname(self) -> str | None:
        """The name that its node will have, once that is known; of a record that is a name, its uuid is the name."""
        return self.record.hostname if self.record is not None else self.reuse

    @property
    def asked(self) -> bool:
        """The cloud has been asked, and may have a node for it."""
        return self._create_pending or self.node is not None or self.row is not None

    @property
    def in_flight(self) -> bool:
        """A create request is with the cloud now."""
        return self._create_pending

    @property
    def tried(self) -> bool:
        """The cloud has been asked once at least: a node for it may turn up, whatever was answered."""
        return self._creates > 0

    @property
    def waits_for_a_list(self) -> bool:
        """Nothing is under way at the cloud, for all that can be known: a stop need not wait for it."""
        return self.stage is BootStage.UNREAD

    @property
    def stoppable(self) -> bool:
        """Can it end without a node?"""
        return not self.asked and self.stage is not BootStage.RELEASE

    @property
    def ends_at_once(self) -> bool:
        """Stopped now, it is over: nothing is under way, and no record has to be given back."""
        return self.step is None and self.record is None

    def begin(self) -> None:
        """Take a record."""
        self.send(PrepareRecord(self.id, self.intent, self.reuse, self.of_names, logger=self.logger))

    def adopt_record(self, uuid: str) -> None:
        """A prepare that failed had worked: the record list shows one with our token. It is used again."""
        if self.stage is BootStage.PREPARE:
            self.reuse = uuid

    def note_rung(self, rung: Rung) -> None:
        """READY, and it asks at another rung than its record says: write that first."""
        assert self.record is not None
        self.goes_to(rung)
        self.stage, self.reuse = BootStage.PREPARE, self.record.uuid
        self.begin()

    def create(self, rung: Rung | None = None) -> None:
        """READY, and the Fleet lets it through: ask the cloud, at this rung where its size has some."""
        assert self.record is not None
        self.rung, self.refusal = rung, None
        self.stage = BootStage.CREATE
        self._creates += 1
        self._create_pending = True
        at = f" ({rung.words})" if rung is not None else ""
        self.context.info("Sending create_node request for node size %s%s.", self.size.id, at, logger=self.logger)
        size, token, number = self.sized, self.token, self._creates
        secret, jobs = self._secret, self.meant_for
        self.send(CreateNode(self.id, size, self.record, token, secret, number, jobs, logger=self.logger))

    def no_rung(self) -> None:
        """READY, and no rung is open: it ends as the last one that it tried was refused."""
        if self.refusal is not None:
            self.tell_quota(self.refusal)
            self._end(self.refusal.kind.value)
        else:
            self.stop("none of its zones and purchases is available now")

    def find_first(self) -> None:
        """READY, and an earlier run may have asked for it: is there a node already?"""
        self.looks_first = False
        self._find()

    def adopt_node(self) -> None:
        """READY or UNREAD, and a list shows its node: the request that seemed to fail had worked."""
        self._ready()

    def stop(self, why: str) -> bool:
        """It is not needed any more. True when it ends without a node: so long as the cloud was not asked."""
        if not self.stoppable:
            return False
        self.context.decide(Decided.BOOT_STOPPED, self.size.id, "Boot stopped: %s", why, logger=self.logger)
        self._end("stopped")
        return True

    def abandon(self) -> None:
        """Its node was listed and is gone, while the create request was not answered: no second one under this token,
        for which the cloud would answer with the node that is gone. An answer under way may still bring a node."""
        self.row = None
        self._end("vanished")

    def _find(self) -> None:
        assert self.record is not None
        self.stage = BootStage.FIND
        self.send(FindNode(self.id, self.sized, self.record, self.token, logger=self.logger))

    def done(self, step: Step, result: StepResult) -> None:
        """Go to the next stage."""
        self.step = None
        match step:
            case PrepareRecord() if isinstance(result, RecordPrepared):
                self._prepared(result)
            case DescribeNode():
                self._ready()
            case CreateNode() if isinstance(result, CloudNode):
                self._created(result)
            case FindNode():
                self._found(result if isinstance(result, CloudNode) else None)
            case FinishNode():
                assert self.node is not None
                self.context.info("%s post-create work done.", self.node.id, logger=self.logger)
                self._finished()
            case ReleaseRecord():
                self.outcome = self._ending
            case _:
                self.failed(step, RemoteError(ErrorKind.UNEXPECTED, f"{type(step).__name__} brought no result"))

    def _prepared(self, prepared: RecordPrepared) -> None:
        self.record, self._secret = prepared.record, prepared.ping_secret
        self.context.info("%s updated properties.", self.record.uuid, logger=self.logger)
        self.fresh_attempts()
        if self._ending:
            self._release()
        elif self.context.policy.slurm and not self.context.policy.places and self.record.hostname:
            self.stage = BootStage.DESCRIBE
            weight = slurm_weight(self.size.price)
            given = {feature for section in self.context.policy.sections for feature in section.features}
            gives, without = self.size.features, frozenset(given.difference(self.size.features))
            hostname, size = self.record.hostname, self.size.id
            self.send(DescribeNode(self.id, hostname, size, weight, gives, without, logger=self.logger))
        else:
            self._ready()

    def _ready(self) -> None:
        if self._ending:
            self._release()
        elif self.row is not None:  # a list shows its node: no second one is asked for
            self._created(self.row.cloud)
        else:
            self.stage, self.due = BootStage.READY, None

    def _created(self, node: CloudNode) -> None:
        self.node = node
        self._create_pending, self._ending = False, ""
        self.stage = BootStage.FINISH
        self.fresh_attempts()
        self.context.decide(Decided.CREATED, node.name, "Cloud node %s created.", node.id, logger=self.logger)
        assert self.record is not None
        self.send(FinishNode(self.id, node, self.record, logger=self.logger))

    def _found(self, node: CloudNode | None) -> None:
        if node is not None:
            self._created(node)
        elif self._ending:
            self._create_pending = False
            self._release()
        elif self._unread_until is not None:
            self._wait_for_a_list()
        else:
            self._create_pending = False
            self._ready()

    def _wait_for_a_list(self) -> None:
        """No search has found what the cloud has made, if it has: the lists to come may show it."""
        self.stage, self.due = BootStage.UNREAD, self._unread_until
        if self.row is not None:
            self._ready()

    def _finished(self) -> None:
        self.context.info("finished", logger=self.logger)
        self.outcome = "created"

    def failed(self, step: Step, error: RemoteError) -> None:
        """Retry, refuse or give up, as the kind of the error and the stage ask for."""
        self.step = None
        match step:
            case PrepareRecord():
                self._prepare_failed(error)
            case DescribeNode():  # the features are applied again when Slurm lacks them (row F19)
                self.context.error("SLURM update %s failed: %s", step.hostname, error.text, logger=self.logger)
                self._ready()
            case CreateNode():
                self._create_failed(error)
            case FindNode():
                self._find_failed(error)
            case FinishNode():
                self._finish_failed(error)
            case _:
                self._release_failed(error)

    def _prepare_failed(self, error: RemoteError) -> None:
        if self._ending:
            self._release()  # what it may have made is found by its token, or as an orphan
        elif error.kind is ErrorKind.SLOTS or self.give_up_on(error):
            self._refuse(error, "records")
            self._end(error.kind.value)
        else:
            self.again(error)

    def _create_failed(self, error: RemoteError) -> None:
        self.context.counters["create_node_errors"] += error.kind is not ErrorKind.NOT_LEADER
        if error.kind is ErrorKind.UNREADABLE:
            self._unread_until = self.context.clock.t + self.context.policy.boot_fail_after
            self._refuse(error, "cloud")
            self.fresh_attempts()
            self._find()
            return
        if self.rung is not None and error.kind in ELSEWHERE:
            self._refused_there(self.rung, error)
            return
        uncertain = error.kind in UNCERTAIN
        self._create_pending = uncertain
        if not self.give_up_on(error):
            if error.kind not in UNSENT:
                self.tell_failed("Create request failed: %s", error.text, level=DEBUG)
            self.again(error)
            return
        self.tell_quota(error)
        self._refuse(error, "cloud")
        if uncertain:
            self._ending = error.kind.value
            self._find()
        else:
            self._end(error.kind.value)

    def _refused_there(self, rung: Rung, error: RemoteError) -> None:
        """For certain: nothing was made at this rung, and the Fleet says which is the next."""
        self._create_pending = False
        self.refusal, self.refused_by, self.learnt = error, "cloud", False
        self.fresh_attempts()
        self.tell_refused(rung, error)
        self._ready()

    def _find_failed(self, error: RemoteError) -> None:
        if self._unread_until is not None and self.give_up_on(error):
            self._wait_for_a_list()
        elif self._ending and self.give_up_on(error):
            self._release()
        elif self._may_try_again(error):
            self.again(error)
        else:
            self._refuse(error, "cloud")
            self._end(error.kind.value)

    def _finish_failed(self, error: RemoteError) -> None:
        """The node exists, whatever happens now."""
        if self._may_try_again(error):
            self.again(error)
            return
        self.context.error("Actor error %s", error.text, logger=self.logger)
        self._finished()

    def _may_try_again(self, error: RemoteError) -> bool:
        """As ever; and a fresh node may not be known everywhere yet (row D11)."""
        unknown = error.kind is ErrorKind.GONE and self.attempts + 1 < self.context.policy.boot_attempts
        return unknown or not self.give_up_on(error)

    def _release_failed(self, error: RemoteError) -> None:
        if self.give_up_on(error):
            self.context.error("Actor error %s", error.text, logger=self.logger)
            self.outcome = self._ending  # the record is cleaned later, as an orphan
        else:
            self.again(error)

    def _refuse(self, error: RemoteError, by: str) -> None:
        self.refusal, self.refused_by, self.learnt = error, by, False
        if error.kind is not ErrorKind.QUOTA:
            hint = f" (look at {error.hint})" if error.hint else ""
            self.tell_failed("Actor error %s%s", error.text, hint, level=ERROR)

    def _end(self, outcome: str) -> None:
        """Give the record back, then end; a step under way is waited for."""
        self._ending = outcome
        if self.step is None:
            self._release()

    def _release(self) -> None:
        self.due = None
        if self.row is not None:  # the cloud lists a node for it after all: its record must not be cleaned
            self.node = self.row.cloud
            self._finished()
            return
        if self.record is None:
            self.outcome = self._ending
            return
        self.stage = BootStage.RELEASE
        self.fresh_attempts()
        self.send(ReleaseRecord(self.id, self.record.uuid, PREPARED, self.record.is_name, logger=self.logger))

    def wake(self) -> None:
        """The next attempt of the present stage."""
        self.due = None
        match self.stage:
            case BootStage.PREPARE:
                self.begin()
            case BootStage.CREATE if self._create_pending:
                self._find()
            case BootStage.CREATE:
                self._ready()
            case BootStage.FIND:
                self._find()
            case BootStage.UNREAD:  # no list has shown it
                self._create_pending = False
                self._end(ErrorKind.UNREADABLE.value)
            case BootStage.FINISH:
                assert self.node is not None
                assert self.record is not None
                self.send(FinishNode(self.id, self.node, self.record, logger=self.logger))
            case BootStage.RELEASE:
                assert self.record is not None
                self.send(ReleaseRecord(self.id, self.record.uuid, PREPARED, self.record.is_name, logger=self.logger))
            case _:
                pass
