"""`simulate --replay`: a journal, told to this build."""

from __future__ import annotations

from pathlib import Path

import pytest
from journal_doubles import journalled, lively_site

from arvnodeman.commands import simulate


def test_a_journal_is_told_to_this_build(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a configuration nor a trace is needed."""
    journalled(tmp_path, lively_site(3), 0.5)
    asked = ["--replay", str(tmp_path / "journal")]
    assert simulate.main(asked) == 0
    assert " compared, 0 other than then" in capsys.readouterr().out
    monkeypatch.setattr("arvnodeman.fleet.decide.planning._begin_boots", lambda *_: None)
    assert simulate.main(asked) == 1
    first = capsys.readouterr().out.splitlines()[0]
    assert "QueueListed at " in first
    assert " steps then: " in first
    assert "; now 0: " in first


@pytest.mark.parametrize("content", [None, b"", b"no journal"])
def test_what_is_no_journal_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes | None
) -> None:
    asked = tmp_path / "00000001.jsonl.gz"
    if content is not None:
        asked.write_bytes(content)
    code = simulate.main(["--replay", str(asked if content is not None else tmp_path)])
    told = capsys.readouterr()
    if content == b"":  # a run that was killed as it began: nothing was compared
        assert code == 1
        return
    assert (code, told.out) == (2, "")
    (line,) = told.err.splitlines()
    assert line.startswith("arvados-node-manager simulate: --replay: ")
