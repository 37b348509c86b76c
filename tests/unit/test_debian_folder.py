"""debian/ names what the project has, so that a package is not found to lack it only where it is built."""

from __future__ import annotations

import re
from importlib.metadata import metadata, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from arvnodeman.version import __version__

ROOT = Path(__file__).resolve().parents[2]
DEBIAN = ROOT / "debian"
NAME = "arvados-node-manager"
LINES = (DEBIAN / "constraints.txt").read_text().splitlines()
PINNED = {canonicalize_name(name): version for name, version in (line.split("==") for line in LINES)}
RULES = (DEBIAN / "rules").read_text()
EXTRAS = re.findall(r"^EXTRAS = (.+)$", RULES, re.MULTILINE)[0].split(",")


def of_the_package() -> list[Requirement]:
    """What the program itself needs, and what the extras bring that the package has, on whichever Python."""
    found = []
    for requirement in map(Requirement, requires(NAME) or ()):
        asked = re.search(r'extra == "(\S+)"', str(requirement.marker or ""))
        if asked is None or asked[1] in EXTRAS:
            found.append(requirement)
    return found


@pytest.mark.parametrize("requirement", of_the_package(), ids=lambda requirement: requirement.name)
def test_each_library_has_a_version_that_setup_allows(requirement: Requirement) -> None:
    assert requirement.specifier.contains(PINNED[canonicalize_name(requirement.name)])


def test_the_extras_are_those_of_setup() -> None:
    assert set(EXTRAS) <= set(metadata(NAME).get_all("Provides-Extra") or ())


def test_the_changelog_tells_of_this_version() -> None:
    assert (DEBIAN / "changelog").read_text().startswith(f"{NAME} ({__version__}) ")


@pytest.mark.parametrize("kind", ["docs", "examples"])
def test_the_files_that_it_brings_are_there(kind: str) -> None:
    for pattern in (DEBIAN / f"{NAME}.{kind}").read_text().split():
        assert list(ROOT.glob(pattern)), pattern


def test_the_program_of_the_unit_is_put_in_the_place_that_the_package_has() -> None:
    (before,) = re.findall(r"sed 's\|(\S+)\|/usr/bin/\S+\|' (\S+)", RULES.replace("$(PACKAGE)", NAME))
    assert f"ExecStart={before[0]} " in (ROOT / before[1]).read_text()
