"""One node of the configured cloud, from the first request to the last: what `cloud-test` plays, step by step.

Each step is one line with its time. The first that fails ends the trial, with the reason and the option to look at;
whatever happened, a node that was asked for is looked for and destroyed, unless it is to be kept.
"""

from __future__ import annotations

import contextlib
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from arvnodeman.cloud.base import CloudDriver, ping_url
from arvnodeman.config.settings import Settings
from arvnodeman.fleet.messages import RecordPrepared
from arvnodeman.fleet.nodes.node import FIRST_PING_TOLERANCE, host_part, reason_of
from arvnodeman.fleet.sizes.table import SizeTable
from arvnodeman.fleet.values.model import (
    BootIntent,
    CloudNode,
    ErrorKind,
    NodeRecord,
    NodeSize,
    OperatorWord,
    RemoteError,
    RemoteFailure,
    Secret,
    Word,
)
from arvnodeman.fleet.values.work import OUR_SHUTDOWN
from arvnodeman.records.keeper import RecordKeeper
from arvnodeman.slurm.commands import Slurm
from arvnodeman.slurm.errors import NotPermitted, UnknownNode

_T = TypeVar("_T")
_PASSES = frozenset({ErrorKind.TRANSIENT, ErrorKind.THROTTLED})
_CERTAIN = frozenset({ErrorKind.REFUSED, ErrorKind.QUOTA, ErrorKind.CAPACITY, ErrorKind.THROTTLED})  # no node was made
_TRIES = 5  # of a request whose failure may pass
_WORD = OperatorWord(Word.HOLD, "cloud-test")  # a daemon that runs leaves the node alone


class Failed(Exception):
    """A step has failed; the text says why, on one line."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long the trial waits, in seconds, and how."""

    poll_time: float = 2.0  # between two questions
    listed: float = 120.0  # for a change to show in the cloud's list
    built: float = 1800.0  # until the cloud has made the node
    ping: float = 1800.0
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic


