"""Slurm's commands as processes: what is asked, what the answers mean, and what happens when they misbehave."""

from __future__ import annotations

import errno
import logging
import os
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from unittest.mock import Mock

import pytest
from squeue_lines import behind

from arvnodeman.fleet.values.model import ErrorKind, JobShape, RemoteFailure
from arvnodeman.fleet.values.places import Place
from arvnodeman.fleet.values.work import NodeWork
from arvnodeman.slurm.commands import Slurm
from arvnodeman.slurm.errors import (
    ControllerAway,
    NotInstalled,
    NotPermitted,
    Refused,
    SlurmFailure,
    UnknownNode,
)
from arvnodeman.slurm.fields import BEHIND, LONG_TAIL, TAIL
from arvnodeman.slurm.keeping import NameNote, NamesInSlurm
from arvnodeman.slurm.run import NOT_THERE, clean_environment, run
from arvnodeman.slurm.show import ShownNode
from arvnodeman.slurm.words import node_work

JOB = "2|1G|100M|Resources|zzzzz-dz642-000000000000003|instancetype=m5.large|4294901756|1"
GOOD_JOB = f"{JOB}{behind(TAIL)}"
GOOD_NODE = "compute1|idle|1|(null)|none"
PATIENCE = 20.0  # seconds that a condition may take to come true


def listed(number: str, comment: str = "") -> str:
    """A job as it is listed with its AdminComment."""
    return BEHIND.join((number, "PENDING", "wrap", comment))


