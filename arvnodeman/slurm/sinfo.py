"""The output of sinfo, line by line, as the nodes that Slurm shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from arvnodeman.config.hostlist import hostlist
from arvnodeman.fleet.values.work import NodeWork
from arvnodeman.slurm.reasons import reason_now
from arvnodeman.slurm.words import shown_state

SINFO_FORMAT = "%N|%t|%w|%f|%E"
"""%N is the NodeName, by which scontrol goes; %n would be the NodeHostName, which slurm.conf may set to something else.
Nodes whose other columns are alike share a line: with 1,000 nodes that takes a tenth to a quarter of the time."""
_BARS = SINFO_FORMAT.count("|")


@dataclass(frozen=True, slots=True)
class NodesReading:
    """What sinfo says. Nobody changes it."""

    nodes: Mapping[str, NodeWork] = field(default_factory=dict)  # by name
    malformed: Sequence[str] = ()  # lines that cannot be read


class _Line(NamedTuple):
    """What a line says, with those behind it that belong to its reason."""

    listed: str  # features, as they stand there
    features: frozenset[str]
    nodes: Mapping[str, NodeWork]


class NodesReader:
    """Reads the output of sinfo, poll after poll. A node of which the last output said the same is the very NodeWork
    that it was, also where others have joined or left its line. Of older outputs nothing is kept."""

    def __init__(self) -> None:
        self._text = ""
        self._reading = NodesReading()
        self._lines: Mapping[str, _Line] = {}
        self._alike: Mapping[str, Mapping[str, NodeWork]] = {}  # by what stands behind their names
        self._features: Mapping[str, frozenset[str]] = {}  # by what stands there for them

    def read(self, text: str) -> NodesReading:
        """The nodes, and the lines that cannot be read. Slurm prints a line break in a reason as it is: what follows a
        node and is none belongs to its reason, whatever it says. The same reading as last time where all is the same.
        """
        if text == self._text:
            return self._reading
        nodes: dict[str, NodeWork] = {}
        malformed: list[str] = []
        lines: dict[str, _Line] = {}
        alike: dict[str, dict[str, NodeWork]] = {}
        features: dict[str, frozenset[str]] = {"(null)": frozenset()}
        for block in _blocks(text):
            names, _, behind = block.partition("|")
            line = self._lines.get(block)
            try:
                if line is None:
                    line = self._read(names, behind, features)
            except ValueError:
                malformed += block.split("\n")
                continue
            lines[block] = line
            features.setdefault(line.listed, line.features)
            nodes.update(line.nodes)
            alike.setdefault(behind, {}).update(line.nodes)
        self._text, self._reading = text, NodesReading(nodes, tuple(malformed))
        self._lines, self._alike, self._features = lines, alike, features
        return self._reading

    def _read(self, names: str, behind: str, features: Mapping[str, frozenset[str]]) -> _Line:
        """Raises ValueError."""
        first, *more = behind.split("\n")
        shown, weight, listed, said = first.split("|", 3)
        state, responding = shown_state(shown)
        named = hostlist(names)
        counts = int(weight)
        has = features.get(listed, self._features.get(listed))
        if has is None:
            has = frozenset(filter(None, listed.split(",")))
        reason = " ".join([said, *map(str.strip, more)])
        reason = "" if reason == "none" else reason_now(reason, state.kind)
        before, last = self._alike.get(behind, {}), self._reading.nodes
        found = {}
        for name in named:
            node = before.get(name)
            if node is None:
                node = NodeWork(name, state, responding, counts, has, reason)
                if (old := last.get(name)) == node:
                    node = old
            found[name] = node
        return _Line(listed, has, found)


def _blocks(text: str) -> Iterator[str]:
    """The lines that say something, each with those behind it that belong to its reason."""
    block: list[str] = []
    for line in text.split("\n"):
        if line.count("|") >= _BARS:
            if block:
                yield "\n".join(block)
            block = [line]
        elif not line.strip():
            continue
        elif block:
            block.append(line)
        else:
            yield line
    if block:
        yield "\n".join(block)
