"""The C timer, in processes of their own: it is not for the faint-hearted."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from arvnodeman.supervision.last_resort import FILE_NAME

BOUND = 20.0
HEAD = """
import os, re, signal, sys, time
from pathlib import Path
from arvnodeman.supervision.last_resort import LastResort
resort = LastResort(Path(sys.argv[1]) if sys.argv[1] else None)
resort.open()
def stand_still():
    re.match(r"(a+)+$", "a" * 64 + "b")  # holds the interpreter's lock
"""


def run(program: str, folder: Path | str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", HEAD + program, str(folder)], capture_output=True, text=True, timeout=BOUND, check=False
    )


def stacks(folder: Path) -> str:
    return (folder / FILE_NAME).read_text().strip("\0")


def test_it_ends_a_process_whose_interpreter_is_held(tmp_path: Path) -> None:
    answer = run("resort.arm(0.2); stand_still()", tmp_path)
    assert answer.returncode == 1
    assert stacks(tmp_path).startswith("Timeout (")
    assert "in stand_still" in stacks(tmp_path)


def test_arming_again_moves_it(tmp_path: Path) -> None:
    answer = run("resort.arm(0.2); resort.arm(3600); time.sleep(0.5); resort.close()", tmp_path)
    assert answer.returncode == 0
    assert stacks(tmp_path) == ""


def test_an_orderly_end_leaves_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text("of an earlier run")
    assert run("resort.arm(0.3); resort.close(); time.sleep(0.6)", tmp_path).returncode == 0
    assert (tmp_path / FILE_NAME).read_bytes() == b""


def test_the_service_managers_sigabrt_leaves_stacks(tmp_path: Path) -> None:
    answer = run("os.kill(os.getpid(), signal.SIGABRT)", tmp_path)
    assert answer.returncode == -signal.SIGABRT
    assert stacks(tmp_path).startswith("Fatal Python error: Aborted")


def test_without_a_state_directory_the_stacks_go_to_stderr() -> None:
    answer = run("resort.arm(0.2); stand_still()", "")
    assert answer.returncode == 1
    assert answer.stderr.startswith("Timeout (")


def test_a_folder_that_cannot_be_written_is_an_error_and_the_timer_runs_all_the_same(tmp_path: Path) -> None:
    program = HEAD.replace("resort.open()", "try: resort.open()\nexcept OSError: print('told')")
    answer = subprocess.run(
        [sys.executable, "-c", program + "resort.arm(0.2); stand_still()", str(tmp_path / "away")],
        capture_output=True,
        text=True,
        timeout=BOUND,
        check=False,
    )
    assert answer.returncode == 1
    assert answer.stderr.startswith("Timeout (")


@pytest.mark.parametrize("room", [False, True])
def test_the_room_is_taken_beforehand_where_it_can_be(tmp_path: Path, room: bool) -> None:
    full = "" if room else "def full(*a): raise OSError(28, 'full')\nos.posix_fallocate = full\n"
    program = HEAD.replace("resort.open()", f"{full}resort.open()")
    subprocess.run(
        [sys.executable, "-c", program + "os._exit(0)", str(tmp_path)], timeout=BOUND, check=True, capture_output=True
    )
    assert ((tmp_path / FILE_NAME).stat().st_size > 0) is room
