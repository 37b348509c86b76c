"""Whether jobs share nodes, and what each takes of one: by slurm.conf, the partitions, and what squeue shows of it."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import replace

import pytest
from sharing_texts import VERSIONS, recorded, rules_there
from squeue_lines import PLAIN

from arvnodeman.fleet.values.capacity import Footprint
from arvnodeman.fleet.values.model import JobShape
from arvnodeman.slurm.errors import ControllerAway
from arvnodeman.slurm.fields import LONG_TAIL, sharing_form
from arvnodeman.slurm.job_shape import job_shape
from arvnodeman.slurm.keeping import NamesInSlurm
from arvnodeman.slurm.sharing import Sharing, SharingRules, rules_of
from arvnodeman.slurm.squeue import QueueReader

CORES = SharingRules(frozenset({"compute"}), memory=True, cores=True)
CPUS = replace(CORES, cores=False)
NO_MEMORY = replace(CORES, memory=False)
PARTITION = {"PartitionName": "compute", "OverSubscribe": "NO", "SelectTypeParameters": "NONE"}
CONFIG = {"SelectType": "select/cons_tres", "SelectTypeParameters": "CR_CORE_MEMORY"}


def shape(
    rules: SharingRules | None = CORES, cores: str = "1", memory: str = "100M", nodes: str = "1", **tail: str
) -> JobShape:
    """A job, by what squeue shows of it; it shares its nodes unless that says something else."""
    shown = PLAIN | {"oversubscribe": "OK", "threads": "*", "per_core": "N/A", "per_node": "0"} | tail
    shown.setdefault("tres_alloc", "")
    return job_shape(cores, memory, "0", "(null)", nodes, tail=shown, rules=rules)


def takes(rules: SharingRules | None = CORES, **shown: str) -> Footprint | None:
    return shape(rules, **shown).takes


# ---- the rules -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
def test_partitions_as_three_slurms_show_them(version: str) -> None:
    rules, said = rules_there(version)
    assert rules == SharingRules(
        frozenset({"compute", "yes", "force", "force1", "defmem"}),
        memory=True,
        cores=True,
        least_taken=version == "22.05",
    )
    user = "Exclusive" if version == "26.05" else "ExclusiveUser"
    itself = "is not supported, so each job counts as having its nodes to itself"
    together = "jobs may have CPUs together there, and are planned as if they had not"
    assert said == [
        f"partition few: MaxCPUsPerNode=2 {itself}",
        f"partition force: OverSubscribe=FORCE:2: {together}",
        f"partition force1: OverSubscribe=FORCE:1: {together}",
        f"partition sock: SelectTypeParameters=CR_SOCKET {itself}",
        f"partition user: {user}={'USER' if version == '26.05' else 'YES'} {itself}",
    ]


@pytest.mark.parametrize("version", VERSIONS)
def test_jobs_as_three_slurms_show_them(version: str) -> None:
    """Of the recorded jobs of each partition the first asked for nothing, the second for --exclusive, the third for
    --oversubscribe."""
    rules, _ = rules_there(version)
    assert rules is not None
    shares: dict[str, list[bool]] = {}
    for line in reversed(recorded(version)["jobs"].split()):  # squeue has the newest first
        _, partition, oversubscribe, exclusive, *_ = line.split("|")
        shares.setdefault(partition, []).append(rules.shares((partition,), oversubscribe, exclusive))
    alone, together = [False] * 3, [True, False, True]
    some = dict.fromkeys(("compute", "yes", "force", "force1", "defmem"), together)
    assert shares == some | dict.fromkeys(("excl", "user", "few", "sock"), alone)


@pytest.mark.parametrize(
    ("config", "partition"),
    [
        ({"SelectType": "select/linear"}, PARTITION),
        ({}, PARTITION),
        (CONFIG | {"SelectTypeParameters": "CR_SOCKET_MEMORY"}, PARTITION),
        (CONFIG, PARTITION | {"OverSubscribe": "EXCLUSIVE"}),
        (CONFIG, PARTITION | {"Exclusive": "NODE"}),
        (CONFIG, PARTITION | {"OverSubscribe": "SOMETHING"}),
        (CONFIG, {"PartitionName": "compute"}),
    ],
)
def test_where_no_job_shares(config: dict[str, str], partition: dict[str, str]) -> None:
    assert rules_of(config, {"compute": partition}, None)[0] is None


@pytest.mark.parametrize(
    ("counted", "rules"),
    [
        ("CR_CORE_MEMORY", CORES),
        ("CR_CORE", NO_MEMORY),
        ("CR_CPU_MEMORY", CPUS),
        ("CR_CPU,CR_LLN", replace(CPUS, memory=False)),
        ("CR_CORE_MEMORY,CR_ONE_TASK_PER_CORE", replace(CORES, tasks_apart=True)),
    ],
)
def test_what_is_counted(counted: str, rules: SharingRules) -> None:
    assert rules_of(CONFIG | {"SelectTypeParameters": counted}, {"compute": PARTITION}, (24, 11))[0] == rules


# ---- what a job takes ------------------------------------------------------------------------------------------------


def test_without_rules_and_in_other_partitions_a_job_has_its_nodes_to_itself() -> None:
    assert shape(None).takes is None
    for partition in ("other", "compute,other", "(null)"):
        assert takes(partition=partition) is None
    for said in ("NO", "USER", "MCS", "TOPO", "", "SOMETHING"):
        assert takes(oversubscribe=said) is None
    assert takes(oversubscribe="NO", exclusive="NO") == Footprint(1, 100)
    for said in ("NODE", "USER", "MCS", "TOPO"):
        assert takes(exclusive=said) is None


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        ({"cores": "3", "cpus": "3", "tres_alloc": "cpu=3,mem=100M,node=1"}, Footprint(3, 100)),
        ({"cpus": "3", "tasks": "3", "tres_alloc": "cpu=3,mem=300M,node=1"}, Footprint(3, 300, ram_by_cpu=True)),
        ({"tres_alloc": "cpu=1,mem=100M,node=1"}, Footprint(1, 100, ram_by_cpu=True)),  # by the CPU, or not: not told
        ({"memory": "0", "tres_alloc": "cpu=1,mem=4000M,node=1"}, Footprint(1, math.inf)),
        ({"cpus": "2", "tasks": "2", "per_core": "1"}, Footprint(2, 100, apart=2)),
        ({"cpus": "4", "tasks": "2", "per_core": "1"}, Footprint(4, 100, apart=2)),
        ({"cpus": "3", "tasks": "3", "per_core": "2"}, Footprint(3, 100, apart=2)),
        ({"cpus": "4", "tasks": "2", "threads": "1"}, Footprint(4, 100, apart=4)),
        (
            {"cpus": "4", "threads": "1", "tres_alloc": "cpu=4,mem=400M,node=1"},
            Footprint(4, 400, apart=4),  # the CPUs that are not used take no memory
        ),
        ({"cores": "3", "tres_alloc": "cpu=1,mem=4G,node=1"}, Footprint(1, 4096, ram_by_cpu=True)),
        ({"cores": "0", "cpus": "0"}, Footprint(1, 100)),
        ({"nodes": "2", "cpus": "5", "tasks": "5", "tres_alloc": "cpu=5,mem=200M,node=2"}, Footprint(3, 100)),
        ({"memory": "0", "tres_per_job": "gpu:2", "memory_per_tres": "gpu:1000"}, Footprint(1, 2000)),
        ({"tres_per_node": "gpu:2", "cpus_per_tres": "gpu:4"}, Footprint(8, 100)),
    ],
)
def test_what_a_job_takes_of_each_node(shown: dict[str, str], expected: Footprint) -> None:
    found = takes(CORES, **shown)
    assert found is not None
    assert replace(found, ram=min(found.ram, expected.ram)) == expected


def test_where_memory_is_not_counted_none_is_taken() -> None:
    for memory in ("0", "100M"):
        assert takes(NO_MEMORY, memory=memory) == Footprint(1, 0)
    assert shape(NO_MEMORY, memory="100M").ram == 100  # and the node is to have that


def test_older_slurms_give_as_many_cpus_as_mincpus_asks_for() -> None:
    older = replace(CPUS, least_taken=True)
    assert takes(CPUS, cores="3") == Footprint(1, 100)
    assert takes(older, cores="3") == Footprint(3, 100)
    assert takes(older, cores="5", cpus="3", threads="1") == Footprint(5, 100, apart=3)
    assert shape(CPUS, cores="3").cores == shape(older, cores="3").cores == 3


def test_tasks_apart_by_slurm_conf() -> None:
    assert takes(replace(CORES, tasks_apart=True), cpus="4", tasks="2") == Footprint(4, 100, apart=2)


def test_nodes_of_a_job_that_says_how_many_tasks_a_node_may_have() -> None:
    """`-n 3 --ntasks-per-node=2` is shown with one node by Slurm 22.05."""
    found = shape(cores="2", cpus="3", tasks="3", per_node="2", tres_alloc="cpu=3,mem=100M,node=1")
    assert (found.nodes, found.takes) == (2, Footprint(2, 100))


# ---- asking ----------------------------------------------------------------------------------------------------------


def test_the_fields_that_squeue_is_asked_for() -> None:
    older, newer = sharing_form((24, 11)), sharing_form((26, 5))
    more = ("oversubscribe", "exclusive", "threads", "per_core", "per_node")
    assert newer[1] == (*LONG_TAIL[:-1], *more, LONG_TAIL[-1])
    assert older[1] == tuple(name for name in newer[1] if name != "exclusive")
    assert "exclusive" not in older[0]
    assert sharing_form(None) == older


def test_jobs_are_read_anew_when_the_rules_change() -> None:
    tail = sharing_form((24, 11))[1]
    shown = PLAIN | {"oversubscribe": "OK", "threads": "*", "per_core": "N/A", "per_node": "0"}
    text = "1|100M|0|Resources|job||(null)|7|1" + "".join("\x1f" + shown[name] for name in tail) + "\n"
    reader = QueueReader("", numbered=True)
    assert [job.shape.takes for job in reader.read(text, tail, rules=CORES).jobs] == [Footprint(1, 100)]
    assert reader.read(text, tail, rules=CORES) is reader.read(text, tail, rules=CORES)
    assert [job.shape.takes for job in reader.read(text, tail, rules=None).jobs] == [None]
    assert [job.shape.takes for job in reader.read(text, tail, rules=NO_MEMORY).jobs] == [Footprint(1, 0)]


class Answers:
    """Slurm's answers about its configuration; counts how often it is asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, ...]] = []
        self.away = False
        self.parts = recorded("24.11")
        self.time = 1000.0

    def ask(self, *words: str) -> str:
        self.asked.append(words)
        if self.away:
            raise ControllerAway("scontrol", "no answer")
        return self.parts[words[-1]]

    def now(self) -> float:
        return self.time


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Answers:
    made = Answers()
    monkeypatch.setattr("arvnodeman.slurm.sharing.time.monotonic", made.now)
    return made


