"""What advice tries: changes that are good configurations, and none that changes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from simulated_jobs import CONFIG, write_config

from arvnodeman.config import Settings, load
from arvnodeman.whatif.moves import moves_of
from arvnodeman.whatif.sweep import same

ALONE = "[Arvados]\nhost = zyxwv.example.com\ntoken = sesame-token\n"


def loaded(folder: Path, text: str = CONFIG, **daemon: object) -> Settings:
    return load(str(write_config(folder / "a.cfg", text, **daemon)), offline=True)


def tried(settings: Settings, group: str) -> list[dict[str, str]]:
    return [{each.option: each.text for each in move.changes} for move in moves_of(settings) if move.group == group]


@pytest.mark.parametrize("windows", ["54, 5, 1", "0, 60"])
@pytest.mark.parametrize(
    "text", [CONFIG, CONFIG.replace(ALONE, "").replace("[Daemon]\n", "[Daemon]\ndispatcher = slurm\n")]
)
def test_each_is_another_configuration_that_can_be(tmp_path: Path, text: str, windows: str) -> None:
    settings = loaded(tmp_path, text.replace("0, 60", windows))
    moves = moves_of(settings)
    assert len(moves) > 8
    for move in moves:
        assert not same(load(settings.path, move.changes, offline=True), settings), move


def test_windows_are_tried_where_nodes_are_kept(tmp_path: Path) -> None:
    assert tried(loaded(tmp_path), "windows") == []
    hourly = loaded(tmp_path, CONFIG.replace("0, 60", "54, 5, 1"))
    assert tried(hourly, "windows") == [{"[Cloud] shutdown_windows": "0, 60"}]


def test_packing_is_turned_on_or_off(tmp_path: Path) -> None:
    assert tried(loaded(tmp_path), "packing") == [{"[Daemon] share": "yes"}]
    alone = CONFIG.replace(ALONE, "")
    few = loaded(tmp_path, alone, dispatcher="slurm", max_jobs_per_node=3)
    assert tried(few, "packing") == [{"[Daemon] share": "no"}, {"[Daemon] max_jobs_per_node": "0"}]
    assert tried(few, "consolidation") == [{"[Daemon] drain_to_consolidate": "yes"}]
    placed = alone.replace("[Cloud]\n", "[Arvados]\nnode_records = slurm-cloud\n[Cloud]\n")
    assert tried(loaded(tmp_path, placed, dispatcher="slurm"), "packing") == []


def test_sizes_that_the_clouds_tables_know_are_tried_at_what_is_paid(tmp_path: Path) -> None:
    text = (
        CONFIG.replace("m5.large", "m5.2xlarge")
        .replace("cores = 2", "cores = 8")
        .replace("price = 0.1", "price = 0.192")
    )
    settings = loaded(tmp_path, text + "partitions = cpu, gpu\npreemptible = yes\n")
    (finer,) = tried(settings, "finer sizes")
    assert finer["[Size m5.large-spot] cores"] == "2"
    assert finer["[Size m5.xlarge-spot] cores"] == "4"
    assert finer["[Size m5.xlarge-spot] instance_type"] == "m5.xlarge"
    assert finer["[Size m5.xlarge-spot] partitions"] == "cpu, gpu"
    assert float(finer["[Size m5.xlarge-spot] price"]) == pytest.approx(0.096)  # half, as listed
    (memory,) = tried(settings, "sizes of more memory")
    assert {option.partition("]")[0] for option in memory} == {"[Size r5.2xlarge-spot"}
    assert float(memory["[Size r5.2xlarge-spot] price"]) > 0.192


def test_a_type_of_which_no_price_is_known_is_not_tried(tmp_path: Path) -> None:
    """Of r5.4xlarge there is one; of r5.8xlarge not."""
    text = CONFIG.replace("m5.large", "m5.8xlarge").replace("cores = 2", "cores = 32")
    moves = moves_of(loaded(tmp_path, text))
    assert all(move.changes for move in moves)


def test_sizes_of_other_clouds_are_not_made_up(tmp_path: Path) -> None:
    settings = loaded(tmp_path, CONFIG.replace("ec2", "gce"))
    assert tried(settings, "finer sizes") == []


def test_no_more_nodes_are_kept_than_there_may_be(tmp_path: Path) -> None:
    assert tried(loaded(tmp_path, max_nodes=1), "spare nodes") == [{"[Daemon] min_nodes": "1"}]
    assert tried(loaded(tmp_path, min_nodes=2), "spare nodes") == [
        {"[Daemon] min_nodes": "0"},
        {"[Daemon] min_nodes": "1"},
    ]
