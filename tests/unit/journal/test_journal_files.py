"""The journal's files: bounded, closed to others, readable however the process ended."""

from __future__ import annotations

import json
import logging
import zlib
from pathlib import Path

import pytest
from journal_doubles import LONG, POLICY, journalled, lively_site, wait_for

from arvnodeman.fleet.messages import CloudListed, Event, Poll, PollFailed, QueueListed, RecordsListed, Tick
from arvnodeman.fleet.values.model import CloudNode, ErrorKind, Job, JobShape, RemoteError
from arvnodeman.fleet.values.queue import Queue
from arvnodeman.journal.codec import Codec
from arvnodeman.journal.inbox import JournalInbox
from arvnodeman.journal.reader import Entry, Gap, Head, NoJournal, Told, read
from arvnodeman.journal.writer import GZIP, MOST_FILES, SUFFIX, Journal, files_of
from arvnodeman.slurm.words import node_work

NOW = 1_700_000_000.5
FAILED = PollFailed(Poll.QUEUE, RemoteError(ErrorKind.TRANSIENT, "away"))


def entries(path: Path) -> list[Entry]:
    return list(read(path, Codec()))


def written(folder: Path) -> Path:
    journal = Journal(folder, POLICY, NOW)
    journal.start()
    for number in range(50):
        journal.note(CloudListed((CloudNode("i", f"n{number // 10}", "r"),), NOW + number), NOW + number, [])
        journal.note(FAILED, NOW + number, [])
    journal.stop(LONG)
    return files_of(folder / "journal")[-1]


def test_what_was_told_is_there_after_the_head(tmp_path: Path) -> None:
    head, *told = entries(written(tmp_path))
    assert head == Head(POLICY, NOW, True, head.version if isinstance(head, Head) else "")
    assert len(told) == 100
    assert told[1] == Told(FAILED, NOW)
    assert told[-2] == Told(CloudListed((CloudNode("i", "n4", "r"),), NOW + 49), NOW + 49)


def test_nobody_else_may_read_it(tmp_path: Path) -> None:
    path = written(tmp_path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_file_that_is_cut_anywhere_gives_all_that_was_before(tmp_path: Path) -> None:
    """As SIGKILL and a full disk leave it: never another event than those that were told, in their order."""
    path = written(tmp_path)
    whole, packed = entries(path), path.read_bytes()
    seen = set()
    for length in range(0, len(packed), 1 + len(packed) // 60):
        path.write_bytes(packed[:length])
        try:
            found = entries(path)
        except NoJournal:
            continue  # not even the head
        assert found == whole[: len(found)]
        seen.add(len(found))
    assert max(seen) > 1


def test_each_batch_reaches_the_file_at_once(tmp_path: Path) -> None:
    """No end of the file is waited for: what was handed over can be read while the daemon lives on."""
    journal = Journal(tmp_path, POLICY, NOW)
    journal.start()
    for number in range(3):
        journal.note(Tick(), NOW + number, [])
        wait_for(lambda: len(entries_so_far(tmp_path)) == number + 2, f"event {number}")  # noqa: B023 - called here
    journal.stop(LONG)


def entries_so_far(folder: Path) -> list[Entry]:
    try:
        return [entry for path in files_of(folder / "journal") for entry in entries(path)]
    except NoJournal:
        return []


def test_files_are_followed_by_others_and_the_oldest_go(tmp_path: Path) -> None:
    journalled(tmp_path, lively_site(1), file_bytes=2000, most_bytes=9000)
    files = files_of(tmp_path / "journal")
    assert len(files) > 2
    assert sum(path.stat().st_size for path in files) < 12_000
    assert files[0].name != f"00000001{SUFFIX}", "the oldest have gone"
    for path in files:
        head, *told = entries(path)
        assert isinstance(head, Head)
        assert not head.whole
        assert all(isinstance(entry, Told) for entry in told), "each can be read by itself"


def test_runs_that_end_early_leave_no_heap_of_files(tmp_path: Path) -> None:
    for _ in range(MOST_FILES + 5):
        journal = Journal(tmp_path, POLICY, NOW)
        journal.start()
        journal.note(Tick(), NOW, [])
        journal.stop(LONG)
    assert len(files_of(tmp_path / "journal")) == MOST_FILES


def test_foreign_files_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "journal").mkdir()
    for name in (f"mine{SUFFIX}", "notes", f"{SUFFIX}"):
        (tmp_path / "journal" / name).write_text("x")
    written(tmp_path)
    assert len(list((tmp_path / "journal").iterdir())) == 4


def test_what_finds_no_room_is_a_gap(tmp_path: Path) -> None:
    inbox = JournalInbox(most=10)
    journal = Journal(tmp_path, POLICY, NOW, inbox=inbox)
    for number in range(25):
        journal.note(Tick(), NOW + number, [])
    journal.start()
    wait_for(lambda: not inbox, "room")
    journal.note(FAILED, NOW + 30, [])
    journal.stop(LONG)
    _, *told = entries(files_of(tmp_path / "journal")[0])
    assert [type(entry) for entry in told] == [Told] * 10 + [Gap, Told]
    assert told[10] == Gap(15)


@pytest.mark.parametrize(
    "large",
    [
        CloudListed(tuple(CloudNode(str(number), "n", "r") for number in range(99)), NOW),
        QueueListed(Queue([Job(str(number), JobShape()) for number in range(99)]), NOW),
        RecordsListed((), {str(number): node_work(str(number), "idle") for number in range(99)}, NOW),
    ],
    ids=lambda event: type(event).__name__,
)
def test_a_large_list_weighs_more(large: Event) -> None:
    inbox = JournalInbox(most=100)
    for event in (large, Tick(), Tick()):
        inbox.put(event, NOW, [])
    taken = inbox.take()
    assert taken is not None
    assert taken.event is large
    assert inbox.take() is None
    inbox.put(Tick(), NOW, [])
    after = inbox.take()
    assert after is not None
    assert after.lost == 2


def test_a_disk_that_takes_nothing_costs_a_line_and_a_gap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "journal").write_text("in the way")
    inbox = JournalInbox()
    journal = Journal(tmp_path, POLICY, NOW, inbox=inbox)
    monkeypatch.setattr("arvnodeman.journal.writer.REST", 0.0)
    with caplog.at_level(logging.WARNING, "arvnodeman.journal"):
        for _ in range(3):
            journal._keep(inbox_of(journal, inbox))
        (tmp_path / "journal").unlink()
        journal._keep(inbox_of(journal, inbox))
        journal._close()
    assert [entry.getMessage() for entry in caplog.records] == [
        f"{tmp_path}/journal cannot be written: File exists; the daemon continues without it",
        f"{tmp_path}/journal is written again",
    ]
    head, gap, told = entries(files_of(tmp_path / "journal")[0])
    assert isinstance(head, Head)
    assert not head.whole, "the Fleet has heard more than what is here"
    assert (gap, told) == (Gap(3), Told(Tick(), NOW))


