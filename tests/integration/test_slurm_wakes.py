"""slurmctld itself pokes: by its programs for power saving, and by a line in its job_submit.lua."""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from slurm_stage import BOUND, need_slurm

from arvnodeman.sandbox.real_slurm import PrivateSlurm
from arvnodeman.sandbox.real_slurm_conf import CloudNames, Shape
from arvnodeman.scheduler.base import WaitingJobs
from arvnodeman.slurm import listing
from arvnodeman.slurm.commands import Slurm
from arvnodeman.slurm.poke import POKE_FILE, PokeFile, program_for

HANDBOOK = Path(__file__).resolve().parents[2] / "doc" / "operations.md"
JOB = "#!/bin/sh\nexec sleep 600\n"


@pytest.fixture(autouse=True)
def _real() -> None:
    need_slurm()


@pytest.fixture
def folder() -> Iterator[Path]:
    """Open to slurmctld, and with a path that a root of another Slurm has, too."""
    with tempfile.TemporaryDirectory(prefix="poke-", dir="/tmp") as path:
        Path(path).chmod(0o755)
        yield Path(path)


def until(true: Callable[[], object], what: str) -> None:
    end = time.monotonic() + BOUND
    while not true():
        assert time.monotonic() < end, f"{what} did not come"
        time.sleep(0.1)


def test_the_handbooks_line_of_lua_pokes_at_each_submission(folder: Path) -> None:
    """And bears it that no daemon has made the file."""
    (line,) = re.findall(rf'^ *(local poke = io\.open\("{POKE_FILE}".*)$', HANDBOOK.read_text(), re.MULTILINE)
    line = line.replace(POKE_FILE, str(folder / "poke"))
    with PrivateSlurm(Shape(nodes=2)) as slurm:
        slurm.stop_controller()
        (slurm.folder / "job_submit.lua").write_text(
            f"function slurm_job_submit(job_desc, part_list, submit_uid)\n  {line}\n  return slurm.SUCCESS\nend\n"
            "function slurm_job_modify(job_desc, job_rec, part_list, modify_uid)\n  return slurm.SUCCESS\nend\n"
        )
        with (slurm.folder / "slurm.conf").open("a") as conf:
            conf.write("JobSubmitPlugins=lua\n")
        slurm.start_controller()
        file = PokeFile(str(folder / "poke"))
        file.poked()
        slurm.say("sbatch", "--output=/dev/null", text=JOB)
        assert file.poked()
        assert not file.poked()
        slurm.say("sbatch", "--output=/dev/null", text=JOB)
        assert file.poked()
        (folder / "poke").unlink()
        folder.chmod(0o555)
        slurm.say("sbatch", "--output=/dev/null", text=JOB)


def test_slurmctld_calls_the_program_when_it_powers_a_node_up_and_down(folder: Path) -> None:
    program = folder / "program"
    program.write_text(program_for(str(folder / "poke")))
    program.chmod(0o755)
    programs = (("ResumeProgram", str(program)), ("SuspendProgram", str(program)))
    shape = Shape(nodes=2, cloud=(CloudNames(names="cloud[1-2]", size="small"),), power=programs)
    with PrivateSlurm(shape) as slurm:
        file = PokeFile(str(folder / "poke"))
        file.poked()
        slurm.say("sbatch", "--output=/dev/null", "--partition=cloud", text=JOB)
        until(file.poked, "a call of ResumeProgram")
        slurm.say("scancel", "--user=root")
        slurm.say("scontrol", "update", "NodeName=cloud1", "State=POWER_DOWN_FORCE")
        until(file.poked, "a call of SuspendProgram")
        log = (slurm.folder / "log" / "slurmctld.log").read_text()
        assert not re.findall(r".*(?:program|power_save).*(?:error|fail|exit).*", log, re.IGNORECASE)


def test_what_was_submitted_shows_without_a_job_being_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Held jobs and each task of an array, and by the next number, too, where sdiag is forbidden."""
    with PrivateSlurm(Shape(nodes=2)) as slurm:
        environment = slurm.environment()
        monkeypatch.setenv("SLURM_CONF", environment["SLURM_CONF"])
        forbidden = slurm.folder / "forbidden"
        forbidden.mkdir()
        (forbidden / "sdiag").write_text(
            "#!/bin/sh\necho 'slurm_get_statistics: Access/permission denied' >&2\nexit 1\n"
        )
        (forbidden / "sdiag").chmod(0o755)
        seen: list[tuple[str, str]] = []
        first, second = Slurm(), Slurm()
        for options in ([], [], ["--hold"], ["--array=1-5"]):
            if seen:
                slurm.say("sbatch", "--output=/dev/null", "--begin=now+1hour", *options, text=JOB)
            monkeypatch.setenv("PATH", environment["PATH"])
            counted = first.submitted()
            monkeypatch.setenv("PATH", f"{forbidden}:{environment['PATH']}")
            seen.append((counted, second.submitted()))
        assert len({counted for counted, _ in seen}) == len(seen)
        assert len({number for _, number in seen}) == len(seen)


def everyone(waiting: WaitingJobs) -> list[str]:
    """Who waits, whatever Slurm has come to say the job waits for."""
    return [*(job.id for job in waiting.jobs), *waiting.others]


def test_a_list_that_stands_and_the_new_jobs_are_the_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever comes and goes: jobs, arrays, some that begin, tasks that become jobs of their own."""
    with PrivateSlurm(Shape(nodes=2)) as slurm:
        for name in ("SLURM_CONF", "PATH"):
            monkeypatch.setenv(name, slurm.environment()[name])
        monkeypatch.setattr(listing, "EACH", 1)  # as long as a list has to be
        asked: list[str] = []
        ask = listing.JobsListing._listed

        def listed(self: listing.JobsListing, *form: str) -> str:
            asked.append(form[0])
            return ask(self, *form)

        monkeypatch.setattr(listing.JobsListing, "_listed", listed)

        def submit(*options: str) -> str:
            return slurm.say("sbatch", "--parsable", "--output=/dev/null", *options, text=JOB).strip()

        seen = Slurm(job_name_pattern="", numbered=True, list_stands=3600.0)

        def whole_lists() -> int:
            """The queue as it stands is the queue as it is; how often all jobs were listed for it."""
            asked.clear()
            found = seen.queue()
            lists = sum(not each.startswith("--jobs=") for each in asked)
            true = Slurm(job_name_pattern="", numbered=True).queue()
            assert sorted(everyone(found)) == sorted(everyone(true))
            return lists

        later = "--begin=now+1hour"
        first = [submit(later) for _ in range(20)]
        whole_lists()
        whole_lists()
        submit(later)
        assert whole_lists() == 0
        submit()
        array = submit(later, "--array=1-9%3")
        assert whole_lists() == 0
        slurm.say("scancel", first[0])
        submit(later)
        assert whole_lists() == 1
        slurm.say("scontrol", "update", f"JobId={array}_4", "TimeLimit=5")
        assert whole_lists() == 1
        submit(later, ":", "--nodes=1")
        assert whole_lists() == 1
        slurm.start_node("compute1")
        until(lambda: slurm.say("squeue", "--noheader", "--states=RUNNING"), "a job that runs")
        submit(later)
        assert whole_lists() == 1
        submit(later)
        assert whole_lists() == 0
        slurm.say("scancel", "--state=RUNNING")
        until(lambda: not slurm.say("squeue", "--noheader", "--states=RUNNING,COMPLETING"), "the end of the job")
        submit(later)
        assert whole_lists() == 1
