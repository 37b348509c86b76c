"""Arvados from 3.0 on: no nodes at the API server, containers for jobs, and names in Slurm as records.

On the double of Slurm, and on a real one where it is installed. The dispatcher is the sandbox's: it submits again
whatever leaves Slurm before its container has ended.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from daemon_process import BOUND, DaemonProcess, command, run
from slurm_stage import Stage, need_slurm, stage

from arvnodeman.sandbox.process import SiteProcess

WORK: list[dict[str, object]] = [
    {"cores": 1, "duration": 40.0},
    {"cores": 4, "ram": 6000, "duration": 60.0},
    {"size": "large", "duration": 50.0, "priority": 900},
    {"cores": 2, "ram": 3000, "duration": 90.0, "priority": 0},
]
LONG = 200.0  # real seconds for all of it, on a busy machine


@pytest.fixture(params=["double", pytest.param("real", marks=pytest.mark.long)])
def site(request: pytest.FixtureRequest) -> Iterator[SiteProcess]:
    if request.param == "real":
        need_slurm()
    with SiteProcess(speed=30, slots=8, slurm=request.param, records="arvados-3") as site:
        yield site


@pytest.fixture
def doubled() -> Iterator[SiteProcess]:
    with SiteProcess(speed=60, slots=4, records="arvados-3") as site:
        yield site


def containers(played: Stage) -> dict[str, str]:
    """The state of each container, by uuid."""
    items = played.arvados("containers?limit=1000")["items"]
    return {item["uuid"]: item["state"] for item in items}


def test_every_container_is_complete_once_though_the_daemon_is_killed_three_times(
    site: SiteProcess, tmp_path: Path
) -> None:
    """Rows N6, C23: one that no size can serve is cancelled for good, and its reason is logged on it."""
    with stage(site, tmp_path) as played:
        work = site.add_jobs(*(WORK[number % len(WORK)] for number in range(12)))
        hopeless = played.job(size="enormous", duration=60.0)
        moments: list[tuple[str, Callable[[dict[str, Any]], bool]]] = [
            ("a name to be promised", lambda state: state["slots"] > 0),
            ("jobs to run", lambda state: state["jobs"].get("running", 0) > 1),
            ("a job to be done", lambda state: state["jobs"].get("completed", 0) > 2),
        ]
        for what, came in moments:
            daemon = played.daemon(max_nodes=5)
            played.until(lambda came=came: came(site.state()), what)  # type: ignore[misc]  # bound now
            played.crash(daemon)
        daemon = played.daemon(max_nodes=5)
        played.until(lambda: site.state()["quiet"], "all to be done", LONG)
        assert daemon.stop() == 0
        assert "Traceback" not in played.logs()
        verdict = site.verdict()
        assert verdict["clean"], f"{verdict}\n{played.account()}"
        assert (verdict["ran_once"], verdict["cancelled"]) == (len(work), 1)
        assert containers(played) == dict.fromkeys(work, "Complete") | {hopeless: "Cancelled"}
        (row,) = played.arvados("logs")["items"]
        assert (row["object_uuid"], row["event_type"]) == (hopeless, "dispatch")
        assert "Constraints cannot be satisfied" in row["properties"]["text"]
        if site.address.slurm_conf:
            assert played.completed() == dict.fromkeys(work, 1)


def explained(daemon: DaemonProcess, job: str) -> str:
    ran = subprocess.run(
        command("explain", job, "--config", str(daemon.config)),
        capture_output=True,
        text=True,
        timeout=BOUND,
        check=False,
    )
    return ran.stdout


@pytest.mark.long
def test_explain_shows_what_arvados_says_of_a_container_and_a_token_without_rights_costs_a_line(
    doubled: SiteProcess, tmp_path: Path
) -> None:
    with stage(doubled, tmp_path) as played:
        played.job(duration=3600.0)
        waiting = played.job(duration=60.0, priority=0)
        daemon = played.daemon(max_nodes=1, state_dir=tmp_path / "state")
        word = "Arvados: the container is Locked, with priority 0: nobody wants it any more"
        played.until(lambda: word in explained(daemon, waiting), "Arvados' word in explain")
        assert "Slurm" in explained(daemon, waiting)

        doubled.post("settings", {"token": {"may_not": ["containers"]}})
        complaint = "What Arvados says of waiting containers is not shown: Arvados: containers.list: HTTP 403 Forbidden"
        daemon.wait_for_line(complaint)
        played.until(lambda: word not in explained(daemon, waiting), "Arvados' word to be gone")
        assert "max_nodes" in explained(daemon, waiting)
        hopeless = played.job(size="enormous")
        daemon.wait_for_line("containers.update: HTTP 403 Forbidden")
        polls = daemon.text().count("JobQueueMonitorActor")
        daemon.wait_for(lambda: daemon.text().count("JobQueueMonitorActor") > polls + 20, "more polls")
        assert (daemon.text().count(complaint), daemon.text().count("containers.update: HTTP 403")) == (1, 1)
        assert daemon.stop() == 0
        assert containers_after(doubled, played)[hopeless] == "Locked"
        assert "Traceback" not in daemon.text()


def containers_after(site: SiteProcess, played: Stage) -> dict[str, str]:
    """With a token that may see them again; the daemon has to be down, for it would cancel with that."""
    site.post("settings", {"token": {}})
    return containers(played)


def test_a_token_of_no_administrator_cancels_nothing_and_loses_nothing(doubled: SiteProcess, tmp_path: Path) -> None:
    with stage(doubled, tmp_path) as played:
        doubled.post("settings", {"token": {"admin": False}})
        hopeless, good = played.job(size="enormous"), played.job(duration=60.0)
        daemon = played.daemon(max_nodes=1)
        played.until_job(good, "completed")
        daemon.wait_for_line("containers.update: HTTP 403")
        assert daemon.text().count("containers.update: HTTP 403") == 1
        assert played.job_state(hopeless)["state"] == "pending"
        assert daemon.stop() == 0
        assert containers_after(doubled, played)[hopeless] == "Locked"


def test_each_user_of_arvados_pays_for_his_containers(site: SiteProcess, tmp_path: Path) -> None:
    """To Slurm all of them are the dispatcher's. Each takes a whole node, so what each pays is known."""
    users = {"alice": 2, "bob": 1}
    with stage(site, tmp_path) as played:
        for user, count in users.items():
            site.add_jobs(*({"cores": 4, "duration": 120.0, "user": user} for _ in range(count)))
        nobody_s = played.job(cores=4, duration=120.0)
        state = tmp_path / "state"
        daemon = played.daemon(max_nodes=4, state_dir=state, payers_poll_time=1)
        played.until(lambda: site.state()["quiet"], "all to be done", LONG)
        assert daemon.stop() == 0
        assert "Traceback" not in played.logs()
        told = run(
            "report", "--since", "1h", "--by", "user", "--format", "json", "--history", str(state / "history.sqlite")
        )
        assert (told.returncode, told.stderr) == (0, "")
        shares = {share["name"]: share for share in json.loads(told.stdout)["shares"]}
        assert {user: shares[user]["jobs"] for user in users} == users
        others = shares.keys() - users.keys() - {"(overhead)"}
        assert [shares[name]["jobs"] for name in others] == [1], (nobody_s, shares)
