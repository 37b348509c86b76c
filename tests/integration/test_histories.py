"""The real daemon at the sandbox site, in the histories that cost money or work when they come out wrong."""

from __future__ import annotations

import json
import random
import signal
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from daemon_process import BOUND, DaemonProcess

from arvnodeman.sandbox.process import SiteProcess

LONG = 2 * BOUND  # seconds that a whole workload may take on a busy machine


class History:
    """A site, its configuration, and the daemons that run there one after the other."""

    def __init__(self, site: SiteProcess, folder: Path, **daemon: object) -> None:
        self.site = site
        self.log = folder / "log"
        overrides = {"Logging": {"file": str(self.log), "level": "DEBUG"}}
        self.config = site.write_config(folder / "site.cfg", overrides, **daemon)
        self.daemon = self.start()

    def start(self) -> DaemonProcess:
        """A daemon begins."""
        self.daemon = DaemonProcess(self.config, self.log, self.site.environment())
        return self.daemon

    def finish(self) -> dict[str, Any]:
        """Wait until the site has come to rest, stop the daemon in order, and judge."""
        self.daemon.wait_for_line("Daemon started")  # the site may be at rest before
        self.site.wait_for(lambda state: bool(state["quiet"]), timeout=LONG)
        verdict = self.site.verdict()
        assert self.daemon.stop() == 0
        assert verdict["clean"], f"{verdict}\n{self.log.read_text()[-20000:]}"
        assert "Traceback" not in self.log.read_text()
        return verdict


@contextmanager
def history(folder: Path, daemon: dict[str, object] | None = None, **site: object) -> Iterator[History]:
    """A history, ended however it goes."""
    with SiteProcess(**({"speed": 60} | site)) as process:
        told = History(process, folder, **(daemon or {}))
        try:
            yield told
        finally:
            told.daemon.end()


def arvados_logs(site: SiteProcess) -> list[dict[str, Any]]:
    """What users read on their jobs."""
    request = urllib.request.Request(
        f"{site.address.url}/arvados/v1/logs", headers={"Authorization": f"Bearer {site.address.token}"}
    )
    with urllib.request.urlopen(request, timeout=BOUND) as answer:
        items: list[dict[str, Any]] = json.loads(answer.read())["items"]
        return items


@pytest.mark.long
def test_four_nodes_at_once(tmp_path: Path) -> None:
    """Row M10: several nodes."""
    with history(tmp_path) as told:
        told.site.add_jobs(*({"size": "small", "duration": 240} for _ in range(4)))
        told.site.wait_for(lambda state: state["jobs"].get("running") == 4, timeout=LONG)
        verdict = told.finish()
    assert verdict["nodes_booted"] == 4
    assert verdict["most_at_once"] == 4


@pytest.mark.long
def test_a_hundred_jobs_of_two_to_two_hundred_seconds(tmp_path: Path) -> None:
    """Row M9: short and long ones side by side on few nodes, which fall idle at every moment of their neighbours'."""
    lengths = [2 + 198 * (number * 37 % 100) / 99 for number in range(100)]
    with history(tmp_path, {"max_nodes": 20}, slots=24) as told:
        told.site.add_jobs(*({"cores": 1 + 3 * (n % 7 == 0), "duration": time} for n, time in enumerate(lengths)))
        verdict = told.finish()
    assert (verdict["jobs"], verdict["ran_once"]) == (100, 100)
    assert verdict["requeues"] == {}
    assert 2 < verdict["most_at_once"] <= 20


@pytest.mark.long
def test_a_quota_is_learnt_and_probed(tmp_path: Path) -> None:
    """Rows C18, N1 and M10: a refusal lowers the soft limit to what stands, and time raises it again."""
    with history(tmp_path) as told:
        told.site.post("settings", {"quota": 2})
        told.site.add_jobs(*({"size": "small", "duration": 600} for _ in range(4)))
        told.daemon.wait_for_line("After quota exceeded error setting node quota to 2")
        told.site.wait_for(lambda state: state["jobs"].get("running") == 2, timeout=LONG)
        told.site.post("settings", {"quota": 8})
        told.site.wait_for(lambda state: state["jobs"].get("running", 0) >= 3, timeout=LONG)
        verdict = told.finish()
    assert verdict["most_at_once"] >= 3


@pytest.mark.long
def test_a_boot_is_refused_throttled_and_tried_again(tmp_path: Path) -> None:
    """Rows A10 to A12, D7 and M10: throttling waits as asked, a lost answer is looked for, want of capacity rests."""
    with history(tmp_path) as told:
        told.site.post("faults", {"arm": {"create-throttled": 1, "create-lost": 1, "create-capacity:medium": 1}})
        told.site.add_jobs({"size": "small", "duration": 60}, {"size": "medium", "duration": 60})
        verdict = told.finish()
        text = told.log.read_text()
    assert "scheduling retry in" in text
    assert "InsufficientCapacity" in text
    assert verdict["nodes_booted"] == 2  # the node of the lost answer was found, not made again


def test_an_unsatisfiable_job_is_cancelled_with_its_reason(tmp_path: Path) -> None:
    """Rows C23 and M10, and the guard before it: three queue polls, and not most of the queue."""
    with history(tmp_path) as told:
        good = told.site.add_jobs(*({"cores": 1, "duration": 60} for _ in range(2)))
        (bad,) = told.site.add_jobs({"cores": 1, "nodes": 100, "duration": 60})
        told.site.wait_for(lambda state: state["jobs"].get("cancelled") == 1, timeout=LONG)
        verdict = told.finish()
        logged = arvados_logs(told.site)
    assert verdict["cancelled"] == 1
    assert verdict["ran_once"] == len(good)
    reasons = [log["properties"]["text"] for log in logged if log["object_uuid"] == bad]
    assert len(reasons) == 1
    assert "greater than the configured max_nodes" in reasons[0]


def test_sigterm_in_the_middle_of_a_boot_finishes_it(tmp_path: Path) -> None:
    """Row D14: the boot that has reached the cloud ends well, and the next daemon uses its node."""
    with history(tmp_path) as told:
        told.site.post("faults", {"arm": {"create-lost": 1}, "values": {"hang": 1.0}})
        told.site.add_jobs({"size": "small", "duration": 60})
        told.daemon.wait_for_line("Sending create_node request")
        assert told.daemon.stop() == 0
        told.start()
        verdict = told.finish()
    assert verdict["nodes_booted"] == 1


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.long)])
def test_sigkill_at_a_random_moment_loses_nothing(tmp_path: Path, seed: int) -> None:
    """Crash-only: all truth is in the cloud, the node records and Slurm."""
    rng = random.Random(seed)
    with history(tmp_path, seed=seed) as told:
        told.site.post("jobs", {"workload": {"seed": seed, "jobs": 12, "window": 200, "duration": 120}})
        for _ in range(4):
            told.daemon.wait_for_line("Daemon started")
            time.sleep(rng.random() * 1.5)  # the moment is the point; nothing is waited for
            told.daemon.stop(signal.SIGKILL)
            told.log.rename(tmp_path / f"log.{rng.random()}")
            told.start()
        verdict = told.finish()
    assert verdict["ran_once"] == 12
    assert verdict["requeues"] == {}
