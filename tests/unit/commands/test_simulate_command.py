"""`simulate` and `check-config --preview`: what they print, and what they say to a wrong command line."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "whatif"))
from plain_play import DEATH, FAULT, SLOW, plain_play
from simulated_jobs import CONFIG, write_config, write_trace

from arvnodeman.commands import check_config, simulate
from arvnodeman.history import schema
from arvnodeman.history.predictions import scores
from arvnodeman.history.reading import reading
from arvnodeman.whatif.scenario import Scenario
from arvnodeman.whatif.workers import Workers

WRITES_ONE = "`arvados-node-manager init` writes one"
AWAY = "/nowhere/away.cfg"


class Printed(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def errors(self) -> list[str]:
        return [line.removeprefix("arvados-node-manager simulate: ") for line in self.err.splitlines()]


Simulate = Callable[..., Printed]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_config(tmp_path / "a.cfg")
    write_config(tmp_path / "b.cfg", max_nodes=2)
    write_trace(tmp_path / "trace.swf")
    return tmp_path


@pytest.fixture(name="simulate")
def simulate_(folder: Path, capsys: pytest.CaptureFixture[str]) -> Simulate:
    def run(*arguments: str, trace: str = "trace.swf", player: Any = plain_play) -> Printed:
        code = simulate.main([*arguments, "--trace", trace], player)
        return Printed(code, *capsys.readouterr())

    return run


def test_a_forecast_for_people(simulate: Simulate) -> None:
    told = simulate("--config", "a.cfg", "--zone", "UTC", "--boot-seconds", "60")
    assert (told.code, told.err) == (0, "")
    lines = told.out.splitlines()
    assert lines[0] == "From 2025-01-01 00:00 to 2025-01-01 01:11, seed 0"
    assert lines[1] == "Jobs: 12: 12 done"
    assert "* boots take 60 s" in lines
    assert any(line.startswith("as the trace tells") and " 2 min " in line for line in lines)
    assert "sesame" not in told.out


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(simulate: Simulate) -> None:
    first = simulate("--config", "a.cfg", "--json", "--seed", "5")
    assert first == simulate("--config", "a.cfg", "--json", "--seed", "5")
    assert first != simulate("--config", "a.cfg", "--json", "--seed", "6")
    found = json.loads(first.out)
    assert (found["seed"], found["jobs"]["done"], found["partial"]) == (5, 12, False)
    assert "sesame" not in first.out


def test_only_the_jobs_of_some_time(simulate: Simulate) -> None:
    told = simulate(
        "--config", "a.cfg", "--json", "--zone", "UTC", "--from", "2025-01-01T00:02", "--to", "2025-01-01T00:05"
    )
    found = json.loads(told.out)
    assert found["jobs"]["all"] == 3
    assert "jobs submitted before --from or from --to on, and left out: 9" in found["remarks"]


def test_options_are_set(simulate: Simulate) -> None:
    told = simulate("--config", "a.cfg", "--json", "--set", "[Daemon] max_nodes = 1", "--set", "[Size small] cores=4")
    assert json.loads(told.out)["most_nodes"] == 1


def test_all_mistakes_are_told_at_once(simulate: Simulate) -> None:
    told = simulate(
        *("--config", "a.cfg", "--set", "[Daemon] max_node = 3", "--set", "[Daemon] min_nodes = many", "--set", "x"),
        *("--boot-fails", "2", "--quota", "-1", "--boot-seconds", "inf", "--reclaims", "x", "--seed", "-1"),
        *("--from", "soon", "--zone", "Mars", "--plot", "a.pdf", "--csv", "--processes", "0"),
    )
    assert (told.code, told.out) == (2, "")
    assert told.errors == [
        "--csv works only with --sweep; --json works with all",
        "--plot: a.pdf ends neither with .png nor with .svg",
        "--seed: '-1'; allowed: a whole number, at least 0",
        "--processes: '0'; allowed: a whole number, at least 1",
        "--set: 'x' is not [Section] option = value",
        "--set: [Daemon] max_node: unknown option; the nearest known one is max_nodes",
        "--set: [Daemon] min_nodes: 'many' is not a whole number; allowed: a whole number, at least 0",
        "--boot-seconds: 'inf'; allowed: a number, at least 0",
        "--boot-fails: '2'; allowed: a number, 0 to 1",
        "--reclaims: 'x'; allowed: a number, at least 0",
        "--quota: '-1'; allowed: a whole number, at least 0",
        "--zone: this machine knows no time zone 'Mars'; allowed are UTC, Europe/Berlin and the like",
        "--from: 'soon' is not a date; allowed: YYYY-MM-DD, YYYY-MM-DDTHH:MM, 30min, 12h, 7d or 4w ago, today, "
        "yesterday, this-month, last-month or now",
    ]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "trace.swf: it is empty"),
        ("hello\n", "trace.swf: it is not a trace: known are sacct"),
        ("; Version: 2.2\n1 0 120 600 1 -1 -1", "trace.swf: "),
    ],
)
def test_what_is_no_trace_is_one_line(simulate: Simulate, folder: Path, content: str, words: str) -> None:
    (folder / "trace.swf").write_text(content)
    told = simulate("--config", "a.cfg")
    assert (told.code, told.out, len(told.errors)) == (2, "", 1)
    assert told.errors[0].startswith(words)


def test_files_that_are_not_there(simulate: Simulate) -> None:
    assert simulate("--config", AWAY).errors == [f"{AWAY}: no such file or directory; {WRITES_ONE}"]
    assert simulate("--config", "a.cfg", trace="away.swf").code == 2
    told = simulate("--config", "a.cfg", "--history", "away.sqlite")
    assert (told.code, len(told.errors)) == (2, 1)


def test_a_trace_is_asked_for(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert simulate.main(["--config", "a.cfg"]) == 2
    wanted = "--trace: missing; required: a file with jobs; --print-sacct-command tells how to get one"
    assert capsys.readouterr().err == f"arvados-node-manager simulate: {wanted}\n"


def test_no_job_in_that_time(simulate: Simulate) -> None:
    told = simulate("--config", "a.cfg", "--from", "2030-01-01")
    assert (told.code, told.errors) == (2, ["--from, --to: none of the 12 jobs was submitted then"])


def test_a_size_without_price_and_no_credentials(simulate: Simulate, folder: Path) -> None:
    bare = CONFIG.replace("token = sesame-token\n", "").replace("secret = sesame-secret\n", "")
    (folder / "bare.cfg").write_text(bare)
    assert simulate("--config", "bare.cfg").code == 0
    (folder / "odd.cfg").write_text(bare.replace("m5.large", "x99.large").replace("price = 0.1\n", ""))
    told = simulate("--config", "odd.cfg")
    assert (told.code, len(told.errors)) == (2, 1)
    assert told.errors[0].startswith("odd.cfg: [Size small] price: ")


def test_a_fault_is_one_line(simulate: Simulate) -> None:
    told = simulate("--config", "a.cfg", "--set", f"[Daemon] max_nodes = {FAULT}")
    assert (told.code, told.out) == (1, "")
    assert told.errors == ["it could not be played: ValueError: there is a fault"]


def test_ctrl_c_gives_what_there_is_so_far(simulate: Simulate) -> None:
    def interrupted(scenario: Scenario, *, progress: Any = None, stop: Callable[[], bool]) -> Any:
        os.kill(os.getpid(), signal.SIGINT)
        return plain_play(scenario, progress=progress, stop=stop)

    before = signal.getsignal(signal.SIGINT)
    told = simulate("--config", "a.cfg", "--json", player=interrupted)
    assert told.code == 130
    assert json.loads(told.out)["partial"]
    assert signal.getsignal(signal.SIGINT) is before
    people = simulate("--config", "a.cfg", player=interrupted)
    assert people.out.startswith("PARTIAL: ")


def test_a_picture(simulate: Simulate, folder: Path) -> None:
    pytest.importorskip("matplotlib")
    assert simulate("--config", "a.cfg", "--plot", "a.png").code == 0
    assert (folder / "a.png").stat().st_size > 5000
    told = simulate("--config", "a.cfg", "--plot", "away/a.png")
    assert (told.code, told.errors) == (1, ["away/a.png cannot be written: No such file or directory"])


def test_how_to_get_a_trace(capsys: pytest.CaptureFixture[str]) -> None:
    assert simulate.main(["--print-sacct-command"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert "sacct --allusers" in lines[0]
    assert "MaxRSS" not in lines[0]
    assert lines[1].startswith("#")
    assert "MaxRSS" in lines[2]


def test_a_comparison(simulate: Simulate) -> None:
    told = simulate("--compare", "a.cfg", "b.cfg", "--json", "--seeds", "3", "--processes", "2")
    assert (told.code, told.err) == (0, "")
    found = json.loads(told.out)
    assert (found["before"], found["after"], found["seeds"]) == ("a.cfg", "b.cfg", [0, 1, 2])
    assert found["figures"]["mean_wait"]["change"]["low"] > 0
    assert found["hurt"][0]["id"] == "12"
    again = simulate("--compare", "a.cfg", "b.cfg", "--json", "--seeds", "3", "--processes", "3")
    assert again == told
    people = simulate("--compare", "a.cfg", "b.cfg", "--seeds", "2")
    assert people.out.startswith("Before: a.cfg\nAfter:  b.cfg\n")
    assert "Hurt most" in people.out


def test_a_comparison_of_which_one_cannot_be_played(simulate: Simulate, folder: Path) -> None:
    write_config(folder / "dies.cfg", max_nodes=DEATH)
    told = simulate("--compare", "a.cfg", "dies.cfg", "--seeds", "1")
    assert (told.code, told.out) == (1, "")
    assert told.errors == ["it could not be played: its process has ended: SIGKILL, out of memory, it may be"]
    assert simulate("--compare", "a.cfg", "b.cfg", "--config", "a.cfg").errors == [
        "--config: --compare names both configurations"
    ]
    assert len(simulate("--compare", AWAY, "/nowhere/other.cfg").errors) == 2


def test_a_sweep(simulate: Simulate) -> None:
    arguments = ("--config", "a.cfg", "--sweep", f"[Daemon] max_nodes = 1,4,{FAULT},x", "--sweep")
    told = simulate(*arguments, "[Cloud] shutdown_windows = 0, 60 | 54, 5, 1", "--json", "--processes", "2")
    assert told.code == 1
    found = json.loads(told.out)
    assert found["options"] == ["[Daemon] max_nodes", "[Cloud] shutdown_windows"]
    assert [list(each["values"].values()) for each in found["points"]] == [
        [nodes, windows] for nodes in ("1", "4", str(FAULT), "x") for windows in ("0, 60", "54, 5, 1")
    ]
    assert [each["current"] for each in found["points"]] == [False, False, True, *[False] * 5]
    assert [each["problem"] for each in found["points"]][:4] == [""] * 4
    assert "there is a fault" in found["points"][4]["problem"]
    assert "'x' is not a whole number" in found["points"][6]["problem"]
    assert not found["partial"]


def test_the_configuration_as_it_is_is_played_beside_the_others(simulate: Simulate) -> None:
    told = simulate("--config", "a.cfg", "--sweep", "[Daemon] max_nodes = 1,2", "--csv")
    assert told.code == 0
    rows = [line.split(",")[:2] for line in told.out.splitlines()]
    assert rows == [["[Daemon] max_nodes", "current"], ["", "1"], ["1", "0"], ["2", "0"]]


def test_a_wrong_sweep_is_told_before_anything_is_played(simulate: Simulate) -> None:
    told = simulate(
        "--config",
        "a.cfg",
        "--sweep",
        "[Daemon] max_nods = 1,2",
        "--sweep",
        "y",
        "--sweep",
        "[Daemon] min_nodes = a, b",
    )
    assert (told.code, told.out) == (2, "")
    assert told.errors == [
        "--sweep: 'y' is not [Section] option = value",
        "--sweep: [Daemon] max_nods: unknown option; the nearest known one is max_nodes",
        "--sweep: [Daemon] min_nodes: 'a' is not a whole number; allowed: a whole number, at least 0",
    ]


def test_ctrl_c_ends_a_sweep_with_what_there_is(simulate: Simulate, monkeypatch: pytest.MonkeyPatch) -> None:
    results = Workers.results

    def interrupted(*arguments: Any) -> Any:
        for each in results(*arguments):
            yield each
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(Workers, "results", interrupted)
    told = simulate("--config", "a.cfg", "--sweep", f"[Daemon] max_nodes = 4,{SLOW}", "--json", "--processes", "1")
    assert told.code == 130
    found = json.loads(told.out)
    assert found["partial"]
    assert [each["problem"] for each in found["points"]] == ["", "not played"]


def preview(capsys: pytest.CaptureFixture[str], *arguments: str) -> Printed:
    code = check_config.main(arguments)
    return Printed(code, *capsys.readouterr())


def test_a_preview_of_a_changed_configuration(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(simulate.previewed, "__defaults__", (plain_play,))
    arguments = ("--preview", "--trace", "trace.swf", "--seeds", "2")
    good = CONFIG.replace("provider = ec2", "provider = dummy").replace(
        "[Cloud Credentials]\nsecret = sesame-secret\n", ""
    )
    write_config(folder / "old.cfg", good)
    write_config(folder / "new.cfg", good, max_nodes=2)
    told = preview(capsys, "new.cfg", *arguments, "--against", "old.cfg")
    assert (told.code, told.err) == (0, "")
    assert told.out.startswith("new.cfg: ok, 1 size\nBefore: old.cfg\nAfter:  new.cfg\n")
    program = preview(capsys, "new.cfg", *arguments, "--against", "old.cfg", "--json")
    assert json.loads(program.out)["after"] == "new.cfg"
    assert program.err == "new.cfg: ok, 1 size\n"
    away = preview(capsys, "new.cfg", *arguments, "--against", AWAY)
    assert away.code == 2
    assert away.err.startswith(f"arvados-node-manager check-config: {AWAY}: no such file or directory; ")


def test_a_file_that_was_changed_in_place_is_not_compared_with_itself(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = CONFIG.replace("provider = ec2", "provider = dummy").replace(
        "[Cloud Credentials]\nsecret = sesame-secret\n", ""
    )
    write_config(folder / "same.cfg", good)
    (folder / "link.cfg").symlink_to(folder / "same.cfg")
    told = preview(capsys, "same.cfg", "--preview", "--trace", "trace.swf", "--against", "link.cfg")
    assert told.code == 2
    assert "same.cfg: it is compared with itself; --against names the file as it was before\n" in told.err


def test_no_preview_of_a_bad_configuration(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_config(folder / "bad.cfg", max_node=3)
    told = preview(capsys, "bad.cfg", "--preview", "--trace", "trace.swf", "--against", "a.cfg")
    assert told.code == 2
    assert "[Daemon] max_node: unknown option" in told.out
    assert "Before" not in told.out
    with pytest.raises(SystemExit):
        preview(capsys, "a.cfg", "--trace", "trace.swf")


def test_advice(simulate: Simulate, folder: Path) -> None:
    """The plain player waits for a free node only: more of them are quicker, at the same cost."""
    told = simulate("--config", "a.cfg", "--advise", "--json", "--seeds", "2", "--processes", "2")
    assert (told.code, told.err) == (0, "")
    found = json.loads(told.out)
    assert found["together"]["changes"] == ["[Daemon] max_nodes = 8"]
    verdicts = {each["words"]: each["verdict"] for each in found["tried"]}
    assert verdicts["8 nodes at most, not 4"] == "better"
    assert verdicts["nodes idle 5 polls before they go, not 2"] == "no"
    assert found["tried"][0]["words"] == "8 nodes at most, not 4"
    assert (found["over_asked"], found["as_used"], found["failed"]) == ([], None, [])
    people = simulate("--config", "a.cfg", "--advise", "--seeds", "2")
    assert people.out.startswith("Advice: 8 nodes at most, not 4\n  [Daemon] max_nodes = 8\n")


def test_no_better_one_is_found(simulate: Simulate) -> None:
    told = simulate("--config", "a.cfg", "--set", "[Daemon] max_nodes = 40", "--advise", "--seeds", "1")
    assert told.out.startswith("No better configuration found: ")
    assert told.code == 0


def test_advice_where_one_try_fails(simulate: Simulate) -> None:
    told = simulate("--config", "a.cfg", "--set", f"[Daemon] max_nodes = {FAULT // 2}", "--advise", "--seeds", "1")
    assert told.code == 1
    assert "cannot be played: ValueError: there is a fault" in told.out
    told = simulate("--config", "a.cfg", "--set", f"[Daemon] max_nodes = {FAULT}", "--advise", "--seeds", "1")
    assert (told.code, told.out) == (1, "")
    assert "it could not be played: ValueError: there is a fault" in told.errors


def test_memory_that_users_do_not_need(simulate: Simulate, folder: Path) -> None:
    row = "13 720 120 600 1 -1 1048576 1 900 4194304 1 7 1 1 1 1 -1 -1"
    write_trace(folder / "trace.swf", lines=[row])
    told = simulate("--config", "a.cfg", "--advise", "--json", "--seeds", "1")
    (user,) = json.loads(told.out)["over_asked"]
    assert (user["user"], user["jobs"], user["asked"], user["used"]) == ("user7", 1, 4096, 1024)
    people = simulate("--config", "a.cfg", "--advise", "--seeds", "1")
    assert "Had all asked for 1.2 times what they used: cost" in people.out


def typed(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """As at a prompt, with the real player, in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "arvnodeman", "simulate", *arguments],
        cwd=folder,
        env={**os.environ, "TZ": "UTC"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_the_real_command_line_with_the_real_player(folder: Path) -> None:
    done = typed(folder, "--config", "a.cfg", "--trace", "trace.swf", "--json", "--seed", "3")
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert (found["jobs"]["done"], found["seed"], found["partial"]) == (12, 3, False)
    assert found["cost"] > 12 * 600 / 3600 * 0.1
    assert done.stdout == typed(folder, "--config", "a.cfg", "--trace", "trace.swf", "--json", "--seed", "3").stdout
    swept = typed(folder, "--config", "a.cfg", "--trace", "trace.swf", "--sweep", "[Daemon] max_nodes = 2,4", "--json")
    points = json.loads(swept.stdout)["points"]
    waits = [each["figures"]["mean_wait"]["mean"] for each in points]
    assert waits[0] > waits[1]
    assert points[1]["current"]


def test_ctrl_c_at_a_prompt_ends_a_sweep_and_all_its_processes(folder: Path) -> None:
    """The trace is long enough for it to be under way."""
    write_trace(folder / "trace.swf", 4000)
    arguments = (
        "--config",
        "a.cfg",
        "--trace",
        "trace.swf",
        "--sweep",
        "[Daemon] max_nodes = 20,30",
        "--processes",
        "2",
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "arvnodeman", "simulate", *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        children: list[int] = []
        until(lambda: len(children_of(process.pid, children)) >= 2 or process.poll() is not None)
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 130, err
    assert out.startswith("PARTIAL: ")
    assert "Traceback" not in err
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in children))


