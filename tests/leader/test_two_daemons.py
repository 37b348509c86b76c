"""Two real daemons at one sandbox site, on a real PostgreSQL: one acts, the other stands by and takes over."""

from __future__ import annotations

import json
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from daemon_process import BOUND, DaemonProcess, command
from postgresql_stage import PASSWORD, PostgresqlStage
from tcp_proxy import TcpProxy

from arvnodeman.cloud.base import TOKEN_TAG
from arvnodeman.fleet.values.leading import generation_of
from arvnodeman.sandbox.process import SiteProcess

TTL = 6.0
LEADS = "This manager leads, generation {} (postgresql)"


class Managers:
    """Of one site, each with its own way to the store."""

    def __init__(self, site: SiteProcess, server: PostgresqlStage, folder: Path) -> None:
        self.site, self.server, self.folder = site, server, folder
        self.daemons: dict[str, DaemonProcess] = {}
        self.proxies: dict[str, TcpProxy] = {}

    def start(self, name: str) -> DaemonProcess:
        """One called like this."""
        proxy = self.proxies.get(name) or TcpProxy(self.server.port)
        self.proxies[name] = proxy
        log, state_dir = self.folder / f"{name}.log", self.folder / name
        state_dir.mkdir(exist_ok=True)
        leader: dict[str, object] = {
            "backend": "postgresql",
            "database": self.server.dsn(proxy.port),
            "ttl": TTL,
            "this_host": name,
        }
        changes: dict[str, dict[str, object]] = {
            "Logging": {"file": log, "level": "INFO"},
            "Leader": leader,
            "Arvados": {"timeout": 2},
            "Cloud Credentials": {"timeout": 2},
        }
        config = self.site.write_config(self.folder / f"{name}.cfg", changes, state_dir=state_dir)
        self.daemons[name] = DaemonProcess(config, log, self.site.environment())
        return self.daemons[name]

    def status(self, name: str) -> dict[str, object]:
        """What one says of itself."""
        asked = command("status", "--json", "--config", str(self.daemons[name].config))
        done = subprocess.run(asked, capture_output=True, text=True, timeout=BOUND, check=False)
        if done.returncode:  # it does not listen yet
            return {"leader": "", "leads": None, "acts": None}
        shown: dict[str, object] = json.loads(done.stdout)["status"]["leader"]
        return shown

    def generations(self) -> set[int]:
        """Of all nodes that there are."""
        return {generation_of(node["tags"].get(TOKEN_TAG)) for node in self.site.state("nodes")["node_list"]}

    def ends_well(self, jobs: int) -> None:
        """All jobs have run once, and nothing is left or was made twice."""
        self.site.wait_for(lambda state: state["quiet"] and state["jobs"].get("completed") == jobs, timeout=4 * BOUND)
        verdict = self.site.verdict()
        assert verdict["clean"], verdict
        assert verdict["nodes_booted"] <= jobs
        for daemon in self.daemons.values():
            assert PASSWORD not in daemon.text()
            assert "Traceback" not in daemon.text()


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresqlStage]:
    with tempfile.TemporaryDirectory(prefix="store-", ignore_cleanup_errors=True) as folder:
        stage = PostgresqlStage(Path(folder))
        try:
            yield stage
        finally:
            stage.end()


@pytest.fixture
def managers(server: PostgresqlStage, tmp_path: Path) -> Iterator[Managers]:
    with SiteProcess(speed=30) as site:
        made = Managers(site, server, tmp_path)
        try:
            yield made
        finally:
            for daemon in made.daemons.values():
                daemon.end()
            for proxy in made.proxies.values():
                proxy.close()


def test_the_other_takes_over_from_one_that_is_killed(managers: Managers) -> None:
    first = managers.start("a")
    first.wait_for_line(LEADS.format(1))
    second = managers.start("b")
    second.wait_for(lambda: str(managers.status("b")["leader"]).startswith("a:"), "b to see who leads")
    managers.site.add_jobs(*({"cores": 1, "duration": 300} for _ in range(4)))
    first.wait_for_line(" created.", 2)
    assert managers.generations() == {1}
    first.process.send_signal(signal.SIGKILL)
    first.process.wait()
    managers.site.add_jobs({"cores": 8, "duration": 60})
    second.wait_for_line(LEADS.format(2))
    managers.ends_well(5)
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
    managers.ends_well(2)
    assert managers.status("b")["leads"] is False


def test_one_that_is_cut_off_from_the_store_stops_before_the_other_begins(managers: Managers) -> None:
    first = managers.start("a")
    first.wait_for_line(LEADS.format(1))
    second = managers.start("b")
    second.wait_for(lambda: str(managers.status("b")["leader"]).startswith("a:"), "b to see who leads")
    managers.site.add_jobs(*({"cores": 1, "duration": 60} for _ in range(3)))
    first.wait_for_line(" created.")
    managers.proxies["a"].hang()
    second.wait_for_line(LEADS.format(2))
    assert managers.status("a")["acts"] is False
    managers.proxies["a"].mend()
    first.wait_for(lambda: str(managers.status("a")["leader"]).startswith("b:"), "a to see who leads")
    managers.ends_well(3)
    assert second.stop() == 0
    first.wait_for_line(LEADS.format(3))  # it was given up
