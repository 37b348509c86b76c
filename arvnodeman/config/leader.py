"""The options of [Leader]: which of several hosts acts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from arvnodeman.config.cloud_options import TIMEOUT
from arvnodeman.config.kinds import NUMBER, SECRET, TEXT, choice
from arvnodeman.config.option import ARVADOS, CREDENTIALS, LEADER, option, option_of, section
from arvnodeman.fleet.values.leading import LeaderBackend
from arvnodeman.fleet.values.model import Secret

if TYPE_CHECKING:
    from arvnodeman.config.settings import Settings

TENTH = 10.0  # margin and timeout are this part of ttl where the file does not say
LONGEST_NAME = 200  # characters: a key of PostgreSQL's, a node of ZooKeeper's, and what people read
SHARE_OF_MARGIN, SHARE_OF_TIMEOUT = 4.0, 6.0  # they are this part of ttl at most
S = "seconds"


def _tenth(given: Settings) -> float:
    return given.leader.ttl / TENTH


@section(LEADER)
class LeaderSettings:
    """[Leader]. Times are seconds."""

    backend: LeaderBackend = option(
        choice(*LeaderBackend),
        LeaderBackend.HOST,
        "What decides which manager acts. `host`: there is only this host; its kernel lets one manager run, and that "
        "one acts. With the others a manager on another host stands by, and acts within ttl + 5 s after this one has "
        "stopped. `slurm`: the manager on the host of the acting slurmctld. `postgresql`, `zookeeper`: the manager "
        "that holds a row, or a node, there.",
    )
    name: str = option(
        TEXT,
        "",
        "What is led: of the managers with the same name, one acts. Empty: the API server as HOST:PORT. Required if "
        "there is none and backend is postgresql or zookeeper.",
    )
    this_host: str = option(
        TEXT,
        "",
        "The name of this host, shown to people who ask who leads; with backend = slurm, its name in SlurmctldHost of "
        "slurm.conf. Empty: the host's own name.",
    )
    ttl: float = option(
        NUMBER,
        "60",
        "How long the lead lasts without being renewed. It is renewed after a third of this time. After half of it no "
        "node is requested any more, and from margin before its end nothing is sent at all.",
        S,
        low=1,
        high=86_400,
    )
    margin: float = option(
        NUMBER,
        "",
        "How long before the end of ttl nothing is sent any more. It allows for clocks that run at different speeds, "
        "and for requests that leave late. Empty: a tenth of ttl.",
        S,
        low=0.1,
        otherwise=_tenth,
    )
    timeout: float = option(
        NUMBER,
        "",
        "The longest wait for one answer of the backend. Empty: a tenth of ttl.",
        S,
        above=0,
        otherwise=_tenth,
    )
    database: Secret = option(
        SECRET,
        "",
        "Where the database is, as a connection string or URL of libpq: `host=db dbname=arvados user=nodemanager`. "
        "Required with backend = postgresql.",
    )
    servers: str = option(
        TEXT, "", "Where ZooKeeper is: `zk1:2181,zk2:2181,zk3:2181`. Required with backend = zookeeper."
    )

    @property
    def elects(self) -> bool:
        """May another manager lead, while this one stands by?"""
        return self.backend is not LeaderBackend.HOST

    @property
    def longest_request(self) -> float | None:
        """Seconds that a request which changes something may take: begun at half of ttl it is over before margin. None:
        as long as it likes."""
        return self.ttl / 2 - self.margin if self.elects else None


def mistakes_of_leader(settings: Settings) -> Iterator[tuple[str, str, str]]:
    """What does not go together: section, option, and what is wrong with it. `settings` with defaults filled in."""
    leader = settings.leader
    if not leader.elects:
        return
    too_long = list(_too_long(leader))
    for option_, wrong in (*_missing(settings), *_long_names(leader), *too_long):
        yield LEADER, option_, wrong
    if too_long:  # what may be left for a request cannot be told
        return
    most = leader.longest_request or 0.0
    if settings.arvados.host and settings.arvados.timeout > most:
        yield ARVADOS, option_of(LeaderSettings.timeout).name, _does_not_fit(settings.arvados.timeout, leader, most)
    given = settings.cloud.credentials.get(TIMEOUT.key)
    if given is not None and (seconds := _seconds(given)) is not None and seconds > most:
        yield CREDENTIALS, TIMEOUT.name, _does_not_fit(seconds, leader, most)


def _missing(settings: Settings) -> Iterator[tuple[str, str]]:
    leader = settings.leader
    if leader.backend is LeaderBackend.POSTGRESQL:
        where, given = option_of(LeaderSettings.database), bool(leader.database)
    elif leader.backend is LeaderBackend.ZOOKEEPER:
        where, given = option_of(LeaderSettings.servers), bool(leader.servers)
    else:
        return
    if not given:
        yield where.name, f"missing; required with backend = {leader.backend}: {where.allowed}"
    if not (leader.name or settings.arvados.host):
        name = option_of(LeaderSettings.name).name
        yield name, f"missing; required with backend = {leader.backend} where there is no [Arvados] host: text"


def _long_names(leader: LeaderSettings) -> Iterator[tuple[str, str]]:
    for declared, name in ((LeaderSettings.name, leader.name), (LeaderSettings.this_host, leader.this_host)):
        if len(name) > LONGEST_NAME:
            yield option_of(declared).name, f"has {len(name)} characters; allowed: at most {LONGEST_NAME}"


def _too_long(leader: LeaderSettings) -> Iterator[tuple[str, str]]:
    """What leaves too little of ttl."""
    if leader.margin > leader.ttl / SHARE_OF_MARGIN:
        allowed = f"at most a quarter of ttl, {leader.ttl / SHARE_OF_MARGIN:g}"
        yield option_of(LeaderSettings.margin).name, f"{leader.margin:g} is too large; allowed: {allowed}"
    if leader.timeout > leader.ttl / SHARE_OF_TIMEOUT:
        allowed = f"at most a sixth of ttl, {leader.ttl / SHARE_OF_TIMEOUT:g}, so that one answer may fail to come"
        yield option_of(LeaderSettings.timeout).name, f"{leader.timeout:g} is too large; allowed: {allowed}"


def _does_not_fit(seconds: float, leader: LeaderSettings, most: float) -> str:
    return (
        f"{seconds:g} is too large with [Leader] ttl = {leader.ttl:g}: a request must be over before the lead ends; "
        f"allowed: at most {most:g}, half of ttl less margin"
    )


def _seconds(text: Secret) -> float | None:
    """Where it is no number, that is told elsewhere."""
    try:
        return float(text.reveal())
    except ValueError:
        return None
