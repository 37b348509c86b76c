"""The World of a trial: the real one, of which only the trial's own node, record and job are to be seen.

So a brain that drives a trial leaves everybody else's nodes alone, whatever it decides.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace

from arvnodeman.actors.hands import Hands, Makers
from arvnodeman.cloud.base import CloudDriver, ping_url
from arvnodeman.config.settings import Settings
from arvnodeman.fleet.messages import (
    CloudListed,
    CreateNode,
    DescribeNode,
    DestroyNode,
    DrainNode,
    FindNode,
    LookAtNode,
    LookForNode,
    NodeSeen,
    Poll,
    PrepareRecord,
    QueueListed,
    RecordPrepared,
    RecordsListed,
    ReleaseRecord,
    ResumeNode,
    SetNodeDown,
    SetWord,
    Step,
    StepResult,
)
from arvnodeman.fleet.operations.name_steps import OfferFeatures
from arvnodeman.fleet.values.model import (
    BootIntent,
    CloudNode,
    ErrorKind,
    Job,
    JobShape,
    NodeRecord,
    NodeSize,
    OperatorDirective,
    RemoteError,
    RemoteFailure,
    Secret,
)
from arvnodeman.fleet.values.work import NodeWork
from arvnodeman.loop.world import Listed
from arvnodeman.records.keeper import RecordKeeper
from arvnodeman.slurm.errors import NotPermitted
from arvnodeman.slurm.keeping import NamesInSlurm
from arvnodeman.slurm.words import state_of

RELEASED = "cloud-test"  # the last action of its record
CERTAIN = frozenset({ErrorKind.REFUSED, ErrorKind.QUOTA, ErrorKind.CAPACITY, ErrorKind.THROTTLED})  # no node was made


class MadeUpRecords:
    """A keeper for a node that nobody waits for: its one record is made up, and its pings will be refused."""

    clock_offset: float | None = None

    def __init__(self, settings: Settings) -> None:
        self._cluster = _cluster(settings)
        self._record: NodeRecord | None = None

    def list_records(self) -> tuple[NodeRecord, ...]:
        """The one, once it is made up."""
        return () if self._record is None else (self._record,)

    def prepare(self, intent: BootIntent, reuse: str | None) -> RecordPrepared:
        """Make one up."""
        uuid = reuse or f"{self._cluster}-7ekkf-{_letters(15)}"
        self._record = NodeRecord(
            uuid, hostname=f"cloud-test-{_letters(6)}", created_at=intent.at, modified_at=intent.at, intent=intent
        )
        return RecordPrepared(self._record, Secret(_letters(40)))

    def describe(self, uuid: str, node: CloudNode) -> None:
        """It is none of Slurm's names."""

    def release(self, uuid: str, action: str) -> None:
        """It is forgotten."""
        self._record = None


