"""What we change at a real Slurm that places jobs on names that are off: each row of its power saving, as far as the
commands go. No machine is there but the slurmds that a test starts."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
from slurm_stage import BOUND, need_slurm, slurm_version

from arvnodeman.fleet.values.placed import PlacedJob
from arvnodeman.fleet.values.work import OUR_CLOSING, OUR_REMOVAL, OUR_RETURN, OUR_SHUTDOWN, NodeWork, Power, WorkKind
from arvnodeman.sandbox.real_slurm import PrivateSlurm
from arvnodeman.sandbox.real_slurm_conf import CloudNames, Shape
from arvnodeman.slurm.errors import Refused, SlurmFailure
from arvnodeman.slurm.job_marks import BACK, ONCE
from arvnodeman.slurm.keeping import NOBODYS_ADDRESS
from arvnodeman.slurm.placing import PlacingSlurm
from arvnodeman.slurm.show import ShownNode

SMALL, BIG = tuple(f"s-{n}" for n in range(1, 7)), tuple(f"b-{n}" for n in range(1, 4))
RETURN, CLOSED = f"{OUR_RETURN} (a test)", f"{OUR_CLOSING} (a test until 12:00)"


class Stage:
    """A Slurm and our hands on it."""

    def __init__(self, slurm: PrivateSlurm) -> None:
        self.slurm = slurm
        self.hands = PlacingSlurm(20.0)
        self.alive: set[str] = set()

    def work(self, name: str) -> NodeWork:
        found = self.hands.node(name)
        assert found is not None
        return found

    def address(self, name: str) -> str:
        return self.hands.shown()[name].address

    def power(self, name: str) -> tuple[WorkKind, Power]:
        work = self.work(name)
        return work.state.kind, work.power

    def until(self, true: Callable[[], object], what: str) -> None:
        end = time.monotonic() + BOUND
        while not true():
            assert time.monotonic() < end, f"never: {what}\n{self.told()}"
            time.sleep(0.1)

    def told(self) -> str:
        return self.slurm.run("sinfo", "-N").stdout + self.slurm.run("squeue", "--all", "--states=all").stdout

    def submit(self, *options: str, hold: bool = False, script: str = "sleep 600") -> str:
        """A job of this partition; its number."""
        said = self.slurm.say("sbatch", "-p", "cloud", *options, "--wrap", script, *(["-H"] if hold else []))
        return said.split()[-1]

    def field(self, job: str, name: str) -> str:
        return self.slurm.say("squeue", "-h", "--states=all", f"--jobs={job}", f"--Format={name}:0").strip()

    def placed(self, job: str, power: Power = Power.STARTING) -> list[str]:
        """The names that it was placed on, once these are being powered up."""
        found: list[str] = []

        def there() -> bool:
            lines = self.hands.lines_of([job])
            found[:] = [name for line in lines for name in line.names if line.state == "CONFIGURING"]
            return bool(found) and all(self.work(name).power is power for name in found)

        self.until(there, f"{job} to be placed")
        return found

    def placed_or_up(self, job: str) -> list[str]:
        """The names that it has now."""
        return [name for line in self.hands.lines_of([job]) for name in line.names]

    def boot(self, name: str) -> None:
        self.slurm.start_node(name)
        self.alive.add(name)
        self.until(lambda: self.work(name).power is Power.ON, f"{name} to register")

    def die(self, name: str) -> None:
        self.slurm.kill_node(name)
        self.alive.discard(name)

    def open(self, *names: str) -> None:
        self.until(lambda: self.hands.open_names(names).opened == names, f"{names} to be open")

    def clean(self) -> None:
        """All jobs gone, all names off and free."""
        self.slurm.say("scancel", "--user=root", "--full")
        for name in list(self.alive):
            self.die(name)
        self.until(lambda: not self.slurm.say("squeue", "-h").strip(), "no job")
        for name in (*SMALL, *BIG):
            if self.work(name).power not in (Power.OFF, Power.GOING):
                self.slurm.run("scontrol", "update", f"nodename={name}", "state=power_down_force", "reason=x")
        self.until(lambda: all(self.work(name).is_off for name in (*SMALL, *BIG)), "all to go")
        self.slurm.run("scontrol", "update", f"nodename={','.join((*SMALL, *BIG))}", "state=resume")
        self.slurm.run("scontrol", "update", f"nodename={','.join((*SMALL, *BIG))}", "state=undrain")
        self.until(lambda: all(self.power(name) == (WorkKind.OFF, Power.OFF) for name in (*SMALL, *BIG)), "all free")


@pytest.fixture(scope="module")
def slurm() -> Iterator[PrivateSlurm]:
    need_slurm()
    if slurm_version() < (24, 11):
        pytest.skip(f"Slurm {slurm_version()} is older than the mode: make proofs ARGS=slurms")
    small = CloudNames(names="s-[1-6]", size="small", cores=2)
    big = CloudNames(names="b-[1-3]", size="big", cores=4, weight=9)
    with PrivateSlurm(
        Shape(nodes=1, cloud=(small, big), power=(("SuspendTimeout", "10"),), message_timeout=10)
    ) as private:
        yield private


@pytest.fixture
def stage(slurm: PrivateSlurm, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    for name, value in slurm.environment().items():
        monkeypatch.setenv(name, value)
    made = Stage(slurm)
    yield made
    made.clean()


def test_names_are_off_wanted_starting_up_and_going(stage: Stage) -> None:
    assert stage.power("s-1") == (WorkKind.OFF, Power.OFF)
    assert stage.work("s-1").features == {"instancetype=small"}
    job = stage.submit()
    (name,) = stage.placed(job)
    work = stage.work(name)
    assert (work.state.kind, work.placed, work.is_off) == (WorkKind.UNHEARD, True, False)
    stage.boot(name)
    assert stage.power(name) == (WorkKind.WORKING, Power.ON)
    stage.slurm.say("scancel", job)
    stage.until(lambda: stage.work(name).state.kind is WorkKind.FREE, "it to be idle")
    stage.hands.drain(name, f"{OUR_SHUTDOWN} (i-1)")
    stage.until(lambda: stage.work(name).power is Power.GOING, "it to go")
    work = stage.work(name)
    assert (work.state.kind, work.is_off) == (WorkKind.DRAINED, True)
    assert work.drain is not None
    assert (work.drain.kind, work.drain.instance) == (OUR_SHUTDOWN, "i-1")
    stage.hands.drain(name, f"{OUR_SHUTDOWN} (i-1)")  # again
    stage.die(name)
    stage.open(name)
    assert stage.power(name) == (WorkKind.OFF, Power.OFF)
    assert stage.work(name).reason == ""


@pytest.mark.parametrize("requeue", ["--requeue", "--no-requeue"])
def test_a_refused_boot_gives_its_jobs_to_another_size_at_once(stage: Stage, requeue: str) -> None:
    """Shared node, both kinds of job at once, its size closed: nothing is lost, nothing is held, all is as it was."""
    jobs = [stage.submit(requeue, "--mem=10", "-n1") for _ in range(2)]
    names = {name for job in jobs for name in stage.placed(job)}
    assert len(names) == 1
    (name,) = names
    begin = time.monotonic()
    given = stage.hands.give_back([name], RETURN, interactive=False)
    assert given.kept == ()
    once = requeue == "--no-requeue"
    assert sorted(given.jobs[name], key=lambda job: job.id) == [PlacedJob(job, True, once) for job in jobs]
    stage.hands.close_names(SMALL, CLOSED, 600.0)
    stage.until(lambda: not stage.hands.release_jobs(given.jobs[name]).waiting, "them to be back")
    stage.until(lambda: all(stage.field(job, "State") == "CONFIGURING" for job in jobs), "them to be placed again")
    took = time.monotonic() - begin
    print(f"from the refusal to another size: {took:.2f} s")
    assert {place for job in jobs for place in stage.placed(job)} <= set(BIG)
    for job in jobs:
        assert stage.field(job, "Requeue") == ("0" if once else "1")
        assert stage.field(job, "admin_comment") in ("", "(null)")
        assert stage.field(job, "RestartCnt") == "1"
    stage.until(lambda: _close(stage, SMALL), "the size to be closed")
    assert {stage.work(each).drain.kind for each in SMALL} == {OUR_CLOSING}  # type: ignore[union-attr]
    stage.open(*SMALL)
    assert {stage.power(each) for each in SMALL} == {(WorkKind.OFF, Power.OFF)}


def test_a_name_that_goes_back_is_looked_for_nowhere_until_it_is_off(stage: Stage) -> None:
    """slurmctld pings it meanwhile, and Debian's stands still for 10 s at a name that the DNS does not know."""
    job = stage.submit()
    (name,) = stage.placed(job)
    assert stage.address(name) != NOBODYS_ADDRESS
    given = stage.hands.give_back([name], RETURN, interactive=False)
    assert stage.address(name) == NOBODYS_ADDRESS
    stage.open(name)
    assert stage.address(name) == name
    stage.hands.release_jobs(given.jobs[name])
    (again,) = stage.placed(job)
    stage.boot(again)
    assert stage.address(again) == "127.0.0.1"  # which it registers with


