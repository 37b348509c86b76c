"""How many Slurm commands the daemon starts: few a poll, however many nodes there are; and few for many nodes."""

from __future__ import annotations

import os
import subprocess
from collections import Counter
from pathlib import Path

from daemon_process import BOUND, DaemonProcess

from arvnodeman.sandbox.process import SiteProcess

NODES = 40
COMMANDS = ("squeue", "sinfo", "scontrol", "scancel")
LIMIT = 4  # commands in one turn of node poll and queue poll


class CountedCommands:
    """The site's Slurm commands, each of which writes down that it was called."""

    def __init__(self, site: SiteProcess, folder: Path) -> None:
        folder.mkdir()
        self.calls = folder / "calls"
        self.calls.touch()
        for name in COMMANDS:
            path = folder / name
            path.write_text(f'#!/bin/sh\necho {name} "$1" >>{self.calls}\nexec {site.address.bin}/{name} "$@"\n')
            path.chmod(0o755)
        environment = site.environment()
        self.environment = {**environment, "PATH": f"{folder}{os.pathsep}{environment['PATH']}"}

    def counts(self) -> Counter[str]:
        return Counter(line.split()[0] for line in self.calls.read_text().splitlines())


def test_few_commands_a_poll_when_nothing_changes_and_few_for_many_nodes(tmp_path: Path) -> None:
    """Rows F18, A17: nothing is asked or told node by node in a poll."""
    log = tmp_path / "log"
    with SiteProcess(speed=60, slots=NODES) as site:
        commands = CountedCommands(site, tmp_path / "bin")
        config = site.write_config(
            tmp_path / "site.cfg", {"Logging": {"file": log, "level": "INFO"}}, min_nodes=NODES, poll_time=0.5
        )
        daemon = DaemonProcess(config, log, commands.environment)

        def polls(role: str) -> int:
            return sum(f" {role}." in line and "got response" in line for line in daemon.text().splitlines())

        def quiet_for(turns: int) -> tuple[Counter[str], int]:
            """The commands of so many turns at least, and how many turns they were."""
            before, first = commands.counts(), polls("ArvadosNodeListMonitorActor")
            daemon.wait_for(lambda: polls("ArvadosNodeListMonitorActor") >= first + turns, "the next polls")
            return commands.counts() - before, polls("ArvadosNodeListMonitorActor") - first

        try:
            site.wait_for(lambda state: state["slurm"].get("idle") == NODES, timeout=BOUND)
            quiet_for(4)  # the last of the nodes pair and get their FQDN
            used, turns = quiet_for(8)
            assert set(used) <= {"squeue", "sinfo"}
            assert used.total() <= LIMIT * turns
            assert used["sinfo"] <= turns + 1

            before = commands.counts()
            site.post("services/slurm", {"restart": True})
            daemon.wait_for(lambda: lacking(site), "the features to be lost")
            daemon.wait_for(lambda: not lacking(site), "the features to be back")
            assert (commands.counts() - before)["scontrol"] <= NODES // 4
            assert daemon.stop() == 0
        finally:
            daemon.end()


def lacking(site: SiteProcess) -> list[str]:
    """The nodes without a feature, as the site's own sinfo says."""
    argv = ["sinfo", "--noheader", f"--nodes=compute[1-{NODES}]", "--format=%n|%f"]
    done = subprocess.run(argv, env=site.environment(), capture_output=True, text=True, timeout=BOUND, check=False)
    return [line for line in done.stdout.splitlines() if "instancetype=" not in line]
