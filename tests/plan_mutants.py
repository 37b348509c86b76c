"""`make proofs ARGS=plan-mutants`: every small change of the plan, against the tests of its values alone.

    python tests/plan_mutants.py "*.ends.*"

These tests ask plan(picture), parts of the plan, or the memory of vain boots, and nothing else: all of them take a
seventh of a second. So each mutant is tried in this very process, and all of them in five minutes of CPU time. The
score is the part that is noticed; those that are not are shown. Some of these change nothing that could be noticed: see
doc/rooms/brain.md.
"""

from __future__ import annotations

import ast
import difflib
import fnmatch
import importlib
import inspect
import itertools
import json
import logging
import os
import shutil
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from types import FrameType, ModuleType

HERE = Path(__file__).parent
ROOM = Path("arvnodeman/fleet/plan")
TESTS = ("test_plan*.py", "test_vain_memory.py")
LONGEST = 2.0  # seconds of CPU time for one test: a mutant that takes longer is noticed
UNDER_TEST = "MUTANT_UNDER_TEST"  # mutmut's: which of the mutants that are all in one module is called
KILLED, SURVIVED, TIMED_OUT = "killed", "survived", "timed out"
Test = Callable[[], object]


class TooLong(BaseException):
    """A test takes too long: the mutant goes round in circles."""


def make(folder: Path) -> list[str]:
    """A copy of the program, with all mutants in it; their names."""
    from mutmut.__main__ import create_mutants_for_file  # reads its configuration where it is

    shutil.copytree(HERE.parent / "arvnodeman", folder / "arvnodeman")
    shutil.copy(HERE.parent / "pyproject.toml", folder)
    os.chdir(folder)
    names: list[str] = []
    for path in sorted(ROOM.glob("*.py")):
        made = folder / "mutants" / path
        made.parent.mkdir(parents=True, exist_ok=True)
        create_mutants_for_file(path, made)
        shutil.copy(made, path)
        names += json.loads(made.with_name(f"{made.name}.meta").read_text())["exit_code_by_key"]
    return names


def tests_of(module: ModuleType) -> Iterator[Test]:
    """Its tests, one for each row of their tables. One that asks for a fixture is not for here."""
    for name, function in vars(module).items():
        if not name.startswith("test_"):
            continue
        tables = [mark.args for mark in getattr(function, "pytestmark", []) if mark.name == "parametrize"]
        rows = [[_given(names, row) for row in table] for names, table, *_ in tables]
        for chosen in itertools.product(*rows):
            given = {key: value for row in chosen for key, value in row.items()}
            if set(given) == set(inspect.signature(function).parameters):
                yield partial(function, **given)


def _given(names: str | Sequence[str], row: object) -> dict[str, object]:
    if isinstance(names, str):
        return {names: row}
    assert isinstance(row, Sequence)
    return dict(zip(names, row, strict=True))


def attempt(tests: list[Test]) -> str:
    """What becomes of the mutant that is under test. A test that notices it moves to the front: it may notice the next
    one, too."""
    for number, test in enumerate(tests):
        signal.setitimer(signal.ITIMER_VIRTUAL, LONGEST)
        try:
            test()
        except TooLong:
            return TIMED_OUT
        except BaseException:  # noqa: BLE001 - whatever a changed line raises
            tests.insert(0, tests.pop(number))
            return KILLED
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    return SURVIVED


def difference(name: str) -> str:
    """Of the source, with the mutant and without."""
    module, mutant = name.rsplit(".", 1)
    path = Path(module.replace(".", "/")).with_suffix(".py")
    source = (
        path.read_text()
        .replace("  # type: ignore # mutmut generated", "")
        .replace(" # type: ignore # mutmut generated", "")
    )
    functions = {
        node.name: ast.unparse(node).splitlines()
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef)
    }
    original = functions[f"{mutant.rpartition('__mutmut_')[0]}__mutmut_orig"]
    lines = difflib.unified_diff(original, functions[mutant], n=0, lineterm="")
    return "\n".join(line for line in lines if not line.startswith(("---", "+++", "@@")) and "__mutmut_" not in line)


def _too_long(_number: int, _frame: FrameType | None) -> None:
    raise TooLong


def main(patterns: Sequence[str]) -> int:
    """Try them, and tell the score."""
    logging.disable(logging.CRITICAL)
    signal.signal(signal.SIGVTALRM, _too_long)
    with tempfile.TemporaryDirectory() as temporary:
        made = make(Path(temporary))
        names = sorted(name for name in made if any(fnmatch.fnmatch(name, pattern) for pattern in patterns or ["*"]))
        os.environ[UNDER_TEST] = ""
        sys.path[:0] = [temporary, str(HERE / "unit" / "fleet")]
        files = sorted(path for pattern in TESTS for path in (HERE / "unit" / "fleet").glob(pattern))
        tests = [test for path in files for test in tests_of(importlib.import_module(path.stem))]
        for test in tests * 2:
            test()  # as it is, nothing is noticed, however often they are asked
        print(f"{len(names)} mutants are tried with {len(tests)} tests", flush=True)
        counts: Counter[str] = Counter()
        for name in names:
            os.environ[UNDER_TEST] = name
            outcome = attempt(tests)
            counts[outcome] += 1
            if outcome == SURVIVED:
                print(f"\n{name}: {outcome}\n{difference(name)}", flush=True)
    print("\n" + ", ".join(f"{count} {outcome}" for outcome, count in counts.most_common()))
    print(f"score: {100 * (1 - counts[SURVIVED] / max(len(names), 1)):.1f} %")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
