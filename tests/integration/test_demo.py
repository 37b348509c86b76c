"""The demo as people start it: it ends well by itself, and an interrupt leaves nothing behind."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
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


@pytest.mark.parametrize("moment", ["", "A made-up site", "is created", "starts on"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
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


def test_a_demo_that_is_not_over_in_time_says_so_and_fails(tmp_path: Path, demos: list[Demo]) -> None:
    demo = Demo(tmp_path, "--jobs", "400", "--seconds", "5", "--seed", "3")
    demos.append(demo)
    text = demo.end()
    assert demo.process.returncode == 1
    assert "It went wrong: not over within 5 seconds." in text
    assert "Traceback" not in text
    assert demo.left() == []
