"""The end of a node whose name the scheduler powers down: power it down, wait until it is, destroy, open its name.

    DRAIN ─▶ WAIT ─▶ DESTROY ─▶ SET_DOWN ─▶ RELEASE ─▶ OPEN ─▶ destroyed

What is powered down cannot be taken back, and needs no asking: when the scheduler says that the name is, no job can be
hit any more. A node that has not registered is not drained: its jobs are given back, which powers the name down, too.
One that has lost its name to another, or comes from before the name was powered up anew, goes as it is.
"""

from __future__ import annotations

from arvnodeman.fleet.messages import NodeSeen, ReleaseRecord, SetNodeDown, Step, StepResult
from arvnodeman.fleet.operations.name_steps import GiveBack, OpenNames
from arvnodeman.fleet.operations.returning import MOST_TRIES, SOON
from arvnodeman.fleet.operations.shutdown import Shutdown
from arvnodeman.fleet.operations.shutdown_stages import ShutdownStage
from arvnodeman.fleet.values.leaving import ShutdownKind
from arvnodeman.fleet.values.model import Directive, RemoteError
from arvnodeman.fleet.values.placed import GivenBack, NamesOpened, PlacedJob
from arvnodeman.fleet.values.work import NodeWork, Power, WorkKind

BOOTING = (Power.WANTED, Power.STARTING)
UP = (Power.ON, Power.LEAVING)
FIRST_LOOKS = 20  # these come soon, the others when drains are looked at


