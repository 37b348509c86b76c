"""The lead as a row of PostgreSQL: holder, generation, and the end of its lease by the server's clock.

Each change is one statement of its own, so that no frozen client keeps a row locked, and one that names the row as it
was last seen: a statement that the server runs late changes nothing that another has changed meanwhile.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

try:
    import psycopg
    from psycopg.conninfo import make_conninfo
    from psycopg.errors import DuplicateTable, InsufficientPrivilege, UndefinedTable, UniqueViolation
except ImportError as error:
    raise ImportError(f"{error}: pip install 'arvados-node-manager[postgresql]'") from None

from arvnodeman.fence.fence import steady
from arvnodeman.leader.claimant import Claimant
from arvnodeman.leader.dsn import connection_options, in_one_line
from arvnodeman.leader.port import Hold, Holder, LeadCandidate, NotTheLeader, StoreAway
from arvnodeman.leader.watched import Watched
from arvnodeman.leader.within import TookTooLong, Worker

if TYPE_CHECKING:
    from arvnodeman.config import Settings

T = TypeVar("T")

TABLE = "arvados_node_manager_leader"
CREATE = (
    f"CREATE TABLE IF NOT EXISTS {TABLE} (cluster text PRIMARY KEY, holder text NOT NULL, domain text NOT NULL, "
    "token text NOT NULL, generation bigint NOT NULL, beat bigint NOT NULL, ttl double precision NOT NULL, "
    "expires timestamptz NOT NULL)"
)
# A lease that ends later than a lease can is none that the server's clock knows of: it was set back.
_SELECT = """
SELECT holder, domain, token, generation, beat, ttl, expires = '-infinity',
  expires > clock_timestamp() AND expires <= clock_timestamp() + make_interval(secs => ttl)
FROM arvados_node_manager_leader WHERE cluster = %(cluster)s
"""
_FIRST = """
INSERT INTO arvados_node_manager_leader (cluster, holder, domain, token, generation, beat, ttl, expires)
VALUES (%(cluster)s, %(holder)s, %(domain)s, %(token)s, %(at_least)s::bigint + 1, 0, %(ttl)s,
  clock_timestamp() + make_interval(secs => %(ttl)s))
ON CONFLICT (cluster) DO NOTHING RETURNING generation
"""
_TAKE = """
UPDATE arvados_node_manager_leader
SET holder = %(holder)s, domain = %(domain)s, token = %(token)s, beat = beat + 1, ttl = %(ttl)s,
  generation = GREATEST(generation, %(at_least)s::bigint) + 1,
  expires = clock_timestamp() + make_interval(secs => %(ttl)s)
