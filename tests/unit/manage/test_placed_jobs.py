"""What the management server and `explain` tell of jobs where Slurm places them itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from managed_world import Managed, PublishedWorld
from placed_world import PlacedWorld, places

from arvnodeman.commands import wording
from arvnodeman.fleet.values.model import Job, JobShape
from arvnodeman.manage.answers import JobShown, SizeShown, StatusShown


class PublishedPlaces(PlacedWorld, PublishedWorld):
    """Both."""


def site(folder: Path, **options: Any) -> Managed:
    """Its names are off; the jobs of a limit of 0 nodes, or whatever is asked for, wait."""
    managed = Managed(folder, world=PublishedPlaces(places(**options)))
    managed.begin(Job("1", JobShape(), reason="Resources"))
    return managed


def explained(managed: Managed, job: str) -> str:
    shown = msgspec.convert(managed.ask(f"/v1/jobs/{job}"), JobShown)
    return "\n".join(wording.job(shown))


def test_a_job_that_slurm_has_not_placed_is_told_what_of_ours_stands_in_its_way(tmp_path: Path) -> None:
    managed = site(tmp_path, max_nodes=0)
    told = explained(managed, "1")
    assert "sizes that fit: Slurm itself chooses" in told
    assert (
        "No node yet: Slurm has not placed it: its reason is Resources; names of small, large are closed:"
        " max_nodes of 0 reached with 0 node(s)." in told
    )


def test_each_reason_for_which_sizes_are_closed_is_told_once(tmp_path: Path) -> None:
    managed = site(tmp_path, max_total_price=0.3)
    assert explained(managed, "1").endswith(
        "its reason is Resources; names of large are closed: one more of large (price 0.4) would exceed"
        " max_total_price of 0.3 (now 0)."
    )


def test_nothing_of_ours_stands_in_its_way(tmp_path: Path) -> None:
    assert explained(site(tmp_path), "1").endswith("Slurm has not placed it: its reason is Resources.")


@pytest.mark.parametrize("restarted", [False, True])
def test_after_a_restart_it_is_told_again_why_a_job_was_given_back(tmp_path: Path, restarted: bool) -> None:
    managed = site(tmp_path, max_nodes=0)
    world = managed.world
    assert isinstance(world, PublishedPlaces)
    world.settle()
    world.place("2", "small-1")
    managed.cycle()
    world.settle()
    world.jobs = [Job("2", JobShape(), reason="Resources")]
    if restarted:
        world.restart()
        managed.source.published.view = world.fleet.view
        world.begin()
        world.settle()
    managed.cycle(*world.jobs)
    managed.source.published.view = world.fleet.view
    assert "max_nodes of 0 reached" in explained(managed, "2")


def test_a_job_whose_two_minutes_are_not_over_yet_is_told_why_it_was_given_back(tmp_path: Path) -> None:
    """Slurm's BeginTime is nothing that more nodes would help, and it is there since we gave it back."""
    managed = site(tmp_path, max_nodes=0)
    world = managed.world
    assert isinstance(world, PublishedPlaces)
    world.settle()
    world.place("2", "small-1")
    managed.cycle()
    world.settle()
    world.jobs = []
    managed.cycle()
    managed.waits.update(world.jobs, world.now, {"2": "BeginTime", "3": "BeginTime"})
    shown = {name: managed.ask(f"/v1/jobs/{name}")["why"] for name in ("2", "3")}
    assert shown["2"].startswith("Slurm's reason is BeginTime; no node came for small-1, so it waits for another: ")
    assert shown["3"] == "Slurm's reason is BeginTime: more nodes would not help"


def test_a_size_says_that_its_names_are_closed(tmp_path: Path) -> None:
    managed = site(tmp_path, max_total_price=0.3)
    limits = msgspec.convert(managed.ask("/v1/status"), StatusShown)
    told = {
        name: "\n".join(wording.size(msgspec.convert(managed.ask(f"/v1/sizes/{name}"), SizeShown), limits))
        for name in ("small", "large")
    }
    assert "closed" not in told["small"]
    assert "Names of it that are off are closed to jobs: one more of large (price 0.4) would exceed" in told["large"]


def test_a_job_that_has_its_nodes_says_nothing_of_sizes(tmp_path: Path) -> None:
    managed = site(tmp_path)
    world = managed.world
    assert isinstance(world, PublishedPlaces)
    world.place("2", "small-1")
    managed.cycle()
    told = explained(managed, "2")
    assert "sizes" not in told
    assert told.endswith("Node: placed on small-1, whose node is on the way.")
