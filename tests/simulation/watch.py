"""Looks at every command as it leaves the Fleet, and holds it against what the Fleet has been told."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

from arvnodeman.fleet.decide.stock import Stock, ZoneOf
from arvnodeman.fleet.decide.under_way import Ongoing
from arvnodeman.fleet.fleet import Fleet
from arvnodeman.fleet.messages import (
    CloudListed,
    Command,
    CreateNode,
    Decided,
    DestroyNode,
    DrainNode,
    Event,
    LookAtNode,
    NodeSeen,
    Note,
    Poll,
    PrepareRecord,
    QueueListed,
    RecordsListed,
    ReleaseRecord,
    SetNodeDown,
    Step,
    StepDone,
    StepFailed,
)
from arvnodeman.fleet.nodes.node import Basis, Node
from arvnodeman.fleet.operations.boot import Boot
from arvnodeman.fleet.operations.shutdown import Shutdown
from arvnodeman.fleet.plan.vain import group_name
from arvnodeman.fleet.values.model import Directive, JobShape, Policy
from arvnodeman.fleet.values.work import NodeWork
from arvnodeman.fleet.view.view import View
from arvnodeman.foresight.simulation import SiteLife

VIEWED = [each.name for each in fields(View) if each.name not in ("basis", "grounds")]  # which have no equal


def _written_anew(event: Event) -> Event:
    """The same list, of other objects."""
    match event:
        case CloudListed(nodes=nodes):
            return replace(event, nodes=[replace(node) for node in nodes])
        case RecordsListed(records=records, slurm=slurm):
            words = {name: replace(node) for name, node in slurm.items()} if slurm is not None else None
            return replace(event, records=[replace(record) for record in records], slurm=words)
        case _:
            return event


def _only(ours: Sequence[Command], others: Sequence[Command]) -> list[Command]:
    """For a failure."""
    return [command for command in ours if command not in others]


def _differences(ours: object, twins: object) -> str:
    """What is other where all rows are awake, for a failure."""
    if isinstance(ours, Mapping) and isinstance(twins, Mapping):
        keys = [key for key in ours.keys() | twins.keys() if ours.get(key) != twins.get(key)]
        return "; ".join(f"{key}: {_differences(ours.get(key), twins.get(key))}" for key in keys)
    if isinstance(ours, tuple) and hasattr(ours, "_asdict") and isinstance(twins, type(ours)):
        return _differences(ours._asdict(), twins._asdict())
    return f"{ours}, and with all rows awake {twins}"


class ForgetfulStock(Stock):
    """Reads all rows for each picture."""

    def refresh(
        self, nodes: Mapping[str, Node], now: Callable[[], Basis], zone: ZoneOf, *, zoned: bool, event: int
    ) -> None:
        """As ever."""
        self.touch_rows(nodes.values())
        self._tally = None
        super().refresh(nodes, now, zone, zoned=zoned, event=event)


class ForgetfulOngoing(Ongoing):
    """Reads all operations for each picture."""

    def refresh(
        self, boots: Mapping[int, Boot], shutdowns: Mapping[int, Shutdown], zone: ZoneOf, *, zoned: bool
    ) -> None:
        """As ever."""
        for number in (*boots, *shutdowns):
            self.moved(number)
        super().refresh(boots, shutdowns, zone, zoned=zoned)


def forgetful(policy: Policy, now: float) -> Fleet:
    """A Fleet that keeps nothing of what a picture or a view is made of."""
    fleet = Fleet(policy, now)
    fleet._state.stock, fleet._state.under_way = ForgetfulStock(), ForgetfulOngoing()
    return fleet


@dataclass(slots=True, repr=False)
class Watch:
    """What the Fleet has been told so far, and what it did wrong."""

    run: SiteLife[Any]
    wrong: list[str] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)  # interesting things that happened
    words: dict[str, Directive] = field(default_factory=dict)  # operators' newest, by cloud id
    flying: dict[int, Step] = field(default_factory=dict)  # steps not answered, by operation
    sinfo: dict[str, NodeWork] = field(default_factory=dict)
    twin: Fleet = field(init=False)  # hears the same, and looks at every row at every event
    back_off: dict[JobShape, float] = field(default_factory=dict)  # groups that were booted for in vain, and until when
    _succeeded: dict[Poll, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.run.watch = self.observe
        self._begin()

    def _begin(self) -> None:
        self.twin = forgetful(self.run.policy, self.run.wall())

    def restarted(self) -> None:
        """A new daemon knows nothing."""
        self.flying.clear()
        self._succeeded.clear()
        self.back_off.clear()
        self._begin()
        self.seen.add("restart")

    def observe(self, event: Event, now: float, commands: Sequence[Command]) -> None:
        """One event has been handled."""
        self._hold_against_twin(event, now, commands)
        self._take_in(event)
        for command in commands:
            if isinstance(command, Step):
                self._check(command)
        self._check_site(event, commands)
        if isinstance(event, RecordsListed):
            self._check_reasons()
        site = self.run.site
        if len(site.clouds.nodes) > self.run.policy.max_nodes:
            self._blame(f"{len(site.clouds.nodes)} nodes exist, max_nodes is {self.run.policy.max_nodes}")
        price = sum(node.price for node in site.clouds.nodes.values())
        if 0 < self.run.policy.max_total_price < price - 1e-9:
            self._blame(f"nodes cost {price}, max_total_price is {self.run.policy.max_total_price}")

    def _check_site(self, event: Event, commands: Sequence[Command]) -> None:
        """What the site says of what was done to it."""
        if isinstance(event, QueueListed):
            self._check_vain(event, commands)
        tally = self.run.site.tally
        if tally.resumed_meanwhile:
            self.seen.add("a node came up while it was being destroyed")
        for name in ("busy_destroyed", "records_stolen"):
            if getattr(tally, name):
                self._blame(f"{name}: {getattr(tally, name)}")

    def _check_reasons(self) -> None:
        """What others are told of a node is what was decided: nobody is told that it goes while nothing is done."""
        view = self.run.fleet.view
        for node in view.nodes.values():
            if node.why.goes:
                self._blame(f"{node.name} is said to go ({node.why.words(view.t)}), and nothing is done about it")

    def _blame(self, text: str) -> None:
        if text not in self.wrong:
            self.wrong.append(text)

    def _take_in(self, event: Event) -> None:
        match event:
            case CloudListed():
                self._succeeded[Poll.CLOUD] = self.run.now
            case RecordsListed(slurm=slurm):
                self._succeeded[Poll.RECORDS] = self.run.now
                self.sinfo = dict(slurm or {})
            case QueueListed():
                self._succeeded[Poll.QUEUE] = self.run.now
            case StepDone(step=LookAtNode() as step, result=NodeSeen(node=node)):
                self.flying.pop(step.op, None)
                if node is not None:
                    self.sinfo[step.hostname] = node
            case StepDone(step=step) | StepFailed(step=step):
                self.flying.pop(step.op, None)
            case _:
                pass

    def _check(self, step: Step) -> None:
        if step.op in self.flying:
            self._blame(f"two steps at once of operation {step.op}: {self.flying[step.op]} and {step}")
        self.flying[step.op] = step
        self.seen.add(type(step).__name__)
        match step:
            case CreateNode():
                self._must_be_fresh(step)
            case DestroyNode():
                self._check_destroy(step)
            case SetNodeDown() | DrainNode():
                self._check_alone(step, "hostname")
                if isinstance(step, SetNodeDown):
                    self._check_down(step)
            case ReleaseRecord():
                self._check_alone(step, "uuid")
            case _:
                pass

    def _check_vain(self, event: QueueListed, commands: Sequence[Command]) -> None:
        """Of groups that Slurm never starts: no boot in their back-off, then the nodes of one job."""
        site, now = self.run.site, self.run.now  # steady: the clock may be set
        groups = {job.shape for job in event.jobs}
        shapes = {group_name(shape): shape for shape in groups | event.refused.keys()}
        for note in commands:
            if isinstance(note, Note) and note.kind is Decided.IN_VAIN and note.subject in shapes:
                self.back_off[shapes[note.subject]] = now + self._wait_of(note)
                self.seen.add("a boot in vain")
            elif isinstance(note, Note) and note.kind is Decided.TRIED_AGAIN and note.subject in shapes:
                self.back_off[shapes[note.subject]] = now
        never = {shape for shape in groups if shape.owner.qos in site.slurms.rules.never}
        if groups - never or not never <= self.back_off.keys() or self.run.policy.min_nodes:
            return
        begun = sum(isinstance(command, PrepareRecord) for command in commands)
        most = sum(shape.nodes for shape in never if self.back_off[shape] <= now + 1)
        if begun > most:
            self._blame(f"{begun} boots for groups that Slurm did not start, {most} may be tried: {never}")
        elif begun:
            self.seen.add("a probe after a boot in vain")

    def _wait_of(self, note: Note) -> float:
        """The back-off that a decision of a boot in vain tells of."""
        return self.run.fleet.view.vain[note.subject].until - self.run.fleet.view.t

    def _must_be_fresh(self, step: Step) -> None:
        stale_after = self.run.policy.poll_stale_after
        for poll in Poll:
            at = self._succeeded.get(poll)
            if at is None or self.run.now - at > stale_after:
                self._blame(f"{type(step).__name__} while the {poll.value} list is missing or stale")

    def _check_alone(self, step: Step, name: str) -> None:
        """No two operations on one record or Slurm node."""
        for other in self.flying.values():
            same = getattr(other, name, None) == getattr(step, name)
            if other.op != step.op and same and isinstance(other, SetNodeDown | DrainNode | ReleaseRecord):
                self._blame(f"two operations at once: {other} and {step}")

    def _check_destroy(self, step: DestroyNode) -> None:
        if self.words.get(step.node.id) is Directive.KILL:
            return
        self._must_be_fresh(step)
        if self.words.get(step.node.id) is Directive.HOLD:
            self._blame(f"a held node is destroyed: {step.node.id}")
        if step.node.stopped:
            return
        slurm = self.sinfo.get(self._hostname(step.node.id))
        if slurm is not None and slurm.state.busy:
            self._blame(f"{step.node.id} is destroyed while sinfo says {slurm.state.said}")

    def _check_down(self, step: SetNodeDown) -> None:
        """DOWN ends the job on a node: never for one that lives."""
        node = self.run.site.slurms.names[step.hostname].node
        if node is not None and node.up and not node.stopped:
            self._blame(f"{step.hostname} is set DOWN while its node lives")

    def _hostname(self, identity: str) -> str:
        node = self.run.site.clouds.nodes.get(identity)
        return self.run.site.keeper.hostname(node) if node is not None else ""

    def _hold_against_twin(self, event: Event, now: float, commands: Sequence[Command]) -> None:
        """The same history gives the same commands where nothing is kept: no row is quiet, no list has a row of the
        last, and rows and operations are looked at anew for each picture, operations for each view."""
        twin = self.twin._state
        twin.roster.wake_all()
        twin.allotment = None
        again = self.twin.handle(_written_anew(event), now)
        twin.moved.update(twin.boots, twin.shutdowns, twin.chores)
        assert again == commands, f"{type(event).__name__} gave {_only(commands, again)}, else {_only(again, commands)}"
        ours, other = self.run.fleet, self.twin
        assert ours.next_wakeup() == other.next_wakeup(), f"after {event}"
        for name in VIEWED:
            shown, expected = getattr(ours.view, name), getattr(other.view, name)
            assert shown == expected, f"{name} after {type(event).__name__}: {_differences(shown, expected)}"
        if ours._state.roster.quiet:
            self.seen.add("quiet rows")

    def account(self, text: str) -> str:
        """What stands, for a failure."""
        view, site = self.run.fleet.view, self.run.site
        waiting = [job for job in site.jobs.values() if not job.done and not job.cancelled]
        words = [(node.name, node.state.value, node.slurm, node.why.words(view.t)) for node in view.nodes.values()]
        reasons = [(shape, w.served, w.jobs, w.cause and w.cause.words(view.t)) for shape, w in view.waiting.items()]
        slots = [record for record in site.keeper.listed() if record.slot is not None]
        slurm = [name for name in site.slurms.names.values() if name.node is not None and not name.node.gone]
        return (
            f"{text}\njobs {waiting}\nnodes {words}\nreasons {reasons}\nslots {slots}\nslurm {slurm}\n"
            f"cloud {list(site.clouds.nodes.values())}\noperations {view.operations}\nblocked {view.blocked!r}"
            f" backing off {view.backing_off}\n{self.run.notes[-10:]}"
        )
