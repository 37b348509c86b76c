"""Brain and hands together on a real Slurm that places jobs on names that are off, with a cloud in the test's memory
whose machines are slurmds."""

from __future__ import annotations

import itertools
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from slurm_stage import BOUND, need_slurm, slurm_version

from arvnodeman.actors.hands import Hands
from arvnodeman.actors.real_world import RealWorld, make_fetches, make_makers
from arvnodeman.cloud.base import CloudDriver
from arvnodeman.config import load
from arvnodeman.fleet.fleet import Fleet
from arvnodeman.fleet.messages import Note, Poll
from arvnodeman.fleet.values.model import (
    CloudNode,
    ErrorKind,
    NodeRecord,
    NodeSize,
    OperatorDirective,
    ProviderSize,
    RemoteError,
    RemoteFailure,
    Secret,
)
from arvnodeman.fleet.values.work import NodeWork, Power, WorkKind
from arvnodeman.loop.in_turn import InTurn
from arvnodeman.loop.polling import PollTimes
from arvnodeman.records.keeper import check_keeper
from arvnodeman.sandbox.real_slurm import PrivateSlurm
from arvnodeman.sandbox.real_slurm_conf import CloudNames, Shape
from arvnodeman.slurm.placing import PlacingSlurm
from arvnodeman.slurm.power import GAVE_UP
from arvnodeman.supervision.clock import Clock

FILE = """\
[Daemon]
dispatcher = slurm
{options}
boot_fail_after = 10
consecutive_idle_count = 1
drain_poll_time = 0.5
[Cloud]
provider = dummy
shutdown_windows = 0, 1
[Size small]
cores = 2
price = 0.1
[Size big]
cores = 4
price = 0.5
"""
OPTIONS = "max_nodes = 5\nsize_retry_after = 600"
NAMES = (CloudNames(names="s-[1-4]", size="small"), CloudNames(names="b-[1-2]", size="big", cores=4, weight=9))


class Machines(CloudDriver):
    """A cloud: a machine is a slurmd, which comes up once Slurm waits for it."""

    def __init__(self, slurm: PrivateSlurm) -> None:
        self.slurm = slurm
        self.nodes: dict[str, CloudNode] = {}
        self.up: set[str] = set()  # names
        self.refused: set[str] = set()  # sizes and names
        self.asked: list[tuple[str, str]] = []  # size and name
        self.sleeps = False  # no machine comes up
        self._numbers = itertools.count(1)

    def list_sizes(self) -> tuple[ProviderSize, ...]:
        return tuple(
            ProviderSize(name, name, 4000.0, 10.0, 0, price, 4) for name, price in (("small", 0.1), ("big", 0.5))
        )

    def list_nodes(self) -> tuple[CloudNode, ...]:
        return tuple(self.nodes.values())

    def create_node(self, size: NodeSize, record: NodeRecord, token: str, ping_url: Secret) -> CloudNode:
        self.asked.append((size.id, record.uuid))
        if not self.refused.isdisjoint((size.id, record.uuid)):
            raise RemoteFailure(RemoteError(ErrorKind.CAPACITY, "there is no room"))
        assert not any(node.name == record.uuid for node in self.nodes.values()), "two machines of one name"
        number = f"i-{next(self._numbers)}"
        node = CloudNode(
            number,
            record.uuid,
            number,
            size_tag=size.id,
            provider_size=size.provider_id,
            start_time=time.time(),
            address="127.0.0.1",
            token=token,
        )
        self.nodes[number] = node
        return node

    def find_node(self, size: NodeSize, record: NodeRecord, token: str) -> CloudNode | None:
        return next((node for node in self.nodes.values() if node.token == token), None)

    def finish_node(self, node: CloudNode, record: NodeRecord) -> None:
        pass

    def destroy_node(self, node: CloudNode) -> None:
        if self.nodes.pop(node.id, None) is not None and node.name in self.up:
            self.die(node.name)

    def fetch_node(self, node: CloudNode) -> CloudNode | None:
        return self.nodes.get(node.id)

    def sync_fqdn(self, node: CloudNode, fqdn: str) -> None:
        pass

    def set_directive(self, node: CloudNode, directive: OperatorDirective | None) -> None:
        pass

    def vanish(self, name: str) -> None:
        """A machine ends, and no list shows it."""
        self.nodes = {number: node for number, node in self.nodes.items() if node.name != name}
        if name in self.up:
            self.die(name)

    def boot(self) -> None:
        """Those for whose names Slurm waits come up."""
        for node in [*self.nodes.values()]:
            if (
                node.name not in self.up
                and not self.sleeps
                and "POWERING_UP" in self.slurm.say("scontrol", "show", "node", node.name)
            ):
                self.slurm.start_node(node.name)
                self.up.add(node.name)

    def die(self, name: str) -> None:
        """A machine ends by itself, or is destroyed."""
        self.slurm.kill_node(name)
        self.up.discard(name)


