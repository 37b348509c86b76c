"""The facts of a site, each part asked for when a check wants it. One thread uses what is made here."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from arvnodeman.arvados.client import client
from arvnodeman.arvados.nodes import ArvadosRecords
from arvnodeman.cloud.base import CloudDriver
from arvnodeman.cloud.registry import make_driver
from arvnodeman.config import ConfigError, Settings
from arvnodeman.config import examine as examine_file
from arvnodeman.config.settings import KEPT_BY_AUTO
from arvnodeman.doctor.base import CannotTell, NotHere
from arvnodeman.doctor.facts import ArvadosFacts, CloudFacts, DaemonFacts, FactPart, Facts, SlurmSetup
from arvnodeman.doctor.wording import in_words
from arvnodeman.examination import machine
from arvnodeman.fleet.values.model import ErrorKind, NodeRecord, RemoteFailure
from arvnodeman.records.advice import held_of
from arvnodeman.records.keeper import RecordKeeper, make_keeper, setup_of
from arvnodeman.records.marks import read_mark
from arvnodeman.records.names import names_of, record_of
from arvnodeman.records.power_saving import names_of_sizes
from arvnodeman.slurm.budgeted import unknown_accounts
from arvnodeman.slurm.keeping import NamesInSlurm
from arvnodeman.slurm.show import ShownNode

T = TypeVar("T")
NO_DAEMON = "no daemon answers"


def _fetched(ask: Callable[[], T]) -> Callable[[], T]:
    """The same, whose failures are told as CannotTell."""

    def fetch() -> T:
        try:
            return ask()
        except RemoteFailure as failure:
            refused = failure.error.kind is ErrorKind.REFUSED
            raise CannotTell(in_words(failure), refused=refused) from None
        except ConfigError as error:
            raise CannotTell(error.problems[0]) from None

    return fetch


@dataclass(frozen=True, slots=True)
class SiteAsker:
    """Asks one site, as one configuration describes it."""

    settings: Settings
    slurm: NamesInSlurm
    now: Callable[[], float] = time.time
    changes: bool = True  # it may give commands that would change something, were they allowed: a dry run's may not

    def facts(self, daemon: Callable[[], DaemonFacts] | None = None, state_dir: str | None = None) -> Facts:
        """All parts, none asked for yet. `daemon`: what the running one knows; raises CannotTell. `state_dir`: where
        it is, if not where the configuration says."""
        settings, state = self.settings, self.settings.daemon.state_dir if state_dir is None else state_dir
        driver = FactPart(_fetched(lambda: make_driver(settings)))
        cloud = FactPart(_fetched(lambda: _cloud(driver())))
        shown: FactPart[Mapping[str, ShownNode]] = FactPart(_fetched(lambda: self._need_slurm().shown()))
        keeper = FactPart(_fetched(lambda: make_keeper(settings)))
        listed = FactPart(_fetched(lambda: _listed(keeper())))
        setup = FactPart(_fetched(lambda: self._setup(listed(), shown())))
        return Facts(
            now=self.now(),
            file=FactPart(lambda: examine_file(settings.path)),
            settings=FactPart.of(settings),
            shown=shown,
            setup=setup,
            rights=FactPart(_fetched(lambda: self._rights() if shown() is not None else None)),
            slurm_version=FactPart(_fetched(self._version)),
            waiting=FactPart(_fetched(self._waiting)),
            working_without_jobs=FactPart(_fetched(lambda: self._need_slurm().working_without_jobs())),
            unknown_accounts=FactPart(_fetched(self._unknown_accounts)),
            resolves=FactPart.of(_resolves),
            cloud=cloud,
            cloud_refusal=FactPart(lambda: _refusal(cloud)),
            offers=FactPart(_fetched(lambda: driver().list_sizes())),
            lookups=FactPart(_fetched(lambda: list(driver().lookups()))),
            records=FactPart(_fetched(lambda: _records(listed(), setup))),
            arvados=FactPart(_fetched(self._arvados)),
            state_dir=FactPart.of(state),
            filesystem=FactPart(lambda: machine.filesystem(state)),
            disks=FactPart(lambda: machine.disks(settings, state)),
            history=FactPart(lambda: machine.history(state)),
            proven=FactPart(lambda: machine.proven(settings, state)),
            unit=FactPart(machine.unit),
            patience=FactPart(lambda: machine.patience(settings.daemon)),
            daemon=FactPart(daemon or _nobody),
        )

    # ---- Slurm -------------------------------------------------------------------------------------------------------

    def _need_slurm(self) -> NamesInSlurm:
        if not self.settings.policy().asks_scheduler:
            raise NotHere("Slurm is not asked")
        return self.slurm

    def _setup(self, listed: Sequence[NodeRecord] | None, shown: Mapping[str, ShownNode]) -> SlurmSetup:
        """Ours are, where Arvados keeps the records, the names that it has given."""
        settings, slurm = self.settings, self._need_slurm()
        config, partitions = slurm.configuration(), slurm.partitions()
        by_size = names_of_sizes(settings.sizes, shown, settings.daemon.partitions)
        names: Sequence[str]
        if listed is not None:
            names = [record.hostname for record in listed if record.hostname and record.hostname in shown]
            if not names:
                raise NotHere("Slurm shows none of the names that Arvados has given")
        elif settings.places:
            names = [name for some in by_size.values() for name in some]
        else:
            names = names_of(settings, shown)
        return SlurmSetup(settings, config, partitions, shown, names, by_size, held_of(shown, names))

    def _rights(self) -> str | None:
        if not self.changes or not self.settings.policy().slurm:
            raise NotHere("Slurm's nodes are not changed here")
        return self._need_slurm().check_rights()

    def _unknown_accounts(self) -> Sequence[str]:
        budgets, slurm = self.settings.budgets, self._need_slurm()
        if not any(budget.accounts for budget in budgets):
            raise NotHere("no budget has accounts")
        return unknown_accounts(budgets, slurm.timeout)

    def _version(self) -> str:
        return self._need_slurm().version()

    def _waiting(self) -> Mapping[str, str]:
        waiting = self._need_slurm().queue()
        return {job.id: job.reason for job in waiting.jobs} | dict(waiting.others)

    # ---- Arvados -----------------------------------------------------------------------------------------------------

    def _arvados(self) -> ArvadosFacts:
        if not self.settings.arvados.host:
            raise NotHere("there is no Arvados")
        try:
            session = client(self.settings)
            user = session.call("users", "current")
        except RemoteFailure as failure:
            if failure.error.kind is not ErrorKind.REFUSED:
                raise
            return ArvadosFacts(refusal=in_words(failure))
        admin = bool(user.get("is_admin")) and user.get("is_active") is not False
        who = str(user.get("email") or user.get("username") or user.get("uuid") or "somebody")
        return ArvadosFacts(user=who, is_admin=admin, clock_offset=session.clock_offset)


def _listed(keeper: RecordKeeper) -> Sequence[NodeRecord] | None:
    """The records of Arvados; None where Slurm keeps them."""
    return keeper.list_records() if isinstance(keeper, ArvadosRecords) else None


def _records(listed: Sequence[NodeRecord] | None, setup: FactPart[SlurmSetup]) -> Sequence[NodeRecord]:
    """Those of Arvados; where Slurm keeps them, what stands on its names."""
    if listed is not None:
        return listed
    shown = setup().shown
    ours = [shown[name] for name in setup().names if name in shown]
    return [record_of(node, read_mark(node.comment), None, free=False) for node in ours]


def _cloud(driver: CloudDriver) -> CloudFacts:
    nodes = driver.list_nodes()
    return CloudFacts(nodes, driver.clock_offset)


def _refusal(cloud: FactPart[CloudFacts]) -> str:
    """Why the cloud does not let us in; '' where it does. Raises CannotTell where it does not answer."""
    try:
        cloud()
    except CannotTell as why:
        if why.refused:
            return str(why)
        raise
    return ""


def _resolves(name: str) -> bool:
    try:
        socket.getaddrinfo(name, None)
    except (OSError, UnicodeError):
        return False
    return True


def slurm_of(settings: Settings) -> NamesInSlurm:
    """Slurm, as this configuration asks it."""
    daemon = settings.daemon
    return NamesInSlurm(
        daemon.slurm_timeout, job_name_pattern=daemon.job_name_pattern, numbered=not settings.arvados.host
    )


def as_found(settings: Settings, slurm: NamesInSlurm) -> Settings:
    """The settings, with what Slurm is found to be where node_records is `auto`; as they are where it does not
    answer."""
    if settings.arvados.host or settings.arvados.node_records != KEPT_BY_AUTO:
        return settings
    try:
        return setup_of(settings, slurm).settings
    except RemoteFailure:
        return settings


def _nobody() -> DaemonFacts:
    raise NotHere(NO_DAEMON)
