"""The daemon on a real slurmctld with real slurmds: what Slurm's lags, flags and restarts make of each rule.

One Slurm for all tests of the file; each begins and ends with no node. A real second is 30 simulated ones.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from slurm_stage import SPEED, Stage, need_slurm, slurm_version, stage

from arvnodeman.sandbox.process import SiteProcess

OUTAGE = 30.0  # real seconds that slurmctld is away


@pytest.fixture(scope="module")
def site() -> Iterator[SiteProcess]:
    need_slurm()
    with SiteProcess(speed=SPEED, slots=12, slurm="real") as site:
        yield site


@pytest.fixture
def real(site: SiteProcess, tmp_path: Path) -> Iterator[Stage]:
    with stage(site, tmp_path) as real:
        yield real


def seconds(real_ones: float) -> float:
    """So many real seconds, in simulated ones."""
    return real_ones * SPEED


@pytest.mark.long
def test_slurmctld_away_for_thirty_seconds_destroys_nothing_and_work_goes_on(real: Stage) -> None:
    """Row F18: features and weights are slurm.conf's afterwards, and are applied again."""
    daemon = real.daemon(min_nodes=2)
    real.until(lambda: len(real.nodes()) == 2 and all(n["slurm"] == "idle" for n in real.nodes()), "two idle nodes")
    before = real.job(size="small", duration=seconds(5))
    names = [node["hostname"] for node in real.nodes()]
    described = {name: real.sinfo(name, "%f|%w") for name in names}
    assert set(described.values()) == {"instancetype=small|50"}
    real.node_of(before)
    real.site.post("slurm/slurmctld", {"do": "stop"})
    away = real.event_number()
    meanwhile = real.job(size="small", duration=seconds(1))
    end = real.site.state()["elapsed"] + seconds(OUTAGE)
    real.until(lambda: real.site.state()["elapsed"] >= end, "the outage to be over")
    assert "Unable to contact slurm controller" in daemon.text()
    real.site.post("slurm/slurmctld", {"do": "start"})
    assert not [h for h in real.happened() if h["seq"] > away and h["kind"] in ("node-created", "node-destroyed")]
    real.until(lambda: {name: real.sinfo(name, "%f|%w") for name in names} == described, "the features to be back")
    real.until_job(meanwhile, "completed")
    real.until_job(before, "completed")
    assert (real.completed()[before], real.completed()[meanwhile]) == (1, 1)
    assert daemon.stop() == 0
    real.daemon()
    real.until_quiet()
    assert len(real.subjects("node-created")) == 2


def test_twenty_jobs_of_three_sizes_with_and_without_constraints_run_once(real: Stage) -> None:
    """Rows F9, F16, F17."""
    sizes = {"small": 1, "medium": 4, "large": 8}
    jobs: list[dict[str, object]] = []
    for number in range(20):
        size, cores = list(sizes.items())[number % 3]
        named = {"size": size} if number % 2 else {"cores": cores, "ram": 1500, "scratch": 100}
        jobs.append({**named, "duration": seconds(1 + number % 3), "arrives": seconds(number / 5)})
    names = real.site.add_jobs(*jobs)
    daemon = real.daemon(max_nodes=6)
    real.until_quiet()
    assert daemon.stop() == 0
    completed = real.completed()
    assert {name: completed[name] for name in names} == dict.fromkeys(names, 1)
    assert {job["size"] for job in real.site.state("jobs")["job_list"] if job["name"] in names} == {*sizes, None}


def test_a_drain_lets_the_running_job_finish_also_across_a_restart_of_the_daemon(real: Stage) -> None:
    """Rows F1, F3: drng, then drain, then the node goes."""
    daemon = real.daemon()
    job = real.job(size="small", duration=seconds(7))
    node = real.node_of(job)
    real.say(node, "drain: hot")
    real.until(lambda: real.sinfo(node["hostname"]) == "drng", "the node to be draining")
    assert real.sinfo(node["hostname"], "%E") == f"Node Manager removal ({node['id']})"
    real.crash(daemon)
    real.daemon()
    real.until_quiet()
    assert real.completed()[job] == 1
    kinds = [event["kind"] for event in real.happened() if event["subject"] in (job, node["id"])]
    assert kinds.index("job-completed") < kinds.index("node-destroyed")
    assert kinds.count("job-started") == 1


