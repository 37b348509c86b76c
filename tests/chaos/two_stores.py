"""The stores by which two managers agree on who leads: real servers, one for each process that plays."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from postgresql_stage import PostgresqlStage
from zookeeper_stage import ZookeeperStage


class PairStore(Protocol):
    """One server on a port of its own."""

    port: int

    def leader_options(self, port: int) -> dict[str, object]:
        """Options of [Leader] that lead there, by this port."""

    def kill(self) -> None:
        """SIGKILL."""

    def start_empty(self) -> None:
        """Start it with nothing of what it knew."""

    def end(self) -> None:
        """For good."""


class PostgresqlStore(PostgresqlStage):
    """A real PostgreSQL."""

    def leader_options(self, port: int) -> dict[str, object]:
        return {"backend": "postgresql", "database": self.dsn(port)}


class ZookeeperStore(ZookeeperStage):
    """A real ZooKeeper."""

    def leader_options(self, port: int) -> dict[str, object]:
        return {"backend": "zookeeper", "servers": f"127.0.0.1:{port}"}


STORES: dict[str, type[PostgresqlStore | ZookeeperStore]] = {
    "postgresql": PostgresqlStore,
    "zookeeper": ZookeeperStore,
}


def start_store(kind: str, folder: Path) -> PostgresqlStore | ZookeeperStore:
    """Start one of this kind; others must be let into the folder, for root's PostgreSQL runs as another account."""
    folder.chmod(0o755)
    (place := folder / kind).mkdir()
    return STORES[kind](place)
