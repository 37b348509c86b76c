"""A world that writes down all that its Fleet says: each step and each line of the log as one line of text."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, fields

from world import World

from arvnodeman.fleet.messages import Command, Event, Note, PollNow, Step
from arvnodeman.fleet.values.model import BootIntent, CloudNode, Job, NodeRecord, NodeSize, OperatorDirective


@dataclass
class Written(World):
    """Keeps the words of every command, in order."""

    lines: list[str] = field(default_factory=list)

    def tell(self, event: Event) -> list[Command]:
        """One event; what it commands is written down."""
        commands = super().tell(event)
        self.lines.extend(map(in_words, commands))
        return commands

    def forget(self) -> None:
        """What was said so far is not the matter."""
        self.lines.clear()

    def account(self) -> list[str]:
        """How everything stands, as the newest view tells."""
        view = self.fleet.view
        found = [f"node {node.id} {node.state.value}: {node.why.words(view.t)}" for node in view.nodes.values()]
        for shape, group in view.waiting.items():
            why = group.cause.words(view.t) if group.cause is not None else "nothing"
            sizes = " or ".join(size.id for size in group.choices) or "no size"
            jobs = f"{group.jobs} jobs of {shape.cores} cores for {sizes}"
            found.append(f"{jobs}, {group.served} served; the next waits for: {why}")
        found += [f"size {size} rests: {cause.words(view.t)}" for size, cause in view.backing_off.items()]
        for one in view.operations:
            trouble = f"; {one.trouble.text}" if one.trouble is not None else ""
            again = f"; again in {one.until - view.t:g} s" if one.until is not None else ""
            found.append(f"{one.kind} of {one.subject}: {one.stage}, {one.attempts} failed{trouble}{again}")
        found.append(f"quota {view.quota}, slots {view.slots}, wish {view.wish}, price {view.price:g}")
        found.append(f"wanted {_counts(view.wanted)}")
        found += [f"an earlier run may yet bring a node of {size}" for size in view.phantoms]
        found.append(f"states {_counts(view.states)}")
        found.append(f"counters {_counts(view.counters)}")
        return [*found, *([f"blocked: {view.blocked}"] if view.blocked else [])]


def in_words(command: Command) -> str:
    """A command as one line: a step with what it is about, or a line of the log with its logger and its decision."""
    match command:
        case Note():
            decision = f" <{command.kind.value} {command.subject}>" if command.kind is not None else ""
            logger = f" [{command.logger}]" if command.logger else ""
            return f"{logging.getLevelName(command.level)}{logger}{decision} {command.text % command.args}"
        case PollNow(polls):
            return f"> PollNow {' '.join(sorted(poll.value for poll in polls))}"
        case Step():
            shown = [one.name for one in fields(command) if one.repr]
            named = [name for name in shown if name not in ("op", "logger", "is_name")]
            about = ", ".join(_short(getattr(command, name)) for name in named)
            return f"> {type(command).__name__} [{command.logger}] {about}"


def _short(value: object) -> str:
    match value:
        case CloudNode() | NodeSize() | Job():
            return value.id
        case NodeRecord():
            return value.uuid
        case BootIntent():
            return f"{value.size} at {value.price:g} as {value.token}"
        case OperatorDirective():
            return f"{value.directive.value} ({value.reason})"
        case _:
            return str(value)


def _counts(counts: Mapping[str, int]) -> str:
    return " ".join(f"{name}={count}" for name, count in sorted(counts.items()) if count)
