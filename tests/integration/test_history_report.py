"""The real daemon makes history, dies and comes back; the demo leaves one; the report reads both."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
from daemon_process import DaemonProcess, command, run

from arvnodeman.sandbox.process import SiteProcess


def report(history: Path, *arguments: str) -> dict[str, Any]:
    told = run("report", "--since", "1h", "--format", "json", "--history", str(history), *arguments)
    assert (told.returncode, told.stderr) == (0, "")
    found: dict[str, Any] = json.loads(told.stdout)
    return found


@pytest.mark.long
def test_a_history_over_the_daemons_death(tmp_path: Path) -> None:
    """Killed while a node works: the report, made before, between and after, costs what the site says that it cost."""
    log, state = tmp_path / "log", tmp_path / "state"
    with SiteProcess(speed=30) as site:
        options: dict[str, dict[str, object]] = {
            "Logging": {"file": log, "level": "INFO"},
            "Daemon": {"state_dir": state},
        }
        config = site.write_config(tmp_path / "site.cfg", options)
        site.add_jobs({"cores": 1, "duration": 450}, {"cores": 2, "duration": 450})
        first = DaemonProcess(config, log, site.environment())
        second: DaemonProcess | None = None
        try:
            history = state / "history.sqlite"
            first.wait_for(
                lambda: history.exists() and report(history)["total"]["busy_hours"] > 0, "work in the history"
            )
            first.stop(signal.SIGKILL)
            between = report(history)["total"]
            second = DaemonProcess(config, log, site.environment())
            second.wait_for(lambda: site.state("nodes")["quiet"], "the end of all nodes")
            second.wait_for(lambda: report(history)["ends"].get("destroyed", 0) >= 2, "the end of both lives")
            assert second.stop() == 0
        finally:
            first.end()
            if second is not None:
                second.end()
        found = report(history, "--plot", str(tmp_path / "plot.svg"))
        verdict = site.verdict()
        cost = verdict["cost"] / 30  # of real hours
    assert found["total"]["nodes"] == found["total"]["begun"] == verdict["nodes_booted"], "the same before and after"
    assert found["total"]["cost"] > between["cost"] > 0
    assert found["total"]["cost"] == pytest.approx(cost, rel=0.15)  # looks are 30 simulated seconds apart
    assert found["boots"]["up"] >= 1
    assert found["waits"]["jobs"] == 2
    assert (tmp_path / "plot.svg").stat().st_size > 10_000
    assert "set aside" not in log.read_text()


@pytest.mark.long
def test_a_demo_keeps_its_history_where_it_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    demo = subprocess.run(
        command("demo", "--jobs", "4", "--seconds", "45", "--seed", "3", "--keep", str(folder)),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert demo.returncode == 0, demo.stdout + demo.stderr
    words = demo.stdout.splitlines()[-1]
    assert words.startswith(f"Its files are in {folder}. What it cost: ")
    told = run("report", *words.partition(" report ")[2].split())
    assert told.returncode == 0
    left = re.search(r"Jobs: (\d+) left the queue", told.stdout)
    assert left is not None
    anew = re.search(r"run again:.*", demo.stdout)  # a job that was lost with its node waits again
    again = sum(map(int, re.findall(r"\((\d+)\)", anew.group()))) if anew else 0
    assert 4 <= int(left.group(1)) <= 4 + again
    assert (folder / "daemon.log").stat().st_size
