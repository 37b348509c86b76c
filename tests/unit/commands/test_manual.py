"""The man page: it has every command, and man can read it."""

from __future__ import annotations

import contextlib
import io
import re
import shutil
import subprocess

import pytest

from arvnodeman import cli
from arvnodeman.commands.examples import EXAMPLES
from arvnodeman.commands.manual import manual


def help_of(*command: str) -> str:
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.suppress(SystemExit):
        cli.main([*command, "--help"])
    return said.getvalue()


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("COLUMNS", "78")
    return manual(help_of)


def test_every_command_is_in_it_with_its_help(page: str) -> None:
    assert re.findall(r'^\.SS "(.*)"$', page, re.MULTILINE) == list(EXAMPLES)
    assert set(EXAMPLES) == set(cli.COMMANDS)
    for part in page.split(".SS ")[1:]:
        assert "usage: arvados\\-node\\-manager" in part
        assert "\nexample" in part


def test_man_takes_it_without_a_warning(page: str) -> None:
    if shutil.which("man") is None:
        pytest.skip("there is no man (Debian: apt-get install man-db)")
    read = subprocess.run(["man", "--warnings", "-l", "-"], input=page, capture_output=True, text=True, check=False)
    assert (read.returncode, read.stderr) == (0, "")
    assert "arvados-node-manager status --nodes" in read.stdout
