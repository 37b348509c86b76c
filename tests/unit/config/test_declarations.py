"""Each option is declared in one place, as a field of its section's dataclass, and mypy knows its type everywhere."""

from __future__ import annotations

import ast
import functools
import re
import typing
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from mypy import api as mypy

from arvnodeman.config import (
    ArvadosSettings,
    CloudSettings,
    DaemonSettings,
    LeaderSettings,
    LoggingSettings,
    ManageSettings,
    Settings,
    load,
)
from arvnodeman.config.budgets import BudgetSettings
from arvnodeman.config.kinds import value_of
from arvnodeman.config.option import (
    CREATE,
    CREDENTIALS,
    FREE_CLOUD_SECTIONS,
    LISTING,
    SECTIONS,
    Setting,
    option_of,
    settings_of,
    with_values,
)
from arvnodeman.config.settings import SizeSettings
from arvnodeman.config.spares import SpareSettings
from arvnodeman.config.table import OPTIONS, find, of_section

ROOT = Path(__file__).resolve().parents[3]
PACKAGE = ROOT / "arvnodeman"
CLASSES = (
    ManageSettings,
    DaemonSettings,
    LeaderSettings,
    LoggingSettings,
    ArvadosSettings,
    CloudSettings,
    SizeSettings,
    SpareSettings,
    BudgetSettings,
)
SETTINGS = [(section, setting) for section in CLASSES for setting in settings_of(section)]
NAMES = [f"{section.__name__}.{setting.attribute}" for section, setting in SETTINGS]

GOOD = """\
[Arvados]
host = zyxwv.example.com
token = sesame
[Cloud]
provider = dummy
shutdown_windows = 54, 5, 1
[Size small]
cores = 2
"""


@pytest.fixture(name="settings")
def settings_(tmp_path: Path) -> Settings:
    path = tmp_path / "site.cfg"
    path.write_text(GOOD)
    return load(str(path))


