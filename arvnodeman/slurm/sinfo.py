"""The output of sinfo, line by line, as the nodes that Slurm shows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from arvnodeman.config.hostlist import hostlist
from arvnodeman.fleet.values.work import NodeWork
from arvnodeman.slurm.reasons import reason_now
from arvnodeman.slurm.words import shown_state

SINFO_FORMAT = "%N|%t|%w|%f|%E"
"""%N is the NodeName, by which scontrol goes; %n would be the NodeHostName, which slurm.conf may set to something else.
Nodes whose other columns are alike share a line: with 1,000 nodes that takes a tenth to a quarter of the time."""


def parse_sinfo(text: str) -> tuple[dict[str, NodeWork], list[str]]:
    """The nodes by name, and the lines that cannot be read. Slurm prints a line break in a reason as it is: what
    follows a node and is none belongs to its reason, whatever it says."""
    nodes: dict[str, NodeWork] = {}
    malformed: list[str] = []
    features: dict[str, frozenset[str]] = {"(null)": frozenset()}
    latest: Iterable[str] = ()
    reason = ""
    for line in text.split("\n"):
        if not line.strip():
            continue
        if latest and line.count("|") < SINFO_FORMAT.count("|"):
            reason = f"{reason} {line.strip()}"
            for name in latest:
                nodes[name] = replace(nodes[name], reason=reason_now(reason, nodes[name].state.kind))
            continue
        try:
            names, shown, weight, listed, reason = line.split("|", 4)
            state, responding = shown_state(shown)
            if listed not in features:
                features[listed] = frozenset(filter(None, listed.split(",")))
            latest = hostlist(names)
            counts = reason_now("" if reason == "none" else reason, state.kind)
            for name in latest:
                nodes[name] = NodeWork(name, state, responding, int(weight), features[listed], counts)
        except ValueError:
            latest = ()
            malformed.append(line)
    return nodes, malformed
