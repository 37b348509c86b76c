"""Pictures for README.md, taken of a demo: its page in both themes, and what it cost as a plot."""

from __future__ import annotations

import argparse
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from browser import Tab, chromium, tab
from PIL import Image
from playwright.sync_api import Browser

IMAGES = Path(__file__).resolve().parents[1] / "doc" / "images"
THEMES = {"light": "page.png", "dark": "page-dark.png"}
PLOT = "report.png"
LARGEST = 150_000  # bytes of a picture
FLUSH = 8.0  # seconds until the newest rows are in the history, at a demo's pace


def main() -> int:
    """0; 1 when a picture has come out too large."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=6.0, help="how long the demo goes on before (default 6)")
    parser.add_argument("--folder", type=Path, default=IMAGES, help="where they go (default doc/images)")
    given = parser.parse_args()
    program = [sys.executable, "-m", "arvnodeman"]
    with (
        tempfile.TemporaryDirectory() as kept,
        tempfile.NamedTemporaryFile("w+") as told,
        subprocess.Popen([*program, "demo", "--open-ended", "--keep", kept], stdout=told) as demo,
        chromium() as browser,
    ):
        try:
            url, token = introduction(demo, Path(told.name))
            print(f"a demo goes on for {given.minutes:g} minutes at {url}", flush=True)
            take(browser, url, token, given.folder, given.minutes)
            time.sleep(FLUSH)
            history = ["--history", f"{kept}/state/history.sqlite"]
            plot = ["--plot", str(given.folder / PLOT)]
            subprocess.run([*program, "report", "--since", f"{given.minutes:.0f}min", *history, *plot], check=True)
            return measure(given.folder)
        finally:
            demo.send_signal(signal.SIGINT)
            demo.wait()


def introduction(demo: subprocess.Popen[bytes], told: Path) -> tuple[str, str]:
    """The page's address and the token, as the demo tells them."""
    while demo.poll() is None:
        if found := re.search(r"(http://\S+/) \(the token that it asks for: (\w+)\)", told.read_text()):
            return found[1], found[2]
        time.sleep(0.1)
    raise SystemExit(f"the demo tells no address: {told.read_text()}")


def measure(folder: Path) -> int:
    """Take them down to 256 colours, which nobody sees, and tell how large they are; 1 when one is too large."""
    for name in (*THEMES.values(), PLOT):
        with Image.open(folder / name) as picture:
            picture.convert("RGB").quantize(256).save(folder / name, optimize=True)
    sizes = {name: (folder / name).stat().st_size for name in (*THEMES.values(), PLOT)}
    print("\n".join(f"{folder / name}: {size} bytes" for name, size in sizes.items()))
    return int(max(sizes.values()) > LARGEST)


def take(browser: Browser, url: str, token: str, folder: Path, minutes: float) -> None:
    """Wait until there is something to see, and take the pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    end = time.monotonic() + 60 * minutes
    host = url.split("/")[2]
    with tab(browser, host, viewport={"width": 1280, "height": 1010}, color_scheme="light") as shown:
        shown.page.goto(url)
        shown.page.get_by_label("Token", exact=True).fill(token)
        shown.page.keyboard.press("Enter")
        while time.monotonic() < end or not worth_a_look(shown):
            shown.page.wait_for_timeout(500)
        shown.page.get_by_role("option", name="busy").first.click()
        shown.page.locator("#facts").get_by_text("It stays: it works").wait_for()
        shown.page.mouse.move(1, 1)
        for theme, name in THEMES.items():
            shown.page.get_by_label("Theme").select_option(theme)
            shown.page.wait_for_timeout(1000)  # colours change slowly
            shown.page.screenshot(path=folder / name)


def worth_a_look(shown: Tab) -> bool:
    """Nodes that work, nodes that come, and jobs that wait."""
    options = shown.page.locator("#tiles")
    counts = [options.get_by_role("option", name=state).count() for state in ("busy", "booting", "idle")]
    return counts[0] >= 4 and sum(counts[1:]) >= 1 and shown.page.locator("#jobs > li").count() >= 2


if __name__ == "__main__":
    raise SystemExit(main())
