"""The stand-in hands of a dry run: what asks is asked, what would change something is written down and pretended."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import singledispatchmethod

from arvnodeman.actors.operators import StepHands
from arvnodeman.actors.overlay import Overlay
from arvnodeman.actors.pollers import Fetch, Listed
from arvnodeman.fleet import messages
from arvnodeman.fleet.messages import (
    CloudListed,
    NodeSeen,
    QueueListed,
    RecordPrepared,
    RecordsListed,
    Step,
    StepResult,
)
from arvnodeman.fleet.operations.name_steps import OfferFeatures
from arvnodeman.fleet.values.model import RemoteError, Secret

Report = Callable[[Step, str, str], None]  # the step, what it is about, what would have been done


def pretend(fetch: Fetch, overlay: Overlay) -> Fetch:
    """A poller's fetch whose list is what it would be by our own commands."""

    def joined() -> Listed:
        listed = fetch()
        match listed:
            case CloudListed(nodes=nodes):
                return replace(listed, nodes=overlay.nodes(nodes))
            case RecordsListed(records=records, slurm=slurm):
                # the records first: they tell which instance stands behind a name in Slurm
                return replace(listed, records=overlay.records(records), slurm=overlay.slurm(slurm))
            case QueueListed(jobs=jobs):
                return replace(listed, jobs=overlay.jobs(jobs))

    return joined


class DryHands:
    """One operator's. `asking` are the real hands, of which only what changes nothing is called."""

    def __init__(self, asking: StepHands, overlay: Overlay, report: Report) -> None:
        self._asking = asking
        self._overlay = overlay
        self._report = report

    @singledispatchmethod
    def do(self, step: Step) -> StepResult:
        """Ask, or pretend. Raises RemoteFailure where the asking fails."""
        raise TypeError(f"no dry run knows the step {type(step).__name__}")

    def do_all(self, steps: Sequence[Step]) -> Sequence[StepResult | RemoteError]:
        """Several at once: what asks is asked together, each of the others is pretended."""
        answers = iter(self._ask_all([step for step in steps if self._is_asked(step)]))
        return [next(answers) if self._is_asked(step) else self.do(step) for step in steps]

    def _is_asked(self, step: Step) -> bool:
        return isinstance(step, messages.LookAtNode) and not self._overlay.is_made(step.hostname)

    def _ask_all(self, steps: Sequence[Step]) -> Iterator[StepResult | RemoteError]:
        for step, answer in zip(steps, self._asking.do_all(steps) if steps else (), strict=True):
            assert isinstance(step, messages.LookAtNode)
            yield self._as_seen(step, answer) if isinstance(answer, NodeSeen) else answer

    def _as_seen(self, step: messages.LookAtNode, seen: NodeSeen) -> NodeSeen:
        return replace(seen, node=self._overlay.slurm_node(step.hostname, seen.node))

    # ---- what asks --------------------------------------------------------------------------------------------------

    @do.register
    def _(self, step: messages.ListSizes) -> StepResult:
        return self._asking.do(step)

    @do.register
    def _(self, step: messages.LookAtNode) -> StepResult:
        if self._overlay.is_made(step.hostname):
            return NodeSeen(self._overlay.slurm_node(step.hostname, None), 0 if step.jobs else None)
        seen = self._asking.do(step)
        assert isinstance(seen, NodeSeen)
        return self._as_seen(step, seen)

    @do.register
    def _(self, step: messages.FindNode) -> StepResult:
        return self._overlay.find(step.token)

    @do.register
    def _(self, step: messages.LookForNode) -> StepResult:
        return step.node if self._overlay.is_there(step.node) else None

    # ---- what would change something --------------------------------------------------------------------------------

    @do.register
    def _(self, step: messages.PrepareRecord) -> StepResult:
        which = f"use node record {step.reuse} again" if step.reuse else "create a node record"
        self._report(step, step.intent.size, f"{which} for a node of size {step.intent.size}")
        return RecordPrepared(self._overlay.prepare(step.intent, step.reuse), Secret("dry run"))

    @do.register
    def _(self, step: messages.DescribeRecord) -> StepResult:
        where = f" at {step.node.address}" if step.node.address else ""
        self._report(step, step.uuid, f"note that {step.uuid} is {step.node.report_id}{where}")
        self._overlay.tell(step.uuid, step.node)
        return None

    @do.register
    def _(self, step: messages.ReleaseRecord) -> StepResult:
        self._report(step, step.uuid, f"clean node record {step.uuid}")
        self._overlay.release(step.uuid)
        return None

    @do.register
    def _(self, step: messages.CreateNode) -> StepResult:
        self._report(step, step.size.id, f"create a node of size {step.size.id} for ${step.size.price:g}/hour")
        return self._overlay.create(step.size, step.record, step.token)

    @do.register
    def _(self, step: messages.FinishNode) -> StepResult:
        return None

    @do.register
    def _(self, step: messages.SyncFqdn) -> StepResult:
        self._report(step, step.node.name, f"write the name {step.fqdn} to cloud node {step.node.name}")
        self._overlay.sync_fqdn(step.node, step.fqdn)
        return None

    @do.register
    def _(self, step: messages.SetWord) -> StepResult:
        word = step.word.word.value if step.word is not None else "no word"
        self._report(step, step.node.name, f"keep {word} in a tag of cloud node {step.node.name}")
        self._overlay.set_word(step.node, step.word)
        return None

    @do.register
    def _(self, step: messages.DestroyNode) -> StepResult:
        self._report(step, step.node.name, f"destroy cloud node {step.node.name} ({step.node.id})")
        self._overlay.destroy(step.node)
        return None

    @do.register
    def _(self, step: messages.DescribeNode) -> StepResult:
        words = f"give Slurm node {step.hostname} the feature instancetype={step.size} and weight {step.weight}"
        self._report(step, step.hostname, words)
        self._overlay.describe(step.hostname, step.size, step.weight)
        return None

    @do.register
    def _(self, step: OfferFeatures) -> StepResult:
        names, features = ", ".join(step.hostnames[:5]), ",".join(sorted(step.features))
        more = f" and {len(step.hostnames) - 5} more" if len(step.hostnames) > 5 else ""
        self._report(step, step.hostnames[0], f"give the free names {names}{more} in Slurm the features {features}")
        self._overlay.offer(step.hostnames, step.features)
        return None

    @do.register
    def _(self, step: messages.DrainNode) -> StepResult:
        self._report(step, step.hostname, f"drain Slurm node {step.hostname}, reason: {step.reason}")
        self._overlay.drain(step.hostname, step.reason)
        return None

    @do.register
    def _(self, step: messages.ResumeNode) -> StepResult:
        self._report(step, step.hostname, f"resume Slurm node {step.hostname}")
        self._overlay.resume(step.hostname)
        return None

    @do.register
    def _(self, step: messages.SetNodeDown) -> StepResult:
        self._report(step, step.hostname, f"set Slurm node {step.hostname} DOWN, reason: {step.reason}")
        self._overlay.set_down(step.hostname, step.reason)
        return None

    @do.register
    def _(self, step: messages.ExplainJob) -> StepResult:
        self._report(step, step.job.id, f"write on job {step.job.id}: {step.reason}")
        return None

    @do.register
    def _(self, step: messages.CancelJob) -> StepResult:
        self._report(step, step.job.id, f"cancel job {step.job.id}: {step.reason}")
        self._overlay.cancel(step.job)
        return None