class TrialWorld:
    """For one node of this size. What has become of it is in the attributes."""

    def __init__(
        self,
        settings: Settings,
        driver: CloudDriver,
        keeper: RecordKeeper,
        slurm: NamesInSlurm | None,
        size: NodeSize,
        now: Callable[[], float],
    ) -> None:
        """`now`: seconds since the epoch."""
        self.offered: NodeRecord | None = None  # a name that is free, where records are names
        self.token: str | None = None
        self.prepared: RecordPrepared | None = None
        self.record: NodeRecord | None = None  # as it is listed
        self.asked = False  # a create request was sent, and may have made a node
        self.node: CloudNode | None = None  # as it was made, or first listed
        self.listed: CloudNode | None = None  # None: it is not in the newest list
        self.jobs = 0  # that Slurm runs on it, by its last answer
        self.ending = False  # no node is wanted any more, and its tag is nobody's business
        self.destroyed = self.released = False
        self._directive: OperatorDirective | None = None  # said at the end, and in no tag
        self._driver = driver
        self._keeper = keeper
        self._slurm = slurm
        self._now = now
        self._job = Job("cloud-test", JobShape(size=size.id))
        self._undrained = False  # it is not ours to drain
        self._hands = Hands(
            Makers(
                driver=lambda: driver,
                keeper=lambda: keeper,
                scheduler=self._in_slurm,
                jobs=None,
                ping_url=lambda uuid, secret: ping_url(settings, uuid, secret),
            )
        )

    def _in_slurm(self) -> NamesInSlurm:
        assert self._slurm is not None
        return self._slurm

    # ---- lists -------------------------------------------------------------------------------------------------------

    def list(self, poll: Poll) -> Listed:
        """One list, of what is the trial's. Raises RemoteFailure."""
        now = self._now()
        match poll:
            case Poll.CLOUD:
                return CloudListed(self._nodes(), now)
            case Poll.RECORDS:
                return RecordsListed(self._records(), self._work(), now)
            case Poll.QUEUE:
                return QueueListed(() if self.ending else (self._job,), now)

    def _nodes(self) -> tuple[CloudNode, ...]:
        """What was made counts as listed until it is destroyed: it may show late."""
        nodes = self._driver.list_nodes()
        self.listed = next((node for node in nodes if self.token is not None and node.token == self.token), None)
        self.node = self.node or self.listed
        shown = self.listed or (None if self.destroyed else self.node)
        if shown is None:
            return ()
        return (replace(shown, directive=self._directive) if self._directive is not None else shown,)

    def _records(self) -> tuple[NodeRecord, ...]:
        if self.prepared is None:
            return () if self.offered is None else (self.offered,)
        uuid = self.prepared.record.uuid
        self.record = next((record for record in self._keeper.list_records() if record.uuid == uuid), None)
        return () if self.record is None else (self.record,)

    def _work(self) -> dict[str, NodeWork] | None:
        if self._slurm is None:
            return None
        hostname = self.prepared.record.hostname if self.prepared is not None else None
        work = self._slurm.node(hostname) if hostname else None
        return {} if work is None else {work.name: work}

    # ---- steps -------------------------------------------------------------------------------------------------------

    def do(self, steps: Sequence[Step]) -> Sequence[StepResult]:
        """Raises RemoteFailure."""
        return [self._do(step) for step in steps]

    def _do(self, step: Step) -> StepResult:
        match step:
            case PrepareRecord():
                prepared = self._hands.do(step)
                assert isinstance(prepared, RecordPrepared)
                self.prepared, self.token = prepared, step.intent.token
                return prepared
            case CreateNode() | FindNode():
                return self._boot(step)
            case DestroyNode() | LookForNode():
                found = self._hands.do(step)
                self.destroyed = self.destroyed or found is None
                return found
            case DrainNode() | ResumeNode() | SetNodeDown() | LookAtNode():
                return self._do_in_slurm(step)
            case ReleaseRecord():
                self._keeper.release(step.uuid, RELEASED)
                self.released = True
                return None
            case SetWord():
                self._directive = step.directive
                return None
            case DescribeNode() | OfferFeatures():
                return None  # no jobs are invited
            case _:
                return self._hands.do(step)

    def _boot(self, step: CreateNode | FindNode) -> StepResult:
        if self.ending and isinstance(step, CreateNode):
            raise RemoteFailure(RemoteError(ErrorKind.REFUSED, "the trial is over"))
        uncertain = self.asked
        self.asked = True
        try:
            made = self._hands.do(step)
        except RemoteFailure as failure:
            self.asked = uncertain or isinstance(step, FindNode) or failure.error.kind not in CERTAIN
            raise
        if isinstance(made, CloudNode):
            self.node = made
        return made

    def _do_in_slurm(self, step: Step) -> StepResult:
        """Where it is not ours to drain, a question must do."""
        if isinstance(step, LookAtNode):
            return self._observe(step)
        try:
            return self._hands.do(step)
        except NotPermitted:
            self._undrained = self._undrained or isinstance(step, DrainNode)
            return None

    def _observe(self, step: LookAtNode) -> NodeSeen:
        seen = self._hands.do(step)
        assert isinstance(seen, NodeSeen)
        work = seen.node
        if work is None:
            return seen
        jobs = seen.jobs
        if jobs is None and work.state.busy:
            jobs = self._in_slurm().jobs_on(step.hostname)
        self.jobs = jobs or 0
        if self._undrained and not self.jobs and not work.state.busy:
            return replace(seen, node=replace(work, state=state_of("drain")))
        return seen


def _letters(count: int) -> str:
    return "".join(secrets.choice("abcdefghijklmnopqrstuvwxyz0123456789") for _ in range(count))


def _cluster(settings: Settings) -> str:
    """The cluster's five letters, as far as the API server's name tells them."""
    found = re.match(r"(?:https?://)?([a-z0-9]{5})\.", settings.arvados.host)
    return found.group(1) if found else "xxxxx"
