"""`scontrol show nodes` and `show config`, as Slurm 22.05 and older ones print them, and broken."""

from __future__ import annotations

from datetime import datetime
from unittest.mock import Mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arvnodeman.slurm.keeping import NamesInSlurm
from arvnodeman.slurm.show import parse_config, parse_nodes, parse_partitions

REAL = """\
NodeName=cloud1 Arch=x86_64 CoresPerSocket=1
   CPUAlloc=0 CPUEfctv=2 CPUTot=2 CPULoad=0.10
   AvailableFeatures=(null)
   ActiveFeatures=(null)
   Gres=(null)
   NodeAddr=127.0.2.1 NodeHostName=cloud1 Port=27001 Version=22.05.8
   OS=Linux 6.18.44 #1 SMP State=TRAP
   RealMemory=4000 AllocMem=0 FreeMem=N/A Sockets=2 Boards=1
   State=DOWN+DRAIN+NOT_RESPONDING ThreadsPerCore=1 TmpDisk=10000 Weight=1 Owner=N/A MCS_label=N/A
   Partitions=main,other
   BootTime=1795508616 SlurmdStartTime=1795509562
   LastBusyTime=1795509569
   CfgTRES=cpu=2,mem=4000M,billing=2
   AllocTRES=
   CapWatts=n/a
   CurrentWatts=0 AveWatts=0
   ExtSensorsJoules=n/s ExtSensorsWatts=0 ExtSensorsTemp=n/s
   Reason=Node Manager shutdown (i-123) [root@1795509600]
   Comment=Node Manager node i-123

NodeName=cloud2 CoresPerSocket=1
   NodeAddr=cloud2 NodeHostName=cloud2 Port=27002
   State=UNKNOWN ThreadsPerCore=1 TmpDisk=10000 Weight=1 Owner=N/A MCS_label=N/A
   Partitions=main
   BootTime=None SlurmdStartTime=None

"""


def test_a_real_answer() -> None:
    nodes, malformed = parse_nodes(REAL)
    assert (list(nodes), malformed) == (["cloud1", "cloud2"], [])
    one = nodes["cloud1"]
    assert (one.base, set(one.flags)) == ("DOWN", {"DRAIN", "NOT_RESPONDING"})
    assert (one.address, one.port, one.partitions) == ("127.0.2.1", "27001", ("main", "other"))
    assert (one.slurmd_started, one.reason_at) == (1795509562.0, 1795509600.0)
    assert (one.reason, one.comment) == ("Node Manager shutdown (i-123)", "Node Manager node i-123")
    assert not one.responds
    two = nodes["cloud2"]
    assert (two.base, two.flags, two.slurmd_started, two.comment, two.reason) == ("UNKNOWN", frozenset(), None, "", "")
    assert two.responds


def test_no_comment_as_older_releases_show_it() -> None:
    """Slurm 20.11."""
    nodes, malformed = parse_nodes("NodeName=cloud1 Arch=x86_64\n   State=IDLE ThreadsPerCore=1\n   Comment=(null)\n\n")
    assert (nodes["cloud1"].comment, malformed) == ("", [])


@pytest.mark.parametrize(
    ("text", "base", "flags"),
    [
        ("IDLE", "IDLE", set()),
        ("DOWN*", "DOWN", {"NOT_RESPONDING"}),
        ("DOWN*+DRAIN", "DOWN", {"NOT_RESPONDING", "DRAIN"}),
        ("IDLE~+CLOUD", "IDLE", {"POWERED_DOWN", "CLOUD"}),
        ("IDLE+CLOUD+POWERED_DOWN", "IDLE", {"CLOUD", "POWERED_DOWN"}),
        ("MIXED+COMPLETING", "MIXED", {"COMPLETING"}),
    ],
)
def test_states_of_older_and_newer_releases(text: str, base: str, flags: set[str]) -> None:
    nodes, _ = parse_nodes(f"NodeName=a X=1\n   State={text} Y=2\n\n")
    assert (nodes["a"].base, set(nodes["a"].flags)) == (base, flags)


def test_times_may_be_local_ones() -> None:
    nodes, _ = parse_nodes("NodeName=a\n   State=IDLE\n   SlurmdStartTime=2026-11-24T08:38:56\n\n")
    assert nodes["a"].slurmd_started == datetime.fromisoformat("2026-11-24T08:38:56").timestamp()


