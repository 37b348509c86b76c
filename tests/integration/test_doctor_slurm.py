"""`doctor` at a real Slurm and a cloud on loopback, each with a trouble that it is to find, and some that it mends."""

from __future__ import annotations

import contextlib
import getpass
import io
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from peer_sandbox import KEY, SandboxPeer
from slurm_stage import BOUND, need_slurm

from arvnodeman.commands import doctor
from arvnodeman.doctor.base import Area
from arvnodeman.doctor.catalogue import of_area
from arvnodeman.sandbox.real_slurm import PrivateSlurm
from arvnodeman.sandbox.real_slurm_conf import Shape

FILE = """\
[Daemon]
dispatcher = slurm
node_names = {names}
max_nodes = 6
boot_fail_after = 1
state_dir = {folder}
[Cloud]
provider = sandbox
shutdown_windows = 0, 1
[Cloud Credentials]
url = http://127.0.0.1:{port}
key = {key}
[Size small]
cores = 2
"""
RUN = "#!/bin/sh\nexec sleep 600\n"
SUBMIT = ("sbatch", "--parsable", "--output=/dev/null", "--nodes=1")


@pytest.fixture(scope="module")
def slurm() -> Iterator[PrivateSlurm]:
    need_slurm()
    with PrivateSlurm(Shape(nodes=6, message_timeout=10)) as private:
        _restart(private, lambda conf: f"{conf}\nLicenses=solver:1\n")
        for number in (1, 2):
            private.start_node(f"compute{number}")
        until(lambda: private.state("compute[1-2]").split() == ["idle"], "nodes that are up")
        yield private


@pytest.fixture
def peer(tmp_path: Path) -> Iterator[SandboxPeer]:
    with SandboxPeer(tmp_path) as peer:
        yield peer