def _close(stage: Stage, names: tuple[str, ...]) -> bool:
    stage.hands.close_names(names, CLOSED, 600.0)
    return all(stage.power(name) == (WorkKind.DRAINED, Power.OFF) for name in names)


def test_array_tasks_go_back_each_by_its_own_number(stage: Stage) -> None:
    array = stage.submit("--array=1-3", "--no-requeue", "--exclusive")
    tasks = [f"{array}_{n}" for n in (1, 2, 3)]
    names = [name for task in tasks for name in stage.placed(task)]
    given = stage.hands.give_back(names, RETURN, interactive=False)
    assert sorted(job.id for some in given.jobs.values() for job in some) == tasks
    assert all(stage.field(task, "admin_comment") == BACK + ONCE for task in tasks)
    back = [job for some in given.jobs.values() for job in some]
    marked = stage.hands.queue
    stage.until(lambda: sorted(job.id for job in marked().returned) == tasks, "all to be listed as returned")
    assert all(job.requeue_off for job in marked().returned)
    stage.until(lambda: not stage.hands.release_jobs(back).waiting, "them to be back")
    stage.until(lambda: {stage.field(task, "State") for task in tasks} == {"CONFIGURING"}, "them to be placed again")
    assert {stage.field(task, "Requeue") for task in tasks} == {"0"}


