"""How Slurm prints: --format strings, memory, times, and the long account of a node."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping

from arvnodeman.sandbox.hostlist import compress
from arvnodeman.sandbox.slurm_jobs import SHORT, SlurmJob
from arvnodeman.sandbox.slurm_nodes import Base, SlurmNode

_FIELD = re.compile(r"%(\.?)(\d*)([A-Za-z%])")
_LONG_WORDS = {
    "alloc": "allocated",
    "mix": "mixed",
    "comp": "completing",
    "drain": "drained",
    "drng": "draining",
    "failg": "failing",
    "unk": "unknown",
    "plnd": "planned",
    "resv": "reserved",
}


def memory(megabytes: int) -> str:
    """500M, 1500M, 1G, 0: whole numbers of the largest unit that fits, as squeue prints %m and %d."""
    if not megabytes:
        return "0"
    units = "MGTP"
    rank = 0
    while megabytes % 1024 == 0 and rank < len(units) - 1:
        megabytes //= 1024
        rank += 1
    return f"{megabytes}{units[rank]}"


def stamp(at: float | None, never: str = "None") -> str:
    """2026-11-24T04:10:59, local time."""
    return never if at is None else time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(at))


def line(form: str, text_of: Callable[[str], str]) -> str:
    """One line of a --format: `text_of` gives the text for each letter; widths cut and pad as Slurm's do."""

    def value(match: re.Match[str]) -> str:
        right, width, letter = match.groups()
        text = "%" if letter == "%" else text_of(letter)
        if not width:
            return text
        cut = text[: int(width)]
        return cut.rjust(int(width)) if right else cut.ljust(int(width))

    return _FIELD.sub(value, form)


def sinfo_line(form: str, node: SlurmNode) -> str:
    """One line of sinfo. A letter that the double does not have prints nothing."""
    return line(form, lambda letter: str(SINFO_FIELDS[letter](node)) if letter in SINFO_FIELDS else "")


def squeue_line(form: str, job: SlurmJob) -> str:
    """One line of squeue."""
    return line(form, lambda letter: str(SQUEUE_FIELDS[letter](job)) if letter in SQUEUE_FIELDS else "")


def _features(names: tuple[str, ...]) -> str:
    return ",".join(names) or "(null)"


def _long_state(node: SlurmNode) -> str:
    short = node.short()
    word, star = short.rstrip("*"), "*" if short.endswith("*") else ""
    return _LONG_WORDS.get(word, word) + star


def _priority(job: SlurmJob) -> int:
    return 0 if job.held or job.reason == "BadConstraints" else job.priority


def node_address(node: SlurmNode) -> str:
    """NodeAddr: what was set, else where its slurmd runs, else its name."""
    return node.address or (node.computer.address if node.computer else node.name)


