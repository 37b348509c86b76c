"""What the site makes of a real Slurm's squeue and sinfo, tried with commands that answer as told."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from arvnodeman.sandbox.clock import VirtualClock
from arvnodeman.sandbox.real_slurm import PrivateSlurm, SlurmFailed, ended_jobs
from arvnodeman.sandbox.real_slurm_conf import POKED, CloudNames, Ports, Shape, write_conf
from arvnodeman.sandbox.real_slurm_site import RealSlurm
from arvnodeman.sandbox.sbatch import sbatch_command
from arvnodeman.sandbox.slurm_jobs import FIRST_PRIORITY, THROWN_OFF, Need, SlurmJob
from arvnodeman.sandbox.slurm_nodes import Computer
from arvnodeman.sandbox.slurm_side import Submit
from arvnodeman.sandbox.verdict import OUR_DOING

BOUND = 60.0  # seconds that anything may take on a busy machine
NODES = "compute0|unk|instancetype=small|none\ncompute1|idle|(null)|none\n"


class FakeSlurm:
    """A private Slurm whose commands say what they are told to."""

    def __init__(self) -> None:
        self.squeue = ""
        self.sinfo = NODES
        self.away = False
        self.ran: list[list[str]] = []
        self.killed: list[str] = []
        self.started: list[str] = []
        self.log = ""

    def log_size(self) -> int:
        return len(self.log)

    def log_since(self, begin: int) -> str:
        return self.log[begin:]

    def run(self, *argv: str, text: str = "", timeout: float = 30.0) -> subprocess.CompletedProcess[str]:
        self.ran.append(list(argv))
        if self.away:
            return subprocess.CompletedProcess(argv, 1, "", "Unable to contact slurm controller")
        out = {"squeue": self.squeue, "sinfo": self.sinfo, "sbatch": "7;sandbox\n"}.get(argv[0], "")
        return subprocess.CompletedProcess(argv, 0, out, "")

    def say(self, *argv: str, text: str = "") -> str:
        done = self.run(*argv, text=text)
        if done.returncode:
            raise SlurmFailed(done.stderr)
        return done.stdout

    def start_node(self, name: str) -> None:
        self.started.append(name)

    def kill_node(self, name: str) -> None:
        self.killed.append(name)


class Mirror:
    """A RealSlurm on a fake one; its threads do not run, its errands are run by hand."""

    def __init__(self) -> None:
        self.slurm = FakeSlurm()
        self.clock = VirtualClock(speed=10)
        self.real = RealSlurm(self.clock, self.slurm)  # type: ignore[arg-type]
        self.events: list[tuple[str, str]] = []
        self.real.on_start = lambda job, computers: self.events.append(
            (job.name, f"on {','.join(computer.id for computer in computers)}")
        )
        self.real.on_end = lambda job, cause: self.events.append((job.name, cause))
        self.real.refresh()
        computer = Computer("sb-1", 2, 4000, 50_000, "127.0.0.1", 0.0)
        assert self.real.slurmd_started("compute1", computer)

    def submit(self, name: str) -> None:
        self.real.submit(name, Need(2, 500, 100), "", FIRST_PRIORITY - 5, Submit(seconds=100))

    def run_errand(self) -> None:
        errand: Callable[[], None] = self.real._errands.get_nowait()
        try:
            errand()
        except SlurmFailed:
            self.real._errands.put(errand)

    def see(self, *lines: str) -> None:
        """squeue shows these: id, state, nodes, name."""
        self.slurm.squeue = "".join(f"{line}\n" for line in lines)
        self.real.refresh()


@pytest.fixture
def mirror() -> Mirror:
    return Mirror()


@pytest.mark.parametrize(
    ("end", "causes"),
    [
        ("COMPLETED", ["completed"]),
        ("CANCELLED", ["cancelled"]),
        ("NODE_FAIL", ["node set down"]),
        ("FAILED", ["node set down"]),
    ],
)
def test_a_job_is_followed_from_submission_to_its_end(mirror: Mirror, end: str, causes: list[str]) -> None:
    mirror.submit("a")
    assert list(mirror.real.jobs) == [-1]
    mirror.run_errand()
    assert list(mirror.real.jobs) == [7]
    for state in ("PENDING||", "CONFIGURING|compute1|", "RUNNING|compute1|", "COMPLETING|compute1|"):
        mirror.see(f"7|{state}a")
    assert mirror.events == [("a", "on sb-1")]
    mirror.see(f"7|{end}|compute1|a")
    assert mirror.events == [("a", "on sb-1"), *(("a", cause) for cause in causes)]
    mirror.see(f"7|{end}|compute1|a")
    assert len(mirror.events) == 2
    assert mirror.real.jobs == {}


KILLED = "[t] Killing JobId=7 on failed node compute1\n"
GIVEN_UP = "[t] error: Nodes compute[1-2] not responding, setting DOWN\n"
SET_DOWN = "[t] update_node: node compute1 state set to DOWN\n"


@pytest.mark.parametrize(
    ("log", "cause"),
    [
        ("", "node set down"),
        (KILLED + SET_DOWN, "node set down"),
        (KILLED + GIVEN_UP, "slurmd did not answer"),
        ("[t] _job_complete: requeue JobId=7 per user/system request\n", "put back by Slurm"),
    ],
)
def test_who_took_a_jobs_node_is_read_of_slurmctlds_log(mirror: Mirror, log: str, cause: str) -> None:
    mirror.submit("a")
    mirror.run_errand()
    mirror.see("7|RUNNING|compute1|a")
    mirror.slurm.log = log
    mirror.see("7|NODE_FAIL|compute1|a")
    assert mirror.events[-1] == ("a", cause)
    assert (cause in OUR_DOING) is (cause == "node set down")


def test_what_slurmctld_gave_up_before_the_last_look_excuses_nobody(mirror: Mirror) -> None:
    mirror.submit("a")
    mirror.run_errand()
    mirror.slurm.log = KILLED + GIVEN_UP
    mirror.see("7|RUNNING|compute1|a")
    mirror.see("7|NODE_FAIL|compute1|a")
    assert mirror.events[-1] == ("a", "node set down")


def test_a_name_without_a_machine_is_not_given_up_by_slurm_alone(mirror: Mirror) -> None:
    """Only one that was forced down a second ago is looked for."""
    mirror.real.nodes["compute1"].computer = None
    mirror.submit("a")
    mirror.run_errand()
    mirror.slurm.log = KILLED + GIVEN_UP
    mirror.see("7|NODE_FAIL|compute1|a")
    assert mirror.events[-1] == ("a", "node set down")


def test_a_node_that_is_set_down_when_its_machine_is_gone_has_vanished(mirror: Mirror) -> None:
    mirror.submit("a")
    mirror.run_errand()
    mirror.see("7|RUNNING|compute[0-1]|a")
    mirror.real.slurmd_stopped("compute1", "sb-1")
    mirror.slurm.log = KILLED + SET_DOWN
    mirror.see("7|NODE_FAIL|compute[0-1]|a")
    assert mirror.events[-1] == ("a", "node vanished")


def test_an_older_answer_never_comes_behind_a_newer_one(mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two looks the second one's squeue was quicker, and the rest of it slower: there is one look at a time."""
    mirror.submit("a")
    mirror.run_errand()
    mirror.slurm.squeue = "7|PENDING Resources||a\n"
    plain, first_is_over = mirror.slurm.run, threading.Event()
    second = threading.Thread(target=mirror.real.refresh)

    def run(*argv: str, text: str = "", timeout: float = 30.0) -> subprocess.CompletedProcess[str]:
        if threading.current_thread() is second:
            if argv[0] == "sinfo":
                first_is_over.wait(BOUND)
        elif argv[0] == "squeue":
            second.start()
            second.join(0.2)
            mirror.slurm.squeue = "7|RUNNING None|compute1|a\n"
        return plain(*argv, text=text)

    monkeypatch.setattr(mirror.slurm, "run", run)
    mirror.real.refresh()
    first_is_over.set()
    second.join(BOUND)
    assert mirror.events == [("a", "on sb-1")]


