"""The table of options, and what is made from it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import arvnodeman
from arvnodeman.config import Settings, load, reference
from arvnodeman.config.kinds import value_of
from arvnodeman.config.option import CREDENTIALS, SECTIONS, Option, declared_in, nearest
from arvnodeman.config.table import OPTIONS, find

ROOT = Path(arvnodeman.__file__).parent.parent
EXAMPLE = ROOT / reference.EXAMPLE


@pytest.mark.parametrize(
    ("name", "text"),
    [(reference.EXAMPLE, reference.example_text()), (reference.PAGE, reference.page_text())],
    ids=["example", "page"],
)
def test_files_are_as_the_table_makes_them(name: str, text: str) -> None:
    """After a change of the table: python -m arvnodeman.config.reference."""
    assert (ROOT / name).read_text(encoding="utf-8") == text


def options_in(text: str) -> dict[tuple[str, str], str]:
    """Every `name = value` or `#name = value` line, by section and name."""
    section, found = "", {}
    for line in text.splitlines():
        if header := re.fullmatch(r"#?\[(.+)\]", line):
            section = declared_in(header[1])
        elif option := re.fullmatch(r"#?([\w-]+) =(?: (.+))?", line):
            found[section, option[1]] = option[2] or ""
    return found


def test_example_names_every_option_with_its_default_and_no_other() -> None:
    """Row J1."""
    found = options_in(EXAMPLE.read_text(encoding="utf-8"))
    assert set(found) == {(option.section, option.name) for option in OPTIONS}
    for option in OPTIONS:
        expected = (
            option.example if option.default is None or option.live or "ec2" in option.required_for else option.default
        )
        assert found[option.section, option.name] == expected


def test_example_loads_without_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    settings = load(str(EXAMPLE))
    assert settings.warnings == ()
    assert [size.id for size in settings.sizes] == [reference.EXAMPLE_SIZE]


def test_defaults_written_out_mean_the_same_as_defaults_left_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    path = tmp_path / "site.cfg"
    path.write_text(re.sub(r"^#(?=[\w-]+ =|\[)", "", EXAMPLE.read_text(encoding="utf-8"), flags=re.MULTILINE))

    def parts(settings: Settings) -> list[object]:
        names = ("warnings", "manage", "daemon", "logging", "arvados", "cloud", "sizes")
        return [getattr(settings, name) for name in names]

    assert path.read_text() != EXAMPLE.read_text(encoding="utf-8")
    assert parts(load(str(path))) == parts(load(str(EXAMPLE)))


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: f"{option.section}-{option.name}")
def test_every_option_is_fit_for_parser_and_page(option: Option) -> None:
    assert option.section in SECTIONS
    assert find(option.section, option.name.upper()) is option
    assert option.meaning.endswith(".")
    assert "|" not in option.meaning + option.allowed  # would break its table
    text = option.example if option.default is None else option.default
    assert text is not None
    value_of(option, text)  # raises nothing
    assert option.secret or option.section != CREDENTIALS


def test_names_are_unique_within_their_section() -> None:
    names = [(option.section, option.key) for option in OPTIONS]
    assert len(names) == len(set(names))


def test_generator_writes_both_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "doc").mkdir()
    monkeypatch.setattr(reference, "__file__", str(tmp_path / "arvnodeman/config/reference.py"))
    reference.main()
    assert (tmp_path / "nodemanager.cfg.example").read_text(encoding="utf-8") == reference.example_text()
    assert (tmp_path / "doc/configuration.md").read_text(encoding="utf-8") == reference.page_text()


def test_nearest_name() -> None:
    assert nearest("MAX_NODE", ["min_nodes", "max_nodes"]) == "max_nodes"
    assert nearest("zebra", ["min_nodes"], cutoff=0.8) is None
