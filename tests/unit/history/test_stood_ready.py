"""Nodes that stand ready on purpose: their time is kept apart from that of idle ones, and told so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from arvnodeman.commands import wording
from arvnodeman.fleet.values.model import Policy, ProviderSize, SizeSection
from arvnodeman.fleet.values.reasons import IdleWait
from arvnodeman.fleet.values.reasons_of_spares import StaysAhead
from arvnodeman.fleet.values.spares import Spare
from arvnodeman.fleet.view.node_table import NodeTable
from arvnodeman.fleet.view.view import View
from arvnodeman.foresight.simulation import Pace, Simulation
from arvnodeman.history import schema
from arvnodeman.history.file import HistoryFile, life_row
from arvnodeman.history.lives import Life
from arvnodeman.history.reading import reading
from arvnodeman.history.report import Report, make
from arvnodeman.history.report_words import as_table
from arvnodeman.history.tallies import Usage
from arvnodeman.manage.answers_of_spares import SpareShown

T0 = 1_699_999_200
OFFERS = (ProviderSize("small", "small", ram=4000, disk=10, price=0.25, cores=2),)


def view_with_a_spare() -> View:
    policy = Policy(
        sections=(SizeSection("small", 2, "small"),),
        shutdown_windows=(0.0, 60.0),
        max_nodes=8,
        slurm=True,
        spares=(Spare("day", "small", 1),),
    )
    run = Simulation(policy, OFFERS, seed=1, pace=Pace(poll=60.0))
    run.advance(1800.0)
    return run.fleet.view


def reported(path: Path, view: View) -> Report:
    """Of an hour in which it was so."""
    usage = Usage()
    usage.pass_to(0.0)
    usage.observe(view)
    for minute in range(1, 61):
        usage.pass_to(60.0 * minute)
    file = HistoryFile(path / schema.FILE_NAME)
    file.open()
    life = Life("i-1", T0, "n1", "compute1", "small", 0.25, False, False, None, "")
    samples = [("sample", (T0 + at, 0, 0, 1, 0, 0, 0, 8, 0.25)) for at in range(0, 3601, 60)]
    tallies = [("tally", (T0 + 60, name, count)) for name, count in (("ahead_boots", 3), ("ahead_used", 2))]
    file.write([life_row(life), *usage.take(T0 + 3600), *samples, *tallies])
    file.close()
    with reading(path / schema.FILE_NAME) as connection:
        return make(connection, T0, T0 + 3600, T0 + 3600)


def test_a_spare_is_not_idle_in_the_report(tmp_path: Path) -> None:
    found = reported(tmp_path, view_with_a_spare())
    (size,) = found.sizes
    assert (round(size.spare_hours, 2), size.idle_hours, size.busy_hours) == (1.0, 0.0, 0.0)
    assert (round(size.spare_cost, 2), size.idle_cost, round(size.cost, 2)) == (0.25, 0.0, 0.25)
    assert "Spares: 1.0 node hours stood ready, $0.25 (not counted as idle)" in as_table(found)


def test_a_node_that_waits_for_a_job_is_told_apart_and_scored(tmp_path: Path) -> None:
    view = view_with_a_spare()
    nodes = {name: status._replace(why=StaysAhead(job="17")) for name, status in view.nodes.items()}
    found = reported(tmp_path, replace(view, nodes=NodeTable(nodes)))
    assert (found.sizes[0].ahead_hours, found.sizes[0].spare_hours, found.sizes[0].idle_hours) == (1.0, 0.0, 0.0)
    assert (
        "Ahead: 3 nodes booted before their jobs could start; 2 were used, 0 were not; 1.0 node hours waited, $0.25 "
        "(not counted as idle)" in as_table(found)
    )


def test_without_either_nothing_is_told_of_them(tmp_path: Path) -> None:
    view = view_with_a_spare()
    nodes = {name: status._replace(why=IdleWait(polls=1, needed=2)) for name, status in view.nodes.items()}
    found = reported(tmp_path, replace(view, nodes=NodeTable(nodes)))
    assert found.sizes[0].idle_hours == 1.0
    assert "Spares" not in as_table(found)


def test_how_a_spare_stands_in_words() -> None:
    shown = SpareShown("day", "small", True, 2, 1, 0, "max_nodes of 8 reached with 8 node(s)", 3600.0)
    assert wording._spare(shown) == (
        "spare day: 1 of 2 of small are ready, 0 coming: max_nodes of 8 reached with 8 node(s); closes in 60 min"
    )
    assert wording._spare(SpareShown("day", "small", False, 0, 0, 0, "", 7200.0)) == (
        "spare day: none of small now, opens in 2.0 h"
    )