def test_slurm_conf_is_asked_for_now_and_then(answers: Answers, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "arvnodeman.slurm")
    heard = Sharing(answers.ask, lambda: (24, 11), True)
    rules = heard.fetch()
    assert rules is not None
    assert rules == heard.fetch()
    assert answers.asked == [("scontrol", "show", "config"), ("scontrol", "--all", "--oneliner", "show", "partitions")]
    assert len(caplog.messages) == 6  # a line for each partition that is odd, and one for all
    answers.time += 599
    heard.fetch()
    assert len(answers.asked) == 2
    answers.time += 1
    assert heard.fetch() is rules
    assert len(answers.asked) == 4
    assert len(caplog.messages) == 6
    answers.parts["config"] = "SelectType = select/linear"
    answers.time += 600
    assert heard.fetch() is None
    assert caplog.messages[6:] == ["no jobs share nodes"]


def test_what_was_heard_stands_while_slurm_is_away(answers: Answers, caplog: pytest.LogCaptureFixture) -> None:
    heard = Sharing(answers.ask, lambda: (24, 11), True)
    answers.away = True
    assert heard.fetch() is None
    answers.time += 29
    assert heard.fetch() is None
    assert len(answers.asked) == 1
    answers.time += 1
    assert heard.fetch() is None
    assert caplog.messages == [
        "it is not known whether jobs share nodes; Slurm's last answer is used: scontrol: no answer"
    ]
    answers.away, answers.time = False, answers.time + 30
    rules = heard.fetch()
    answers.away, answers.time = True, answers.time + 600
    assert rules is not None
    assert heard.fetch() is rules


