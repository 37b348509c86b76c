"""The Debian package that somebody has got for the walk: the one in DEBIAN_PACKAGES/SUITE, else one that is built."""

from __future__ import annotations

import os
from pathlib import Path

from debian_machine import BUILD, INSTALL, NEEDED, DebianMachine


def package_for(suite: str, sources: Path, folder: Path) -> Path:
    """Its path. `sources` are built, in a Debian of this suite whose files are in `folder`: this takes minutes."""
    if made := os.environ.get("DEBIAN_PACKAGES"):
        found = list(Path(made, suite).glob("*.deb"))
        assert found, f"there is no package in {made}/{suite}"
        return found[0]
    shared = folder / "shared"
    shared.mkdir(parents=True)
    sources.rename(shared / "src")
    with DebianMachine(suite, folder / "machine", shared) as machine:
        machine.run(INSTALL + NEEDED)
        machine.run(BUILD)
        machine.run("mkdir /shared/built && mv /*.deb /shared/built")
    (built,) = (shared / "built").glob("*.deb")
    return built