def test_a_job_of_several_nodes_goes_back_whole(stage: Stage) -> None:
    job = stage.submit("-N2", "--exclusive", "--no-requeue")
    first, second = stage.placed(job)
    stage.boot(second)
    given = stage.hands.give_back([first, second], RETURN, interactive=False)
    assert (list(given.jobs), given.settled) == ([first], (second,))  # what is up is never forced
    assert stage.field(job, "State") == "PENDING"
    stage.until(lambda: stage.work(second).state.kind is WorkKind.FREE, "the other node to be idle")
    assert not stage.hands.release_jobs([*given.jobs[first]]).waiting
    stage.until(lambda: second in stage.placed_or_up(job), "it to take the node that is up")


def test_a_user_at_a_terminal_keeps_his_name_unless_asked(stage: Stage) -> None:
    argv = ["srun", "-p", "cloud", "-n1", "--mem=10", "sleep", "600"]
    with subprocess.Popen(argv, env=stage.slurm.environment(), stderr=subprocess.DEVNULL) as srun:
        stage.until(lambda: stage.slurm.say("squeue", "-h", "--states=CF"), "srun to be placed")
        batch = stage.submit("--mem=10", "-n1")
        (name,) = stage.placed(batch)
        given = stage.hands.give_back([name], RETURN, interactive=False)
        assert (dict(given.jobs), given.kept) == ({}, (name,))
        assert stage.work(name).power is Power.STARTING
        assert stage.field(batch, "admin_comment") in ("", "(null)")
        given = stage.hands.give_back([name], RETURN, interactive=True)
        assert {job.batch for job in given.jobs[name]} == {True, False}
        srun.wait(BOUND)
    assert stage.field(batch, "State") == "PENDING"


