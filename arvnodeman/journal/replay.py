"""Plays a journal to a fresh Fleet: `python -m arvnodeman.journal.replay FILE ...`.

The same history gives the same commands. Where it does not, this is another build, or the brain has read a clock.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from arvnodeman.fleet.fleet import Fleet
from arvnodeman.fleet.messages import Command, Note, Step, StepDone, StepFailed
from arvnodeman.journal.codec import Codec
from arvnodeman.journal.reader import Gap, Head, NoHead, NoJournal, Told, read
from arvnodeman.journal.records import checksum, line
from arvnodeman.journal.writer import files_of, number_of

SHOWN = 10  # differences


@dataclass(frozen=True, slots=True)
class Difference:
    """An event that was answered otherwise than then. As text it is one line."""

    path: Path
    number: int  # of the event, from 1 on, through all files
    event: str  # its class's name
    at: float  # seconds since the epoch
    were: int  # steps that were commanded then
    steps: Sequence[str]  # that are commanded now
    then: list[str] = field(default_factory=list)  # those of then, as far as later answers tell of them

    def __str__(self) -> str:
        told = f": {' '.join(self.then)};" if self.then else ","
        now = f"now {len(self.steps)}: {' '.join(self.steps)}"
        return f"{self.path}: event {self.number}, {self.event} at {self.at!r}: {self.were} steps then{told} {now}"


@dataclass(slots=True)
class Outcome:
    """What came of a replay."""

    runs: int = 0  # Fleets that were made
    events: int = 0
    steps: int = 0
    compared: int = 0  # events whose steps were held against the journal's
    seconds: float = 0.0  # between the first event and the last, of each file
    differences: list[Difference] = field(default_factory=list)
    passed_over: Counter[str] = field(default_factory=Counter)  # what this build does not understand -> how often

    @property
    def same(self) -> bool:
        """All that could be compared was the same, and there was something."""
        return not self.differences and self.compared > 0


class Replay:
    """One or several files, one after the other."""

    def __init__(self, heard: Callable[[Told, Sequence[Command]], None] = lambda _told, _commands: None) -> None:
        """`heard`: is given each event, and what the Fleet says now."""
        self.outcome = Outcome()
        self._heard = heard
        self._codec = Codec()
        self._steps = Codec(bare=True)
        self._fleet: Fleet | None = None
        self._comparable = False  # the Fleet knows all that the journal's one did
        self._number = 0
        self._given: set[str] = set()  # steps that the Fleet has commanded, once something was answered otherwise

    def play(self, paths: Iterable[Path]) -> Outcome:
        """In their order. Raises NoJournal, OSError."""
        for path in paths:
            try:
                self._play(path)
            except NoHead:
                self.outcome.passed_over["a file that ends before its first line does"] += 1
        self.outcome.passed_over.update(self._codec.unknown)
        return self.outcome

    def _play(self, path: Path) -> None:
        first: float | None = None
        now = 0.0
        for entry in read(path, self._codec):
            match entry:
                case Head():
                    self._begin(entry, number_of(path))
                case Gap(why=why):
                    self._comparable = False
                    if why:
                        self.outcome.passed_over[why] += 1
                case Told():
                    now = entry.now
                    first = now if first is None else first
                    self._tell(path, entry)
        self.outcome.seconds += now - (first or now)

    def _begin(self, head: Head, number: int) -> None:
        follows = bool(number) and number == self._number + 1
        self._number = number
        if head.whole or self._fleet is None or not follows:
            self._fleet = Fleet(head.policy, head.now)
            self._comparable = head.whole
            self.outcome.runs += 1

    def _tell(self, path: Path, told: Told) -> None:
        assert self._fleet is not None
        if self.outcome.differences and isinstance(told.event, StepDone | StepFailed):
            self._learn(told.event.step)
        commands = self._fleet.handle(told.event, told.now)
        outcome = self.outcome
        outcome.events += 1
        outcome.steps += sum(not isinstance(command, Note) for command in commands)
        if self._comparable:
            outcome.compared += 1
            answered = tuple(checksum(self._steps, commands))
            if answered != told.steps:
                were = told.steps[0] if told.steps else 0
                name = type(told.event).__name__
                steps = [self._line(command) for command in commands if not isinstance(command, Note)]
                outcome.differences.append(Difference(path, outcome.events, name, told.now, were, steps))
        if outcome.differences:
            self._given.update(self._line(command) for command in commands if isinstance(command, Step))
        self._heard(told, commands)

    def _learn(self, step: Step) -> None:
        """A step was answered. One that is not commanded now was so at a difference."""
        text = self._line(step)
        if text in self._given:
            return
        self._given.add(text)
        lacking = (each for each in self.outcome.differences if len(each.then) < each.were)
        difference = next(lacking, None)
        if difference is not None and text not in difference.steps:
            difference.then.append(text)

    def _line(self, command: Command) -> str:
        return line(self._codec.plain(command)).strip()


def replay(paths: Iterable[Path]) -> Outcome:
    """Files of a journal, or folders of them, played to fresh Fleets of this build. Raises NoJournal, OSError."""
    return Replay().play(_files(paths))


def words(outcome: Outcome) -> list[str]:
    """What came of it, for people: the first events that were answered otherwise, what was passed over, the sums."""
    differ = len(outcome.differences)
    return [
        *(str(each) for each in outcome.differences[:SHOWN]),
        *(f"passed over {times} times: {why}" for why, times in outcome.passed_over.items()),
        f"{outcome.events} events of {outcome.runs} runs and {outcome.seconds:.0f} s, {outcome.steps} steps; "
        f"{outcome.compared} compared, {differ} other than then",
    ]


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        files = files_of(path) if path.is_dir() else [path]
        if not files:
            raise NoJournal(f"{path}: no file of a journal is in it")
        yield from files


def main(arguments: Sequence[str] | None = None) -> int:
    """Play files or folders of a journal; 0: the same commands, 1: others, 2: no journal."""
    parser = argparse.ArgumentParser(prog="python -m arvnodeman.journal.replay", description="Play a journal again.")
    parser.add_argument("paths", metavar="FILE", nargs="+", type=Path, help="a file of a journal, or its folder")
    parser.add_argument("--steps", action="store_true", help="print what the Fleet says to each event")
    options = parser.parse_args(arguments)
    codec = Codec()

    def show(told: Told, commands: Sequence[Command]) -> None:
        done = [codec.plain(command) for command in commands if not isinstance(command, Note)]
        if done:
            sys.stdout.write(line({"t": told.now, "e": type(told.event).__name__, "steps": done}))

    replayed = Replay(show) if options.steps else Replay()
    try:
        outcome = replayed.play(_files(options.paths))
    except (NoJournal, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stderr.writelines(f"{text}\n" for text in words(outcome))
    return 0 if outcome.same else 1


if __name__ == "__main__":
    sys.exit(main())