@pytest.mark.long
def test_a_drain_found_after_a_restart_is_taken_back_when_the_node_is_wanted(real: Stage) -> None:
    """Rows E15, F5: the node is resumed, and the new job runs on it; none is booted."""
    daemon = real.daemon(max_nodes=1)
    first = real.job(size="small", duration=seconds(8))
    node = real.node_of(first)
    real.crash(daemon)
    reason = f"Node Manager shutdown ({node['id']})"
    real.slurm("scontrol", "update", f"NodeName={node['hostname']}", "State=DRAIN", f"Reason={reason}")
    second = real.job(size="small", duration=seconds(1))
    daemon = real.daemon(max_nodes=1)
    real.until(lambda: "Shutdown cancelled: " in daemon.text(), "the drain to be taken back")
    real.until(lambda: real.sinfo(node["hostname"]).rstrip("*") == "alloc", "the node to be resumed")
    assert real.job_state(first)["state"] in ("running", "completed")
    real.until_quiet()
    assert (real.completed()[first], real.completed()[second]) == (1, 1)
    assert real.subjects("node-created") == [node["id"]]


@pytest.mark.long
def test_features_lost_in_a_reconfigure_are_applied_again_and_a_reservation_is_left_alone(real: Stage) -> None:
    """Rows F18, F21: `maint` is neither down nor spare; when it ends the node goes."""
    real.daemon()
    job = real.job(size="small", duration=seconds(12))  # the reservation has to be there before it ends
    node = real.node_of(job)
    host = node["hostname"]
    real.slurm("scontrol", "reconfigure")
    real.until(lambda: real.sinfo(host, "%f|%w") == "instancetype=small|50", "feature and weight to be back")
    user = real.slurm("sh", "-c", "id -un")
    made = ("ReservationName=mine", f"Nodes={host}", f"Users={user}", "Flags=MAINT,IGNORE_JOBS")
    real.slurm("scontrol", "create", *made, "StartTime=now", "Duration=60")
    try:
        real.until(lambda: real.sinfo(host) == "maint", "the node to be in maintenance")
        other = real.job(size="medium", duration=seconds(1))
        real.until_job(other, "completed")
        real.until(lambda: [n["id"] for n in real.nodes()] == [node["id"]], "the other node to be gone")
        assert real.sinfo(host) == "maint"
    finally:  # it would keep the name from the tests that follow
        real.slurm("scontrol", "delete", "ReservationName=mine")
    real.until_quiet()


@pytest.mark.long
def test_a_slurmd_killed_under_a_job_costs_the_node_and_the_job_runs_on_another(real: Stage) -> None:
    """Row F2: alloc, alloc*, then down*; not before that is the node destroyed."""
    real.daemon()
    job = real.job(size="small", duration=seconds(5))
    node = real.node_of(job)
    real.site.post(f"nodes/{node['id']}", {"do": "node-loses-slurmd"})
    real.until_quiet()
    assert real.completed()[job] == 1
    kinds = [event["kind"] for event in real.happened() if event["subject"] in (job, node["id"])]
    assert kinds.index("job-requeued") < kinds.index("node-destroyed")
    assert kinds.count("job-started") == 2


def test_a_failed_node_whose_job_only_squeue_shows_is_not_destroyed_before_the_job_ends(real: Stage) -> None:
    """Row E17: on a node that has cores left, `fail` hides the job that runs."""
    daemon = real.daemon(min_nodes=1)
    real.until(lambda: real.nodes() and real.nodes()[0]["slurm"] == "idle", "an idle node")
    (node,) = real.nodes()
    host = node["hostname"]
    alien = ("--parsable", "--partition=shared", "--ntasks=1", "--job-name=alien", "--output=/dev/null", "--mem=100")
    real.slurm("sbatch", *alien, "--wrap=sleep 6")
    real.until(lambda: real.sinfo(host) == "mix", "the alien job to run")
    real.slurm("scontrol", "update", f"NodeName={host}", "State=FAIL", "Reason=broken")
    assert real.sinfo(host) in ("fail", "failg", "drng")  # failg: newer ones count; drng: the daemon has drained it
    daemon.wait_for_line(f"Draining SLURM node {host}")
    real.until(lambda: node["id"] in real.subjects("node-destroyed"), "the node to be destroyed")
    assert real.completed()["alien"] == 1
    assert daemon.stop() == 0
    real.daemon()
    real.until_quiet()


@pytest.mark.long
def test_a_new_node_under_a_used_name_gets_work_though_nobody_else_resumes_it(real: Stage) -> None:
    """DRAIN and DOWN of the node before it stay on the name, and ReturnToService takes back only the DOWN."""
    real.site.post("settings", {"self_resume": False})
    try:
        real.daemon()
        first = real.job(size="small", duration=seconds(1))
        host = real.node_of(first)["hostname"]
        real.until_quiet()
        assert real.sinfo(host).startswith("drain")
        assert real.sinfo(host, "%E").startswith("Node Manager shutdown (sb-")
        second = real.job(size="small", duration=seconds(1))
        assert real.node_of(second)["hostname"] == host
        real.until_quiet()
    finally:
        real.site.post("settings", {"self_resume": True})
    assert (real.completed()[first], real.completed()[second]) == (1, 1)