def inbox_of(journal: Journal, inbox: JournalInbox):  # type: ignore[no-untyped-def]
    journal.note(Tick(), NOW, [])
    return inbox.take()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "it ends before its first line does"),
        (b"junk" * 100, "this is not a journal"),
        ("{}\n", "this is not a journal"),
        ('{"journal": 9}\n', "its format is 9, and 1 is known"),
        ('{"journal": 1, "now": 1, "whole": true, "version": "x", "policy": {}}\n', "its policy is not understood"),
    ],
)
def test_a_file_that_is_none_is_a_line(tmp_path: Path, content: bytes | str, told: str) -> None:
    path = tmp_path / f"1{SUFFIX}"
    path.write_bytes(packed(content) if isinstance(content, str) else content)
    with pytest.raises(NoJournal) as refused:
        entries(path)
    assert told in str(refused.value)
    assert str(path) in str(refused.value)


def packed(text: str) -> bytes:
    packer = zlib.compressobj(wbits=GZIP)
    return packer.compress(text.encode()) + packer.flush()


def test_records_of_another_build_are_gaps_with_a_line_and_no_end(tmp_path: Path) -> None:
    path = written(tmp_path)
    lines = zlib.decompress(path.read_bytes(), wbits=GZIP).decode().splitlines()
    strange = [
        {"t": 1.0, "e": "MoonListed", "f": {}},
        {"t": 1.0, "e": "PollFailed", "f": {"poll": "moon", "error": {"kind": "quota", "text": ""}}},
        {"t": 1.0, "e": "CloudListed", "f": {"nodes": {"o": [[0, 9]]}, "started": 1.0}},
        [],
        {"t": 1.0, "e": "StopAsked", "f": {}},
    ]
    path.write_bytes(packed("\n".join([lines[0], *map(json.dumps, strange), "no JSON"]) + "\n"))
    _, *told = entries(path)
    assert [entry.why.partition(":")[0] if isinstance(entry, Gap) else "" for entry in told] == [
        "no event is called MoonListed",
        "PollFailed",
        "a record that is none of ours",
        "a record that is none of ours",
        "",
        "a record that is not JSON",
    ]
