"""The interface of a keeper of node records, and which keeper the configuration asks for."""

from __future__ import annotations

from typing import Protocol

from arvnodeman.arvados.client import client
from arvnodeman.arvados.nodes import ArvadosRecords
from arvnodeman.config import ConfigError
from arvnodeman.config.settings import KEPT_BY_ARVADOS, KEPT_BY_AUTO, KEPT_BY_SLURM, Settings
from arvnodeman.fleet.messages import RecordPrepared
from arvnodeman.fleet.values.model import BootIntent, CloudNode, NodeRecord, RemoteFailure
from arvnodeman.records.advice import refusals
from arvnodeman.records.marks import read_mark
from arvnodeman.records.names import SlurmRecords, names_of
from arvnodeman.slurm.keeping import NamesInSlurm


class RecordKeeper(Protocol):
    """Who keeps the node records. RemoteFailure from every method; any thread, each with a connection of its own."""

    @property
    def clock_offset(self) -> float | None:
        """The server's clock less ours in seconds, by the last answer; None if unknown."""

    def list_records(self) -> tuple[NodeRecord, ...]:
        """All records."""

    def prepare(self, intent: BootIntent, reuse: str | None) -> RecordPrepared:
        """A record with a slot, a hostname and the intent: the stale record `reuse`, cleaned, or a new one."""

    def describe(self, uuid: str, node: CloudNode) -> None:
        """Note which cloud node has the record, and where that is. Never asked for where nodes report themselves."""

    def release(self, uuid: str, action: str) -> None:
        """Clean a record, so that its slot is free and nobody pairs with it; `action` is noted in it."""


def make_keeper(settings: Settings) -> RecordKeeper:
    """The keeper that the configuration asks for. With `auto` the API server's discovery document decides:
    RemoteFailure when it is not to be had."""
    kept_by = settings.arvados.node_records
    if kept_by == KEPT_BY_AUTO:
        # without the slurm dispatcher there is nobody else, and the API server's own refusal says so
        here = settings.arvados.host and (settings.daemon.dispatcher != "slurm" or client(settings).has("nodes"))
        kept_by = KEPT_BY_ARVADOS if here else KEPT_BY_SLURM
    return ArvadosRecords(settings) if kept_by == KEPT_BY_ARVADOS else SlurmRecords(settings)


def check_keeper(settings: Settings) -> None:
    """Where the configuration names Slurm as the keeper, ask it once whether it is set up for that. ConfigError, a line
    for each reason, when it is not.

    No complaint when Slurm is away, for it may come; nor when a name is marked as given: then nodes may be alive, a
    process that ended would leave them to nobody, and the node poll says what is wrong until it is mended."""
    arvados = settings.arvados
    if arvados.node_records != KEPT_BY_SLURM and (arvados.host or arvados.node_records != KEPT_BY_AUTO):
        return
    slurm = NamesInSlurm(settings.daemon.slurm_timeout)
    try:
        shown = slurm.shown()
        config = slurm.configuration()
        partitions = slurm.partitions() if "SuspendProgram" in config else {}
    except RemoteFailure:
        return
    if any(read_mark(node.comment) is not None for node in shown.values()):
        return
    problems = tuple(refusals(config, shown, names_of(settings, shown), partitions))
    if problems:
        raise ConfigError(tuple(f"{settings.path}: Slurm: {problem}" for problem in problems))
