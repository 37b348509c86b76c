"""The shape of the code is as doc/architecture.md says: imports point one way, the brain is pure, files are short."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache, cached_property
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# A module imports from its own room and from the layers above it in this list; rooms of one layer do not know each
# other. New rooms get their place here; beside cli.py there are no new files.
LAYERS = (
    {"version", "terminal"},
    {"fleet"},
    {"money"},
    {"loop"},
    {"config"},
    {"fence"},
    {"scheduler"},
    {"cloud", "arvados", "slurm"},
    {"doctor"},
    {"records"},
    {"supervision"},
    {"leader"},
    {"actors", "history", "journal"},
    {"traces"},
    {"manage", "foresight"},
    {"whatif"},
    {"examination"},
    {"init"},
    {"commands", "launcher", "sandbox"},
    {"cli"},
    {"__main__"},
)
LAYER = {room: number for number, rooms in enumerate(LAYERS) for room in rooms}
# What looks at the daemon knows nothing of actors, nor they of it: they meet in the values of fleet/view/published.py.
LOOKERS = {"history", "journal", "manage"}
# The rooms inside fleet/, likewise: from the words that all speak to the one that puts everything together.
FLEET_LAYERS = (
    {"values"},
    {"outlook"},
    {"messages"},
    {"sizes"},
    {"plan", "nodes"},
    {"operations"},
    {"decide"},
    {"view"},
    {"fleet", "brain"},
)
FLEET_LAYER = {room: number for number, rooms in enumerate(FLEET_LAYERS) for room in rooms}
# A row names the operations that hold it, for mypy alone.
ONLY_TYPES = {"fleet.nodes.node": {"operations"}}
# All that the brain needs of Python: nothing here reads a clock, rolls dice, starts a thread or touches the world.
PURE = {"__future__", "abc", "bisect", "collections", "copy", "dataclasses", "difflib", "enum", "fractions"}
PURE |= {"functools", "graphlib", "hashlib", "heapq", "itertools", "math", "numbers", "operator", "re"}
PURE |= {"statistics", "string", "textwrap", "types", "typing"}
# Where the vocabulary of a library ends.
HOMES = {
    "libcloud": {"cloud"},
    "arvados": {"arvados"},
    "apiclient": {"arvados"},
    "googleapiclient": {"arvados"},
    "httplib2": {"arvados"},
    "pykka": {"actors", "launcher"},
    "daemon": {"launcher"},
}
ELSEWHERE = {"__main__", "sandbox.openstack_ml2"}  # not imported here: the start, and what another Python runs
LONGEST_FILE = 400
LONGEST_FUNCTION = 60
VAGUE = re.compile(r"(^|_)(utils?|helpers?|managers?|misc|common)$|(Manager|Helper|Utils?)$")


@dataclass(frozen=True)
class Module:
    """One source file of the package; `name` is relative to it: fleet.model."""

    name: str
    source: str = field(repr=False)

    @property
    def room(self) -> str:
        return self.name.split(".", 1)[0]

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.source)

    @cached_property
    def imports(self) -> set[str]:
        """Full names of all that is imported anywhere in the file."""
        found: set[str] = set()
        package = ["arvnodeman", *self.name.split(".")]
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                base = ".".join([*package[: -node.level], *filter(None, [node.module])]) if node.level else node.module
                found |= {f"{base}.{alias.name}" for alias in node.names}
        return found

    @property
    def rooms(self) -> set[str]:
        """The project's other rooms that the file imports from."""
        names = [name.split(".") for name in self.imports]
        return {parts[1] for parts in names if parts[0] == "arvnodeman" and len(parts) > 1} - {self.room}

    @property
    def libraries(self) -> set[str]:
        """The top-level packages that it imports from, our own left out."""
        return {name.split(".")[0] for name in self.imports} - {"arvnodeman"}


@cache
def modules() -> list[Module]:
    """All of them; each is parsed once for all tests."""
    package = ROOT / "arvnodeman"
    return [
        Module(".".join(path.relative_to(package).with_suffix("").parts), path.read_text(encoding="utf-8"))
        for path in sorted(package.rglob("*.py"))
        if path != package / "__init__.py"
    ]


def wrong_imports(files: Iterable[Module]) -> list[str]:
    wrong = []
    for module in files:
        for room in sorted({module.room, *module.rooms} - LAYER.keys() - {"__version__"}):
            wrong.append(f"{module.name}: {room} has no place in LAYERS")
        for room in sorted(module.rooms & LAYER.keys()):
            here, there = LAYER.get(module.room, len(LAYERS)), LAYER[room]
            apart = "actors" in {module.room, room} and LOOKERS & {module.room, room}
            if there >= here or apart or (room == "sandbox" and module.room != "cli"):
                wrong.append(f"{module.name} imports {room}")
        if module.room == "money":
            beyond = sorted(name for name in module.imports if name.startswith("arvnodeman.fleet."))
            wrong += [
                f"{module.name} imports {name}" for name in beyond if not name.startswith("arvnodeman.fleet.values.")
            ]
        for library in sorted(module.libraries & HOMES.keys()):
            if module.room not in HOMES[library]:
                wrong.append(f"{module.name} imports {library}, which is at home in {sorted(HOMES[library])}")
        if module.room in ("fleet", "money", "loop"):
            wrong += [
                f"{module.name} imports {library}, which is not pure" for library in sorted(module.libraries - PURE)
            ]
    return wrong


