"""What nodes have for jobs that share them, and what of it is free: by `scontrol --details show nodes`.

sinfo has no word for what is kept back on a node (CoreSpecCount, MemSpecLimit), and what it says of idle CPUs counts
these in. slurmctld answers in time that grows with the nodes: 19 ms for 1,000. Of a node of which nothing is different
that counts here, nothing is made anew.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from arvnodeman.fleet.values.capacity import Capacity
from arvnodeman.fleet.values.gres import Gres, read_item
from arvnodeman.fleet.values.work import NodeWork
from arvnodeman.slurm.gres import NONE
from arvnodeman.slurm.sharing import SharingRules

_NODE = "NodeName="
_FREE_TEXT = re.compile(r"\n\s*(?:Reason|Comment|Extra)=")  # behind all that counts here; may hold anything
_COUNTED = "CPUAlloc|CPUEfctv|CPUTot|RealMemory|AllocMem|MemSpecLimit|CoreSpecCount"
_FIELD = re.compile(rf"(?<=\s)({_COUNTED}|Gres|GresUsed|CoresPerSocket|Sockets|ThreadsPerCore|TmpDisk|State)=(\S*)")
_LINE, _BOOT_TIME = "\n", "\n   BootTime="
_IN_PARENTHESES = re.compile(r"\([^()]*\)")
_WARNED = 10  # nodes named in one poll

_NO_JOBS: Mapping[str, int] = {}

Words = tuple[str, ...]


class NodeRoom(NamedTuple):
    """What a node has for jobs, whatever is on it, and what is free; None: nothing is promised."""

    has: Capacity | None
    free: Capacity | None
    remark: str = ""  # why nothing is promised


class RoomReader:
    """Reads that output, poll after poll. Of older outputs nothing is kept."""

    def __init__(self) -> None:
        self._rules: SharingRules | None = None
        self._text = ""
        self._blocks: Mapping[
            str, tuple[str, Words, NodeRoom]
        ] = {}  # a node's lines -> its name, the fields that count
        self._by_name: Mapping[str, tuple[Words, NodeRoom]] = {}
        self._works: Mapping[str, tuple[NodeWork, NodeRoom, int, NodeWork]] = {}  # without its room, and with it
        self._nodes: Mapping[str, NodeWork] = {}

    def read(self, text: str, rules: SharingRules) -> list[str]:
        """What is to be said of nodes: a line for each that nothing is promised of, and that was not so before."""
        if rules != self._rules:
            self._rules, self._text, self._blocks, self._by_name = rules, "", {}, {}
        if text == self._text:
            return []
        blocks: dict[str, tuple[str, Words, NodeRoom]] = {}
        by_name: dict[str, tuple[Words, NodeRoom]] = {}
        said: list[str] = []
        for block in map(_lasting, text.split("\n\n")):
            known = self._blocks.get(block)
            if known is None:
                name, words = _words(block)
                if not name or name in by_name:
                    continue  # behind a line break in a comment
                before = self._by_name.get(name)
                room = before[1] if before is not None and before[0] == words else _room(words, rules)
                if room.remark and (before is None or before[1].remark != room.remark):
                    said.append(f"node {name}: {room.remark}: it is not counted as having room")
                known = (name, words, room)
            blocks[block] = known
            by_name[known[0]] = known[1:]
        self._text, self._blocks, self._by_name = text, blocks, by_name
        if len(said) > _WARNED:
            said[_WARNED:] = [f"{len(said) - _WARNED} more nodes are like that"]
        return said

    def given(self, nodes: Mapping[str, NodeWork], jobs: Mapping[str, int] = _NO_JOBS) -> Mapping[str, NodeWork]:
        """These nodes with their rooms. A node of which all is the same is the object that it was; so is the mapping.
        One that was not shown has none. `jobs`: how many are on each, where that is known; else at least one is on a
        node that is not empty."""
        works: dict[str, tuple[NodeWork, NodeRoom, int, NodeWork]] = {}
        found: dict[str, NodeWork] = {}
        same = len(nodes) == len(self._nodes)
        rooms, before = self._by_name, self._works
        for name, bare in nodes.items():
            room = rooms[name][1] if name in rooms else _NOTHING
            known, count = before.get(name), jobs.get(name, 0)
            if known is None or known[0] is not bare or known[1] is not room or known[2] != count:
                free = room.free
                if free is not None and count > free.jobs > 0:
                    free = replace(free, jobs=count)
                with_room = replace(bare, has=room.has, free=free)
                if known is not None and known[3] == with_room:
                    with_room = known[3]
                known = (bare, room, count, with_room)
                same = same and self._nodes.get(name) is with_room
            works[name] = known
            found[name] = known[3]
        self._works = works
        if not same:
            self._nodes = found
        return self._nodes


_NOTHING = NodeRoom(None, None)


def _lasting(block: str) -> str:
    """A node's lines without those that differ all the time, its load and free memory, and behind all that counts."""
    before, _, behind = block.partition(" CPULoad=")
    middle, _, behind = behind.partition(" FreeMem=")
    return f"{before}{middle[middle.find(_LINE) :]}{behind[behind.find(' ') :].partition(_BOOT_TIME)[0]}"