@pytest.mark.parametrize(
    ("line", "reason", "at"),
    [
        ("Reason=Not responding [slurm@1795509600]", "Not responding", 1795509600.0),
        ("Reason=plain", "plain", None),
        ("Reason=odd [brackets] [root@1795509600]", "odd [brackets]", 1795509600.0),
        ("Reason=odd [root@never]", "odd [root@never]", None),
        ("Reason=NodeName=b State=IDLE [root@1]", "NodeName=b State=IDLE", 1.0),
    ],
)
def test_reasons(line: str, reason: str, at: float | None) -> None:
    nodes, _ = parse_nodes(f"NodeName=a\n   State=DOWN\n   {line}\n\n")
    assert list(nodes) == ["a"]
    assert (nodes["a"].base, nodes["a"].reason, nodes["a"].reason_at) == ("DOWN", reason, at)


def test_the_further_lines_of_a_reason_or_a_comment_are_no_fields() -> None:
    """As scontrol prints them: those of a reason stand deeper, those of a comment as they were given."""
    reason = "Reason=one [root@1795509600]\n          State=IDLE\n          Comment=theirs"
    comment = "Comment=mine\n   State=IDLE\n\nslurm_load_node error: Unable to contact slurm controller"
    nodes, malformed = parse_nodes(f"NodeName=a\n   State=DOWN\n   {reason}\n   {comment}\n\n{REAL}")
    assert list(nodes) == ["a", "cloud1", "cloud2"]
    assert (nodes["a"].base, nodes["a"].reason, nodes["a"].comment) == ("DOWN", "one", "mine")
    assert malformed == ["slurm_load_node error: Unable to contact slurm controller"]


@pytest.mark.parametrize(
    "text",
    [
        "NodeName=a\n   Port=1\n\n",
        "NodeName= X=1\n   State=IDLE\n\n",
        "NodeName=a\n   State=IDLE SlurmdStartTime=soon\n\n",
    ],
)
def test_a_node_that_cannot_be_read_costs_only_itself(text: str) -> None:
    nodes, malformed = parse_nodes(text + REAL)
    assert list(nodes) == ["cloud1", "cloud2"]
    assert len(malformed) == 1


@given(st.text())
def test_no_text_breaks_the_parsers(text: str) -> None:
    parse_nodes(text)
    parse_nodes(f"NodeName=a {text}\n   State={text}\n   Reason={text}\n")
    parse_config(text)


def test_a_configuration() -> None:
    text = "Configuration data as of 2026\nSuspendProgram          = /x y\nSuspendTime             = 300 sec\n"
    text += "ResumeProgram           = (null)\nPrivateData             = \n\nSlurmctld(primary) at vm is UP\n"
    assert parse_config(text) == {"SuspendProgram": "/x y", "SuspendTime": "300 sec"}


def test_partitions_on_a_line_each() -> None:
    """22.05 shows what is unset in one way with GLOBAL, and in another not at all."""
    text = (
        "PartitionName=main AllowGroups=ALL Nodes=cloud[1-4] ResumeTimeout=GLOBAL SuspendTime=10 PowerDownOnIdle=NO "
        "TRES=cpu=80,mem=160000M,node=5 \nPartitionName=other AllowGroups=ALL\nnothing of that\n"
    )
    found = parse_partitions(text)
    assert {name: fields.get("SuspendTime") for name, fields in found.items()} == {"main": "10", "other": None}
    assert parse_partitions("No partitions in the system\n") == {}


MIXED = "NodeName=c1 X=1\n   State=MIXED\n\nNodeName=c2 X=1\n   State=ALLOCATED\n\nNodeName=c3 X=1\n   State=IDLE\n"


@pytest.mark.parametrize(
    ("before", "after", "without"),
    [
        ("", "", {"c1": "mixed", "c2": "allocated"}),
        ("\nc[1-2]\n", "", {}),  # a job that has just ended
        ("", "c2,c1\n", {}),  # one that has just begun
        ("c2\n\nc3\n", "c2\n", {"c1": "mixed"}),
    ],
)
def test_nodes_that_work_for_no_job(
    before: str, after: str, without: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    slurm = NamesInSlurm()
    monkeypatch.setattr(slurm, "_run", Mock(side_effect=[before, MIXED, after]))
    assert slurm.working_without_jobs() == without
