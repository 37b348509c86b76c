"""The output of sinfo, line by line, as the nodes that Slurm shows."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from arvnodeman.config.hostlist import hostlist
from arvnodeman.fleet.nodes.node import BUSY_STATES, REBOOTING
from arvnodeman.fleet.values.model import SlurmNode
from arvnodeman.slurm.reasons import of_word

SINFO_FORMAT = "%N|%t|%w|%f|%E"
"""%N is the NodeName, by which scontrol goes; %n would be the NodeHostName, which slurm.conf may set to something else.
Nodes whose other columns are alike share a line: with 1,000 nodes that takes a tenth to a quarter of the time."""

_STATE = re.compile(r"([a-z_]+)([^a-z_\s]*)")


def parse_sinfo(text: str) -> tuple[dict[str, SlurmNode], list[str]]:
    """The nodes by name, and the lines that cannot be read. Slurm prints a line break in a reason as it is: what
    follows a node and is none belongs to its reason, whatever it says."""
    nodes: dict[str, SlurmNode] = {}
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
                nodes[name] = replace(nodes[name], reason=of_word(reason, nodes[name].state))
            continue
        try:
            names, shown_state, weight, listed, reason = line.split("|", 4)
            state, responding = parse_state(shown_state)
            if listed not in features:
                features[listed] = frozenset(filter(None, listed.split(",")))
            latest = hostlist(names)
            counts = of_word("" if reason == "none" else reason, state)
            for name in latest:
                nodes[name] = SlurmNode(name, state, responding, int(weight), features[listed], counts)
        except ValueError:
            latest = ()
            malformed.append(line)
    return nodes, malformed


def parse_state(text: str) -> tuple[str, bool]:
    """`idle*` as ("idle", False): the state without flags, and is the node responding (no `*`)? One that does not work
    and for which a reboot is asked for or under way (`drain@`, `boot^`) is in the state "boot". Raises ValueError."""
    match = _STATE.fullmatch(text.strip().lower())
    if match is None:
        raise ValueError(f"not a node state: {text!r}")
    state, flags = match.groups()
    if state not in BUSY_STATES and ("@" in flags or "^" in flags):
        state = REBOOTING
    return state, "*" not in flags
