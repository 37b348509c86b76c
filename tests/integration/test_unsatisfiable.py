"""Work that no size can serve, at a site whose dispatcher queues again whatever is cancelled in Slurm alone."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from daemon_process import BOUND, DaemonProcess

from arvnodeman.sandbox.process import SiteProcess


def arvados(site: SiteProcess, path: str) -> dict[str, Any]:
    request = urllib.request.Request(
        f"{site.address.url}/arvados/v1/{path}", headers={"Authorization": f"Bearer {site.address.token}"}
    )
    with urllib.request.urlopen(request, timeout=BOUND) as answer:
        found: dict[str, Any] = json.loads(answer.read())
    return found


@pytest.mark.long
def test_no_container_is_cancelled_twice_and_none_comes_back(tmp_path: Path) -> None:
    """Rows C23, N6, M10: the reason is logged, the container Cancelled, then its job; meanwhile others run."""
    log = tmp_path / "log"
    with SiteProcess(speed=60) as site:
        config = site.write_config(tmp_path / "site.cfg", {"Logging": {"file": log, "level": "DEBUG"}})
        daemon = DaemonProcess(config, log, site.environment())
        try:
            hopeless = site.add_jobs({"size": "enormous"}, {"cores": 999}, {"cores": 1, "ram": 10**7, "priority": 900})
            good = site.add_jobs(*[{"cores": 1, "duration": 60.0}] * 4)
            site.wait_for(lambda state: state["quiet"] and state["jobs"].get("completed") == 4, timeout=BOUND)
            later = site.add_jobs({"cores": 1, "duration": 60.0})  # the dispatcher's next looks come meanwhile
            site.wait_for(lambda state: state["quiet"] and state["jobs"].get("completed") == 5, timeout=BOUND)
            assert daemon.stop() == 0
        finally:
            daemon.end()
        jobs = {job["name"]: job for job in site.state("jobs")["job_list"]}
        events = site.get("events?after=0")["events"]
        containers = {name: arvados(site, f"containers/{name}")["state"] for name in jobs}
        logs = [row["object_uuid"] for row in arvados(site, "logs")["items"]]
    for kind in ("job-submitted", "job-cancelled"):
        subjects = [h["subject"] for h in events if h["kind"] == kind and h["subject"] in hopeless]
        assert sorted(subjects) == sorted(hopeless), kind
    assert sorted(logs) == sorted(hopeless)
    assert not any(jobs[name]["requeues"] for name in hopeless)
    assert containers == dict.fromkeys(hopeless, "Cancelled") | dict.fromkeys([*good, *later], "Complete")
    assert log.read_text().count("Cancelled unsatisfiable job") == len(hopeless)