class Commands:
    """A directory of stand-ins for Slurm's commands, alone on PATH, that write down how they were called."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.calls = directory / "calls"

    def make(self, name: str, script: str) -> None:
        path = self.directory / name
        path.write_text(f'#!/bin/sh\n{{ printf "%s" {name}; printf "|%s" "$@"; echo; }} >> {self.calls}\n{script}\n')
        path.chmod(0o755)

    def say(self, name: str, text: str, *, code: int = 0, stream: int = 1) -> None:
        self.make(name, f"cat >&{stream} <<'EOF'\n{text}\nEOF\nexit {code}")

    def called(self) -> list[list[str]]:
        return [line.split("|") for line in self.calls.read_text().splitlines()] if self.calls.exists() else []


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Commands:
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    (tmp_path / "scontrol").write_text("#!/bin/sh\necho No reservations in the system\n")
    (tmp_path / "scontrol").chmod(0o755)
    return Commands(tmp_path)


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true"
        time.sleep(0.01)


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def test_several_threads_run_commands_at_once(commands: Commands) -> None:
    """Row F20: each command ends only when all four have begun."""
    for name, answer in {"squeue": GOOD_JOB, "sinfo": GOOD_NODE, "scontrol": "", "scancel": ""}.items():
        meet = f'd={commands.directory}; touch $d/begun.{name}; until [ "$(ls $d/begun.* | wc -l)" = 4 ]'
        commands.make(name, f"{meet}; do sleep 0.01; done; echo '{answer}'")
    slurm = Slurm(timeout=PATIENCE)
    with ThreadPoolExecutor(4) as pool:
        jobs, nodes = pool.submit(slurm.queue), pool.submit(slurm.nodes)
        told = [pool.submit(slurm.set_down, "compute1", "a test"), pool.submit(slurm.cancel, "job")]
        assert (len(jobs.result().jobs), len(nodes.result())) == (1, 1)
        assert [each.result() for each in told] == [None, None]
    begun = sorted(path.suffix for path in commands.directory.glob("begun.*"))
    assert begun == [".scancel", ".scontrol", ".sinfo", ".squeue"]


# ---- asking ----------------------------------------------------------------------------------------------------------


def test_pending_asks_squeue_for_its_fields(commands: Commands) -> None:
    """An old squeue, or one that does not say what it is, is asked with the letters that every squeue has."""
    commands.say("squeue", GOOD_JOB)
    slurm = Slurm()
    jobs = slurm.queue().jobs
    shape = JobShape(2, 1024, 100, "m5.large", partitions=("compute",))
    assert [(job.shape, job.priority) for job in jobs] == [(shape, 4294901756)]
    assert jobs[0].in_slurm
    more = ["%D", "%i", "%l", "%P", "%u", "%a", "%q", "%v", "%W", "%n", "%x"]
    more.append("%b")  # nothing is printed behind an old squeue's %b
    fields = ["%c", "%m", "%d", "%r", "%j", "", "%f", "%Q", BEHIND.join(more)]
    asked = ["squeue", "--all", "--state=PENDING", "--noheader", f"--format={fields[0]}", *fields[1:]]
    assert commands.called() == [["squeue", "--version"], asked]
    assert slurm.queue().jobs == jobs
    assert commands.called()[3:] == [asked]


@pytest.mark.parametrize("version", ["slurm 20.02.0", "slurm-wlm 22.05.8", "slurm 23.11.4-Bull.1.0"])
def test_a_newer_squeue_is_asked_for_all_that_a_job_asks_for(commands: Commands, version: str) -> None:
    """What sbatch --gpus asks for is in no letter of --format."""
    line = JOB + behind(LONG_TAIL, tres_per_job="gres:gpu:1", cpus="2", tres_alloc="cpu=2,mem=1G,node=1")
    commands.make("squeue", f'case $1 in --version) echo "{version}";; *) echo "{line}";; esac')
    slurm = Slurm()
    (job,) = slurm.queue().jobs
    assert job.shape == JobShape(2, 1024, 100, "m5.large", gres=(("gpu", 1),), partitions=("compute",))
    fields = "MinCpus MinMemory MinTmpDisk Reason Name Feature PriorityLong NumNodes"
    owner = "JobArrayID TimeLimit Partition UserName Account QOS Reservation Licenses ReqNodes ExcNodes MinTime"
    more = "tres-per-job tres-per-socket tres-per-task NumTasks NumCPUs tres-alloc cpus-per-tres mem-per-tres"
    first = "|,".join(f"{field}:0" for field in fields.split())
    first = first.replace("Name:0|,", "Name:0||,")  # two bars behind it: names and features may hold one each
    form = f"{BEHIND},".join([first, *(f"{field}:0" for field in f"{owner} {more} tres-per-node".split())])
    asked = ["squeue", "--all", "--state=PENDING", "--noheader", "--array-unique", *f"--Format={form}".split("|")]
    assert commands.called() == [["squeue", "--version"], asked]
    assert len(slurm.queue().jobs) == 1
    assert commands.called()[2:] == [asked]  # the version is asked for once


def test_a_field_that_squeue_does_not_know_is_one_line_and_nothing_else(
    commands: Commands, caplog: pytest.LogCaptureFixture
) -> None:
    """22.05 prints only the bar behind it, an error, and ends with 0."""
    line = JOB + behind(LONG_TAIL, cpus="2", cpus_per_tres="")
    error = "squeue: error: Invalid job format specification: tres-alloc"
    commands.make("squeue", f'case $1 in --version) echo "slurm 20.02.1";; *) echo "{line}"; echo "{error}" >&2;; esac')
    slurm = Slurm()
    for _ in range(3):
        (job,) = slurm.queue().jobs
        assert job.shape == JobShape(2, 1024, 100, "m5.large", partitions=("compute",))
    assert [record.getMessage() for record in caplog.records] == [
        "this squeue does not show tres-alloc of jobs: what they ask for with it is not seen"
    ]


def test_a_squeue_that_refuses_a_field_is_asked_in_the_old_way(
    commands: Commands, caplog: pytest.LogCaptureFixture
) -> None:
    error = "squeue: error: Invalid job format specification: mem-per-tres"
    cases = f'*--Format*) echo "{error}" >&2; exit 1;; *) echo "{GOOD_JOB}";;'
    commands.make("squeue", f'case "$*" in --version) echo "slurm 29.05.1";; {cases} esac')
    slurm = Slurm()
    for _ in range(3):
        assert len(slurm.queue().jobs) == 1
    assert len(caplog.records) == 1
    assert (
        "squeue refuses a field; from now on it is asked for fewer: Invalid job format specification: mem-per-tres"
        in caplog.text
    )


def test_an_empty_queue_is_no_failure(commands: Commands) -> None:
    commands.make("squeue", "exit 0")
    assert Slurm().queue().jobs.jobs == []


def test_the_name_pattern_is_an_argument(commands: Commands) -> None:
    commands.say("squeue", GOOD_JOB.replace("zzzzz-dz642-000000000000003", "anybody"))
    assert Slurm().queue().jobs.jobs == []
    assert [job.id for job in Slurm(job_name_pattern="").queue().jobs] == ["anybody"]


def test_a_malformed_line_is_a_warning_that_names_it(commands: Commands, caplog: pytest.LogCaptureFixture) -> None:
    """Row F15."""
    commands.say("squeue", f"{GOOD_JOB}\nfoo\n{GOOD_JOB}")
    assert len(Slurm().queue().jobs) == 2
    assert [(record.name, record.levelno, record.getMessage()) for record in caplog.records] == [
        ("arvnodeman.jobqueue", logging.WARNING, "ignored malformed line in squeue output: 'foo'")
    ]


@pytest.mark.parametrize("saying", ["munge", "slurm_load_jobs error: Unable to contact slurm controller"])
def test_what_somebody_wrote_is_no_failure_of_slurm(
    commands: Commands, caplog: pytest.LogCaptureFixture, saying: str
) -> None:
    """Users name jobs and operators give reasons, line breaks and all; but a listing that is an error alone is one."""
    commands.say("squeue", f"{GOOD_JOB}\n{saying}")
    commands.say("sinfo", f"{GOOD_NODE}\n{saying}")
    assert len(Slurm().queue().jobs) == 1
    assert list(Slurm().nodes()) == ["compute1"]
    assert len(caplog.records) == 1
    for command in ("squeue", "sinfo"):
        commands.say(command, saying)
    for ask in (Slurm().queue, Slurm().nodes):
        with pytest.raises(ControllerAway, match=saying):
            ask()


def test_many_malformed_lines_make_few_warnings(commands: Commands, caplog: pytest.LogCaptureFixture) -> None:
    commands.say("squeue", "\n".join([GOOD_JOB] + ["foo " + "x" * 5000] * 50))
    assert len(Slurm().queue().jobs) == 1
    assert len(caplog.records) == 11
    assert caplog.records[-1].getMessage() == "ignored 40 more malformed lines in squeue output"
    assert max(len(record.getMessage()) for record in caplog.records) < 400


def test_junk_is_not_an_empty_queue(commands: Commands) -> None:
    """An empty queue would stop every node that idles."""
    commands.make("squeue", "head -c 20000 /dev/urandom | tr -d '\\000'; printf '\\n\\377\\n\\377\\n\\377\\n\\377\\n'")
    with pytest.raises(ControllerAway, match="no line of its output can be read"):
        Slurm().queue()


def test_nodes_and_one_node(commands: Commands) -> None:
    commands.say("sinfo", f"{GOOD_NODE}\ncompute2|drain*|266|gpu|Node Manager shutdown (i-1)")
    slurm = Slurm()
    assert sorted(slurm.nodes()) == ["compute1", "compute2"]
    assert slurm.node("compute2") == node_work(
        "compute2", "drain", False, 266, frozenset({"gpu"}), "Node Manager shutdown (i-1)"
    )
    assert commands.called()[0] == ["sinfo", "--all", "--noheader", "--format=%N", "%t", "%w", "%f", "%E"]
    # Of one name sinfo would show the CPUs in use as the last listing of several counted them.
    assert commands.called()[1][-1] == "--nodes=compute2,compute2"


def test_nodes_now_asks_once_for_all(commands: Commands) -> None:
    commands.say("sinfo", f"{GOOD_NODE}\ncompute[2-3]|drain|1|(null)|Node Manager shutdown (i-1)")
    asked = ["compute2", "compute1", "ALL", "compute2", "compute[2-3]"]
    found = Slurm().nodes_now(iter(asked))
    assert {name: node.state.said if isinstance(node, NodeWork) else None for name, node in found.items()} == {
        "compute1": "idle",
        "compute2": "drain",
        "ALL": None,
        "compute[2-3]": None,
    }
    for name in ("ALL", "compute[2-3]"):  # those would ask about nodes that nobody meant
        assert isinstance(found[name], Refused)
    assert [call[-1] for call in commands.called()] == ["--nodes=compute2,compute1"]


def test_nodes_now_of_more_names_than_an_argument_holds_lists_all(commands: Commands) -> None:
    commands.say("sinfo", "compute[1-600]|drain|1|(null)|none")
    found = Slurm().nodes_now([f"compute{number}" for number in range(2, 600)])
    assert sorted(found) == sorted(f"compute{number}" for number in range(2, 600))
    assert [call[-1] for call in commands.called()] == ["%E"]
    assert Slurm().nodes_now([]) == {}
    assert len(commands.called()) == 1


def test_nodes_now_of_nodes_that_are_unknown_or_in_no_partition(commands: Commands) -> None:
    commands.say("sinfo", GOOD_NODE)
    answer = "Node compute7 not found\nNodeName=compute8 CoresPerSocket=1\n   Reason=a\nNodeName=compute9 Arch=x86_64"
    commands.say("scontrol", answer, code=1)
    commands.make("squeue", 'for last; do :; done; [ "$last" != compute9 ] || echo 17')
    found = Slurm().nodes_now(["compute1", "compute7", "compute8", "compute9"])
    assert found["compute7"] is None
    assert [
        node.state.said for name in ("compute1", "compute8", "compute9") if isinstance(node := found[name], NodeWork)
    ] == [
        "idle",
        "drain",
        "drng",
    ]
    assert commands.called()[1] == ["scontrol", "--all", "show", "node", "compute7,compute8,compute9"]
    commands.say("scontrol", "Node compute7 not found\nNodeName=compute8 CoresPerSocket=1", code=1)
    with pytest.raises(SlurmFailure):  # it leaves compute9 out, which is not to say that it does not know it
        Slurm().nodes_now(["compute1", "compute7", "compute8", "compute9"])


def test_a_line_that_cannot_be_read_does_not_make_its_node_a_drained_one(commands: Commands) -> None:
    """Else it would be taken for one in no partition, since scontrol knows it, and be destroyed."""
    commands.say("sinfo", f"{GOOD_NODE}\ncompute2|alloc|?|(null)|none")
    commands.say("scontrol", "NodeName=compute2 CoresPerSocket=1")
    commands.make("squeue", "exit 0")
    found = Slurm().nodes_now(["compute1", "compute2"])
    assert isinstance(found["compute1"], NodeWork)
    assert isinstance(found["compute2"], ControllerAway)


def test_a_node_that_slurm_does_not_know_is_none(commands: Commands) -> None:
    """A real sinfo prints nothing for it and ends with 0; that is believed when scontrol says it in words."""
    commands.make("sinfo", "exit 0")
    commands.say("scontrol", "Node compute7 not found", code=1)
    assert Slurm().node("compute7") is None
    commands.say("scontrol", "sh: scontrol: command not found", code=127)
    with pytest.raises(SlurmFailure):
        Slurm().node("compute7")


@pytest.mark.parametrize(("jobs", "state"), [("17\n", "drng"), ("", "drain")])
def test_a_node_that_only_scontrol_knows_is_in_no_partition(commands: Commands, jobs: str, state: str) -> None:
    """No job can begin on it, but one may still run there."""
    commands.make("sinfo", "exit 0")
    commands.say("scontrol", "NodeName=compute7 CoresPerSocket=1\n   Reason=munge was away")
    commands.make("squeue", f"printf '{jobs}'")
    assert Slurm().node("compute7") == node_work("compute7", state)


@pytest.mark.parametrize("command", ["squeue", "sinfo"])
def test_output_that_is_cut_short_is_no_answer(commands: Commands, command: str) -> None:
    """Half a list would be a list of nodes that Slurm does not know."""
    commands.make(command, "printf '%s\\n%s' 'compute1|idle|1|(null)|none' 'compute2|alloc|1|(null)|no'")
    with pytest.raises(ControllerAway, match="in the middle of a line"):
        Slurm().queue() if command == "squeue" else Slurm().nodes()


def test_no_node_at_all_is_a_failure_and_not_the_end_of_all_nodes(commands: Commands) -> None:
    commands.make("sinfo", "exit 0")
    with pytest.raises(ControllerAway, match="lists no node"):
        Slurm().nodes()


@pytest.mark.parametrize("junk", ["foo", "\x01\x02\n\x03"])
def test_junk_from_sinfo_does_not_say_that_a_node_is_unknown(commands: Commands, junk: str) -> None:
    commands.say("sinfo", junk)
    with pytest.raises(ControllerAway):
        Slurm().node("compute1")


def test_jobs_on_a_node(commands: Commands) -> None:
    commands.say("squeue", "17\n18_3")
    assert Slurm().jobs_on("compute1") == 2
    assert commands.called() == [["squeue", "--all", "--noheader", "--format=%i", "-w", "compute1"]]
    commands.make("squeue", "exit 0")
    assert Slurm().jobs_on("compute1") == 0
    commands.say("squeue", "squeue: error: Invalid node name compute1", code=1, stream=2)
    with pytest.raises(UnknownNode) as caught:
        Slurm().jobs_on("compute1")
    assert caught.value.error.kind is ErrorKind.GONE
    assert caught.value.error.text == "squeue: Invalid node name compute1"


# ---- changing --------------------------------------------------------------------------------------------------------


def test_drain_and_set_down_give_the_reason(commands: Commands) -> None:
    commands.make("scontrol", "exit 0")
    Slurm().drain("compute1", "Node Manager shutdown (i-1)")
    Slurm().set_down("compute1", "lost\nbattery")
    assert commands.called() == [
        ["scontrol", "update", "NodeName=compute1", "State=DRAIN", "Reason=Node Manager shutdown (i-1)"],
        ["scontrol", "update", "NodeName=compute1", "State=DOWN", "Reason=lost battery"],
    ]


def test_resume_of_a_node_that_needs_none_is_success(commands: Commands) -> None:
    """Row F5."""
    commands.say("scontrol", "slurm_update error: Invalid node state specified", code=1, stream=2)
    Slurm().resume("compute1")
    assert commands.called() == [["scontrol", "update", "NodeName=compute1", "State=RESUME"]]
    with pytest.raises(SlurmFailure):
        Slurm().drain("compute1", "that a drain is refused is no success")


def test_describe_replaces_the_size_and_keeps_features_of_others(commands: Commands) -> None:
    """Rows F11, F17; one update, since `Features=` cannot replace one and then loses the weight too."""
    commands.make("scontrol", "exit 0")
    commands.say("sinfo", "compute1|down*|1|ssd,instancetype=old,gpu|none")
    Slurm().describe("compute1", "m5.large", 266)
    described = [
        "scontrol",
        "update",
        "NodeName=compute1",
        "AvailableFeatures=gpu,ssd,instancetype=m5.large",
        "ActiveFeatures=gpu,ssd,instancetype=m5.large",
        "Weight=266",
    ]
    sinfo, *updates = commands.called()
    assert sinfo[-1] == "--nodes=compute1", "alone: Slurm then looks at no other"
    assert updates == [described]
    Slurm().describe("compute1", "m5.large", 266, others=frozenset({"ssd", "gpu", "instancetype=old"}))
    assert commands.called()[2:] == [described]


def test_describe_of_an_unknown_node(commands: Commands) -> None:
    commands.make("sinfo", "exit 0")
    commands.say("scontrol", "Node compute1 not found", code=1)
    with pytest.raises(UnknownNode):
        Slurm().describe("compute1", "m5.large", 266)


def test_many_nodes_are_described_with_two_commands_where_they_are_alike(commands: Commands) -> None:
    """Row F18: after a restart of slurmctld a thousand nodes want their feature again."""
    commands.say(
        "sinfo", "compute1|idle|1|(null)|none\ncompute2|idle|1|gpu,instancetype=b|none\ncompute3|alloc|1|gpu|none"
    )
    commands.make("scontrol", "")
    names = ["compute1", "compute2", "compute3", "compute4", "compute0", "a,b"]
    failures = Slurm().describe_all(names, "m5.large", 96)
    assert {name: type(failure) for name, failure in failures.items()} == {
        "compute4": UnknownNode,
        "compute0": Refused,
        "a,b": Refused,
    }
    sinfo, *updates = commands.called()
    assert sinfo[-1] == "--nodes=compute1,compute2,compute3,compute4"
    assert updates == [
        [
            "scontrol",
            "update",
            f"NodeName={nodes}",
            f"AvailableFeatures={features}",
            f"ActiveFeatures={features}",
            "Weight=96",
        ]
        for nodes, features in (
            ("compute1", "instancetype=m5.large"),
            ("compute2,compute3", "gpu,instancetype=m5.large"),
        )
    ]


def test_a_list_that_slurm_refuses_is_tried_node_by_node(commands: Commands) -> None:
    """A list with an unknown node changes the others by half: the features, not the weight."""
    commands.say("sinfo", "compute1|idle|1|(null)|none\ncompute2|idle|1|(null)|none\ncompute3|idle|1|(null)|none")
    commands.make(
        "scontrol",
        'case "$2" in *compute2*) echo "slurm_update error: Invalid node name specified" >&2; exit 1;; esac',
    )
    failures = Slurm().describe_all(["compute1", "compute2", "compute3"], "small", 5)
    assert {name: type(failure) for name, failure in failures.items()} == {"compute2": UnknownNode}
    named = [call[2] for call in commands.called() if call[0] == "scontrol"]
    assert named == [f"NodeName={name}" for name in ("compute1,compute2,compute3", "compute1", "compute2", "compute3")]


@pytest.mark.parametrize(
    ("said", "failure"),
    [("Invalid user id", NotPermitted), ("Unable to contact slurm controller (connect failure)", ControllerAway)],
)
def test_what_fails_for_every_node_is_not_tried_node_by_node(
    commands: Commands, said: str, failure: type[SlurmFailure]
) -> None:
    commands.say("sinfo", "compute1|idle|1|(null)|none\ncompute2|idle|1|(null)|none")
    commands.say("scontrol", f"slurm_update error: {said}", code=1, stream=2)
    with pytest.raises(failure):
        Slurm().describe_all(["compute1", "compute2"], "small", 5)
    assert len(commands.called()) == 2


def test_to_describe_no_node_asks_nobody(commands: Commands) -> None:
    assert set(Slurm().describe_all(["compute0"], "small", 5)) == {"compute0"}
    assert commands.called() == []


@pytest.mark.parametrize("size", ["", "a b", "a,b", "a&b", "a|b", "a=b", "a*2"])
def test_a_size_that_cannot_be_a_feature(commands: Commands, size: str) -> None:
    commands.make("scontrol", "exit 0")
    with pytest.raises(Refused, match="cannot be a feature"):
        Slurm().describe("compute1", size, 1, others=())
    assert commands.called() == []


@pytest.mark.parametrize("hostname", ["", "ALL", "all", "compute[1-5]", "a,b", "-x", "a b", "a\x00", "compute0"])
def test_only_one_named_node_is_ever_changed(commands: Commands, hostname: str) -> None:
    """NodeName=ALL would drain the cluster; compute0 is Arvados' own."""
    commands.make("scontrol", "exit 0")
    slurm = Slurm()
    with pytest.raises(Refused):
        slurm.drain(hostname, "r")
    with pytest.raises(Refused):
        slurm.set_down(hostname, "r")
    with pytest.raises(Refused):
        slurm.resume(hostname)
    with pytest.raises(Refused):
        slurm.describe(hostname, "a", 1, others=())
    assert commands.called() == []


