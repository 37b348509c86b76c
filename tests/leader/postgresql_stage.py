"""A real PostgreSQL of the tests' own."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
from pathlib import Path

import psycopg
from store_process import BOUND, StoreProcess, need, replaced, until
from tcp_proxy import free_port

ROLE, PASSWORD, DATABASE = "anm", "pa55-word", "leader"
APT = "postgresql"


def _program(name: str) -> str | None:
    """The newest of Debian's, which are not on PATH."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda bin: int(bin.parent.name.split(".")[0]))
    return shutil.which(name, path=os.pathsep.join([*map(str, reversed(folders)), os.environ.get("PATH", os.defpath)]))


class PostgresqlStage:
    """Start one; `end()` stops it. The folder must let others in: root's runs as another account."""

    def __init__(self, folder: Path) -> None:
        initdb, postgres = _program("initdb"), _program("postgres")
        need(("initdb", initdb), ("postgres", postgres), apt=APT)
        assert initdb is not None
        assert postgres is not None
        self.folder, self._postgres = folder, postgres
        self.port = free_port()
        self._user = "postgres" if os.geteuid() == 0 else None
        if self._user is not None:
            owner = pwd.getpwnam(self._user)
            os.chown(folder, owner.pw_uid, owner.pw_gid)
        self._data, self._fresh, self._log = folder / "data", folder / "fresh", folder / "postgresql.log"
        password = folder / "password"
        password.write_text(PASSWORD)
        password.chmod(0o644)
        subprocess.run(
            [initdb, "-D", str(self._data), "-N", "-U", ROLE, "-A", "scram-sha-256", f"--pwfile={password}"],
            user=self._user,
            check=True,
            capture_output=True,
            cwd=folder,
            env={**os.environ, "LC_ALL": "C.UTF-8"},
        )
        subprocess.run(["cp", "-a", str(self._data), str(self._fresh)], check=True)
        self.start()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        argv = [self._postgres, "-D", str(self._data), "-p", str(self.port), "-h", "127.0.0.1"]
        argv += ["-c", f"unix_socket_directories={self.folder}", "-c", "fsync=off", "-c", "max_connections=30"]
        self.server = StoreProcess(argv, self._log, user=self._user)
        until(self._answers, "PostgreSQL to start", BOUND)

    def start_empty(self) -> None:
        """Start it with nothing of what it knew."""
        replaced(self._data, self._fresh)
        self.start()

    def kill(self) -> None:
        """SIGKILL."""
        self.server.kill()
        (self._data / "postmaster.pid").unlink(missing_ok=True)

    def end(self) -> None:
        """At once."""
        self.server.end(signal.SIGQUIT)

    def dsn(self, port: int | None = None, **options: object) -> str:
        """For this server, or for a proxy before it."""
        given = {
            "host": "127.0.0.1",
            "port": port or self.port,
            "user": ROLE,
            "password": PASSWORD,
            "dbname": "postgres",
        }
        return " ".join(f"{name}={value}" for name, value in {**given, **options}.items())

    def sql(self, statement: str) -> list[tuple[object, ...]]:
        """As the owner of all."""
        with psycopg.connect(self.dsn(), autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1):
                pass
            self.sql("SELECT 1")
        except (OSError, psycopg.Error):
            assert self.server.process.poll() is None, self._log.read_text(errors="replace")[-2000:]
            return False
        return True
