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