def test_nothing_is_asked_where_no_job_may_share(answers: Answers) -> None:
    heard = Sharing(answers.ask, lambda: None, False)
    assert heard.fetch() is None
    assert answers.asked == []


class RecordedSlurm(NamesInSlurm):
    """Slurm as it was recorded; notes what it is asked."""

    on_nodes = ""  # what squeue shows of jobs there

    def __init__(self, *, share: bool, counts_jobs: Callable[[], bool] = lambda: False) -> None:
        super().__init__(numbered=True, share=share, counts_jobs=counts_jobs)
        self.parts, self.asked = recorded("24.11"), list[str]()

    def _run(self, command: str, *arguments: str) -> str:
        self.asked.append(" ".join([command, *arguments]))
        if command == "sinfo":
            return "compute[0-3]|idle|1|(null)|none\n"
        if arguments[-1] == "--format=%N":
            return self.on_nodes
        return "slurm 24.11.5\n" if "--version" in arguments else self.parts[arguments[-1]]


def test_what_nodes_have_left_is_asked_for_where_jobs_share_and_once_in_a_poll() -> None:
    slurm = RecordedSlurm(share=True)
    slurm.nodes()
    slurm.asked.clear()
    everything = "scontrol --details --all show nodes"
    for _ in range(2):  # as the keeper of names asks, and then the scheduler
        assert set(slurm.shown()) == {"compute0", "compute1", "compute2", "compute3"}
        nodes = slurm.nodes()
        assert nodes["compute1"].free is not None
        assert nodes["compute1"].free.cpus == 2
    assert [line for line in slurm.asked if line.startswith("scontrol")] == [everything] * 2
    assert slurm.nodes() is nodes
    assert slurm.asked[-1] == everything


