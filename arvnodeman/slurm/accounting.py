"""Limits of Slurm's accounting: `scontrol show assoc_mgr`, what else tells how they count, and when these are asked.

A queue in which nothing waits for nodes needs none of it, and neither does a Slurm that enforces no limits: what it
enforces is asked for every ten minutes. What is used is asked for in each poll in which a limit is known for a job that
waits, or somebody new waits; else every minute. A site with thousands of associations gives a long answer: it is not
asked for again before twenty times as long has passed as the last one took. When that fails, nothing is known: that
costs a log line, and no poll.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import lru_cache

from arvnodeman.fleet.outlook.accounting import (
    NO_RULES,
    NOTHING_ENFORCED,
    Accounting,
    Association,
    Counted,
    LimitKind,
    Qos,
    Rules,
    Use,
)
from arvnodeman.fleet.values.model import JobOwner, JobShape
from arvnodeman.slurm.errors import SlurmFailure

SETTINGS_EVERY = 600.0  # seconds between two questions about what is enforced, QOS of partitions, factors of QOS
QUIET_EVERY = 60.0  # between two about what is used, where no limit is known for those who wait
AFTER_FAILURE = 300.0
SHARE = 20  # these answers may take one part in so many of the time

_CONFIG = ("scontrol", "show", "config")
_PARTITIONS = ("scontrol", "--all", "show", "partition")
_FACTORS = ("sacctmgr", "show", "qos", "--noheader", "--parsable2", "format=Name,LimitFactor")
_USED = ("scontrol", "--all", "show", "assoc_mgr", "flags=qos,assoc")

_ENFORCED = re.compile(r"^AccountingStorageEnforce\s*=\s*(.*)$", re.MULTILINE)
_PARTITION = re.compile(r"^PartitionName=(\S+)(.*?)(?=^PartitionName=|\Z)", re.MULTILINE | re.DOTALL)
_QOS_OF = re.compile(r"\bQoS=(\S+)", re.IGNORECASE)
_ASSOCIATION = re.compile(r"ClusterName=\S* Account=(\S*) UserName=(.*?) Partition=(\S*) ")
_PARENT = re.compile(r"^\s*ParentAccount=([^\s(]*)", re.MULTILINE)
_QOS = re.compile(r"QOS=(.+)\(\d+\)\s*$")
_USER = re.compile(r"(.*)\((\d+)\)")
_WHO = re.compile(r"(?:.*\()?(-?\d+)\)?")  # -2: nobody yet
_NUMBER = r"(?:\d+(?:\.\d+)?)"
_ONE = re.compile(rf"\b(GrpJobs|GrpWall|MaxJobs|MaxJobsP[UA])=({_NUMBER})\((-?{_NUMBER})\)")
_LIST = re.compile(r"^\s*(GrpTRES|GrpTRESMins|MaxTRESPJ|MaxTRESPU|MaxTRESPA)=(\S+)", re.MULTILINE)
_OF_LIST = re.compile(rf"([a-z][^=,]*)=({_NUMBER})(?:\((-?{_NUMBER})\))?(?:,|$)")
_LIMITED = re.compile(r"=\d")
_COUNTED = dict.fromkeys(("GrpJobs", "MaxJobsPU", "MaxJobsPA", "MaxJobs"), Counted.JOBS)
_COUNTED |= dict.fromkeys(("GrpTRESMins", "GrpWall"), Counted.SPENT)
_COUNTED_TRES = {"node": Counted.NODES, "cpu": Counted.CPUS, "mem": Counted.MEMORY}
_GRES = "gres/"
_PART = re.compile(r"^ {4}(Account|User) Limits\s*$", re.MULTILINE)
_OF_WHOM = re.compile(r"^ {6}(?=\S)", re.MULTILINE)
_log = logging.getLogger("arvnodeman.slurm")


# ---- reading ---------------------------------------------------------------------------------------------------------


def enforces_limits(config: str) -> bool:
    """Does Slurm enforce limits, by `scontrol show config`?"""
    match = _ENFORCED.search(config)
    words = set(match[1].lower().replace(" ", "").split(",")) if match is not None else set()
    return bool(words & {"limits", "safe", "all"})


def parse_partitions(text: str) -> dict[str, str]:
    """`scontrol show partition`: the QOS of each; '' where it has none. One that does not say is left out."""
    found = {}
    for name, rest in _PARTITION.findall(text):
        match = _QOS_OF.search(rest)
        if match is not None:
            found[name] = "" if match[1] in ("N/A", "(null)") else match[1]
    return found


def parse_factors(text: str) -> dict[str, float]:
    """`sacctmgr show qos`: the factor of each, 1 where none is set; what cannot be read is left out."""
    found = {}
    for line in text.split("\n"):
        name, bar, factor = line.rpartition("|")
        if bar and re.fullmatch(rf"{_NUMBER}?", factor):
            found[name] = float(factor) if factor and float(factor) > 0 else 1.0
    return found


def parse_used(text: str) -> Accounting:
    """`scontrol show assoc_mgr flags=qos,assoc`; what cannot be read is left out, and limits nobody."""
    of_associations, _, of_qos = text.partition("\nQOS Records")
    associations: dict[tuple[str, str, str], Association] = {}
    numbers: dict[str, int] = {}
    for block in re.split(r"\n(?=ClusterName=)", of_associations)[1:]:
        match = _ASSOCIATION.match(block)
        if match is None:
            continue
        account, user, partition = match.groups()
        named = _USER.fullmatch(user)
        if named is not None:
            user = named[1]
            numbers[user] = int(named[2])
        parent = _PARENT.search(block)
        above = parent[1] if parent is not None and not user else ""
        associations[account, user, partition] = Association(_rules(block[match.end() :]), above)
    qos: dict[str, Qos] = {}
    for block in re.split(r"\n(?=QOS=)", of_qos)[1:]:
        first, _, rest = block.partition("\n")
        match = _QOS.match(first)
        if match is not None:
            qos[match[1]] = _qos(rest)
    return Accounting(qos, associations, numbers)


def _qos(text: str) -> Qos:
    own, *parts = _PART.split(text)
    by_user: dict[int, Rules] = {}
    by_account: dict[str, Rules] = {}
    for kind, part in zip(parts[::2], parts[1::2], strict=True):
        for block in _OF_WHOM.split(part)[1:]:
            whom, _, rest = block.partition("\n")
            if kind == "Account":
                by_account[whom.strip()] = _rules(rest)
            elif (number := _WHO.fullmatch(whom.strip())) is not None:
                by_user[int(number[1])] = _rules(rest)
    return Qos(_rules(own), by_user, by_account)


def _rules(text: str) -> Rules:
    found = {name: _use(name, limit, used) for name, limit, used in _ONE.findall(text)}
    for name, items in _LIST.findall(text):
        if _LIMITED.search(items) is not None:
            for tres, limit, used in _OF_LIST.findall(items):
                found[f"{name} {tres}"] = _use(f"{name} {tres}", limit, used)
    return found or NO_RULES


def _use(name: str, limit: str, used: str) -> Use:
    return Use(float(limit), float(used or 0), limit_kind(name))


@lru_cache(maxsize=1024)
def limit_kind(name: str) -> LimitKind:
    """What a limit means, by Slurm's name: `GrpJobs`, `GrpTRES cpu`, `MaxTRESPU gres/gpu:tesla`. Source: the
    limits in sacctmgr(1) and the hierarchy in Slurm's page on resource limits, tried on 22.05, 24.11 and 26.05."""
    kind, _, tres = name.partition(" ")
    counts = _COUNTED.get(kind) or _COUNTED_TRES.get(tres, Counted.OTHER)
    gres = ""
    if kind not in _COUNTED and tres.startswith(_GRES):
        counts, gres = Counted.GRES, tres.removeprefix(_GRES)
    return LimitKind(
        counts=counts,
        gres=gres,
        of_each_job=kind == "MaxTRESPJ",
        of_all=kind.startswith("Grp"),
        scaled=kind in ("GrpTRES", "MaxTRESPJ"),
        behind=frozenset({"MaxJobsPU", "MaxJobsPA"}) if kind == "MaxJobs" else frozenset(),
    )


