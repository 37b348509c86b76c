"""A sweep as a job array: what is submitted, what its jobs do, and what is left. Slurm's commands are doubles here."""

from __future__ import annotations

import json
import os
import pickle
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "whatif"))
from plain_play import FAULT, plain_play
from simulated_jobs import write_config, write_trace

from arvnodeman.commands import simulate
from arvnodeman.whatif import sweep_array

SBATCH = """\
#!/bin/sh
number=$(cat number 2>/dev/null || echo 100)
case "$*" in *--dependency*) test -e refuse && { echo "sbatch: error: no dependencies today" >&2; exit 1; };; esac
echo $((number + 1)) > number
echo "$@" >> submitted
cat > script.$number
echo $number
"""
SQUEUE = "#!/bin/sh\ncat queue 2>/dev/null; exit 0\n"
SCANCEL = '#!/bin/sh\necho "$@" >> cancelled\n'
Call = Callable[..., int]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    commands = tmp_path / "bin"
    commands.mkdir()
    for name, text in (("sbatch", SBATCH), ("squeue", SQUEUE), ("scancel", SCANCEL)):
        (commands / name).write_text(text)
        (commands / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{commands}:{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)
    write_config(tmp_path / "a.cfg")
    write_trace(tmp_path / "trace.swf")
    return tmp_path


@pytest.fixture
def call(folder: Path) -> Call:
    def run(*more: str, values: str = "1,4") -> int:
        sweep = ("--sweep", f"[Daemon] max_nodes = {values}", "--sbatch", "swept")
        return simulate.main(["--config", "a.cfg", "--trace", "trace.swf", *sweep, *more], plain_play)

    return run


def task(monkeypatch: pytest.MonkeyPatch, number: int) -> int:
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", str(number))
    return sweep_array.main(["swept", "play"])


def test_an_array_and_what_collects_it(
    call: Call, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("--sbatch-options", "--partition=long --time=60", "--plot", "a.png") == 0
    assert capsys.readouterr().out.startswith("job 100: 2 runs\njob 101 collects them into swept: sweep.txt, ")
    array, collector = (folder / "submitted").read_text().splitlines()
    assert "--array=0-1 --partition=long --time=60" in array
    assert "--dependency=afterany:100 --partition=long" in collector
    assert (folder / "script.100").read_text().splitlines()[1].endswith(f"sweep_array {folder}/swept play")
    assert stat.S_IMODE((folder / "swept/work").stat().st_mode) == 0o700
    kept = b"".join(path.read_bytes() for path in (folder / "swept/work").iterdir())
    assert b"sesame" not in kept
    assert (task(monkeypatch, 0), task(monkeypatch, 1)) == (0, 0)
    assert sweep_array.main(["swept", "collect"]) == 0
    assert sorted(path.name for path in (folder / "swept").iterdir()) == ["sweep.csv", "sweep.json", "sweep.txt"]
    assert (folder / "a.png").exists()
    found = json.loads((folder / "swept/sweep.json").read_text())
    assert [each["values"] for each in found["points"]] == [{"[Daemon] max_nodes": "1"}, {"[Daemon] max_nodes": "4"}]
    assert not found["partial"]


def test_only_what_is_missing_is_submitted_again(
    call: Call, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    values = f"1,2,4,{FAULT}"
    assert call(values=values) == 0
    assert (task(monkeypatch, 1), task(monkeypatch, 3)) == (0, 1)
    assert sweep_array.main(["swept", "collect"]) == 1
    found = json.loads((folder / "swept/sweep.json").read_text())
    assert [each["problem"] for each in found["points"]] == [
        "not played",
        "",
        "not played",
        "ValueError: there is a fault",
    ]
    assert found["partial"]
    (folder / "queue").write_text("100\n100\n")
    assert call(values=values) == 1
    assert capsys.readouterr().err.endswith("--sbatch: swept: job 100 of it still waits or runs\n")
    (folder / "queue").unlink()
    assert call(values=values) == 0
    assert "job 102: 3 runs" in capsys.readouterr().out
    assert "--array=0-2" in (folder / "submitted").read_text().splitlines()[2]
    assert (task(monkeypatch, 0), task(monkeypatch, 1)) == (0, 0)
    (folder / "queue").write_text("102\n")
    assert call(values="1,2") == 2
    assert "another sweep is under way there" in capsys.readouterr().err


def test_what_nobody_could_collect_is_collected_by_the_next_call(
    call: Call, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert call() == 0
    assert (task(monkeypatch, 0), task(monkeypatch, 1)) == (0, 0)
    assert call() == 0
    assert len((folder / "submitted").read_text().splitlines()) == 2
    assert not (folder / "swept/work").exists()


def test_where_slurm_refuses_nothing_is_left(
    call: Call, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "refuse").touch()
    assert call() == 1
    error = "arvados-node-manager simulate: --sbatch: sbatch: sbatch: error: no dependencies today\n"
    assert capsys.readouterr().err == error
    assert (folder / "cancelled").read_text() == "100\n"
    assert not (folder / "swept").exists()
    monkeypatch.setenv("PATH", "/nowhere")
    assert call() == 1
    assert "no such command on PATH" in capsys.readouterr().err


def test_more_runs_than_an_array_has_tasks_are_shared_out(
    call: Call, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep_array, "TASKS", 2)
    assert call(values="1,2,3,4,5") == 0
    assert "--array=0-1" in (folder / "submitted").read_text()
    assert (task(monkeypatch, 0), task(monkeypatch, 1)) == (0, 0)
    assert sweep_array.main(["swept", "collect"]) == 0


def test_wrong_folders_and_options_are_one_line(
    call: Call, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("--sbatch-options", "'--time") == 2
    assert "--sbatch-options: No closing quotation" in capsys.readouterr().err
    assert simulate.main(["--config", "a.cfg", "--trace", "trace.swf", "--sbatch", "x"], plain_play) == 2
    assert "--sbatch works only with --sweep" in capsys.readouterr().err
    (folder / "swept").write_text("")
    assert call() == 2
    assert capsys.readouterr().err.endswith("swept: not a directory\n")
    (folder / "swept").unlink()
    assert call() == 0
    capsys.readouterr()
    for content in (b"no pickle", pickle.dumps("something else")):
        (folder / "swept/work/plan").write_bytes(content)
        assert task(monkeypatch, 0) == 2
        assert call() == 2
    (folder / "swept/work").chmod(0o777)
    assert task(monkeypatch, 0) == 2
    assert "it does not belong only to us" in capsys.readouterr().err