def test_cancel(commands: Commands) -> None:
    commands.make("scancel", "exit 0")
    Slurm().cancel("zzzzz-dz642-000000000000003")
    assert commands.called() == [["scancel", "--name=zzzzz-dz642-000000000000003"]]
    for name in ("", " ", "a\nb", "a\x00"):
        with pytest.raises(Refused):
            Slurm().cancel(name)
    assert len(commands.called()) == 1


def test_rights_are_checked_without_changing_anything(commands: Commands) -> None:
    commands.say("scontrol", "slurm_update error: Invalid node name specified", code=1, stream=2)
    assert Slurm().check_rights() is None
    commands.say("scontrol", "slurm_update error: Invalid user id", code=1, stream=2)
    line = Slurm().check_rights()
    assert line is not None
    assert "does not let this account update nodes" in line
    assert "\n" not in line
    assert {call[2] for call in commands.called()} == {"NodeName=arvados-node-manager-rights-check"}
    commands.say(
        "scontrol", "slurm_update error: Unable to contact slurm controller (connect failure)", code=1, stream=2
    )
    with pytest.raises(ControllerAway):
        Slurm().check_rights()


# ---- errors ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [1, 2])
@pytest.mark.parametrize(
    ("said", "failure", "kind"),
    [
        ("slurm_update error: Unable to contact slurm controller (connect failure)", ControllerAway, "transient"),
        ("slurm_update error: Socket timed out on send/recv operation", ControllerAway, "transient"),
        ("scontrol: error: Munge encode failed: Failed to access /run/munge.socket.2", ControllerAway, "transient"),
        ("slurm_update error: Invalid user id", NotPermitted, "refused"),
        ("scancel: error: Kill job error on job id 2: Access/permission denied", NotPermitted, "refused"),
        ("slurm_update error: Invalid node name specified", UnknownNode, "gone"),
        ("slurm_update error: Active features not subset of available features", Refused, "refused"),
        ("", Refused, "refused"),
    ],
)
def test_errors_are_told_apart_on_either_stream(
    commands: Commands, said: str, failure: type[SlurmFailure], kind: str, stream: int
) -> None:
    commands.say("scontrol", said, code=1, stream=stream)
    with pytest.raises(failure) as caught:
        Slurm().drain("compute1", "r")
    assert type(caught.value) is failure
    assert isinstance(caught.value, RemoteFailure)
    assert caught.value.error.kind == kind
    assert caught.value.error.text.startswith("scontrol: ")
    assert said.rpartition("error: ")[2] in caught.value.error.text
    assert "\n" not in caught.value.error.text


