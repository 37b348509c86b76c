"""What newcomers get wrong: each is told in clear lines that name the file, option or word and what to type next, with
the right exit code and no traceback."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from arvnodeman import cli

GOOD = """\
[Daemon]
dispatcher = slurm
node_names = physics-[1-4]
max_nodes = 4
max_total_price = 2
[Arvados]
node_records = slurm
[Cloud]
provider = ec2
shutdown_windows = 0, 1
[Cloud Credentials]
key = AKIAIOSFODNN7EXAMPLE
secret = sesame-open-sesame
region = us-east-1
[Cloud List]
tag_cluster = physics
[Cloud Create]
image_id = ami-0123456789abcdef0
subnet_id = subnet-0123456789abcdef0
security_groups = sg-0123456789abcdef0
[Size m5.large]
cores = 2
"""
# As the classic's own example had it, comments behind values too.
CLASSIC = """\
[Daemon]
min_nodes = 0
max_nodes = 8
poll_time = 60
max_poll_time = 300
poll_stale_after = 600
boot_fail_after = 1800
node_stale_after = 14400
consecutive_idle_count = 3
dispatcher = slurm
[Logging]
level = INFO
pykka = WARNING
apiclient = WARNING
[Arvados]
host = zyxwv.arvadosapi.com
token = ARVADOS_TOKEN
timeout = 15
jobs_queue = yes   # Get work request from Arvados jobs queue (jobs API)
slurm_queue = yes  # Get work request from squeue (containers API)
[Cloud]
provider = ec2
shutdown_windows = 54, 5, 1
[Cloud Credentials]
key = KEY
secret = SECRET_KEY
region = us-east-1
timeout = 60
[Cloud List]
instance-state-name = running
tag_arvados-class = dynamic-compute
[Cloud Create]
ping_host = zyxwv.arvadosapi.com
image_id = idstring
subnet_id = idstring
security_groups = idstring1, idstring2
[Size m4.large]
cores = 2
price = 0.126
scratch = 32000
"""


@dataclass(frozen=True)
class Mistake:
    """Of the command line (FILE stands for the configuration), or of the file. `told`: a pattern in the one line."""

    argv: str
    told: str
    code: int = 2
    old: str = ""
    new: str = ""
    encoding: str = "utf-8"
    prepare: Callable[[Path], None] = field(default=lambda _path: None)


CHECK = "check-config FILE"


def in_its_place(path: Path) -> None:
    path.unlink()
    path.mkdir()


MISTAKES = {
    "no arguments": Mistake("", r"No --config file specified; try arvados-node-manager --help"),
    "no such file": Mistake(CHECK, r"FILE: no such file or directory; `arvados-node-manager init`", prepare=os.unlink),
    "no such file, daemon": Mistake("--foreground --config FILE", "`arvados-node-manager init`", prepare=os.unlink),
    "no such file, status": Mistake("status --config FILE", "`arvados-node-manager init`", prepare=os.unlink),
    "a directory": Mistake(
        CHECK, "FILE: is a directory; name the file in it, as FILE/config.ini", prepare=in_its_place
    ),
    "unknown option": Mistake(
        CHECK, r"\[Daemon\] max_node: unknown option; .* is max_nodes", old="max_nodes", new="max_node"
    ),
    "unknown section": Mistake(
        CHECK, r"\[Cloud Lists\]: unknown section; .* \[Cloud List\]", old="Cloud List", new="Cloud Lists"
    ),
    "command misspelt": Mistake("stauts", "no command is called stauts; did you mean status"),
    "command of systemctl": Mistake("start", "systemctl start arvados-node-manager"),
    "option misspelt": Mistake("--confg FILE", "unrecognized arguments: --confg FILE; did you mean --config"),
    "option of a command": Mistake("status --ndoes", "status: error: .*--ndoes; did you mean --nodes"),
    "command last": Mistake("--config FILE status", "the command comes first: arvados-node-manager status"),
    "before the first section": Mistake(
        CHECK, "line 1: stands before the first", old="[Daemon]\n", new="a = 1\n[Daemon]\n"
    ),
    "indented by a tab": Mistake(CHECK, "an indented line belongs to the option above it", old="max_n", new="\tmax_n"),
    "not UTF-8": Mistake(CHECK, "line 1: not UTF-8 text", encoding="utf-16"),
    "no key": Mistake(CHECK, r"\[Cloud Credentials\] key: missing; required", old="key = AKIAIOSFODNN7EXAMPLE\n"),
    "seconds with a unit": Mistake(
        CHECK, r"poll_time: '2m' .*: write 120, it is in seconds", old="max_n", new="poll_time = 2m\nmax_n"
    ),
    "dollars with a sign": Mistake(CHECK, r"'\$2' .*write it without the \$", old="price = 2", new="price = $2"),
    "another name of a cloud": Mistake(CHECK, r"provider: 'aws' is unknown \(like 'ec2'\?\)", old="= ec2", new="= aws"),
    "libcloud's name of a cloud": Mistake(CHECK, r"\(like 'ec2'\?\); allowed: .*gce", old="= ec2", new="= ec2_us_west"),
    "a type misspelt": Mistake(
        CHECK, r"'m5.lagre' is not an EC2 instance type; the nearest are m5.large", old="m5.large", new="m5.lagre"
    ),
    "a type without a price": Mistake(
        CHECK, r"\[Size p5e.48xlarge\] price: missing, .*write price =", old="m5.large", new="p5e.48xlarge"
    ),
    "negative minutes": Mistake(
        CHECK, r"shutdown_windows: '-5, 1' has a negative number; allowed", old="0, 1", new="-5, 1"
    ),
    "a placeholder": Mistake(
        CHECK, r"\[Cloud Create\] image_id: .*", old="ami-0123456789abcdef0", new="replace-with-an-image-id"
    ),
    "no daemon": Mistake("status --config FILE", "no such socket .*; systemctl status arvados-node-manager", code=1),
    "a date": Mistake("report --since yesterdy --config FILE", "'yesterdy' is not a date; allowed: YYYY-MM-DD"),
    "nothing to explain": Mistake("explain", r"required: NODE\|JOB\|SIZE\|BUDGET; try .* explain --help"),
    "a cloud for init": Mistake(
        "init --cloud aws", r"--cloud: 'aws' is not valid; allowed: ec2, gce, azure, openstack"
    ),
    "nothing for init": Mistake("init", r"init: say --cloud: cloud \(ec2, gce"),
    "a size without a price for init": Mistake(
        "init --cloud ec2 --setup slurm --cluster x --size m5.xlarge", "say m5.xlarge:4:16384:DOLLARS"
    ),
    "a folder that cannot be made": Mistake(
        "init --cloud ec2 --setup slurm --cluster x --size m5.large --into FILE/x", "cannot write to FILE/x", code=1
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_one_line_that_says_what_to_type_next(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    mistake, path = MISTAKES[name], tmp_path / "site.cfg"
    assert not mistake.old or mistake.old in GOOD
    path.write_text(GOOD.replace(mistake.old, mistake.new) if mistake.old else GOOD, encoding=mistake.encoding)
    mistake.prepare(path)
    code, lines = told(mistake.argv.replace("FILE", str(path)).split(), capsys)
    lines = [line for line in lines if ": note: " not in line and not line.startswith("usage: ")]
    assert code == mistake.code
    assert len(lines) == 1, lines
    assert re.search(mistake.told, lines[0].replace(str(path), "FILE")), lines


def told(argv: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, list[str]]:
    """The exit code, and all lines that are said."""
    try:
        code = cli.main(argv)
    except SystemExit as ended:
        code = int(str(ended.code))
    said = capsys.readouterr()
    return code, [*said.out.splitlines(), *said.err.splitlines()]


def test_a_port_in_use(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        path = tmp_path / "site.cfg"
        path.write_text(f"[Manage]\nport = {taken.getsockname()[1]}\n{GOOD}")
        code, lines = told(["--foreground", "--config", str(path)], capsys)
    assert (code, len(lines)) == (1, 1)
    assert "[Manage] port: cannot listen on" in lines[0]
    assert "Address already in use; `ss -ltnp` shows by whom" in lines[0]


@pytest.mark.parametrize("text", [f"\ufeff{GOOD}", GOOD.replace("\n", "\r\n"), CLASSIC], ids=["bom", "crlf", "classic"])
def test_what_looks_wrong_and_is_not(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A byte order mark, Windows line ends, and a file of the classic."""
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    path = tmp_path / "site.cfg"
    path.write_bytes(text.encode())
    code, lines = told(["check-config", str(path)], capsys)
    assert code == 0, lines
    assert lines[-1] == f"{path}: ok, 1 size"
