"""Pokes: the packaged program as slurmctld runs it, and the file that it touches as the daemon sees it."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from arvnodeman.slurm.poke import POKE_FILE, PROGRAM, PokeFile, poke, program_for

BARE = {"PWD": "/", "SLURM_CONF": "/etc/slurm/slurm.conf", "SLURM_RESUME_FILE": "/proc/1/fd/9"}
BOUND = 20.0  # seconds that a program which never waits may take on a busy machine
NOBODY = 65534
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")


class Clock:
    def __init__(self) -> None:
        self.time = 100.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "poke"


@pytest.fixture
def program(tmp_path: Path, path: Path) -> Path:
    """As `wake --install` would write it."""
    written = tmp_path / "program"
    written.write_text(program_for(str(path)))
    written.chmod(0o755)
    return written


def call(program: Path, environment: Mapping[str, str] = BARE, user: int | None = None) -> None:
    """As slurmctld does: in /, with next to no environment, and a host list. It says nothing and has succeeded."""
    done = subprocess.run(
        [str(program), "cloud[1-2],s4"],
        cwd="/",
        env=dict(environment),
        user=user,
        capture_output=True,
        timeout=BOUND,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def touch_later(path: Path) -> None:
    """The clock of a file system may be coarse."""
    seen = path.stat()
    os.utime(path, ns=(seen.st_atime_ns, seen.st_mtime_ns + 10_000_000))


# ---- the program -----------------------------------------------------------------------------------------------------


def test_the_packaged_program_can_be_run_and_touches_the_units_file() -> None:
    assert os.access(PROGRAM, os.X_OK)
    text = PROGRAM.read_text()
    assert text.startswith("#!/bin/sh\n")
    assert f"\nfile={POKE_FILE}\n" in text
    assert program_for(POKE_FILE) == text
    unit = (Path(__file__).parents[3] / "doc/ops/arvados-node-manager.service").read_text()
    assert f"\nRuntimeDirectory={Path(POKE_FILE).parent.name}\n" in unit


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is not installed")
def test_the_program_is_good_to_shellcheck() -> None:
    subprocess.run(["shellcheck", "--shell=sh", str(PROGRAM)], check=True)


@pytest.mark.parametrize("shell", ["sh", "dash", "bash", "busybox"])
def test_a_call_is_heard(program: Path, path: Path, shell: str) -> None:
    """Also by a shell that is another one than /bin/sh here."""
    found = shutil.which(shell)
    if found is None:
        pytest.skip(f"{shell} is not installed")
    line = f"{found} sh" if shell == "busybox" else found
    program.write_text(program.read_text().replace("#!/bin/sh", f"#!{line}", 1))
    file = PokeFile(str(path))
    assert not file.poked()
    touch_later(path)  # so that the next stamp differs, whatever the file system's clock
    assert file.poked()
    call(program)
    assert file.poked()
    assert not file.poked()
    assert path.read_bytes() == b""


def test_a_program_for_a_file_with_a_name_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "it's $HOME; rm *" / "poke"
    path.parent.mkdir()
    program = tmp_path / "program"
    program.write_text(program_for(str(path)))
    program.chmod(0o755)
    file = PokeFile(str(path))
    file.poked()
    touch_later(path)
    file.poked()
    call(program)
    assert file.poked()


@pytest.mark.parametrize("there", ["nothing", "no folder", "a folder", "a link", "a pipe"])
def test_the_program_touches_a_plain_file_alone_and_makes_none(program: Path, path: Path, there: str) -> None:
    """Nobody has made the file, or somebody else has put something there: it does not wait, and says nothing."""
    target = path.with_name("target")
    target.write_text("precious")
    match there:
        case "no folder":
            program.write_text(program_for(str(path / "poke")))
        case "a folder":
            path.mkdir()
        case "a link":
            path.symlink_to(target)
        case "a pipe":
            os.mkfifo(path)
    call(program)
    assert target.read_text() == "precious"
    assert path.exists() == (there not in ("nothing", "no folder"))


def test_a_call_while_the_daemon_is_stopped_or_dead_does_not_wait(program: Path, path: Path) -> None:
    """The file is no queue: a thousand calls that nobody hears leave it as it was."""
    PokeFile(str(path)).poked()
    for _ in range(20):
        call(program)
    assert path.stat().st_size == 0


def test_the_program_bears_it_that_everything_is_closed(program: Path, path: Path) -> None:
    PokeFile(str(path)).poked()
    done = subprocess.run(["/bin/sh", "-c", f"exec <&- >&- 2>&-; exec {program}"], env=BARE, timeout=BOUND, check=False)
    assert done.returncode == 0


@as_root
def test_who_may_not_open_the_file_pokes_nobody() -> None:
    """... and the call succeeds all the same."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:  # pytest's own is closed to others
        Path(folder).chmod(0o755)
        path, program = Path(folder) / "poke", Path(folder) / "program"
        program.write_text(program_for(str(path)))
        program.chmod(0o755)
        file = PokeFile(str(path))
        file.poked()
        touch_later(path)
        assert file.poked()
        call(program, user=NOBODY)
        assert not file.poked()
        path.chmod(0o622)  # whoever runs the host lets all others in
        call(program, user=NOBODY)
        assert file.poked()


