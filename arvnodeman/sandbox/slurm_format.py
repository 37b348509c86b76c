"""How Slurm prints: --format strings, memory, times."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Mapping

from arvnodeman.sandbox.hostlist import compress
from arvnodeman.sandbox.slurm import SlurmDouble
from arvnodeman.sandbox.slurm_gres import tres
from arvnodeman.sandbox.slurm_jobs import SHORT, Need, SlurmJob
from arvnodeman.sandbox.slurm_nodes import DEFAULT_PARTITION, SlurmNode

_FIELD = re.compile(r"%(\.?)(\d*)([A-Za-z%]|\{[a-z_-]+\})")
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
        text = "%" if letter == "%" else text_of(letter.strip("{}"))
        if not width:
            return text
        cut = text[: int(width)]
        return cut.rjust(int(width)) if right else cut.ljust(int(width))

    return _FIELD.sub(value, form)


def sinfo_line(form: str, node: SlurmNode) -> str:
    """One line of sinfo. A letter that the double does not have prints nothing."""
    return line(form, lambda letter: str(SINFO_FIELDS[letter](node)) if letter in SINFO_FIELDS else "")


def sinfo_lines(form: str, nodes: Iterable[SlurmNode]) -> Iterable[str]:
    """The lines of sinfo without --Node: nodes that are alike in all else that is asked for share one, with %N for all
    of them."""
    groups: dict[tuple[str, ...], list[SlurmNode]] = {}
    letters = [letter for _, _, letter in _FIELD.findall(form) if letter in SINFO_FIELDS and letter != "N"]
    for node in nodes:
        groups.setdefault(tuple(str(SINFO_FIELDS[letter](node)) for letter in letters), []).append(node)
    for alike in groups.values():
        yield sinfo_line(form.replace("%N", compress(node.name for node in alike)), alike[0])


def squeue_long_form(form: str) -> tuple[str, list[str]]:
    """A --Format, NAME[:WIDTH[SUFFIX]] with commas between, as one that `squeue_line` prints; and the names in it that
    squeue does not know: of these only what stands behind them is printed. Without a width it is 20, and 0 is as wide
    as need be."""
    parts = []
    unknown = []
    for word in form.split(","):
        name, _, rest = word.partition(":")
        match = re.match(r"(\.?)(\d*)(.*)", rest)
        right, width, suffix = match.groups() if match else ("", "", "")
        if name.lower() not in SQUEUE_LONG:
            unknown.append(name)
            parts.append(suffix.replace("%", "%%"))
            continue
        width = "" if width == "0" else width or "20"
        parts.append(f"%{right}{width}{{{name.lower()}}}{suffix.replace('%', '%%')}")
    return "".join(parts), unknown


def squeue_line(form: str, job: SlurmJob) -> str:
    """One line of squeue."""
    fields = SQUEUE_FIELDS
    return line(form, lambda key: str((fields.get(key) or SQUEUE_LONG.get(key) or _nothing)(job)))


def _seconds(at: float | None) -> str:
    """As SLURM_TIME_FORMAT=%s has it."""
    return "N/A" if at is None else str(int(at))


def _nothing(_job: SlurmJob) -> str:
    return ""


def features(names: tuple[str, ...]) -> str:
    """A list of them, as Slurm prints it."""
    return ",".join(names) or "(null)"


def _long_state(node: SlurmNode) -> str:
    short = node.short()
    word, star = short.rstrip("*"), "*" if short.endswith("*") else ""
    return _LONG_WORDS.get(word, word) + star


def _on_all(need: Need) -> str:
    """What it asks for on all its nodes. (For one that says no memory Slurm shows that of whole nodes.)"""
    size = f"mem={memory(need.memory_of_node * need.nodes)}," if need.memory else ""
    cores = need.cores * need.nodes
    return f"cpu={cores},{size}node={need.nodes},billing={cores}"


def _priority(job: SlurmJob) -> int:
    return 0 if job.held or job.reason == "BadConstraints" else job.priority


def node_address(node: SlurmNode) -> str:
    """NodeAddr: what was set, else its name, as in a slurm.conf without NodeAddr=."""
    return node.address or node.name


SINFO_FIELDS: Mapping[str, Callable[[SlurmNode], object]] = {
    "n": lambda node: node.host or node.name,
    "N": lambda node: node.name,
    "t": SlurmNode.short,
    "T": _long_state,
    "w": lambda node: node.weight,
    "f": lambda node: features(node.available),
    "b": lambda node: features(node.active),
    "E": lambda node: node.reason or "none",
    "c": lambda node: node.computer.cores if node.computer else 1,
    "m": lambda node: node.computer.memory if node.computer else 1,
    "d": lambda node: node.computer.tmp if node.computer else 0,
    "o": node_address,
    "P": lambda _node: f"{DEFAULT_PARTITION}*",
    "R": lambda _node: DEFAULT_PARTITION,
    "G": lambda node: (node.computer.gres if node.computer else "") or "(null)",
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
    "G": "GRES",
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
    "c": lambda job: job.need.cpus,
    "m": lambda job: memory(job.need.memory),
    "d": lambda job: memory(job.need.tmp),
    "r": lambda job: job.reason,
    "f": lambda job: job.feature_text or "(null)",
    "Q": _priority,
    "D": lambda job: job.need.nodes,
    "N": lambda job: compress(job.nodes),
    "R": lambda job: compress(job.nodes) or f"({job.reason})",
    "P": lambda job: job.need.partition,
    "b": lambda job: tres(job.need.gres),
    "C": lambda job: job.need.cores * job.need.nodes,
    "u": lambda _job: "root",
    "y": lambda _job: 10_000,
    "F": lambda job: job.id,
    "a": lambda _job: "(null)",
    "q": lambda _job: "(null)",
    "v": lambda _job: "(null)",
    "l": lambda _job: "UNLIMITED",
    "W": lambda _job: "(null)",
    "n": lambda _job: "",
    "x": lambda _job: "",
    "h": lambda job: "OK" if job.shares else "NO",
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
    "b": "TRES_PER_NODE",
    "C": "CPUS",
    "u": "USER",
    "y": "NICE",
    "F": "ARRAY_JOB_ID",
    "a": "ACCOUNT",
    "q": "QOS",
    "v": "RESERVATION",
    "l": "TIME_LIMIT",
    "W": "LICENSES",
    "n": "REQ_NODES",
    "x": "EXC_NODES",
    "h": "OVER_SUBSCRIBE",
}
SQUEUE_LONG: Mapping[str, Callable[[SlurmJob], object]] = {
    "oversubscribe": SQUEUE_FIELDS["h"],
    "nodelist": SQUEUE_FIELDS["N"],
    "threads": lambda _job: "*",
    "ntpercore": lambda _job: "N/A",
    "ntpernode": lambda _job: 0,
    "mincpus": SQUEUE_FIELDS["c"],
    "minmemory": SQUEUE_FIELDS["m"],
    "mintmpdisk": SQUEUE_FIELDS["d"],
    "reason": SQUEUE_FIELDS["r"],
    "name": SQUEUE_FIELDS["j"],
    "feature": SQUEUE_FIELDS["f"],
    "prioritylong": SQUEUE_FIELDS["Q"],
    "numnodes": SQUEUE_FIELDS["D"],
    "partition": SQUEUE_FIELDS["P"],
    "tres-per-node": SQUEUE_FIELDS["b"],
    "tres-per-job": lambda job: tres(f"gpu:{job.need.gpus}" if job.need.gpus else ""),
    "tres-per-socket": lambda _job: "N/A",
    "tres-per-task": lambda _job: "N/A",
    "numtasks": SQUEUE_FIELDS["D"],
    "numcpus": SQUEUE_FIELDS["C"],
    "tres-alloc": lambda job: _on_all(job.need),
    "cpus-per-tres": lambda _job: "N/A",
    "mem-per-tres": lambda _job: "N/A",
    "jobarrayid": SQUEUE_FIELDS["i"],
    "username": SQUEUE_FIELDS["u"],
    "account": SQUEUE_FIELDS["a"],
    "qos": SQUEUE_FIELDS["q"],
    "reservation": SQUEUE_FIELDS["v"],
    "timelimit": SQUEUE_FIELDS["l"],
    "mintime": lambda _job: "0:00",
    "licenses": SQUEUE_FIELDS["W"],
    "reqnodes": SQUEUE_FIELDS["n"],
    "state": SQUEUE_FIELDS["T"],
    "starttime": lambda job: _seconds(job.began_at),
    "endtime": lambda job: _seconds(job.ended_at),
    "admin_comment": lambda job: job.admin_comment or "(null)",
}
"""The names that the option --Format has for them."""


def sdiag(slurm: SlurmDouble, _argv: list[str]) -> str:
    """Some of what sdiag shows."""
    stars = "*" * 55
    since = "Data since      Thu Jan 01 00:00:00 1970 (0)"
    return f"{stars}\n{since}\n{stars}\nServer thread count:  1\n\nJobs submitted: {slurm.submitted}\n"
