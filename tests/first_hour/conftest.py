"""The option of the first hour."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """--page."""
    parser.addoption("--page", action="store_true", help="write what was seen into doc/first-hour.md")