def wrong_imports_inside(files: Iterable[Module]) -> list[str]:
    """Imports between the rooms of fleet/ that do not point down."""
    wrong = []
    for module in files:
        parts = module.name.split(".")
        if parts[0] != "fleet" or parts[1] == "__init__":
            continue
        names = [name.split(".") for name in module.imports]
        rooms = {name[2] for name in names if name[:2] == ["arvnodeman", "fleet"] and len(name) > 2} - {parts[1]}
        for room in sorted({parts[1], *rooms} - FLEET_LAYER.keys()):
            wrong.append(f"{module.name}: {room} has no place in FLEET_LAYERS")
        for room in sorted((rooms & FLEET_LAYER.keys()) - ONLY_TYPES.get(module.name, set())):
            if FLEET_LAYER[room] >= FLEET_LAYER.get(parts[1], len(FLEET_LAYERS)):
                wrong.append(f"{module.name} imports fleet.{room}")
    return wrong


def circle(files: Iterable[Module]) -> list[str]:
    """The rooms of one import circle, if there is any."""
    graph: dict[str, set[str]] = {}
    for module in files:
        graph.setdefault(module.room, set()).update(module.rooms)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        rooms: list[str] = error.args[1]
        return rooms
    return []


def too_long(files: Iterable[Module]) -> list[str]:
    found = []
    for module in files:
        lines = len(module.source.splitlines())
        if lines > LONGEST_FILE:
            found.append(f"{module.name}: {lines} lines")
        for node in ast.walk(module.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > LONGEST_FUNCTION:
                    found.append(f"{module.name}.{node.name}: {lines} lines")
    return found


def vague(files: Iterable[Module]) -> list[str]:
    found = []
    for module in files:
        names = [*module.name.split("."), *(n.name for n in ast.walk(module.tree) if isinstance(n, ast.ClassDef))]
        found += [f"{module.name}: {name}" for name in names if VAGUE.search(name)]
    return found


def test_imports_point_one_way_and_the_brain_is_pure() -> None:
    found = wrong_imports(modules())
    assert not found, "\n".join(found)


def test_imports_inside_the_brain_point_one_way() -> None:
    found = wrong_imports_inside(modules())
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("name", "source", "expected"),
    [
        ("fleet.values.model", "from arvnodeman.fleet import messages", ["fleet.values.model imports fleet.messages"]),
        ("fleet.plan.x", "from arvnodeman.fleet.nodes.node import Node", ["fleet.plan.x imports fleet.nodes"]),
        ("fleet.lost.x", "import math", ["fleet.lost.x: lost has no place in FLEET_LAYERS"]),
        ("fleet.decide.x", "from arvnodeman.fleet.plan.demand import Plan", []),
    ],
)
def test_an_import_inside_the_brain_that_points_up_is_found(name: str, source: str, expected: list[str]) -> None:
    assert wrong_imports_inside([Module(name, source)]) == expected


def test_no_two_rooms_import_each_other() -> None:
    found = circle(modules())
    assert not found, "\n".join(found)


def test_files_and_functions_can_be_read_in_one_sitting() -> None:
    found = too_long(modules())
    assert not found, "\n".join(found)


def test_names_are_of_the_field() -> None:
    found = vague(modules())
    assert not found, "\n".join(found)


@pytest.mark.parametrize("name", [module.name for module in modules() if module.name not in ELSEWHERE])
def test_every_module_imports(name: str) -> None:
    """Rows A5 and I3."""
    importlib.import_module(f"arvnodeman.{name}".removesuffix(".__init__"))


def test_names_of_test_files_are_unique() -> None:
    """Test folders are no packages (but the simulation), so pytest and mypy know a file by its bare name."""
    files = [path for path in (ROOT / "tests").rglob("*.py") if not (path.parent / "__init__.py").exists()]
    names = Counter(path.name for path in files if path.name != "conftest.py")
    assert not [name for name, count in names.items() if count > 1]


def test_no_test_of_a_cloud_asks_a_mock() -> None:
    """Row G1: a mock is true whatever it is asked. Clouds are doubles that keep what they are told, and tests look."""
    files = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "tests/unit/cloud").glob("*.py")}
    assert len(files) > 10
    assert not [name for name, text in files.items() if re.search(r"\bMock\(|MagicMock|mock\.patch", text)]