@pytest.mark.long
def test_what_no_size_can_serve_is_cancelled_once_and_for_all(real: Stage) -> None:
    """Rows C23, N6: the container first, or the dispatcher would queue it again."""
    real.daemon()
    job = real.job(size="enormous", duration=seconds(1))
    good = real.job(size="small", duration=seconds(1))
    real.until_job(job, "cancelled")
    real.until_quiet()
    assert real.job_state(job)["requeues"] == {}
    assert real.arvados(f"containers/{job}")["state"] == "Cancelled"
    logs = real.arvados("logs")["items"]
    assert len([row for row in logs if row["object_uuid"] == job]) == 1
    assert (real.completed()[job], real.completed()[good]) == (0, 1)
    assert real.subjects("job-submitted").count(job) == real.subjects("job-cancelled").count(job) == 1


def another_account() -> list[str]:
    """A prefix under which a command runs as nobody. Skips the test where that cannot be had."""
    if os.environ.get("SLURM_ROOT"):
        pytest.skip("only root can run the programs of another root directory")
    setpriv = shutil.which("setpriv")
    if setpriv is not None:
        drop = [setpriv, "--reuid=65534", "--regid=65534", "--clear-groups"]
        for prefix in (drop, ["sudo", "-n", "--preserve-env=SLURM_CONF", *drop]):
            try:
                done = subprocess.run([*prefix, "id", "-u"], capture_output=True, text=True, timeout=30, check=False)
            except OSError:
                continue
            if done.stdout.strip() == "65534":
                return prefix
    if os.environ.get("CI") == "true":
        pytest.fail("this account cannot run a command as another one")
    pytest.skip("this account cannot run a command as another one (needs root, or sudo without a password)")


@pytest.mark.long
def test_an_account_without_rights_gets_one_clear_line(real: Stage, tmp_path: Path) -> None:
    prefix = another_account()
    folder = tmp_path / "bin"
    folder.mkdir()
    environment = real.site.environment()
    for name in ("squeue", "sinfo", "scontrol", "scancel"):
        path = folder / name
        target = shutil.which(name)
        path.write_text(f'#!/bin/sh\ncd / && exec {" ".join(prefix)} {target} "$@"\n')
        path.chmod(0o755)
    daemon = real.daemon({**environment, "PATH": f"{folder}{os.pathsep}{environment['PATH']}"}, min_nodes=1)
    daemon.wait_for_line("Slurm does not let this account update nodes")
    real.until(lambda: len(real.nodes()) == 1 and real.nodes()[0]["slurm"] == "idle", "a node to be up")
    assert daemon.stop() == 0
    (line,) = [line for line in daemon.text().splitlines() if "this account update nodes" in line]
    assert "Slurm does not let this account update nodes: scontrol: slurm_update error: Invalid user id" in line
    assert line.endswith(" (this account must be SlurmUser, root or a Slurm operator)")
    real.daemon()
    real.until_quiet()


def newest(real: Stage, hostname: str) -> str:
    """What sinfo says of a node now: of one name alone it would be what the last listing counted."""
    return real.sinfo(f"{hostname},{hostname}").strip()


def test_a_suspended_job_keeps_its_node_although_slurm_calls_it_idle(real: Stage) -> None:
    """Rows E17, F1: only squeue shows that a job is still on it."""
    daemon = real.daemon()
    job = real.job(size="small", duration=seconds(8))
    node = real.node_of(job)
    number = real.slurm("squeue", "--noheader", "--format=%i", f"--name={job}").strip()
    real.slurm("scontrol", "suspend", number)
    idle = slurm_version() < (24, 11)  # newer ones call it mix, and so nobody drains it
    word = "drain" if idle else "mix"
    real.until(lambda: newest(real, node["hostname"]) == word, f"the node to be {word}")
    end = real.site.state()["elapsed"] + seconds(6)
    real.until(lambda: real.site.state()["elapsed"] >= end, "some looks at the node")
    assert [n["id"] for n in real.nodes()] == [node["id"]]
    assert ("Waiting for SLURM node" in daemon.text()) is idle
    real.slurm("scontrol", "resume", number)
    real.until_job(job, "completed")
    real.until_quiet()
    assert real.completed()[job] == 1
    assert daemon.stop() == 0
