"""The recorder and its writer: what a Fleet's world leaves in the file, over restarts, kills and full disks."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from world import EPOCH, HOUR, MINUTE, World, jobs, policy

from arvnodeman.fleet.messages import Decided, Note
from arvnodeman.fleet.values.model import Job
from arvnodeman.fleet.values.waits import JobWaits
from arvnodeman.fleet.view.published import Published
from arvnodeman.history import schema, writer
from arvnodeman.history.file import EarlierRuns, HistoryFile
from arvnodeman.history.outbox import Outbox
from arvnodeman.history.recorder import Recorder
from arvnodeman.supervision.clock import Clock
from arvnodeman.supervision.vitals import Vitals

BOUND = 30.0


def until(condition: Callable[[], object], what: str) -> None:
    end = time.monotonic() + BOUND
    while not condition():
        assert time.monotonic() < end, f"{what} did not come"
        time.sleep(0.01)


def ask(folder: Path, query: str) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(f"file:{folder / schema.FILE_NAME}?mode=ro", uri=True)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


@dataclass
class Site:
    """A world, what a daemon publishes of it, and its recorder; `look()` is called by the test, the writer runs."""

    folder: Path | None
    world: World = field(default_factory=lambda: World(policy(shutdown_windows=(1e9, 1.0))))
    waits: JobWaits = field(default_factory=JobWaits)
    recorders: list[Recorder] = field(default_factory=list)

    def start(self, days: int = 90) -> Recorder:
        """A new run: it knows only what the file has."""
        self.published = Published(self.world.fleet.view)
        self.waits = JobWaits()
        vitals = Vitals(Clock(now=lambda: self.world.now, monotonic=lambda: self.world.now))
        self.recorder = Recorder(self.published, vitals, 60.0, self.waits, self.folder, days)
        self.recorders.append(self.recorder)
        if (writing := self.recorder._writer) is not None:
            writing.start()
            self.recorder._begin(writing)
        return self.recorder

    def cycle(self, *waiting: Job, times: int = 1) -> None:
        """A minute, and what the daemon publishes of it."""
        for _ in range(times):
            told = len(self.world.notes)
            self.world.cycle(*waiting)
            self.publish(self.world.notes[told:])

    def publish(self, notes: list[Note]) -> None:
        self.published.view = self.world.fleet.view
        for note in notes:
            if note.kind is not None:
                self.published.decisions.add(self.world.now, note.kind, note.subject, note.text, note.args)
        self.waits.update(self.world.jobs, self.world.now)
        self.recorder.observe()

    def stop(self) -> None:
        self.recorder.observe(last=True)
        if self.recorder._writer is not None:
            self.recorder._writer.stop(BOUND)

    def restart(self) -> Recorder:
        """The daemon ends and begins anew; nodes live on."""
        self.stop()
        self.world.restart()
        return self.start()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    site.world.node("compute1", "large", slurm="alloc", age=HOUR)
    site.world.node("compute2", "small", slurm="idle", age=HOUR / 2)
    site.start()
    site.world.begin()
    site.publish([])
    yield site
    for recorder in site.recorders:
        if recorder._writer is not None:
            recorder._writer.stop(BOUND)


def test_all_that_is_worth_knowing_gets_into_the_file(site: Site, tmp_path: Path) -> None:
    site.cycle(*jobs(3), times=3)
    site.world.jobs = ()
    site.cycle(times=2)
    site.stop()
    assert ask(tmp_path, "SELECT count(*) FROM sample")[0][0] in (5, 6)
    assert dict(ask(tmp_path, "SELECT size, count(*) FROM life GROUP BY size"))["large"] == 1
    spent = {
        size: (idle, busy)
        for size, idle, busy in ask(tmp_path, "SELECT size, sum(idle), sum(busy) FROM usage GROUP BY 1")
    }
    assert spent["large"][1] == pytest.approx(5 * MINUTE, abs=10)
    assert spent["small"][0] == pytest.approx(5 * MINUTE, abs=MINUTE)
    assert sum(count for (count,) in ask(tmp_path, "SELECT jobs FROM wait")) == 3
    assert ask(tmp_path, "SELECT * FROM waiting") == []
    assert {"boot"} <= {kind for (kind,) in ask(tmp_path, "SELECT kind FROM decision")}
    assert dict(ask(tmp_path, "SELECT size, price FROM price")) == {"small": 0.1, "large": 0.4}


def test_the_cost_is_right_over_restarts(site: Site) -> None:
    site.cycle(times=3)
    first = site.recorder.chronicle.costs(site.world.now).day
    site.restart()
    site.world.now += 5 * MINUTE  # the daemon is away
    site.world.begin()
    site.publish([])
    site.cycle(times=3)
    costs = site.recorder.chronicle.costs(site.world.now)
    hours = (site.world.now - EPOCH) / HOUR
    rate = 0.4 + 0.1
    assert costs.day == pytest.approx(0.4 * (1 + hours) + 0.1 * (0.5 + hours), rel=0.01)
    assert costs.day > first + rate * 8 * MINUTE / HOUR


def test_before_the_sizes_are_known_no_node_has_another_price(site: Site, tmp_path: Path) -> None:
    """After a start the cloud's list may come before its sizes."""
    site.cycle(times=2)
    site.restart()
    site.world.poll_cloud()
    site.publish([])
    site.world.sizes()
    site.world.poll_cloud()
    site.publish([])
    site.world.begin()
    site.publish([])
    site.cycle()
    site.stop()
    assert ask(tmp_path, "SELECT size, how FROM life ORDER BY size") == [("large", ""), ("small", "")]


