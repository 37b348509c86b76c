"""Every line of squeue and sinfo that a real Slurm has shown, and the broken ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from squeue_lines import behind, parse_sinfo, parse_squeue

from arvnodeman.config.hostlist import hostlist
from arvnodeman.fleet.values.model import Job, JobOwner, JobShape
from arvnodeman.fleet.values.work import WaitKind
from arvnodeman.slurm.fields import LONG_TAIL, TAIL, shows_all
from arvnodeman.slurm.job_reasons import waits_for_nodes
from arvnodeman.slurm.job_shape import constraint, count, job_shape, megabytes
from arvnodeman.slurm.words import node_work, shown_state

UUID = "zzzzz-dz642-000000000000003"
ALL_DOWN = "Nodes required for job are DOWN, DRAINED or reserved for jobs in higher priority partitions"


def one_job(line: str) -> Job:
    jobs, malformed = parse_squeue(line + "\n", "-dz642-")
    assert malformed == []
    assert len(jobs) == 1
    return jobs[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("500M", 500),
        ("1500M", 1500),
        ("1G", 1024),
        ("2.5G", 2560),
        ("2.5g", 2560),
        ("1t", 1024**2),
        ("1P", 1024**3),
        ("512K", 0.5),
        ("0", 0),
        ("100", 100),
        ("500Mn", 500),
        ("500Mc", 2000),
        ("1Gc", 4096),
    ],
)
def test_memory_has_units_in_either_case_and_fractions(text: str, expected: float) -> None:
    """Row F14; `c` is for each core, `n` for each node."""
    assert megabytes(text, cores=4) == expected


@pytest.mark.parametrize("text", ["", "M", "1X", "nan", "inf", "-1G", "1 G", "1e9", "9" * 400, "١G", "G1"])
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not an amount"):
        megabytes(text)


@pytest.mark.parametrize(("text", "expected"), [("1", 1), ("16", 16), ("1K", 1024), ("2-4", 2), ("1.5K", 1536)])
def test_counts_as_squeue_writes_them(text: str, expected: float) -> None:
    assert count(text) == expected


@pytest.mark.parametrize(
    ("features", "expected"),
    [
        ("instancetype=m5.large", "m5.large"),
        ("a&instancetype=Standard_D3_v2", "Standard_D3_v2"),
        ("instancetype=m5.large&b", "m5.large"),
        ("[instancetype=c5.xlarge*2&gpu]", "c5.xlarge"),
        ("instancetype=a|instancetype=b", None),
        ("instancetype=a&instancetype=b", "a"),
        ("b|instancetype=a", None),
        ("instancetype=large&[rack1|rack2]", "large"),
        ("[rack1|rack2]&instancetype=large", "large"),
        ("(instancetype=a|instancetype=b)&instancetype=c", "c"),
        ("instancetype=a*2", "a"),
        ("(null)", None),
        ("gpu", None),
        ("myinstancetype=a", None),
        ("instancetype=", None),
        ("", None),
    ],
)
def test_the_size_that_a_constraint_names(features: str, expected: str | None) -> None:
    """Row F17."""
    assert constraint(features)[0] == expected


@pytest.mark.parametrize(
    ("features", "beside"),
    [
        ("instancetype=a", ""),
        ("(null)", ""),
        ("", ""),
        ("gpu", "gpu"),
        ("instancetype=a&gpu", "instancetype=a&gpu"),
        ("instancetype=a|instancetype=b", "instancetype=a|instancetype=b"),
        ("[instancetype=c5.xlarge*2&gpu]", ""),  # no expression that Slurm takes
    ],
)
def test_what_a_constraint_says_beside_the_size(features: str, beside: str) -> None:
    assert constraint(features)[1] == beside


@pytest.mark.parametrize(
    ("line", "shape", "priority", "reason"),
    [
        (
            f"2|1G|100M|Resources|{UUID}|instancetype=m5.large|4294901756|1",
            JobShape(2, 1024, 100, "m5.large"),
            4294901756,
            "Resources",
        ),
        (
            f"1|500M|0|ReqNodeNotAvail, UnavailableNodes:cloud[0,5],compute[0-959]|{UUID}|(null)|7|2",
            JobShape(1, 500, 0, None, 2),
            7,
            "ReqNodeNotAvail, UnavailableNodes:cloud[0,5],compute[0-959]",
        ),
        (f"1|1G|0|{ALL_DOWN}|{UUID}|(null)|5|1", JobShape(1, 1024, 0), 5, ALL_DOWN),
        (
            f"1|100M|0|BadConstraints|{UUID}|instancetype=m5.2xlarge|0|1",
            JobShape(1, 100, 0, "m5.2xlarge"),
            0,
            "BadConstraints",
        ),
    ],
)
def test_lines_of_a_real_squeue(line: str, shape: JobShape, priority: int, reason: str) -> None:
    """Rows F9, F13, F14."""
    assert one_job(line) == Job(UUID, shape, priority, reason)


@pytest.mark.parametrize("name", ["plain", "a|b", "a||b", "|", "||", "", "a|", "|5|1", "x||instancetype=b|7|1|N/A|p"])
@pytest.mark.parametrize("features", ["(null)", "instancetype=a", "a|b", "instancetype=large&[rack1|rack2]", "(a|b)&c"])
def test_bars_in_names_and_features_part_no_field_wrongly(name: str, features: str) -> None:
    """Between the two stand two bars, which no expression of features holds, or begins or ends with."""
    line = f"1|500M|0|Resources|{name}||{features}|9|1{behind(TAIL, number='17')}"
    jobs, malformed = parse_squeue(f"{line}\n", name, TAIL, numbered=True)
    assert not malformed
    (job,) = jobs
    assert (job.id, job.priority, job.shape.ram, job.shape.partitions) == ("17", 9, 500, ("compute",))
    by_name, _ = parse_squeue(f"{line}\n", "", TAIL)
    assert [job.id for job in by_name] == [name]


def test_a_line_without_the_number_of_nodes_asks_for_one() -> None:
    assert one_job(f"2|1G|100M|Priority|{UUID}|(null)|42").shape == JobShape(2, 1024, 100)


@pytest.mark.parametrize("tail", ["42|3", "42"])
def test_a_bar_in_the_job_name(tail: str) -> None:
    job = one_job(f"1|1G|0|Resources|my|odd-dz642-name|instancetype=a|{tail}")
    assert (job.id, job.shape.size, job.priority) == ("my|odd-dz642-name", "a", 42)
    assert job.shape.nodes == (3 if "|" in tail else 1)


@pytest.mark.parametrize("tail", ["42|3", "42"])
def test_a_bar_in_the_features_of_a_container(tail: str) -> None:
    job = one_job(f"1|1G|0|Resources|{UUID}|instancetype=a|instancetype=b|{tail}")
    assert (job.id, job.shape.size, job.priority) == (UUID, None, 42)
    assert job.shape.features == "instancetype=a|instancetype=b"


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("Resources", True),
        ("Priority", True),
        ("BadConstraints", True),
        ("ReqNodeNotAvail, UnavailableNodes:compute3", True),
        (ALL_DOWN, True),
        ("ReqNodeNotAvail, Reserved for maintenance", False),
        ("ReqNodeNotAvail(Unavailable:compute3)", True),
        ("BurstBufferResources", False),
        ("QOSMaxNodePerUserLimit", False),
        ("BeginTime", False),
        ("Dependency", False),
        ("JobHeldUser", False),
        ("None", False),
        ("", False),
    ],
)
def test_which_reasons_more_nodes_would_help(reason: str, expected: bool) -> None:
    """Row F13, and a maintenance reservation."""
    assert waits_for_nodes(reason) is expected
    others: dict[str, str] = {}
    lines = [f"1|1G|0|{reason}|{name}|(null)|5|1" for name in (UUID, "not ours")]
    jobs, _ = parse_squeue("\n".join(lines), "-dz642-", others=others)
    assert bool(jobs) is expected
    assert others == ({} if expected else {UUID: reason})


@pytest.mark.parametrize("reason", ["PartitionNodeLimit", "PartitionTimeLimit", "PartitionConfig", "None"])
def test_what_one_of_several_partitions_refuses_is_no_rule_for_the_job(reason: str) -> None:
    """Slurm shows what it found in the one that it looked at last. Row F13."""
    for partitions, for_nodes in (("compute,debug", True), ("compute", False)):
        others: dict[str, str] = {}
        line = f"1|1G|0|{reason}|{UUID}||(null)|5|1{behind(TAIL, partition=partitions)}"
        jobs, malformed = parse_squeue(line, "-dz642-", TAIL, others)
        assert not malformed
        assert [job.waits for job in jobs] == [WaitKind.NODES] * for_nodes
        assert others == ({} if for_nodes else {UUID: reason})


@pytest.mark.parametrize("reason", ["QOSGrpCpuLimit", "Dependency", "ReqNodeNotAvail, Reserved for maintenance"])
def test_other_rules_bind_a_job_in_all_of_its_partitions(reason: str) -> None:
    others: dict[str, str] = {}
    line = f"1|1G|0|{reason}|{UUID}||(null)|5|1{behind(TAIL, partition='compute,debug')}"
    jobs, _ = parse_squeue(line, "-dz642-", TAIL, others)
    assert (jobs, others) == ([], {UUID: reason})


def test_jobs_of_others_are_not_ours() -> None:
    """Row F16."""
    lines = "1|1G|0|Resources|somebody|(null)|5|1\n1|1G|0|Resources|" + UUID + "|(null)|4|1\n"
    assert [job.id for job in parse_squeue(lines, "-dz642-")[0]] == [UUID]
    assert [job.id for job in parse_squeue(lines, "")[0]] == ["somebody", UUID]


def test_the_order_of_the_queue_is_kept_and_jobs_alike_share_a_shape() -> None:
    names = [f"zzzzz-dz642-{n:015d}" for n in (5, 3, 9)]
    written = ["1G", "1024M", "2G"]
    text = "\n".join(f"1|{ram}|0|Priority|{name}|(null)|5|1" for ram, name in zip(written, names, strict=True))
    jobs, _ = parse_squeue(text, "-dz642-")
    assert [job.id for job in jobs] == names
    assert jobs[0].shape is jobs[1].shape
    assert jobs[0].shape != jobs[2].shape


@pytest.mark.parametrize(
    "bad",
    [
        "garbage",
        "slurm_load_jobs error: something",
        "||||||||||",
        f"x|1G|0|Resources|{UUID}|(null)|5|1",
        f"1|lots|0|Resources|{UUID}|(null)|5|1",
        f"1|1G|0|Resources|{UUID}|(null)|high|1",
        f"1|1G|0|Resources|{UUID}|(null)|²|1",
        f"1|1G|0|Resources|{UUID}",
        "\x00\x01\ufffd|\ufffd",
    ],
)
def test_a_malformed_line_costs_only_itself(bad: str) -> None:
    """Row F15."""
    good = f"1|1G|0|Resources|{UUID}|(null)|5|1"
    jobs, malformed = parse_squeue(f"{good}\n{bad}\n\n{good}\n", "-dz642-")
    assert malformed == [bad]
    assert len(jobs) == 2


@given(st.lists(st.text(alphabet="0123|GMn-dz64\x00 ,[]", max_size=40), max_size=8))
@settings(max_examples=200, deadline=None)
def test_no_line_at_all_makes_the_parsers_fail(lines: list[str]) -> None:
    text = "\n".join(lines)
    jobs, malformed = parse_squeue(text, "")
    nodes, strange = parse_sinfo(text)
    written = [line for line in text.split("\n") if line.strip()]
    assert len(jobs) + len(malformed) <= len(written)
    assert not set(strange) - set(written)
    assert all(node.name for node in nodes.values())


@pytest.mark.parametrize(
    ("shown", "state", "responding"),
    [
        ("idle", "idle", True),
        ("idle*", "idle", False),
        ("alloc*", "alloc", False),
        ("mix*", "mix", False),
        ("unk*", "unk", False),
        ("down*", "down", False),
        ("drain*", "drain", False),
        ("drng", "drng", True),
        ("failg", "failg", True),
        ("plnd", "plnd", True),
        ("inval", "inval", True),
        ("idle~", "idle", True),
        ("idle#", "idle", True),
        ("mix!", "mix", True),
        ("mix%", "mix", True),
        ("down~", "down", True),
        ("idle$", "idle", True),
        ("IDLE@", "boot", True),
        ("idle^", "boot", True),
        ("drain@", "boot", True),
        ("boot^", "boot", True),
        ("mix@", "mix", True),
        ("drng@", "drng", True),
        ("idle#*", "idle", False),
    ],
)
def test_states_lose_their_flags_and_a_star_means_not_responding(shown: str, state: str, responding: bool) -> None:
    """Rows F2, F3, F10; `idle*` is what a node shows for some seconds after each RESUME."""
    found, answers = shown_state(shown)
    assert (found.said, answers) == (state, responding)


def test_lines_of_a_real_sinfo() -> None:
    """Row F21: no feature is `(null)`, no reason is `none`."""
    text = (
        "compute1|idle|1|(null)|none\n"
        "compute2|drng|266|gpu,instancetype=m5.large|Node Manager shutdown (i-0123)\n"
        "compute3|down*|1|instancetype=a|a reason | with bars\n"
    )
    nodes, malformed = parse_sinfo(text)
    assert malformed == []
    assert nodes == {
        "compute1": node_work("compute1", "idle", True, 1),
        "compute2": node_work(
            "compute2", "drng", True, 266, frozenset({"gpu", "instancetype=m5.large"}), "Node Manager shutdown (i-0123)"
        ),
        "compute3": node_work("compute3", "down", False, 1, frozenset({"instancetype=a"}), "a reason | with bars"),
    }


@pytest.mark.parametrize("bad", ["|idle|1|x|y", "a||1|x|y", "a|idle|one|x|y", "\x00||||", "c[|idle|1|x|y"])
def test_a_malformed_line_of_sinfo_costs_only_itself(bad: str) -> None:
    nodes, malformed = parse_sinfo(f"a|idle|1|(null)|none\n{bad}\nb|idle|1|(null)|none")
    assert sorted(nodes) == ["a", "b"]
    assert malformed == [bad]


@pytest.mark.parametrize("bad", ["x", "a|idle|1|(null)", "\x00|", "slurm_load_node error: no"])
def test_what_comes_before_any_node_belongs_to_none(bad: str) -> None:
    nodes, malformed = parse_sinfo(f"{bad}\nb|idle|1|(null)|none")
    assert sorted(nodes) == ["b"]
    assert nodes["b"].reason == ""
    assert malformed == [bad]


def test_line_breaks_in_a_reason() -> None:
    """Slurm prints them as they are."""
    shown = "a[1-2]|drain|1|(null)|health check:\n\n  munge: a | b\nNodeName=c\nd|alloc|1|(null)|none"
    nodes, malformed = parse_sinfo(shown)
    assert malformed == []
    assert {name: (node.state.said, node.reason) for name, node in nodes.items()} == {
        "a1": ("drain", "health check: munge: a | b NodeName=c"),
        "a2": ("drain", "health check: munge: a | b NodeName=c"),
        "d": ("alloc", ""),
    }


@pytest.mark.parametrize("tail", [TAIL, LONG_TAIL])
def test_line_breaks_in_the_name_of_a_job(tail: tuple[str, ...]) -> None:
    """Slurm prints them as they are, and its users name jobs as they like."""
    more = behind(tail)
    good = f"1|1G|0|Resources|b|(null)|42|1{more}"
    text = f"{good}\n2|1G|0|Resources|a\nmunge\n\nc|(null)|41|1{more}\n{good}\nslurm_load_jobs error: munge\n{good}"
    jobs, malformed = parse_squeue(text, "", tail)
    assert malformed == ["slurm_load_jobs error: munge"]
    assert [(job.id, job.shape.cores) for job in jobs] == [("b", 1), ("a munge  c", 2), ("b", 1), ("b", 1)]


def test_a_name_with_very_many_line_breaks_costs_only_itself() -> None:
    good = f"1|1G|0|Resources|{UUID}|(null)|5|1"
    name = "\n".join("x" * 200)
    jobs, malformed = parse_squeue(f"{good}\n1|1G|0|Resources|{name}|(null)|5|1\n{good}", "-dz642-")
    assert len(jobs) == 2
    assert "".join(malformed).count("x") == 200


@pytest.mark.parametrize(
    ("number", "tasks", "at_once"),
    [
        ("3_[1-10%2]", list(range(1, 11)), 2),
        ("3_[0-3,7]", [0, 1, 2, 3, 7], 5),
        ("3_[5]", [5], 1),
        ("3_[1-9:4,20%9]", [1, 5, 9, 20], 9),
        ("3_[1-2%0]", [1, 2], 2),
        ("3_[1,3,...]", [1, 3], 2),  # cut short, where squeue is not asked for all
        ("3_[1-2,...%7]", [1, 2], 7),
    ],
)
def test_the_tasks_of_an_array(number: str, tasks: list[int], at_once: int) -> None:
    """No more of them are waiting than may run at once; the others wait for these."""
    others: dict[str, str] = {}
    line = f"1|1G|0|Resources|x|(null)|5|1{behind(TAIL, number=number)}"
    jobs, malformed = parse_squeue(line, "", TAIL, others, numbered=True)
    assert malformed == []
    assert [job.id for job in jobs] == [f"3_{task}" for task in tasks[:at_once]]
    assert others == dict.fromkeys([f"3_{task}" for task in tasks[at_once:]], "JobArrayTaskLimit")
    held = line.replace("Resources", "JobHeldUser")
    assert parse_squeue(held, "", TAIL, others, numbered=True) == ([], [])
    assert others == dict.fromkeys([f"3_{task}" for task in tasks], "JobHeldUser")


def test_an_array_that_is_too_large_is_cut() -> None:
    text = f"1|1G|0|Resources|x|(null)|5|1{behind(TAIL, number='3_[0-4000000]')}"
    assert len(parse_squeue(text, "", TAIL, numbered=True)[0]) == 100_000


@pytest.mark.parametrize("bad", ["", "x", "3_[]", "3_[a]", "3_[1-2:0]", "3_[1-2", "3_[-]", "3_[1%x]", "_[1]", "3_[,]"])
def test_what_is_no_number_of_a_job_costs_only_its_line(bad: str) -> None:
    good = f"1|1G|0|Resources|x|(null)|5|1{behind(TAIL, number='17')}"
    line = f"1|1G|0|Resources|x|(null)|5|1{behind(TAIL, number=bad)}"
    jobs, malformed = parse_squeue(f"{line}\n{good}", "", TAIL, numbered=True)
    assert malformed == [line]
    assert [job.id for job in jobs] == ["17"]


@pytest.mark.parametrize("number", ["17", "17_3", "17+1"])
def test_the_numbers_of_jobs_and_of_their_parts(number: str) -> None:
    """Of an array `17_3`, of a heterogeneous job `17+1`: squeue shows each part by itself."""
    line = f"1|1G|0|Resources|x|(null)|5|1{behind(TAIL, number=number)}"
    jobs, malformed = parse_squeue(line, "", TAIL, numbered=True)
    assert malformed == []
    assert [job.id for job in jobs] == [number]


def test_a_line_for_several_nodes() -> None:
    nodes, _ = parse_sinfo("compute[1-2,07]|idle|1|(null)|none")
    assert sorted(nodes) == ["compute07", "compute1", "compute2"]


@pytest.mark.parametrize(
    ("expression", "names"),
    [
        ("compute1", ["compute1"]),
        ("a,b", ["a", "b"]),
        ("c[08-10]", ["c08", "c09", "c10"]),
        ("r[1,3]-x,d", ["r1-x", "r3-x", "d"]),
        ("r[1-2]n[08-09]", ["r1n08", "r1n09", "r2n08", "r2n09"]),
        ("[1-3]", ["1", "2", "3"]),
    ],
)
def test_hostlists(expression: str, names: list[str]) -> None:
    assert list(hostlist(expression)) == names


@pytest.mark.parametrize(
    "expression", ["", "c[", "c[1-", "c]", "c[3-1]", "c[1-99999999]", "c[a]", " c", "c[1-999][1-999]", "a,,b"]
)
def test_broken_hostlists(expression: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        hostlist(expression)


def test_memory_for_each_core_is_added_up() -> None:
    assert job_shape("4", "1Gc", "0", "(null)", "2") == JobShape(4, 4096, 0, None, 2)


SHORT_NAMES = {
    "node": "tres_per_node",
    "job": "tres_per_job",
    "socket": "tres_per_socket",
    "task": "tres_per_task",
    "total": "tres_alloc",
    "p": "partition",
    "cpg": "cpus_per_tres",
    "mpg": "memory_per_tres",
    "tasks": "tasks",
    "cpus": "cpus",
}


@pytest.mark.parametrize(
    ("said", "shape"),
    [
        # sbatch --gres=gpu:1, --gres=gpu, --gpus-per-node=tesla:1,k80:1, --gres=license:2,gpu:1, --gres=gpu:0
        ({"node": "gres:gpu:1"}, {"gres": (("gpu", 1),)}),
        ({"node": "gres:gpu"}, {"gres": (("gpu", 1),)}),
        ({"node": "gres:gpu:tesla:1,gres:gpu:k80:1"}, {"gres": (("gpu:k80", 1), ("gpu:tesla", 1))}),
        ({"node": "gres:license:2,gres:gpu:1"}, {"gres": (("gpu", 1), ("license", 2))}),
        ({"node": "gres:gpu:0"}, {}),
        ({"node": "gres:license:2K"}, {"gres": (("license", 2048),)}),
        # as newer and older Slurms write it
        ({"node": "gres/gpu:tesla:2"}, {"gres": (("gpu:tesla", 2),)}),
        ({"node": "gres/gpu=2"}, {"gres": (("gpu", 2),)}),
        ({"node": "gpu:1"}, {"gres": (("gpu", 1),)}),
        ({"node": "(null)"}, {}),
        ({"task": "cpu=2,gres/gpu=1", "tasks": "2"}, {"gres": (("gpu", 2),)}),
        ({"node": "gres:gpu:1g.5gb:2"}, {"gres": (("gpu:1g.5gb", 2),)}),
        # --gpus=3 on 1 and on 2 nodes, --gpus-per-task=1 --ntasks=3 on 2 nodes, --gpus-per-socket=1
        ({"job": "gres:gpu:3"}, {"gres": (("gpu", 3),)}),
        ({"job": "gres:gpu:3", "n": "2"}, {"gres": (("gpu", 2),), "nodes": 2}),
        ({"task": "gres:gpu:1", "tasks": "3", "n": "2"}, {"gres": (("gpu", 2),), "nodes": 2}),
        ({"socket": "gres:gpu:1"}, {"gres": (("gpu", 1),)}),
        ({"job": "gres:gpu:2", "task": "gres:gpu:1", "tasks": "2"}, {"gres": (("gpu", 2),)}),
        ({"node": "gres:gpu:1", "job": "gres:gpu:2"}, {"gres": (("gpu", 2),)}),
        # --ntasks=4, and --ntasks=5 on 2 nodes: the CPUs are those of all tasks
        ({"cpus": "4", "tasks": "4"}, {"cores": 4}),
        ({"cpus": "5", "tasks": "5", "n": "2"}, {"cores": 3, "nodes": 2}),
        ({"cpus": "1", "c": "4"}, {"cores": 4}),
        ({"p": "gpu,debug"}, {"partitions": ("gpu", "debug")}),
        ({"p": "(null)"}, {"partitions": ()}),
        # sbatch --mem=3000, on two nodes, and for four tasks
        ({"m": "3000M", "total": "cpu=1,mem=3000M,node=1,billing=1"}, {"ram": 3000}),
        ({"m": "3000M", "n": "2", "cpus": "2", "total": "cpu=2,mem=6000M,node=2,billing=2"}, {"ram": 3000, "nodes": 2}),
        ({"m": "3000M", "cpus": "4", "total": "cpu=4,mem=3000M,node=1"}, {"ram": 3000, "cores": 4}),
        # --mem-per-cpu=1000 with -c4, -n4, -n4 -N2, -n5 -N2, -n4 --ntasks-per-node=2; 64G of 64 CPUs
        ({"m": "1000M", "c": "4", "cpus": "4", "total": "cpu=4,mem=4000M,node=1"}, {"ram": 4000, "cores": 4}),
        ({"m": "1000M", "cpus": "4", "total": "cpu=4,mem=4000M,node=1"}, {"ram": 4000, "cores": 4}),
        (
            {"m": "1000M", "n": "2", "cpus": "4", "total": "cpu=4,mem=4000M,node=2"},
            {"ram": 2000, "cores": 2, "nodes": 2},
        ),
        (
            {"m": "1000M", "n": "2", "cpus": "5", "total": "cpu=5,mem=5000M,node=2"},
            {"ram": 3000, "cores": 3, "nodes": 2},
        ),
        (
            {"m": "1000M", "c": "2", "n": "2", "cpus": "4", "total": "cpu=4,mem=4000M,node=1"},
            {"ram": 2000, "cores": 2, "nodes": 2},
        ),
        ({"m": "1000M", "cpus": "64", "total": "cpu=64,mem=62.50G,node=1"}, {"ram": 64000, "cores": 64}),
        # --mem=0, or nothing said: the memory of some node is shown
        ({"m": "0", "total": "cpu=1,mem=32000M,node=1,billing=1"}, {"ram": 0}),
        ({"m": "0", "n": "2", "cpus": "2", "total": "cpu=2,mem=62.50G,node=2"}, {"ram": 0, "nodes": 2}),
        # --gpus=2 --mem-per-gpu=1500 --cpus-per-gpu=4, and --gpus-per-node=1 on two nodes
        (
            {
                "m": "0",
                "job": "gres:gpu:2",
                "total": "cpu=1,mem=3000M,node=1",
                "mpg": "gres:gpu:1500",
                "cpg": "gres:gpu:4",
            },
            {"ram": 3000, "cores": 8, "gres": (("gpu", 2),)},
        ),
        (
            {"m": "0", "n": "2", "node": "gres:gpu:tesla:1", "cpus": "2", "total": "cpu=2,mem=1000M,node=2"}
            | {"mpg": "gres:gpu:500", "cpg": "gres:gpu:3"},
            {"ram": 500, "cores": 3, "nodes": 2, "gres": (("gpu:tesla", 1),)},
        ),
        # the same two as Slurm 20.11 shows them, which counts no memory of what waits
        (
            {"m": "0", "job": "gpu:2", "total": "cpu=1,node=1,billing=1", "mpg": "gpu:1500", "cpg": "gpu:4"},
            {"ram": 3000, "cores": 8, "gres": (("gpu", 2),)},
        ),
        (
            {"m": "0", "n": "2", "node": "gpu:tesla:1", "cpus": "2", "total": "cpu=2,node=2", "mpg": "gpu:500"},
            {"ram": 500, "nodes": 2, "gres": (("gpu:tesla", 1),)},
        ),
        # --nodes=2-3, --nodes=1-3, --nodes=2-3 --mem=700; with --ntasks=6 or 40 it may need the most
        ({"m": "0", "n": "3", "tasks": "2", "total": "cpu=1,mem=62.50G,node=2"}, {"nodes": 2, "ram": 0}),
        ({"m": "0", "n": "3", "total": "cpu=1,mem=32000M,node=1"}, {"ram": 0}),
        ({"m": "700M", "n": "3", "total": "cpu=1,mem=1400M,node=2"}, {"ram": 700, "nodes": 2}),
        (
            {"m": "500M", "n": "3", "cpus": "6", "total": "cpu=6,mem=3000M,node=2"},
            {"ram": 1000, "cores": 2, "nodes": 3},
        ),
        ({"m": "0", "n": "3", "cpus": "40", "total": "cpu=40,mem=32000M,node=1"}, {"ram": 0, "cores": 14, "nodes": 3}),
        # what cannot be read, or is not shown, says nothing
        ({"total": "cpu=x,mem=?,node="}, {}),
        ({"total": "N/A"}, {}),
        ({"total": "", "cpg": "", "mpg": ""}, {}),
    ],
)
def test_all_that_a_job_asks_for(said: dict[str, str], shape: dict[str, object]) -> None:
    first = "{c}|{m}|0|Resources|{u}|(null)|7|{n}".format(**({"c": "1", "m": "1G", "n": "1", "u": UUID} | said))
    more = {SHORT_NAMES[name]: text for name, text in said.items() if name in SHORT_NAMES}
    jobs, malformed = parse_squeue(first + behind(LONG_TAIL, **more), "", LONG_TAIL)
    assert malformed == []
    wanted: dict[str, Any] = {"cores": 1, "ram": 1024, "partitions": ("compute",), **shape}
    assert [job.shape for job in jobs] == [JobShape(**wanted)]


@pytest.mark.parametrize(
    "bad", ["gres:", "gpu::1", "gres:gpu:1,", "gres:gpu:-1", "gres:gpu:1:2:3", "17", "gpu 1", "\x00"]
)
def test_a_text_that_is_no_gres_costs_only_its_line(bad: str) -> None:
    good = f"1|1G|0|Resources|{UUID}|(null)|5|1{behind(TAIL, tres_per_node='gres:gpu:1')}"
    line = good.replace("gres:gpu:1", bad)
    jobs, malformed = parse_squeue(f"{line}\n{good}", "", TAIL)
    assert malformed == [line]
    assert [job.shape.gres for job in jobs] == [(("gpu", 1),)]


@pytest.mark.parametrize("tail", [TAIL, LONG_TAIL])
def test_a_bar_in_the_name_of_a_job_with_a_partition(tail: tuple[str, ...]) -> None:
    more = behind(tail, partition="gpu")
    lines = [
        f"1|1G|0|Resources|a|b c|instancetype=x|42|3{more}",
        f"1|1G|0|Resources|{UUID}|instancetype=x|instancetype=y|42|3{more}",
    ]
    jobs, malformed = parse_squeue("\n".join(lines), "", tail)
    assert malformed == []
    assert [(job.id, job.shape.size, job.shape.partitions) for job in jobs] == [
        ("a|b c", "x", ("gpu",)),
        (UUID, None, ("gpu",)),
    ]
    assert {(job.priority, job.shape.nodes) for job in jobs} == {(42, 3)}


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("slurm 19.05.5", False),
        ("slurm 20.02.0-pre1", True),
        ("slurm-wlm 22.05.8\n", True),
        ("slurm 17.11", False),
        ("squeue 22.05", None),
        ("", None),
    ],
)
def test_which_squeue_shows_all(version: str, expected: bool | None) -> None:
    assert shows_all(version) is expected


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("QOSGrpCpuLimit", True),
        ("Licenses", True),
        ("ReqNodeNotAvail, Reserved for maintenance", True),
        ("Reservation", True),
        ("Dependency", False),
        ("DependencyNeverSatisfied", False),
        ("BeginTime", False),
        ("JobHeldUser", False),
        ("JobHeldAdmin", False),
        ("None", True),
        ("Resources", False),
    ],
)
def test_what_slurm_says_only_while_a_node_is_up_is_told_by_shape(reason: str, expected: bool) -> None:
    refused: dict[JobShape, Sequence[Job]] = {}
    lines = [f"2|100M|0|{reason}|a|(null)|7|1{behind(TAIL, number=number)}" for number in ("17", "3_[1-2]")]
    parse_squeue("\n".join(lines), "", TAIL, {}, numbered=True, refused=refused)
    shape = JobShape(cores=2, ram=100, partitions=("compute",))
    told = {shape: [(job.id, job.shape, job.priority, job.reason) for job in jobs] for shape, jobs in refused.items()}
    assert told == ({shape: [(name, shape, 7, reason) for name in ("17", "3_1", "3_2")]} if expected else {})
    assert all(job.time_limit is not None for jobs in refused.values() for job in jobs)


def test_a_refused_line_that_cannot_be_read_in_full_is_only_not_told_by_shape() -> None:
    others: dict[str, str] = {}
    refused: dict[JobShape, Sequence[Job]] = {}
    line = f"two|100M|0|Licenses|a|(null)|7|1{behind(TAIL, number='17')}"
    assert parse_squeue(line, "", TAIL, others, numbered=True, refused=refused) == ([], [])
    assert (others, refused) == ({"17": "Licenses"}, {})


def one(tail: tuple[str, ...] = LONG_TAIL, **said: str) -> Job:
    """What is read of a job of which the tail says this."""
    (job,), malformed = parse_squeue(f"1|1G|0|Resources|x|(null)|5|1{behind(tail, **said)}", "", tail)
    assert malformed == []
    return job


@pytest.mark.parametrize("tail", [TAIL, LONG_TAIL])
def test_whose_a_job_is_and_where_it_is_to_run(tail: tuple[str, ...]) -> None:
    job = one(tail, user="anna", account="chem|lab", qos="long", reservation="course")
    assert (job.shape.owner, job.shape.reservation) == (JobOwner("anna", "chem|lab", "long"), "course")
    job = one(tail, user="anna", account="(null)", qos="N/A", reservation="(null)")
    assert (job.shape.owner, job.shape.reservation) == (JobOwner("anna"), "")


@pytest.mark.parametrize(
    ("most", "least", "seconds"),
    [
        ("1:00", "0:00", 60),
        ("30:00", "0:00", 1800),
        ("2:00:00", "", 7200),
        ("1-02:04:00", "0:00", 93840),
        ("365-00:00:00", "N/A", 365 * 86400),
        ("UNLIMITED", "0:00", float("inf")),
        ("UNLIMITED", "10:00", 600),  # sbatch --time-min
        ("2:00:00", "10:00", 600),
        ("NOT_SET", "0:00", None),
        ("", "", None),
    ],
)
def test_how_long_a_job_may_run(most: str, least: str, seconds: float | None) -> None:
    assert one(time_limit=most, least_time=least).time_limit == seconds


@pytest.mark.parametrize("bad", ["2", "soon", "1-2-3:00:00", "1:2:3:4", "-1:00", "١:00"])
def test_what_is_no_time_limit_costs_only_its_line(bad: str) -> None:
    line = f"1|1G|0|Resources|x|(null)|5|1{behind(TAIL, time_limit=bad)}"
    assert parse_squeue(line, "", TAIL) == ([], [line])


@pytest.mark.parametrize(
    ("text", "choices"),
    [
        ("(null)", ()),
        ("solver:1", ((("solver", 1),),)),
        ("solver:1,matlab:2", ((("matlab", 2), ("solver", 1)),)),
        ("matlab", ((("matlab", 1),),)),
        ("nastran@flex:12", ((("nastran@flex", 12),),)),
        ("a:1|b:2", ((("a", 1),), (("b", 2),))),  # one of them will do, from Slurm 24.11 on
        ("a:1,a:2", ((("a", 3),),)),
    ],
)
def test_the_licences_that_a_job_asks_for(text: str, choices: object) -> None:
    assert one(licences=text).shape.licences == choices


@pytest.mark.parametrize("bad", ["a:", ":1", "a:x", "a:1,", "a:1||b:1", "a:-1"])
def test_what_is_no_licence_costs_only_its_line(bad: str) -> None:
    line = f"1|1G|0|Resources|x|(null)|5|1{behind(TAIL, licences=bad)}"
    assert parse_squeue(line, "", TAIL) == ([], [line])


@pytest.mark.parametrize(
    ("said", "nodes", "gpus"),
    [
        # on nodes with two GPUs, as a real Slurm shows them: --gpus=4, --gpus=3, --gpus=5, --gpus=2
        ({"tres_per_job": "gres:gpu:4", "tres_alloc": "cpu=1,mem=4000M,node=1"}, "2", 2),
        ({"tres_per_job": "gres:gpu:3", "tres_alloc": "cpu=1,mem=4000M,node=1"}, "2", 2),
        ({"tres_per_job": "gres:gpu:5", "tres_alloc": "cpu=1,mem=4000M,node=1"}, "3", 2),
        ({"tres_per_job": "gres:gpu:2", "tres_alloc": "cpu=1,mem=4000M,node=1"}, "1", 2),
        # --gpus=4 -n 4, --gpus-per-task=1 -n 3, --gpus=4 --nodes=2-3
        ({"tres_per_job": "gres:gpu:4", "tres_alloc": "cpu=4,node=1", "cpus": "4", "tasks": "4"}, "2", 2),
        ({"tres_per_task": "gres:gpu:1", "tres_alloc": "cpu=3,node=1", "cpus": "3", "tasks": "3"}, "2", 2),
        ({"tres_per_job": "gres:gpu:4", "tres_alloc": "cpu=1,node=2", "tasks": "2"}, "2", 2),
    ],
)
def test_gpus_that_are_asked_for_together_are_spread_over_the_nodes(
    said: dict[str, str], nodes: str, gpus: int
) -> None:
    """They are no reason to take the job for one of a single node: no node has so many."""
    (job,), _ = parse_squeue(f"1|0|0|Resources|x|(null)|5|{nodes}{behind(LONG_TAIL, **said)}", "", LONG_TAIL)
    assert (job.shape.nodes, job.shape.gres) == (int(nodes), (("gpu", gpus),))


@pytest.mark.parametrize(
    ("lines", "at_once", "waiting", "held_back"),
    [
        # as many as may run, less those that do: --array=1-10%2 with one, two, three running
        (["3_[2-10%2]"], {"3": 1}, ["3_2"], 8),
        (["3_[2-10%2]"], {"3": 0}, [], 9),
        (["3_[2-4%9]"], {"3": 8}, ["3_2", "3_3", "3_4"], 0),
        # tasks that have lines of their own, such as one that was requeued, count for the same limit
        (["3_5", "3_[2-4,6%2]"], {"3": 2}, ["3_5", "3_2"], 3),
        (["3_[2-4,6%2]", "3_5", "4_[1-2]"], {"3": 1}, ["3_2", "4_1", "4_2"], 4),
        (["3_5", "17"], {}, ["3_5", "17"], 0),
    ],
)
def test_no_more_tasks_of_an_array_wait_for_nodes_than_may_run_now(
    lines: list[str], at_once: dict[str, int], waiting: list[str], held_back: int
) -> None:
    others: dict[str, str] = {}
    text = "\n".join(f"1|1G|0|Resources|x|(null)|5|1{behind(TAIL, number=number)}" for number in lines)
    jobs, _ = parse_squeue(text, "", TAIL, others, numbered=True, at_once=at_once)
    assert [job.id for job in jobs] == waiting
    assert list(others.values()) == ["JobArrayTaskLimit"] * held_back


def test_each_task_of_an_array_counts_by_its_own_reason() -> None:
    others: dict[str, str] = {}
    shown = [("3_[2-4%3]", "Resources"), ("3_5", "JobHeldUser"), ("3_6", "BeginTime"), ("3_7", "Priority")]
    text = "\n".join(f"1|1G|0|{why}|x|(null)|5|1{behind(TAIL, number=number)}" for number, why in shown)
    jobs, _ = parse_squeue(text, "", TAIL, others, numbered=True)
    assert [job.id for job in jobs] == ["3_2", "3_3", "3_4"]
    assert others == {"3_5": "JobHeldUser", "3_6": "BeginTime", "3_7": "JobArrayTaskLimit"}


def test_the_mark_between_fields_in_the_name_of_a_job() -> None:
    (job,), malformed = parse_squeue(f"1|1G|0|Resources|a\x1fb|(null)|5|1{behind(TAIL, number='17')}", "", TAIL)
    assert (job.id, job.shape.partitions, malformed) == ("a\x1fb", ("compute",), [])
