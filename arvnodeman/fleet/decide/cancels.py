"""Jobs that no configuration of ours can ever serve: their users are told why, and they are cancelled. Carefully.

A mistake in our configuration looks like a mistake in everybody's jobs. So a job is cancelled only when three queue
polls in a row found it unsatisfiable, all configured sizes are there, and it is not half the queue after a change.
"""

from __future__ import annotations

from arvnodeman.fleet.decide.state import State
from arvnodeman.fleet.messages import WARNING, CancelJob, Decided, ExplainJob
from arvnodeman.fleet.operations.chores import Chore
from arvnodeman.fleet.operations.operation import Operation
from arvnodeman.fleet.plan.plan import Plan
from arvnodeman.fleet.values.model import ErrorKind, Job, RemoteError

POLLS_BEFORE = 3
SUSPICIOUS = 3  # more jobs than this, and more than half of the queue
SETTLING = 900.0  # seconds after a start or reload
DRIVER = "arvnodeman.jobqueue"


class Cancelling:
    """Counts, over queue polls, which jobs are found unsatisfiable."""

    def __init__(self) -> None:
        self._found: dict[str, int] = {}  # job id -> polls in a row
        self._begun: set[str] = set()  # cancelled, or being cancelled: until they leave the queue
        self._complained = -SETTLING
        self._refused = -SETTLING  # when a refusal was told of

    def observe(self, state: State, plan: Plan) -> list[Operation]:
        """A queue poll has come. Begins the cancellation of what is due."""
        found: dict[str, int] = {}
        due: dict[str, tuple[Job, str]] = {}  # by id: a queue may show a job twice
        jobs = state.queue.jobs
        for group in plan.shares.values():
            if not group.never:
                continue
            for place in group.places:
                job = jobs[place]
                polls = found[job.id] = self._found.get(job.id, 0) + 1
                if polls >= POLLS_BEFORE and job.id not in self._begun and not self._may_run(state, job):
                    due[job.id] = job, group.never
        self._found = found
        self._begun &= {job.id for job in jobs} if self._begun else set()
        if not due or not self._may_cancel(state, len(found)):
            return []
        return [self._cancel(state, job, why) for job, why in due.values()]

    def _may_run(self, state: State, job: Job) -> bool:
        """As many nodes as it asks for are up and tagged with the size that it names: it may run on those, whatever the
        configuration says of boots now. Not when that size is of no use to it: such a node may be there for ever."""
        size, table = job.shape.size, state.table
        if size is None or table is None or (table.named(size) is not None and not table.choices(job.shape)):
            return False
        return sum(size == node.cloud.size_tag for node in state.roster.nodes.values()) >= job.shape.nodes

    def _may_cancel(self, state: State, unsatisfiable: int) -> bool:
        policy = state.policy
        if not (policy.cancel_unsatisfiable or policy.explain_unsatisfiable):
            return False
        if state.table is None or state.table.missing:
            return False
        many = unsatisfiable > SUSPICIOUS and 2 * unsatisfiable > len(state.queue.jobs)
        if not (many and state.t - state.reloaded < SETTLING):
            return True
        if state.t - self._complained >= SETTLING:
            self._complained = state.t
            state.context.error(
                "%d of %d waiting jobs look unsatisfiable: this looks like a mistake in the configuration, so none is "
                "cancelled now",
                unsatisfiable,
                len(state.queue.jobs),
                logger=DRIVER,
            )
        return False

    def _cancel(self, state: State, job: Job, why: str) -> Operation:
        chore = Chore(state.context, DRIVER, job.id)
        state.chores[chore.id] = chore
        self._begun.add(job.id)
        if not state.policy.cancel_unsatisfiable:
            text = "Job '%s' is unsatisfiable, and is left in the queue: %s"
            state.context.decide(Decided.CANCEL, job.id, text, job.id, why, level=WARNING, logger=DRIVER)
            chore.begin(ExplainJob(chore.id, job, why, logger=DRIVER))
            return chore
        state.context.decide(
            Decided.CANCEL, job.id, "Cancelling unsatisfiable job '%s': %s", job.id, why, logger=DRIVER
        )
        chore.begin(CancelJob(chore.id, job, why, logger=DRIVER))
        return chore

    def ended(self, state: State, chore: Chore, job: Job) -> None:
        """A cancellation has ended; one that failed is tried again at a later poll (row C23)."""
        if isinstance(chore.last_step, ExplainJob):
            if chore.error is not None:
                self._begun.discard(job.id)
                state.context.error("Trying to write on job '%s': %s", job.id, chore.error.text, logger=DRIVER)
        elif chore.outcome == "done":
            state.context.debug("Cancelled unsatisfiable job '%s'", job.id, logger=DRIVER)
            state.context.counters["jobs_cancelled"] += 1
        else:
            self._begun.discard(job.id)
            self._complain(state, job, chore.error)

    def _complain(self, state: State, job: Job, error: RemoteError | None) -> None:
        """A refusal is one of the token, not of the job: it is told once for all jobs, and again after a while."""
        text = error.text if error is not None else ""
        refused = error is not None and error.kind is ErrorKind.REFUSED
        if refused and state.t - self._refused < SETTLING:
            state.context.debug("Trying to cancel job '%s': %s", job.id, text, logger=DRIVER)
            return
        if refused and error is not None and error.hint:
            text += f" (look at {error.hint})"
        self._refused = state.t if refused else self._refused
        state.context.error("Trying to cancel job '%s': %s", job.id, text, logger=DRIVER)
