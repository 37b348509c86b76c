"""What programs and people read of the daemon is as it was: every answer and every command's output, against a record.

Blanks and escapes may differ, and in /v1 the order of keys; keys, kinds of numbers and texts may not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from golden_scenes import FOLDER, SCENES, scene


def likened(text: str) -> list[str]:
    """The lines; each that is JSON in one form."""
    found = []
    for line in text.splitlines():
        ordered = '"Version"' in line  # status.json is read by scripts of any kind
        found.append(json.dumps(json.loads(line), sort_keys=not ordered) if line[:2] == '{"' else line)
    return found


@pytest.mark.parametrize("name", SCENES)
def test_answers_are_as_on_record(name: str, tmp_path: Path) -> None:
    recorded = (FOLDER / f"{name}.txt").read_text(encoding="utf-8")
    assert likened(scene(name, tmp_path)) == likened(recorded)