def test_jobs_on_nodes_are_counted_where_their_number_matters() -> None:
    """And only then: it is a list of all jobs. max_jobs_per_node may come with a reload."""
    wanted = [False]
    slurm = RecordedSlurm(share=True, counts_jobs=lambda: wanted[0])
    slurm.on_nodes = "compute[0-1]\ncompute1\n\ncompute1\ncompute3\n"

    def jobs() -> list[int | None]:
        nodes = slurm.nodes()
        rooms = [nodes[f"compute{number}"].free for number in range(4)]
        return [room.jobs if room is not None else None for room in rooms]

    assert jobs() == [0, 1, None, 1]
    assert not any(line.startswith("squeue --all") for line in slurm.asked)
    wanted[0] = True
    assert jobs() == [0, 3, None, 1]  # compute0 was empty when Slurm was asked about nodes
    counted, nodes = slurm.nodes(), slurm.nodes()
    assert nodes is counted
    slurm.on_nodes = "compute1\ncompute3\n"
    assert jobs() == [0, 1, None, 1]
    assert slurm.nodes()["compute3"] is nodes["compute3"]


def test_where_no_job_shares_nothing_more_is_asked() -> None:
    slurm = RecordedSlurm(share=False)
    assert slurm.nodes()["compute1"].free is None
    slurm.shown()
    assert [line.split(" --format")[0] for line in slurm.asked] == [
        "sinfo --all --noheader",
        "scontrol --all show nodes",
    ]