def test_a_node_that_went_before_a_restart_is_still_paid_for(site: Site) -> None:
    site.cycle()
    gone = site.published.view.nodes
    name = next(node.name for node in gone.values() if node.size == "large")
    site.published.decisions.add(site.world.now, Decided.DESTROYED, name, "Shutdown success")
    site.recorder.observe()
    before = site.recorder.chronicle.costs(site.world.now).day
    identity = next(key for key, node in site.world.cloud.items() if node.name == name)
    del site.world.cloud[identity]
    site.restart()
    site.world.begin()
    site.publish([])
    assert site.recorder.chronicle.costs(site.world.now).day == pytest.approx(before, rel=0.01)


def test_without_a_file_the_last_hours_and_the_costs_since_the_start_are_there(tmp_path: Path) -> None:
    site = Site(None)
    site.world.node("compute1", "large", slurm="alloc", age=HOUR)
    site.start()
    site.world.begin()
    site.publish([])
    site.cycle(times=4)
    chronicle = site.recorder.chronicle
    assert len(chronicle.recent.since(0)) >= 4
    costs = chronicle.costs(site.world.now)
    assert (costs.complete, costs.since) == (False, EPOCH)
    assert costs.day > 0.4
    assert not chronicle.writing
    assert list(tmp_path.iterdir()) == []