@pytest.fixture
def config(slurm: PrivateSlurm, peer: SandboxPeer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("PATH", "SLURM_CONF"):
        monkeypatch.setenv(name, slurm.environment()[name])
    path = tmp_path / "site.cfg"
    path.write_text(FILE.format(names="compute[1-6]", folder=tmp_path, port=peer.port, key=KEY))
    path.chmod(0o640)
    return path


@pytest.fixture
def another(config: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PrivateSlurm]:
    """For one test alone, in the place of the one that all have."""
    with PrivateSlurm(Shape(nodes=6, message_timeout=10)) as private:
        monkeypatch.setenv("SLURM_CONF", private.environment()["SLURM_CONF"])
        yield private


def _restart(private: PrivateSlurm, change: Callable[[str], str]) -> None:
    conf = private.folder / "slurm.conf"
    private.stop_controller()
    conf.write_text(change(conf.read_text()))
    private.start_controller()


def until(true: Callable[[], object], what: str) -> None:
    end = time.monotonic() + BOUND
    while not true():
        assert time.monotonic() < end, f"never: {what}"
        time.sleep(0.1)


def asked(config: Path, *arguments: str) -> tuple[int, str]:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        code = doctor.main(["--config", str(config), *arguments])
    return code, out.getvalue()


def found(config: Path, check: str) -> dict[str, str]:
    """What this check finds: by what it is about, or by its text, the text."""
    code, said = asked(config, "--json", "--check", check)
    shown: dict[str, Any] = json.loads(said)
    assert not shown["could_not_look"]
    assert code == bool(shown["findings"])
    return {each["about"] or each["text"]: each["text"] for each in shown["findings"]}


def test_a_stuck_drain_of_ours_is_found_and_mended(slurm: PrivateSlurm, config: Path, peer: SandboxPeer) -> None:
    there, *_ = peer.add()
    for number, instance in ((3, "sb-gone"), (4, there)):
        reason = f"Reason=Node Manager shutdown ({instance})"
        slurm.say("scontrol", "update", f"NodeName=compute{number}", "State=DRAIN", reason)
    slurm.say("scontrol", "update", "NodeName=compute5", "State=DRAIN", "Reason=disk")
    until(lambda: found(config, "stuck-drains"), "a drain that is older than a boot may take")
    assert list(found(config, "stuck-drains")) == ["compute3"]
    code, said = asked(config, "--check", "stuck-drains", "--fix")
    assert (code, said.splitlines()[0]) == (0, "corrected: compute3: resumed in Slurm")
    assert not slurm.state("compute3").startswith("drain")
    assert slurm.state("compute4").startswith("drain")
    assert found(config, "stuck-drains") == {}
    code, said = asked(config, "--check", "stuck-drains", "--fix")
    assert (code, said.splitlines()[0]) == (
        0,
        "corrected: nothing, because nothing here can be corrected automatically",
    )
    for number in (4, 5):
        slurm.run("scontrol", "update", f"NodeName=compute{number}", "State=RESUME")  # done, though it says otherwise
    assert not slurm.state("compute4").startswith("drain")


def test_a_node_that_is_paid_for_and_down_and_one_that_no_name_knows(
    slurm: PrivateSlurm, config: Path, peer: SandboxPeer
) -> None:
    used, stray = peer.add(2)
    slurm.say("scontrol", "update", "NodeName=compute3", f"Comment=Node Manager node {used}")
    slurm.say("scontrol", "update", "NodeName=compute3", "State=DOWN", "Reason=disk")
    until(lambda: found(config, "orphans"), "a node that is older than a boot may take")
    assert list(found(config, "orphans")) == [stray]
    assert found(config, "unused-nodes") == {
        "compute3": f"compute3 ({used}) costs money, but Slurm does not use it: it is down (disk)"
    }
    slurm.say("scontrol", "update", "NodeName=compute3", "Comment=")
    slurm.run("scontrol", "update", "NodeName=compute3", "State=RESUME")
    assert found(config, "unused-nodes") == {}


def test_a_node_that_works_though_squeue_shows_no_job_on_it(
    slurm: PrivateSlurm, config: Path, peer: SandboxPeer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (used,) = peer.add(1)
    slurm.say("scontrol", "update", "NodeName=compute3", f"Comment=Node Manager node {used}")
    slurm.start_node("compute3")
    job = slurm.say(*SUBMIT, "--nodelist=compute3", text=RUN).strip()
    try:
        until(lambda: slurm.state("compute3") in ("mix", "alloc"), "a job that runs")
        assert found(config, "working-without-jobs") == {}
        blind = tmp_path / "bin" / "squeue"  # slurmctld itself loses count too seldom
        blind.parent.mkdir()
        blind.write_text("#!/bin/sh\n")
        blind.chmod(0o755)
        monkeypatch.setenv("PATH", f"{blind.parent}:{slurm.environment()['PATH']}")
        (line,) = found(config, "working-without-jobs").values()
        assert line.startswith(f"compute3 ({used}) is ")
        assert "squeue shows no job on it" in line
    finally:
        slurm.say("scancel", job)
        slurm.kill_node("compute3")
        slurm.say("scontrol", "update", "NodeName=compute3", "Comment=")


def test_jobs_that_wait_for_licences(slurm: PrivateSlurm, config: Path) -> None:
    assert found(config, "jobs-held-by-licences") == {}
    jobs = [slurm.say(*SUBMIT, "--licenses=solver:1", text=RUN).strip() for _ in range(2)]
    try:
        until(lambda: found(config, "jobs-held-by-licences"), "a job that waits for a licence")
        (line,) = found(config, "jobs-held-by-licences").values()
        assert line.startswith(f"1 job ({jobs[1]}) wait for licences, and more nodes would not help")
        assert found(config, "jobs-held-by-reservations") == {}
    finally:
        slurm.say("scancel", *jobs)


def test_jobs_that_wait_for_a_reservation(slurm: PrivateSlurm, config: Path) -> None:
    when = ("StartTime=now+60minutes", "Duration=60", f"Users={getpass.getuser()}")
    slurm.say("scontrol", "create", "reservation", "ReservationName=later", *when, "Nodes=compute2")
    job = slurm.say(*SUBMIT, "--reservation=later", text=RUN).strip()
    try:
        until(lambda: found(config, "jobs-held-by-reservations"), "a job that waits for its reservation")
        (line,) = found(config, "jobs-held-by-reservations").values()
        assert line.startswith(f"1 job ({job}) wait for a reservation")
    finally:
        slurm.say("scancel", job)
        until(lambda: not slurm.say("squeue", "--noheader").strip(), "no job")
        slurm.say("scontrol", "delete", "ReservationName=later")


def test_names_that_only_the_dns_could_find_and_names_that_slurm_lacks(slurm: PrivateSlurm, config: Path) -> None:
    assert found(config, "names-not-in-dns") == {}
    slurm.say("scontrol", "update", "NodeName=compute6", "NodeAddr=compute6")
    (line,) = found(config, "names-not-in-dns").values()
    assert line.startswith("compute6: Slurm looks for these nodes by name, and no such name can be resolved here")
    slurm.say("scontrol", "update", "NodeName=compute6", "NodeAddr=127.0.0.1")
    config.write_text(config.read_text().replace("compute[1-6]", "compute[1-9]"))
    (line,) = found(config, "names-lacking").values()
    assert line.startswith("Slurm does not show compute7, compute8, compute9, which should be ours")


def test_rights_and_version_are_good_here_and_all_of_slurm_can_be_judged(slurm: PrivateSlurm, config: Path) -> None:
    code, said = asked(config, *(f"--check={check.name}" for check in of_area(Area.SLURM)), "--json")
    shown = json.loads(said)
    assert (code, shown["findings"], shown["could_not_look"]) == (0, [], {})
    assert shown["checks"] == len(of_area(Area.SLURM)) - 1  # there is no budget of an account


def test_an_account_that_may_not_change_nodes(
    slurm: PrivateSlurm, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if os.geteuid():
        pytest.skip("only root can be another account")
    path = slurm.environment()["PATH"]
    scontrol = tmp_path / "bin" / "scontrol"
    scontrol.parent.mkdir()
    nobody = "setpriv --reuid=65534 --regid=65534 --clear-groups"
    scontrol.write_text(f'#!/bin/sh\nexec {nobody} {shutil.which("scontrol", path=path)} "$@"\n')
    scontrol.chmod(0o755)
    monkeypatch.setenv("PATH", f"{scontrol.parent}{os.pathsep}{path}")
    (line,) = found(config, "rights-in-slurm").values()
    assert line.startswith("Slurm does not let this account update nodes: ")


def test_power_saving_of_one_partition_alone_is_found(another: PrivateSlurm, config: Path) -> None:
    """The cluster's SuspendTime is INFINITE."""
    assert found(config, "two-masters") == {}
    _restart(
        another,
        lambda conf: (
            conf.replace("PartitionName=compute Nodes=ALL", "PartitionName=compute Nodes=ALL SuspendTime=300")
            + "\nSuspendProgram=/bin/true\nResumeProgram=/bin/true\nSuspendTime=-1\n"
        ),
    )
    (line,) = found(config, "two-masters").values()
    assert "SuspendProgram=/bin/true and SuspendTime=300 for the partition compute, and so" in line
    code, said = asked(config, "--check", "two-masters")
    assert code == 1
    assert said.startswith("About slurm.conf:\n  WRONG  slurm.conf has SuspendProgram=/bin/true")
    assert "remedy: Exclude them with SuspendExcNodes" in said


@pytest.mark.long
def test_a_slurm_that_is_away_is_no_finding(another: PrivateSlurm, config: Path) -> None:
    another.stop_controller()
    code, said = asked(config, "--check", "stuck-drains", "--check", "two-masters", "--fix")
    assert code == 2
    assert "could not check: two-masters, stuck-drains: " in said
    assert said.endswith("no finding: 0 checks made; 2 could not be made\n")
