"""Slurm without Arvados, a real one: plain jobs, and nodes whose records are names in Slurm.

One Slurm for all tests of the file; each begins and ends with no node. A real second is 30 simulated ones. All names
are looked for at an address where nobody is, until the daemon says where their node is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from slurm_stage import SPEED, Stage, need_slurm, stage

from arvnodeman.sandbox.process import SiteProcess
from arvnodeman.sandbox.real_slurm import ended_jobs
from arvnodeman.slurm.show import ShownNode, parse_nodes

JOBS = 20
BOUND = 150.0  # real seconds for all of them


@pytest.fixture(scope="module")
def site() -> Iterator[SiteProcess]:
    need_slurm()
    with SiteProcess(speed=SPEED, slots=12, slurm="real", records="slurm") as site:
        yield site


@pytest.fixture
def alone(site: SiteProcess, tmp_path: Path) -> Iterator[Stage]:
    with stage(site, tmp_path) as alone:
        for name in shown(alone).keys() - {"compute0"}:
            alone.slurm("scontrol", "update", f"NodeName={name}", "NodeAddr=192.0.2.1")
        yield alone


def shown(alone: Stage) -> dict[str, ShownNode]:
    return parse_nodes(alone.slurm("scontrol", "show", "nodes"))[0]


def sbatch(alone: Stage, name: str, *options: str, seconds: float = 1.0) -> str:
    """Submit a plain job; its number."""
    script = alone.folder / f"{name}.sh"
    script.write_text(f"#!/bin/sh\nexec sleep {seconds}\n")
    argv = ("sbatch", "--parsable", f"--job-name={name}", "--output=/dev/null", *options, str(script))
    return alone.slurm(*argv)


def until_over(alone: Stage) -> None:
    """No job waits or runs, no node is there, no name is marked."""

    def over() -> bool:
        try:
            return not alone.slurm("squeue", "-h") and alone.site.state()["quiet"]
        except AssertionError:  # slurmctld is hard at work
            return False

    alone.until(over, "all jobs to be done and all nodes to be gone", BOUND)
    assert "Traceback" not in alone.logs()


def assert_nothing_is_left(alone: Stage) -> None:
    used = {h["text"] for h in alone.happened("slurmd-started")}
    nodes = shown(alone)
    assert used
    assert {name: nodes[name].comment for name in nodes if nodes[name].comment} == {}
    assert {name: nodes[name].address for name in used} == dict.fromkeys(used, "192.0.2.1")


@pytest.mark.long
def test_twenty_plain_jobs_run_once_though_the_daemon_is_killed_three_times(alone: Stage) -> None:
    """Killed while a name is promised to a boot, while jobs run, and while nodes go."""
    wanted = [
        ("--cpus-per-task=1", "--mem=500"),
        ("--cpus-per-task=4", "--mem=6000"),
        ("--constraint=instancetype=large",),
        ("--cpus-per-task=2", "--mem=3000", "--partition=shared"),
    ]
    names = [f"plain{number}" for number in range(JOBS)]
    for number, name in enumerate(names):
        sbatch(alone, name, *wanted[number % len(wanted)], seconds=1 + number % 3)
    moments: list[tuple[str, Callable[[], bool]]] = [
        ("a name to be promised", lambda: any("booting" in node.comment for node in shown(alone).values())),
        ("jobs to run", lambda: "R" in alone.slurm("squeue", "-h", "-o", "%t").split()),
        ("a node to be drained", lambda: any("DRAIN" in node.flags for node in shown(alone).values())),
    ]
    for what, came in moments:
        daemon = alone.daemon(max_nodes=6)
        alone.until(came, what)
        alone.crash(daemon)
    daemon = alone.daemon(max_nodes=6)
    until_over(alone)
    assert daemon.stop() == 0
    completed = alone.completed()
    assert {name: completed[name] for name in names} == dict.fromkeys(names, 1)
    ended = ended_jobs(Path(alone.site.address.slurm_conf).parent)
    assert {job["JobState"] for job in ended if job["Name"] in names} == {"COMPLETED"}, alone.account()
    verdict = alone.site.verdict()
    assert (verdict["nodes_left"], verdict["slots_left"], verdict["busy_destroyed"]) == ([], [], [])
    assert_nothing_is_left(alone)


@pytest.mark.long
def test_a_node_gets_no_job_before_slurm_knows_where_it_is(alone: Stage) -> None:
    """The daemon dies between the create and the first list; slurmctld could not reach what registers meanwhile."""
    sbatch(alone, "early")
    daemon = alone.daemon(max_nodes=1)
    alone.until(lambda: any("booting" in node.comment for node in shown(alone).values()), "a name to be promised")
    alone.until(lambda: alone.subjects("node-created"), "a node to be created")
    alone.crash(daemon)
    alone.until(lambda: alone.subjects("slurmd-started"), "its slurmd to be started")
    (name,) = (name for name, node in shown(alone).items() if "booting" in node.comment)
    alone.until(lambda: "*" not in alone.sinfo(name), "it to register")
    assert alone.sinfo(name) == "drain"
    assert alone.slurm("squeue", "-h", "-o", "%t") == "PD"
    daemon = alone.daemon(max_nodes=1)
    until_over(alone)
    assert daemon.stop() == 0
    states = [job["JobState"] for job in ended_jobs(Path(alone.site.address.slurm_conf).parent)]
    assert set(states) == {"COMPLETED"}
    assert_nothing_is_left(alone)


@pytest.mark.long
def test_a_restart_of_slurmctld_that_loses_addresses_and_features_costs_no_job(alone: Stage) -> None:
    """They are slurm.conf's afterwards: the daemon says again where each node is."""
    daemon = alone.daemon(min_nodes=1, max_nodes=2)
    alone.until(lambda: [n["slurm"] for n in alone.nodes()] == ["idle"], "an idle node")
    (node,) = alone.nodes()
    assert shown(alone)[node["hostname"]].address == "127.0.0.1"
    alone.slurm("scontrol", "update", f"NodeName={node['hostname']}", "NodeAddr=127.0.0.9")
    alone.until(lambda: shown(alone)[node["hostname"]].address == "127.0.0.1", "the address to be said again")
    alone.site.post("slurm/slurmctld", {"do": "restart"})
    alone.until(lambda: alone.sinfo(node["hostname"], "%f|%w") == "instancetype=small|50", "the features to be back")
    sbatch(alone, "after")
    alone.until(lambda: alone.completed()["after"] == 1, "the job to be done")
    assert daemon.stop() == 0
    alone.daemon(max_nodes=2)
    until_over(alone)
    assert_nothing_is_left(alone)


