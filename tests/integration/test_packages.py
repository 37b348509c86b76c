"""The packages that are handed on: built from the sources, installed into a virtual environment of their own, and used.

No registry is asked: pip's resolver judges the requirements by what is installed where the tests run.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from collections.abc import Sequence
from email.message import Message
from email.parser import Parser
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from arvnodeman.version import __version__

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("arvnodeman", "doc", "tests")
FILES = ("LICENSE", "MANIFEST.in", "Makefile", "README.md", "nodemanager.cfg.example", "pyproject.toml", "setup.py")
BOUND = 300.0  # seconds that building or installing may take on a busy machine
NAME = "arvados-node-manager"
PIP = ("-m", "pip", "--disable-pip-version-check", "-q")
CONFIGURATION = """\
[Arvados]
host = zyxwv.example.com
token = sesame
[Cloud]
provider = dummy
shutdown_windows = 54, 5, 1
[Size small]
cores = 2
"""
BUILD = "import sys, setuptools.build_meta as backend; backend.build_sdist(sys.argv[1])"


def run(*command: str | Path, cwd: Path) -> str:
    """What a command that must succeed says. It inherits nothing that could lead it to these sources."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PIP_", "VIRTUAL"))}
    ended = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**kept, "PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=BOUND,
        check=False,
    )
    assert ended.returncode == 0, f"{command}\n{ended.stdout}"
    return ended.stdout


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("packages")


