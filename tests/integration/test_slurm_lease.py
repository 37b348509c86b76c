"""The unit that ends a node which nobody manages, with a real slurmd and slurmctld: what works there keeps it, what the
daemon's hands write renews it, and an idle one ends, drained. Its uptime is what the test says."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from slurm_stage import BOUND, need_slurm

from arvnodeman.cloud.lease import lease_script
from arvnodeman.sandbox.real_slurm import PrivateSlurm
from arvnodeman.sandbox.real_slurm_conf import Shape
from arvnodeman.slurm.keeping import NamesInSlurm

SCRIPT = "#!/bin/sh\nexec sleep 900\n"
LEASE = 60  # minutes


class NodeWithLease:
    """A real Slurm's compute1, and the unit as it runs there."""

    def __init__(self, slurm: PrivateSlurm, folder: Path) -> None:
        self.slurm, self.folder, self.up = slurm, folder, 1000
        (folder / "unit.sh").write_text(lease_script())

    def shown(self) -> str:
        """State and reason of the node."""
        return self.slurm.say("sinfo", "-h", "-N", "-p", "compute", "-n", "compute1", "-o", "%t %E").strip()

    def until(self, true: Callable[[], object], what: str) -> None:
        end = time.monotonic() + BOUND
        while not true():
            assert time.monotonic() < end, f"never: {what}\n{self.shown()}"
            time.sleep(0.1)

    def look(self, nearly_over: bool = False) -> None:
        """One look, a minute after the last. `nearly_over`: that nobody saw a reason to stay until now."""
        memory = self.folder / "memory"
        if nearly_over:
            seen = memory.read_text().splitlines()[2]
            memory.write_text(f"{self.up}\n{(LEASE - 1) * 60}\n{seen}\n")
        self.up += 60
        (self.folder / "uptime").write_text(f"{self.up}.00 1.00\n")
        settings = {
            **self.slurm.environment(),
            "LEASE_MEMORY": str(memory),
            "LEASE_UPTIME": f"{self.folder}/uptime",
            "LEASE_PROCESSES": str(self._own_processes()),
            "LEASE_OFF": f"touch {self.folder}/off",
        }
        command = ["/bin/sh", f"{self.folder}/unit.sh", "openstack", "compute1", str(LEASE)]
        subprocess.run(command, env=settings, check=True, timeout=BOUND)

    def _own_processes(self) -> Path:
        """A /proc of this Slurm alone: others run on the machine that tests run on."""
        parents: dict[int, int] = {}
        for path in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                parents[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
        assert self.slurm._ward is not None
        ours = {self.slurm._ward.pid}
        while more := {pid for pid, parent in parents.items() if parent in ours} - ours:
            ours |= more
        folder = self.folder / f"proc{self.up}"
        folder.mkdir()
        for pid in ours:
            (folder / str(pid)).symlink_to(f"/proc/{pid}")
        return folder

    def counted(self) -> int:
        return int((self.folder / "memory").read_text().splitlines()[1])

    @property
    def is_off(self) -> bool:
        return (self.folder / "off").exists()


@pytest.fixture
def node(tmp_path: Path) -> Iterator[NodeWithLease]:
    need_slurm()
    with PrivateSlurm(Shape(nodes=2, state="UNKNOWN", message_timeout=30)) as private:
        private.start_node("compute1")
        made = NodeWithLease(private, tmp_path)
        made.until(lambda: made.shown().startswith("idle "), "an idle node")
        yield made


@pytest.mark.long
def test_a_job_keeps_it_with_and_without_slurmctld_and_idle_it_ends_drained(node: NodeWithLease) -> None:
    slurm = node.slurm
    job = slurm.say("sbatch", "--output=/dev/null", "--partition=compute", text=SCRIPT).split()[-1]
    node.until(lambda: slurm.say("squeue", "-h", "-j", job, "-o", "%t").strip() == "R", "the job to run")
    node.look()
    node.look(nearly_over=True)
    assert (node.is_off, node.counted()) == (False, 0)
    slurm.stop_controller()
    node.look(nearly_over=True)  # squeue says nothing: the step of slurmd tells
    assert (node.is_off, node.counted()) == (False, 0)
    slurm.start_controller()
    slurm.say("scancel", job)
    node.until(lambda: node.shown().startswith("idle "), "an idle node again")
    node.look()
    assert (node.is_off, node.counted()) == (False, 60)
    node.look(nearly_over=True)
    assert node.is_off
    assert node.shown().partition(" ")[::2] == ("drain", "Node Manager lease ()")


def test_an_allocation_without_a_step_keeps_it_and_the_daemons_hands_renew_its_lease(
    node: NodeWithLease, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in node.slurm.environment().items():
        monkeypatch.setenv(name, value)
    assert node.slurm.run("salloc", "--partition=compute", "--no-shell").returncode == 0
    node.until(lambda: node.shown().startswith("alloc"), "an allocation")
    node.look()
    node.look(nearly_over=True)
    assert (node.is_off, node.counted()) == (False, 0)
    node.slurm.say("scancel", *node.slurm.say("squeue", "-h", "-o", "%A").split())
    node.until(lambda: node.shown().startswith("idle "), "an idle node again")
    hands = NamesInSlurm()
    for value in ("1780000900", "1780000000"):  # a clock that was put back is a renewal, too
        hands.renew_leases(["compute1", "compute2"], value)
        node.look(nearly_over=True)
        assert (node.is_off, node.counted()) == (False, 0)
    node.look(nearly_over=True)
    assert node.is_off


def test_a_note_of_somebody_elses_stays(node: NodeWithLease, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in node.slurm.environment().items():
        monkeypatch.setenv(name, value)
    node.slurm.say("scontrol", "update", "NodeName=compute1", "Extra=rack=7")
    hands = NamesInSlurm()
    hands.renew_leases(["compute1", "compute2"], "17")
    extras = {name: shown.extra for name, shown in hands.shown().items()}
    assert (extras["compute1"], extras["compute2"]) == ("rack=7", "node-manager-lease:17")
