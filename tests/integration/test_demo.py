"""The demo as people start it: it ends well by itself, and an interrupt leaves nothing behind."""

from __future__ import annotations

import re
import shlex
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from demo_process import Demo


@pytest.fixture
def demos(tmp_path: Path) -> Iterator[list[Demo]]:
    started: list[Demo] = []
    yield started
    for demo in started:
        demo.process.kill()
        demo.process.communicate()


def test_it_ends_by_itself_with_a_summary_and_leaves_nothing(tmp_path: Path, demos: list[Demo]) -> None:
    demo = Demo(tmp_path, "--jobs", "6", "--seconds", "45", "--seed", "3")
    demos.append(demo)
    text = demo.end()
    assert demo.process.returncode == 0, text
    assert re.search(r"jobs run: +6 of 6\n", text)
    assert "no node and no slot is left" in text
    assert "is destroyed" in text
    assert demo.left() == []


@pytest.mark.long
@pytest.mark.parametrize(
    ("records", "words"),
    [
        ("slurm", "There is no Arvados: Slurm is alone"),
        ("arvados-3", "Its Arvados is a 3.x: the jobs are containers"),
    ],
)
def test_it_shows_the_other_setups(tmp_path: Path, demos: list[Demo], records: str, words: str) -> None:
    demo = Demo(tmp_path, "--records", records, "--jobs", "4", "--seconds", "60", "--seed", "3")
    demos.append(demo)
    text = demo.end()
    assert demo.process.returncode == 0, text
    assert words in text
    assert re.search(r"jobs run: +4 of 4\n", text)
    assert "no node and no slot is left" in text
    assert demo.left() == []


@pytest.mark.parametrize(
    ("moment", "number"),
    [
        ("is created", signal.SIGINT),
        pytest.param("starts on", signal.SIGTERM, marks=pytest.mark.long),
        *(
            pytest.param(moment, signal.SIGINT, marks=pytest.mark.long)
            for moment in ("", "A made-up site", "starts on")
        ),
        *(
            pytest.param(moment, signal.SIGTERM, marks=pytest.mark.long)
            for moment in ("", "A made-up site", "is created")
        ),
    ],
)
def test_an_interrupt_at_any_moment_leaves_nothing(
    tmp_path: Path, demos: list[Demo], moment: str, number: signal.Signals
) -> None:
    demo = Demo(tmp_path, "--jobs", "6", "--seconds", "45", "--seed", "3")
    demos.append(demo)
    if moment:
        demo.read_until(moment)
    else:
        end = time.monotonic() + 20
        while len(demo.processes()) < 2 and time.monotonic() < end:  # the site is being started
            time.sleep(0.005)
    demo.process.send_signal(number)
    demo.process.send_signal(number)  # impatience does no harm
    text = demo.end()
    assert demo.process.returncode == 130, text
    assert demo.left() == []


@pytest.mark.long
def test_a_demo_that_is_not_over_in_time_says_so_and_fails(tmp_path: Path, demos: list[Demo]) -> None:
    demo = Demo(tmp_path, "--jobs", "400", "--seconds", "5", "--seed", "3")
    demos.append(demo)
    text = demo.end()
    assert demo.process.returncode == 1
    assert "It went wrong: not over within 5 seconds." in text
    assert "Traceback" not in text
    assert demo.left() == []


@pytest.mark.long
def test_a_demo_without_an_end_serves_its_page_until_it_is_interrupted(tmp_path: Path, demos: list[Demo]) -> None:
    demo = Demo(tmp_path, "--open-ended")
    demos.append(demo)
    text = demo.read_until("The daemon's page")
    found = re.search(r"(http://127.0.0.1:\d+/) \(the token that it asks for: (\w+)\)", text)
    assert found is not None, text
    assert "<title>Node Manager</title>" in requests.get(found[1], timeout=30).text
    assert requests.get(f"{found[1]}v1/status", timeout=30).status_code == 401
    right = {"Authorization": f"Bearer {found[2]}"}
    status = requests.get(f"{found[1]}v1/status", headers=right, timeout=30).json()
    assert status["max_total_price"] > 0
    asked = demo.read_until("Ask it, in another terminal: ").splitlines()[-1].partition(": ")[2]
    told = subprocess.run(shlex.split(asked), capture_output=True, text=True, timeout=60, check=False)
    assert told.stdout.startswith("Arvados Node Manager "), told.stderr
    demo.read_until("starts on")
    demo.process.send_signal(signal.SIGINT)
    text = demo.end()
    assert demo.process.returncode == 0, text
    assert re.search(r"ended: \d+ jobs have run on \d+ nodes", text)
    assert demo.left() == []


def test_a_demo_without_an_end_has_no_length(tmp_path: Path, demos: list[Demo]) -> None:
    demo = Demo(tmp_path, "--open-ended", "--jobs", "3")
    demos.append(demo)
    assert "--open-ended has no end and counts no jobs: leave --seconds and --jobs away" in demo.end()
    assert demo.process.returncode == 2