@dataclass(slots=True)
class Trial:
    """One trial. `keeper`: where the node gets its record, for a trial that waits for its ping; else it has a made-up
    one. `slurm`: which such a node joins."""

    settings: Settings
    driver: CloudDriver
    say: Callable[[str], None]
    keeper: RecordKeeper | None = None
    slurm: Slurm | None = None
    keep: bool = False
    patience: Patience = field(default_factory=Patience)
    _token: str = field(default_factory=lambda: f"cloud-test-{_letters(12)}")
    _prepared: RecordPrepared | None = None
    _size: NodeSize | None = None
    _asked: bool = False  # a create request was sent
    _node: CloudNode | None = None

    def run(self, size: str | None) -> bool:
        """Play it with a node of this [Size NAME], or of the cheapest. True when every step went well."""
        good = False
        try:
            self._step("credentials", self._check_credentials)
            self._check_lookups()
            self._step("sizes", lambda: self._choose(size))
            self._step("record", self._take_record)
            self._step("create", self._create)
            self._step("listed", self._wait_until_listed)
            self._step("tags", self._write_tags)
            if self.keeper is not None:
                self._step("ping", self._wait_for_ping)
            good = True
        except Failed:
            pass
        finally:
            cleaned = self._clean_up()
        return good and cleaned

    # ---- steps: each answers what it has found, in words -------------------------------------------------------------

    def _check_credentials(self) -> str:
        return f"{len(self._patiently(self.driver.list_nodes))} node(s) with our tags"

    def _check_lookups(self) -> None:
        for option, lookup in self.driver.lookups():
            self._step(option, lambda lookup=lookup: self._checked(lookup))  # type: ignore[misc]  # bound now

    def _checked(self, lookup: Callable[[], str]) -> str:
        try:
            return self._patiently(lookup)
        except RemoteFailure as failure:
            error = failure.error
            if error.kind is ErrorKind.REFUSED and not error.hint.startswith("[Cloud Create]"):
                return f"not looked at, there is no permission to ({error.text})"
            raise

    def _choose(self, name: str | None) -> str:
        offers = self._patiently(self.driver.list_sizes)
        table = SizeTable(self.settings.sizes, offers, self.settings.daemon.node_mem_scaling)
        wrong = [
            f"[Size {each.id}] instance_type {each.instance_type}: {each.problem}"
            + (f"; the nearest are {', '.join(each.nearest)}" if each.nearest else "")
            for each in table.missing
        ]
        if wrong:
            raise Failed("; ".join(wrong))
        size = table.cheapest_first[0] if name is None else table.by_id.get(name)
        if size is None:
            raise Failed(f"there is no [Size {name}]; there are: {', '.join(table.by_id)}")
        self._size = size
        return (
            f"{len(table.by_id)} configured, all offered; taking {size.id} ({size.provider_id}, ${size.price:g}/hour)"
        )

    def _take_record(self) -> str:
        assert self._size is not None
        if self.keeper is None:
            uuid = f"{_cluster(self.settings)}-7ekkf-{_letters(15)}"
            self._prepared = RecordPrepared(
                NodeRecord(uuid, hostname=f"cloud-test-{_letters(6)}"), Secret(_letters(40))
            )
            return f"made up, {self._prepared.record.fqdn}: its pings will be refused"
        intent = BootIntent(self._size.id, self._size.price, self._token, time.time())
        keeper = self.keeper
        name = self._free_name(self._patiently(keeper.list_records))
        self._prepared = self._patiently(lambda: keeper.prepare(intent, name))
        return f"{self._prepared.record.uuid}, {self._prepared.record.fqdn}"

    def _free_name(self, records: tuple[NodeRecord, ...]) -> str | None:
        """Where records are names: the last that may be taken, since a daemon takes the first. Else None."""
        assert self._size is not None
        carried = {host_part(node) for node in self._patiently(self.driver.list_nodes)}
        wanted = set(self._size.partitions)
        free = [record for record in records if record.free and not record.reserved and record.hostname not in carried]
        fit = [record.uuid for record in free if not wanted or not wanted.isdisjoint(record.partitions)]
        return fit[-1] if fit else None

    def _create(self) -> str:
        assert self._size is not None
        assert self._prepared is not None
        size, record = self._size, self._prepared.record
        url = ping_url(self.settings, record.uuid, self._prepared.ping_secret)
        uncertain = False
        for left in reversed(range(_TRIES)):
            self._asked = True
            try:
                self._node = self.driver.create_node(size, record, self._token, url)
                break
            except RemoteFailure as failure:
                uncertain = uncertain or failure.error.kind not in _CERTAIN
                self._asked = uncertain
                if failure.error.kind not in _PASSES or not left:
                    raise
                self._wait(failure.error)
                self._node = self._patiently(lambda: self.driver.find_node(size, record, self._token))
                if self._node is not None:
                    break
        assert self._node is not None
        node = self._node
        self._patiently(lambda: self.driver.finish_node(node, record))
        return f"{node.id}, {node.name}"

    def _wait_until_listed(self) -> str:
        listed = self._until(self._listed, self.patience.listed, "it is not in the cloud's list")
        size = self._size.id if self._size else ""
        if listed.size_tag != size:
            raise Failed(f"it is listed with the size tag {listed.size_tag!r}, not {size!r}")
        listed = self._until(self._built, self.patience.built, "the cloud is still making it")
        return f"as {listed.provider_size or 'a node'}, address {listed.address or 'none yet'}"

    def _built(self) -> CloudNode | None:
        """The node, once the cloud has made it. Raises Failed with the cloud's words where it could not."""
        node = self._listed()
        if node is not None and node.failed:
            raise Failed(f"the cloud calls it failed: {node.fault or 'it does not say why'}")
        return None if node is None or node.building else node

    def _write_tags(self) -> str:
        assert self._node is not None
        assert self._prepared is not None
        node, fqdn = self._node, self._prepared.record.fqdn or ""
        self._patiently(lambda: self.driver.sync_fqdn(node, fqdn))
        self._patiently(lambda: self.driver.set_word(node, _WORD))

        def written() -> bool:
            seen = self._listed()
            return seen is not None and seen.word == _WORD and seen.fqdn == fqdn

        self._until(written, self.patience.listed, "what was written is not in the cloud's list")
        return "FQDN and an operator's word written and read back"

    def _wait_for_ping(self) -> str:
        assert self._node is not None
        assert self._prepared is not None
        assert self.keeper is not None
        node, uuid, keeper = self._node, self._prepared.record.uuid, self.keeper

        def pinged() -> NodeRecord | None:
            record = next((each for each in self._patiently(keeper.list_records) if each.uuid == uuid), None)
            if record is None or (record.is_name and self._describe(record, keeper)):
                return None
            return record if record.first_ping_at is not None and not _is_older(record, node) else None

        record = self._until(pinged, self.patience.ping, "it has not pinged")
        if record.instance_id != node.report_id:
            raise Failed(f"it pings as {record.instance_id!r}, and the cloud calls it {node.report_id!r}: no pairing")
        return f"as {record.instance_id}"

    def _describe(self, record: NodeRecord, keeper: RecordKeeper) -> bool:
        """Tell the keeper which node has the name and where that is, as the daemon does. False when it knows."""
        node = self._listed()
        if node is None or (record.instance_id == node.report_id and node.address in (None, record.address)):
            return False
        self._patiently(lambda: keeper.describe(record.uuid, node))
        return True

    # ---- clean-up ----------------------------------------------------------------------------------------------------

    def _clean_up(self) -> bool:
        """Destroy what was made. True when nothing is left, or what was to be kept."""
        try:
            if self._asked and self._node is None:
                self._step("clean-up", self._find_lost)
            if self._node is not None and self.keep:
                self.say(f"kept: {self._node.id}; destroy it yourself, its word `{_WORD.word}` keeps a daemon from it")
                return True
            if self._node is not None:
                self._step("destroy", self._destroy)
                self._step("nothing left", self._find_left_over)
            if self.keeper is not None and self._prepared is not None:
                self._step("release", self._release)
        except Failed:
            if self._node is not None:
                self.say(f"LEFT BEHIND: {self._node.id} ({self._node.name}): destroy it at the cloud")
            return False
        return True

    def _find_lost(self) -> str:
        """The create request failed; it may have made a node that shows late."""
        for _ in range(_TRIES):
            self._node = self._listed()
            if self._node is not None:
                return f"the failed request had made {self._node.id}"
            self.patience.sleep(self.patience.poll_time)
        return "the failed request has made no node"

    def _destroy(self) -> str:
        assert self._node is not None
        assert self._prepared is not None
        node, hostname = self._node, self._prepared.record.hostname or ""
        if self.slurm is not None:
            self._empty(self.slurm, hostname, node)
        for left in reversed(range(_TRIES)):
            try:
                self.driver.destroy_node(node)
                break
            except RemoteFailure as failure:
                if self._patiently(lambda: self.driver.fetch_node(node)) is None:
                    break
                if failure.error.kind not in _PASSES or not left:
                    raise
                self._wait(failure.error)
        return node.id

    def _empty(self, slurm: Slurm, hostname: str, node: CloudNode) -> None:
        """Let no job begin on it, and see that none is there. Raises Failed."""
        jobs = 0
        with contextlib.suppress(UnknownNode):
            with contextlib.suppress(NotPermitted):  # not ours to drain: then a look must do
                self._patiently(lambda: slurm.drain(hostname, reason_of(OUR_SHUTDOWN, node)))
            jobs = self._patiently(lambda: slurm.jobs_on(hostname))
        if jobs:
            with contextlib.suppress(NotPermitted):
                self._patiently(lambda: slurm.resume(hostname))
            raise Failed(f"Slurm runs {jobs} job(s) on {hostname}: take the word away and leave the node to the daemon")

    def _find_left_over(self) -> str:
        def gone() -> bool:
            return self._listed() is None

        self._until(gone, self.patience.listed, "it is still in the cloud's list")
        return "no node of this trial is listed"

    def _release(self) -> str:
        assert self.keeper is not None
        assert self._prepared is not None
        keeper, uuid, node = self.keeper, self._prepared.record.uuid, self._node
        hostname, slurm = self._prepared.record.hostname, self.slurm
        if slurm is not None and node is not None and hostname:
            with contextlib.suppress(UnknownNode, NotPermitted):
                self._patiently(lambda: slurm.set_down(hostname, reason_of(OUR_SHUTDOWN, node)))
        self._patiently(lambda: keeper.release(uuid, "cloud-test"))
        return uuid

    # ---- inside ------------------------------------------------------------------------------------------------------

    def _listed(self) -> CloudNode | None:
        nodes = self._patiently(self.driver.list_nodes)
        return next((node for node in nodes if node.token == self._token), None)

    def _step(self, name: str, act: Callable[[], str]) -> None:
        """Do it and say how it went. Raises Failed."""
        start = self.patience.clock()
        try:
            found = act()
        except (RemoteFailure, Failed) as failure:
            hint = (
                f" (look at {failure.error.hint})" if isinstance(failure, RemoteFailure) and failure.error.hint else ""
            )
            self.say(_line(name, "FAILED", self.patience.clock() - start, f"{failure}{hint}"))
            raise Failed(str(failure)) from None
        self.say(_line(name, "ok", self.patience.clock() - start, found))

    def _patiently(self, ask: Callable[[], _T]) -> _T:
        """Ask, again where a failure may pass. Raises RemoteFailure."""
        for _ in range(_TRIES - 1):
            try:
                return ask()
            except RemoteFailure as failure:
                if failure.error.kind not in _PASSES:
                    raise
                self._wait(failure.error)
        return ask()

    def _wait(self, error: RemoteError) -> None:
        self.patience.sleep(error.retry_after or self.patience.poll_time)

    def _until(self, ask: Callable[[], _T | None], longest: float, otherwise: str) -> _T:
        """Look until there is something. Raises Failed after so many seconds."""
        end = self.patience.clock() + longest
        while not (found := ask()):
            if self.patience.clock() >= end:
                raise Failed(f"{otherwise} after {longest:g} s")
            self.patience.sleep(self.patience.poll_time)
        return found


