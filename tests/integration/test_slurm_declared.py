"""How nodes are declared in slurm.conf: what the daemon says to each way when it starts on a real Slurm.

The cloud is a sandbox's; nothing is booted here.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from daemon_process import BOUND, DaemonProcess, command, run
from slurm_stage import need_slurm, slurm_version

from arvnodeman.sandbox.process import SiteProcess
from arvnodeman.sandbox.real_slurm import PrivateSlurm
from arvnodeman.sandbox.real_slurm_conf import Shape

HIDDEN = "not in slurm.conf, or declared CLOUD or FUTURE there (declare them State=UNKNOWN)"
SAVING = ("SuspendProgram=/bin/true", "ResumeProgram=/bin/true", "SuspendTime=300")


@pytest.fixture(scope="module")
def site() -> Iterator[SiteProcess]:
    need_slurm()
    with SiteProcess(speed=30, slots=4, records="slurm") as site:
        yield site


@pytest.fixture
def declared() -> Iterator[Callable[[str], PrivateSlurm]]:
    """A Slurm whose nodes are declared so."""
    made: list[PrivateSlurm] = []

    def declare(state: str) -> PrivateSlurm:
        made.append(PrivateSlurm(Shape(nodes=4, state=state)))
        return made[-1]

    yield declare
    for slurm in made:
        slurm.stop()


def environment(slurm: PrivateSlurm) -> dict[str, str]:
    return {**slurm.environment(), "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}


def refused(site: SiteProcess, slurm: PrivateSlurm, folder: Path, node_names: str = "") -> str:
    """Start a daemon, which must end at once; its one line."""
    config = site.write_config(folder / "site.cfg", node_names=node_names)
    ended = subprocess.run(
        command("--config", str(config), "--foreground"),
        env=environment(slurm),
        capture_output=True,
        text=True,
        timeout=BOUND,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (2, ""), ended.stderr
    (line,) = ended.stderr.splitlines()
    assert line.startswith(f"{config}: Slurm: ")
    return line


def restart(slurm: PrivateSlurm, *changes: tuple[str, str]) -> None:
    """Change slurm.conf and let slurmctld read it anew."""
    conf = slurm.folder / "slurm.conf"
    text = conf.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    slurm.stop_controller()
    conf.write_text(text)
    slurm.start_controller()


@pytest.mark.parametrize("state", ["CLOUD", pytest.param("FUTURE", marks=pytest.mark.long)])
def test_a_start_on_nodes_that_slurm_hides_ends_with_a_line(
    site: SiteProcess, declared: Callable[[str], PrivateSlurm], tmp_path: Path, state: str
) -> None:
    """Slurm from 24.11 on shows CLOUD ones, and then they are refused as what they are."""
    line = refused(site, declared(state), tmp_path, node_names="compute[1-4]")
    hidden = f"it shows none of the names that are ours (compute1, compute2, compute3, compute4): they are {HIDDEN}"
    if state == "CLOUD" and slurm_version() >= (24, 11):
        hidden = "compute1, compute2, compute3, compute4: declared State=CLOUD in slurm.conf"
    assert hidden in line


@pytest.mark.long
def test_a_start_on_cloud_nodes_that_slurm_shows_ends_with_a_line(
    site: SiteProcess, declared: Callable[[str], PrivateSlurm], tmp_path: Path
) -> None:
    slurm = declared("CLOUD")
    restart(slurm)  # from then on it shows them
    line = refused(site, slurm, tmp_path)
    assert (
        "compute1, compute2, compute3, compute4: declared State=CLOUD in slurm.conf: Slurm places jobs on such" in line
    )


@pytest.mark.long
def test_a_start_on_names_that_slurm_does_not_know_ends_with_a_line(
    site: SiteProcess, declared: Callable[[str], PrivateSlurm], tmp_path: Path
) -> None:
    line = refused(site, declared("UNKNOWN"), tmp_path, node_names="cloud[1-20]")
    assert "(cloud1, cloud2, cloud3, cloud4, cloud5 and 15 more)" in line


def test_a_start_beside_slurms_own_power_saving_ends_with_a_line(
    site: SiteProcess, declared: Callable[[str], PrivateSlurm], tmp_path: Path
) -> None:
    slurm = declared("UNKNOWN")
    restart(slurm, ("ReturnToService=2\n", "\n".join(["ReturnToService=2", *SAVING, ""])))
    line = refused(site, slurm, tmp_path)
    assert "slurm.conf has SuspendProgram=/bin/true and SuspendTime=300 sec" in line
    assert "two masters destroy each other's nodes" in line


def test_where_nodes_may_be_alive_it_stays_and_goes_on_once_slurm_conf_is_mended(
    site: SiteProcess, declared: Callable[[str], PrivateSlurm], tmp_path: Path
) -> None:
    slurm = declared("CLOUD")
    slurm.say("scontrol", "update", "NodeName=compute2", "Comment=Node Manager node i-gone")
    restart(slurm)
    log = tmp_path / "log"
    config = site.write_config(
        tmp_path / "site.cfg", {"Logging": {"file": log, "level": "INFO"}}, state_dir=tmp_path / "state"
    )
    daemon = DaemonProcess(config, log, environment(slurm))
    try:
        daemon.wait_for_line("got error: Slurm: compute1, compute2, compute3, compute4: declared State=CLOUD")
        assert "declared State=CLOUD in slurm.conf" in run("status", "--config", str(config)).stdout
        restart(slurm, ("State=CLOUD", "State=UNKNOWN"))
        daemon.wait_for_line("got response with 4 items")
        daemon.wait_for(
            lambda: "Comment=Node Manager" not in slurm.say("scontrol", "show", "node", "compute2"),
            "the name of a node that is gone to be free again",
        )
        assert daemon.stop() == 0
        assert "Traceback" not in daemon.text()
    finally:
        daemon.end()
