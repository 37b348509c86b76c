"""What nodes have for jobs that share them, and what of it is free."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sharing_texts import VERSIONS, recorded, rules_there

from arvnodeman.fleet.values.capacity import Capacity
from arvnodeman.fleet.values.work import NodeWork
from arvnodeman.slurm.room import RoomReader
from arvnodeman.slurm.sharing import SharingRules
from arvnodeman.slurm.words import node_work

RULES = SharingRules(frozenset({"compute"}), memory=True, cores=True)
NODE = """NodeName=n1 Arch=x86_64 CoresPerSocket=4 
   CPUAlloc=2 CPUEfctv=6 CPUTot=8 CPULoad=0.27
   Gres=gpu:a:1(S:0-1),gpu:b:2(S:0,1),lic:4
   GresUsed=gpu:a:0(IDX:N/A),gpu:b:1(IDX:0,2),lic:1
   OS=Linux 6.1 RealMemory=1 
   RealMemory=4000 AllocMem=100 FreeMem=13761 Sockets=1 Boards=1
   CoreSpecCount=1 CPUSpecList=6-7 MemSpecLimit=500
   State=MIXED ThreadsPerCore=2 TmpDisk=700 Weight=1 Owner=N/A MCS_label=N/A
   LastBusyTime=2026-01-01T00:00:00
   Comment=hello
   CPUAlloc=9