# ---- asking ----------------------------------------------------------------------------------------------------------


@dataclass
class _Settings:
    """What changes seldom."""

    enforced: bool = False
    partitions: dict[str, str] = field(default_factory=dict)
    factors: dict[str, float] | None = None  # not asked for yet


class Ledger:
    """Asks for limits and what is used of them, as far as the queue needs it. For one thread."""

    def __init__(self, ask: Callable[..., str]) -> None:
        """`ask("scontrol", "show", "config")` gives what the command says, or raises SlurmFailure."""
        self._ask = ask
        self._settings = _Settings()
        self._parsed = "", NOTHING_ENFORCED  # the last answer, and what it says
        self._read = NOTHING_ENFORCED
        self._settings_due = self._due = self._not_before = 0.0  # when they are asked for again
        self._known: set[JobOwner] = set()  # whose jobs waited when it was asked last
        self._troubles: dict[str, str] = {}

    def fetch(self, shapes: Iterable[JobShape]) -> Accounting:
        """What limits jobs of these shapes."""
        waiting = [shape for shape in shapes if shape.owner.qos]
        if not waiting:
            return NOTHING_ENFORCED
        now = time.monotonic()
        if now >= self._settings_due:
            self._ask_settings(now)
        if not self._settings.enforced:
            return NOTHING_ENFORCED
        owners = {shape.owner for shape in waiting}
        if now >= self._not_before and (now >= self._due or not owners <= self._known):
            self._ask_used(now)
            self._known = owners
        limits = self._read.concerning(waiting)
        if limits:
            self._due = 0.0
        return limits

    def _ask_settings(self, now: float) -> None:
        self._settings, self._due = _Settings(), 0.0
        self._settings_due = now + SETTINGS_EVERY
        try:
            if enforces_limits(self._ask(*_CONFIG)):
                self._settings.partitions = parse_partitions(self._ask(*_PARTITIONS))
                self._settings.enforced = True
        except SlurmFailure as failure:
            self._settings_due = now + AFTER_FAILURE
            self._tell("limits", failure)

    def _ask_used(self, now: float) -> None:
        began, self._due = time.monotonic(), now + QUIET_EVERY
        try:
            text = self._ask(*_USED)
        except SlurmFailure as failure:
            self._parsed, self._read = ("", NOTHING_ENFORCED), NOTHING_ENFORCED
            self._not_before = now + AFTER_FAILURE
            self._tell("limits", failure)
            return
        self._troubles.pop("limits", None)
        if text != self._parsed[0]:
            self._parsed = text, parse_used(text)
        read, settings = self._parsed[1], self._settings
        if settings.factors is None and any(each.is_scaled for each in read.associations.values()):
            settings.factors = self._ask_factors()
        self._read = replace(read, partitions=settings.partitions, factors=settings.factors or {})
        ended = time.monotonic()
        self._not_before = ended + SHARE * (ended - began)

    def _ask_factors(self) -> dict[str, float]:
        try:
            return parse_factors(self._ask(*_FACTORS))
        except SlurmFailure as failure:
            self._tell("limit factors of QOS", failure)
            return {}

    def _tell(self, what: str, failure: SlurmFailure) -> None:
        if self._troubles.get(what) != str(failure):
            self._troubles[what] = str(failure)
            _log.warning("Slurm's %s are not known, so jobs get nodes as if there were none: %s", what, failure)
