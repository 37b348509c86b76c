"""Slurm's reservations and licences: what `scontrol show` says of them, and when it is asked.

A queue in which nothing waits for nodes needs none of it. Licences are asked for where a job wants some; reservations
at most every half minute, and at once where a job names one that is not known. When that fails, what was heard last
stands for a while: it costs a line in the log, and no poll.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypedDict

from arvnodeman.config.hostlist import hostlist
from arvnodeman.fleet.outlook.ahead import Outlook, Reservation
from arvnodeman.fleet.values.gres import Gres
from arvnodeman.fleet.values.model import JobShape
from arvnodeman.slurm.errors import SlurmFailure
from arvnodeman.slurm.gres import NONE

NO_RESERVATIONS = "No reservations in the system"
NO_LICENCES = "No licenses configured in Slurm"
EVERY = 30.0  # seconds between two questions about reservations
STANDS_FOR = 600.0  # seconds that an answer stands while no newer one is to be had

_FIELD = re.compile(r"(\w+)=(\S*)")
_log = logging.getLogger("arvnodeman.slurm")


def parse_reservations(text: str) -> tuple[dict[str, Reservation], list[str]]:
    """`scontrol show reservations`, by name, and the first lines of those that cannot be read."""
    found: dict[str, Reservation] = {}
    malformed: list[str] = []
    for block in re.split(r"\n(?=ReservationName=)", text.strip()):
        if not block or block.startswith(NO_RESERVATIONS):
            continue
        try:
            reservation = _reservation(block)
        except (ValueError, OverflowError, OSError):
            malformed.append(block.split("\n")[0])
        else:
            found[reservation.name] = reservation
    return found, malformed


def _reservation(block: str) -> Reservation:
    fields: dict[str, str] = {}
    for name, value in _FIELD.findall(block):
        fields.setdefault(name, value)
    name, end = fields.get("ReservationName", ""), moment(fields.get("EndTime", ""))
    if not name or not block.startswith("ReservationName="):
        raise ValueError("no name")
    return Reservation(
        name=name,
        start=moment(fields.get("StartTime", "")),
        end=end,
        nodes=frozenset(hostlist(fields["Nodes"])) if _said(fields.get("Nodes")) else frozenset(),
        whole="CoreIDs" not in fields,
        **kinds_of(_listed(fields.get("Flags"))),
        users=_listed(fields.get("Users")),
        accounts=_listed(fields.get("Accounts")),
        groups=_said(fields.get("Groups")),
        licences=_licences(fields.get("Licenses")),
        ends=time.strftime("%Y-%m-%d %H:%M", time.localtime(end)),
    )


class Kinds(TypedDict):
    """What a reservation's flags mean: fields of Reservation."""

    maintenance: bool
    elsewhere: bool
    overlaps: bool
    attracts: bool
    floats: bool
    kinds: frozenset[str]


def kinds_of(flags: Collection[str]) -> Kinds:
    """What a reservation's flags mean. Source: Flags in the section on reservations of scontrol(1), 22.05 to 26.05."""
    return {
        "maintenance": "MAINT" in flags,
        "elsewhere": not {"FLEX", "ANY_NODES"}.isdisjoint(flags),
        "overlaps": not {"MAINT", "OVERLAP"}.isdisjoint(flags),
        "attracts": "MAGNETIC" in flags,
        "floats": "TIME_FLOAT" in flags,
        "kinds": frozenset(flags),
    }


def moment(text: str) -> float:
    """Seconds since the epoch, or this machine's local time."""
    return float(text) if text.isdigit() else datetime.fromisoformat(text).timestamp()


def _said(text: str | None) -> bool:
    return text is not None and text not in NONE


def _listed(text: str | None) -> tuple[str, ...]:
    return tuple(filter(None, text.split(","))) if text is not None and text not in NONE else ()


def _licences(text: str | None) -> Gres:
    pairs = (item.rpartition(":") for item in _listed(text))
    return tuple(sorted((name, int(number)) for name, _, number in pairs))


def parse_licences(text: str) -> dict[str, int]:
    """`scontrol show licenses`: how many of each are neither used nor reserved; what cannot be read is left out."""
    free: dict[str, int] = {}
    for block in re.split(r"\n(?=LicenseName=)", text.strip()):
        fields = dict(_FIELD.findall(block))
        name = re.match(r"LicenseName=(\S+)", block)
        numbers = [fields.get(key, "0") for key in ("Total", "Used", "Reserved", "LastDeficit")]
        if name is not None and "Total" in fields and all(number.isdecimal() for number in numbers):
            total, *gone = map(int, numbers)
            free[name[1]] = max(0, total - sum(gone))
    return free


@dataclass
class _Answer:
    """What a command said last, and when."""

    text: str = ""
    at: float | None = None
    again_at: float = 0.0  # not asked before that
    trouble: str = ""


class Foresight:
    """Asks what is ahead, as far as a queue needs it. For one thread."""

    def __init__(self, ask: Callable[[str], str], never_ours: Iterable[str]) -> None:
        """`ask("reservations")` gives the output of `scontrol show reservations`, or raises SlurmFailure."""
        self._ask = ask
        self._never_ours = frozenset(never_ours)
        self._answers = {"reservations": _Answer(), "licenses": _Answer()}
        self._read: tuple[str, Mapping[str, Reservation]] = ("", {})

    def fetch(self, shapes: Iterable[JobShape]) -> Outlook:
        """What is ahead of jobs of these shapes."""
        waiting = list(shapes)
        reservations, licences = self._read[1], {}
        if waiting:
            named = {name for shape in waiting for name in shape.reservation.split(",") if name}
            reservations = self._reservations(at_once=not named <= reservations.keys())
        if any(shape.licences for shape in waiting):
            licences = parse_licences(self._heard("licenses", 0.0))
        return Outlook(reservations, licences, self._never_ours)

    def _reservations(self, *, at_once: bool) -> Mapping[str, Reservation]:
        text = self._heard("reservations", 0.0 if at_once else EVERY)
        if text != self._read[0]:
            found, malformed = parse_reservations(text)
            for line in malformed:
                _log.warning("ignored a reservation of Slurm that cannot be read: %.300r", line)
            self._read = text, found
        return self._read[1]

    def _heard(self, what: str, every: float) -> str:
        """What Slurm says, asked again when the last answer is so old; '' when there is none that stands."""
        answer, now = self._answers[what], time.monotonic()
        if now < answer.again_at or (answer.at is not None and now - answer.at < every):
            return answer.text
        try:
            answer.text, answer.at, answer.trouble = self._ask(what), now, ""
        except SlurmFailure as failure:
            answer.again_at = now + EVERY
            if str(failure) != answer.trouble:
                answer.trouble = str(failure)
                _log.warning("Slurm's %s are not known; its last answer is used for a while: %s", what, failure)
            if answer.at is None or now - answer.at > STANDS_FOR:
                answer.text = ""
        return answer.text