def test_no_file_is_made_when_none_is_wanted(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.start(days=0)
    site.cycle()
    assert list(tmp_path.iterdir()) == []


def test_the_week_before_is_drawn_after_a_restart(site: Site) -> None:
    site.cycle(times=4)
    before = [one.at for one in site.recorder.chronicle.recent.since(0)]
    recorder = site.restart()
    assert [one.at for one in recorder.chronicle.recent.since(0)] == before


def test_waits_go_on_over_a_restart(site: Site, tmp_path: Path) -> None:
    waiting = jobs(2)
    site.cycle(*waiting, times=5)
    since = min(site.waits.since.values())
    site.restart()
    site.world.jobs = waiting
    site.world.begin(*waiting)
    site.publish([])
    site.cycle(*waiting)
    assert site.waits.oldest == since
    site.world.jobs = ()
    site.cycle()
    site.stop()
    ((jobs_, longest),) = ask(tmp_path, "SELECT sum(jobs), max(longest) FROM wait")
    assert jobs_ == 2
    assert longest == pytest.approx(site.world.now - since, abs=2)
    assert ask(tmp_path, "SELECT * FROM waiting") == []


def test_jobs_that_left_in_a_long_absence_have_waited_nobody_knows_how_long(site: Site, tmp_path: Path) -> None:
    site.cycle(*jobs(2), times=2)
    site.stop()
    site.world.jobs = ()
    site.world.now += 3 * HOUR
    site.world.restart()
    site.start()
    site.world.begin()
    site.publish([])
    site.cycle(times=2)
    site.stop()
    assert ask(tmp_path, "SELECT * FROM wait") == []
    assert ask(tmp_path, "SELECT * FROM waiting") == []


def test_decisions_that_come_too_fast_are_counted_as_missed(site: Site) -> None:
    for number in range(1500):
        site.published.decisions.add(site.world.now, Decided.BOOT, "small", "number %d", (number,))
    site.recorder.observe()
    assert site.recorder.chronicle.missed == 500


def test_a_clock_that_is_set_back_stops_nothing(site: Site) -> None:
    site.cycle(times=3)
    site.world.now -= 10 * MINUTE
    site.recorder.observe()
    site.cycle(times=15)
    assert site.recorder.chronicle.costs(site.world.now).day > 0


# ---- the writer's troubles ------------------------------------------------------------------------------------------


def write_and_wait(site: Site) -> None:
    writing = site.recorder._writer
    assert writing is not None
    writing._wake.set()
    until(lambda: not len(writing.outbox) and not writing._wake.is_set(), "the end of a batch")


def fill(folder: Path) -> Path:
    """Take all the room there is."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"\0" * 1024)
    return ballast


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of half a megabyte."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("root may not mount on this machine")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_costs_a_line_and_no_row(small_disk: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    site = Site(small_disk)
    site.world.node("compute1", "large", slurm="alloc", age=HOUR)
    site.start()
    site.world.begin()
    site.publish([])
    ballast = fill(small_disk)
    for number in range(600):
        site.published.decisions.add(site.world.now, Decided.BOOT, "small", "%s", (f"{number} " + "x" * 300,))
    site.cycle(times=3)
    until(lambda: "full" in caplog.text, "the line")
    site.cycle(times=3)
    until(lambda: not site.recorder.chronicle.writing, "the failure")
    assert caplog.text.count("cannot be written") == 1
    assert "the daemon continues without it" in caplog.text
    assert site.recorder.chronicle.costs(site.world.now).hour > 0
    ballast.unlink()
    site.cycle(times=2)
    until(lambda: "is written again" in caplog.text, "the end of the trouble")
    site.stop()
    assert ask(small_disk, "SELECT count(*) FROM decision")[0][0] >= 600
    assert site.recorder.chronicle.dropped == 0


def test_a_disk_that_was_full_from_the_start(small_disk: Path, caplog: pytest.LogCaptureFixture) -> None:
    ballast = fill(small_disk)
    site = Site(small_disk)
    site.start()
    site.world.begin()
    site.publish([])
    site.cycle(times=2)
    assert "cannot be written" in caplog.text
    ballast.unlink()
    site.cycle(times=2)
    site.stop()
    assert ask(small_disk, "SELECT count(*) FROM sample")[0][0]


def test_what_finds_no_room_is_dropped_and_counted() -> None:
    outbox = Outbox(most=10)
    outbox.put(("sample", (number,)) for number in range(25))
    outbox.put(("life", ("i-1", 5.0, number)) for number in range(25))
    assert outbox.dropped == 15
    rows = outbox.take()
    assert rows[0] == ("life", ("i-1", 5.0, 24)), "the newest account of a life"
    outbox.put([("life", ("i-1", 5.0, 99)), ("sample", (77,))])
    outbox.give_back(rows)
    again = outbox.take()
    assert again[0] == ("life", ("i-1", 5.0, 99))
    assert [values[0] for _, values in again[1:]] == list(range(10))
    assert outbox.dropped == 16


def test_a_file_that_may_not_be_touched(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    site = Site(tmp_path / "away")
    site.start()
    site.world.begin()
    site.publish([])
    site.cycle(times=3)
    until(lambda: "cannot be written: No such file or directory" in caplog.text, "the line")
    (tmp_path / "away").mkdir()
    site.cycle(times=2)
    site.stop()
    assert caplog.text.count("cannot be written") == 1
    assert ask(tmp_path / "away", "SELECT count(*) FROM sample")[0][0]


def test_lives_that_an_earlier_run_left_open_are_not_counted_twice_when_they_could_not_be_read(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.cycle(times=2)
    site.stop()
    site.world.restart()

    def unreadable(_self: HistoryFile, since: float) -> EarlierRuns:
        raise sqlite3.OperationalError("database is locked")

    with monkeypatch.context() as patch:
        patch.setattr(HistoryFile, "earlier_runs", unreadable)
        site.start()
    site.world.now += 30
    site.world.begin()
    site.publish([])
    site.cycle(times=2)
    site.stop()
    assert sorted(ask(tmp_path, "SELECT size, count(*) FROM life GROUP BY size")) == [("large", 1), ("small", 1)]


TORN = """SELECT count(*) FROM sample
    WHERE 200 != (SELECT count(*) FROM decision WHERE decision.at = sample.at)
    OR 1 != (SELECT count(*) FROM tally WHERE tally.at = sample.at)"""


def torn(path: Path) -> int:
    """Batches that are not there whole; while old ones are pruned, samples go first."""
    ((count,),) = ask(path.parent, TORN)
    return int(count)


WRITER = """
import sys
from pathlib import Path
from arvnodeman.history.file import HistoryFile
file = HistoryFile(Path(sys.argv[1]))
file.open()
last = file.earlier_runs(0).last
number = 0 if last is None else int(last)
print("ready", flush=True)
while True:
    number += 1
    rows = [("decision", (number, "boot", "small", "x" * 300)) for _ in range(200)]
    file.write([("sample", (number, 0, 0, 1, 2, 0, 3, 8, 0.5)), *rows, ("tally", (number, "boots_up", 1))])
    if number % 7 == 0:
        file.prune(number - 50)
"""


def test_a_writer_may_be_killed_at_any_instant(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """However often: each batch is there whole or not at all, and nothing is set aside."""
    path = tmp_path / schema.FILE_NAME
    lasts = [0.0]
    for round_ in range(12):
        child = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        time.sleep(0.02 + 0.013 * round_)
        child.send_signal(signal.SIGKILL)
        child.communicate()
        file = HistoryFile(path)
        file.open()
        assert torn(path) == 0
        lasts.append(file.earlier_runs(0).last or 0.0)
        file.close()
    assert lasts == sorted(lasts)
    assert lasts[-1] > 12
    assert not caplog.messages
    assert not path.with_name("history.sqlite.set-aside").exists()


def test_a_reader_in_between_meets_whole_batches_while_the_writer_lives(tmp_path: Path) -> None:
    path = tmp_path / schema.FILE_NAME
    child = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        seen: set[float] = set()
        end = time.monotonic() + BOUND
        while len(seen) < 6 and time.monotonic() < end:
            reader = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=BOUND)
            torn, newest = reader.execute(f"SELECT ({TORN}), (SELECT max(at) FROM sample)").fetchone()
            reader.close()
            assert torn == 0
            seen.add(newest)
        assert len(seen) == 6
        assert child.poll() is None
    finally:
        child.kill()
        child.communicate()


def test_pruning_is_done_by_the_writer(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "PRUNE_EVERY", 0.0)
    site.cycle()
    site.stop()
    old = HistoryFile(tmp_path / schema.FILE_NAME)
    old.write([("decision", (EPOCH - 100 * 86_400, "boot", "old", "words"))])
    old.close()
    site.world.restart()
    site.start()
    site.world.begin()
    site.publish([])
    site.cycle()
    until(lambda: not ask(tmp_path, "SELECT * FROM decision WHERE subject = 'old'"), "pruning")


def test_whether_spot_paid_is_told_from_the_file(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "WEIGH_EVERY", 0.0)
    site.world.node("compute3", "small", slurm="alloc", age=HOUR, rung="a/spot", tagged_price=0.03, preemptible=True)
    site.cycle(times=2)

    def told() -> bool:
        return [(pool.zone, pool.nodes) for pool in site.recorder.chronicle.spot.pools] == [("a", 1)]

    until(told, "what spot nodes cost")
