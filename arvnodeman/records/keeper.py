"""The interface of a keeper of node records, and which keeper the configuration asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from arvnodeman.arvados.client import client
from arvnodeman.arvados.nodes import ArvadosRecords
from arvnodeman.config import ConfigError
from arvnodeman.config.settings import KEPT_BY_ARVADOS, KEPT_BY_AUTO, KEPT_BY_SLURM, KEPT_BY_SLURM_CLOUD, Settings
from arvnodeman.doctor.facts import SlurmSetup
from arvnodeman.doctor.setup import refusals
from arvnodeman.fleet.messages import RecordPrepared
from arvnodeman.fleet.values.model import BootIntent, CloudNode, NodeRecord, RemoteFailure
from arvnodeman.records.cloud_names import CloudRecords
from arvnodeman.records.marks import read_mark
from arvnodeman.records.names import SlurmRecords, names_of
from arvnodeman.records.power_saving import leaves_suspending_to_us, names_of_sizes
from arvnodeman.slurm.keeping import NamesInSlurm
from arvnodeman.slurm.show import ShownNode


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
    if settings.places:
        return CloudRecords(settings)
    kept_by = settings.arvados.node_records
    if kept_by == KEPT_BY_AUTO:
        # without the slurm dispatcher there is nobody else, and the API server's own refusal says so
        here = settings.arvados.host and (settings.daemon.dispatcher != "slurm" or client(settings).has("nodes"))
        kept_by = KEPT_BY_ARVADOS if here else KEPT_BY_SLURM
    return ArvadosRecords(settings) if kept_by == KEPT_BY_ARVADOS else SlurmRecords(settings)


def check_keeper(settings: Settings) -> Settings:
    """Where the configuration names Slurm as the keeper, ask it once whether it is set up for that. ConfigError, a line
    for each reason, when it is not. The same settings, with what Slurm is found to be where node_records is `auto`.

    No complaint when Slurm is away, for it may come; nor when a name is marked as given: then nodes may be alive, a
    process that ended would leave them to nobody, and the node poll says what is wrong until it is mended."""
    arvados = settings.arvados
    by_slurm = (KEPT_BY_SLURM, KEPT_BY_SLURM_CLOUD)
    if arvados.node_records not in by_slurm and (arvados.host or arvados.node_records != KEPT_BY_AUTO):
        return settings
    slurm = NamesInSlurm(settings.slurm_timeout)
    try:
        setup = setup_of(settings, slurm)
        complaint = slurm.check_rights() if setup.settings.places else None
    except RemoteFailure:
        return settings
    settings = setup.settings
    if any(read_mark(node.comment) is not None for node in setup.shown.values()):
        return settings
    problems = [*refusals(setup), *filter(None, [complaint])]
    if problems:
        raise ConfigError(tuple(f"{settings.path}: Slurm: {problem}" for problem in problems))
    return settings


def setup_of(settings: Settings, slurm: NamesInSlurm) -> SlurmSetup:
    """slurm.conf, asked now, against the settings: with what Slurm is found to be where node_records is `auto`. Raises
    RemoteFailure."""
    shown, config = slurm.shown(), slurm.configuration()
    by_size = names_of_sizes(settings.sizes, shown, settings.daemon.partitions)
    may_be = settings.places or _may_be_cloud(settings, shown, by_size)
    partitions = slurm.partitions() if may_be or "SuspendProgram" in config else {}
    setup = SlurmSetup(settings, config, partitions, shown, names_of(settings, shown), by_size)
    if may_be and not settings.places:
        setup = replace(setup, settings=replace(settings, found_cloud=leaves_suspending_to_us(setup)))
    if setup.settings.places:
        return replace(setup, names=[name for names in by_size.values() for name in names])
    return setup


def _may_be_cloud(settings: Settings, shown: Mapping[str, ShownNode], by_size: Mapping[str, Sequence[str]]) -> bool:
    """Is node_records `auto`, has every name of a size been declared CLOUD, and does no option speak against it?"""
    arvados, daemon = settings.arvados, settings.daemon
    if arvados.node_records != KEPT_BY_AUTO or daemon.node_names or daemon.job_name_pattern or not arvados.slurm_queue:
        return False
    known = [name for names in by_size.values() for name in names if name in shown]
    return bool(known) and all("CLOUD" in shown[name].flags for name in known)
