"""The command line: who is called with what, and what a wrong one says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from arvnodeman import __main__ as front
from arvnodeman import cli
from arvnodeman.commands.versions import told
from arvnodeman.version import __version__


class Called(ModuleType):
    """A module that stands in for another and notes how it was called."""

    def __init__(self, name: str, code: int) -> None:
        super().__init__(name)
        self.code = code
        self.calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = []

    def main(self, *args: Any, **kwargs: Any) -> int:
        self.calls.append((args, kwargs))
        return self.code


def stand_in(monkeypatch: pytest.MonkeyPatch, package: str, name: str, code: int = 0) -> Called:
    module = Called(name, code)
    parent = pytest.importorskip(package)
    monkeypatch.setitem(sys.modules, f"{package}.{name}", module)
    monkeypatch.setattr(parent, name, module, raising=False)
    return module


def test_no_config(capsys: pytest.CaptureFixture[str]) -> None:
    """FACTS 4.1: the classic's text, on stderr."""
    assert cli.main([]) == 2
    told = "arvados-node-manager: No --config file specified; try arvados-node-manager --help\n"
    assert capsys.readouterr() == ("", told)


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    """Row J5."""
    with pytest.raises(SystemExit) as ended:
        cli.main(["--version"])
    assert ended.value.code == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"arvados-node-manager {__version__}"
    assert [line.split()[0] for line in lines[1:]] == ["Python", "libcloud", "Arvados", "pykka", "Slurm"]


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo slurm-wlm 22.05.8", "Slurm 22.05.8"),
        ("echo oops >&2; echo no slurm.conf >&2; exit 1", "Slurm not known: squeue --version: no slurm.conf"),
        ("exit 0", "Slurm not known: squeue --version: it says nothing"),
        (None, "Slurm not found: no squeue on PATH"),
    ],
)
def test_slurms_version(script: str | None, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if script is not None:
        squeue = tmp_path / "squeue"
        squeue.write_text(f"#!/bin/sh\n{script}\n")
        squeue.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert told("x").splitlines()[-1] == said


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["hlod", "compute1"], "no command is called hlod; did you mean hold?"),
        (["start"], "the daemon is started and stopped by systemd: systemctl start arvados-node-manager;"),
        (["xyz"], "no command is called xyz; there are status, explain, hold, "),
        (["--config", "some.cfg", "status"], "the command comes first: arvados-node-manager status ..."),
        (["--foreground", "xyz"], "unrecognized arguments: xyz"),
    ],
)
def test_a_wrong_command_is_told_with_a_hint(
    arguments: list[str], hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Row J5."""
    with pytest.raises(SystemExit):
        cli.main(arguments)
    assert f"arvados-node-manager: error: {hint}" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [["--nonsense"], ["--config"], ["nonsense"], ["check-config"], ["demo", "--what"]]
)
def test_a_wrong_command_line_is_a_usage_and_exit_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Row J5."""
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert ended.value.code == 2
    *usage, line = capsys.readouterr().err.splitlines()
    assert [each.partition(" [")[0] for each in usage] == ["usage: arvados-node-manager"] * (
        arguments[0] not in cli.COMMANDS
    )
    assert line.startswith("arvados-node-manager")
    assert "--help" in line


@pytest.mark.parametrize("flags", [[], ["--foreground"], ["--dry-run"], ["--foreground", "--dry-run"]])
def test_the_daemon(monkeypatch: pytest.MonkeyPatch, flags: list[str]) -> None:
    launcher = stand_in(monkeypatch, "arvnodeman", "launcher", code=3)
    assert cli.main(["--config", "site.cfg", *flags]) == 3
    options = {"foreground": "--foreground" in flags, "dry_run": "--dry-run" in flags}
    assert launcher.calls == [(("site.cfg",), options)]


@pytest.mark.parametrize("command", cli.OPERATORS_COMMANDS)
def test_operators_commands(monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    module = stand_in(monkeypatch, "arvnodeman.commands", "operate", code=5)
    assert cli.main([command, "compute1", "--json"]) == 5
    assert module.calls == [(([command, "compute1", "--json"],), {})]


def complete(line: str, tmp_path: Path) -> list[str]:
    """What a shell would be offered for this line."""
    out = tmp_path / "completions"
    environment = {
        **os.environ,
        "_ARGCOMPLETE": "1",
        "_ARGCOMPLETE_IFS": "\n",
        "_ARGCOMPLETE_STDOUT_FILENAME": str(out),
        "COMP_LINE": line,
        "COMP_POINT": str(len(line)),
    }
    subprocess.run([sys.executable, "-m", "arvnodeman"], env=environment, timeout=30, check=True)
    return out.read_text().split("\n")


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("arvados-node-manager st", ["status "]),
        ("arvados-node-manager --dry", ["--dry-run "]),
        ("arvados-node-manager decisions --f", ["--follow "]),
        ("arvados-node-manager hold compute1 --rea", ["--reason "]),
        ("arvados-node-manager simulate --adv", ["--advise "]),
        ("arvados-node-manager check-config a.cfg --prev", ["--preview "]),
        ("arvados-node-manager kill --config /away.cfg comp", [""]),
    ],
)
def test_tab_completion(line: str, offered: list[str], tmp_path: Path) -> None:
    assert complete(line, tmp_path) == offered


@pytest.mark.parametrize("command", ["demo", "sandbox"])
def test_commands_get_what_follows_them(monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    module = stand_in(monkeypatch, "arvnodeman.sandbox", {"demo": "demo", "sandbox": "site"}[command], code=1)
    assert cli.main([command, "--seed", "7"]) == 1
    assert module.calls == [((["--seed", "7"],), {})]


@pytest.mark.parametrize("arguments", [["away.cfg"], ["--config", "away.cfg"]])
def test_check_config(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["check-config", *arguments]) == 2
    assert capsys.readouterr().out.startswith("away.cfg: ")


def test_the_help_names_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["--help"])
    told = capsys.readouterr().out
    assert all(word in told for word in ("--config", "--foreground", "check-config", "demo", "sandbox"))


def test_ctrl_c_ends_a_command_that_does_not_see_to_it_without_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "main", interrupted)
    monkeypatch.setattr(sys, "argv", ["arvados-node-manager", "simulate"])
    assert front.main() == 130
