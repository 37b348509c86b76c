"""The subcommand `wake`, and the programs for slurm.conf that it hands out."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from arvnodeman import cli
from arvnodeman.slurm.poke import POKE_FILE, PROGRAM, PokeFile

CONFIGURATION = """\
[Daemon]
dispatcher = slurm
poke_file = {path}
[Cloud]
provider = dummy
shutdown_windows = 54, 5, 1
[Size small]
cores = 2
"""


@pytest.fixture(autouse=True)
def _no_service(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RUNTIME_DIRECTORY", raising=False)


def config(folder: Path, path: object) -> str:
    file = folder / "site.cfg"
    file.write_text(CONFIGURATION.format(path=path))
    return str(file)


def test_it_pokes_the_daemon(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "poke"
    file = PokeFile(str(path))
    file.poked()
    os.utime(path, (1, 1))
    assert file.poked()
    assert cli.main(["wake", "--config", config(tmp_path, path)]) == 0
    assert file.poked()
    assert capsys.readouterr() == ("", "")


def test_the_file_in_the_runtime_directory_is_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNTIME_DIRECTORY", f"{tmp_path}:/elsewhere")
    (tmp_path / "poke").touch()
    os.utime(tmp_path / "poke", (1, 1))
    assert cli.main(["wake", "--config", config(tmp_path, "")]) == 0
    assert (tmp_path / "poke").stat().st_mtime > 1


def test_without_a_daemon_it_is_one_line_and_makes_no_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "poke"
    assert cli.main(["wake", "--config", config(tmp_path, path)]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        f"arvados-node-manager wake: {path}: No such file or directory (no daemon runs here, or it has another "
        "[Daemon] poke_file, or RUNTIME_DIRECTORY)"
    ]
    assert not path.exists()


def test_a_mistake_in_the_configuration(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["wake", "--config", config(tmp_path, "poke")]) == 2
    assert "[Daemon] poke_file: 'poke' does not begin with /" in capsys.readouterr().err


def test_the_path_of_the_packaged_program(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["wake", "--program", "--config", config(tmp_path, POKE_FILE)]) == 0
    assert capsys.readouterr().out == f"{PROGRAM}\n"
    assert cli.main(["wake", "--program", "--config", config(tmp_path, "")]) == 0


def test_the_packaged_program_is_not_handed_out_where_it_would_poke_nobody(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["wake", "--program", "--config", config(tmp_path, tmp_path / "poke")]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "use --install" in err


def test_a_program_of_ones_own_is_written_whole_and_pokes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, program = tmp_path / "poke", tmp_path / "program"
    program.write_text("an older one")
    file = PokeFile(str(path))
    file.poked()
    os.utime(path, (1, 1))
    assert file.poked()
    umask = os.umask(0o077)
    try:
        assert cli.main(["wake", "--install", str(program), "--config", config(tmp_path, path)]) == 0
    finally:
        os.umask(umask)
    assert capsys.readouterr().out == f"ResumeProgram={program}\nSuspendProgram={program}\n"
    assert program.stat().st_mode & 0o777 == 0o755
    subprocess.run([str(program), "cloud1"], env={"PWD": "/"}, cwd="/", check=True)
    assert file.poked()
    assert sorted(each.name for each in tmp_path.iterdir()) == ["poke", "program", "site.cfg"]


def test_a_place_that_cannot_be_written_to(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = config(tmp_path, tmp_path / "poke")
    assert cli.main(["wake", "--install", "program", "--config", given]) == 1
    assert "program: slurm.conf needs an absolute path" in capsys.readouterr().err
    assert cli.main(["wake", "--install", str(tmp_path / "no" / "program"), "--config", given]) == 1
    err = capsys.readouterr().err
    assert "No such file or directory" in err
    assert "no daemon" not in err
    (tmp_path / "folder").mkdir()
    assert cli.main(["wake", "--install", str(tmp_path / "folder"), "--config", given]) == 1
    assert sorted(each.name for each in tmp_path.iterdir()) == ["folder", "site.cfg"]
