"""One shutdown: drain, wait for the work to end, ask again, mark, destroy, set DOWN, give the record back.

    DRAIN ─▶ WAIT ─▶ ASK ─▶ MARK ─▶ DESTROY ─▶ SET_DOWN ─▶ RELEASE ─▶ destroyed
               │                       └─▶ LOOK (an error that may hide a success, row E11; GONE: only a list forgets)
               └─▶ UNDO ─▶ cancelled          a shutdown of kind UNWANTED, when the node is wanted again

The destroy request leaves only in the same breath in which Slurm, asked now, said that nothing runs on the node, with
all lists fresh. DOWN comes after the destroy: before it, it would free a node that still answers.

A request may be held up on its way, and arrive when another manager has the node. So its drain is marked just before,
and a node that is marked is never resumed: whoever finds the mark destroys it again, until no list shows it. An
operator's kill is not marked: it is sent whatever runs there, and the tag tells the next manager of it.
"""

from __future__ import annotations

from arvnodeman.fleet.messages import (
    Decided,
    DestroyNode,
    DrainNode,
    LookAtNode,
    LookForNode,
    NodeSeen,
    ReleaseRecord,
    ResumeNode,
    SetNodeDown,
    Step,
    StepResult,
)
from arvnodeman.fleet.operations.answers import hides_jobs, nothing_runs
from arvnodeman.fleet.operations.shutdown_facts import ShutdownFacts
from arvnodeman.fleet.operations.shutdown_stages import MANY, MAY_HAVE_WORKED, RESUMED_AFTER, ShutdownStage
from arvnodeman.fleet.values.leaving import ShutdownKind
from arvnodeman.fleet.values.model import UNSENT, CloudNode, Directive, ErrorKind, RemoteError
from arvnodeman.fleet.values.work import FREE, WorkKind

SHUT_DOWN = "Shut down by Node Manager"


