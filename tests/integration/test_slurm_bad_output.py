"""Slurm commands that answer with junk, too much, an error on stdout, or not at all: a line in the log, and nothing is
booted or destroyed on the strength of it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from daemon_process import BOUND, DaemonProcess

from arvnodeman.sandbox.process import SiteProcess

MODES = {
    "junk": "head -c 200000 /dev/urandom; echo",
    "cut": "printf compute1",
    "huge": "yes | head -c 104857600",
    "error on stdout": "echo 'slurm_load_jobs error: Unable to contact slurm controller (connect failure)'",
    "hangs": "sleep 60",
    "dies": "kill -9 $$",
}
SAID = {
    "junk": "no line of its output can be read",
    "cut": "its output ends in the middle of a line",
    "huge": "wrote more than",
    "error on stdout": "Unable to contact slurm controller",
    "hangs": "did not end within",
    "dies": "killed by signal 9",
}
WATCHDOG = 8.0  # seconds; a Slurm command gets a quarter of it
# Lines beside good ones: each costs itself, or is read as what it is.
ODD_JOBS = (
    "1|500M|0|Resources|not|ours|(null)|4294901750|1",
    "x|y|z",
    "\\377\\376\\200",
    "1|much|0|Resources|zzzzz-dz642-000000000000009|(null)|4294901750|1",
)
ODD_NODES = ("comp[ute|idle|1|(null)|none", "other[1-3]|idle|1|(null)|none", "|idle|1|(null)|none", "\\377\\376")


class Tampered:
    """The site's squeue and sinfo, which misbehave in the way that a file names."""

    def __init__(self, site: SiteProcess, folder: Path) -> None:
        folder.mkdir()
        self.mode = folder / "mode"
        self.mode.write_text("good")
        cases = "\n".join(f"'{mode}') {script}; exit ;;" for mode, script in MODES.items())
        for name, odd in (("squeue", ODD_JOBS), ("sinfo", ODD_NODES)):
            lines = "".join(f"printf '{line}\\n'\n" for line in odd)
            path = folder / name
            path.write_text(
                f'#!/bin/bash\ncase "$(<{self.mode})" in\n{cases}\nesac\n{lines}exec {site.address.bin}/{name} "$@"\n'
            )
            path.chmod(0o755)
        environment = site.environment()
        self.environment = {**environment, "PATH": f"{folder}{os.pathsep}{environment['PATH']}"}


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def test_bad_output_costs_a_poll_and_never_a_node(tmp_path: Path, stack: ExitStack) -> None:
    """Rows F15, F16, A1."""
    log = tmp_path / "log"
    site = stack.enter_context(SiteProcess(speed=60, slots=4))
    commands = Tampered(site, tmp_path / "bin")
    config = site.write_config(
        tmp_path / "site.cfg",
        {"Logging": {"file": log, "level": "INFO"}},
        watchdog=WATCHDOG,
        max_poll_time=0.5,
        max_nodes=2,
    )
    daemon = DaemonProcess(config, log, commands.environment)
    stack.callback(daemon.end)
    (job,) = site.add_jobs({"cores": 1, "duration": 3600.0})
    site.wait_for(lambda state: state["jobs"].get("running") == 1, timeout=BOUND)
    before = site.state()["counts"]
    for mode, said in SAID.items():
        said_by = [re.compile(rf"{name}: .*{said}") for name in ("squeue", "sinfo")]
        commands.mode.write_text(mode)
        for line in said_by:
            daemon.wait_for(lambda line=line: len(line.findall(daemon.text())) >= 2, line.pattern)  # type: ignore[misc]
    commands.mode.write_text("good")
    site.add_jobs({"cores": 1, "duration": 60.0})
    site.wait_for(lambda state: state["jobs"].get("completed") == 1, timeout=BOUND)
    after = site.state()["counts"]
    assert after["node-created"] == before["node-created"] + 1
    assert next(j for j in site.state("jobs")["job_list"] if j["name"] == job)["state"] == "running"
    assert "busy-node-destroyed" not in after
    assert daemon.stop() == 0
    text = daemon.text()
    assert "Traceback" not in text
    assert "\x00" not in text
    assert "ignored malformed line in sinfo output: 'comp[ute|idle|1|(null)|none'" in text
    assert max(map(len, text.splitlines())) < 2000