@as_root
def test_a_full_disk_does_not_matter(tmp_path: Path) -> None:
    folder = tmp_path / "full"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k", "none", str(folder)], check=False)
    if mounted.returncode:
        pytest.skip("nothing can be mounted here")
    try:
        path, program = folder / "poke", tmp_path / "program"
        program.write_text(program_for(str(path)))
        program.chmod(0o755)
        file = PokeFile(str(path))
        file.poked()
        with pytest.raises(OSError, match="No space left"):
            (folder / "rest").write_bytes(bytes(65536))
        touch_later(path)
        assert file.poked()
        call(program)
        assert file.poked()
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_call_that_is_killed_leaves_nothing(program: Path, path: Path) -> None:
    file = PokeFile(str(path))
    file.poked()
    with subprocess.Popen([str(program)], env=BARE) as process:
        process.send_signal(signal.SIGKILL)
    assert path.stat().st_size == 0
    assert [each.name for each in path.parent.iterdir() if each.name not in ("poke", "program")] == []


# ---- the file --------------------------------------------------------------------------------------------------------


def test_the_daemon_makes_the_file_for_itself_alone(path: Path) -> None:
    file = PokeFile(str(path))
    assert not file.poked()
    assert path.stat().st_mode & 0o777 == 0o600
    path.unlink()
    assert not file.poked()
    assert path.exists()
    touch_later(path)
    assert file.poked()


def test_a_file_that_is_there_keeps_its_mode_and_is_no_poke(path: Path) -> None:
    """Whoever runs the host has let a group in."""
    path.touch()
    path.chmod(0o660)
    file = PokeFile(str(path))
    assert not file.poked()
    assert not file.poked()
    path.chmod(0o666)
    assert not file.poked()
    assert path.stat().st_mode & 0o777 == 0o666


def test_many_pokes_between_two_looks_are_one(path: Path) -> None:
    file = PokeFile(str(path))
    file.poked()
    for _ in range(100):
        touch_later(path)
    assert file.poked()
    assert not file.poked()


def test_a_poke_by_hand(path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        poke(str(path))
    file = PokeFile(str(path))
    file.poked()
    touch_later(path)
    file.poked()
    poke(str(path))
    assert file.poked()


def test_garbage_pokes_nobody_is_taken_out_and_told_once_a_minute(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    file = PokeFile(str(path), monotonic=clock)
    file.poked()
    for _ in range(3):
        path.write_bytes(b"\0\xff; rm -rf /\n" * 100)
        assert not file.poked()
        assert path.stat().st_size == 0
        assert not file.poked()
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "1300 bytes" in caplog.text
    assert "rm -rf" not in caplog.text
    clock.time += 61
    path.write_bytes(b"x")
    file.poked()
    assert len(caplog.records) == 2
    touch_later(path)
    assert file.poked()


@pytest.mark.parametrize("there", ["a folder", "a link", "a pipe"])
def test_what_is_no_plain_file_is_a_line_and_left_alone(
    path: Path, there: str, caplog: pytest.LogCaptureFixture
) -> None:
    target = path.with_name("target")
    target.write_text("precious")
    match there:
        case "a folder":
            path.mkdir()
        case "a link":
            path.symlink_to(target)
        case "a pipe":
            os.mkfifo(path)
    file = PokeFile(str(path))
    for _ in range(3):
        assert not file.poked()
    assert target.read_text() == "precious"
    assert [record.getMessage() for record in caplog.records] == [f"[Daemon] poke_file: {path} is not a plain file"]


def test_a_folder_that_is_not_there_is_a_line_and_may_come(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    late = path / "poke"
    file = PokeFile(str(late))
    assert not file.poked()
    assert not file.poked()
    assert [record.getMessage() for record in caplog.records] == [
        f"[Daemon] poke_file: {late} cannot be used: No such file or directory"
    ]
    path.mkdir()
    assert not file.poked()
    touch_later(late)
    assert file.poked()


def test_a_dry_run_looks_and_touches_nothing(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The daemon that it runs beside does."""
    file = PokeFile(str(path), ours=False)
    assert not file.poked()
    assert not path.exists()
    path.touch()
    assert not file.poked()
    touch_later(path)
    assert file.poked()
    path.write_text("x")
    assert not file.poked()
    assert path.read_text() == "x"
    assert caplog.records == []
