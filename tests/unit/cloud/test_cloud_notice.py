"""The unit that watches for the cloud's notices, as it runs on a node: the shell's own words, a double of the cloud's
metadata, and programs that stand for Slurm's. With a real Slurm: tests/integration/test_slurm_notice.py."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from metadata_double import ACTION, REBALANCE, Metadata, event, metadata_served

from arvnodeman.cloud.notice import PLACE, WITH_NOTICES, notice_watch, watcher
from arvnodeman.cloud.startup import Startup
from arvnodeman.cloud.user_data import BadTemplate
from arvnodeman.fleet.values.model import NodeRecord, NodeSize, Secret

SCRIPT = Path(__file__).parents[3] / "arvnodeman/cloud/notice.sh"
BOUND = 120.0  # seconds that anything here may take on a busy machine
NOTICE, AT_RISK = "Node Manager notice (i-0123456789abcdef0)", "Node Manager rebalance (i-0123456789abcdef0)"
SCONTROL = """#!/bin/sh
echo "$*" >> {folder}/told
[ ! -e {folder}/away ] || exit 1
case "$1 $2" in
  "-o show") cat {folder}/node ;;
  "update NodeName=compute7")
    case $3 in
      State=DRAIN) echo "NodeName=compute7 State=IDLE+DRAIN ThreadsPerCore=1 $4 [root@now]" > {folder}/node ;;
      State=RESUME) echo "NodeName=compute7 State=IDLE ThreadsPerCore=1" > {folder}/node ;;
    esac ;;
  "requeue 13") echo "Requested operation is presently disabled for job 13" >&2; exit 1 ;;
