"""The simulated Slurm that places jobs on names which are off is like the real one: the same commands lead to the same
words, row by row.

Each row has a name of its own, the only one of its size. What the simulated Slurm says once it has settled, in virtual
time, the real one has to say, too, and to stay at.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import pytest
from slurm_stage import need_slurm, slurm_version

from arvnodeman.fleet.values.model import JobShape, ProviderSize
from arvnodeman.foresight.agenda import Agenda
from arvnodeman.foresight.sim_cloud import SimNode
from arvnodeman.foresight.sim_cloud_slurm import SimCloudSlurm
from arvnodeman.foresight.sim_placed_jobs import PlacedSimJob
from arvnodeman.sandbox.real_slurm import PrivateSlurm
from arvnodeman.sandbox.real_slurm_conf import CloudNames, Shape
from arvnodeman.slurm.show import parse_nodes

pytestmark = pytest.mark.long
BOUND = 90.0  # real seconds until a word has come
STAYS = 1.5  # real seconds that it has to stay
SETTLES = 8.0  # virtual seconds after a command: whatever it leads to by itself has happened, and no time-out is over
LONG, SHORT = 3000, 30  # seconds until a name is given up that powers up or down, or a slurmd that is silent
CORES, MEMORY = 2, 4000
OLDEST = (22, 5)
COMMANDS = ("power_down", "power_down_asap", "power_down_force", "power_up", "resume", "drain", "down")
STATES = ("idle", "mix", "idle~", "idle#", "mix#", "idle%")


@dataclass(frozen=True)
class Row:
    """Where a name begins, and what is done then. `once`: its job is submitted with --no-requeue."""

    state: str
    doings: tuple[str, ...]
    once: bool = False
    timed: bool = False  # with short time-outs, of which each is over before the next is done

    @property
    def label(self) -> str:
        """For people."""
        return " ".join([self.state, *self.doings, *(["once"] if self.once else [])])


ROWS = (
    *(Row(state, (command,)) for state, command in product(STATES, COMMANDS)),
    *(Row("mix#", (command,), once=True) for command in ("power_down_force", "drain", "down")),
    Row("mix#", ("down", "power_down", "resume")),
    Row("mix#", ("power_down_force", "resume", "start now")),
    Row("mix#", ("power_down_force", "drain", "resume")),
    Row("mix#", ("cancel",)),
    Row("mix#", ("power_down", "cancel", "power_down_force")),
    Row("idle~", ("drain", "resume", "job")),
    Row("idle~", ("down", "resume")),
    Row("idle~", ("power_down_asap", "drain", "resume")),
    Row("idle#", ("drain", "power_down_force")),
    Row("idle#", ("down", "resume", "boot")),
    Row("idle#", ("power_down", "boot")),
    Row("idle", ("power_down_asap", "resume", "boot")),
    Row("idle", ("drain", "resume")),
    Row("mix", ("power_down_asap", "cancel")),
    Row("mix", ("power_down", "resume", "cancel")),
)
TIMED = tuple(
    Row(state, tuple(doings), timed=True)
    for state, *doings in (
        ("idle~", "power_up"),
        ("idle~", "power_up", "boot"),
        ("idle~", "job"),
        ("idle~", "power_down"),
        ("idle~", "power_down_asap"),
        ("idle~", "power_down", "boot"),
        ("idle~", "boot"),
        ("idle~", "boot", "power_down", "power_up"),
        ("idle", "power_down"),
        ("idle", "power_down_asap"),
        ("idle", "drain", "power_down"),
        ("idle", "down"),
        ("idle", "down", "power_down"),
        ("idle", "kill"),
        ("idle", "kill", "power_down", "resume"),
        ("mix", "kill"),
        ("mix", "kill", "power_down"),
        ("mix", "power_down_force"),
    )
)


class Simulated:
    """The rows in virtual time. `patience`: seconds that names may take to power up, and to power down."""

    def __init__(self, rows: Sequence[Row], patience: float) -> None:
        self.agenda = Agenda(0.0)
        sizes = [ProviderSize(size_of(row), size_of(row), MEMORY, 10, price=1.0, cores=CORES) for row in rows]
        self.slurm = SimCloudSlurm(self.agenda, random.Random(1), sizes, 1, lambda _job: None)
        self.slurm.habits.resume_timeout = self.slurm.habits.suspend_timeout = patience
        self.slurm.habits.slurmd_timeout, self.slurm.habits.ping = patience, patience / 3
        self.jobs: dict[Row, PlacedSimJob] = {}
        self.nodes: dict[Row, SimNode] = {}
        for row in rows:
            for doing in begin(row.state):
                self.do(row, doing)
                self.advance(SETTLES)
        self.advance(60.0)  # jobs begin

    def advance(self, seconds: float) -> None:
        end = self.agenda.now + seconds
        while self.agenda.next() <= end:
            self.agenda.turn()
        self.agenda.now = end

    def do(self, row: Row, doing: str) -> bool:
        """One doing. Was it accepted?"""
        name, now = name_of(row), self.agenda.now
        match doing:
            case "job":
                job = PlacedSimJob(
                    name, JobShape(cores=1, ram=100, size=size_of(row)), 1e9, 0, now, 0, requeue=not row.once
                )
                self.jobs[row] = job
                self.slurm.submit(job)
            case "boot":
                node = self.nodes[row] = SimNode(f"{name}@{now}", name, size_of(row), "", now, name, "", up=True)
                self.slurm.register(name, node, now)
            case "kill":
                self.nodes[row].gone = True
                self.slurm.lost(name, self.nodes[row])
            case "cancel":
                self.slurm.cancel(self.jobs[row], "by its user")
            case "start now":
                self.slurm.start_now(self.jobs[row])
            case _:
                return self.slurm.update(name, doing, "a test")
        return True

    def word(self, row: Row) -> str:
        """What the name and the job are at."""
        job = self.jobs.get(row)
        return normal(self.slurm.names[name_of(row)].word, _state_of(job) if job is not None else "")


def _state_of(job: PlacedSimJob) -> str:
    if job.cancelled:
        return "CANCELLED"
    if job.lost:
        return "NODE_FAIL"
    return "PENDING" if job.waits else "RUNNING" if job.begun else "CONFIGURING"


class Real:
    """The rows on a Slurm."""

    def __init__(self, slurm: PrivateSlurm) -> None:
        self.slurm = slurm
        self.jobs: dict[Row, str] = {}

    def do(self, row: Row, doing: str) -> bool:
        """One doing. Was it accepted?"""
        name = name_of(row)
        match doing:
            case "job":
                options = ["--parsable", "--partition=cloud", f"--constraint=instancetype={size_of(row)}"]
                options += ["--mem=100", "--output=/dev/null", "--no-requeue" if row.once else "--requeue"]
                script = "#!/bin/sh\nexec sleep 3000\n"
                self.jobs[row] = self.slurm.say("sbatch", *options, text=script).strip()
            case "boot":
                self.slurm.kill_node(name)
                self.slurm.start_node(name)
            case "kill":
                self.slurm.kill_node(name)
            case "cancel":
                self.slurm.say("scancel", self.jobs[row])
            case "start now":
                self.slurm.say("scontrol", "update", f"jobid={self.jobs[row]}", "starttime=now")
            case _:
                words = ("scontrol", "update", f"nodename={name}", f"state={doing}", "reason=a test")
                return self.slurm.run(*words).returncode == 0
        return True

    def words(self) -> dict[Row, str]:
        """What every name and its job are at."""
        nodes, _ = parse_nodes(self.slurm.say("scontrol", "-a", "-o", "show", "nodes"))
        told = self.slurm.say("scontrol", "-o", "show", "jobs")
        states = {
            found.group(1): found.group(2)
            for line in told.splitlines()
            if (found := re.search(r"^JobId=(\d+) .*JobState=(\w+)", line)) is not None
        }
        words = {}
        for row in (each for each in (*ROWS, *TIMED) if name_of(each) in nodes):
            node, number = nodes[name_of(row)], self.jobs.get(row)
            state = states.get(number, "?") if number is not None else ""
            words[row] = normal("+".join([node.base, *sorted(node.flags)]), state)
        return words

    def come_to(self, expected: Mapping[Row, str]) -> dict[Row, str]:
        """Wait until these names are at their words, and a little longer, as these have to stay. What all are at."""
        end = time.monotonic() + BOUND
        while not expected.items() <= self.words().items() and time.monotonic() < end:
            time.sleep(0.2)
        time.sleep(STAYS)
        return self.words()


def name_of(row: Row) -> str:
    """The only name of its size."""
    return f"{size_of(row)}-1"


def size_of(row: Row) -> str:
    """One for each row."""
    return f"row{ROWS.index(row)}" if row in ROWS else f"timed{TIMED.index(row)}"


def begin(state: str) -> Sequence[str]:
    """What brings a name that is off there."""
    return {
        "idle": ("power_up", "boot"),
        "mix": ("job", "boot"),
        "idle~": (),
        "idle#": ("power_up",),
        "mix#": ("job",),
        "idle%": ("power_up", "power_down_force"),
    }[state]


def normal(word: str, job: str) -> str:
    """Without what versions say differently, and nothing follows from: whether a name that is off responds."""
    flags = word.split("+")
    if "POWERED_DOWN" in flags or "POWERING_DOWN" in flags:
        flags = [flag for flag in flags if flag != "NOT_RESPONDING"]
    return " ".join(["+".join(flags), job]).strip()


@dataclass(frozen=True)
class Outcome:
    """What came of one doing, or of all that brings a name to where its row begins."""

    doing: str
    accepted: bool
    word: str


Story = dict[Row, list[Outcome]]


def play(rows: Sequence[Row], patience: int, settles: float) -> tuple[Story, Story]:
    """What the simulated Slurm says in each row, and the real one: all rows at once, a doing of each at a time."""
    need_slurm()
    if slurm_version() < OLDEST:
        pytest.skip("this Slurm has other words for the power of a node, and not all of the commands")
    names = tuple(CloudNames(names=name_of(row), size=size_of(row), cores=CORES, memory=MEMORY) for row in rows)
    power = (("SuspendTimeout", f"{patience}"), ("ResumeTimeout", f"{patience}"), ("PrivateData", "cloud"))
    with PrivateSlurm(Shape(nodes=1, slurmd_timeout=patience, cloud=names, power=power)) as slurm:
        real, simulated = Real(slurm), Simulated(rows, patience)
        _bring_to_begin(real, rows)
        expected: Story = {row: [Outcome("begins", True, simulated.word(row))] for row in rows}
        words = real.come_to({row: simulated.word(row) for row in rows})
        found: Story = {row: [Outcome("begins", True, words[row])] for row in rows}
        for turn in range(max(len(row.doings) for row in rows)):
            due = {row: row.doings[turn] for row in rows if turn < len(row.doings)}
            theirs = {row: simulated.do(row, doing) for row, doing in due.items()}
            simulated.advance(settles)
            ours = {row: real.do(row, doing) for row, doing in due.items()}
            words = real.come_to({row: simulated.word(row) for row in due})
            for row, doing in due.items():
                expected[row].append(Outcome(doing, theirs[row], simulated.word(row)))
                found[row].append(Outcome(doing, ours[row], words[row]))
        return expected, found


def _bring_to_begin(real: Real, rows: Sequence[Row]) -> None:
    """In rounds, as ResumeProgram has to be called between a job and its node."""
    left: dict[Row, list[str]] = {row: list(begin(row.state)) for row in rows}
    while any(left.values()):
        for row, doings in left.items():
            if doings:
                real.do(row, doings.pop(0))
        time.sleep(4.0)


@pytest.fixture(scope="module")
def stories() -> tuple[Story, Story]:
    """Nothing is over by itself."""
    return play(ROWS, LONG, SETTLES)


@pytest.fixture(scope="module")
def timed() -> tuple[Story, Story]:
    """What powers up, powers down or is silent is given up soon."""
    return play(TIMED, SHORT, 3.0 * SHORT)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.label)
def test_the_same_commands_lead_to_the_same_words(row: Row, stories: tuple[Story, Story]) -> None:
    expected, found = stories
    assert found[row] == expected[row]


@pytest.mark.parametrize("row", TIMED, ids=lambda row: row.label)
def test_what_is_given_up_comes_to_the_same_words(row: Row, timed: tuple[Story, Story]) -> None:
    expected, found = timed
    assert found[row] == expected[row]