@functools.cache
def nodes() -> list[tuple[str, ast.AST]]:
    """All that the program is written in, each with its file."""
    files = {str(path.relative_to(PACKAGE)): path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py")}
    return [(name, node) for name, text in files.items() for node in ast.walk(ast.parse(text))]


def nodes_of_config() -> Iterator[tuple[str, ast.AST]]:
    return ((name, node) for name, node in nodes() if name.startswith("config/"))


def test_every_option_is_a_field_or_one_of_a_clouds_own() -> None:
    fields = [setting.option for _, setting in SETTINGS if setting.option is not None]
    free = [option for section in FREE_CLOUD_SECTIONS for option in of_section(section)]
    assert sorted(map(id, fields + free)) == sorted(map(id, OPTIONS))
    assert {option.section for option in OPTIONS} == set(SECTIONS)


def test_an_option_is_declared_in_exactly_one_place() -> None:
    """What it means is said once in all of the program, and no table, loader or rule of reload repeats its name."""
    written = Counter(node.value for _, node in nodes() if isinstance(node, ast.Constant))
    meanings = {option.meaning for option in OPTIONS}
    assert not {meaning for meaning in meanings if written[meaning] != len(declared_with(meaning))}
    in_config = {
        node.value
        for name, node in nodes_of_config()
        if isinstance(node, ast.Constant) and not name.endswith("cloud_options.py")
    }
    assert not {setting.attribute for _, setting in SETTINGS if setting.option is not None} & in_config
    fields = [
        (node.name, field.target.id)
        for _, node in nodes_of_config()
        if isinstance(node, ast.ClassDef)
        for field in node.body
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
    ]
    for section, setting in SETTINGS:
        assert fields.count((section.__name__, setting.attribute)) == 1
    assert {name for name, _ in fields} - {section.__name__ for section in CLASSES} == {
        "Assignment",
        "Change",
        "Details",
        "Findings",
        "IniFile",
        "Kind",
        "Option",
        "Setting",
        "Settings",
    }


def declared_with(meaning: str) -> list[str]:
    return [option.name for option in OPTIONS if option.meaning == meaning]


def test_what_the_brain_decides_by_is_made_of_settings_in_one_place() -> None:
    made = [
        name
        for name, node in nodes()
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("Policy", "SizeSection")
    ]
    assert made == ["config/settings.py"] * 2


def test_no_setting_is_looked_up_by_a_text() -> None:
    """What mypy cannot see, as getattr(settings.daemon, name): but for the room that reads the file."""
    section = re.compile(r"\b(settings|daemon|manage|logging|arvados|cloud)$")
    looked_up = [
        f"{name}:{node.lineno}"
        for name, node in nodes()
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in ("getattr", "vars", "asdict", "attrgetter")
        and node.args
        and section.search(ast.unparse(node.args[0]))
        and not name.startswith("config/")
    ]
    assert not looked_up


def test_what_a_driver_reads_of_a_clouds_sections_is_declared() -> None:
    """A misspelt name is not a mistake to mypy there: names of these sections are free."""
    sections = {"create": CREATE, "listing": LISTING, "credentials": CREDENTIALS}
    read = set()
    for name, node in nodes():
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
            of, key = node.func.value, node.args[0]  # as create.get("image")
        elif isinstance(node, ast.Subscript):
            of, key = node.value, node.slice
        else:
            continue
        section = sections.get(ast.unparse(of).rpartition(".")[2])
        if section is not None and name.startswith("cloud/") and isinstance(key, ast.Constant):
            read.add((section, str(key.value)))
    assert len(read) > 20
    read.remove((CREDENTIALS, "url"))  # of the sandbox and of the driver to be copied
    assert {(section, key) for section, key in read if find(section, key) is None} == set()


@pytest.mark.parametrize(("section", "setting"), SETTINGS, ids=NAMES)
def test_values_have_the_types_that_the_dataclass_declares(section: type, setting: Setting, settings: Settings) -> None:
    """Row C29: defaults, and what is required by its example."""
    option = setting.option
    if option is None:
        return
    hint = typing.get_type_hints(section)[setting.attribute]
    value = value_of(option, option.example if option.default is None else option.default)
    if setting.otherwise is not None:
        assert value == option.kind.empty
        value = setting.otherwise(settings)
    assert is_of(value, hint)


def is_of(value: object, hint: object) -> bool:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        return value in arguments
    if origin is tuple:
        return isinstance(value, tuple) and all(is_of(each, arguments[0]) for each in value)
    if arguments:
        return any(is_of(value, each) for each in arguments)
    return isinstance(hint, type) and type(value) is hint


def test_an_option_is_found_by_its_attribute() -> None:
    assert option_of(DaemonSettings.max_nodes) in of_section("Daemon")
    assert option_of(DaemonSettings.max_nodes).name == "max_nodes"
    assert option_of(ManageSettings.management_token).name == "ManagementToken"
    with pytest.raises(AssertionError, match="loggers has no option"):
        option_of(LoggingSettings.loggers)


WORDS_OF_POLICY = {"dispatcher", "host", "slurm_queue"}  # who is spoken to: that needs a restart


@pytest.mark.parametrize(("section", "setting"), SETTINGS, ids=NAMES)
def test_what_the_brain_decides_by_is_in_force_at_once(section: type, setting: Setting, settings: Settings) -> None:
    if section in (SizeSettings, SpareSettings, BudgetSettings) or setting.attribute in WORDS_OF_POLICY:
        return
    changes: dict[type, Callable[[], Settings]] = {
        ManageSettings: lambda: replace(settings, manage=with_values(settings.manage, other)),
        DaemonSettings: lambda: replace(settings, daemon=with_values(settings.daemon, other)),
        LeaderSettings: lambda: replace(settings, leader=with_values(settings.leader, other)),
        LoggingSettings: lambda: replace(settings, logging=with_values(settings.logging, other)),
        ArvadosSettings: lambda: replace(settings, arvados=with_values(settings.arvados, other)),
        CloudSettings: lambda: replace(settings, cloud=with_values(settings.cloud, other)),
    }
    other = {setting.attribute: object()}
    if changes[section]().policy() != settings.policy():
        assert setting.at_once


def test_mypy_knows_each_setting(tmp_path: Path) -> None:
    """Each line with a mark is one that mypy refuses, and no other is."""
    program = tmp_path / "program.py"
    program.write_text(
        """\
from arvnodeman.config.kinds import NUMBER, WHOLE
from arvnodeman.config.option import DAEMON, option, option_of, optional, section
from arvnodeman.config import DaemonSettings, Settings

def rule(given: Settings) -> float:
    return given.daemon.poll_stale_after

@section(DAEMON)
class More:
    good: float = option(NUMBER, "1", "Good.", low=0, otherwise=rule)
    none: float | None = optional(NUMBER, "Good.")
    wrong: str = option(NUMBER, "1", "Wrong type.")  # ERROR
    maybe: float = optional(NUMBER, "May be none.")  # ERROR
    ruled: int = option(WHOLE, "", "Wrong rule.", otherwise=rule)  # ERROR
    slip: int = option(WHOLE, "1", "Misspelt.", lo=0)  # ERROR

def use(settings: Settings) -> float:
    nodes: int = settings.daemon.max_nodes
    nodes += settings.daemon.max_node  # ERROR
    name: str = settings.daemon.max_nodes  # ERROR
    option_of(DaemonSettings.max_nodes)
    option_of(DaemonSettings.max_node)  # ERROR
    slurm = settings.daemon.dispatcher == "slrum"  # ERROR
    settings.daemon.max_nodes = 3  # ERROR
    More(good=1.0)  # ERROR
    return len(name) + nodes + slurm
"""
    )
    out, err, _ = mypy.run(
        ["--strict", "--config-file", str(ROOT / "pyproject.toml"), "--cache-dir", str(tmp_path), str(program)]
    )
    assert not err
    refused = {int(number) for number in re.findall(r"^\S*program\.py:(\d+): error:", out, flags=re.MULTILINE)}
    lines = program.read_text().splitlines()
    assert refused == {number for number, line in enumerate(lines, 1) if line.endswith("# ERROR")}, out
