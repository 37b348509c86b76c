"""The unit that ends a node which nobody manages, look by look: the shell's own words, a double of EC2's metadata,
programs that stand for Slurm's, and an uptime that the test says. With a real slurmd: tests/integration."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from metadata_double import Metadata, metadata_served

from arvnodeman.cloud.lease import PLACE, lease_script, lease_watch
from arvnodeman.cloud.startup import Startup
from arvnodeman.fleet.values.model import NodeRecord, NodeSize, Secret

SCRIPT = Path(__file__).parents[3] / "arvnodeman/cloud/lease.sh"
LEASE = 60  # minutes
MINUTE = 60
SCONTROL = """#!/bin/sh
[ ! -e {folder}/away ] || exit 1
case "$1 $2" in
  "-o show") cat {folder}/node ;;
  *)
    echo "$*" >> {folder}/told
    case $3 in
      State=DRAIN)
        sed -i "s/State=IDLE/State=IDLE+DRAIN/; s/$/ $4 [root@now]/" {folder}/node
        cat {folder}/late >> {folder}/jobs
        sed -i "s/lease (i-7)/$(cat {folder}/marked) (i-7)/" {folder}/node ;;
      State=RESUME) sed -i 's/State=IDLE+DRAIN/State=IDLE/' {folder}/node ;;
    esac ;;
esac
"""
SQUEUE = """#!/bin/sh
[ ! -e {folder}/away ] || exit 1
cat {folder}/jobs
"""
DRAINED = "update NodeName=compute7 State=DRAIN Reason=Node Manager lease (i-7)"


class Node:
    """A machine, with all that the unit reads."""

    def __init__(self, folder: Path, url: str, metadata: Metadata) -> None:
        self.folder, self.url, self.metadata = folder, url, metadata
        self.up = 100.0  # seconds
        self.cloud = "openstack"
        (folder / "bin").mkdir()
        for name, text in (("scontrol", SCONTROL), ("squeue", SQUEUE), ("logger", "#!/bin/sh\n")):
            program = folder / "bin" / name
            program.write_text(text.format(folder=folder))
            program.chmod(0o755)
        for name in ("jobs", "told", "late"):
            (folder / name).write_text("")
        (folder / "marked").write_text("lease")  # how the reason of its drain goes on, once it is drained
        (folder / "proc/17").mkdir(parents=True)
        (folder / "proc/17/cmdline").write_bytes(b"/usr/sbin/slurmstepd\0infinity\0")  # of every slurmd with cgroups v2
        (folder / "unit.sh").write_text(lease_script())
        self.shows("")

    def shows(self, extra: str, state: str = "IDLE") -> None:
        """What slurmctld keeps of it."""
        text = f"NodeName=compute7 State={state} Weight=1 Comment=Node Manager node i-7 Extra={extra}\n"
        (self.folder / "node").write_text(text)

    def step(self, runs: bool) -> None:
        """A job step of slurmd's."""
        title = b"slurmstepd: [12.batch]\0" if runs else b"bash\0"
        (self.folder / "proc/17/cmdline").write_bytes(title)

    def jobs(self, *numbers: str) -> None:
        """What squeue says is here."""
        (self.folder / "jobs").write_text("".join(f"{number}\n" for number in numbers))

    def away(self) -> None:
        """slurmctld does not answer any more."""
        (self.folder / "away").touch()

    def look(self, after: float = MINUTE) -> None:
        """One look, so many seconds after the last."""
        self.up += after
        (self.folder / "uptime").write_text(f"{self.up:.2f} 12.00\n")
        settings = {
            "PATH": f"{self.folder}/bin:{os.environ['PATH']}",
            "LEASE_METADATA": self.url,
            "LEASE_MEMORY": f"{self.folder}/memory",
            "LEASE_UPTIME": f"{self.folder}/uptime",
            "LEASE_PROCESSES": f"{self.folder}/proc",
            "LEASE_OFF": f"touch {self.folder}/off",
        }
        command = ["/bin/sh", f"{self.folder}/unit.sh", self.cloud, "compute7", str(LEASE)]
        subprocess.run(command, env=settings, check=True)

    def is_nearly_over(self, seconds: int = 0, seen: str = "5") -> None:
        """A look sooner than its lease is over, with this lease seen."""
        self.look()
        (self.folder / "memory").write_text(f"{self.up:.0f}\n{LEASE * 60 - MINUTE - seconds}\n{seen}\n")

    def counted(self) -> int:
        return int((self.folder / "memory").read_text().splitlines()[1])

    def told(self) -> list[str]:
        return (self.folder / "told").read_text().splitlines()

    @property
    def is_off(self) -> bool:
        return (self.folder / "off").exists()


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    metadata = Metadata()
    with metadata_served(metadata) as url:
        yield Node(tmp_path, url, metadata)