WHERE cluster = %(cluster)s AND generation = %(generation)s AND beat = %(beat)s RETURNING generation
"""
_HOLD = """
UPDATE arvados_node_manager_leader
SET beat = beat + 1, ttl = %(ttl)s, expires = clock_timestamp() + make_interval(secs => %(ttl)s)
WHERE cluster = %(cluster)s AND generation = %(generation)s AND token = %(token)s AND expires > '-infinity'
RETURNING generation
"""
_GIVE_UP = """
UPDATE arvados_node_manager_leader SET beat = beat + 1, expires = '-infinity'
WHERE cluster = %(cluster)s AND generation = %(generation)s AND token = %(token)s
"""

_STATEMENT = 0.8  # of the timeout: the server says that a statement took too long before it is no longer waited for


@dataclass(frozen=True, slots=True)
class _Row:
    holder: str
    domain: str
    token: str
    generation: int
    beat: int  # grows with each renewal and each change of the leader
    ttl: float  # seconds, as the holder has it
    given_up: bool
    stands: bool  # by the server's clock


def of_settings(settings: Settings, candidate: LeadCandidate) -> PostgresqlLeadership:
    """As [Leader] has it. Raises ConfigError."""
    given = settings.leader
    claimant = Claimant.this_process(candidate.name, settings)
    dsn = given.database.reveal()
    return PostgresqlLeadership(dsn, candidate.cluster, claimant, ttl=given.ttl, timeout=given.timeout)


class PostgresqlLeadership:
    """One process at one PostgreSQL, for one thread. Nothing is asked before the first call, so it survives a fork.

    dsn: libpq's connection string or URI; what it does not say is in libpq's environment, password file and service
    file. ttl: seconds of a lease; timeout: seconds for each call. Raises ConfigError.
    """

    def __init__(
        self,
        dsn: str,
        cluster: str,
        claimant: Claimant,
        *,
        ttl: float,
        timeout: float,
        clock: Callable[[], float] = steady,
    ) -> None:
        self._options = connection_options(dsn, timeout=timeout, statement_timeout=_STATEMENT * timeout)
        self._secrets = [self._options.get("password"), os.environ.get("PGPASSWORD")]
        self._ttl, self._timeout, self._clock = ttl, timeout, clock
        self._given: dict[str, object] = {
            "cluster": cluster,
            "holder": claimant.name,
            "domain": claimant.domain,
            "token": claimant.token,
            "ttl": ttl,
        }
        self._claimant = claimant
        self._worker = Worker("leader-postgresql")
        self._watched = Watched()
        self._connection: psycopg.Connection[tuple[Any, ...]] | None = None
        self._generation: int | None = None  # under which this process leads, as far as it knows

    def __repr__(self) -> str:
        return f"<PostgresqlLeadership of {self._given['cluster']}>"

    # ---- the four verbs --------------------------------------------------------------------------------------------

    def take(self, at_least: int = 0) -> Hold | None:
        """As the port says. A lease that was given up, or that of a dead process of this host, is free at once; any
        other once the server's clock says that it has ended and it was seen unrenewed from here for as long."""
        began = self._clock()
        row = self._call(self._fetch, making=True)
        seen = self._clock()
        if row is not None and row.token == self._claimant.token and row.generation >= at_least and not row.given_up:
            self._generation = row.generation  # an answer was lost
            with contextlib.suppress(NotTheLeader):
                return self.hold()
            return None
        same_for = self._watched.unchanged(row and (row.generation, row.beat), began, seen)
        if not self._is_free(row, same_for, at_least):
            return None
        began = self._clock()
        values = {"at_least": at_least, **({"generation": row.generation, "beat": row.beat} if row else {})}
        generation = self._change(_TAKE if row else _FIRST, values)
        if generation is None:
            return None
        self._generation = generation
        return Hold(generation, began)

    def hold(self) -> Hold:
        """As the port says."""
        if self._generation is None:
            raise NotTheLeader("this process does not lead")
        began = self._clock()
        if self._change(_HOLD, {"generation": self._generation}) is None:
            self._generation = None
            holder = self.who()
            raise NotTheLeader(
                "the store knows of no leader"
                if holder is None
                else f"{holder.name} leads (generation {holder.generation})"
            )
        return Hold(self._generation, began)

    def give_up(self) -> None:
        """As the port says."""
        generation, self._generation = self._generation, None
        if generation is not None:
            self._call(lambda: self._execute(_GIVE_UP, {"generation": generation}))

    def who(self) -> Holder | None:
        """As the port says: by the server's clock."""
        row = self._call(self._fetch)
        return Holder(row.holder, row.generation) if row is not None and row.stands else None

    def close(self) -> None:
        """Ends the connection, and gives nothing up. Never raises."""
        with contextlib.suppress(TookTooLong):
            self._worker.call(self._disconnect, self._timeout)
        self._worker.end()

    # ---- rules -----------------------------------------------------------------------------------------------------

    def _is_free(self, row: _Row | None, same_for: float, at_least: int) -> bool:
        if row is None or row.generation < at_least:
            # The store has lost what it knew, and perhaps whom it let lead.
            return same_for >= max(self._ttl, row.ttl if row else 0.0) and not (row and row.stands)
        if row.given_up or self._claimant.follows(row.domain):
            return True
        return not row.stands and same_for >= row.ttl

    # ---- in the worker's thread ------------------------------------------------------------------------------------

    def _fetch(self) -> _Row | None:
        found = self._execute(_SELECT)
        return None if found is None else _Row(*found)

    def _execute(self, statement: str, values: Mapping[str, object] | None = None) -> tuple[Any, ...] | None:
        if self._connection is None:
            self._connection = psycopg.connect(make_conninfo(**self._options), autocommit=True, prepare_threshold=None)
        with self._connection.cursor() as cursor:
            cursor.execute(statement, {**self._given, **(values or {})})
            return cursor.fetchone() if cursor.description else None

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    # ---- around it -------------------------------------------------------------------------------------------------

    def _change(self, statement: str, values: Mapping[str, object]) -> int | None:
        """The generation of the row that was changed; None: no row was as it was taken to be."""
        changed = self._call(lambda: self._execute(statement, values))
        return None if changed is None else int(changed[0])

    def _call(self, function: Callable[[], T], *, making: bool = False) -> T | None:
        """What it returns; None, too, where there is no table. making: then the table is made. Raises StoreAway."""
        deadline = self._clock() + self._timeout
        try:
            try:
                return self._within(function, deadline)
            except UndefinedTable:
                if not making:
                    return None
            with contextlib.suppress(UniqueViolation, DuplicateTable):  # another made it just now
                self._within(lambda: self._execute(CREATE), deadline)
            return None
        except TookTooLong:
            self._cut()
            raise StoreAway(f"PostgreSQL did not answer within {self._timeout:g} s") from None
        except InsufficientPrivilege as error:
            raise StoreAway(self._on_rights(error)) from None
        except (psycopg.Error, OSError, UnicodeError) as error:
            with contextlib.suppress(TookTooLong):
                self._worker.call(self._disconnect, max(0.0, deadline - self._clock()))
            raise StoreAway(f"PostgreSQL: {in_one_line(error, self._secrets)}") from None

    def _within(self, function: Callable[[], T], deadline: float) -> T:
        return self._worker.call(function, max(0.0, deadline - self._clock()))

    def _on_rights(self, error: Exception) -> str:
        said = in_one_line(error, self._secrets)
        return (
            f"PostgreSQL: {said}: whoever owns the database gives this role its table, by: {CREATE}; "
            f"GRANT SELECT, INSERT, UPDATE ON {TABLE} TO the role"
        )

    def _cut(self) -> None:
        """Break the connection on which an answer is overdue, so that the worker does not wait for it on."""
        connection, self._connection = self._connection, None
        with contextlib.suppress(Exception):
            if connection is not None:
                with socket.socket(fileno=os.dup(connection.fileno())) as ours:
                    ours.shutdown(socket.SHUT_RDWR)