@pytest.mark.parametrize("stream", [1, 2])
def test_an_error_with_code_0_is_not_an_empty_list(commands: Commands, stream: int) -> None:
    said = "slurm_load_jobs error: Unable to contact slurm controller (connect failure)"
    commands.say("squeue", said, stream=stream)
    commands.say("sinfo", said, stream=stream)
    commands.say("scontrol", said, stream=stream)
    for ask in (
        Slurm().queue,
        Slurm().nodes,
        lambda: Slurm().node("compute1"),
        lambda: Slurm().drain("compute1", "r"),
    ):
        with pytest.raises(ControllerAway, match="Unable to contact slurm controller"):
            ask()


def test_a_warning_beside_a_good_list_costs_nothing(commands: Commands) -> None:
    commands.make("squeue", f"echo 'squeue: connection refused by the backup controller' >&2; echo '{GOOD_JOB}'")
    assert len(Slurm().queue().jobs) == 1


def test_a_command_killed_by_a_signal_may_be_tried_again(commands: Commands) -> None:
    commands.make("squeue", "kill -SEGV $$")
    with pytest.raises(ControllerAway, match="killed by signal 11"):
        Slurm().queue()


def test_not_installed_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotInstalled) as caught:
        Slurm().queue()
    assert caught.value.error.kind is ErrorKind.REFUSED
    assert caught.value.error.text == f"squeue: {NOT_THERE}"
    assert caught.value.error.hint == "[Daemon] dispatcher"


