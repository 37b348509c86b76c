"""arvnodeman/init/user-data-slurm.sh makes a node of a machine: a real slurmd joins a real slurmctld by it, each in
namespaces of its own, with the slurm.conf of doc/setups.md."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import subprocess
from pathlib import Path

import pytest
from slurm_stage import need_slurm

from arvnodeman.cloud.user_data import NAMES, Template

HERE = Path(__file__).resolve().parent
DOC = HERE.parents[1] / "doc"
SCRIPT = DOC.parent / "arvnodeman" / "init" / "user-data-slurm.sh"
SCRIPTS = (SCRIPT, SCRIPT.with_name("user-data.sh"))
STAGE = HERE / "join_in_namespaces.sh"
NAMESPACES = ("unshare", "--net", "--mount", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc")
BOUND = 180.0  # real seconds that all of it may take
EDITS = {  # what a sandbox cannot have: an account for slurmctld, and cgroups
    "SlurmctldHost=controller": "SlurmctldHost=controller(10.77.0.1)",
    "SlurmUser=slurm": "SlurmUser=root",
    "SlurmdTimeout=300": "SlurmdTimeout=300\nProctrackType=proctrack/linuxproc\nJobAcctGatherType=jobacct_gather/none",
}


def filled(script: Path) -> str:
    """As the daemon gives it to a node."""
    return Template.load(str(script)).filled({**dict.fromkeys(NAMES, ""), "hostname": "cloud1"})


def conf() -> str:
    """The slurm.conf of a cluster of Slurm alone."""
    page = (DOC / "setups.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```\w*\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    text: str = next(block for block in blocks if "NodeName=cloud[1-50]" in block)
    for line, other in EDITS.items():
        assert f"{line}\n" in text
        text = text.replace(f"{line}\n", f"{other}\n")
    return text


def skip(why: str) -> None:
    """A failure in CI, where all of it is to be had."""
    if os.environ.get("CI") == "true" and os.geteuid() == 0:
        pytest.fail(why)
    pytest.skip(why)


def need_namespaces(folder: Path) -> None:
    """Skip where namespaces, or file systems in them, are not to be had."""
    if os.geteuid() != 0:
        skip("only root may make network namespaces")
    if shutil.which("ip") is None or shutil.which("unshare") is None:
        skip("not installed: ip and unshare; on Debian or Ubuntu: sudo apt-get install iproute2 util-linux")
    try_out = f"ip link add veth0 type veth peer name veth1 && mount -t tmpfs tmpfs {folder}"
    tried = subprocess.run([*NAMESPACES, "sh", "-c", try_out], capture_output=True, text=True, timeout=30, check=False)
    if tried.returncode:
        skip(f"no network namespaces here: {tried.stderr.strip()}")


@pytest.mark.parametrize("script", [*SCRIPTS, STAGE], ids=lambda path: path.name)
def test_shellcheck_has_nothing_to_say(script: Path) -> None:
    if shutil.which("shellcheck") is None:
        skip("not installed: shellcheck; on Debian or Ubuntu: sudo apt-get install shellcheck")
    text = script.read_text(encoding="utf-8") if script == STAGE else filled(script)
    said = subprocess.run(["shellcheck", "-"], input=text, capture_output=True, text=True, timeout=60, check=False)
    assert said.stdout == ""
    assert said.returncode == 0


def test_a_machine_joins_by_the_user_data_and_runs_a_job(tmp_path: Path) -> None:
    need_slurm()
    need_namespaces(tmp_path)
    for name in ("node", "controller"):
        (tmp_path / name).mkdir()
    (tmp_path / "munge.key").write_bytes(secrets.token_bytes(1024))
    (tmp_path / "slurm.conf").write_text(conf(), encoding="ascii")
    script = tmp_path / "user-data"
    script.write_text(filled(SCRIPT).replace("slurmctld.example.com:6817", "controller:6817"), encoding="utf-8")
    ended = subprocess.run(
        [*NAMESPACES, "sh", str(STAGE), str(tmp_path), str(script), "cloud1"],
        capture_output=True,
        text=True,
        timeout=BOUND,
        check=False,
    )
    account = f"{ended.stdout}\n{ended.stderr}"
    said = dict(line.removeprefix("== ").split(": ", 1) for line in ended.stdout.splitlines() if line[:3] == "== ")
    assert said["before"].rstrip("*") == "unk", account
    assert said["script"] == "joined", account
    assert said["after"] == "idle none", account
    assert said["job ran on"] == "cloud1", account


def test_without_the_key_of_the_cluster_the_script_says_so_and_starts_nothing(tmp_path: Path) -> None:
    key = str(tmp_path / "munge.key")
    text = filled(SCRIPT).replace("/etc/arvados-node-manager/munge.key", key)
    ended = subprocess.run(
        ["/bin/sh"], input=text, capture_output=True, text=True, timeout=60, check=False, env={"PATH": "/nowhere"}
    )
    assert ended.returncode == 1
    assert ended.stderr == f"user data: there is no munge key of the cluster in {key}\n"
