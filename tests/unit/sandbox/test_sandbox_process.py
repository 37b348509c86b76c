"""The site as a process, and the four Slurm commands as programs."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from arvnodeman.config import load
from arvnodeman.sandbox.commands import write_commands
from arvnodeman.sandbox.process import SiteFailed, SiteProcess
from arvnodeman.sandbox.settings import SiteAddress, config_options
from arvnodeman.sandbox.site import greeting


@pytest.fixture(scope="module")
def site() -> Iterator[SiteProcess]:
    with SiteProcess(speed=200, slots=4) as process:
        yield process


def run(site: SiteProcess, *argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, env=site.environment(), capture_output=True, text=True, timeout=30, check=False)


def until(true: Callable[[], bool], seconds: float = 20.0) -> bool:
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


def test_the_commands_give_slurms_output_and_return_code(site: SiteProcess) -> None:
    done = run(site, "sinfo", "--noheader", "--nodes=compute1", "--format=%n|%w|%f")
    assert (done.returncode, done.stdout, done.stderr) == (0, "compute1|1|(null)\n", "")
    done = run(site, "scontrol", "update", "NodeName=nosuch", "State=RESUME")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "slurm_update error: Invalid node name specified\n"


@pytest.mark.parametrize(
    "reason",
    [
        "Node Manager shutdown (sb-000001)",
        'it\'s "quoted"',
        "$(touch pwned) `id` $HOME *",
        "a|b;c&d>e<f",
        "%s %d %% \\n \\0 \\\\",
        " blanks  inside ",
        "größer – ✓",
        "-n -e",
        "two\nlines",
    ],
)
def test_arguments_arrive_as_they_are(site: SiteProcess, reason: str) -> None:
    done = run(site, "scontrol", "update", "NodeName=compute2", "State=DRAIN", f"Reason={reason}")
    assert (done.returncode, done.stderr) == (0, "")
    assert run(site, "sinfo", "-h", "-n", "compute2", "-o", "%E").stdout == f"{reason}\n"


def test_an_empty_argument_and_many_of_them_arrive(site: SiteProcess) -> None:
    assert run(site, "scontrol", "").stderr == "invalid keyword: \n"
    names = ",".join(f"x{number}" for number in range(3000))
    assert run(site, "sinfo", "-h", "-n", names, "-o", "%n", *["-h"] * 500).returncode == 0


def test_without_the_site_the_commands_fail_as_without_slurmctld(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        write_commands(tmp_path, free.getsockname()[1])
        words = "Unable to contact slurm controller (connect failure)\n"
        for argv, stderr in (
            (["sinfo"], f"slurm_load_partitions: {words}"),
            (["squeue", "-h"], f"slurm_load_jobs error: {words}"),
            (["scontrol", "update", "NodeName=a", "State=RESUME"], f"slurm_update error: {words}"),
            (["scontrol", "show", "node", "a"], f"slurm_load_node error: {words}"),
            (["scancel", "1"], f"slurm_load_jobs error: {words}"),
        ):
            done = subprocess.run(
                [tmp_path / argv[0], *argv[1:]], capture_output=True, text=True, timeout=30, check=False
            )
            assert (done.returncode, done.stdout, done.stderr) == (1, "", stderr)
        ping = subprocess.run([tmp_path / "scontrol", "ping"], capture_output=True, text=True, timeout=30, check=False)
        assert "is DOWN" in ping.stdout


def test_a_site_that_ends_in_the_middle_of_an_answer_is_a_failure_too(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        write_commands(tmp_path, server.getsockname()[1])
        command = subprocess.Popen([tmp_path / "sinfo"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        connection, _ = server.accept()
        connection.recv(10_000)
        connection.sendall(b"HTTP/1.1 200 OK\r\nX-Ret")
        connection.close()
        out, err = command.communicate(timeout=30)
    assert (command.returncode, out) == (1, "")
    assert "Unable to contact slurm controller" in err


def test_jobs_can_be_added_and_looked_at(site: SiteProcess) -> None:
    (name,) = site.add_jobs({"cores": 2, "size": "small"})
    state = site.wait_for(lambda s: s["jobs"] == {"pending": 1}, lists=["jobs"])
    assert state["job_list"][0]["name"] == name
    assert name in run(site, "squeue", "-h", "-o", "%j").stdout
    site.post("settings", {"resubmit_cancelled": False})
    run(site, "scancel", f"--name={name}")
    assert site.wait_for(lambda s: s["jobs"] == {"cancelled": 1})["quiet"]
    assert site.verdict()["cancelled"] == 1


def test_a_bad_request_is_one_line(site: SiteProcess) -> None:
    with pytest.raises(SiteFailed, match="unknown fault 'nope'"):
        site.post("faults", {"rates": {"nope": 1}})
    with pytest.raises(TimeoutError, match="not so within"):
        site.wait_for(lambda s: False, timeout=0.01)


def test_answers_carry_a_date(site: SiteProcess) -> None:
    with urllib.request.urlopen(f"{site.address.url}/site/ready", timeout=30) as answer:
        assert answer.headers["Date"].endswith("GMT")


def test_the_configuration_file_is_a_good_one(site: SiteProcess, tmp_path: Path) -> None:
    path = site.write_config(
        tmp_path / "a.ini", {"Size tiny": {"cores": 1, "instance_type": "small"}, "Size himem": None}, max_nodes=3
    )
    settings = load(str(path))
    assert settings.warnings == ()
    assert settings.daemon.max_nodes == 3
    assert settings.daemon.dispatcher == "slurm"
    assert {size.id for size in settings.sizes} == {"tiny", "small", "medium", "large", "xlarge"}
    assert settings.cloud.create["ping_host"] == site.address.url


def test_the_address_survives_its_line(site: SiteProcess) -> None:
    assert SiteAddress.from_line(site.address.line()) == site.address
    assert config_options(site.address)["Arvados"]["host"] == site.address.url


def test_people_are_told_how_to_use_a_site(site: SiteProcess) -> None:
    text = greeting(site.address, "a.ini")
    assert f"PATH={site.address.bin}:$PATH arvados-node-manager --config a.ini --foreground" in text
    assert site.address.url in text
    assert "--config FILE" in greeting(site.address, None)


def test_stop_leaves_no_process_and_no_directory() -> None:
    process = SiteProcess(speed=200, slots=2)
    folder = Path(process.address.bin)
    assert folder.is_dir()
    process.stop()
    process.stop()
    assert gone(process.pid)
    assert not folder.exists()


@pytest.mark.parametrize("how", ["request", "eof", "SIGINT"])
def test_a_site_ends_when_told_so(how: str) -> None:
    command = [sys.executable, "-m", "arvnodeman.sandbox.site", "--until-eof", "--slots", "2"]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    port = json.loads(process.stdout.readline())["port"]
    if how == "request":
        request = urllib.request.Request(f"http://127.0.0.1:{port}/site/stop", data=b"{}", method="POST")
        urllib.request.urlopen(request, timeout=30).close()
    elif how == "SIGINT":
        process.send_signal(signal.SIGINT)
    else:
        process.stdin.close()
        process.stdin = None
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")


def test_a_site_that_is_told_again_and_again_still_ends_well() -> None:
    command = [sys.executable, "-m", "arvnodeman.sandbox.site", "--slots", "2"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    while process.poll() is None:
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        time.sleep(0.001)
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")


def test_a_site_ends_with_whoever_started_it() -> None:
    """Also when that is killed."""
    code = (
        "import time; from arvnodeman.sandbox.process import SiteProcess\n"
        "site = SiteProcess(slots=2); print(site.pid, flush=True); time.sleep(600)"
    )
    starter = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert starter.stdout is not None
    pid = int(starter.stdout.readline())
    starter.kill()
    starter.wait()
    starter.stdout.close()
    assert until(lambda: gone(pid))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--speed", "0"], "must be above 0"),
        pytest.param(["--fault", "nope=1"], "unknown fault", marks=pytest.mark.long),
        pytest.param(["--fault", "create-lost"], "is not NAME=RATE", marks=pytest.mark.long),
        pytest.param(["--port", "99999"], "no port 99999", marks=pytest.mark.long),
        (["--config", "/nonexistent/x.ini"], "/nonexistent/x.ini"),
    ],
)
def test_a_wrong_command_line_is_one_line_and_no_traceback(options: list[str], words: str) -> None:
    command = [sys.executable, "-m", "arvnodeman.sandbox.site", *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode in (1, 2)
    assert words in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