class Site:
    """A Slurm, a cloud, and one daemon's brain and hands in this thread."""

    def __init__(self, slurm: PrivateSlurm, path: Path) -> None:
        self.slurm = slurm
        self.machines = Machines(slurm)
        self.path = path
        self.words = PlacingSlurm(20.0)
        self.log: list[str] = []
        self.starts()

    def starts(self) -> None:
        """A daemon that remembers nothing."""
        settings = check_keeper(load(str(self.path)))
        assert settings.places
        clock = Clock()
        makers = replace(make_makers(settings), driver=lambda: self.machines)
        world = RealWorld(make_fetches(settings, makers, clock), Hands(makers))
        brain = Fleet(settings.policy(), clock.now())
        times = {poll: PollTimes(1.5, 3.0) for poll in Poll}
        self.daemon = InTurn(brain, world, times, wall=clock.now, steady=time.monotonic, write=self._write)
        self.brain = brain

    def _write(self, note: Note) -> None:
        self.log.append(note.text % note.args)

    def until(self, true: Callable[[], object], what: str) -> None:
        end = time.monotonic() + 2 * BOUND
        while not true():
            if self.daemon.next() <= time.monotonic():
                self.daemon.turn()
            else:
                time.sleep(0.05)
            self.machines.boot()
            assert time.monotonic() < end, f"never: {what}\n{self.told()}"

    def told(self) -> str:
        jobs = self.slurm.run("squeue", "--all", "--states=all").stdout
        return "\n".join([self.slurm.run("sinfo", "-N").stdout, jobs, str(self.machines.nodes), *self.log[-60:]])

    def submit(self, *options: str, sleep: int = 600) -> str:
        said = self.slurm.say("sbatch", "-p", "cloud", "--mem=10", *options, "--wrap", f"sleep {sleep}")
        return said.split()[-1]

    def state(self, job: str) -> str:
        return self.slurm.say("squeue", "-h", "--states=all", f"--jobs={job}", "--Format=State:0").strip()

    def names(self, job: str) -> list[str]:
        return [name for line in self.words.lines_of([job]) for name in line.names]

    def work(self, name: str) -> NodeWork:
        return self.words.listed()[1][name]

    def is_over(self) -> bool:
        """No machine, no mark, and every name off and free."""
        shown, works = self.words.listed()
        ours = [name for name in works if name.startswith(("s-", "b-"))]
        off = all(works[name].state.kind is WorkKind.OFF for name in ours)
        return off and not self.machines.nodes and not any(shown[name].comment for name in ours)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[Site]:
    """`request.param`: more options of [Daemon], and how long Slurm waits for a node."""
    need_slurm()
    if slurm_version() < (24, 11):
        pytest.skip(f"Slurm {slurm_version()} is older than the mode: make slurms SLURMS=24.11")
    path = tmp_path / "site.cfg"
    options, patience = getattr(request, "param", (OPTIONS, "300"))
    path.write_text(FILE.format(options=options))
    power = (("SuspendTimeout", "8"), ("ResumeTimeout", patience))
    with PrivateSlurm(Shape(nodes=1, cloud=NAMES, power=power, message_timeout=10)) as slurm:
        for name, value in slurm.environment().items():
            monkeypatch.setenv(name, value)
        yield Site(slurm, path)