def test_the_log_of_slurmctld_is_read_on(tmp_path: Path) -> None:
    slurm = object.__new__(PrivateSlurm)
    slurm.folder = tmp_path
    assert (slurm.log_size(), slurm.log_since(0)) == (0, "")
    tmp_path.joinpath("log").mkdir()
    tmp_path.joinpath("log", "slurmctld.log").write_text("one\ntwo\n")
    assert (slurm.log_size(), slurm.log_since(4)) == (8, "two\n")


def test_a_job_that_was_quicker_than_a_look_has_started_and_ended(mirror: Mirror) -> None:
    mirror.submit("a")
    mirror.run_errand()
    mirror.see("7|COMPLETED|compute1|a")
    assert mirror.events == [("a", "on sb-1"), ("a", "completed")]


def test_a_job_that_is_put_back_before_it_began_has_not_started(mirror: Mirror) -> None:
    mirror.submit("a")
    mirror.run_errand()
    for state in ("CONFIGURING|compute1|", "COMPLETING|compute1|", "PENDING BeginTime||", "PENDING None||"):
        mirror.see(f"7|{state}a")
    assert mirror.events == []
    mirror.see("7|RUNNING|compute1|a")
    mirror.see("7|COMPLETED|compute1|a")
    assert mirror.events == [("a", "on sb-1"), ("a", "completed")]


