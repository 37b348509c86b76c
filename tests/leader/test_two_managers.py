"""Two real daemons at one sandbox site, on one store of leads: one acts, the other stands by and takes over."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from managers_stage import Managers

from arvnodeman.sandbox.process import SiteProcess

STORE = "store"
PROGRAM = Path(__file__).with_name("file_leadership.py")
ACTS = "This manager leads now, generation {}"


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Managers]:
    with SiteProcess(speed=30) as site:
        program = [sys.executable, str(PROGRAM), str(tmp_path / STORE)]
        made = Managers(site, tmp_path, lambda _name: {"backend": "zookeeper", "servers": "in a file"}, program)
        try:
            yield made
        finally:
            made.end()


def test_the_other_takes_over_when_the_leader_is_killed_and_nothing_is_doubled(pair: Managers) -> None:
    a = pair.start("a")
    a.wait_for_line(ACTS.format(1))
    b = pair.start("b")
    b.wait_for_line("This manager stands by, and does nothing: a:")
    pair.site.add_jobs(*({"cores": 1, "duration": 300} for _ in range(4)))
    a.wait_for_line(" created.", 2)  # and others are under way

    shown = json.loads(pair.ask("b", "status", "--json").stdout)["status"]
    assert shown["leader"]["leads"] is False
    assert shown["leader"]["leader"].startswith("a:")
    assert shown["blocked"].startswith("this manager stands by: a:")
    node = pair.site.state("nodes")["node_list"][0]["id"]
    refused = pair.ask("b", "kill", node)
    assert refused.returncode != 0
    assert "this manager stands by and takes no directives: a:" in refused.stderr
    assert pair.generations() == {1}

    a.process.send_signal(signal.SIGKILL)
    a.process.wait()
    pair.site.add_jobs({"cores": 8, "duration": 60})
    b.wait_for_line(ACTS.format(2))
    pair.end_well(5)
    assert b.stop() == 0
    assert "not the leader" not in a.text()


def test_a_leader_that_stood_still_does_nothing_more(pair: Managers) -> None:
    a = pair.start("a")
    a.wait_for_line(ACTS.format(1))
    b = pair.start("b")
    b.wait_for_line("This manager stands by")
    pair.site.add_jobs(*({"cores": 1, "duration": 60} for _ in range(3)))
    a.wait_for_line(" created.")
    a.process.send_signal(signal.SIGSTOP)
    b.wait_for_line(ACTS.format(2))
    a.process.send_signal(signal.SIGCONT)
    a.wait_for_line("This manager stands by, and does nothing: b:")
    pair.end_well(3)
    # an orderly stop lets the other one lead at once: long before its lead would have run out
    assert b.stop() == 0
    a.wait_for_line(ACTS.format(3))
    assert a.stop() == 0


def test_a_store_that_is_away_stops_everything_and_loses_nothing(pair: Managers) -> None:
    a = pair.start("a")
    a.wait_for_line(ACTS.format(1))
    away = pair.folder / f"{STORE}.away"
    away.touch()
    a.wait_for_line("backend does not say who leads: it is away")
    a.wait_for(lambda: "was not renewed in time" in pair.ask("a", "status").stdout, "the end of the lead")
    pair.site.add_jobs(*({"cores": 1, "duration": 60} for _ in range(2)))
    a.wait_for(lambda: "2 wait" in pair.ask("a", "status").stdout, "the jobs")
    assert pair.site.verdict()["nodes_booted"] == 0
    away.unlink()
    pair.end_well(2)
    assert a.text().count("This manager leads now") == 1  # nobody has taken it meanwhile: the same lead goes on
    assert a.stop() == 0
