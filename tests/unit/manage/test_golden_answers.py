"""What programs and people read of the daemon is as it was: every answer and every command's output, against a record.

Blanks and escapes may differ, and in /v1 the order of keys; keys, kinds of numbers and texts may not."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from golden_scenes import FOLDER, SCENES, scene

HEAD = re.compile(r"^(?:GET|POST|\$) .*$", re.MULTILINE)


def likened(text: str) -> list[tuple[str, list[str]]]:
    """Each request and command with what follows it, line by line; JSON in one form."""
    bodies = HEAD.split(text)[1:]
    return [(head, body_of(body)) for head, body in zip(HEAD.findall(text), bodies, strict=True)]


def body_of(text: str) -> list[str]:
    ordered = '"Version"' in text  # status.json is read by scripts of any kind
    for parts in ([text], text.splitlines()):
        try:
            return [json.dumps(json.loads(part), sort_keys=not ordered) for part in parts if part.strip()]
        except ValueError:
            continue
    return text.splitlines()


@pytest.mark.parametrize("name", SCENES)
def test_answers_are_as_on_record(name: str, tmp_path: Path) -> None:
    recorded = (FOLDER / f"{name}.txt").read_text(encoding="utf-8")
    assert likened(scene(name, tmp_path)) == likened(recorded)