def test_a_job_cancelled_before_it_ran_has_not_started(mirror: Mirror) -> None:
    mirror.submit("a")
    mirror.run_errand()
    mirror.see("7|CANCELLED||a")
    assert mirror.events == [("a", "cancelled")]


def test_a_job_lost_with_its_machine_is_nobodys_fault(mirror: Mirror) -> None:
    mirror.submit("a")
    mirror.run_errand()
    mirror.see("7|RUNNING|compute1|a")
    mirror.real.slurmd_stopped("compute1", "another")
    assert mirror.slurm.killed == []
    mirror.real.slurmd_stopped("compute1", "sb-1")
    mirror.real.slurmd_stopped("compute1", "sb-1")
    assert mirror.slurm.killed == ["compute1"]
    mirror.see("7|NODE_FAIL|compute1|a")
    assert mirror.events[-1] == ("a", "node vanished")


def test_a_job_that_slurmctld_has_forgotten_is_lost_but_not_before_it_was_ever_shown(mirror: Mirror) -> None:
    mirror.submit("a")
    mirror.run_errand()
    mirror.see()
    assert mirror.events == []
    mirror.see("7|PENDING||a")
    mirror.see()
    assert mirror.events == [("a", "forgotten by slurmctld")]


def test_an_sbatch_whose_answer_was_lost_is_not_repeated_when_a_listing_shows_the_job(mirror: Mirror) -> None:
    mirror.slurm.away = True
    mirror.submit("a")
    mirror.run_errand()
    mirror.slurm.away = False
    mirror.run_errand()  # no listing has come since
    assert sum(argv[0] == "sbatch" for argv in mirror.slurm.ran) == 1
    mirror.see("9|PENDING||a")
    mirror.run_errand()
    assert sum(argv[0] == "sbatch" for argv in mirror.slurm.ran) == 1
    assert list(mirror.real.jobs) == [9]


def test_an_sbatch_that_failed_is_repeated_once_a_listing_lacks_the_job(mirror: Mirror) -> None:
    mirror.slurm.away = True
    mirror.submit("a")
    mirror.run_errand()
    mirror.slurm.away = False
    mirror.see()
    mirror.run_errand()
    assert list(mirror.real.jobs) == [7]


def test_nodes_are_as_sinfo_shows_them(mirror: Mirror) -> None:
    mirror.slurm.sinfo = "compute0|unk*|(null)|none\ncompute1|drng*|a,b|Node Manager shutdown (sb-1) | more\n"
    mirror.real.refresh()
    node = mirror.real.nodes["compute1"]
    assert (node.short(), node.drain, node.features) == ("drng*", True, ("a", "b"))
    assert node.reason == "Node Manager shutdown (sb-1) | more"
    assert mirror.real.counts() == {"unk*": 1, "drng*": 1}