def test_a_cancelled_job_leaves_a_name_that_can_be_given_back_and_opened(stage: Stage) -> None:
    job = stage.submit()
    (name,) = stage.placed(job)
    stage.slurm.say("scancel", job)
    stage.until(lambda: not stage.work(name).placed, "the job to be gone")
    assert stage.power(name) == (WorkKind.UNHEARD, Power.STARTING)
    given = stage.hands.give_back([name], RETURN, interactive=False)
    assert dict(given.jobs) == {name: ()}
    stage.open(name)
    assert stage.power(name) == (WorkKind.OFF, Power.OFF)
    assert stage.hands.release_jobs([PlacedJob(job)]).waiting == ()  # gone is as good as released


def test_a_name_that_is_closed_takes_no_job_and_keeps_the_one_that_was_faster(stage: Stage) -> None:
    stage.hands.close_names(SMALL, CLOSED, 600.0)
    assert stage.work("s-2").power in (Power.LEAVING, Power.GOING)
    job = stage.submit("--no-requeue")
    (name,) = stage.placed(job)
    assert name in BIG
    stage.hands.close_names([name], CLOSED, 600.0)
    stage.slurm.say("scontrol", "update", f"nodename={name}", "state=power_down_asap", "reason=a race")
    assert stage.field(job, "State") == "CONFIGURING"
    work = stage.work(name)
    assert (work.state.kind, work.power, work.placed) == (WorkKind.UNHEARD, Power.STARTING, True)


def test_what_others_have_drained_is_theirs(stage: Stage) -> None:
    stage.slurm.say("scontrol", "update", "nodename=s-1", "state=drain", "reason=disk broken")
    stage.slurm.say("scontrol", "update", "nodename=s-2", "state=down", "reason=disk broken")
    assert stage.hands.open_names(["s-1", "s-2", "nope", "s-3"]).opened == ("s-1", "s-2", "nope", "s-3")
    stage.hands.close_names(["s-1", "s-2", "nope"], CLOSED, 60.0)
    assert stage.work("s-1").reason == "disk broken"
    assert stage.power("s-1") == (WorkKind.DRAINED, Power.OFF)
    assert stage.power("s-2") == (WorkKind.DOWN, Power.OFF)
    assert stage.hands.node("nope") is None
    stage.slurm.say("scontrol", "update", "nodename=s-1,s-2", "state=resume")


def test_a_closed_name_opens_by_itself_when_nobody_does(stage: Stage) -> None:
    stage.hands.close_names(["s-1"], CLOSED, 1.0)
    stage.until(lambda: stage.work("s-1").power is Power.GOING, "it to go")
    stage.hands.close_names(["s-1"], CLOSED, 1.0)
    assert stage.work("s-1").state.kind is WorkKind.DRAINED
    stage.until(lambda: stage.power("s-1") == (WorkKind.OFF, Power.OFF), "it to be open")


class SlowSlurm(PlacingSlurm):
    """Between its look and what it does about that, a job is placed."""

    def __init__(self, stage: Stage, job: str) -> None:
        super().__init__(20.0)
        self._stage, self._job = stage, job

    def shown_now(self, hostnames: Iterable[str]) -> dict[str, ShownNode | SlurmFailure | None]:
        found = super().shown_now(hostnames)
        self._stage.placed(self._job)
        return found


def test_a_job_that_came_when_a_name_was_just_off_is_not_thrown_off(stage: Stage) -> None:
    """SuspendTimeout is over between the look and what follows: State=DRAIN would end it."""
    stage.slurm.say("scontrol", "update", "nodename=s-1", "state=power_down")
    stage.until(lambda: stage.work("s-1").power is Power.GOING, "it to go")
    job = stage.submit("--no-requeue", "--nodelist=s-1")
    SlowSlurm(stage, job).close_names(["s-1"], CLOSED, 600.0)
    assert stage.field(job, "State") == "CONFIGURING"
    assert stage.placed_or_up(job) == ["s-1"]


