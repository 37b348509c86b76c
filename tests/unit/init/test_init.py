"""`init` writes files that the program would start with, and touches none that is there."""

from __future__ import annotations

import getpass
import io
import stat
import sys
from itertools import product
from pathlib import Path

import pytest

from arvnodeman import cli
from arvnodeman.commands import init
from arvnodeman.commands.check_config import check_config
from arvnodeman.config import load
from arvnodeman.config.hostlist import hostlist
from arvnodeman.init.answers import SETUPS, RecordsSetup
from arvnodeman.init.clouds import CLOUDS

SIZES = {
    "ec2": ["m5.large", "m5.4xlarge"],
    "gce": ["n1-standard-2:2:7680:0.095", "n1-highmem-8:8:53248:0.473"],
    "azure": ["Standard_D3_v2:4:14336:0.229"],
    "openstack": ["m1.large:4:8192:0.2"],
}
FILLED = {
    "[Cloud Credentials] ex_force_auth_url": "https://keystone.example.com:5000",
    "[Cloud Credentials] tenant_id": "00000000-0000-0000-0000-000000000001",
    "[Cloud Credentials] subscription_id": "00000000-0000-0000-0000-000000000002",
}


def arguments(folder: Path, cloud: str, setup: str, *more: str) -> list[str]:
    sizes = [word for size in SIZES[cloud] for word in ("--size", size)]
    return ["init", "--cloud", cloud, "--setup", setup, "--cluster", "physics", *sizes, "--into", str(folder), *more]


def filled_in(folder: Path) -> Path:
    """The configuration with all values that were left to somebody."""
    path = folder / "config.ini"
    text = path.read_text()
    section = ""
    lines = []
    for line in text.splitlines():
        section = line if line.startswith("[") else section
        option, _, value = line.partition(" = ")
        if value.startswith("replace-with-"):
            value = FILLED.get(f"{section} {option}", value.removeprefix("replace-with-"))
        lines.append(f"{option} = {value}" if value else line)
    key = folder / "key"
    key.write_text("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJb0mZ0bqvVZL9wR2Y8cQn8H1lJwq6d0m6B0Xq3O5o2T admin\n")
    filled = "\n".join(lines).replace("/etc/arvados-node-manager/id_ed25519.pub", str(key))
    path.write_text(filled.replace("/etc/arvados-node-manager/id_rsa.pub", str(key)))
    return path


@pytest.mark.parametrize(("cloud", "setup"), [*product(CLOUDS, SETUPS)])
def test_each_cloud_and_setup_has_files_that_the_program_would_start_with(
    cloud: str, setup: RecordsSetup, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(arguments(tmp_path, cloud, setup)) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"Written to {tmp_path}: config.ini, slurm.conf.part")
    assert "1. Fill in [Cloud" in said or "1. Fill in [Arvados" in said
    path, out = filled_in(tmp_path), io.StringIO()
    code = check_config(str(path), out)
    complaints = [line for line in out.getvalue().splitlines() if "gce-key.json" not in line and ": note: " not in line]
    assert complaints == [] or complaints[0].startswith(f"{path}: ok"), complaints
    assert code == 0 or cloud == "gce"  # its key is a file of Google's


@pytest.mark.parametrize("setup", [RecordsSetup.ARVADOS_3, RecordsSetup.SLURM, RecordsSetup.SLURM_CLOUD])
def test_names_are_the_same_in_both_files(setup: RecordsSetup, tmp_path: Path) -> None:
    assert cli.main(arguments(tmp_path, "ec2", setup, "--max-nodes", "7")) == 0
    settings = load(str(tmp_path / "config.ini"))
    lists = (
        [settings.daemon.node_names]
        if setup is not RecordsSetup.SLURM_CLOUD
        else [s.node_names for s in settings.sizes]
    )
    conf = (tmp_path / "slurm.conf.part").read_text()
    assert settings.daemon.max_nodes == 7
    for names in lists:
        assert f"NodeName={names} " in conf
        assert len(list(hostlist(names))) == 7


def test_it_never_overwrites_and_writes_all_or_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "slurm.conf.part").write_text("mine")
    assert cli.main(arguments(tmp_path, "ec2", "slurm")) == 1
    told = capsys.readouterr().err
    assert told == (
        f"arvados-node-manager init: {tmp_path}/slurm.conf.part is there already, and is left alone: "
        "choose another folder by --into\n"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["slurm.conf.part"]


def test_the_configuration_is_not_for_everybody(tmp_path: Path) -> None:
    assert cli.main(arguments(tmp_path, "ec2", "slurm")) == 0
    assert stat.S_IMODE((tmp_path / "config.ini").stat().st_mode) & 0o027 == 0


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--max-nodes", "0"], "'0' is not valid; allowed: 1 to 10000"),
        (["--max-price", "$20"], "'$20' is not valid; allowed: dollars an hour, as 12.50, or 0 for no limit"),
        (
            ["--size", "m1.unheard"],
            "'m1.unheard': the cores of m1.unheard are not known here; say m1.unheard:CORES:",
        ),
        (["--size", "m5.large:x"], "'m5.large:x': 'x' is not a number of cores"),
        (["--cluster", "My Cluster"], "'My Cluster' is not valid; allowed: up to 31 lower-case letters"),
        (["--set", "region = x"], "'region = x' is not valid; allowed: [Section] option = value"),
        (["--set", "[Clod] region = x"], "[Clod] region: there is no such section here; there are Daemon, Logging"),
        (["--set", "[Cloud Credentials] secret = hunter2"], "--set [Cloud Credentials] secret: a secret on a command"),
    ],
)
def test_a_bad_answer_is_one_line_and_nothing_is_written(
    more: list[str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(arguments(tmp_path / "new", "ec2", "slurm", *more)) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"arvados-node-manager init: {told}")
    assert said.count("\n") == 1
    assert "hunter2" not in said
    assert not (tmp_path / "new").exists()


def test_what_is_not_said_is_named_by_its_flag(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert cli.main(["init", "--cloud", "ec2", "--into", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith(
        "arvados-node-manager init: say --setup: setup (arvados, arvados-3, slurm,"
    )


def test_at_a_terminal_it_asks_until_an_answer_is_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = iter(["moon", "ec2", "slurm", "physics", "m5.large", "", "12.5", "AKIA1", "ami-1", "", "sg-1"])
    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setattr("builtins.input", lambda _: next(answers))
    monkeypatch.setattr(getpass, "getpass", lambda _: "not to be seen")
    assert init.main(["--into", str(tmp_path)]) == 0
    told = capsys.readouterr().out
    assert "'moon' is not valid; allowed: ec2, gce, azure, openstack" in told
    assert "not to be seen" not in told
    text = (tmp_path / "config.ini").read_text()
    assert "max_nodes = 20\nmax_total_price = 12.5\n" in text
    assert "secret = not to be seen\n" in text
    assert "subnet_id = replace-with-" in text


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True