"""  # noqa: W291
HAS = Capacity(6, 3500.0, (("gpu:a", 1), ("gpu:b", 2), ("lic", 4)), threads=2, scratch=700)
FREE = replace(HAS, cpus=4, ram=3400.0, gres=(("gpu:a", 1), ("gpu:b", 1), ("lic", 3)), jobs=1, whole=False)
NAMES = [node_work("n1", "mix"), node_work("n2", "idle")]
NODES = {node.name: node for node in NAMES}


def given(text: str, rules: SharingRules = RULES) -> tuple[NodeWork, list[str]]:
    """The node n1, and what is said."""
    reader = RoomReader()
    said = reader.read(text, rules)
    return reader.given(NODES)["n1"], said


@pytest.mark.parametrize("version", VERSIONS)
def test_nodes_as_three_slurms_show_them(version: str) -> None:
    rules, _ = rules_there(version)
    assert rules is not None
    reader = RoomReader()
    said = reader.read(recorded(version)["nodes"], rules)
    nodes = reader.given({f"compute{number}": node_work(f"compute{number}", "idle") for number in range(5)})
    has = Capacity(6, 3500.0, threads=2, scratch=0)
    assert nodes["compute1"].has == has
    assert nodes["compute1"].free == replace(has, cpus=2, ram=3460.0, jobs=1, whole=False)
    assert nodes["compute2"].has == Capacity(2, 4000.0, scratch=0)  # its CPUs are its cores
    assert nodes["compute2"].free is None
    gres = (("gpu:a", 1), ("gpu:b", 1), ("lic", 4))
    assert nodes["compute3"].has == Capacity(4, 4000.0, gres, scratch=0)
    left = (("gpu:b", 1), ("lic", 2))
    assert nodes["compute3"].free == Capacity(3, 3900.0, left, jobs=1, whole=False, scratch=0)
    assert nodes["compute0"].free == nodes["compute0"].has == Capacity(1, 1.0, scratch=0)
    assert (nodes["compute4"].has, nodes["compute4"].free) == (None, None)  # that is not shown
    why = "100 MB are allocated and no CPU, as of a suspended job"
    assert said == [f"node compute2: {why}: it is not counted as having room"]


def test_what_is_kept_back_is_not_for_jobs() -> None:
    node, said = given(NODE)
    assert (node.has, node.free, said) == (HAS, FREE, [])


def test_what_an_older_slurm_does_not_say_of_kept_back_cpus_is_worked_out() -> None:
    assert given(NODE.replace("CPUEfctv=6 ", ""))[0].free == FREE


def test_where_memory_is_not_counted_a_node_has_what_it_has() -> None:
    node, _ = given(NODE.replace("AllocMem=100", "AllocMem=5000"), replace(RULES, memory=False))
    assert node.free is not None
    assert node.has is not None
    assert node.has.ram == node.free.ram == 4000


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("CPUAlloc=2", "CPUAlloc=7", "7 CPUs are allocated of 6"),
        ("CPUEfctv=6", "CPUEfctv=0", "it has 0 CPUs for jobs"),
        ("AllocMem=100", "AllocMem=3501", "3501 MB are allocated of 3500"),
        ("CPUAlloc=2", "CPUAlloc=0", "100 MB are allocated and no CPU, as of a suspended job"),
        ("State=MIXED", "State=IDLE+DRAIN+INVALID_REG", "it registered with less than slurm.conf says"),
        ("CPUTot=8 ", "", "its CPUs and memory cannot be read (KeyError: 'CPUTot')"),
        ("CPUTot=8", "CPUTot=many", "its CPUs and memory cannot be read (ValueError: "),
        ("Sockets=1", "Sockets=0", "its CPUs and memory cannot be read (ZeroDivisionError: "),
        ("lic:4", "*", "its CPUs and memory cannot be read (ValueError: not a GRES: '*')"),
    ],
)
def test_nothing_is_promised_of_a_node_that_makes_no_sense_and_that_is_said_once(old: str, new: str, why: str) -> None:
    reader = RoomReader()
    text = NODE.replace(old, new, 1)
    (line,) = reader.read(text, RULES)
    assert line.startswith(f"node n1: {why}")
    assert line.endswith("it is not counted as having room")
    assert reader.given(NODES)["n1"].free is None
    assert reader.read(text.replace("CPULoad=0.27", "CPULoad=0.28"), RULES) == []
    assert reader.read(NODE, RULES) == []
    assert reader.given(NODES)["n1"].free == FREE
    assert len(reader.read(text, RULES)) == 1


def test_of_many_such_nodes_a_few_are_named() -> None:
    text = "".join(NODE.replace("n1", f"n{number}").replace("CPUAlloc=2", "CPUAlloc=7") for number in range(30))
    said = RoomReader().read(text, RULES)
    assert len(said) == 11
    assert said[10] == "20 more nodes are like that"


def test_what_is_as_it_was_is_the_object_that_it_was() -> None:
    reader = RoomReader()
    reader.read(NODE + NODE.replace("n1", "n2"), RULES)
    nodes = reader.given(NODES)
    assert reader.given(NODES) is nodes
    reader.read(NODE.replace("FreeMem=13761", "FreeMem=5") + NODE.replace("n1", "n2"), RULES)
    assert reader.given(NODES) is nodes
    reader.read(NODE.replace("AllocMem=100", "AllocMem=200") + NODE.replace("n1", "n2"), RULES)
    after = reader.given(NODES)
    assert after["n2"] is nodes["n2"]
    assert after["n1"] != nodes["n1"]
    other = NODES | {"n2": node_work("n2", "mix")}
    last = reader.given(other)
    assert last["n1"] is after["n1"]
    assert last["n2"].free == FREE
    assert last["n2"].state.said == "mix"
    assert set(reader.given({"n2": other["n2"]})) == {"n2"}  # what sinfo does not list is nothing to us


def test_words_behind_a_comment_are_nobodys() -> None:
    node, said = given(NODE.replace("hello", "a\n\nNodeName=n1 CPUAlloc=9\n\nmunge"))
    assert (node.free, said) == (FREE, [])


def test_other_rules_are_other_rooms() -> None:
    reader = RoomReader()
    reader.read(NODE, RULES)
    before = reader.given(NODES)["n1"]
    reader.read(NODE, replace(RULES, memory=False))
    assert reader.given(NODES)["n1"] != before
