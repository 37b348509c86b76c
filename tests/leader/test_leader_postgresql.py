"""What only PostgreSQL can do to the lead: rights, replicas, locks, its clock, and passwords."""

from __future__ import annotations

import contextlib
import logging
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from leader_stage import TIMEOUT, TTL, LeaderStage
from postgresql_stage import PASSWORD, ROLE, PostgresqlStage
from store_process import until

from arvnodeman.config import ConfigError
from arvnodeman.leader.claimant import Claimant
from arvnodeman.leader.port import NotTheLeader, StoreAway
from arvnodeman.leader.postgresql import CREATE, TABLE, PostgresqlLeadership


@pytest.fixture(scope="module")
def server() -> Iterator[LeaderStage]:
    with tempfile.TemporaryDirectory(prefix="store-", ignore_cleanup_errors=True) as folder:
        stage = LeaderStage("postgresql", Path(folder))
        try:
            yield stage
        finally:
            stage.end()


@pytest.fixture
def stage(server: LeaderStage) -> Iterator[LeaderStage]:
    server.new_cluster()
    try:
        yield server
    finally:
        server.clean()


def postgresql(stage: LeaderStage) -> PostgresqlStage:
    assert isinstance(stage.server, PostgresqlStage)
    return stage.server


def leadership(dsn: str, cluster: str = "c", name: str = "a") -> PostgresqlLeadership:
    return PostgresqlLeadership(dsn, cluster, Claimant(name, "", name), ttl=TTL, timeout=TIMEOUT)


def refusal(dsn: str) -> str:
    made = leadership(dsn)
    try:
        with pytest.raises(StoreAway) as caught:
            made.take()
    finally:
        made.close()
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    return str(caught.value)


def test_who_may_not_make_the_table_is_told_how(stage: LeaderStage) -> None:
    server = postgresql(stage)
    server.sql(f"DROP TABLE IF EXISTS {TABLE}")
    server.sql("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    server.sql("CREATE ROLE humble LOGIN PASSWORD 'humble-secret'")
    dsn = server.dsn(user="humble", password="humble-secret")
    assert leadership(dsn).who() is None  # asking changes nothing, and needs no table
    said = refusal(dsn)
    assert CREATE in said
    assert f"GRANT SELECT, INSERT, UPDATE ON {TABLE}" in said
    server.sql(CREATE)
    assert "permission denied" in refusal(dsn)
    server.sql(f"GRANT SELECT, INSERT, UPDATE ON {TABLE} TO humble")
    made = leadership(dsn, stage.cluster)
    until(made.take, "to lead")
    made.close()


def test_a_password_is_in_no_text(stage: LeaderStage, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    texts = [
        refusal(postgresql(stage).dsn(password="wr0ng-word")),
        refusal(postgresql(stage).dsn(port=1)),
        refusal(postgresql(stage).dsn(dbname="no_such")),
        repr(leadership(postgresql(stage).dsn())),
    ]
    for text in (*texts, caplog.text):
        assert "wr0ng-word" not in text
        assert PASSWORD not in text
        assert "\n" not in text or text == caplog.text
    assert "password authentication failed" in texts[0]
    assert "refused" in texts[1]


@pytest.mark.parametrize(
    "dsn",
    ["host=db password=has blank-sesame", "postgresql://anm:p@sesame@db/x", "postgresql://anm:ses/ame@db", "sesame"],
)
def test_a_text_that_cannot_be_read_is_not_repeated(dsn: str) -> None:
    with pytest.raises(ConfigError) as caught:
        leadership(dsn)
    (line,) = caught.value.problems
    assert "[Leader] database" in line
    assert "ses" not in line
    assert "ame" not in line.replace("name", "")


def test_a_password_may_be_in_its_own_file(stage: LeaderStage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "pgpass"
    file.write_text(f"127.0.0.1:{postgresql(stage).port}:*:{ROLE}:{PASSWORD}\n")
    file.chmod(0o600)
    monkeypatch.setenv("PGPASSFILE", str(file))
    dsn = f"host=127.0.0.1 port={postgresql(stage).port} user={ROLE} dbname=postgres"
    made = leadership(dsn, stage.cluster)
    until(made.take, "to lead")
    made.close()


def test_what_may_only_be_read_is_no_store(stage: LeaderStage) -> None:
    """As a replica is."""
    postgresql(stage).sql("CREATE DATABASE replica")
    postgresql(stage).sql("ALTER DATABASE replica SET default_transaction_read_only = on")
    assert "read-only" in refusal(postgresql(stage).dsn(dbname="replica"))


def test_a_table_that_somebody_locks_is_a_store_that_is_away(stage: LeaderStage) -> None:
    leader = stage.contender("a")
    leader.take()
    with psycopg.connect(postgresql(stage).dsn()) as locker:
        locker.execute("LOCK TABLE arvados_node_manager_leader IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(StoreAway, match="statement timeout"):
            leader.leadership.hold()
        locker.rollback()
    with contextlib.suppress(NotTheLeader):
        leader.leadership.hold()
    leader.take()


def test_a_servers_clock_that_is_set_forward_takes_no_lead_away(stage: LeaderStage) -> None:
    """The lease is over by that clock, and its holder still acts by its own."""
    leader, other = stage.contender("a"), stage.contender("b")
    hold = leader.take()
    assert other.leadership.take() is None
    postgresql(stage).sql(f"UPDATE {TABLE} SET expires = clock_timestamp() - interval '1 hour'")
    assert other.leadership.take() is None
    after = other.take()
    assert after.began >= hold.began + TTL


def test_a_servers_clock_that_is_set_back_keeps_nobody_waiting(stage: LeaderStage) -> None:
    leader, other = stage.contender("a"), stage.contender("b")
    leader.take()
    postgresql(stage).sql(f"UPDATE {TABLE} SET expires = clock_timestamp() + interval '1 hour'")
    leader.proxy.cut()
    other.take()


def test_a_row_that_was_restored_from_an_older_copy_is_not_believed(stage: LeaderStage) -> None:
    """It says that nobody leads, or who led long ago; the caller knows a greater generation."""
    leader, other = stage.contender("a"), stage.contender("b")
    leader.take()
    postgresql(stage).sql(f"UPDATE {TABLE} SET generation = 1, expires = '-infinity' WHERE cluster = '{stage.cluster}'")
    started = time.monotonic()
    assert other.leadership.take(at_least=7) is None
    hold = other.take(at_least=7)
    assert hold.generation == 8
    assert hold.began >= started + TTL


def test_many_that_find_no_table_make_one(stage: LeaderStage) -> None:
    postgresql(stage).sql(f"DROP TABLE IF EXISTS {TABLE}")
    many = [stage.contender(name) for name in "abc"]
    assert [each.leadership.take() for each in many] == [None] * 3
    assert postgresql(stage).sql(f"SELECT count(*) FROM {TABLE}") == [(0,)]
