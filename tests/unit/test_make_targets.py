"""What README, doc/ and the tests call `make ...` is there."""

from __future__ import annotations

import re
import runpy
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NAMED = re.compile(r"`make (\w[\w-]*)(?: ARGS=\"?([\w-]+))?")
OF = {"bench": ("tests/bench/__main__.py", "BENCHES"), "proofs": ("tests/proofs.py", "PROOFS")}


def texts() -> Iterator[Path]:
    yield from (ROOT / "README.md", ROOT / ".ci" / "run")
    yield from (ROOT / "doc").rglob("*.md")
    yield from (path for path in (ROOT / "tests").rglob("*.py") if "__main__" not in path.name)


def targets() -> list[str]:
    return re.findall(r"^# make (\w+)", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_there_are_ten_targets_and_each_is_told() -> None:
    made = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert len(targets()) == 10
    assert sorted(made) == sorted([*targets(), "help"])


def test_targets_that_are_named_exist() -> None:
    wrong = []
    for path in texts():
        for target, name in NAMED.findall(path.read_text(encoding="utf-8")):
            known = runpy.run_path(str(ROOT / OF[target][0]))[OF[target][1]] if target in OF and name else {name}
            if target not in targets() or name not in known:
                wrong.append(f"{path.relative_to(ROOT)}: make {target} {name}")
    assert not wrong


@pytest.mark.parametrize("target", OF)
def test_what_they_run_is_there(target: str) -> None:
    script, table = OF[target]
    for name, each in runpy.run_path(str(ROOT / script))[table].items():
        files = [each.script] if target == "bench" else [word for command in each.commands for word in command]
        folder = (ROOT / script).parent if target == "bench" else ROOT
        assert all((folder / word).exists() for word in files if word.endswith(".py")), name
