"""Files with mistakes of every kind, and each line that is said of them: an operator finds the same words.

`recorded_mistakes.json` was written by an earlier build; FILE stands for the file's name. A line that is meant to
change is changed there by hand.
"""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from arvnodeman.commands.check_config import check_config
from arvnodeman.config import ConfigError, load

RECORD: list[dict[str, Any]] = json.loads(Path(__file__).with_name("recorded_mistakes.json").read_text("utf-8"))
TOKEN = "s3same"  # of all that have a good one


@pytest.fixture(autouse=True)
def _no_service_manager(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)


@pytest.mark.parametrize("recorded", RECORD, ids=range(len(RECORD)))
def test_each_line_is_as_on_record(tmp_path: Path, recorded: dict[str, Any]) -> None:
    path, no_problems = tmp_path / "site.cfg", tuple[str, ...]()
    path.write_text(recorded["file"], encoding="utf-8", newline="")
    try:
        problems, warnings = no_problems, load(str(path)).warnings
    except ConfigError as error:
        problems, warnings = error.problems, error.warnings
    out = io.StringIO()
    if "check" in recorded:  # of a cloud whose driver needs nothing of others
        check_config(str(path), out)
    told = [[line.replace(str(path), "FILE") for line in lines] for lines in (problems, warnings)]
    assert told == [recorded["problems"], recorded["warnings"]]
    assert [line.replace(str(path), "FILE") for line in out.getvalue().splitlines()] == recorded.get("check", [])
    assert TOKEN not in " ".join([*problems, *warnings, out.getvalue()])


def test_the_record_has_every_kind_of_mistake() -> None:
    """Each that the sources of this room have words for."""
    told = "\n".join(line for each in RECORD for line in (*each["problems"], *each["warnings"], *each.get("check", [])))
    for words in (
        "the file is empty",
        "stands before the first [Section]",
        "neither [Section] nor option = value",
        "there a second time in line",
        "holds a single %",
        "names %(none)s, which this section has not",
        "unknown section",
        "unknown option",
        "there is NO LIMIT",
        "is empty;",
        "missing; required:",
        "missing; required with",
        "has more than one line",
        "has a blank in it",
        "has a character that is not ASCII",
        "is not a whole number",
        "is not a finite number",
        "is too small",
        "is too large",
        "is neither yes nor no",
        "is unknown",
        "is not the name of a host",
        "has no port from 1 to",
        "does not begin with /",
        "is not JSON",
        "is not a dotted path",
        "is not a list of node names",
        "offers nothing",
        "is not a name",
        "cannot be a feature",
        "is above max_nodes",
        "cannot be a feature of Slurm nodes",
        "a size needs a name",
        "there is another section of this name",
        "driver has no such nodes",
        "is still the placeholder",
        "the value (not shown)",
    ):
        assert words in told, words