def test_compute0_is_made_to_offer_what_it_should(mirror: Mirror) -> None:
    mirror.real.offer("instancetype=small")
    mirror.real._offer_again()
    assert not [argv for argv in mirror.slurm.ran if argv[:2] == ["scontrol", "update"]]
    mirror.real.offer("instancetype=large")
    mirror.real._offer_again()
    assert mirror.slurm.ran[-1][-1] == "Features=instancetype=large,instancetype=small"
    assert not mirror.real.slurmd_started("compute0", Computer("x", 1, 1, 1, "", 0.0))


def test_jobs_are_submitted_as_arvados_dispatcher_does_it() -> None:
    job = SlurmJob(-1, "zzzzz-dz642-0", Need(2, 500, 100, nodes=3), "", FIRST_PRIORITY - 10_005, 0.0)
    plain = sbatch_command(job, job.name, Submit(seconds=1))
    assert plain[:5] == ["sbatch", "--parsable", "--nice=10005", "--no-requeue", "--job-name=zzzzz-dz642-0"]
    assert {"--mem=500", "--cpus-per-task=2", "--tmp=100", "--nodes=3"} <= set(plain)
    named = sbatch_command(
        SlurmJob(-1, "b_1", Need(), "instancetype=small", FIRST_PRIORITY, 0.0, held=True),
        "b",
        Submit(seconds=1, held=True, requeue=True, tasks=3),
    )
    assert named[-3:] == ["--constraint=instancetype=small", "--array=1-3", "--hold"]
    assert named[3:5] == ["--requeue", "--job-name=b"]


def test_two_slurms_side_by_side_never_share_a_port() -> None:
    taken = [Ports.take(100) for _ in range(5)]
    blocks = [range(ports.controller, ports.first_node + 100) for ports in taken]
    assert len({port for block in blocks for port in block}) == sum(map(len, blocks))
    for ports in taken:
        ports.holder.close()


def test_slurm_conf_names_every_node_once(tmp_path: Path) -> None:
    ports = Ports.take(1)
    text = write_conf(tmp_path, ports, Shape(nodes=1000, cores=3)).read_text()
    ports.holder.close()
    lines = [line for line in text.splitlines() if line.startswith("NodeName=")]
    assert [line.split()[0] for line in lines] == ["NodeName=compute[0-120]", "NodeName=compute[121-1000]"]
    assert all("CPUs=3 " in line and line.endswith("State=UNKNOWN") for line in lines)


def test_names_that_slurm_powers_up_have_ports_and_a_partition_of_their_own(tmp_path: Path) -> None:
    many = CloudNames(names="m-[1-500]", size="many", weight=9)
    cloud = (CloudNames(names="s-[1-3]", size="small", cores=4), many)
    shape = Shape(nodes=2, cloud=cloud, power=(("ResumeRate", "300"), ("SuspendProgram", "")))
    ports = Ports.take(shape.startable + len(shape.cloud_names))
    text = write_conf(tmp_path, ports, shape).read_text()
    ports.holder.close()
    first = ports.first_node + 3
    assert shape.cloud_names == ["s-1", "s-2", "s-3"]
    small, big = (line for line in text.splitlines() if line.endswith("State=CLOUD"))
    assert small.startswith(f"NodeName=s-[1-3] NodeAddr=127.0.0.1 Port=[{first}-{first + 2}] CPUs=4 ")
    assert big.startswith(f"NodeName=m-[1-500] NodeAddr=127.0.0.1 Port={first + 3} CPUs=2 ")
    assert "PartitionName=compute Nodes=compute[0-2] " in text
    assert "PartitionName=cloud Nodes=s-[1-3],m-[1-500] State=UP SuspendTime=315360000 " in text
    assert "ResumeRate=300\n" in text
    assert "SuspendProgram" not in text


def test_the_account_of_ended_jobs_is_read(tmp_path: Path) -> None:
    assert ended_jobs(tmp_path) == []
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "jobs").write_text("JobId=1 Name=a JobState=COMPLETED NodeList=compute1 x Tres=cpu=1,node=1 \n")
    (job,) = ended_jobs(tmp_path)
    assert (job["Name"], job["JobState"], job["Tres"]) == ("a", "COMPLETED", "cpu=1,node=1")