class Shutdown(ShutdownFacts):
    """The end of one node. `outcome` is destroyed, cancelled or failed."""

    def begin(self) -> None:
        """The first step for the kind."""
        if self.kind is ShutdownKind.KILL:
            self._destroy()
        elif self.kind is ShutdownKind.GONE and self.node.cloud.goes_stopped:
            self._wait_for_work()
        elif self.context.policy.slurm and self.hostname and not self.ours and not self._is_not_drained():
            self.context.info("Draining SLURM node %s", self.hostname, logger=self.logger)
            self._drain()
        else:
            self._wait_for_work()

    def _drain(self) -> None:
        assert self.hostname is not None
        self.drain_reason = self.reason
        self.send(DrainNode(self.id, self.hostname, self.drain_reason, logger=self.logger))

    def _is_not_drained(self) -> bool:
        """A drain of somebody else keeps its reason: ours would overwrite it. A name of another's works on."""
        slurm = self.node.slurm
        return self.shared or (slurm is not None and slurm.state.drained)

    def _wait_for_work(self) -> None:
        self.stage = self._waits
        self.fresh_attempts()
        if self._kill:
            self._destroy()
        elif self._cancel:
            self._undo()
        elif not self.context.gate.lets_requests:  # nothing may be destroyed now
            self._later()
        elif self.kind is ShutdownKind.GONE and self.node.cloud.goes_stopped:
            self._destroy()
        elif self.context.policy.asks_scheduler and self.hostname:
            self._observe(jobs=not self.node.slurm_busy)
        elif self.kind is ShutdownKind.GONE:
            self._clear_traces(busy=False)
        else:
            self._may_destroy()

    def _later(self) -> None:
        self.due = self.context.in_round(self.context.policy.drain_poll_time)

    def _observe(self, *, jobs: bool) -> None:
        assert self.hostname is not None
        self.send(LookAtNode(self.id, self.hostname, jobs=jobs, logger=self.logger))

    def cancel(self, why: str) -> bool:
        """Take it back. False when it is too late (a second cancel is none; row E16)."""
        if self.marked and self.stage is ShutdownStage.MARK and self.kind is ShutdownKind.GONE:
            self.kind = ShutdownKind.REMOVAL  # it is there, and goes when it does not work
        if self.past_return or self.marked or self.cancelling or self._kill:
            return False
        self._note_kept(why)
        self._cancel = why
        if self.step is None:
            self._undo()
        return True

    def _note_kept(self, why: str) -> None:
        self.context.decide(Decided.KEPT, self.node.cloud.name, "Shutdown cancelled: %s.", why, logger=self.logger)

    def obey(self) -> None:
        """An operator's newest word on the node. One that comes too late is obeyed if the cloud refuses the destroy."""
        directive = self.node.directive
        if self.past_return or (directive is Directive.KILL and self._kill):
            return
        if directive is Directive.KILL:
            self.kind, self._kill, self._cancel = ShutdownKind.KILL, True, ""
            if self.step is None:
                self._destroy()
        elif self.kind is ShutdownKind.KILL or (self.kind is ShutdownKind.UNWANTED and directive is Directive.DRAIN):
            self.kind, self._kill = ShutdownKind.OPERATOR, False
        if directive is Directive.HOLD or (directive is None and self.kind is ShutdownKind.OPERATOR):
            self.cancel(f"operator {(directive or Directive.RUN).value}")

    def vanished(self) -> None:
        """The node is gone without us (row E3): only its traces are left to clear."""
        if not self.goes_anyway:
            self.kind, self._cancel = ShutdownKind.GONE, ""
            if self.step is None:
                self.begin()

    def _undo(self) -> None:
        """Resume the node, when the drain is still ours."""
        self.stage = ShutdownStage.UNDO
        if self.ours and self.hostname:
            self.send(LookAtNode(self.id, self.hostname, logger=self.logger))
        else:
            self.outcome = "cancelled"

    def done(self, step: Step, result: StepResult) -> None:
        """Go to the next stage."""
        self.step = None
        match step:
            case DrainNode():
                self.ours, self._mark_written = True, self.marked
                if not self.marked:
                    self.context.info("Waiting for SLURM node %s to drain", self.hostname, logger=self.logger)
                self._wait_for_work()
            case LookAtNode() if isinstance(result, NodeSeen):
                self._seen(result)
            case ResumeNode() if self._kill:
                self._destroy()
            case ResumeNode():
                self.ours, self.outcome = False, "cancelled"
            case DestroyNode():
                self._destroyed()
            case LookForNode() if isinstance(result, CloudNode):
                self._fail()
            case LookForNode():
                self._destroyed()
            case SetNodeDown():
                self._release()
            case ReleaseRecord():
                self.outcome = "destroyed"
            case _:
                self.failed(step, RemoteError(ErrorKind.UNEXPECTED, f"{type(step).__name__} brought no result"))

    def _seen(self, seen: NodeSeen) -> None:
        """Slurm, asked now, has said what the node does."""
        if self._kill:
            self._destroy()
            return
        self._shown = seen.node
        state = seen.node.state if seen.node is not None else None
        undrained = state is not None and state.kind in (FREE, WorkKind.WORKING)
        if self.stage is ShutdownStage.UNDO or self._cancel:
            self._undo_seen(seen)
        elif hides_jobs(seen):
            self._observe(jobs=True)
        elif self.kind is ShutdownKind.GONE:
            self._gone_seen(seen)
        elif nothing_runs(self.node, seen, self.context, undrained=not self.context.policy.slurm or self.shared):
            self._may_destroy()
        elif self.context.policy.slurm and undrained and not self.shared:
            self._undrained_seen()
        elif state is not None and state.busy and not (self.context.policy.slurm or self.shared):
            self.cancel("it works again")
        else:
            self._undrained = 0
            self._later()

    def _gone_seen(self, seen: NodeSeen) -> None:
        """No list shows it. Is it really gone? A list may lack it twice while it works."""
        busy = seen.node is not None and (seen.node.state.busy or bool(seen.jobs))
        if not self.context.gate.lets_requests:
            self._later()
        elif self.node.cloud.goes_stopped:  # it is listed as that: it cannot be working, and it is still paid for
            self._destroy()
        elif busy and seen.node is not None and seen.node.responding:
            if not self.cancel(f"it gives signs of life: Slurm says {seen.node.state.said}"):
                self._later()
        else:
            self._clear_traces(busy=busy)

    def _clear_traces(self, *, busy: bool) -> None:
        """One that was never listed may exist all the same: it is destroyed, so that it cannot leak; not when held."""
        if not self.node.listed and not busy and self.node.directive is not Directive.HOLD:
            self._mark_or_destroy()
        else:
            self._set_down()

    def _undrained_seen(self) -> None:
        """Free or working without a drain, twice in a row: somebody took it back."""
        self._undrained += 1
        if self._undrained < RESUMED_AFTER:
            self._later()
        else:
            self.ours = False
            self._resumed_by_others("slurm state is not draining any more")

    def _resumed_by_others(self, why: str) -> None:
        """What is marked can be taken back by others alone, whose word counts: nothing of it is ours any more."""
        if self.marked:
            self._note_kept(why)
            self.outcome = "cancelled"
        else:
            self.cancel(why)

    def _may_destroy(self) -> None:
        """The last question before the irreversible step."""
        self.context.info("Checking that node is still eligible for shutdown", logger=self.logger)
        if self.node.directive is Directive.HOLD:
            if not self.cancel("No longer eligible: held by an operator"):
                self._later()  # it is neither resumed nor destroyed while it is held
        elif self.kind is ShutdownKind.UNWANTED and self.node.size is not None and not self.marked:
            self.stage = ShutdownStage.ASK
        else:
            self._go()

    def answer(self, *, wanted: bool) -> None:
        """ASK: whether the node is wanted again, which the Fleet says in the same breath."""
        if wanted:
            self.cancel("Node size is in wishlist")
        else:
            self._go()

    def _go(self) -> None:
        if not self.context.gate.lets_requests or self._works_by_record():
            self.stage = self._waits
            self._later()
        else:
            self._mark_or_destroy()

    def _mark_or_destroy(self) -> None:
        """Nothing runs there. After the mark that is asked once more: somebody may have resumed it meanwhile."""
        if self.has_to_be_marked:
            self.stage = ShutdownStage.MARK
            self.fresh_attempts()
            self.marked = True
            self._drain()
        else:
            self._destroy()

    def _works_by_record(self) -> bool:
        record = self.node.record  # without Slurm, its word is all there is
        return not self.context.policy.asks_scheduler and record is not None and record.worker_state == "busy"

    def _destroy(self) -> None:
        self.stage = ShutdownStage.DESTROY
        self.fresh_attempts()
        self.context.info("Starting shutdown", logger=self.logger)
        self.send(DestroyNode(self.id, self.node.cloud, logger=self.logger))

    def _destroyed(self) -> None:
        self.context.decide(Decided.DESTROYED, self.node.cloud.name, "Shutdown success", logger=self.logger)
        self.node.destroyed_at = self.context.clock.t
        self._set_down(together=self.context.shutdowns > MANY)

    def _set_down(self, *, together: bool = False) -> None:
        """`together`: with the others that go in the same second."""
        self.stage = ShutdownStage.SET_DOWN
        self.fresh_attempts()
        if together:
            self.due = self.context.in_round(1.0)
        else:
            self._say_down()

    def _say_down(self) -> None:
        if self.context.policy.slurm and self.hostname and not self.shared:
            self.send(SetNodeDown(self.id, self.hostname, self.reason, logger=self.logger))
        else:
            self._release()

    def _release(self) -> None:
        self.stage = ShutdownStage.RELEASE
        self.fresh_attempts()
        self._say_release()

    def _say_release(self) -> None:
        if self.record_uuid is not None:
            self.send(ReleaseRecord(self.id, self.record_uuid, SHUT_DOWN, self._is_name, logger=self.logger))
        else:
            self.outcome = "destroyed"

    def _undo_seen(self, seen: NodeSeen) -> None:
        self.stage = ShutdownStage.UNDO
        node = seen.node
        if node is not None and node.state.drained and node.reason == self.drain_reason:
            assert self.hostname is not None
            self.send(ResumeNode(self.id, self.hostname, logger=self.logger))
        else:
            self.outcome = "cancelled"

    def failed(self, step: Step, error: RemoteError) -> None:
        """Retry or give up, as the kind of the error and the stage ask for."""
        self.step = None
        match step:
            case DestroyNode() | LookForNode():
                self._destroy_failed(step, error)
            case SetNodeDown() | ReleaseRecord():
                self._clearing_failed(step, error)
            case _ if self._kill:
                self._destroy()
            case _:
                self._draining_failed(step, error)

    def _draining_failed(self, step: Step, error: RemoteError) -> None:
        """A drain, a look or a resume."""
        gone = error.kind is ErrorKind.GONE
        if isinstance(step, DrainNode) and gone:
            self._mark_written = self.marked
            self._wait_for_work()
        elif isinstance(step, LookAtNode) or error.kind in (ErrorKind.TRANSIENT, *UNSENT):
            self.ours = self.ours or isinstance(step, DrainNode)  # it may have worked
            self.again(error)
            self.stage = ShutdownStage.UNDO if self._cancel else self.stage
        elif isinstance(step, ResumeNode) and gone:
            self.outcome = "cancelled"
        else:
            self.failure = error
            self.context.error("Actor error %s", error.text, logger=self.logger)
            self.outcome = "failed"

    def _destroy_failed(self, step: Step, error: RemoteError) -> None:
        counts = error.kind not in (ErrorKind.GONE, ErrorKind.NOT_LEADER)  # it is no error if it is true
        self.context.counters["destroy_node_errors"] += counts
        self.failure = error
        if error.kind in UNSENT:
            self.again(error)
            if self.stage is ShutdownStage.DESTROY:  # not done, for certain: all is asked again before the next attempt
                self.stage = self._waits
                self.obey()
        elif isinstance(step, LookForNode) and error.kind is ErrorKind.TRANSIENT:
            self.again(error)
        elif isinstance(step, DestroyNode) and error.kind in MAY_HAVE_WORKED:
            self.stage = ShutdownStage.LOOK
            self.send(LookForNode(self.id, self.node.cloud, logger=self.logger))
        else:
            self._fail()

    def _fail(self) -> None:
        """The attempt ends; the node counts as down, and is proposed again later (row E4)."""
        error = self.failure
        self.context.counters["destroy_node_errors"] += error is not None and error.kind is ErrorKind.GONE
        hint = f" (look at {error.hint})" if error is not None and error.hint else ""
        self.context.error(
            "Shutdown cancelled: destroy_node failed: %s%s.",
            error.text if error else "it is still there",
            hint,
            logger=self.logger,
        )
        self.outcome = "failed"

    def _clearing_failed(self, step: Step, error: RemoteError) -> None:
        """The node is gone; what is not cleared now is cleared later, as an orphan."""
        if error.kind is ErrorKind.GONE or self.give_up_on(error):
            if error.kind is not ErrorKind.GONE:
                self.context.error("Actor error %s", error.text, logger=self.logger)
            if isinstance(step, SetNodeDown):
                self._release()
            else:
                self.outcome = "destroyed"
        else:
            self.again(error)

    def wake(self) -> None:
        """The next look, or the next attempt of the present stage."""
        self.due = None
        match self.stage:
            case ShutdownStage.DRAIN:  # the drain did not answer: again, which changes nothing when it had worked
                self._drain()
            case ShutdownStage.MARK if not self._mark_written:
                self._drain()
            case ShutdownStage.WAIT | ShutdownStage.MARK:
                self._wait_for_work()
            case ShutdownStage.UNDO:
                self._undo()
            case ShutdownStage.LOOK:
                self.send(LookForNode(self.id, self.node.cloud, logger=self.logger))
            case ShutdownStage.SET_DOWN:
                self._say_down()
            case ShutdownStage.RELEASE:
                self._say_release()
