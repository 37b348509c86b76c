"""Fixtures of the Arvados room."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from arvados_site import Site, serving


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A running API server of Arvados 2.7, with slots enough."""
    with serving(tmp_path) as running:
        yield running