def test_what_cannot_be_executed_is_one_line(commands: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(commands.directory))
    (commands.directory / "squeue").write_bytes(b"\x7fELFjunk")
    (commands.directory / "squeue").chmod(0o755)
    with pytest.raises(NotInstalled, match="squeue: cannot be run: "):
        Slurm().queue()


@pytest.mark.parametrize(
    "fatal", [MemoryError(), OSError(errno.ENOMEM, "Cannot allocate memory"), RuntimeError("can't start new thread")]
)
def test_fatal_errors_pass_through_unchanged(monkeypatch: pytest.MonkeyPatch, fatal: BaseException) -> None:
    """Row F7, and the fatal errors that end the process."""

    def refuse(*_args: object, **_options: object) -> None:
        raise fatal

    monkeypatch.setattr(subprocess, "Popen", refuse)
    with pytest.raises(type(fatal)) as caught:
        Slurm().queue()
    assert caught.value is fatal


def test_a_fork_that_fails_for_the_moment_may_be_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Row F7."""

    def refuse(*_args: object, **_options: object) -> None:
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    with pytest.raises(ControllerAway):
        Slurm().queue()


# ---- how the commands run --------------------------------------------------------------------------------------------


def test_a_command_that_hangs_is_killed_with_its_children(commands: Commands) -> None:
    pids = commands.directory / "pids"
    commands.make("squeue", f"sh -c 'sh -c \"sleep 600 & echo \\$! >> {pids}; wait\"' & echo $$ $! >> {pids}; wait")
    with pytest.raises(ControllerAway, match=r"did not end within 0\.5 seconds") as caught:
        Slurm(timeout=0.5).queue()
    assert caught.value.error.kind is ErrorKind.TRANSIENT
    started = [int(pid) for pid in pids.read_text().split()]
    assert len(started) == 3
    wait_until(lambda: not any(alive(pid) for pid in started))


def test_a_command_stays_in_our_process_group(commands: Commands) -> None:
    """So that it goes when the watchdog kills the group."""
    commands.make("squeue", f"cut -d' ' -f5 /proc/$$/stat > {commands.directory}/group")
    Slurm().queue()
    assert int((commands.directory / "group").read_text()) == os.getpgid(0)


def test_endless_output_is_cut_off(commands: Commands) -> None:
    commands.make("squeue", "exec yes")
    with pytest.raises(ControllerAway, match="wrote more than 1000000 bytes, killed"):
        run(["squeue"], timeout=PATIENCE, limit=1_000_000)


def test_output_on_both_streams_does_not_block(commands: Commands) -> None:
    commands.make("squeue", "head -c 300000 /dev/zero >&2; head -c 300000 /dev/zero; exit 3")
    output = run(["squeue"], timeout=PATIENCE)
    assert (len(output.stdout), len(output.stderr), output.returncode) == (300000, 300000, 3)


def test_stdin_is_closed_and_no_descriptor_leaks(commands: Commands) -> None:
    commands.make("squeue", "cat")  # would hang on an open stdin
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        assert run(["squeue"], timeout=PATIENCE).stdout == ""
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_the_environment_is_clean(commands: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQUEUE_FORMAT and the like would change what we parse; SLURM_CONF names the installation."""
    monkeypatch.setenv("SLURM_CONF", "/etc/x.conf")
    monkeypatch.setenv("SQUEUE_FORMAT", "%i")
    monkeypatch.setenv("ARVADOS_API_TOKEN", "secret")
    monkeypatch.setenv("LANG", "de_DE")
    commands.make("squeue", "/usr/bin/env")
    lines = run(["squeue"], timeout=PATIENCE).stdout.split()
    names = {line.partition("=")[0] for line in lines} - {"PWD", "_", "OLDPWD", "SHLVL"}  # the shell's own
    assert names == {"PATH", "SLURM_CONF", "SLURM_TIME_FORMAT", "SLURM_BITSTR_LEN", "LANG", "LC_ALL"}
    assert "LC_ALL=C.UTF-8" in lines


