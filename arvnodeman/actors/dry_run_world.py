"""The World of a dry run: what asks is asked, what would change something is written down and pretended."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import singledispatchmethod

from arvnodeman.actors.overlay import Overlay
from arvnodeman.fleet import messages
from arvnodeman.fleet.messages import (
    CloudListed,
    NodeSeen,
    Poll,
    QueueListed,
    RecordPrepared,
    RecordsListed,
    Step,
    StepResult,
)
from arvnodeman.fleet.operations.job_steps import CommentJobs
from arvnodeman.fleet.operations.lease_steps import RenewLeases
from arvnodeman.fleet.operations.name_steps import CloseNames, GiveBack, OfferFeatures, OpenNames, PowerUp, ReleaseJobs
from arvnodeman.fleet.values.job_comments import JobsCommented
from arvnodeman.fleet.values.model import Secret
from arvnodeman.fleet.values.placed import GivenBack, JobsReleased, NamesOpened
from arvnodeman.loop.world import Answer, Listed, World

Report = Callable[[Step, str, str], None]  # the step, what it is about, what would have been done


class DryRunWorld:
    """Stands before the real one, of which only what changes nothing is called."""

    def __init__(self, world: World, overlay: Overlay, report: Report) -> None:
        self._world = world
        self._overlay = overlay
        self._report = report

    def list(self, poll: Poll) -> Listed:
        """A list, as it would be by our own commands. Raises RemoteFailure."""
        listed = self._world.list(poll)
        match listed:
            case CloudListed(nodes=nodes):
                return replace(listed, nodes=self._overlay.nodes(nodes))
            case RecordsListed(records=records, slurm=slurm):
                # the records first: they tell which instance stands behind a name in Slurm
                return replace(listed, records=self._overlay.records(records), slurm=self._overlay.slurm(slurm))
            case QueueListed(jobs=jobs):
                return replace(listed, jobs=self._overlay.jobs(jobs))

    def do(self, steps: Sequence[Step]) -> Sequence[Answer]:
        """What asks is asked, together, and each of the others is pretended. Raises RemoteFailure from the asking."""
        asked = [step for step in steps if self._is_asked(step)]
        answers = iter(self._world.do(asked) if asked else ())
        return [self._as_seen(step, next(answers)) if self._is_asked(step) else self._pretend(step) for step in steps]

    def _is_asked(self, step: Step) -> bool:
        match step:
            case messages.ListSizes():
                return True
            case messages.LookAtNode(hostname=hostname):
                return not self._overlay.is_made(hostname)
        return False

    def _as_seen(self, step: Step, answer: Answer) -> Answer:
        if isinstance(step, messages.LookAtNode) and isinstance(answer, NodeSeen):
            return replace(answer, node=self._overlay.slurm_node(step.hostname, answer.node))
        return answer

    @singledispatchmethod
    def _pretend(self, step: Step) -> StepResult:
        raise TypeError(f"no dry run knows the step {type(step).__name__}")

    # ---- what would only ask ---------------------------------------------------------------------------------------

    @_pretend.register
    def _(self, step: messages.LookAtNode) -> StepResult:
        return NodeSeen(self._overlay.slurm_node(step.hostname, None), 0 if step.jobs else None)

    @_pretend.register
    def _(self, step: messages.FindNode) -> StepResult:
        return self._overlay.find(step.token)

    @_pretend.register
    def _(self, step: messages.LookForNode) -> StepResult:
        return step.node if self._overlay.is_there(step.node) else None

    # ---- what would change something --------------------------------------------------------------------------------

    @_pretend.register
    def _(self, step: messages.PrepareRecord) -> StepResult:
        which = f"use node record {step.reuse} again" if step.reuse else "create a node record"
        self._report(step, step.intent.size, f"{which} for a node of size {step.intent.size}")
        return RecordPrepared(self._overlay.prepare(step.intent, step.reuse), Secret("dry run"))

    @_pretend.register
    def _(self, step: messages.DescribeRecord) -> StepResult:
        where = f" at {step.node.address}" if step.node.address else ""
        self._report(step, step.uuid, f"note that {step.uuid} is {step.node.report_id}{where}")
        self._overlay.tell(step.uuid, step.node)
        return None

    @_pretend.register
    def _(self, step: messages.ReleaseRecord) -> StepResult:
        self._report(step, step.uuid, f"clean node record {step.uuid}")
        self._overlay.release(step.uuid)
        return None

    @_pretend.register
    def _(self, step: messages.CreateNode) -> StepResult:
        self._report(step, step.size.id, f"create a node of size {step.size.id} for ${step.size.price:g}/hour")
        return self._overlay.create(step.size, step.record, step.token)

    @_pretend.register
    def _(self, step: messages.FinishNode) -> StepResult:
        return None

    @_pretend.register
    def _(self, step: messages.SyncFqdn) -> StepResult:
        self._report(step, step.node.name, f"write the name {step.fqdn} to cloud node {step.node.name}")
        self._overlay.sync_fqdn(step.node, step.fqdn)
        return None

    @_pretend.register
    def _(self, step: messages.SetWord) -> StepResult:
        directive = step.directive.directive.value if step.directive is not None else "no word"
        self._report(step, step.node.name, f"keep {directive} in a tag of cloud node {step.node.name}")
        self._overlay.set_directive(step.node, step.directive)
        return None

    @_pretend.register
    def _(self, step: messages.DestroyNode) -> StepResult:
        self._report(step, step.node.name, f"destroy cloud node {step.node.name} ({step.node.id})")
        self._overlay.destroy(step.node)
        return None

    @_pretend.register
    def _(self, step: messages.DescribeNode) -> StepResult:
        words = f"give Slurm node {step.hostname} the feature instancetype={step.size} and weight {step.weight}"
        self._report(step, step.hostname, words)
        self._overlay.describe(step.hostname, step.size, step.weight)
        return None

    @_pretend.register
    def _(self, step: OfferFeatures) -> StepResult:
        features = ",".join(sorted(step.features))
        words = f"give the free names {_some(step.hostnames)} in Slurm the features {features}"
        self._report(step, step.hostnames[0], words)
        self._overlay.offer(step.hostnames, step.features)
        return None

    @_pretend.register
    def _(self, step: GiveBack) -> StepResult:
        words = f"give the jobs placed on {_some(step.hostnames)} back to Slurm: {step.reason}"
        self._report(step, step.hostnames[0], words)
        self._overlay.give_back(step.hostnames)
        return GivenBack()

    @_pretend.register
    def _(self, step: OpenNames) -> StepResult:
        self._report(step, step.hostnames[0], f"open {_some(step.hostnames)} in Slurm")
        self._overlay.open_names(step.hostnames)
        return NamesOpened(step.hostnames)

    @_pretend.register
    def _(self, step: CloseNames) -> StepResult:
        self._report(step, step.hostnames[0], f"close {_some(step.hostnames)} in Slurm, reason: {step.reason}")
        self._overlay.close_names(step.hostnames, step.reason)
        return None

    @_pretend.register
    def _(self, step: ReleaseJobs) -> StepResult:
        jobs = [job.id for job in step.jobs]
        self._report(step, jobs[0], f"let Slurm place the jobs {_some(jobs)} at once")
        return JobsReleased()

    @_pretend.register
    def _(self, step: PowerUp) -> StepResult:
        self._report(step, step.hostnames[0], f"power up {_some(step.hostnames)} in Slurm")
        self._overlay.power_up(step.hostnames)
        return None

    @_pretend.register
    def _(self, step: messages.DrainNode) -> StepResult:
        self._report(step, step.hostname, f"drain Slurm node {step.hostname}, reason: {step.reason}")
        self._overlay.drain(step.hostname, step.reason)
        return None

    @_pretend.register
    def _(self, step: messages.ResumeNode) -> StepResult:
        self._report(step, step.hostname, f"resume Slurm node {step.hostname}")
        self._overlay.resume(step.hostname)
        return None

    @_pretend.register
    def _(self, step: messages.SetNodeDown) -> StepResult:
        self._report(step, step.hostname, f"set Slurm node {step.hostname} DOWN, reason: {step.reason}")
        self._overlay.set_down(step.hostname, step.reason)
        return None

    @_pretend.register
    def _(self, step: messages.ExplainJob) -> StepResult:
        self._report(step, step.job.id, f"write on job {step.job.id}: {step.reason}")
        return None

    @_pretend.register
    def _(self, step: CommentJobs) -> StepResult:
        for comment in step.comments:
            self._report(step, comment.jobs[0], f"write on the jobs {_some(comment.jobs)}: {comment.line.text}")
        return JobsCommented()

    @_pretend.register
    def _(self, step: RenewLeases) -> StepResult:
        self._report(step, step.ids[0], f"renew the leases of {len(step.ids)} nodes")
        return None

    @_pretend.register
    def _(self, step: messages.CancelJob) -> StepResult:
        self._report(step, step.job.id, f"cancel job {step.job.id}: {step.reason}")
        self._overlay.cancel(step.job)
        return None


def _some(names: Sequence[str]) -> str:
    """The first of some names."""
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
