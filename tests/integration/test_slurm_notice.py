"""The unit that watches for the cloud's notices, with a real Slurm: what its words do to a node and its jobs."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from metadata_double import ACTION, REBALANCE, Metadata, metadata_served
from slurm_stage import BOUND, need_slurm

from arvnodeman.cloud.notice import watcher
from arvnodeman.sandbox.real_slurm import PrivateSlurm
from arvnodeman.sandbox.real_slurm_conf import Shape

SCRIPT = "#!/bin/sh\nexec sleep 900\n"


class NodeWithUnit:
    """A real Slurm's compute1, and the unit as it runs there."""

    def __init__(self, slurm: PrivateSlurm, folder: Path) -> None:
        self.slurm, self.folder = slurm, folder
        self.metadata = Metadata()
        (folder / "unit.sh").write_text(watcher())

    def submit(self, *options: str) -> str:
        """A job; its number."""
        said = self.slurm.say("sbatch", "--output=/dev/null", "--partition=compute", *options, text=SCRIPT)
        return said.split()[-1]

    def jobs(self) -> dict[str, str]:
        """Number -> state and restarts."""
        lines = self.slurm.say("squeue", "-h", "-O", "JobID:20,StateCompact:10,RestartCnt:10").splitlines()
        return {number: f"{state} {restarts}" for number, state, restarts in map(str.split, lines)}

    def shown(self) -> str:
        """State and reason of the node."""
        return self.slurm.say("sinfo", "-h", "-N", "-p", "compute", "-n", "compute1", "-o", "%t %E").strip()

    def run(self, url: str, pause: str = "600") -> subprocess.Popen[bytes]:
        """Start the unit."""
        settings = {**os.environ, **self.slurm.environment(), "NOTICE_METADATA": url, "NOTICE_EVERY": "0.2"}
        settings |= {"NOTICE_PAUSE": pause, "NOTICE_MEMORY": f"{self.folder}/memory"}
        return subprocess.Popen(["/bin/sh", f"{self.folder}/unit.sh", "ec2", "compute1"], env=settings)

    def until(self, true: Callable[[], object], what: str) -> None:
        end = time.monotonic() + BOUND
        while not true():
            assert time.monotonic() < end, f"never: {what}\n{self.jobs()}\n{self.shown()}"
            time.sleep(0.1)


@pytest.fixture
def node(tmp_path: Path) -> Iterator[NodeWithUnit]:
    need_slurm()
    with PrivateSlurm(Shape(nodes=1, state="UNKNOWN", message_timeout=30)) as private:
        private.start_node("compute1")
        made = NodeWithUnit(private, tmp_path)
        made.until(lambda: made.shown().startswith("idle "), "an idle node")
        yield made


@pytest.mark.parametrize(("option", "after"), [("--requeue", "PD 1"), ("--no-requeue", "R 0")])
def test_a_job_is_queued_again_where_it_may_be(node: NodeWithUnit, option: str, after: str) -> None:
    job = node.submit(option)
    node.until(lambda: node.jobs() == {job: "R 0"}, "the job to run")
    with metadata_served(node.metadata) as url, node.run(url) as unit:
        node.metadata.action = ACTION
        assert unit.wait(BOUND) == 0
    node.until(lambda: node.jobs() == {job: after}, f"the job to be {after}")
    state, _, reason = node.shown().partition(" ")
    assert (state in ("drng", "drain"), reason) == (True, "Node Manager notice (i-0123456789abcdef0)")


def test_a_rest_takes_nothing_from_the_jobs_and_ends_by_itself(node: NodeWithUnit) -> None:
    runs = node.submit()
    node.until(lambda: node.jobs() == {runs: "R 0"}, "the job to run")
    with metadata_served(node.metadata) as url, node.run(url, pause="1") as unit:
        node.metadata.rebalance = REBALANCE
        node.until((node.folder / "memory").exists, "the rest to begin")
        node.until(lambda: (node.folder / "memory").read_text().endswith("\n\n"), "the rest to end")
        unit.kill()
    assert node.jobs() == {runs: "R 0"}
    assert not node.shown().startswith("dr")