def children_of(pid: int, found: list[int]) -> list[int]:
    """Those that spawned processes are; they are added to what was found."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            words = path.read_text().rpartition(")")[2].split()
            spawned = "spawn_main" in path.with_name("cmdline").read_text()
        except OSError:
            continue
        if int(words[1]) == pid and spawned and int(path.parent.name) not in found:
            found.append(int(path.parent.name))
    return found


def until(true: Callable[[], object]) -> None:
    end = time.monotonic() + 120
    while not true():
        assert time.monotonic() < end, "it does not come"
        time.sleep(0.05)


# ---- the history -----------------------------------------------------------------------------------------------------


def history(path: Path, boots: int = 6) -> Path:
    """Of nodes that each booted for 40 s, one after the other."""
    with sqlite3.connect(path, isolation_level=None) as connection:
        schema.create(connection)
        for number in range(1, boots + 1):
            row = (
                f"i{number}",
                1000.0 * number,
                1000.0 * number + 900,
                "destroyed",
                "n",
                "h",
                "m4",
                0.1,
                0,
                0,
                "",
                0,
                0,
            )
            connection.execute(schema.INSERT["life"], row)
        for at in range(0, 1000 * (boots + 2), 20):
            spent = 20.0 if 0 < at % 1000 <= 40 and at > 1000 else 0.0
            connection.execute(schema.INSERT["usage"], (at, "m4", spent, 0, 0, 0, 0))
    connection.close()
    return path


class Seen:
    """Plays as `plain_play`, and keeps what is assumed."""

    def __init__(self) -> None:
        self.scenarios: list[Scenario] = []

    def __call__(self, scenario: Scenario, **more: Any) -> Any:
        self.scenarios.append(scenario)
        return plain_play(scenario, **more)


def with_state(folder: Path) -> Path:
    """a.cfg has a state directory from now on."""
    path = folder / "a.cfg"
    path.write_text(path.read_text().replace("[Daemon]\n", f"[Daemon]\nstate_dir = {folder / 'state'}\n"))
    (folder / "state").mkdir()
    return folder / "state" / schema.FILE_NAME


def test_the_history_of_the_configured_daemon_is_used_and_named(simulate: Simulate, folder: Path) -> None:
    path, seen = history(with_state(folder)), Seen()
    told = simulate("--config", "a.cfg", "--json", player=seen)
    assert any(remark.endswith(f"measured: as in {path}") for remark in json.loads(told.out)["remarks"])
    assert seen.scenarios[0].assumed.boots == {"m4": seen.scenarios[0].assumed.all_boots}
    told = simulate("--config", "a.cfg", "--no-history", "--json", player=seen)
    assert str(path) not in told.out
    assert seen.scenarios[1].assumed.boots == {}


def test_a_history_that_cannot_be_read_is_said_and_left_out(simulate: Simulate, folder: Path) -> None:
    with_state(folder).write_text("hello " * 1000)
    told = simulate("--config", "a.cfg")
    assert told.code == 0
    assert "* boots and losses of nodes are as stated: " in told.out


def test_a_cloud_that_lets_no_node_be_can_be_asked_for(simulate: Simulate) -> None:
    seen = Seen()
    assert simulate("--config", "a.cfg", "--quota", "0", player=seen).code == 0
    assert seen.scenarios[0].assumed.quota == 0


def test_save_keeps_what_came_of_it_for_the_time_of_the_trace(simulate: Simulate, folder: Path) -> None:
    path = history(with_state(folder))
    told = simulate("--config", "a.cfg", "--set", "[Daemon] max_nodes = 3", "--json", "--save")
    assert (told.code, told.err) == (0, f"saved in {path}; report --predictions will compare it with what happens\n")
    shown = json.loads(told.out)
    with reading(path) as connection:
        (score,) = scores(connection, 0, time.time() + 1, time.time())
    kept = score.prediction
    assert (kept.since, kept.until) == (shown["began"], shown["ended"])
    assert (kept.jobs, kept.cost, kept.mean_wait) == (12, shown["cost"], shown["waits"]["mean"])
    assert kept.node_hours == pytest.approx(sum(shown["node_hours"].values()))
    assert kept.config == f"{folder / 'a.cfg'} [Daemon] max_nodes = 3" or kept.config.startswith("a.cfg ")


def test_save_with_a_date_is_of_a_time_as_long_from_then_on(simulate: Simulate, folder: Path) -> None:
    path = history(folder / "copy.sqlite")
    told = simulate("--config", "a.cfg", "--json", "--history", str(path), "--save", "2026-01-01", "--zone", "UTC")
    shown = json.loads(told.out)
    with reading(path) as connection:
        (score,) = scores(connection, 0, time.time() + 1, time.time())
    assert score.prediction.since == 1_767_225_600
    assert score.hours == pytest.approx((shown["ended"] - shown["began"]) / 3600)


def test_save_wants_one_configuration_a_date_and_a_history(simulate: Simulate, folder: Path) -> None:
    told = simulate("--sweep", "[Daemon] max_nodes = 1,2", "--config", "a.cfg", "--save")
    assert (told.code, told.errors) == (2, ["--save works with one configuration only"])
    told = simulate("--config", "a.cfg", "--save", "soon")
    assert (told.code, told.out, len(told.errors)) == (2, "", 1)
    with_state(folder)
    told = simulate("--config", "a.cfg", "--save")
    assert told.code == 1
    assert told.errors[0].startswith(f"--save: {folder / 'state'}")
    assert told.out.startswith("From ")
