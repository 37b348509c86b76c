"""The core's unit tests on a newer Python than this one, if the machine has one. What is installed there is a wheel,
made of an sdist, made of what git has. `make proofs ARGS=newer-python`; `--python PATH` names another one."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

from git_files import copy_sources

ROOT = Path(__file__).resolve().parents[1]
OLDEST, NEWEST = 12, 19  # Python 3.N
PYENV = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
CORE = ("fleet", "money", "loop", "config", "init", "scheduler", "records", "supervision", "fence")
OF_THE_TREE = (  # these look at the sources, or need linters
    "config/test_declarations.py",
    "config/test_reference.py",
    "fleet/test_fleet_row_owners.py",
)
NEEDED = ("pytest", "pytest-xdist", "hypothesis")  # of our extra `test`, what these tests use
ASKS = "import ensurepip, sys, venv; print(*sys.version_info[:3], sep='.')"
BUILDS = "import sys; from setuptools import build_meta; print(build_meta.build_sdist(sys.argv[1]))"


def main() -> int:
    """0: they pass, or there is no newer Python; else 1."""
    parser = argparse.ArgumentParser(prog="make proofs ARGS=newer-python", description=__doc__)
    parser.add_argument("--python", help="this one (default: the newest on PATH and of pyenv)")
    given, options = parser.parse_known_args()
    found = max(_there([given.python] if given.python else _candidates()), default=None)
    if found is None:
        sys.stdout.write(f"no Python from 3.{OLDEST} on is here, newer than {sys.version.split()[0]}: nothing to try\n")
        return 0
    version, python = ".".join(map(str, found[0])), found[1]
    sys.stdout.write(f"Python {version}: {python}\n")
    sys.stdout.flush()
    with tempfile.TemporaryDirectory(prefix="newer-python-") as folder:
        return _tried(Path(folder), python, options)


def _candidates() -> Iterator[str]:
    for minor in range(NEWEST, OLDEST - 1, -1):
        yield from filter(None, [shutil.which(f"python3.{minor}")])
    yield from map(str, PYENV.glob("versions/3.*/bin/python3"))


def _there(paths: Iterator[str] | list[str]) -> Iterator[tuple[tuple[int, ...], str]]:
    """Those that start, can make virtual environments, and are newer than this one: version and path. (A command of
    pyenv's may be there and start nothing.)"""
    for path in paths:
        said = subprocess.run([path, "-c", ASKS], capture_output=True, text=True, check=False)
        version = tuple(map(int, said.stdout.split("."))) if said.returncode == 0 else ()
        if version[:2] > sys.version_info[:2] and version >= (3, OLDEST):
            yield version, path


def _tried(folder: Path, python: str, options: list[str]) -> int:
    sdist = _sdist(folder)
    with tarfile.open(sdist) as packed:
        packed.extractall(folder, filter="data")
    tests = folder / sdist.name.removesuffix(".tar.gz")
    shutil.rmtree(tests / "arvnodeman")  # what is tried is the one that is installed
    venv = folder / "venv"
    _do([python, "-m", "venv", str(venv)])
    pip = [str(venv / "bin" / "pip"), "--disable-pip-version-check", "-q"]
    _do([*pip, "wheel", "--no-deps", "--wheel-dir", str(folder), str(sdist)])
    (wheel,) = folder.glob("*.whl")
    _do([*pip, "install", f"{wheel}[zstd]", *NEEDED])
    _do([str(venv / "bin" / "arvados-node-manager"), "--version"])
    folders = [f"tests/unit/{name}" for name in CORE]
    options = [each.replace("cache_dir=", f"cache_dir={ROOT}/") for each in options]  # so that a second run finds it
    ignored = [f"--ignore=tests/unit/{name}" for name in OF_THE_TREE]
    run = [str(venv / "bin" / "pytest"), "-q", "-n", "2", *ignored, *options, *folders]
    return subprocess.run(run, cwd=tests, env=_environment(), check=False).returncode


def _sdist(folder: Path) -> Path:
    """Of the files that git has, as they are now."""
    tree = folder / "tree"
    copy_sources(tree)
    said = subprocess.run(
        [sys.executable, "-c", BUILDS, str(folder)], cwd=tree, stdout=subprocess.PIPE, text=True, check=True
    )
    return folder / said.stdout.splitlines()[-1]


def _do(command: list[str]) -> None:
    subprocess.run(command, check=True, env={**_environment(), "PYTHONWARNINGS": "default"})


def _environment() -> dict[str, str]:
    """Without the folders in which Python would find the sources: pip took what it saw there for installed."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


if __name__ == "__main__":
    raise SystemExit(main())
