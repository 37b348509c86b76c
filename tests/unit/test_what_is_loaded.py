"""What a command loads: each in a fresh interpreter. Actors and the HTTP server are the daemon's alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import arvnodeman

CONFIG = """\
[Daemon]
state_dir = {folder}
[Arvados]
host = zyxwv.example.com
token = secret
[Cloud]
provider = dummy
shutdown_windows = 0, 60
[Size small]
cores = 1
"""
PACKAGE = Path(arvnodeman.__file__).parent
LOADED = """
import sys
{body}
print(sorted({{name.partition(".")[0] for name in sys.modules}} & {{"pykka", "waitress", "werkzeug", "libcloud"}}))
"""


def loaded(body: str, folder: Path) -> set[str]:
    """Which of the daemon's libraries an interpreter has loaded that has run these lines."""
    done = subprocess.run(
        [sys.executable, "-c", LOADED.format(body=body)],
        check=True,
        capture_output=True,
        text=True,
        cwd=folder,
        timeout=60,
    )
    names: str = done.stdout.splitlines()[-1]
    return {name.strip(" '") for name in names.strip("[]").split(",")} - {""}


@pytest.mark.parametrize("room", ["history", "journal", "manage"])
def test_what_looks_at_the_daemon_needs_no_actors(room: str, tmp_path: Path) -> None:
    names = [f"arvnodeman.{room}.{path.stem}" for path in sorted((PACKAGE / room).glob("*.py"))]
    assert len(names) > 3
    assert "pykka" not in loaded(f"import {', '.join(names)}", tmp_path)


@pytest.mark.parametrize(
    "command",
    [
        ["status"],
        ["explain", "compute1"],
        ["decisions"],
        ["hold", "compute1"],
        ["report", "--since", "yesterday"],
    ],
    ids=" ".join,
)
def test_commands_load_neither_actors_nor_the_http_server(command: list[str], tmp_path: Path) -> None:
    """The command fails, as there is no daemon and no history; all that it needs until then is loaded."""
    config = tmp_path / "site.cfg"
    config.write_text(CONFIG.format(folder=tmp_path))
    body = f"from arvnodeman.cli import main\nassert main({[*command, '--config', str(config)]!r}) == 1"
    assert not loaded(body, tmp_path)
