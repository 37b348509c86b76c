"""What older builds wrote otherwise: plain values as they were, made into such as this build writes.

A class that is not named here, or a value that is as today, is left as it is. New names alone are not this module's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from typing import Any

from arvnodeman.fleet.values.work import WorkState
from arvnodeman.slurm.accounting import limit_kind
from arvnodeman.slurm.foresee import kinds_of
from arvnodeman.slurm.job_reasons import wait_kind
from arvnodeman.slurm.words import state_of

Plain = Mapping[str, Any]


def renewed(name: str, plain: Plain) -> Plain:
    """The fields of an object of the class `name`, as this build writes them."""
    change = _CHANGES.get(name)
    return plain if change is None else change(plain)


def _node_work(plain: Plain) -> Plain:
    """`state` was Slurm's word."""
    word = plain.get("state")
    return {**plain, "state": _state(state_of(word))} if isinstance(word, str) else plain


def _state(state: WorkState) -> Plain:
    resumed = None if state.resumed is None else _state(state.resumed)
    return {"kind": state.kind.value, "said": state.said, "resumed": resumed}


def _job(plain: Plain) -> Plain:
    """What a reason means was read from it by the brain."""
    return plain if "waits" in plain else {**plain, "waits": wait_kind(plain.get("reason", "")).value}


def _reservation(plain: Plain) -> Plain:
    """Slurm's flags were all that was known of its kind."""
    if "flags" not in plain:
        return plain
    return {**{name: each for name, each in plain.items() if name != "flags"}, **kinds_of(plain["flags"])}


def _qos(plain: Plain) -> Plain:
    parts = {name: [[key, _rules(rules)] for key, rules in plain.get(name, ())] for name in ("by_user", "by_account")}
    return {**plain, "rules": _rules(plain.get("rules", ())), **parts}


def _association(plain: Plain) -> Plain:
    return {**plain, "rules": _rules(plain.get("rules", ()))}


def _rules(plain: Iterable[Any]) -> list[Any]:
    """What a limit means was read from its name by the brain."""
    return [[name, use if "of" in use else {**use, "of": asdict(limit_kind(name))}] for name, use in plain]


def _queue_listed(plain: Plain) -> Plain:
    """There was a field for the jobs that run, which nobody filled."""
    return {name: each for name, each in plain.items() if name != "running"}


_CHANGES: Mapping[str, Callable[[Plain], Plain]] = {
    "NodeWork": _node_work,
    "Job": _job,
    "Reservation": _reservation,
    "Qos": _qos,
    "Association": _association,
    "QueueListed": _queue_listed,
}
