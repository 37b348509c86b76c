"""Which processes share one lock of one writer, as a store of the lead is told."""

from __future__ import annotations

from pathlib import Path

from arvnodeman.config import Settings, load
from arvnodeman.leader.claimant import Claimant

GOOD = """\
[Daemon]
dispatcher = slurm
state_dir = {folder}
[Arvados]
host = {host}
token = t
[Cloud]
provider = dummy
shutdown_windows = 54, 5, 1
[Size small]
cores = 2
"""


def settings_with(path: Path, folder: str = "", host: str = "a.example.com") -> Settings:
    path.write_text(GOOD.format(folder=folder, host=host))
    return load(str(path))


def test_the_next_run_of_a_manager_follows_it(tmp_path: Path) -> None:
    settings = settings_with(tmp_path / "site.cfg", str(tmp_path))
    before, after = (Claimant.this_process(f"here:{number}", settings) for number in (1, 2))
    assert after.follows(before.domain)
    assert before.token != after.token


def test_another_manager_of_this_host_follows_nobody(tmp_path: Path) -> None:
    """Two that were given a state directory each live side by side; so do those of two clusters."""
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    path = tmp_path / "site.cfg"
    one = Claimant.this_process("here:1", settings_with(path, str(first)))
    assert not Claimant.this_process("here:2", settings_with(path, str(second))).follows(one.domain)
    assert not Claimant.this_process("here:2", settings_with(path, str(first), "b.example.com")).follows(one.domain)


def test_without_a_state_directory_that_can_be_used_it_cannot_be_told(tmp_path: Path) -> None:
    settings = settings_with(tmp_path / "site.cfg", str(tmp_path / "none"))
    claimant = Claimant.this_process("here:1", settings)
    assert claimant.domain == ""
    assert not claimant.follows("")