def test_without_a_path_the_systems_default_is_used() -> None:
    assert clean_environment({})["PATH"] == os.defpath


def test_no_shell_reads_the_arguments(commands: Commands) -> None:
    commands.make("scontrol", "exit 0")
    Slurm().drain("compute1", f"$(touch {commands.directory}/touched); `id`")
    assert not (commands.directory / "touched").exists()
    assert commands.called()[0][-1] == f"Reason=$(touch {commands.directory}/touched); `id`"


# ---- without Arvados: jobs by their numbers, and what the keeper of names asks --------------------------------------

LONG_FORM = "slurm 22.05.8"
NUMBERED = f"2|1G|0|Resources|wrap|(null)|1|1{behind(LONG_TAIL, number='{}', tres_alloc='cpu=2,mem=1G,node=1')}"


def test_jobs_go_by_their_numbers_and_each_task_of_an_array_is_one(commands: Commands) -> None:
    """Names are no ids there: two jobs of one name are two jobs."""
    commands.make(
        "squeue",
        f'[ "$1" = --version ] && echo {LONG_FORM} && exit\ncat <<EOF\n'
        + "\n".join(NUMBERED.format(number) for number in ("7", "8", "9_1", "", "x", "9_[2-3]", "9_[]"))
        + "\nEOF",
    )
    jobs = NamesInSlurm(job_name_pattern="", numbered=True).queue().jobs
    assert [job.id for job in jobs] == ["7", "8", "9_1", "9_2", "9_3"]
    (asked,) = [call for call in commands.called() if "--state=PENDING" in call]
    assert "JobArrayID:0" in asked[-1]


def test_running_tasks_of_an_array_with_a_limit_are_counted(commands: Commands) -> None:
    line = NUMBERED.format("9_[2-10%2]")
    commands.make("squeue", f'case "$*" in --version) echo {LONG_FORM};; *RUNNING*) echo 9;; *) echo "{line}"; esac')
    queue = NamesInSlurm(job_name_pattern="", numbered=True).queue()
    assert [job.id for job in queue.jobs] == ["9_2"]
    assert queue.others == {f"9_{task}": "JobArrayTaskLimit" for task in range(3, 11)}
    asked = ["squeue", "--all", "--noheader", "--state=RUNNING,SUSPENDED", "--format=%F", "--jobs=9"]
    assert commands.called()[2:] == [asked]


