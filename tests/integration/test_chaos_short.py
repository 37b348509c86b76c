"""A short run of chaos: the real daemon, killed again and again at a site with faults, loses and leaks nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]


def test_a_daemon_that_is_killed_again_and_again_loses_nothing(tmp_path: Path) -> None:
    """Row F1. `make chaos` is the long form of it."""
    command = [sys.executable, "-m", "chaos.run", "101", "--kills", "8", "--logs", str(tmp_path)]
    paths = os.pathsep.join([str(TESTS.parent), str(TESTS)])
    done = subprocess.run(
        command,
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    log = tmp_path / "seed-101" / "daemon.log"
    tail = log.read_text()[-20_000:] if log.exists() else ""
    assert done.returncode == 0, f"{done.stdout}{done.stderr}\n{tail}"
    for figure in ("kills: 8,", "leaks: 0\n", "lost jobs: 0\n", "busy nodes killed: 0\n"):
        assert figure in done.stdout
