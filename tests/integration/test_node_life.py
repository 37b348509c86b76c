"""The real daemon at the sandbox site: a node boots for a job, pairs, works, falls idle, and goes."""

from __future__ import annotations

from pathlib import Path

from daemon_process import BOUND, DaemonProcess

from arvnodeman.sandbox.process import SiteProcess

STEPS = (
    "Want 1 more small nodes.  Booting a node.",
    "Sending create_node request for node size small.",
    " created.",
    " post-create work done.",
    " is now paired with Arvados node ",
    "small: wishlist 0, up 1 (booting 0, unpaired 0, idle 0, busy 1), down 0, shutdown 0",
    "small: wishlist 0, up 1 (booting 0, unpaired 0, idle 1, busy 0), down 0, shutdown 0",
    "Draining SLURM node ",
    "Starting shutdown",
    "Shutdown success",
    "small: wishlist 0, up 0 (booting 0, unpaired 0, idle 0, busy 0), down 0, shutdown 0",
)


def test_one_nodes_whole_life(tmp_path: Path) -> None:
    """Row M10: one node."""
    log = tmp_path / "log"
    with SiteProcess(speed=60) as site:
        config = site.write_config(
            tmp_path / "site.cfg",
            {"Logging": {"file": log, "level": "INFO"}},
            consecutive_idle_count=6,  # long enough for a queue poll, which logs the counts, to see it idle
        )
        daemon = DaemonProcess(config, log, site.environment())
        try:
            site.add_jobs({"cores": 1, "duration": 120})
            site.wait_for(lambda state: state["quiet"] and state["jobs"].get("completed") == 1, timeout=BOUND)
            daemon.wait_for(lambda: STEPS[-1] in daemon.text().partition(STEPS[-2])[2], "the last count")
            verdict = site.verdict()
            assert daemon.stop() == 0
        finally:
            daemon.end()
    assert verdict["clean"], verdict
    assert verdict["nodes_booted"] == 1
    text = log.read_text()
    place = 0
    for step in STEPS:
        found = text.find(step, place)
        assert found >= 0, f"{step!r} is not in its place:\n{text}"
        place = found + len(step)
    assert "Traceback" not in text
