"""An operator at the real daemon: what the commands show, and words that are kept over a kill."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from daemon_process import BOUND, DaemonProcess, command

from arvnodeman.sandbox.process import SiteProcess


@pytest.fixture
def site() -> Iterator[SiteProcess]:
    with SiteProcess(speed=60) as site:
        yield site


@pytest.mark.long
def test_words_are_obeyed_shown_and_kept_over_a_kill(site: SiteProcess, tmp_path: Path) -> None:
    log = tmp_path / "log"
    config = site.write_config(
        tmp_path / "site.cfg",
        {"Logging": {"file": log, "level": "INFO"}, "Daemon": {"state_dir": tmp_path / "state"}},
    )

    def operate(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command(*arguments, "--config", str(config)), capture_output=True, text=True, timeout=BOUND, check=False
        )

    def node() -> dict[str, Any]:
        ran = operate("explain", "compute1", "--json")
        shown: dict[str, Any] = json.loads(ran.stdout)["node"] if ran.returncode == 0 else {}
        return shown

    site.add_jobs({"cores": 1, "duration": 900})  # time to say a word on a slow machine
    first = DaemonProcess(config, log, site.environment())
    second: DaemonProcess | None = None
    try:
        first.wait_for(lambda: node().get("state") == "busy", "a busy node")
        assert operate("hold", "compute1", "--reason", "a look at its disk").returncode == 0
        first.wait_for(
            lambda: "hold: a look at its disk" in str(site.state("nodes")["node_list"]), "the word in its tag"
        )
        first.end()
        assert operate("status").returncode == 1
        second = DaemonProcess(config, log, site.environment())
        second.wait_for(lambda: node().get("state") == "idle", "the node, idle after its job")
        shown = operate("explain", "compute1").stdout
        assert "operator hold: a look at its disk" in shown
        assert "It stays: held by an operator (a look at its disk)." in shown
        assert "hold" in operate("status", "--nodes").stdout
        assert operate("kill", "compute1").returncode == 0
        site.wait_for(lambda state: state["quiet"], timeout=BOUND)
        assert "Operator kill" in operate("decisions").stdout
        assert second.stop() == 0
    finally:
        first.end()
        if second is not None:
            second.end()
    assert "Traceback" not in log.read_text()
    verdict = site.verdict()
    assert (verdict["ran_once"], verdict["nodes_left"], verdict["slots_left"]) == (1, [], [])
