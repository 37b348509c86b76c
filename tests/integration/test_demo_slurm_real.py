"""The demo on a real Slurm: every job is COMPLETED once, and nothing is left of its daemons and of the jobs."""

from __future__ import annotations

import json
import re
import shlex
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from demo_process import Demo
from slurm_stage import need_slurm

from arvnodeman.sandbox import demo as demo_command
from arvnodeman.sandbox.real_slurm_ward import descendants

OPTIONS = ("--slurm", "real", "--jobs", "4", "--seconds", "50", "--seed", "3")


@pytest.fixture
def folder() -> Iterator[Path]:
    """A directory with a short name: munge's socket is in it."""
    need_slurm()
    with tempfile.TemporaryDirectory(prefix="demo-") as name:
        yield Path(name)


@pytest.fixture
def demo(folder: Path, tmp_path: Path) -> Iterator[Demo]:
    demo = Demo(folder, *OPTIONS, "--keep", str(tmp_path))
    yield demo
    demo.process.kill()
    demo.process.communicate()


@pytest.mark.long
def test_it_ends_by_itself_and_slurm_says_that_each_job_was_completed_once(demo: Demo) -> None:
    text = demo.end()
    assert demo.process.returncode == 0, text
    assert "Its Slurm is a real one, in " in text
    assert re.search(r"jobs run: +4 of 4\n", text)
    assert re.search(r"Slurm's word: +4 of 4 jobs COMPLETED once\n", text)
    assert "no node and no slot is left" in text
    assert demo.left() == []
    assert_its_jobs_can_be_played(text)


def assert_its_jobs_can_be_played(text: str) -> None:
    """By the command that it prints."""
    command = text.partition("Its jobs, played: ")[2].splitlines()[0]
    done = subprocess.run([*shlex.split(command), "--json"], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    forecast = json.loads(done.stdout)
    jobs = forecast["jobs"]
    assert jobs["done"] == jobs["all"] == forecast["traced_waits"]["jobs"] >= 4


@pytest.mark.long
def test_an_interrupt_under_a_running_job_leaves_nothing(demo: Demo) -> None:
    demo.read_until("starts on")
    everybody = set(descendants(demo.process.pid))
    commands = " ".join(filter(None, map(command_of, everybody)))
    for program in ("munged", "slurmctld", "slurmd -D", "slurmstepd: ", "sleep "):
        assert program in commands
    demo.process.send_signal(signal.SIGINT)
    text = demo.end()
    assert demo.process.returncode == 130, text
    assert demo.left() == []
    assert not [pid for pid in everybody if command_of(pid)]


def command_of(pid: int) -> str:
    """The command line of a process; '' for none, or one that has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace").replace("\0", " ").strip()
    except OSError:
        return ""


def test_without_slurm_one_line_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("arvnodeman.sandbox.real_slurm_conf.search_path", lambda: "/nonexistent")
    assert demo_command.main(["--slurm", "real"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("demo: not installed: munged, slurmctld, slurmd, ")
    assert "sudo apt-get install --no-install-recommends slurm-wlm slurmctld slurmd" in line