class NameShutdown(Shutdown):
    """`outcome` as ever."""

    is_old = False  # of an earlier time under its name, which waits for another node now
    lost_name = False  # another node that is listed has the name
    jobs: tuple[PlacedJob, ...] = ()  # that were given back and are to be released, for the Fleet to take
    _was_down = False  # or up: if the scheduler waits for a node of the name now, that is another
    _looks = 0
    _opens = 0
    _power = Power.ON  # as seen last

    @property
    def cancellable(self) -> bool:
        """What is powered down goes."""
        return False

    def begin(self) -> None:
        """The first step for what the scheduler says of the name."""
        work = self.node.slurm
        self._power = work.power if work is not None else Power.ON
        self._was_down = work is not None and work.power not in BOOTING
        if self.kind is ShutdownKind.KILL:
            self._destroy()
        elif self._leaves_by_itself or self.hostname is None or self._is_up_no_more:
            self._wait_for_work()
        else:
            self._drain()

    @property
    def _leaves_by_itself(self) -> bool:
        """Nothing has to be asked for: it is powered down, or will be."""
        work = self.node.slurm
        off = work is None or work.is_off or work.power is Power.LEAVING
        return self.is_old or self.lost_name or self.shared or self.ours or off

    @property
    def _is_up_no_more(self) -> bool:
        """It is gone, and was up, or is listed as stopped: looked at first."""
        return self.kind is ShutdownKind.GONE and (self._power not in BOOTING or self.node.cloud.goes_stopped)

    def _drain(self) -> None:
        assert self.hostname is not None
        if self._power in BOOTING:
            self.drain_reason = self.reason
            self.send(GiveBack(self.id, (self.hostname,), self.reason, interactive=True, logger=self.logger))
        else:
            super()._drain()

    def _wait_for_work(self) -> None:
        self.stage = ShutdownStage.WAIT
        self.fresh_attempts()
        if self._kill:
            self._destroy()
        elif self._cancel:
            self._undo()
        elif not self.context.gate.lets_requests:
            self._later()
        elif self.hostname is not None:
            self._observe(jobs=False)
        elif self.kind is ShutdownKind.GONE:
            self._clear_traces(busy=False)
        elif self.lost_name:
            self._may_destroy()
        else:
            self._later()

    def _later(self) -> None:
        self._looks += 1
        soon = self._looks <= FIRST_LOOKS and self.context.gate.lets_requests
        self.due = self.context.in_round(SOON if soon else self.context.policy.drain_poll_time)

    def _undo(self) -> None:
        self.stage = ShutdownStage.UNDO
        self.outcome = "cancelled"

    def done(self, step: Step, result: StepResult) -> None:
        """As ever, and what is done with its name."""
        match step:
            case GiveBack() if isinstance(result, GivenBack):
                self.step = None
                if self.hostname in result.left:
                    self.cancel("Slurm keeps it, with what is placed there")
                    return
                self.ours = True
                self.jobs = tuple(dict.fromkeys(job for jobs in result.jobs.values() for job in jobs))
                self._wait_for_work()
            case OpenNames():
                self.step = None
                opened = result.opened if isinstance(result, NamesOpened) else ()
                self._opens += 1
                if self.hostname in opened or self._opens >= MOST_TRIES:
                    self.outcome = "destroyed"
                else:
                    self.due = self.context.in_round(SOON)
            case ReleaseRecord():
                self.step = None
                self._open()
            case _:
                super().done(step, result)

    def _seen(self, seen: NodeSeen) -> None:
        """The scheduler, asked now, has said what the name is at."""
        work = seen.node
        self._power = work.power if work is not None else Power.ON
        if self._kill:
            self._destroy()
        elif self._cancel:
            self._undo()
        elif self.kind is ShutdownKind.GONE:
            self._gone_seen(seen)
        elif self.lost_name or (work is not None and work.is_off):
            self._was_down = True
            self._may_destroy()
        elif work is not None and work.power in BOOTING:
            self._booting_seen()
        elif work is not None and work.power is Power.ON and self.is_old:
            self.cancel("it has registered")
        elif work is not None and work.power is Power.ON and self.ours and not self.shared:
            self._undrained_seen()
        else:
            self._undrained = 0
            self._later()

    def _booting_seen(self) -> None:
        """The scheduler waits for another node of this name, where this one was up or down before: nothing runs here.
        Said twice in a row, since what it says just after a restart of its own may be older."""
        if not (self.is_old or self._was_down):
            self._undrained = 0
            self._later()
        elif self.is_old or self._undrained:
            self.is_old = True
            self._may_destroy()
        else:
            self._undrained += 1
            self._later()

    def _gone_seen(self, seen: NodeSeen) -> None:
        """No list shows it. What is powered down has no job that could end; what is to be, is so soon."""
        work = seen.node
        if not self.context.gate.lets_requests:
            self._later()
        elif work is not None and work.is_off and not self.node.cloud.goes_stopped:
            self._clear_traces(busy=False)
        elif work is not None and work.power in BOOTING and self.ours:
            self._later()
        elif work is not None and work.responding and work.power in UP and not self._is_known_gone:
            self._answers(work)
        else:
            super()._gone_seen(seen)

    @property
    def _is_known_gone(self) -> bool:
        """It was listed once, and is not any more, or only as stopped."""
        return self.node.listed or self.node.cloud.goes_stopped

    def _answers(self, work: NodeWork) -> None:
        """No list ever showed it, and its name is up and answers: jobs may come to it at any moment. So it is powered
        down as one that idles, and destroyed when it is; one that works, or is in somebody's hands, stays."""
        if work.state.busy or self.node.directive is Directive.HOLD:
            self.cancel(f"it gives signs of life: Slurm says {work.state.said}")
        elif work.power is Power.LEAVING:
            self._later()
        elif self.ours:
            self._undrained_seen()
        elif work.state.kind is WorkKind.FREE:
            super()._drain()
        else:
            self.cancel(f"it gives signs of life: Slurm says {work.state.said}")

    def _may_destroy(self) -> None:
        self.context.info("Checking that node is still eligible for shutdown", logger=self.logger)
        if self.node.directive is Directive.HOLD:
            self.cancel("No longer eligible: held by an operator")
        else:
            self._go()

    def _say_down(self) -> None:
        """Of a name that is powered down, or waits for another node, there is nothing to say."""
        if self._power in UP and self.hostname and not (self.shared or self.lost_name):
            self.send(SetNodeDown(self.id, self.hostname, self.reason, logger=self.logger))
        else:
            self._release()

    def _say_release(self) -> None:
        if self.record_uuid is not None:
            super()._say_release()
        else:
            self._open()

    def _open(self) -> None:
        """The name may have jobs again, unless its size is closed: then what the lists show of it is enough."""
        size = self.node.size.id if self.node.size is not None else ""
        mine = self.hostname is not None and not (self.shared or self.lost_name or self._power in BOOTING)
        if mine and self.context.opens(size):
            self.stage = ShutdownStage.OPEN
            self._say_open()
        else:
            self.outcome = "destroyed"

    def _say_open(self) -> None:
        assert self.hostname is not None
        self.send(OpenNames(self.id, (self.hostname,), logger=self.logger))

    def failed(self, step: Step, error: RemoteError) -> None:
        """As ever; a name that cannot be opened now is opened when the lists show it."""
        if isinstance(step, OpenNames):
            self.step = None
            self.outcome = "destroyed"
        else:
            super().failed(step, error)

    def wake(self) -> None:
        """The next look, or the next attempt of the present stage."""
        if self.stage is ShutdownStage.OPEN:
            self.due = None
            self._say_open()
        else:
            super().wake()
