"""Files of the state directory: whole or not at all, on a full disk, too; and what is read of what lies there."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from arvnodeman.supervision.ready_file import ReadyFile, read_object, read_text


def test_the_content_is_replaced_in_one_step_and_room_is_taken_for_the_next(tmp_path: Path) -> None:
    file = ReadyFile(tmp_path / "a.json", 4096)
    file.prepare()
    for text in ("one", "two\n" * 10, "3"):
        file.replace(text)
        assert (tmp_path / "a.json").read_text() == text
        assert (tmp_path / "a.json.draft").stat().st_size == 4096
    file.close()
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_a_draft_that_a_killed_run_left_is_used_again(tmp_path: Path) -> None:
    (tmp_path / "a.json.draft").write_text("rubbish" * 1000)
    file = ReadyFile(tmp_path / "a.json", 100)
    file.prepare()
    file.replace("good")
    assert (tmp_path / "a.json").read_text() == "good"


def test_what_cannot_be_written_leaves_the_old_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = ReadyFile(tmp_path / "a.json", 100)
    file.replace("old")

    def full(_descriptor: int, _content: bytes, _offset: int) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(OSError, match="No space left"):
        file.replace("new")
    assert (tmp_path / "a.json").read_text() == "old"
    monkeypatch.undo()
    file.replace("newer")
    assert (tmp_path / "a.json").read_text() == "newer"


def test_no_room_is_an_error_of_prepare_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_descriptor: int, _offset: int, _length: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    file = ReadyFile(tmp_path / "a.json", 100)
    with pytest.raises(OSError, match="No space left"):
        file.prepare()
    assert list(tmp_path.iterdir()) == []
    file.replace("small enough")
    assert (tmp_path / "a.json").read_text() == "small enough"


def test_a_link_in_the_drafts_place_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "a.json.draft").symlink_to(tmp_path / "precious")
    file = ReadyFile(tmp_path / "a.json", 100)
    with pytest.raises(OSError, match="symbolic links"):
        file.prepare()
    assert (tmp_path / "precious").read_text() == "precious"


def test_what_is_not_there_is_nothing(tmp_path: Path) -> None:
    assert read_text(tmp_path / "away") is None
    assert read_object(tmp_path / "away") is None


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "Expecting value"),
        (b"[1]", "not a JSON object"),
        (b"\xff\xfe{", "Expecting value"),
        (b"[" * 200_000, "nested too deeply|Expecting|recursion"),
        (b"{}" + b" " * (5 << 20), "larger than"),
    ],
    ids=["empty", "a list", "bytes", "deep", "large"],
)
def test_rubbish_is_a_value_error(tmp_path: Path, content: bytes, told: str) -> None:
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(ValueError, match=told):
        read_object(tmp_path / "a.json")


def test_a_fifo_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.json")
    with pytest.raises(ValueError, match="not a regular file"):
        read_object(tmp_path / "a.json")