def test_a_job_that_slurm_puts_back_has_lost_its_node_and_runs_again(mirror: Mirror) -> None:
    mirror.submit("a")
    mirror.run_errand()
    mirror.see("7|RUNNING None|compute1|a")
    mirror.see("7|PENDING BeginTime||a")
    assert mirror.events == [("a", "on sb-1"), ("a", "node set down")]
    mirror.see("7|RUNNING None|compute1|a")
    mirror.see("7|RUNNING None|compute0|a")  # put back and started anew between two looks
    assert mirror.events[2:] == [("a", "on sb-1"), ("a", "node set down"), ("a", "on ")]
    assert list(mirror.real.jobs) == [7]


def test_a_job_that_fails_before_it_began_was_thrown_off(mirror: Mirror) -> None:
    mirror.submit("a")
    mirror.run_errand()
    mirror.see("7|CONFIGURING None|compute1|a")
    mirror.see("7|NODE_FAIL None||a")
    assert mirror.events == [("a", THROWN_OFF)]
    assert THROWN_OFF in OUR_DOING


@pytest.mark.parametrize("words", ["PENDING JobHeldAdmin", "PENDING JobHeldUser", "REQUEUE_HOLD None"])
def test_a_held_job_is_known(mirror: Mirror, words: str) -> None:
    mirror.submit("a")
    mirror.run_errand()
    mirror.see("7|PENDING Resources||a")
    assert not mirror.real.jobs[7].held
    mirror.see(f"7|{words}||a")
    assert mirror.real.jobs[7].held


def test_each_task_of_an_array_is_a_job(mirror: Mirror) -> None:
    mirror.real.submit("a", Need(), "", FIRST_PRIORITY, Submit(seconds=1, tasks=2))
    assert sorted(job.name for job in mirror.real.jobs.values()) == ["a_1", "a_2"]
    mirror.run_errand()
    assert sum(argv[0] == "sbatch" for argv in mirror.slurm.ran) == 1
    mirror.see("7_2|RUNNING None|compute1|a", "7_1|PENDING None||a", "7_[3-9]|PENDING None||a")
    assert mirror.events == [("a_2", "on sb-1")]
    mirror.see("7_2|COMPLETED None|compute1|a", "7_1|CANCELLED None||a")
    assert mirror.events[1:] == [("a_1", "cancelled"), ("a_2", "completed")]
    assert mirror.real.jobs == {}


def test_names_that_are_off_are_listed_and_asked_for_by_their_partition() -> None:
    slurm = FakeSlurm()
    real = RealSlurm(VirtualClock(speed=10), slurm, "cloud")  # type: ignore[arg-type]
    slurm.sinfo = "s-1|idle~|instancetype=small|none\n"
    real.refresh()
    assert any("--partition=cloud" in argv for argv in slurm.ran)
    assert real.nodes["s-1"].short() == "idle~"
    real.offer("instancetype=small")
    real._offer_again()
    assert not any(argv[:2] == ["scontrol", "update"] for argv in slurm.ran)
    real.submit("a", Need(), "", FIRST_PRIORITY, Submit(seconds=1))
    real._errands.get_nowait()()
    assert "--partition=cloud" in slurm.ran[-1]


def test_the_programs_of_power_saving_touch_a_file_beside_slurm_conf(tmp_path: Path) -> None:
    shape = Shape(nodes=1, cloud=(CloudNames(names="s-[1-3]", size="small"),), pokes=True)
    ports = Ports.take(5)
    text = write_conf(tmp_path, ports, shape).read_text()
    ports.holder.close()
    program = tmp_path / "poke.sh"
    assert f"ResumeProgram={program}\n" in text
    assert f"SuspendProgram={program}\n" in text
    (tmp_path / POKED).touch()
    before = (tmp_path / POKED).stat().st_mtime_ns
    subprocess.run([str(program), "s-1"], env={}, cwd="/", check=True)
    assert (tmp_path / POKED).stat().st_mtime_ns > before
