"""The real daemon when something hangs: it ends itself, says why, and an orderly stop is still orderly."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from daemon_process import BOUND, DaemonProcess, mute_port

from arvnodeman.sandbox.process import SiteProcess


@pytest.fixture(scope="module")
def site() -> Iterator[SiteProcess]:
    with SiteProcess(speed=50) as site:
        yield site


class Hung:
    """A daemon whose poller of the node records waits for an answer that never comes."""

    def __init__(self, site: SiteProcess, folder: Path, mute: int, watchdog: float) -> None:
        self.state_dir = folder / "state"
        self.state_dir.mkdir()
        log = folder / "log"
        config = site.write_config(
            folder / "site.cfg",
            {
                "Logging": {"file": log, "level": "INFO"},
                "Arvados": {"host": f"http://127.0.0.1:{mute}", "timeout": 600, "node_records": "arvados"},
            },
            watchdog=watchdog,
            watchdog_interval=0.2,
            state_dir=self.state_dir,
        )
        self.daemon = DaemonProcess(config, log, site.environment())
        self.daemon.wait_for_line("CloudNodeListMonitorActor")


@pytest.fixture
def hung(site: SiteProcess, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Hung]:
    with ExitStack() as stack:
        hung = Hung(site, tmp_path, stack.enter_context(mute_port()), request.param)
        stack.callback(hung.daemon.end)
        yield hung


@pytest.mark.parametrize("hung", [1.0], indirect=True)
def test_a_hung_poller_ends_the_process_with_last_words(hung: Hung) -> None:
    """Rows L3, L5: SIGKILL, after one CRITICAL line and the stack of every thread."""
    assert hung.daemon.process.wait(BOUND) == -signal.SIGKILL
    log = hung.daemon.text()
    half_way, _, end = log.partition(" CRITICAL: ")
    assert end.startswith("Actor ArvadosNodeListMonitorActor (urn:uuid:")
    assert "watchdog ping time out, killing Node Manager" in end.splitlines()[0]
    assert "has not answered its watchdog ping" in half_way
    assert "actor ArvadosNodeListMonitorActor" in end
    assert "PollDue for " in end
    assert "list_records" in end
    words = json.loads((hung.state_dir / "last_words.json").read_text())
    assert words["cause"] == "watchdog"
    assert words["subject"].startswith("ArvadosNodeListMonitorActor")
    assert any("list_records" in call for stack in words["stacks"].values() for call in stack)


@pytest.mark.parametrize("hung", [600.0], indirect=True)
def test_the_third_signal_of_a_kind_exits_at_once(hung: Hung) -> None:
    """Several of one kind may reach the process as one, so they are sent until it ends."""
    process = hung.daemon.process
    end = time.monotonic() + BOUND
    while process.poll() is None and time.monotonic() < end:
        process.send_signal(signal.SIGINT)
        time.sleep(0.02)
    assert process.returncode == 128 + signal.SIGINT


@pytest.mark.parametrize("hung", [600.0], indirect=True)
def test_an_orderly_stop_does_not_wait_for_what_hangs(hung: Hung) -> None:
    """Rows L9, N10."""
    assert hung.daemon.stop() == 0
    assert "Some actors hang; ending without them" in hung.daemon.text()
    assert "CRITICAL" not in hung.daemon.text()
