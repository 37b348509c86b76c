"""Writes into doc/architecture.md what the code says itself: the picture of the actors, and the order of imports.

`make docs` runs it; a test holds the page.
"""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

from arvnodeman.actors.crew import POLLERS
from arvnodeman.actors.daemon import NodeManagerDaemonActor
from arvnodeman.actors.operators import OperatorActor
from arvnodeman.actors.wakes import WakeActor
from arvnodeman.actors.watchdog import WatchdogActor

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "doc" / "architecture.md"
RULES = ROOT / "tests" / "unit" / "test_architecture.py"
OUTSIDE = {"cloud": "cloud", "records": "node records", "queue": "queue"}  # by Poll


def picture() -> str:
    """Who sends messages to whom, by the names of the classes."""
    daemon, operator = NodeManagerDaemonActor.__name__, OperatorActor.__name__
    sources = [f"{OUTSIDE[poller.poll.value]:<12} ─▶ {poller.__name__}" for poller in POLLERS]
    width = max(map(len, sources))
    blank = " " * len(f"─▶ {daemon}")
    rows = (
        f" ─┐ {blank} ┌─▶ {operator} 1 ─▶ cloud, node records, Slurm",
        f" ─┼─▶ {daemon} ─┼─▶ {operator} 2",
        f" ─┘ {blank} └─▶ ... a fixed pool",
    )
    lines = [f"{source:<{width}}{row}" for source, row in zip(sources, rows, strict=True)]
    back = " " * (width + 6)
    lines += [
        f"{back}▲ holds one Fleet {' ' * (len(daemon) - 16)}│",
        f"{back}└─ StepDone, StepFailed {'─' * (len(daemon) - 22)}┘",
        f"{WakeActor.__name__} ── poll now ──▶ {POLLERS[-1].__name__}",
        f"{WatchdogActor.__name__} ── ping ──▶ the three pollers, {WakeActor.__name__}, {daemon}",
    ]
    return "\n".join(["```", *lines, "```"])


def layers() -> list[set[str]]:
    """LAYERS of the test that holds the imports, read without importing it."""
    for node in ast.parse(RULES.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and [ast.unparse(each) for each in node.targets] == ["LAYERS"]:
            return [set(each) for each in ast.literal_eval(node.value)]
    raise LookupError(f"no LAYERS in {RULES}")


def order() -> str:
    """The rooms, from the one that may import most to the one that imports nothing."""
    rooms = [", ".join(sorted(layer)) for layer in reversed(layers()) if not layer & {"__main__", "version"}]
    return "`" + " → ".join(rooms) + "`"


def page_text() -> str:
    """The page as it is, with what is made from the code made again."""
    text = PAGE.read_text(encoding="utf-8")
    for name, made in (("picture", picture()), ("order", order())):
        text, found = re.subn(
            rf"(<!-- {name}: made by make docs -->\n).*?(<!-- end -->)",
            lambda match, made=made: f"{match[1]}{made}\n{match[2]}",  # type: ignore[misc]
            text,
            flags=re.DOTALL,
        )
        if found != 1:
            raise LookupError(f"{PAGE}: no place for {name}")
    return text


if __name__ == "__main__":
    PAGE.write_text(page_text(), encoding="utf-8")
    sys.stdout.write(f"{PAGE.relative_to(ROOT)} written\n")
