"""The page, the real daemon behind it and a real browser before it: a node's life is followed, held, and killed, and
the page stays open while the daemon is killed and comes back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import Tab, chromium, tab
from daemon_process import BOUND, DaemonProcess
from playwright.sync_api import Browser, expect

from arvnodeman.sandbox.demo_stream import FrontDoor
from arvnodeman.sandbox.process import SiteProcess

WAIT = 1000 * BOUND


@pytest.fixture
def browser() -> Iterator[Browser]:
    expect.set_options(timeout=WAIT)
    with chromium() as found:
        yield found


@pytest.fixture
def site() -> Iterator[SiteProcess]:
    with SiteProcess(speed=60) as site:
        yield site


def say(shown: Tab, word: str, reason: str) -> None:
    shown.page.get_by_role("button", name=word).click()
    dialog = shown.page.get_by_role("dialog", name=f"{word} compute1?")
    dialog.get_by_label("Reason").fill(reason)
    dialog.get_by_role("button", name=word).click()
    expect(dialog).to_be_hidden()


@pytest.mark.long
def test_a_page_stays_open_over_the_daemons_death(site: SiteProcess, tmp_path: Path, browser: Browser) -> None:
    log, door = tmp_path / "log", FrontDoor.choose()
    config = site.write_config(
        tmp_path / "site.cfg",
        {
            "Logging": {"file": log, "level": "INFO"},
            "Daemon": {"state_dir": tmp_path / "state"},
            "Manage": door.options,
        },
    )
    site.add_jobs({"cores": 1, "duration": 900})  # 15 s: the page looks every 3 s
    first = DaemonProcess(config, log, site.environment())
    second: DaemonProcess | None = None
    try:
        assert door.opens(lambda: first.process.poll() is not None)
        with tab(browser, f"127.0.0.1:{door.port}") as shown:
            page = shown.page
            page.goto(f"http://127.0.0.1:{door.port}/")
            page.get_by_label("Token", exact=True).fill(door.token)
            page.keyboard.press("Enter")
            page.get_by_role("option", name="compute1 busy").click()
            say(shown, "Hold", "a look at its disk")
            expect(page.get_by_role("option", name="compute1 busy, hold")).to_be_visible()
            first.end()
            expect(page.locator("#health")).to_have_text("The daemon is away")
            page.evaluate("document.mark = 'the same page'")
            second = DaemonProcess(config, log, site.environment())
            expect(page.locator("#health")).to_have_text("All is well")
            expect(page.get_by_role("option", name="compute1 idle, hold")).to_be_visible()
            expect(page.get_by_role("region", name="compute1")).to_contain_text("held by an operator")
            expect(page.locator("#hours figure")).to_have_count(3)
            say(shown, "Kill", "it is no good")
            expect(page.get_by_text("There are no nodes now.")).to_be_visible()
            expect(page.locator("#decisions")).to_contain_text("it is no good")
            assert page.evaluate("document.mark") == "the same page"
            assert shown.complaints() == []
        site.wait_for(lambda state: state["quiet"], timeout=BOUND)
        assert second.stop() == 0
    finally:
        first.end()
        if second is not None:
            second.end()
    assert "Traceback" not in log.read_text()
    assert door.token not in log.read_text()
