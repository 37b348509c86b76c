"""What a reload finds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from arvnodeman.config import load
from arvnodeman.config.reload import Change, changes, reloaded
from arvnodeman.config.settings import Settings
from arvnodeman.fleet.values.model import Secret

TEXT = """\
[Arvados]
host = zyxwv.example.com
token = sesame
[Cloud]
provider = sandbox
shutdown_windows = 54, 5, 1
[Cloud Create]
ping_host = zyxwv.example.com
[Size small]
cores = 2
[Size big]
cores = 4
"""


@pytest.fixture
def old(tmp_path: Path) -> Settings:
    path = tmp_path / "site.cfg"
    path.write_text(TEXT)
    return load(str(path))


def test_nothing(old: Settings) -> None:
    assert changes(old, replace(old, warnings=("x",))) == []


def test_what_decides_is_in_force_at_once(old: Settings) -> None:
    new = replace(
        old,
        daemon=replace(old.daemon, max_nodes=9, wishlist_poll_time=5.0, stop_timeout=1.0),
        logging=replace(old.logging, level="DEBUG"),
        cloud=replace(old.cloud, shutdown_windows=(1.0, 1.0)),
    )
    found = changes(old, new)
    assert {change.option for change in found} == {
        "[Daemon] max_nodes",
        "[Daemon] wishlist_poll_time",
        "[Daemon] stop_timeout",
        "[Logging] level",
        "[Cloud] shutdown_windows",
    }
    assert all(change.live for change in found)


def test_a_limit_that_is_taken_away_is_told_of(old: Settings) -> None:
    capped = replace(old, daemon=replace(old.daemon, max_total_price=20.0, max_cloud_ops_per_second=0.0))
    assert changes(capped, old) == [
        Change("[Daemon] max_total_price", live=True, unlimited=True),
        Change("[Daemon] max_cloud_ops_per_second", live=False),
    ]
    assert changes(old, capped) == [
        Change("[Daemon] max_total_price", live=True),
        Change("[Daemon] max_cloud_ops_per_second", live=False, unlimited=True),
    ]


def test_what_needs_a_restart_says_so_without_values(old: Settings) -> None:
    new = replace(
        old,
        manage=replace(old.manage, port=8989),
        daemon=replace(old.daemon, watchdog=5.0, max_concurrent_cloud_ops=3),
        arvados=replace(old.arvados, token=Secret("other")),
        cloud=replace(old.cloud, credentials={"key": Secret("hush")}),
    )
    assert changes(old, new) == [
        Change("[Manage] port", live=False),
        Change("[Daemon] max_concurrent_cloud_ops", live=False),
        Change("[Daemon] watchdog", live=False),
        Change("[Arvados] token", live=False),
        Change("[Cloud] credentials", live=False),
    ]


def test_sizes_are_named(old: Settings) -> None:
    small, big = old.sizes
    new = replace(old, sizes=(replace(small, cores=3), replace(big, id="huge")))
    assert changes(old, new) == [
        Change("[Size small]", live=True),
        Change("[Size big]", live=True),
        Change("[Size huge]", live=True),
    ]


def test_after_a_reload_what_needs_a_restart_is_as_it_was_and_is_told_again(old: Settings) -> None:
    new = replace(
        old,
        warnings=("w",),
        daemon=replace(old.daemon, max_nodes=9, watchdog=5.0, dispatcher="slurm"),
        logging=replace(old.logging, level="DEBUG", file="/elsewhere"),
        cloud=replace(old.cloud, shutdown_windows=(1.0, 1.0), provider="dummy"),
        sizes=old.sizes[:1],
    )
    in_force = reloaded(old, new)
    assert (in_force.daemon.max_nodes, in_force.daemon.watchdog) == (9, old.daemon.watchdog)
    assert (in_force.logging.level, in_force.logging.file) == ("DEBUG", old.logging.file)
    assert (in_force.cloud.shutdown_windows, in_force.cloud.provider) == ((1.0, 1.0), old.cloud.provider)
    assert (in_force.sizes, in_force.warnings, in_force.path) == (old.sizes[:1], ("w",), old.path)
    assert not in_force.policy().slurm
    left = changes(in_force, new)
    assert {change.option for change in left} == {
        "[Daemon] watchdog",
        "[Daemon] dispatcher",
        "[Logging] file",
        "[Cloud] provider",
    }
    assert not any(change.live for change in left)


def test_names_of_sizes_are_those_of_the_start(old: Settings) -> None:
    """Who lists them is made once."""
    small, big = old.sizes
    new = replace(old, sizes=(replace(small, node_names="s-[1-9]"), replace(big, node_names="b-1", cores=8)))
    assert changes(old, new) == [
        Change("[Size small] node_names", live=False),
        Change("[Size big] node_names", live=False),
        Change("[Size big]", live=True),
    ]
    in_force = reloaded(old, new)
    assert in_force.sizes == (small, replace(big, cores=8))
    assert [change.option for change in changes(in_force, new)] == ["[Size small] node_names", "[Size big] node_names"]


def test_a_new_size_has_no_names_before_a_restart(old: Settings) -> None:
    small, big = old.sizes
    placing = replace(old, sizes=(small,), found_cloud=True)
    both = replace(placing, sizes=(small, big), found_cloud=False)
    assert changes(placing, both) == [Change("[Size big]", live=False)]
    assert changes(replace(placing, found_cloud=False), both) == [Change("[Size big]", live=True)]
    assert changes(replace(both, found_cloud=True), placing) == [Change("[Size big]", live=True)]
    assert reloaded(placing, both).places  # what was found at the start
