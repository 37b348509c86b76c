"""The real daemon examines its site by itself, and shows what it finds; `doctor` beside it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from daemon_process import BOUND, DaemonProcess, command

from arvnodeman.sandbox.process import SiteProcess

AT_ONCE = """\
import functools, sys
from arvnodeman import cli, launcher
launcher.HourlyExamination = functools.partial(launcher.HourlyExamination, first_after=0.5)
sys.exit(cli.main(sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def site() -> Iterator[SiteProcess]:
    with SiteProcess(speed=60) as site:
        yield site


@pytest.mark.long
def test_what_the_daemon_finds_is_in_status_and_doctor_agrees(site: SiteProcess, tmp_path: Path) -> None:
    log = tmp_path / "log"
    sections: dict[str, dict[str, object]] = {
        "Logging": {"file": log, "level": "INFO"},
        "Size small": {"instance_type": "smal"},
    }
    config = site.write_config(tmp_path / "site.cfg", sections, state_dir=tmp_path)
    config.chmod(0o644)
    daemon = DaemonProcess(config, log, site.environment(), [sys.executable, "-c", AT_ONCE])

    def asked(*arguments: str) -> tuple[int, dict[str, Any]]:
        done = subprocess.run(
            command(*arguments, "--json", "--config", str(config)),
            env=site.environment(), capture_output=True, text=True, timeout=BOUND, check=False,
        )  # fmt: skip
        return done.returncode, json.loads(done.stdout)

    try:
        daemon.wait_for_line("open-secrets: ")
        daemon.wait_for(lambda: "findings" in asked("status")[1]["status"], "the first examination")
        told = asked("status")[1]["status"]["findings"]
        names = {each["check"] for each in told}
        assert {"open-secrets", "sizes-never-tried"} <= names
        assert "types-not-offered" not in names  # a dear one
        code, shown = asked("doctor")
        assert code == 1
        assert shown["could_not_look"] == {}
        found = {each["check"] for each in shown["findings"]}
        assert found >= {"open-secrets", "sizes-never-tried", "types-not-offered"}
        assert not {"no-state-dir", "daemon-not-well", "cloud-refuses", "rights-in-arvados"} & found
        assert daemon.stop() == 0
    finally:
        daemon.end()
    assert "Traceback" not in daemon.text()
