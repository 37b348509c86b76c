"""What the provider has of the sizes, without a request to it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from arvnodeman.config import ConfigError, Settings, load
from arvnodeman.history import schema
from arvnodeman.whatif.sizes import sizes_of


def settings_of(folder: Path, provider: str, *sizes: str) -> Settings:
    path = folder / "sizes.cfg"
    text = f"[Daemon]\ndispatcher = slurm\n[Cloud]\nprovider = {provider}\nshutdown_windows = 0, 60\n"
    path.write_text(text + "\n".join(sizes), encoding="utf-8")
    return load(str(path), offline=True)


def test_sections_say_it_all(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, "gce", "[Size a]\ncores = 2\nprice = 0.1\nram = 4000\ninstance_type = n1")
    (size,) = sizes_of(settings)
    assert (size.id, size.ram, size.price, size.cores) == ("n1", 4000, 0.1, 2)


def test_libclouds_table_knows_types_of_ec2(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, "ec2", "[Size m5.large]\ncores = 2", "[Size mine]\ncores = 2\nprice = 7\nram = 1")
    first, mine = sizes_of(settings)
    assert (first.ram, first.price) == (8192, 0.096)  # us-east-1, where no region is named
    assert (mine.ram, mine.price) == (1, 7)


def test_one_line_for_each_figure_that_nobody_knows(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, "gce", "[Size a]\ncores = 2\nram = 4000", "[Size b]\ncores = 2\nprice = 1")
    with pytest.raises(ConfigError) as caught:
        sizes_of(settings)
    first, second = caught.value.problems
    assert "[Size a] price: " in first
    assert "[Size b] ram: " in second


def test_a_history_knows_prices(tmp_path: Path) -> None:
    path = tmp_path / schema.FILE_NAME
    with sqlite3.connect(path, isolation_level=None) as connection:
        schema.create(connection)
        connection.executemany("INSERT INTO price VALUES (?, ?, ?)", [(1, "a", 0.5), (2, "a", 0.25), (1, "x", 9.0)])
    connection.close()
    settings = settings_of(tmp_path, "gce", "[Size a]\ncores = 2\nram = 4000")
    (size,) = sizes_of(settings, path)
    assert size.price == 0.25