esac
"""
SQUEUE = """#!/bin/sh
echo "squeue $*" >> {folder}/told
cat {folder}/jobs
"""


class Node:
    """A node whose unit runs: what the cloud says, and what Slurm was told."""

    def __init__(self, folder: Path, url: str, metadata: Metadata) -> None:
        self.folder, self.url, self.metadata = folder, url, metadata
        self.unit: subprocess.Popen[bytes] | None = None
        for name, text in (("scontrol", SCONTROL), ("squeue", SQUEUE), ("logger", "#!/bin/sh\n")):
            program = folder / "bin" / name
            program.parent.mkdir(exist_ok=True)
            program.write_text(text.format(folder=folder))
            program.chmod(0o755)
        self.is_shown("IDLE")
        (folder / "jobs").write_text("12\n13\n14\n")
        (folder / "told").write_text("")
        (folder / "unit.sh").write_text(watcher())

    def is_shown(self, state: str, reason: str = "") -> None:
        """What Slurm shows of it from now on."""
        said = f" Reason={reason} [root@now]" if reason else ""
        (self.folder / "node").write_text(f"NodeName=compute7 Arch=x86_64 State={state} ThreadsPerCore=1{said}\n")

    def watch(self, cloud: str = "ec2", pause: str = "600") -> None:
        """Start the unit."""
        settings = {
            "PATH": f"{self.folder}/bin:{os.environ['PATH']}",
            "NOTICE_METADATA": self.url,
            "NOTICE_EVERY": "0.1",
            "NOTICE_PAUSE": pause,
            "NOTICE_MEMORY": f"{self.folder}/memory",
        }
        command = ["/bin/sh", str(self.folder / "unit.sh"), cloud, "compute7"]
        self.unit = subprocess.Popen(command, env=settings, start_new_session=True)

    def stop(self) -> None:
        """End the unit, if it has not ended."""
        if self.unit is not None:
            self.unit.kill()
            self.unit.wait()

    def told(self) -> list[str]:
        """What Slurm was told and not only asked."""
        lines = (self.folder / "told").read_text().splitlines()
        return [line for line in lines if not line.startswith(("-o show", "squeue"))]

    def has_ended(self) -> bool:
        """Has the unit done what there is to do?"""
        assert self.unit is not None
        return self.unit.poll() == 0

    def has_asked(self, times: int) -> None:
        """Return when it has asked the cloud so often, from now on, and so has acted on the first answers."""
        before = len(self.metadata.asked)
        until(lambda: len(self.metadata.asked) >= before + 2 * times)


def until(seen: Callable[[], object]) -> None:
    end = time.monotonic() + BOUND
    while not seen():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    metadata = Metadata()
    with metadata_served(metadata) as url:
        made = Node(tmp_path, url, metadata)
        yield made
        made.stop()


def drained(reason: str) -> str:
    return f"update NodeName=compute7 State=DRAIN Reason={reason}"


REQUEUED = ["requeue 12", "requeue 13", "requeue 14"]


# ---- EC2 -------------------------------------------------------------------------------------------------------------


def test_a_node_that_is_taken_back_is_drained_and_its_jobs_are_queued_again(node: Node) -> None:
    """A job that cannot be is left, and keeps none of the others."""
    node.watch()
    node.has_asked(3)
    assert node.told() == []
    node.metadata.action = ACTION
    until(node.has_ended)
    assert node.told() == [drained(NOTICE), *REQUEUED]


def test_a_session_token_is_got_anew_when_it_is_refused(node: Node) -> None:
    node.watch()
    node.has_asked(3)
    assert node.metadata.given == 1
    node.metadata.tokens.clear()
    node.metadata.action = ACTION
    until(node.has_ended)
    assert node.metadata.given == 2
    assert node.told()[0] == drained(NOTICE)


@pytest.mark.parametrize("page", ["<html>please sign in</html>", "", "{}"])
def test_what_is_no_notice_is_none(node: Node, page: str) -> None:
    node.metadata.action = node.metadata.rebalance = page
    node.watch()
    node.has_asked(5)
    assert node.told() == []


def test_a_service_that_is_away_is_asked_again(node: Node) -> None:
    node.metadata.away = True
    node.metadata.action = ACTION
    node.watch()
    node.has_asked(2)
    node.metadata.away = False
    until(node.has_ended)
    assert node.told() == [drained(NOTICE), *REQUEUED]


def test_slurm_is_told_again_until_it_listens(node: Node) -> None:
    (node.folder / "away").touch()
    node.metadata.action = ACTION
    node.watch()
    node.has_asked(5)
    assert not node.has_ended()
    (node.folder / "away").unlink()
    until(node.has_ended)
    assert node.told()[-4:] == [drained(NOTICE), *REQUEUED]


@pytest.mark.parametrize(
    ("state", "reason", "told"),
    [
        ("MIXED+DRAIN", "bad disk", []),
        ("DOWN+DRAIN", "Node Manager shutdown (i-0123456789abcdef0)", [drained(NOTICE)]),
        ("IDLE+DRAIN", AT_RISK, [drained(NOTICE)]),
        ("ALLOCATED+DRAIN", NOTICE, []),
        ("ALLOCATED", "Node Manager shutdown (i-0)", [drained(NOTICE)]),  # 24.11 keeps the reason of a drain of old
    ],
)
def test_a_drain_of_somebody_else_keeps_its_reason(node: Node, state: str, reason: str, told: list[str]) -> None:
    node.is_shown(state, reason)
    node.metadata.action = ACTION
    node.watch()
    until(node.has_ended)
    assert node.told() == [*told, *REQUEUED]


HEEDED = REBALANCE.replace(" ", "")
RESUMED = "update NodeName=compute7 State=RESUME"


def test_a_node_that_may_be_taken_back_rests_once_and_takes_work_again(node: Node) -> None:
    """Its jobs go on. The recommendation stays for as long as the node lives, and outlives a restart of the unit."""
    node.metadata.rebalance = REBALANCE
    node.watch(pause="1")
    until(lambda: RESUMED in node.told())
    assert node.told() == [drained(AT_RISK), RESUMED]
    node.stop()
    node.watch(pause="1")
    node.has_asked(5)
    assert node.told() == [drained(AT_RISK), RESUMED]


@pytest.mark.parametrize("memory", [f"{HEEDED}\n1\n", ""])
def test_a_unit_that_was_restarted_ends_the_rest(node: Node, memory: str) -> None:
    """Also one that was killed before it had written down that it drained its node."""
    node.metadata.rebalance = REBALANCE
    node.is_shown("IDLE+DRAIN", AT_RISK)
    (node.folder / "memory").write_text(memory)
    node.watch(pause="1")
    until(node.told)
    assert node.told() == [RESUMED]


def test_a_rest_that_somebody_else_has_ended_is_over(node: Node) -> None:
    node.metadata.rebalance = REBALANCE
    node.is_shown("IDLE+DRAIN", "bad disk")
    (node.folder / "memory").write_text(f"{HEEDED}\n1\n")
    node.watch()
    until(lambda: (node.folder / "memory").read_text() == f"{HEEDED}\n\n")
    assert node.told() == []


def test_one_that_is_drained_already_is_not_drained_for_a_rest(node: Node) -> None:
    node.is_shown("IDLE+DRAIN", "bad disk")
    node.metadata.rebalance = REBALANCE
    node.watch(pause="1")
    until((node.folder / "memory").exists)
    node.has_asked(5)
    assert node.told() == []


def test_after_the_rest_has_begun_the_end_may_come(node: Node) -> None:
    node.metadata.rebalance = REBALANCE
    node.watch()
    until(node.told)
    node.metadata.action = ACTION
    until(node.has_ended)
    assert node.told() == [drained(AT_RISK), drained(NOTICE), *REQUEUED]


# ---- GCE and Azure ---------------------------------------------------------------------------------------------------

OF_GCE, OF_AZURE = "Node Manager notice (4006034190819017668)", "Node Manager notice (compute-7)"


def test_gce_preempts(node: Node) -> None:
    node.watch("gce")
    node.has_asked(3)
    assert node.told() == []
    node.metadata.preempted = "TRUE"
    until(node.has_ended)
    assert node.told() == [drained(OF_GCE), *REQUEUED]


@pytest.mark.parametrize(
    ("said", "told"), [("MIGRATE_ON_HOST_MAINTENANCE", []), ("TERMINATE_ON_HOST_MAINTENANCE", [drained(OF_GCE)])]
)
def test_gce_maintains_the_host(node: Node, said: str, told: list[str]) -> None:
    """Jobs go on for as long as they can: it may be an hour."""
    node.metadata.maintenance = said
    node.watch("gce")
    node.has_asked(5)
    assert node.told() == told


@pytest.mark.parametrize(
    ("events", "told"),
    [
        ([event("Preempt", "compute-7")], [drained(OF_AZURE), *REQUEUED]),
        ([event("Freeze", "compute-7"), event("Preempt", "another", "COMPUTE-7")], [drained(OF_AZURE), *REQUEUED]),
        ([event("Redeploy", "compute-7")], [drained(OF_AZURE)]),
        ([event("Terminate", "compute-7")], [drained(OF_AZURE)]),
        ([event("Freeze", "compute-7")], []),
        ([event("Preempt", "compute-70"), event("Terminate", "another")], []),
        ([], []),
    ],
)
def test_azure_has_scheduled_events(node: Node, events: list[dict[str, object]], told: list[str]) -> None:
    node.metadata.events = events
    node.watch("azure")
    if len(told) > 1:
        until(node.has_ended)
    else:
        node.has_asked(4)
    assert node.told() == told


# ---- in user data ----------------------------------------------------------------------------------------------------


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is not installed")
@pytest.mark.parametrize("cloud", WITH_NOTICES)
def test_it_is_good_to_shellcheck(tmp_path: Path, cloud: str) -> None:
    lines = tmp_path / "lines.sh"
    lines.write_text(f"#!/bin/sh\n{notice_watch(cloud, 'compute7')}\n")
    subprocess.run(["shellcheck", "--shell=sh", str(SCRIPT), str(lines)], check=True)


def test_the_lines_write_the_unit_and_start_it_for_this_name() -> None:
    lines = notice_watch("ec2", "compute7")
    assert watcher() in lines
    assert f"sh {PLACE} ec2 compute7" in lines
    assert len(lines) < 5000  # EC2 takes 16,384 bytes of user data in all


def test_a_cloud_without_notices_has_none() -> None:
    assert notice_watch("openstack", "compute7") == ""


def test_a_template_has_it_where_it_says_so(tmp_path: Path) -> None:
    template = tmp_path / "user-data"
    template.write_text("#!/bin/sh\n{notice_watch}\necho {hostname}\n")
    size = NodeSize("small", "s1", "s1", "s1", 2, 2048, 10, 10000, 0.1)
    record = NodeRecord("zzzzz-7ekkf-0123456789abcde", hostname="compute7", domain="zzzzz.example.com")
    made = Startup(str(template), 16_384, "ec2").text(size, record, "compute7", Secret(""), "")
    assert made == f"#!/bin/sh\n{notice_watch('ec2', 'compute7')}\necho compute7\n"
    with pytest.raises(BadTemplate, match="this cloud takes 3000"):
        Startup(str(template), 3000, "ec2")