def test_a_job_gets_its_node_and_the_node_goes_when_it_idles(site: Site) -> None:
    job = site.submit(sleep=1)
    site.until(lambda: site.state(job) == "COMPLETED", "the job to have run")
    assert site.machines.asked == [("small", "s-1")]
    site.until(site.is_over, "all to be gone")


def test_a_refused_size_gives_its_jobs_to_the_next_one(site: Site) -> None:
    site.machines.refused.add("small")
    jobs = [site.submit("--no-requeue", sleep=1), site.submit(sleep=1), site.submit("--array=1-2", sleep=1)]
    site.until(lambda: all(set(site.state(job).split()) == {"COMPLETED"} for job in jobs), "all jobs to have run")
    assert {size for size, _ in site.machines.asked[1:]} >= {"big"}
    assert site.slurm.say("squeue", "-h", "--states=all", f"--jobs={jobs[0]}", "--Format=Requeue:0").strip() == "0"


def test_a_machine_that_dies_loses_no_job_that_may_run_again(site: Site) -> None:
    job = site.submit(sleep=600)
    site.until(lambda: site.state(job) == "RUNNING", "it to run")
    (name,) = site.names(job)
    site.machines.vanish(name)
    site.until(lambda: site.state(job) == "RUNNING" and site.names(job) and site.machines.nodes, "it to run again")
    site.slurm.say("scancel", job)
    site.until(site.is_over, "all to be gone")


def test_a_daemon_that_forgot_everything_goes_on(site: Site) -> None:
    job = site.submit("-N2", "--exclusive", sleep=1)
    site.until(lambda: site.machines.asked, "a machine to be asked for")
    site.starts()
    site.until(lambda: site.state(job) == "COMPLETED", "the job to have run")
    site.starts()
    site.until(site.is_over, "all to be gone")
    assert len(site.machines.asked) == 2


def test_a_job_cancelled_while_its_node_boots_leaves_nothing(site: Site) -> None:
    site.machines.sleeps = True
    job = site.submit()
    site.until(lambda: site.machines.nodes, "a machine to be asked for")
    site.slurm.say("scancel", job)
    site.until(site.is_over, "all to be gone")
    assert site.machines.asked == [("small", "s-1")]


def test_a_name_that_is_powered_up_for_nobody_is_given_back(site: Site) -> None:
    site.until(lambda: site.log, "the daemon to have begun")
    site.slurm.say("scontrol", "update", "nodename=s-2", "state=power_up")
    site.until(lambda: site.work("s-2").power is Power.STARTING, "it to be powered up")
    site.until(site.is_over, "it to be free again")
    assert site.machines.asked == []


def test_a_machine_under_a_name_that_is_off_is_destroyed(site: Site) -> None:
    stray = CloudNode("i-99", "s-3", "i-99", size_tag="small", provider_size="small", start_time=time.time() - 900)
    site.machines.nodes["i-99"] = stray
    site.until(site.is_over, "the stray machine to be gone")


def test_an_idle_node_whose_machine_vanishes_frees_its_name(site: Site) -> None:
    job = site.submit()
    site.until(lambda: site.state(job) == "RUNNING", "it to run")
    (name,) = site.names(job)
    site.slurm.say("scancel", job)
    site.machines.vanish(name)
    site.until(site.is_over, "the name to be free")


def test_what_an_administrator_powers_down_is_destroyed(site: Site) -> None:
    job = site.submit()
    site.until(lambda: site.state(job) == "RUNNING", "it to run")
    (name,) = site.names(job)
    site.slurm.say("scontrol", "update", f"nodename={name}", "state=power_down_force", "reason=an admin's")
    site.until(lambda: name not in site.machines.up, "its machine to be gone")
    site.slurm.say("scancel", job)
    site.until(site.is_over, "all to be gone")