RESERVATIONS = """ReservationName=window StartTime=1795960364 EndTime=4795974764 Duration=04:00:00
   Nodes=compute[1-3] NodeCnt=3 CoreCnt=12 Features=(null) PartitionName=(null) Flags=MAINT,IGNORE_JOBS,SPEC_NODES
   Users=root Groups=(null) Accounts=(null) Licenses=(null) State=ACTIVE BurstBuffer=(null) Watts=n/a"""
LICENCES = "LicenseName=solver\n    Total=2 Used=1 Free=1 Reserved=0 Remote=no"


def test_what_is_ahead_is_asked_for_as_far_as_the_queue_needs_it(commands: Commands) -> None:
    """Nothing for a queue in which nothing waits for nodes; licences for jobs that want some."""
    slurm = Slurm()
    commands.make("scontrol", f'case "$*" in *licenses*) echo "{LICENCES}";; *) cat <<EOF\n{RESERVATIONS}\nEOF\nesac')
    commands.say("squeue", GOOD_JOB.replace("Resources", "Dependency"))
    assert slurm.queue().outlook.reservations == {}
    assert not [call for call in commands.called() if call[0] == "scontrol"]
    commands.say("squeue", GOOD_JOB)
    for _ in range(3):
        queue = slurm.queue()
        assert list(queue.outlook.reservations) == ["window"]
        assert [job.shape.place for job in queue.jobs] == [Place(outside=("window",))]
        assert queue.outlook.licences == {}
    assert [call[1:] for call in commands.called() if call[0] == "scontrol"] == [["--all", "show", "reservations"]]
    commands.say("squeue", f"{JOB}{behind(TAIL, licences='solver:1')}")
    assert [slurm.queue().outlook.licences for _ in range(2)] == [{"solver": 1}] * 2
    asked = [call[1:] for call in commands.called() if call[0] == "scontrol"]
    assert asked[1:] == [["--all", "show", "licenses"]] * 2


def test_a_reservation_that_a_job_names_and_nobody_knows_is_asked_for_at_once(commands: Commands) -> None:
    slurm = Slurm()
    commands.say("squeue", GOOD_JOB)
    assert slurm.queue().outlook.reservations == {}
    commands.say("scontrol", RESERVATIONS)
    assert slurm.queue().outlook.reservations == {}
    commands.say("squeue", f"{JOB}{behind(TAIL, reservation='window')}")
    (job,) = slurm.queue().jobs
    assert job.shape.place == Place(inside=("window",))


@pytest.mark.parametrize("trouble", ["exit 1", "exec sleep 600", "echo what is this; exit 1"])
def test_what_is_ahead_costs_no_queue(commands: Commands, trouble: str, caplog: pytest.LogCaptureFixture) -> None:
    """A line in the log, and the queue is there; it is not asked again and again."""
    commands.say("squeue", f"{JOB}{behind(TAIL, licences='solver:1', reservation='x')}")
    commands.make("scontrol", trouble)
    slurm = Slurm(timeout=1.0)
    for _ in range(3):
        queue = slurm.queue()
        assert (len(queue.jobs), queue.outlook.reservations, queue.outlook.licences) == (1, {}, {})
        assert queue.jobs[0].shape.place == Place()
    assert [record.getMessage().split(" are not known")[0] for record in caplog.records] == [
        "Slurm's reservations",
        "Slurm's licenses",
    ]
    assert len([call for call in commands.called() if call[0] == "scontrol"]) == 2


def test_a_squeue_that_does_not_know_array_unique_is_asked_without_it(commands: Commands) -> None:
    refusal = "squeue: unrecognized option '--array-unique'"
    cases = f'*array-unique*) echo "{refusal}" >&2; exit 1;; *) echo "{NUMBERED.format(7)}";;'
    commands.make("squeue", f'case "$*" in --version) echo "slurm 20.02.1";; {cases} esac')
    slurm = NamesInSlurm(job_name_pattern="", numbered=True)
    for _ in range(2):
        assert [job.id for job in slurm.queue().jobs] == ["7"]
    assert ["--array-unique" in call for call in commands.called()[1:]] == [True, False, False]


def test_a_newer_squeue_is_asked_for_each_task_of_arrays_whose_tasks_are_not_alike(commands: Commands) -> None:
    """24.11 has no --array-unique: its line for an array lists the reasons of all tasks."""
    refusal = "squeue: unrecognized option '--array-unique'"
    waits, held = NUMBERED.format("9_1"), NUMBERED.format("9_2").replace("Resources", "JobHeldUser")
    whole = NUMBERED.format("9_[1-2]").replace("Resources", "Resources,JobHeldUser")
    cases = (
        f'*array-unique*) echo "{refusal}" >&2; exit 1;; *--array*) printf "%s\\n" "{held}" "{waits}";;'
        f' *) echo "{whole}";;'
    )
    commands.make("squeue", f'case "$*" in --version) echo "slurm 24.11.5";; {cases} esac')
    slurm = NamesInSlurm(job_name_pattern="", numbered=True)
    queue = slurm.queue()
    assert [job.id for job in queue.jobs] == ["9_1"]
    assert queue.others == {"9_2": "JobHeldUser"}
    asked = commands.called()[-1]
    assert asked[:6] == ["squeue", "--all", "--array", "--state=PENDING", "--noheader", "--jobs=9"]
    commands.make("squeue", f'case "$*" in *--array*) exit 1;; *) echo "{whole}";; esac')
    assert [job.id for job in slurm.queue().jobs] == ["9_1", "9_2"]  # the queue is there all the same


def test_an_old_squeue_is_asked_by_letters(commands: Commands) -> None:
    line = f"2|1G|0|Resources|a|b|(null)|1|1{behind(TAIL, number='12')}"
    commands.make("squeue", f'[ "$1" = --version ] && echo slurm 19.05.8 && exit\necho "{line}"')
    (job,) = NamesInSlurm(job_name_pattern="", numbered=True).queue().jobs
    assert job.id == "12"
    assert "%i" in commands.called()[-1][-1]