# ---- the end ---------------------------------------------------------------------------------------------------------


def test_an_idle_node_that_nobody_renews_is_drained_and_ends_when_its_lease_is_over_and_no_sooner(node: Node) -> None:
    for _ in range(LEASE):
        node.look()
    assert (node.is_off, node.counted(), node.told()) == (False, (LEASE - 1) * MINUTE, [])
    node.look()
    assert (node.is_off, node.told()) == (True, [DRAINED])


def test_what_begins_to_run_between_the_last_look_and_the_drain_keeps_it(node: Node) -> None:
    node.is_nearly_over()
    (node.folder / "late").write_text("12\n")
    node.look()
    assert (node.is_off, node.counted()) == (False, 0)
    assert node.told() == [DRAINED, "update NodeName=compute7 State=RESUME"]


def test_a_drain_of_somebody_elses_stays_as_it_is(node: Node) -> None:
    node.shows("", state="IDLE+DRAIN")
    node.is_nearly_over()
    node.look()
    assert (node.is_off, node.told()) == (True, [])


def test_without_slurmctld_the_steps_of_slurmd_alone_decide(node: Node) -> None:
    node.away()
    node.step(runs=True)
    node.is_nearly_over()
    node.look()
    assert (node.is_off, node.counted()) == (False, 0)
    node.step(runs=False)
    node.is_nearly_over()
    node.look()
    assert node.is_off


# ---- what keeps it ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["step", "job", "both"])
def test_a_day_without_a_manager_does_not_end_a_node_that_works_and_its_time_begins_when_that_has_ended(
    node: Node, how: str
) -> None:
    node.is_nearly_over()
    node.step(runs=how != "job")
    node.jobs(*([] if how == "step" else ["12"]))
    for _ in range(3):
        node.look()
    assert (node.is_off, node.counted()) == (False, 0)
    node.step(runs=False)
    node.jobs()
    node.look()
    assert node.counted() == MINUTE


def test_a_lease_that_slurm_shows_anew_begins_the_time_anew_and_one_that_stands_does_not(node: Node) -> None:
    node.shows("node-manager-lease:5")
    node.is_nearly_over()
    node.shows("node-manager-lease:3")  # a manager whose clock was put back
    node.look()
    assert (node.is_off, node.counted()) == (False, 0)
    node.is_nearly_over(seen="3")
    node.look()
    assert node.is_off


def test_what_a_manager_has_drained_for_good_meanwhile_is_not_resumed(node: Node) -> None:
    """One that is back marks it, and its destroy may be on the way."""
    node.is_nearly_over()
    (node.folder / "late").write_text("12\n")
    (node.folder / "marked").write_text("destroy")
    node.look()
    assert (node.is_off, node.told()) == (False, [DRAINED])


def test_a_renewal_at_the_last_moment_takes_the_drain_back(node: Node) -> None:
    node.is_nearly_over()
    scontrol = node.folder / "bin/scontrol"
    anew = f"sed -i 's/Extra=/Extra=node-manager-lease:9/' {node.folder}/node"
    scontrol.write_text(scontrol.read_text().replace("State=DRAIN)", f"State=DRAIN) {anew};"))
    node.look()
    assert (node.is_off, node.told()) == (False, [DRAINED, "update NodeName=compute7 State=RESUME"])


@pytest.mark.parametrize("extra", ["rack=7", "x node-manager-leas:9", "(null)", ""])
def test_what_somebody_else_has_noted_is_no_renewal(node: Node, extra: str) -> None:
    node.is_nearly_over()
    node.shows(extra)
    node.look()
    assert node.is_off


