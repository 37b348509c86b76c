"""Two real daemons at one sandbox site, on a real PostgreSQL: one acts, the other stands by and takes over."""

from __future__ import annotations

import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import drill_daemon
import pytest
from managers_stage import Managers
from postgresql_stage import PASSWORD, PostgresqlStage
from tcp_proxy import TcpProxy

from arvnodeman.sandbox.process import SiteProcess

LEADS = "This manager leads, generation {} (postgresql)"


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresqlStage]:
    with tempfile.TemporaryDirectory(prefix="store-", ignore_cleanup_errors=True) as folder:
        stage = PostgresqlStage(Path(folder))
        try:
            yield stage
        finally:
            stage.end()


@pytest.fixture
def proxies(server: PostgresqlStage) -> Iterator[dict[str, TcpProxy]]:
    """Each manager's own way to the store."""
    made = {name: TcpProxy(server.port) for name in ("a", "b")}
    yield made
    for proxy in made.values():
        proxy.close()


@pytest.fixture
def managers(server: PostgresqlStage, proxies: dict[str, TcpProxy], tmp_path: Path) -> Iterator[Managers]:
    with SiteProcess(speed=30) as site:
        made = Managers(
            site,
            tmp_path,
            lambda name: {"backend": "postgresql", "database": server.dsn(proxies[name].port)},
        )
        try:
            yield made
        finally:
            made.end()


def test_the_other_takes_over_from_one_that_is_killed(managers: Managers) -> None:
    first = managers.start("a")
    first.wait_for_line(LEADS.format(1))
    second = managers.start("b")
    managers.wait_for_leader("b", "a")
    managers.site.add_jobs(*({"cores": 1, "duration": 300} for _ in range(4)))
    first.wait_for_line(" created.", 2)
    assert managers.generations() == {1}
    first.process.send_signal(signal.SIGKILL)
    first.process.wait()
    managers.site.add_jobs({"cores": 8, "duration": 60})
    second.wait_for_line(LEADS.format(2))
    managers.end_well(5, PASSWORD)
    assert second.stop() == 0


def test_one_that_is_killed_and_started_again_leads_at_once(managers: Managers) -> None:
    """Nobody else could have taken the lead: its lease was not over."""
    first = managers.start("a")
    first.wait_for_line(LEADS.format(1))
    managers.start("b")
    managers.site.add_jobs(*({"cores": 1, "duration": 60} for _ in range(2)))
    first.process.send_signal(signal.SIGKILL)
    first.process.wait()
    again = managers.start("a")
    again.wait_for_line(LEADS.format(2))
    managers.end_well(2, PASSWORD)
    assert managers.leading("b")["leads"] is False


def test_one_that_is_cut_off_from_the_store_stops_before_the_other_begins(
    managers: Managers, proxies: dict[str, TcpProxy]
) -> None:
    first = managers.start("a")
    first.wait_for_line(LEADS.format(1))
    second = managers.start("b")
    managers.wait_for_leader("b", "a")
    managers.site.add_jobs(*({"cores": 1, "duration": 60} for _ in range(3)))
    first.wait_for_line(" created.")
    proxies["a"].hang()
    second.wait_for_line(LEADS.format(2))
    assert managers.leading("a")["acts"] is False
    proxies["a"].mend()
    managers.wait_for_leader("a", "b")
    managers.end_well(3, PASSWORD)
    assert second.stop() == 0
    first.wait_for_line(LEADS.format(3))  # it was given up


def test_one_whose_brain_hangs_leads_until_its_watchdog_ends_it(managers: Managers, tmp_path: Path) -> None:
    """Who keeps the lead does not wait for the brain. Nothing is done meanwhile, by anybody."""
    cue = tmp_path / "cue"
    drill = [sys.executable, drill_daemon.__file__, "brain", str(cue), "--"]
    first = managers.start("a", drill, watchdog=4)
    first.wait_for_line(LEADS.format(1))
    second = managers.start("b")
    managers.wait_for_leader("b", "a")
    cue.touch()
    managers.site.add_jobs(*({"cores": 1, "duration": 60} for _ in range(2)))
    while True:
        taken = LEADS.format(2) in second.text()
        if first.process.poll() is not None:
            break
        assert not taken
        time.sleep(0.05)
    assert first.process.returncode == -signal.SIGKILL
    second.wait_for_line(LEADS.format(2))
    managers.end_well(2, PASSWORD)