SINFO_FIELDS: Mapping[str, Callable[[SlurmNode], object]] = {
    "n": lambda node: node.name,
    "N": lambda node: node.name,
    "t": SlurmNode.short,
    "T": _long_state,
    "w": lambda node: node.weight,
    "f": lambda node: _features(node.available),
    "b": lambda node: _features(node.active),
    "E": lambda node: node.reason or "none",
    "c": lambda node: node.computer.cores if node.computer else 1,
    "m": lambda node: node.computer.memory if node.computer else 1,
    "d": lambda node: node.computer.tmp if node.computer else 0,
    "o": node_address,
    "P": lambda _node: "compute*",
    "R": lambda _node: "compute",
    "a": lambda _node: "up",
    "l": lambda _node: "infinite",
    "D": lambda _node: 1,
    "H": lambda node: stamp(node.reason_at, "Unknown") if node.reason else "Unknown",
    "u": lambda node: "root" if node.reason else "Unknown",
}
SINFO_TITLES = {
    "n": "HOSTNAMES",
    "N": "NODELIST",
    "t": "STATE",
    "T": "STATE",
    "w": "WEIGHT",
    "f": "AVAIL_FEATURES",
    "b": "ACTIVE_FEATURES",
    "E": "REASON",
    "c": "CPUS",
    "m": "MEMORY",
    "d": "TMP_DISK",
    "o": "NODE_ADDR",
    "P": "PARTITION",
    "R": "PARTITION",
    "a": "AVAIL",
    "l": "TIMELIMIT",
    "D": "NODES",
    "H": "TIMESTAMP",
    "u": "USER",
}
SQUEUE_FIELDS: Mapping[str, Callable[[SlurmJob], object]] = {
    "i": lambda job: job.id,
    "A": lambda job: job.id,
    "j": lambda job: job.name,
    "t": lambda job: SHORT[job.state],
    "T": lambda job: job.state,
    "M": lambda _job: "0:00",  # of a running job, too
    "c": lambda job: job.need.cores,
    "m": lambda job: memory(job.need.memory),
    "d": lambda job: memory(job.need.tmp),
    "r": lambda job: job.reason,
    "f": lambda job: job.feature_text or "(null)",
    "Q": _priority,
    "D": lambda job: job.need.nodes,
    "N": lambda job: compress(job.nodes),
    "R": lambda job: compress(job.nodes) or f"({job.reason})",
    "P": lambda _job: "compute",
    "u": lambda _job: "root",
    "y": lambda _job: 10_000,
}
SQUEUE_TITLES = {
    "i": "JOBID",
    "A": "JOBID",
    "j": "NAME",
    "t": "ST",
    "T": "STATE",
    "M": "TIME",
    "c": "MIN_CPUS",
    "m": "MIN_MEMORY",
    "d": "MIN_TMP_DISK",
    "r": "REASON",
    "f": "FEATURES",
    "Q": "PRIORITY",
    "D": "NODES",
    "N": "NODELIST",
    "R": "NODELIST(REASON)",
    "P": "PARTITION",
    "u": "USER",
    "y": "NICE",
}


def show_node(node: SlurmNode, *, oneliner: bool = False) -> str:
    """The account of a node by `scontrol show node`, an empty line after it."""
    computer = node.computer
    seen = computer is not None or node.base is not Base.UNKNOWN
    cores, ram, tmp = (computer.cores, computer.memory, computer.tmp) if computer else (1, 1, 0)
    used = (cores, ram) if node.job is not None else (0, 0)
    tres = f"cpu={cores},mem={ram}M,billing={cores}"
    lines = [
        f"NodeName={node.name} {'Arch=x86_64 ' if computer else ''}CoresPerSocket=1 ",
        f"CPUAlloc={used[0]} CPUEfctv={cores} CPUTot={cores} CPULoad={'0.10' if computer else 'N/A'}",
        f"AvailableFeatures={_features(node.available)}",
        f"ActiveFeatures={_features(node.active)}",
        "Gres=(null)",
        f"NodeAddr={node_address(node)} NodeHostName={node.name} Version=22.05.8",
        f"RealMemory={ram} AllocMem={used[1]} FreeMem={ram - used[1] if computer else 'N/A'} Sockets={cores} Boards=1",
        f"State={node.long()} ThreadsPerCore=1 TmpDisk={tmp} Weight={node.weight} Owner=N/A MCS_label=N/A",
        "Partitions=compute ",
        f"BootTime={stamp(computer.started if computer else None)} "
        f"SlurmdStartTime={stamp(computer.started if computer else None)}",
        f"LastBusyTime={stamp(node.last_busy, 'Unknown' if not seen else 'None')}",
        f"CfgTRES={tres}",
        f"AllocTRES={tres if node.job is not None else ''}",
    ]
    if node.comment:
        lines.append(f"Comment={node.comment}")
    if node.reason:
        lines.append(f"Reason={node.reason} [root@{stamp(node.reason_at)}]")
    return " ".join(lines) + "\n" if oneliner else "\n   ".join(lines) + "\n\n"