def _is_older(record: NodeRecord, node: CloudNode) -> bool:
    """The slurmd that Slurm knows by the name is an earlier node's."""
    first, start = record.first_ping_at, node.start_time
    return record.is_name and first is not None and start is not None and first < start - FIRST_PING_TOLERANCE


def orphans(nodes: tuple[CloudNode, ...], records: tuple[NodeRecord, ...]) -> list[CloudNode]:
    """The nodes that no record knows: by the id that the node reports, or, until it has pinged, by the boot's token,
    its name or its FQDN."""
    instances = {record.instance_id for record in records}
    tokens = {record.intent.token for record in records if record.intent is not None}
    waiting = [record for record in records if record.instance_id is None]
    names = {name for record in waiting for name in (record.fqdn, record.node_name) if name}
    return [
        node
        for node in nodes
        if node.report_id not in instances and node.token not in tokens and names.isdisjoint((node.name, node.fqdn))
    ]


def in_words(failure: Exception) -> str:
    """What has failed, and the option to look at."""
    hint = failure.error.hint if isinstance(failure, RemoteFailure) else ""
    return f"{failure} (look at {hint})" if hint else str(failure)


def _line(name: str, how: str, seconds: float, words: str) -> str:
    return f"{name:<16} {how:<6} {seconds:7.1f} s  {words}"


def _letters(count: int) -> str:
    return "".join(secrets.choice("abcdefghijklmnopqrstuvwxyz0123456789") for _ in range(count))


def _cluster(settings: Settings) -> str:
    """The cluster's five letters, as far as the API server's name tells them."""
    found = re.match(r"(?:https?://)?([a-z0-9]{5})\.", settings.arvados.host)
    return found.group(1) if found else "xxxxx"
