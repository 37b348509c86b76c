"""A Slurm in a root of its own: what is said where it cannot be used, and what its use changes."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from arvnodeman.sandbox import demo, site, slurm_root


def fake_slurm(folder: Path, version: str) -> Path:
    """A directory with a slurmctld of this version."""
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "slurmctld"
    program.write_text(f"#!/bin/sh\necho slurm-wlm {version}\n")
    program.chmod(0o755)
    return folder


@pytest.mark.parametrize(
    ("version", "old"), [("22.05.8", True), ("24.05.7", True), ("24.11.5", False), ("26.05.5", False)]
)
def test_slurms_before_24_11_are_too_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, *, old: bool
) -> None:
    monkeypatch.setenv("PATH", f"{fake_slurm(tmp_path, version)}{os.pathsep}{os.defpath}")
    complaint = slurm_root.too_old()
    assert bool(complaint) is old
    if old:
        assert complaint.startswith(f"the version of Slurm is {version.rpartition('.')[0]}: ")
        assert "python -m arvnodeman.sandbox.slurm_root" in complaint
        assert "\n" not in complaint


def test_a_slurm_that_does_not_say_its_version_is_too_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{fake_slurm(tmp_path, 'of mine')}{os.pathsep}{os.defpath}")
    assert slurm_root.too_old().startswith("the version of Slurm is not known: ")


def test_a_root_is_put_in_front(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(slurm_root, "stand_ins", lambda root: fake_slurm(tmp_path / "bin", f"24.11.5 in {root.name}"))
    monkeypatch.setenv("PATH", os.defpath)
    monkeypatch.setenv("TMPDIR", "/var/tmp")
    monkeypatch.setattr(tempfile, "tempdir", "/var/tmp")
    fake_slurm(tmp_path / "root" / "usr" / "sbin", "24.11.5")
    folder = slurm_root.use_root(tmp_path / "root")
    assert os.environ["PATH"].split(os.pathsep)[0] == str(folder)
    assert os.environ["TMPDIR"] == tempfile.gettempdir() == slurm_root.SHARED
    assert slurm_root.version_here() == (24, 11)


@pytest.mark.parametrize(("user", "words"), [(1, "only root can enter another root"), (0, "there is no slurmctld in ")])
def test_a_root_that_cannot_be_used_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], user: int, words: str
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: user)
    assert demo.main(["--records", "slurm-cloud", "--slurm", "real", "--slurm-root", str(tmp_path)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"demo: {words}")


@pytest.mark.parametrize("main", [demo.main, site.main])
def test_no_double_places_jobs_on_names_that_are_off(capsys: pytest.CaptureFixture[str], main: object) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--records", "slurm-cloud"])  # type: ignore[operator]
    assert ended.value.code == 2
    assert site.ONLY_REAL in capsys.readouterr().err.splitlines()[-1]
