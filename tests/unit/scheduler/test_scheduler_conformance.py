"""The conformance suite of schedulers over those that need nothing of the machine; the page about it is up to date."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from conformance.page import PAGE, STAGES_OF_THE_PAGE, page
from conformance.stage import STAGES, Stage
from conformance.suite import SUITE

CASES = [(stage, test) for stage, made in STAGES.items() for test in SUITE if test not in made.cannot]


@pytest.fixture
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stage]:
    """A stage of its own for each test."""
    with STAGES[request.param](tmp_path) as stage:
        yield stage


@pytest.mark.parametrize(("stage", "test"), CASES, indirect=["stage"], ids=[f"{stage}-{test}" for stage, test in CASES])
def test_it_conforms(stage: Stage, test: str) -> None:
    SUITE[test](stage)


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page()


def test_what_is_not_shown_is_a_test_that_there_is() -> None:
    assert {name for stage in STAGES_OF_THE_PAGE for name in stage.cannot} <= set(SUITE)
