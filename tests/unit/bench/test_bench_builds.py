"""The comparison of two builds measures this one: what it imports is there, and every node and job arrives."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

BENCH = Path(__file__).resolve().parents[2] / "bench"
ROOT = BENCH.parents[1]


def measured(*arguments: str) -> Any:
    path = os.pathsep.join(map(str, (ROOT, ROOT / "tests")))
    command = [sys.executable, str(BENCH / "measure_build.py"), *arguments]
    return json.loads(subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, check=True, stdout=-1).stdout)


@pytest.mark.parametrize("changed", ["0.1", "1"])
def test_cycles(changed: str) -> None:
    found = measured("cycle", "30", changed, "2")
    assert len(found) == 2
    assert all(polled > 0 and brain > 0 for polled, brain in found)


def test_memory_and_hours() -> None:
    assert 0 < measured("memory", "30", "2")["traced"] < measured("resident", "30", "2")["rss"]
    found = measured("hours", "2", "12")
    assert 8 <= found["done"] <= 12, "the last may not have ended when the two hours have"
    assert found["events"] > 300


SCRIPT = """
from builds import Names
from cluster_texts import Cluster
from measure_build import Daemon

cluster = Cluster(40, 0.1)
daemon = Daemon(Names(), cluster)
daemon.cycle()
cluster.step()
daemon.cycle()
view = daemon.fleet.view
busy, idle = sum(cluster.working), 40 - sum(cluster.working)
print(view.states.get("busy") == busy, view.states.get("idle") == idle, len(view.jobs))
"""


def test_all_nodes_and_jobs_arrive() -> None:
    path = os.pathsep.join(map(str, (ROOT, BENCH)))
    told = subprocess.run([sys.executable, "-c", SCRIPT], env={**os.environ, "PYTHONPATH": path}, check=True, stdout=-1)
    assert told.stdout.split() == [b"True", b"True", b"200"]