def _words(block: str) -> tuple[str, Words]:
    """A node's name, and its fields that count here, names and values; no name where it is not a node."""
    if not block.startswith(_NODE):
        return "", ()
    name = block[len(_NODE) :].partition(" ")[0]
    free_text = _FREE_TEXT.search(block)
    fields = _FIELD.findall(block, 0, free_text.start() if free_text is not None else len(block))
    return name, tuple(word for field in fields for word in field)


def _room(words: Words, rules: SharingRules) -> NodeRoom:
    fields = dict(zip(words[::2], words[1::2], strict=True))
    try:
        return _counted(fields, rules)
    except (ValueError, KeyError, ZeroDivisionError) as error:
        return NodeRoom(None, None, f"its CPUs and memory cannot be read ({type(error).__name__}: {error})")


def _counted(fields: Mapping[str, str], rules: SharingRules) -> NodeRoom:
    """Raises ValueError, KeyError, ZeroDivisionError."""
    total, used = int(fields["CPUTot"]), int(fields["CPUAlloc"])
    cores = int(fields["Sockets"]) * int(fields["CoresPerSocket"])
    threads = max(1, total // cores)  # fewer than ThreadsPerCore where CPUs= counts cores
    cpus = int(fields.get("CPUEfctv") or total - threads * int(fields.get("CoreSpecCount", "0")))
    memory = int(fields["RealMemory"])
    ram, ram_used = float(memory - int(fields.get("MemSpecLimit", "0"))), int(fields["AllocMem"])
    offer = _gres(fields.get("Gres", ""))
    scratch = float(fields.get("TmpDisk", "0"))
    has = Capacity(cpus, ram if rules.memory else float(memory), offer, threads, scratch=scratch)
    state = fields.get("State", "")
    if "INVALID_REG" in state:
        return NodeRoom(None, None, "it registered with less than slurm.conf says")
    if cpus < 1:
        return NodeRoom(None, None, f"it has {cpus} CPUs for jobs")
    if used > cpus:
        return NodeRoom(has, None, f"{used} CPUs are allocated of {cpus}")
    if rules.memory and ram_used > ram:
        return NodeRoom(has, None, f"{ram_used} MB are allocated of {ram:g}")
    if not used and ram_used and "COMPLETING" not in state:
        return NodeRoom(has, None, f"{ram_used} MB are allocated and no CPU, as of a suspended job")
    left = _left(offer, _gres(fields.get("GresUsed", "")))
    idle = not used and not ram_used and left == offer
    ram_left = ram - ram_used if rules.memory else float(memory)
    return NodeRoom(has, replace(has, cpus=cpus - used, ram=ram_left, gres=left, jobs=0 if idle else 1, whole=idle))


def _gres(text: str) -> Gres:
    """`gpu:a:2(S:0-1),lic:4`, also as counts in use: `gpu:a:1(IDX:0),lic:0`. Raises ValueError."""
    found: dict[str, int] = {}
    for item in _IN_PARENTHESES.sub("", text).split(",") if text not in NONE else ():
        read = read_item(item)
        if read is None:
            raise ValueError(f"not a GRES: {item[:80]!r}")
        found[read[0]] = found.get(read[0], 0) + read[1]
    return tuple(sorted((name, number) for name, number in found.items() if number))


def _left(offer: Gres, used: Gres) -> Gres:
    taken = dict(used)
    return tuple((name, number - taken.get(name, 0)) for name, number in offer if number > taken.get(name, 0))
