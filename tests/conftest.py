"""What holds for all tests: no example is wrong because the machine was busy; what waits is mixed with what works."""

from __future__ import annotations

import gc
from collections.abc import Generator

import pytest
from hypothesis import settings
from side_by_side import mixed

settings.register_profile("patient", settings(), deadline=None)  # else the one that is in force, such as that of CI
settings.load_profile("patient")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Thousands of tests and all modules stay until the end: the search for garbage leaves them out. Each process of
    several would need half as much time again to collect the tests, and look through them again and again later."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Of several processes each gets the next file when it has nothing to do: the order is that of the mixture."""
    if hasattr(config, "workerinput"):
        items[:] = mixed(items, lambda item: item.nodeid.partition("::")[0])
