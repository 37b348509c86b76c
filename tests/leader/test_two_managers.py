"""Two real daemons at one sandbox site, on one store of leads: one acts, the other stands by and takes over."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from daemon_process import BOUND, DaemonProcess, command

from arvnodeman.cloud.base import TOKEN_TAG
from arvnodeman.fleet.values.leading import generation_of
from arvnodeman.sandbox.process import SiteProcess

TTL = 6.0
PROGRAM = Path(__file__).with_name("file_leadership.py")
ACTS = "This manager leads now, generation {}"


class Pair:
    """Two managers of one site."""

    def __init__(self, site: SiteProcess, folder: Path) -> None:
        self.site, self.folder = site, folder
        self.store = folder / "store"
        self.daemons: dict[str, DaemonProcess] = {}

    def start(self, name: str) -> DaemonProcess:
        """One called like this."""
        log = self.folder / f"{name}.log"
        changes: dict[str, dict[str, object]] = {
            "Logging": {"file": log, "level": "INFO"},
            "Leader": {"backend": "zookeeper", "servers": "in a file", "ttl": TTL, "this_host": name},
            "Arvados": {"timeout": 2},
            "Cloud Credentials": {"timeout": 2},
        }
        state_dir = self.folder / name
        state_dir.mkdir(exist_ok=True)
        config = self.site.write_config(self.folder / f"{name}.cfg", changes, state_dir=state_dir)
        program = [sys.executable, str(PROGRAM), str(self.store)]
        self.daemons[name] = DaemonProcess(config, log, self.site.environment(), program)
        return self.daemons[name]

    def ask(self, name: str, *words: str) -> subprocess.CompletedProcess[str]:
        """One of the operators' commands, to this manager."""
        config = str(self.daemons[name].config)
        asked = command(*words, "--config", config)
        return subprocess.run(asked, capture_output=True, text=True, timeout=BOUND, check=False)

    def generations(self) -> set[int]:
        """Of all nodes that there are."""
        return {generation_of(node["tags"].get(TOKEN_TAG)) for node in self.site.state("nodes")["node_list"]}


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    with SiteProcess(speed=30) as site:
        made = Pair(site, tmp_path)
        yield made
        for daemon in made.daemons.values():
            daemon.end()


def test_the_other_takes_over_when_the_leader_is_killed_and_nothing_is_doubled(pair: Pair) -> None:
    a = pair.start("a")
    a.wait_for_line(ACTS.format(1))
    b = pair.start("b")
    b.wait_for_line("This manager stands by, and does nothing: a:")
    pair.site.add_jobs(*({"cores": 1, "duration": 300} for _ in range(4)))
    a.wait_for_line(" created.", 2)  # and others are under way

    shown = json.loads(pair.ask("b", "status", "--json").stdout)["status"]
    assert shown["leader"]["leads"] is False
    assert shown["leader"]["leader"].startswith("a:")
    assert shown["blocked"].startswith("this manager stands by: a:")
    node = pair.site.state("nodes")["node_list"][0]["id"]
    refused = pair.ask("b", "kill", node)
    assert refused.returncode != 0
    assert "this manager stands by, and obeys nobody: a:" in refused.stderr
    assert pair.generations() == {1}

    a.process.send_signal(signal.SIGKILL)
    a.process.wait()
    pair.site.add_jobs({"cores": 8, "duration": 60})
    b.wait_for_line(ACTS.format(2))
    pair.site.wait_for(lambda state: state["quiet"] and state["jobs"].get("completed") == 5, timeout=2 * BOUND)
    verdict = pair.site.verdict()
    assert b.stop() == 0
    assert verdict["clean"], verdict
    assert verdict["nodes_booted"] <= 5
    assert "Traceback" not in b.text()
    assert "not the leader" not in a.text()


def test_a_leader_that_stood_still_does_nothing_more(pair: Pair) -> None:
    a = pair.start("a")
    a.wait_for_line(ACTS.format(1))
    b = pair.start("b")
    b.wait_for_line("This manager stands by")
    pair.site.add_jobs(*({"cores": 1, "duration": 60} for _ in range(3)))
    a.wait_for_line(" created.")
    a.process.send_signal(signal.SIGSTOP)
    b.wait_for_line(ACTS.format(2))
    a.process.send_signal(signal.SIGCONT)
    a.wait_for_line("This manager stands by, and does nothing: b:")
    pair.site.wait_for(lambda state: state["quiet"] and state["jobs"].get("completed") == 3, timeout=2 * BOUND)
    verdict = pair.site.verdict()
    assert verdict["clean"], verdict
    assert verdict["nodes_booted"] <= 3
    # an orderly stop lets the other one lead at once: long before its lead would have run out
    assert b.stop() == 0
    a.wait_for_line(ACTS.format(3))
    assert a.stop() == 0


def test_a_store_that_is_away_stops_everything_and_loses_nothing(pair: Pair) -> None:
    a = pair.start("a")
    a.wait_for_line(ACTS.format(1))
    away = pair.store.with_name("store.away")
    away.touch()
    a.wait_for_line("backend does not say who leads: it is away")
    a.wait_for(lambda: "was not renewed in time" in pair.ask("a", "status").stdout, "the end of the lead")
    pair.site.add_jobs(*({"cores": 1, "duration": 60} for _ in range(2)))
    a.wait_for(lambda: "2 wait" in pair.ask("a", "status").stdout, "the jobs")
    assert pair.site.verdict()["nodes_booted"] == 0
    away.unlink()
    pair.site.wait_for(lambda state: state["quiet"] and state["jobs"].get("completed") == 2, timeout=2 * BOUND)
    assert pair.site.verdict()["clean"]
    assert a.text().count("This manager leads now") == 1  # nobody has taken it meanwhile: the same lead goes on
    assert a.stop() == 0
