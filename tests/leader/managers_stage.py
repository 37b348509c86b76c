"""Two real daemons of one sandbox site, and what tests want of them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from daemon_process import BOUND, DaemonProcess, command

from arvnodeman.cloud.base import TOKEN_TAG
from arvnodeman.fleet.values.leading import generation_of
from arvnodeman.sandbox.process import SiteProcess

TTL = 6.0
NOBODY: dict[str, Any] = {"leader": "", "leads": None, "acts": None}


class Managers:
    """Of one site. `leader`: options of [Leader] for the one of this name; `program`: what stands before the daemon's
    arguments."""

    def __init__(
        self,
        site: SiteProcess,
        folder: Path,
        leader: Callable[[str], dict[str, object]],
        program: Sequence[str] = command(),
    ) -> None:
        self.site, self.folder = site, folder
        self._leader, self._program = leader, program
        self.daemons: dict[str, DaemonProcess] = {}

    def start(self, name: str, program: Sequence[str] = (), **options: object) -> DaemonProcess:
        """One called like this, another program of it or not. `options`: of [Daemon]."""
        log, state_dir = self.folder / f"{name}.log", self.folder / name
        state_dir.mkdir(exist_ok=True)
        changes: dict[str, dict[str, object]] = {
            "Logging": {"file": log, "level": "INFO"},
            "Leader": {"ttl": TTL, "this_host": name, **self._leader(name)},
            "Arvados": {"timeout": 2},
            "Cloud Credentials": {"timeout": 2},
        }
        config = self.site.write_config(self.folder / f"{name}.cfg", changes, state_dir=state_dir, **options)
        self.daemons[name] = DaemonProcess(config, log, self.site.environment(), program or self._program)
        return self.daemons[name]

    def ask(self, name: str, *words: str) -> subprocess.CompletedProcess[str]:
        """One of the operators' commands, to this manager."""
        asked = command(*words, "--config", str(self.daemons[name].config))
        return subprocess.run(asked, capture_output=True, text=True, timeout=BOUND, check=False)

    def leading(self, name: str) -> dict[str, Any]:
        """What one says of the lead."""
        done = self.ask(name, "status", "--json")
        if done.returncode:  # it does not listen yet
            return NOBODY
        shown: dict[str, Any] = json.loads(done.stdout)["status"]["leader"]
        return shown

    def wait_for_leader(self, name: str, leader: str) -> None:
        """Until the first of these says that the second one leads."""
        self.daemons[name].wait_for(
            lambda: str(self.leading(name)["leader"]).startswith(f"{leader}:"), f"{name} to see that {leader} leads"
        )

    def generations(self) -> set[int]:
        """Of all nodes that there are."""
        return {generation_of(node["tags"].get(TOKEN_TAG)) for node in self.site.state("nodes")["node_list"]}

    def end_well(self, jobs: int, *hidden: str) -> None:
        """All jobs have run once, nothing is left or was made twice, and no log has a traceback or what is hidden."""
        self.site.wait_for(lambda state: state["quiet"] and state["jobs"].get("completed") == jobs, timeout=4 * BOUND)
        verdict = self.site.verdict()
        assert verdict["clean"], verdict
        assert verdict["nodes_booted"] <= jobs
        for daemon in self.daemons.values():
            for text in ("Traceback", *hidden):
                assert text not in daemon.text()

    def end(self) -> None:
        """All of them."""
        for daemon in self.daemons.values():
            daemon.end()