@pytest.mark.long
def test_what_no_size_can_serve_waits_with_the_reason_on_it(alone: Stage) -> None:
    daemon = alone.daemon(max_nodes=2)
    number = sbatch(alone, "never", "--nodes=5", "--partition=shared")
    other = sbatch(alone, "never", "--cpus-per-task=1", "--partition=shared")  # of the same name, and can be served
    alone.until(lambda: "AdminComment=" in alone.slurm("scontrol", "show", "job", number), "the reason to be there")
    assert "max_nodes" in alone.slurm("scontrol", "show", "job", number)
    assert alone.slurm("squeue", "-h", "-j", number, "-o", "%t") == "PD"
    alone.until(lambda: alone.completed()["never"] == 1, f"{other} to be done")
    alone.slurm("scancel", number)
    until_over(alone)
    assert daemon.stop() == 0
    assert_nothing_is_left(alone)


@pytest.mark.long
def test_a_job_that_a_limit_stops_says_so_in_the_queue_and_somebody_elses_words_stay(alone: Stage) -> None:
    daemon = alone.daemon(max_nodes=1, explain_after=2)
    first = sbatch(alone, "first", "--exclusive", seconds=600)
    alone.until(lambda: alone.slurm("squeue", "-h", "-j", first, "-o", "%t") == "R", "the first to run")
    jane, *others = (sbatch(alone, "behind", "--exclusive") for _ in range(3))
    alone.slurm("scontrol", "update", f"JobId={jane}", "AdminComment=ask Jane")

    def comment(job: str) -> str:
        return alone.slurm("squeue", "-h", "-j", job, "-O", "admin_comment:120").strip()

    told = "Node Manager: small: max_nodes of 1 reached, waits for others to end"
    alone.until(lambda: all(comment(job) == told for job in others), "both to say why they wait", 2 * BOUND)
    assert comment(first) in ("", "(null)")
    assert comment(jane) == "ask Jane"
    alone.slurm("scancel", first, jane, *others)
    until_over(alone)
    assert daemon.stop() == 0


def test_a_name_that_an_administrator_has_drained_is_left_out(alone: Stage) -> None:
    alone.slurm("scontrol", "update", "NodeName=compute1", "State=DRAIN", "Reason=disk broken")
    try:
        alone.daemon(max_nodes=1)
        sbatch(alone, "elsewhere")
        alone.until(lambda: alone.completed()["elsewhere"] == 1, "the job to be done")
        until_over(alone)
        assert "compute1" not in {h["text"] for h in alone.happened("slurmd-started")}
        assert shown(alone)["compute1"].reason == "disk broken"
    finally:
        for state in ("DOWN", "RESUME"):  # a name that has never been up can be resumed from DOWN alone
            alone.slurm("scontrol", "update", "NodeName=compute1", f"State={state}", "Reason=over")
