"""Nodes that stand ready are told apart from idle ones, and who pays for what is played adds up."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from stage import asking, configured, job, scenario

from arvnodeman.config import Settings
from arvnodeman.traces.job import TracedJob
from arvnodeman.whatif.forecast_words import as_text
from arvnodeman.whatif.play import play

SPARE = "[Spare day]\nsize = small\nnodes = 1\nwhen = 00:00-24:00 UTC"


def with_spare(folder: Path) -> Settings:
    return configured(folder, big=SPARE)


def jobs(accounts: str = "abc") -> list[TracedJob]:
    """Each has a node to itself."""
    return [
        job(str(number), 700.0 * number, shape=asking(2, alone=True, account=accounts[number % len(accounts)]))
        for number in range(9)
    ]


def test_spares_are_told_apart_from_idle_nodes(tmp_path: Path) -> None:
    """Without one some nodes idle; with one always ready most of that time is the spare's."""
    plain = play(scenario(configured(tmp_path), *jobs())).forecast.node_hours
    assert (plain.spare, plain.ahead) == (0.0, 0.0)
    forecast = play(scenario(with_spare(tmp_path), *jobs())).forecast
    hours = forecast.node_hours
    assert hours.spare > hours.idle
    assert "ready as spares" in as_text(forecast)
    paid = forecast.by_size["small"].hours + (forecast.by_size["big"].hours if "big" in forecast.by_size else 0.0)
    assert hours.spare + hours.idle + hours.busy + hours.booting + hours.ending == pytest.approx(paid)


def test_nodes_that_stand_ready_for_jobs_to_come_are_told_apart(tmp_path: Path) -> None:
    site = configured(tmp_path, daemon="ahead = yes\nahead_max_idle = 30")
    held = [replace_eligible(each, 1800.0) for each in jobs()[:2]]
    hours = play(scenario(site, *held)).forecast.node_hours
    assert hours.ahead > 0.0


def replace_eligible(held: TracedJob, seconds: float) -> TracedJob:
    """It could not run before."""
    return held._replace(eligible=held.submit + seconds)


def test_who_pays_adds_up_to_what_nodes_cost(tmp_path: Path) -> None:
    site = with_spare(tmp_path)
    forecast = play(replace(scenario(site, *jobs()), by="account")).forecast
    assert {payer.name for payer in forecast.payers} >= {"a", "b", "c", "(overhead)"}
    assert sum(payer.cost for payer in forecast.payers) == pytest.approx(forecast.cost, abs=0.01)
    costs = [payer.cost for payer in forecast.payers]
    assert costs == sorted(costs, reverse=True)
    assert "Who pays" in as_text(forecast)


def test_who_pays_alters_nothing_else(tmp_path: Path) -> None:
    plain = scenario(configured(tmp_path), *jobs())
    told = play(replace(plain, by="user")).forecast
    (payer,) = [payer for payer in told.payers if payer.name != "(overhead)"]
    assert payer.name == "u"
    assert play(plain).forecast == msgspec.structs.replace(told, payers=[])
