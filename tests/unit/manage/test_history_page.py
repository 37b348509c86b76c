"""GET /v1/history, and what the nodes cost in the other pages."""

from __future__ import annotations

from pathlib import Path

import pytest
from managed_world import Managed, jobs, policy

SHOWN = ("booting", "unpaired", "idle", "busy", "other")


@pytest.fixture
def site(tmp_path: Path) -> Managed:
    managed = Managed(tmp_path, policy=policy(max_nodes=5, shutdown_windows=(1e9, 1.0)))
    managed.world.node("compute1", "large", slurm="alloc", age=1800.0)
    managed.world.node("compute2", "small", slurm="idle", age=600.0)
    managed.begin()
    return managed


def test_lines_have_a_point_for_each_step_and_gaps_where_nothing_was_recorded(site: Managed) -> None:
    site.cycle(*jobs(3), times=5)
    shown = site.ask("/v1/history?hours=1")
    lines = [*shown["nodes"].values(), shown["queue"], shown["capacity"], shown["cost_per_hour"]]
    assert tuple(shown["nodes"]) == SHOWN
    assert {len(line) for line in lines} == {len(shown["times"])} == {60}
    assert shown["step"] == 60
    assert [b - a for a, b in zip(shown["times"], shown["times"][1:], strict=False)] == [60] * 59
    assert shown["times"][-1] <= shown["until"] < shown["times"][-1] + 60
    assert shown["since"] == shown["times"][0]
    assert shown["nodes"]["busy"][0] is None
    assert shown["nodes"]["busy"][-1] == 1
    assert shown["queue"][-1] == 3
    assert shown["capacity"][-1] == 5
    assert shown["cost_per_hour"][-1] == pytest.approx(site.source.moment().view.price)
    known = [value for value in shown["nodes"]["busy"] if value is not None]
    assert len(known) == shown["nodes"]["busy"][::-1].index(None), "no holes"


@pytest.mark.parametrize(("hours", "step"), [("0.1", 60), ("6", 60), ("24", 240), ("168", 1680)])
def test_however_long_it_has_few_points(site: Managed, hours: str, step: int) -> None:
    site.cycle(times=3)
    shown = site.ask(f"/v1/history?hours={hours}")
    assert shown["step"] == step
    assert len(shown["times"]) <= 400
    assert shown["nodes"]["busy"][-1] == 1


def test_six_hours_are_shown_when_nobody_asks_for_another_number(site: Managed) -> None:
    shown = site.ask("/v1/history")
    assert (len(shown["times"]), shown["step"]) == (360, 60)


@pytest.mark.parametrize("query", ["hours=0", "hours=169", "hours=-1", "hours=1e1", "hours=", "hours=x", "days=1"])
def test_what_makes_no_sense_is_refused_in_words(site: Managed, query: str) -> None:
    answer = site.get(f"/v1/history?{query}")
    assert answer.status_code == 400
    assert "hours" in answer.get_json()["error"]


def test_it_needs_the_right_to_read(tmp_path: Path) -> None:
    site = Managed(tmp_path, token="tok")
    site.begin()
    assert site.get("/v1/history").status_code == 401
    assert site.get("/v1/history", Authorization="Bearer tok").status_code == 200


def test_before_the_first_list_there_is_nothing_to_draw(tmp_path: Path) -> None:
    site = Managed(tmp_path)
    site.recorder.observe()
    assert set(site.ask("/v1/history")["nodes"]["idle"]) == {None}


def test_cost_is_in_status_and_metrics(site: Managed) -> None:
    site.cycle(times=2)
    cost = site.ask("/v1/status")["cost"]
    assert site.get("/status.json").get_json()["cost"] == cost
    assert cost["month"] > 0
    assert cost["month"] >= cost["day"] >= cost["hour"]
    assert cost["complete"] is False
    assert cost["since"] == site.vitals.began_at
    text = site.get("/metrics").text
    found = [line for line in text.splitlines() if line.startswith('arvados_node_manager_cost_dollars{period="month"}')]
    assert float(found[0].split()[-1]) == pytest.approx(cost["month"], abs=1e-4)
    assert "arvados_node_manager_cost_complete 0.0" in text