def test_a_name_is_powered_up_before_any_job(stage: Stage) -> None:
    stage.hands.power_up(["s-4", "nope"])
    stage.until(lambda: stage.power("s-4") == (WorkKind.UNHEARD, Power.STARTING), "it to be powered up")
    stage.hands.power_up(["s-4"])  # again
    stage.boot("s-4")
    stage.hands.power_up(["s-4"])
    assert stage.power("s-4") == (WorkKind.FREE, Power.ON)
    stage.hands.drain("s-4", f"{OUR_SHUTDOWN} (i-4)")
    stage.until(lambda: stage.work("s-4").is_off, "it to go")
    stage.die("s-4")
    stage.open("s-4")
    assert stage.power("s-4") == (WorkKind.OFF, Power.OFF)


def test_a_node_that_works_is_closed_and_goes_after_its_job(stage: Stage) -> None:
    job = stage.submit("--mem=10", "-n1")
    (name,) = stage.placed(job)
    stage.boot(name)
    stage.until(lambda: stage.field(job, "State") == "RUNNING", "it to run")
    stage.hands.drain(name, f"{OUR_SHUTDOWN} (i-1)")
    work = stage.work(name)
    assert (work.state.kind, work.power, work.placed, work.is_off) == (WorkKind.DRAINING, Power.LEAVING, True, False)
    other = stage.submit("--mem=10", "-n1")
    assert name not in stage.placed(other)
    stage.slurm.say("scancel", job)
    stage.until(lambda: stage.work(name).is_off, "it to go")


def test_a_boot_is_neither_drained_nor_set_down(stage: Stage) -> None:
    job = stage.submit("--no-requeue")
    (name,) = stage.placed(job)
    with pytest.raises(Refused):
        stage.hands.drain(name, f"{OUR_SHUTDOWN} (i-1)")
    with pytest.raises(Refused):
        stage.hands.set_down(name, f"{OUR_REMOVAL} (i-1)")
    assert stage.field(job, "State") == "CONFIGURING"


def test_a_machine_that_is_gone_lets_its_job_run_elsewhere_at_once(stage: Stage, tmp_path: Path) -> None:
    """One that is killed while Slurm calls the job RUNNING and has not launched it yet is another matter: Slurm then
    puts the job back by itself, with two minutes' wait of its own."""
    runs = tmp_path / "runs"
    job = stage.submit(script=f"touch {runs}; sleep 600")
    (name,) = stage.placed(job)
    stage.boot(name)
    stage.until(runs.exists, "it to run")
    stage.until(lambda: stage.field(job, "State") == "RUNNING", "Slurm to say so")
    stage.die(name)
    stage.hands.set_down(name, f"{OUR_REMOVAL} (i-1)")
    stage.hands.queue()

    def again() -> bool:
        stage.hands.release_jobs(stage.hands.queue().returned)
        return stage.field(job, "State") == "CONFIGURING"

    stage.until(again, "it to be placed again")
    assert stage.placed(job) != [name]
    stage.until(lambda: stage.work(name).power is Power.GOING, "it to go")
    stage.hands.set_down(name, f"{OUR_REMOVAL} (i-1)")  # again
    stage.open(name)
    assert stage.power(name) == (WorkKind.OFF, Power.OFF)
    assert stage.field(job, "admin_comment") in ("", "(null)")


def test_the_queue_has_the_names_of_jobs_that_have_not_begun(stage: Stage) -> None:
    job = stage.submit("-N2", "--exclusive")
    names = stage.placed(job)
    held = stage.submit(hold=True)
    waiting = stage.submit("-N9", "--exclusive")
    stage.until(lambda: stage.field(waiting, "Reason") not in ("None", ""), "Slurm to have thought of it")
    queue = stage.hands.queue()
    found = {each.id: each for each in queue.jobs}
    assert (sorted(found[job].names), found[job].shape.nodes) == (sorted(names), 2)
    assert found[job].time_limit is not None
    assert held in queue.others
    assert waiting not in found or found[waiting].names == ()
    assert queue.returned == ()
    assert stage.hands.queue().jobs is queue.jobs
