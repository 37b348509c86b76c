"""What would change a decision, by the API: typed, of jobs and nodes, one question at a time, of no cost unasked."""

from __future__ import annotations

from pathlib import Path
from threading import Event, Thread

import pytest
from managed_world import Managed, jobs, policy
from werkzeug.exceptions import TooManyRequests

from arvnodeman.commands import wording
from arvnodeman.fleet.plan import asking
from arvnodeman.fleet.values.counterfactual import Counterfactual
from arvnodeman.manage.changes import ChangeShown, CounterfactualShown
from arvnodeman.manage.questions import Questions


def test_a_job_and_a_node_are_told_of_in_types(tmp_path: Path) -> None:
    site = Managed(tmp_path, policy=policy(max_nodes=2, min_nodes=1))
    site.world.node()
    site.begin()
    site.cycle(times=3)
    (change,) = site.ask("/v1/nodes/compute1/counterfactual")["changes"]
    assert {name: change[name] for name in ("section", "option", "now", "bound", "needed", "unit")} == {
        "section": "Daemon", "option": "min_nodes", "now": 1, "bound": "<=", "needed": 0, "unit": "nodes",
    }  # fmt: skip
    site.cycle(*jobs(4))
    shown = site.ask(f"/v1/jobs/{site.world.jobs[-1].id}/counterfactual")
    (change,) = shown["changes"]
    assert (change["option"], change["now"], change["needed"]) == ("max_nodes", 2, 4)
    assert change["effect"] == "a node of small would boot for it at once"
    assert change["words"] == f"with max_nodes >= 4 (now 2) {change['effect']}"
    assert (shown["why_none"], shown["outside"]) == ("", None)
    assert 1 < shown["plans"] <= asking.MOST_PLANS


def test_what_waits_for_something_else_and_what_there_is_not(tmp_path: Path) -> None:
    site = Managed(tmp_path)
    site.begin(*jobs(1))
    site.waits.update(site.world.jobs, site.world.now, {"held": "JobHeldUser"})
    shown = site.ask("/v1/jobs/held/counterfactual")
    assert (shown["changes"], shown["outside"], shown["plans"]) == ([], "Slurm", 0)
    assert "JobHeldUser" in shown["why_none"]
    for path in ("/v1/jobs/nobody/counterfactual", "/v1/nodes/nobody/counterfactual"):
        assert site.get(path).status_code == 404


def test_nobody_who_does_not_ask_pays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No plan is made for it by the daemon, nor by the pages that all look at."""
    site = Managed(tmp_path, policy=policy(max_nodes=1))
    monkeypatch.setattr(asking, "plan", None)
    site.begin(*jobs(3))
    site.cycle(times=2)
    for path in ("/v1/status", "/v1/jobs", "/v1/nodes", f"/v1/jobs/{site.world.jobs[-1].id}"):
        assert site.ask(path)


def test_one_question_at_a_time() -> None:
    questions, asked, go_on = Questions(), Event(), Event()

    def slow() -> Counterfactual:
        asked.set()
        go_on.wait()
        return Counterfactual(why_none="x")

    first = Thread(target=questions.ask, args=(slow,))
    first.start()
    asked.wait()
    with pytest.raises(TooManyRequests):
        questions.ask(lambda: Counterfactual(why_none="y"))
    go_on.set()
    first.join()
    assert questions.ask(lambda: Counterfactual(why_none="y")).why_none == "y"


CHANGE = ChangeShown("Daemon", "max_nodes", 2, ">=", 4, "nodes", "it goes", "with max_nodes >= 4 (now 2) it goes")
OTHER = ChangeShown("Cloud", "x", "a", "=", "b", "", "it goes", "with [Cloud] x = b (now a) it goes")


@pytest.mark.parametrize(
    ("shown", "why", "lines"),
    [
        (
            CounterfactualShown([CHANGE, OTHER], "", None, 9), "at max_nodes",
            ["  With max_nodes >= 4 (now 2) it goes.", "  Or with [Cloud] x = b (now a) it goes."],
        ),
        (CounterfactualShown([], "no single option: it works", "its work", 9), "it works", ["  No single option."]),
        (
            CounterfactualShown([], "no single option: spent", "Slurm", 9), "spent",
            ["  No single option: what stands in the way is Slurm's."],
        ),
        (CounterfactualShown([], "none: spent; or so", None, 9), "x", ["  None: spent; or so."]),
    ],
)  # fmt: skip
def test_in_lines_for_people(shown: CounterfactualShown, why: str, lines: list[str]) -> None:
    assert list(wording.changes(shown, why)) == lines
