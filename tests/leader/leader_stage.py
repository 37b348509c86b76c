"""What the contract test of the leader's backends needs of each: a store, and processes that want to lead by it."""

from __future__ import annotations

import contextlib
import itertools
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from postgresql_stage import PostgresqlStage
from store_process import until
from tcp_proxy import TcpProxy
from zookeeper_stage import ZookeeperStage

from arvnodeman.leader.claimant import Claimant
from arvnodeman.leader.port import Hold, Leadership, NotTheLeader, StoreAway
from arvnodeman.leader.postgresql import PostgresqlLeadership
from arvnodeman.leader.zookeeper import ZookeeperLeadership

TTL, TIMEOUT = 2.0, 1.0


class Server(Protocol):
    """A real store."""

    port: int

    def start(self) -> None: ...
    def start_empty(self) -> None: ...
    def kill(self) -> None: ...


@dataclass
class Contender:
    """A process that wants to lead, and its own way to the store."""

    leadership: Leadership
    proxy: TcpProxy
    close: Callable[[], None]

    def take(self, at_least: int = 0, bound: float = 60.0) -> Hold:
        """Try until it leads."""
        found: list[Hold] = []

        def tried() -> bool:
            with contextlib.suppress(StoreAway):
                found.extend(filter(None, [self.leadership.take(at_least)]))
            return bool(found)

        until(tried, "to take the lead", bound)
        return found[0]

    def loses(self) -> str:
        """Hold on until it is told that it does not lead; what it is told."""
        said: list[str] = []

        def told() -> bool:
            try:
                self.leadership.hold()
            except NotTheLeader as error:
                said.append(str(error))
            except StoreAway:
                pass
            return bool(said)

        until(told, "to lose the lead")
        return said[0]


class LeaderStage:
    """One store, and contenders each with a proxy before it. `kind`: postgresql or zookeeper."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.kind = kind
        self.server: PostgresqlStage | ZookeeperStage = (
            PostgresqlStage(folder) if kind == "postgresql" else ZookeeperStage(folder)
        )
        self._numbers = itertools.count()
        self.contenders: list[Contender] = []
        self.cluster = ""
        self.new_cluster()

    def new_cluster(self) -> None:
        """One in which nobody has led."""
        self.cluster = f"api.test/{next(self._numbers)}:443"

    def contender(
        self, name: str = "a", *, domain: str = "", ttl: float = TTL, clock: Callable[[], float] = time.monotonic
    ) -> Contender:
        """Another process; of another host unless the domain says otherwise."""
        proxy = TcpProxy(self.server.port)
        claimant = Claimant(f"{name}:1", domain, f"{name}-{next(self._numbers)}")
        made: PostgresqlLeadership | ZookeeperLeadership
        if isinstance(self.server, PostgresqlStage):
            dsn = self.server.dsn(proxy.port)
            made = PostgresqlLeadership(dsn, self.cluster, claimant, ttl=ttl, timeout=TIMEOUT, clock=clock)
        else:
            hosts = f"127.0.0.1:{proxy.port}"
            made = ZookeeperLeadership(hosts, self.cluster, claimant, ttl=ttl, timeout=TIMEOUT, clock=clock)
        new = Contender(made, proxy, made.close)
        self.contenders.append(new)
        return new

    def freeze(self) -> None:
        """The server hangs."""
        self.server.server.send(signal.SIGSTOP)

    def thaw(self) -> None:
        """It goes on."""
        self.server.server.send(signal.SIGCONT)

    def clean(self) -> None:
        """After a test: a server that runs, and no contenders."""
        self.thaw()
        if self.server.server.process.poll() is not None:
            self.server.start()
        for each in self.contenders:
            each.proxy.cut()
            each.close()
            each.proxy.close()
        self.contenders.clear()

    def end(self) -> None:
        """Stop the server."""
        self.server.end()
