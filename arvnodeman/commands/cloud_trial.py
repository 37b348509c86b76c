"""One node of the configured cloud, from the first request to the last: what `cloud-test` plays, step by step.

Its boot and its end are the daemon's own: a brain drives them, on a World where only this node is to be seen. Each step
is one line with its time. The first that fails ends the trial, with the reason and the option to look at; whatever
happened, a node that was asked for is looked for and destroyed, unless it is to be kept.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TypeVar

from arvnodeman.cloud.base import CloudDriver
from arvnodeman.commands.trial_daemon import PASSES, TRIES, Failed, Patience, TrialDaemon
from arvnodeman.commands.trial_world import RELEASED, MadeUpRecords, TrialWorld
from arvnodeman.config.settings import Settings
from arvnodeman.doctor.checks import types_not_offered
from arvnodeman.doctor.checks.cloud_options import checked
from arvnodeman.doctor.wording import in_words
from arvnodeman.fleet.nodes.node import host_part
from arvnodeman.fleet.nodes.stamps import pinged_by
from arvnodeman.fleet.sizes.table import SizeTable
from arvnodeman.fleet.values.model import (
    BootIntent,
    CloudNode,
    Directive,
    NodeRecord,
    NodeSize,
    OperatorDirective,
    Policy,
    RemoteFailure,
)
from arvnodeman.records.keeper import RecordKeeper
from arvnodeman.slurm.keeping import NamesInSlurm

_T = TypeVar("_T")
_KEEP = OperatorDirective(Directive.HOLD, "cloud-test")  # a daemon that runs leaves the node alone
LONGEST_WAIT = 30.0  # seconds between two tries of the brain
FOR_EVER = 1e9  # seconds


@dataclass(slots=True)
class Trial:
    """One trial. `keeper`: where the node gets its record, for a trial that waits for its ping; else it has a made-up
    one. `slurm`: which such a node joins."""

    settings: Settings
    driver: CloudDriver
    say: Callable[[str], None]
    keeper: RecordKeeper | None = None
    slurm: NamesInSlurm | None = None
    keep: bool = False
    patience: Patience = field(default_factory=Patience)
    _size: NodeSize | None = None
    _world: TrialWorld = field(init=False)
    _daemon: TrialDaemon | None = None

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

    # ---- questions, before a brain lives -----------------------------------------------------------------------------

    def _check_credentials(self) -> str:
        return f"{len(self._patiently(self.driver.list_nodes))} node(s) with our tags"

    def _check_lookups(self) -> None:
        for option, lookup in self.driver.lookups():
            self._step(option, lambda lookup=lookup: checked(lambda: self._patiently(lookup)))  # type: ignore[misc]  # bound now

    def _choose(self, name: str | None) -> str:
        offers = self._patiently(self.driver.list_sizes)
        table = SizeTable(self.settings.sizes, offers, self.settings.daemon.node_mem_scaling)
        if table.missing:
            raise Failed("; ".join(types_not_offered.judge(table)))
        size = table.cheapest_first[0] if name is None else table.by_id.get(name)
        if size is None:
            raise Failed(f"there is no [Size {name}]; there are: {', '.join(table.by_id)}")
        self._size = size
        return (
            f"{len(table.by_id)} configured, all offered; taking {size.id} ({size.provider_id}, ${size.price:g}/hour)"
        )

    # ---- steps that the brain takes: each answers what has come of it, in words --------------------------------------

    def _take_record(self) -> str:
        assert self._size is not None
        began, wall = self.patience.clock(), time.time()

        def now() -> float:
            return wall + self.patience.clock() - began

        keeper = self.keeper or MadeUpRecords(self.settings)
        self._world = TrialWorld(self.settings, self.driver, keeper, self.slurm, self._size, now)
        if self.keeper is not None:
            self._offer_name(self.keeper)
        self._daemon = TrialDaemon(self._policy(self._size), self._world, self.patience, now)
        prepared = self._live(lambda: self._world.prepared, self.patience.listed, "there is no record for it")
        if self.keeper is None:
            return f"made up, {prepared.record.fqdn}: its pings will be refused"
        return f"{prepared.record.uuid}, {prepared.record.fqdn}"

    def _policy(self, size: NodeSize) -> Policy:
        """The site's, for one node of one size, which goes when that is said."""
        policy = self.settings.policy()
        return replace(
            policy,
            sections=tuple(section for section in policy.sections if section.id == size.id),
            shutdown_windows=(0.0, 60.0),
            min_nodes=0,
            max_nodes=1,
            max_total_price=0.0,
            max_poll_time=min(policy.max_poll_time, LONGEST_WAIT),
            poll_stale_after=FOR_EVER,
            boot_fail_after=FOR_EVER,  # the trial has its own patience
            node_stale_after=FOR_EVER,
            drain_poll_time=self.patience.poll_time,
            use_within=FOR_EVER,
            cancel_unsatisfiable=False,
            explain_unsatisfiable=False,
            places=False,  # nobody places a job on what is made up here
            slurm=self.slurm is not None,
            asks_scheduler=self.slurm is not None,
        )

    def _offer_name(self, keeper: RecordKeeper) -> None:
        """Where records are names: the last that may be taken, since a daemon takes the first."""
        assert self._size is not None
        records = self._patiently(keeper.list_records)
        if not any(record.is_name for record in records):
            return
        carried = {host_part(node) for node in self._patiently(self.driver.list_nodes)}
        wanted = set(self._size.partitions)
        free = [record for record in records if record.free and not record.reserved and record.hostname not in carried]
        fit = [record for record in free if not wanted or not wanted.isdisjoint(record.partitions)]
        if not fit:  # the keeper says why
            keeper.prepare(BootIntent(self._size.id, self._size.price, "cloud-test", time.time()), None)
        self._world.offered = fit[-1] if fit else None

    def _create(self) -> str:
        node = self._live(self._made, self.patience.created, "the cloud has not made it")
        return f"{node.id}, {node.name}"

    def _made(self) -> CloudNode | None:
        """The node, once its boot has ended."""
        assert self._daemon is not None
        return self._world.node if self._daemon.rests else None

    def _wait_until_listed(self) -> str:
        listed = self._live(lambda: self._world.listed, self.patience.listed, "it is not in the cloud's list")
        size = self._size.id if self._size else ""
        if listed.size_tag != size:
            raise Failed(f"it is listed with the size tag {listed.size_tag!r}, not {size!r}")
        listed = self._live(self._built, self.patience.built, "the cloud is still making it")
        return f"as {listed.provider_size or 'a node'}, address {listed.address or 'none yet'}"

    def _built(self) -> CloudNode | None:
        """The node, once the cloud has made it. Raises Failed with the cloud's words where it could not."""
        node = self._world.listed
        if node is not None and node.failed:
            raise Failed(f"the cloud calls it failed: {node.fault or 'it does not say why'}")
        return None if node is None or node.building else node

    def _write_tags(self) -> str:
        node, prepared = self._world.node, self._world.prepared
        assert node is not None
        assert prepared is not None
        fqdn = prepared.record.fqdn or ""
        self._patiently(lambda: self.driver.sync_fqdn(node, fqdn))
        self._patiently(lambda: self.driver.set_directive(node, _KEEP))

        def written() -> bool:
            seen = self._world.listed
            return seen is not None and seen.directive == _KEEP and seen.fqdn == fqdn

        self._live(written, self.patience.listed, "what was written is not in the cloud's list")
        return "FQDN and an operator directive written and read back"

    def _wait_for_ping(self) -> str:
        node = self._world.node
        assert node is not None

        def pinged() -> NodeRecord | None:
            record = self._world.record
            if record is None or (record.is_name and record.instance_id != node.report_id):
                return None
            return record if record.first_ping_at is not None and not _is_older(record, node) else None

        record = self._live(pinged, self.patience.ping, "it has not pinged")
        if record.instance_id != node.report_id:
            raise Failed(f"it pings as {record.instance_id!r}, and the cloud calls it {node.report_id!r}: no pairing")
        return f"as {record.instance_id}"

    # ---- clean-up ----------------------------------------------------------------------------------------------------

    def _clean_up(self) -> bool:
        """Destroy what was made. True when nothing is left, or what was to be kept."""
        if self._daemon is None:
            return True
        world, good = self._world, True
        self._daemon.begin()
        try:
            if world.node is not None and self.keep:
                self.say(
                    f"kept: {world.node.id}; destroy it yourself; its directive `{_KEEP.directive}` keeps a daemon "
                    "from destroying it"
                )
                return True
            world.ending = True
            if world.asked and world.node is None:
                self._step("clean-up", self._find_lost)
            if world.node is not None:
                self._step("destroy", self._destroy)
                self._step("nothing left", self._find_left_over)
            if self.keeper is not None and world.prepared is not None:
                self._step("release", self._release)
        except Failed:
            if world.node is not None:
                self.say(f"LEFT BEHIND: {world.node.id} ({world.node.name}): destroy it at the cloud")
            good = False
        return good

    def _find_lost(self) -> str:
        """The create request failed; it may have made a node that shows late."""
        try:
            node = self._live(lambda: self._world.listed, TRIES * self.patience.poll_time, "")
        except Failed:
            return "the failed request has made no node"
        return f"the failed request had made {node.id}"

    def _destroy(self) -> str:
        node, daemon = self._world.node, self._daemon
        assert node is not None
        assert daemon is not None
        self._live(lambda: daemon.knows(node.id), self.patience.listed, "the brain does not know it")
        daemon.say(node.id, Directive.DRAIN)
        self._live(lambda: self._world.destroyed or self._world.jobs, self.patience.destroyed, "it is still there")
        if self._world.jobs:
            self._leave(node)
        return node.id

    def _leave(self, node: CloudNode) -> None:
        """It works: its drain is taken back. Raises Failed."""
        daemon, prepared = self._daemon, self._world.prepared
        assert daemon is not None
        assert prepared is not None
        daemon.say(node.id, Directive.HOLD)
        self._live(lambda: daemon.rests, self.patience.listed, "its drain is not taken back")
        jobs, hostname = self._world.jobs, prepared.record.hostname
        raise Failed(f"Slurm runs {jobs} job(s) on {hostname}: remove the directive and leave the node to the daemon")

    def _find_left_over(self) -> str:
        def gone() -> bool:
            return self._world.listed is None

        self._world.listed = self._world.listed or self._world.node  # until the next list
        self._live(gone, self.patience.listed, "it is still in the cloud's list")
        return "no node of this trial is listed"

    def _release(self) -> str:
        keeper, prepared, daemon = self.keeper, self._world.prepared, self._daemon
        assert keeper is not None
        assert prepared is not None
        assert daemon is not None
        uuid = prepared.record.uuid
        self._live(lambda: daemon.rests, self.patience.listed, "its end is still under way")
        if not self._world.released:
            self._patiently(lambda: keeper.release(uuid, RELEASED))
        return uuid

    # ---- inside ------------------------------------------------------------------------------------------------------

    def _live(self, ask: Callable[[], _T | None], longest: float, otherwise: str) -> _T:
        assert self._daemon is not None
        return self._daemon.until(ask, longest, otherwise)

    def _step(self, name: str, act: Callable[[], str]) -> None:
        """Do it and say how it went. Raises Failed."""
        start = self.patience.clock()
        try:
            found = act()
        except (RemoteFailure, Failed) as failure:
            self.say(_line(name, "FAILED", self.patience.clock() - start, in_words(failure)))
            raise Failed(str(failure)) from None
        self.say(_line(name, "ok", self.patience.clock() - start, found))

    def _patiently(self, ask: Callable[[], _T]) -> _T:
        """A question, or a mark, that no brain asks for: again where a failure may pass. Raises RemoteFailure."""
        for _ in range(TRIES - 1):
            try:
                return ask()
            except RemoteFailure as failure:
                if failure.error.kind not in PASSES:
                    raise
                self.patience.sleep(failure.error.retry_after or self.patience.poll_time)
        return ask()


def _is_older(record: NodeRecord, node: CloudNode) -> bool:
    """The slurmd that Slurm knows by the name is an earlier node's."""
    return record.is_name and record.first_ping_at is not None and not pinged_by(record, node)


def _line(name: str, how: str, seconds: float, words: str) -> str:
    return f"{name:<16} {how:<6} {seconds:7.1f} s  {words}"