def test_a_name_that_somebody_else_has_drained_is_left_to_him(site: Site) -> None:
    site.slurm.say("scontrol", "update", "nodename=s-1", "state=drain", "reason=disk broken")
    job = site.submit(sleep=1)
    site.until(lambda: site.state(job) == "COMPLETED", "the job to have run")
    assert ("small", "s-1") not in site.machines.asked
    site.until(lambda: not site.machines.nodes, "the node to go")
    work = site.work("s-1")
    assert (work.state.kind, work.reason) == (WorkKind.DRAINED, "disk broken")


@pytest.mark.parametrize("site", [("max_nodes = 1", "300")], indirect=True)
def test_what_a_limit_forbids_waits_and_runs_when_there_is_room(site: Site) -> None:
    jobs = [site.submit("--exclusive", "--no-requeue", sleep=1) for _ in range(2)]
    most = [0]

    def done() -> bool:
        most[0] = max(most[0], len(site.machines.nodes))
        return all(site.state(job) == "COMPLETED" for job in jobs)

    site.until(done, "both to have run")
    assert most == [1]
    site.until(site.is_over, "all to be gone")


@pytest.mark.parametrize("site", [("max_nodes = 5\nmin_nodes = 1", "300")], indirect=True)
def test_a_node_is_kept_before_any_job(site: Site) -> None:
    site.until(lambda: site.machines.up, "a node to come up")
    (name,) = site.machines.up
    job = site.submit(sleep=1)
    site.until(lambda: site.state(job) == "COMPLETED", "the job to have run")
    assert site.machines.asked == [("small", name)]


def test_a_job_of_several_nodes_of_which_one_is_refused_goes_back_whole(site: Site) -> None:
    site.machines.refused.add("s-2")
    job = site.submit("-N2", "--exclusive", sleep=1)
    site.until(lambda: site.state(job) == "COMPLETED", "it to have run")
    site.machines.refused.clear()
    assert {"s-1", "s-2"} <= {name for _, name in site.machines.asked}


@pytest.mark.parametrize("site", [("max_nodes = 5\nsize_retry_after = 2", "300")], indirect=True)
def test_a_user_at_a_terminal_waits_for_the_boot_that_was_refused(site: Site) -> None:
    site.machines.refused.add("small")
    argv = ["srun", "-p", "cloud", "-n1", "--mem=10", "true"]
    with subprocess.Popen(argv, env=site.slurm.environment(), stderr=subprocess.DEVNULL) as srun:
        try:
            site.until(lambda: len(site.machines.asked) > 1, "the boot to be tried again")
            assert {name for _, name in site.machines.asked} == {"s-1"}
            assert srun.poll() is None
            site.machines.refused.clear()
            site.until(lambda: srun.poll() is not None, "srun to have run")
        finally:
            srun.kill()
    assert srun.returncode == 0
    assert {name for _, name in site.machines.asked} == {"s-1"}


def test_a_machine_that_does_not_come_up_in_time_goes_and_its_job_goes_on(site: Site) -> None:
    site.machines.sleeps = True
    job = site.submit("--no-requeue", sleep=1)
    site.until(lambda: site.machines.nodes, "a machine to be asked for")
    (first,) = site.machines.nodes
    site.until(lambda: first not in site.machines.nodes, "it to be given up")
    site.machines.sleeps = False
    site.until(lambda: site.state(job) == "COMPLETED", "the job to have run")
    site.until(site.is_over, "all to be gone")


@pytest.mark.parametrize("site", [(OPTIONS, "12")], indirect=True)
def test_a_name_that_slurm_gave_up_is_opened(site: Site) -> None:
    """The daemon was not there meanwhile."""
    job = site.submit()
    end = time.monotonic() + BOUND
    while site.work("s-1").reason != GAVE_UP:
        assert time.monotonic() < end, site.told()
        time.sleep(0.2)
    site.slurm.say("scancel", job)
    site.until(site.is_over, "the name to be free")