def test_on_ec2_the_tag_in_the_metadata_renews_it(node: Node) -> None:
    node.cloud = "ec2"
    node.away()
    node.metadata.lease = "5"
    node.is_nearly_over()
    node.metadata.lease = "6"
    node.look()
    assert (node.is_off, node.counted()) == (False, 0)
    node.is_nearly_over(seen="6")
    node.look()
    assert node.is_off


@pytest.mark.parametrize("away", [True, False])
def test_on_ec2_without_tags_in_the_metadata_slurm_renews_it(node: Node, away: bool) -> None:
    node.cloud = "ec2"
    node.metadata.away = away
    node.is_nearly_over()
    node.shows("node-manager-lease:6")
    node.look()
    assert (node.is_off, node.counted()) == (False, 0)


# ---- time ------------------------------------------------------------------------------------------------------------


def test_time_in_which_nobody_looked_is_not_counted(node: Node) -> None:
    """A machine that slept, or stood still for a day, has not waited; nor has one whose uptime makes no sense."""
    node.is_nearly_over(seconds=2 * MINUTE)
    node.look(after=86_400)
    assert (node.is_off, node.counted()) == (False, (LEASE - 2) * MINUTE)
    node.look(after=-86_400)
    assert (node.is_off, node.counted()) == (False, 0)


def test_no_clock_counts(node: Node) -> None:
    """Nothing in it reads one: the time of day may jump as it likes."""
    text = lease_script()
    assert "date" not in text.replace("update", "")
    assert "OnCalendar" not in lease_watch("ec2", "compute7", LEASE)


def test_after_a_reboot_the_time_begins_anew(node: Node) -> None:
    node.is_nearly_over()
    (node.folder / "memory").unlink()  # it is below /run
    node.up = 5
    node.look()
    assert (node.is_off, node.counted()) == (False, 0)


@pytest.mark.parametrize("text", ["", "x\ny\nz\n", "100\n", "\n\n\n", "100\n-5\n\n"])
def test_a_memory_that_cannot_be_read_begins_anew(node: Node, text: str) -> None:
    (node.folder / "memory").write_text(text)
    node.look()
    assert (node.is_off, node.counted()) == (False, 0)


# ---- in user data ----------------------------------------------------------------------------------------------------


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is not installed")
def test_it_is_good_to_shellcheck(tmp_path: Path) -> None:
    lines = tmp_path / "lines.sh"
    lines.write_text(f"#!/bin/sh\n{lease_watch('ec2', 'compute7', LEASE)}\n")
    subprocess.run(["shellcheck", "--shell=sh", str(SCRIPT), str(lines)], check=True)


def test_a_template_has_it_where_it_is_on(tmp_path: Path) -> None:
    template = tmp_path / "user-data"
    template.write_text("#!/bin/sh\n{lease_watch}\necho {hostname}\n")
    size = NodeSize("small", "s1", "s1", "s1", 2, 2048, 10, 10000, 0.1)
    record = NodeRecord("zzzzz-7ekkf-0123456789abcde", hostname="compute7", domain="zzzzz.example.com")
    on, off = (
        Startup(str(template), 16_384, "gce", minutes).text(size, record, "compute7", Secret(""), "")
        for minutes in (90, 0)
    )
    assert on == f"#!/bin/sh\n{lease_watch('gce', 'compute7', 90)}\necho compute7\n"
    assert off == "#!/bin/sh\n\necho compute7\n"
    assert f"/bin/sh {PLACE} gce compute7 90" in on
    assert len(on) < 4500  # EC2 takes 16,384 bytes of user data in all


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_its_units_are_good_to_systemd(tmp_path: Path) -> None:
    lines = lease_watch("ec2", "compute7", LEASE)
    begin = lines.index("  printf '[Service]")
    text = lines[begin : lines.index("  systemctl")].replace("/etc/systemd/system", str(tmp_path))
    subprocess.run(["/bin/sh", "-c", text], check=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["arv-lease.service", "arv-lease.timer"]
    units = [str(tmp_path / name) for name in ("arv-lease.timer", "arv-lease.service")]
    done = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True, check=False)
    assert (done.returncode, "arv-lease" in done.stderr) == (0, False), done.stderr
