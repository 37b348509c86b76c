"""The interface of a keeper of node records, and which keeper the configuration asks for."""

from __future__ import annotations

from typing import Protocol

from arvnodeman.arvados.client import client
from arvnodeman.arvados.nodes import ArvadosRecords
from arvnodeman.fleet.messages import RecordPrepared
from arvnodeman.fleet.model import BootIntent, CloudNode, NodeRecord
from arvnodeman.records.names import SlurmRecords
from arvnodeman.settings import KEPT_BY_ARVADOS, KEPT_BY_AUTO, KEPT_BY_SLURM, Settings


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