@pytest.mark.parametrize("number", ["7", "9_1"])
def test_a_job_is_cancelled_and_noted_on_by_its_number(commands: Commands, number: str) -> None:
    commands.say("scancel", "")
    commands.say("scontrol", "")
    commands.say("squeue", listed(number, comment="(null)"))
    slurm = NamesInSlurm(numbered=True)
    slurm.note_on_job(number, "no size\nfits")
    slurm.cancel(number)
    assert commands.called()[1:] == [
        ["scontrol", "update", f"JobId={number}", "AdminComment=Node Manager: no size fits"],
        ["scancel", number],
    ]


@pytest.mark.parametrize("number", ["", "wrap", "--name=x", "7 8", "7;8", "_1", "7_", "9_[1-3]"])
def test_what_is_no_number_of_a_job_reaches_no_command(commands: Commands, number: str) -> None:
    slurm = NamesInSlurm(numbered=True)
    with pytest.raises(Refused):
        slurm.cancel(number)
    with pytest.raises(Refused):
        slurm.note_on_job(number, "why")
    assert commands.called() == []


@pytest.mark.parametrize(
    ("said", "fine"),
    [
        ("Invalid job id specified for job 7", True),
        ("Job has already finished for job 7", True),
        ("Access/permission denied for job 7", False),
    ],
)
def test_a_job_that_is_gone_needs_no_note(commands: Commands, said: str, fine: bool) -> None:
    commands.say("squeue", listed("7"))
    commands.say("scontrol", said, code=1, stream=2)
    if fine:
        NamesInSlurm(numbered=True).note_on_job("7", "why")
    else:
        with pytest.raises(NotPermitted):
            NamesInSlurm(numbered=True).note_on_job("7", "why")


def test_a_name_is_noted_on_with_its_address_in_one_request(commands: Commands) -> None:
    commands.say("scontrol", "")
    slurm = NamesInSlurm()
    assert slurm.note_all([NameNote("cloud1", "Node Manager node i-1", "10.0.0.5")]) == {}
    assert slurm.note_all([NameNote("cloud1", "", "192.0.2.1")]) == {}
    assert slurm.note_all([NameNote("cloud1", "Node Manager node i-1")]) == {}
    assert commands.called() == [
        [
            "scontrol",
            "update",
            "NodeName=cloud1",
            "Comment=Node Manager node i-1",
            "NodeAddr=10.0.0.5",
            "NodeHostName=cloud1",
        ],
        ["scontrol", "update", "NodeName=cloud1", "Comment=", "NodeAddr=192.0.2.1", "NodeHostName=cloud1"],
        ["scontrol", "update", "NodeName=cloud1", "Comment=Node Manager node i-1"],
    ]


@pytest.mark.parametrize(
    ("name", "address"),
    [("cloud[1-2]", "10.0.0.5"), ("ALL", "10.0.0.5"), ("compute0", "10.0.0.5"), ("cloud1", ""), ("cloud1", "a b")],
)
def test_nothing_but_one_name_and_one_address_is_written(commands: Commands, name: str, address: str) -> None:
    failures = NamesInSlurm().note_all([NameNote(name, "x", address)])
    assert isinstance(failures[name], Refused)
    assert commands.called() == []


def test_a_slurm_that_shows_no_node_is_a_failure_and_not_an_empty_cluster(commands: Commands) -> None:
    commands.say("scontrol", "something else")
    with pytest.raises(ControllerAway):
        NamesInSlurm().shown()


def test_a_slurm_whose_nodes_are_all_hidden_says_so(commands: Commands) -> None:
    commands.say("scontrol", "No nodes in the system\n")
    assert NamesInSlurm().shown() == {}


def test_nodes_are_asked_for_now_with_one_command(commands: Commands) -> None:
    commands.say("scontrol", "NodeName=cloud1 X=1\n   State=IDLE\n\nNodeName=cloud2 X=1\n   State=DOWN\n")
    shown = NamesInSlurm().shown_nodes(["cloud1", "cloud2"])
    assert {name: node.base for name, node in shown.items()} == {"cloud1": "IDLE", "cloud2": "DOWN"}
    assert commands.called() == [["scontrol", "--all", "show", "node", "cloud1,cloud2"]]


def test_where_one_name_is_unknown_the_others_are_shown_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    slurm = NamesInSlurm()
    every = {"cloud1": ShownNode("cloud1", "IDLE")}
    monkeypatch.setattr(slurm, "shown", lambda: every)
    monkeypatch.setattr(slurm, "_run", Mock(side_effect=UnknownNode("scontrol", "Node cloud2 not found")))
    assert slurm.shown_nodes(["cloud1", "cloud2"]) == every


def test_features_that_names_offer_and_those_that_a_size_gives(commands: Commands) -> None:
    commands.say("scontrol", "")
    Slurm().offer(["c1", "c2"], {"instancetype=b", "ssd", "instancetype=a"})
    both = [f"{kind}Features=ssd,instancetype=a,instancetype=b" for kind in ("Available", "Active")]
    assert commands.called() == [["scontrol", "update", "NodeName=c1,c2", *both]]
    others = ("rack1", "ib", "instancetype=b", "ssd")
    Slurm().describe("c1", "a", 7, others=others, gives=("ssd",), without={"ib"})
    both = [f"{kind}Features=rack1,ssd,instancetype=a" for kind in ("Available", "Active")]
    assert commands.called()[1:] == [["scontrol", "update", "NodeName=c1", *both, "Weight=7"]]
    with pytest.raises(Refused):
        Slurm().offer(["c1", "compute0"], {"x"})
