"""A real browser for tests: the machine's Chromium, without a window, driven by Playwright.

Whatever it does that a page of ours must not do is kept: words on its console, errors that nobody caught, requests to
another host than the server under test.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ADVICE = "no Chromium on PATH (Debian: apt-get install chromium)"
WAIT = 30_000.0  # milliseconds that anything may take on a busy machine


def find() -> str | None:
    """The browser's program; None when there is none."""
    return next(filter(None, map(shutil.which, NAMES)), None)


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser; the test is skipped where there is none, and fails in CI."""
    program = find()
    if program is None:
        if os.environ.get("CI"):
            pytest.fail(ADVICE)
        pytest.skip(ADVICE)
    with sync_playwright() as playwright:
        options = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(
            executable_path=program, args=[*options, "--disable-dev-shm-usage", "--disable-gpu"]
        )
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Tab:
    """One page in a fresh profile, and what it did that it must not do."""

    page: Page
    host: str  # HOST:PORT that it may ask
    console: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    abroad: list[str] = field(default_factory=list)  # addresses elsewhere that it asked for
    asked: list[Request] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.set_default_timeout(WAIT)
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", self._see)

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.console.append(message.text)

    def _see(self, request: Request) -> None:
        self.asked.append(request)
        parts = urlsplit(request.url)
        if parts.scheme != "data" and parts.netloc != self.host:
            self.abroad.append(request.url)

    def complaints(self) -> list[str]:
        """What it did that it must not do. That the server refused or was away is told by the browser, not by it."""
        told = [line for line in self.console if not line.startswith("Failed to load resource")]
        return [*told, *self.errors, *self.abroad]


@contextmanager
def tab(browser: Browser, host: str, **options: object) -> Iterator[Tab]:
    """A tab with these options of Playwright's `new_context`; nothing is loaded yet."""
    context: BrowserContext = browser.new_context(**{"locale": "en-GB", **options})  # type: ignore[arg-type]
    try:
        yield Tab(context.new_page(), host)
    finally:
        context.close()
