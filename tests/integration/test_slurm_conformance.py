"""The conformance suite of schedulers over a real Slurm."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from conformance.stage import RealStage
from conformance.suite import SUITE
from slurm_stage import need_slurm


@pytest.fixture(scope="module")
def whole() -> Iterator[RealStage]:
    need_slurm()
    with RealStage() as stage:
        yield stage


@pytest.fixture
def stage(whole: RealStage) -> RealStage:
    whole.clear()
    return whole


@pytest.mark.parametrize("test", [name for name in SUITE if name not in RealStage.cannot])
def test_it_conforms(stage: RealStage, test: str) -> None:
    SUITE[test](stage)