def test_what_installs_names_no_registry() -> None:
    """Where packages come from is for the machine to say (pip's and apt's own settings)."""
    files = [ROOT / name for name in ("setup.py", "pyproject.toml", "Makefile", ".ci/run")]
    assert not [
        path.name for path in files if re.search(r"https?://|--(extra-)?index-url", path.read_text(encoding="utf-8"))
    ]


def test_nothing_names_the_folder_that_it_was_written_in() -> None:
    files = [ROOT / "README.md", ROOT / "Makefile", ROOT / ".ci/run"]
    files += [path for top in ("arvnodeman", "doc", "tests") for path in (ROOT / top).rglob("*") if path.is_file()]
    texts = {path: path.read_bytes() for path in files if path.suffix != ".pyc"}
    assert not [str(path) for path, text in texts.items() if str(ROOT).encode() in text]


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="no checkout of git")
def test_nothing_is_in_the_repository_that_is_made_or_leads_out_of_it() -> None:
    """A virtual environment that is a link to another checkout's is there for nobody else."""
    git = ["git", "-c", "safe.directory=*", "-C", str(ROOT), "ls-files"]
    tracked = subprocess.run([*git, "--stage"], check=True, capture_output=True, text=True).stdout.splitlines()
    assert len(tracked) > 500
    assert not [line for line in tracked if not line.startswith("100")]
    ignored = subprocess.run([*git, "--cached", "--ignored", "--exclude-standard"], check=True, capture_output=True)
    assert not ignored.stdout


@pytest.mark.parametrize(
    ("name", "source", "expected"),
    [
        ("fleet.model", "import time", ["fleet.model imports time, which is not pure"]),
        ("fleet.model", "import os.path as p", ["fleet.model imports os, which is not pure"]),
        ("fleet.model", "def f():\n    from ..config import load", ["fleet.model imports config"]),
        ("fleet.model", "from . import messages\nfrom .messages import Poll\nfrom dataclasses import field", []),
        ("cloud.ec2", "from arvnodeman import slurm", ["cloud.ec2 imports slurm"]),
        ("cloud.ec2", "from arvnodeman.actors.base import X", ["cloud.ec2 imports actors"]),
        ("cloud.ec2", "import libcloud\nfrom arvnodeman.config import load\nimport arvnodeman.fleet.values.model", []),
        ("cloud.sandbox", "from arvnodeman.sandbox.cloud import Site", ["cloud.sandbox imports sandbox"]),
        ("manage.source", "from arvnodeman.actors.daemon import X", ["manage.source imports actors"]),
        ("manage.source", "from arvnodeman.history.chronicle import Chronicle", []),
        ("actors.daemon", "from arvnodeman.journal.writer import X", ["actors.daemon imports journal"]),
        ("actors.daemon", "import libcloud", ["actors.daemon imports libcloud, which is at home in ['cloud']"]),
        ("actors.watchdog", "from arvnodeman.supervision import words", []),
        ("launcher", "from arvnodeman.sandbox import site", ["launcher imports sandbox"]),
        ("cli", "from arvnodeman.sandbox import site\nfrom arvnodeman import __version__", []),
        ("money.a", "from arvnodeman.fleet.values.model import JobOwner", []),
        (
            "money.ledger",
            "from arvnodeman.fleet.messages import X",
            ["money.ledger imports arvnodeman.fleet.messages.X"],
        ),
        ("money.a", "import threading", ["money.a imports threading, which is not pure"]),
        ("attic", "", ["attic: attic has no place in LAYERS"]),
    ],
)
def test_a_wrong_import_is_seen(name: str, source: str, expected: list[str]) -> None:
    assert wrong_imports([Module(name, source)]) == expected


def test_a_circle_of_rooms_is_seen() -> None:
    there, back = "from arvnodeman.supervision import x", "from arvnodeman.actors import x"
    assert set(circle([Module("actors.a", there), Module("supervision.b", back)])) == {"actors", "supervision"}
    assert not circle([Module("actors.a", there), Module("supervision.b", "")])


def test_length_is_counted_in_whole_lines() -> None:
    function = "def f():\n" + "    x\n" * LONGEST_FUNCTION
    assert too_long([Module("fleet.a", function)]) == [f"fleet.a.f: {LONGEST_FUNCTION + 1} lines"]
    assert not too_long([Module("fleet.a", function.removesuffix("    x\n"))])
    assert too_long([Module("fleet.a", "x\n" * (LONGEST_FILE + 1))]) == [f"fleet.a: {LONGEST_FILE + 1} lines"]
    assert not too_long([Module("fleet.a", "x\n" * LONGEST_FILE)])


def test_a_vague_name_is_seen() -> None:
    assert vague([Module("fleet.node_utils", "class NodeManager: ...\nclass NodeManagerDaemonActor: ...")]) == [
        "fleet.node_utils: node_utils",
        "fleet.node_utils: NodeManager",
    ]