@pytest.fixture(scope="module")
def sources(work: Path) -> Path:
    """The sources alone, without anything that was made of them."""
    clean = work / "sources"
    for folder in FOLDERS:
        shutil.copytree(ROOT / folder, clean / folder, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    for file in FILES:
        shutil.copy(ROOT / file, clean / file)
    return clean


@pytest.fixture(scope="module")
def sdist(sources: Path, work: Path) -> Path:
    run(sys.executable, "-c", BUILD, work, cwd=sources)
    (built,) = work.glob("*.tar.gz")
    return built


@pytest.fixture(scope="module")
def wheel(sdist: Path, work: Path) -> Path:
    """Built from the sdist, as whoever gets that would do."""
    run(sys.executable, *PIP, "wheel", "--no-deps", "--no-build-isolation", "-w", work, sdist, cwd=work)
    (built,) = work.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def about(wheel: Path) -> Message:
    """The wheel's METADATA."""
    with zipfile.ZipFile(wheel) as packed:
        (name,) = [name for name in packed.namelist() if name.endswith(".dist-info/METADATA")]
        return Parser().parsestr(packed.read(name).decode())


@pytest.fixture(scope="module")
def python(wheel: Path, work: Path) -> Path:
    """The Python of a new virtual environment with the wheel in it. What the program requires it finds here."""
    run(sys.executable, "-m", "venv", work / "venv", cwd=work)
    interpreter = work / "venv" / "bin" / "python"
    run(interpreter, *PIP, "uninstall", "-y", "setuptools", cwd=work)  # Python 3.11 brings an old one along
    run(interpreter, *PIP, "install", "--no-deps", wheel, cwd=work)
    site = Path(run(interpreter, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=work).strip())
    paths = dict.fromkeys(sysconfig.get_path(name) for name in ("purelib", "platlib"))
    (site / "what-is-installed-here.pth").write_text("\n".join(paths) + "\n")
    return interpreter


def requirements(about: Message, extra: str = "") -> dict[str, Requirement]:
    """What is required by name: always, or with this extra besides."""
    found = [Requirement(text) for text in about.get_all("Requires-Dist", [])]
    assert len(found) > 10
    return {
        canonicalize_name(each.name): each
        for each in found
        if (each.marker.evaluate({"extra": extra}) if each.marker else not extra)
    }


@pytest.mark.long
def test_the_version_is_one_for_package_tools_and_said_by_all(
    sdist: Path, wheel: Path, about: Message, python: Path, work: Path
) -> None:
    """Row M1."""
    version = Version(__version__)
    assert str(version) == __version__, "not in the normal form"
    assert version.local is None
    assert sdist.name == f"arvados_node_manager-{version}.tar.gz"
    assert wheel.name == f"arvados_node_manager-{version}-py3-none-any.whl"
    assert (about["Name"], about["Version"]) == (NAME, __version__)
    for command in ([python.parent / NAME], [python, "-m", "arvnodeman"]):
        assert run(*command, "--version", cwd=work).startswith(f"{NAME} {__version__}\nPython ")


def test_the_version_stands_in_one_place(sources: Path) -> None:
    """Row M1: two places differ one day."""
    places = [sources / "setup.py", sources / "pyproject.toml", *(sources / "arvnodeman").rglob("*.py")]
    version = re.compile(rf"(?<![\d.]){re.escape(__version__)}(?![\d.])")  # 33.0.0 is another's
    said = [path.name for path in places if version.search(path.read_text(encoding="utf-8"))]
    assert said == ["version.py"]
    assigned = [path.name for path in places if re.search(r"^__version__\s*=", path.read_text(), re.MULTILINE)]
    assert assigned == ["version.py"]


@pytest.mark.long
def test_the_sdist_has_all_sources_and_tests(sources: Path, sdist: Path) -> None:
    """Row M4."""
    with tarfile.open(sdist) as packed:
        members = {member.name.partition("/")[2] for member in packed if member.isfile()}
    wanted = {path.relative_to(sources).as_posix() for path in sources.rglob("*") if path.is_file()}
    wanted = {name for name in wanted if ".egg-info/" not in name}
    assert len(wanted) > 200
    assert sorted(wanted - members) == []


@pytest.mark.long
def test_the_wheel_has_licence_readme_and_the_program_alone(sources: Path, wheel: Path, about: Message) -> None:
    """Row M4."""
    with zipfile.ZipFile(wheel) as packed:
        members = packed.namelist()
        (licence,) = [name for name in members if name.endswith("/LICENSE")]
        assert packed.read(licence) == (ROOT / "LICENSE").read_bytes()
    assert about["License-Expression"] == "Apache-2.0"
    assert about.get_all("License-File") == ["LICENSE"]
    assert about["Description-Content-Type"] == "text/markdown"
    assert str(about.get_payload()).strip() == (ROOT / "README.md").read_text(encoding="utf-8").strip()
    program = {path.relative_to(sources).as_posix() for path in (sources / "arvnodeman").rglob("*") if path.is_file()}
    assert {name for name in members if ".dist-info/" not in name} == program
    assert "arvnodeman/py.typed" in program


@pytest.mark.long
def test_it_works_in_a_virtual_environment_of_its_own(python: Path, work: Path) -> None:
    """Row M8: every module is there, none comes from the sources, and a configuration is read."""
    found = run(
        python,
        "-c",
        "import arvnodeman, importlib, pkgutil\n"
        "for module in pkgutil.walk_packages(arvnodeman.__path__, 'arvnodeman.'):\n"
        "    if module.name != 'arvnodeman.__main__': print(importlib.import_module(module.name).__file__)\n",
        cwd=work,
    ).splitlines()
    assert len(found) > 100
    assert {Path(name).is_relative_to(work / "venv") for name in found} == {True}
    (work / "site.cfg").write_text(CONFIGURATION)
    run(python.parent / NAME, "check-config", "site.cfg", cwd=work)
    assert "--jobs" in run(python.parent / NAME, "demo", "--help", cwd=work)


@pytest.mark.long
@pytest.mark.parametrize("extras", ["", "[ec2-demo]", "[test]"])
def test_what_is_required_installs_together(python: Path, wheel: Path, work: Path, extras: str) -> None:
    """Rows M2, M3: pip's resolver finds every requirement, and theirs in turn, met by one set of versions."""
    said = run(python, *PIP, "install", "--dry-run", "--report", "-", f"{wheel}{extras}", cwd=work)
    assert '"install": []' in said or re.findall(r'"filename": "|"name": "([^"]+)"', said) == [NAME], said


def outside(each: Requirement) -> list[str]:
    """Versions that the requirement must not let in, and does."""
    lowest = min(Version(part.version) for part in each.specifier if part.operator == ">=")
    above, below = f"{lowest.major + 1}.0", f"{lowest.major - 1}.99"
    return [version for version in (above, below) if each.specifier.contains(version)]


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        pytest.param("apache-libcloud", "drivers change with it", id="row M5"),
        pytest.param("pykka", "actors rely on how it fails and stops", id="row M6"),
        pytest.param("python-daemon", "it detaches us", id="row M2"),
    ],
)
def test_a_range_is_bounded_and_holds_what_the_tests_ran_with(about: Message, name: str, reason: str) -> None:
    each = requirements(about)[name]
    assert outside(each) == [], reason
    installed = metadata.distribution(name)
    assert each.specifier.contains(installed.version)
    assert not Version(installed.version).is_devrelease
    assert Version(installed.version).local is None
    assert installed.read_text("direct_url.json") is None, "a fork, not a release"


@pytest.mark.long
def test_every_requirement_is_a_release_with_a_lower_bound(about: Message) -> None:
    """Rows M2, M5: no address of a fork, no pin to one version that clashes with others' pins."""
    wanted: Sequence[Requirement] = [*requirements(about).values(), *requirements(about, "ec2-demo").values()]
    assert [str(each) for each in wanted if each.url] == []
    assert [str(each) for each in wanted if {part.operator for part in each.specifier} - {">=", "<"}] == []
    assert [str(each) for each in wanted if not any(part.operator == ">=" for part in each.specifier)] == []
