"""Fixtures of the sandbox's tests."""

from __future__ import annotations

import pytest
from sandbox_play import Play, new_play


@pytest.fixture
def play() -> Play:
    """A site on a clock that stands still."""
    return new_play()
