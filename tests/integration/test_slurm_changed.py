"""slurm.conf changed under the daemon, on a real Slurm: names of living nodes are taken out of it, and come back.

Slurm 22.05 takes such a change at a restart of slurmctld alone: `scontrol reconfigure` ends slurmctld, which the test
starts again as a service manager would. Either way Slurm itself ends the job on a name that is gone.
"""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from slurm_stage import Stage, need_slurm, stage

from arvnodeman.sandbox.process import SiteProcess
from arvnodeman.slurm.show import ShownNode, parse_nodes

LONG = (2700.0, 1200.0)  # simulated seconds of the jobs: the first outlasts all that is done to Slurm


@pytest.fixture
def site() -> Iterator[SiteProcess]:
    need_slurm()
    with SiteProcess(speed=30, slots=6, slurm="real", records="slurm") as site:
        yield site


def without(text: str, names: set[str]) -> str:
    """This slurm.conf with a line for each node but these."""
    found = re.search(r"^NodeName=compute\[0-(\d+)\] NodeAddr=(\S+) Port=\[(\d+)-\d+\] (.*)\n", text, re.MULTILINE)
    assert found is not None
    last, address, port, more = found.groups()
    lines = (
        f"NodeName=compute{number} NodeAddr={address} Port={int(port) + number} {more}\n"
        for number in range(int(last) + 1)
        if f"compute{number}" not in names
    )
    return text.replace(found.group(), "".join(lines))


def shown(played: Stage) -> dict[str, ShownNode]:
    return parse_nodes(played.slurm("scontrol", "show", "nodes"))[0]


def until_saved(played: Stage) -> None:
    """Wait until slurmctld has saved its jobs: it ends without doing so."""
    saved = Path(played.site.address.slurm_conf).parent / "state" / "job_state"
    begun = time.time()
    for number in played.slurm("squeue", "-h", "-o", "%i").split():
        played.slurm("scontrol", "update", f"JobId={number}", "Comment=saved")
    played.until(lambda: saved.exists() and saved.stat().st_mtime > begun, "the jobs to be saved")


def restart(played: Stage, how: str) -> None:
    """Let slurmctld read its slurm.conf."""
    if how == "reconfigure":
        until_saved(played)
        environment = played.site.environment()
        subprocess.run(["scontrol", "reconfigure"], env=environment, capture_output=True, timeout=60, check=False)
        asked = subprocess.run(["sinfo"], env=environment, capture_output=True, timeout=60, check=False)
        if asked.returncode == 0:
            return  # newer ones can do it
        played.site.post("slurm/slurmctld", {"do": "start"})
        return
    played.site.post("slurm/slurmctld", {"do": "restart"})


@pytest.mark.long
@pytest.mark.parametrize("how", ["restart", "reconfigure"])
def test_names_of_living_nodes_are_taken_out_and_nothing_is_lost_or_left(
    site: SiteProcess, tmp_path: Path, how: str
) -> None:
    with stage(site, tmp_path) as played:
        daemon = played.daemon(min_nodes=3, max_nodes=4, boot_fail_after=20)
        jobs = [played.job(size="large", duration=duration) for duration in LONG]
        kept, lost = (played.node_of(job)["hostname"] for job in jobs)
        played.until(lambda: any(node["slurm"] == "idle" for node in played.nodes()), "an idle node")
        idle = next(node["hostname"] for node in played.nodes() if node["slurm"] == "idle")
        before = {node["hostname"]: node["id"] for node in played.nodes()}

        conf = Path(site.address.slurm_conf)
        original = conf.read_text()
        conf.write_text(without(original, {idle, lost}))
        restart(played, how)
        missing = ", ".join(sorted((idle, lost)))
        daemon.wait_for_line(f"Slurm does not show {missing}, which should be ours: they are not in slurm.conf")
        gone = {before[idle], before[lost]}
        played.until(lambda: not gone & {node["id"] for node in played.nodes()}, "nodes without a name to go")
        assert before[kept] in {node["id"] for node in played.nodes()}, played.account()
        assert played.job_state(jobs[0])["state"] == "running"
        assert daemon.text().count(f"Slurm does not show {missing}") == 1

        conf.write_text(original)
        restart(played, "restart")
        played.until(lambda: {idle, lost} <= shown(played).keys(), "the names to be back")
        daemon.stop()
        daemon = played.daemon(max_nodes=4)
        verdict = played.until_quiet()
        assert daemon.stop() == 0
        assert verdict["ran_once"] == 2
        assert played.job_state(jobs[0])["starts"] == 1
        assert {name: node.comment for name, node in shown(played).items() if node.comment} == {}


def test_names_declared_down_work_and_a_line_says_what_a_restart_would_do(site: SiteProcess, tmp_path: Path) -> None:
    conf = Path(site.address.slurm_conf)
    text = conf.read_text()
    assert "State=UNKNOWN" in text
    conf.write_text(text.replace("State=UNKNOWN", "State=DOWN"))
    with stage(site, tmp_path) as played:
        restart(played, "restart")
        played.until(lambda: {node.base for node in shown(played).values()} == {"DOWN"}, "all nodes to be down")
        daemon = played.daemon(max_nodes=2)
        played.job(duration=60.0)
        verdict = played.until_quiet()
        assert daemon.stop() == 0
        assert verdict["ran_once"] == 1
        assert (
            "down without a reason, as nodes declared State=DOWN in slurm.conf are: a plain restart of" in daemon.text()
        )
