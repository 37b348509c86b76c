"""The page with 5,000 nodes in a real browser: how long until the first tiles are drawn, and how long an update takes.

`make bench ARGS=page`. Times are the browser's own. The management server and the Fleet are in this process, the
browser's are beside it; between two updates every twentieth node changes its state.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path

from browser import Tab, chromium, tab
from manage_load import make_site
from managed_world import Managed

from arvnodeman.manage.server import ManagementServer, bind

WATCH = """
addEventListener("DOMContentLoaded", () => {
  window.long = [];
  new PerformanceObserver((list) => long.push(...list.getEntries().map((entry) => entry.duration)))
    .observe({entryTypes: ["longtask"]});
  const tiles = document.getElementById("tiles");
  const seen = () => { window.changed = performance.now(); requestAnimationFrame(() => setTimeout(() => {
    window.first ??= performance.now(); window.drawn = performance.now();
  })); };
  new MutationObserver(seen).observe(tiles, {childList: true, subtree: true, attributes: true});
});
"""
ASKED = "performance.getEntriesByType('resource').filter(entry => entry.name.endsWith('/v1/nodes')).at(-1)"


def main() -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, default=5000)
    parser.add_argument("--updates", type=int, default=5)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        site = make_site(Path(folder), given.nodes, 50)
        server = ManagementServer(site.application, bind("127.0.0.1", 0))
        server.start()
        with tab(browser, f"127.0.0.1:{server.port}", viewport={"width": 1280, "height": 900}) as shown:
            shown.page.add_init_script(f"sessionStorage.setItem('arvados-node-manager.token', 'tok');{WATCH}")
            shown.page.goto(f"http://127.0.0.1:{server.port}/")
            shown.page.locator(".tile").first.wait_for()
            shown.page.wait_for_timeout(2000)
            first = shown.page.evaluate(f"[first, {ASKED}.duration, {ASKED}.transferSize, Math.max(0, ...long)]")
            print(f"{given.nodes} nodes")
            print(f"first tiles drawn {first[0]:.0f} ms after the address was entered; the list of nodes came in")
            print(
                f"{first[1]:.0f} ms, {first[2]} bytes; the longest that the page was busy at a time: {first[3]:.0f} ms"
            )
            took = [update(site, shown, number) for number in range(given.updates)]
            middle, most = statistics.median(took), max(took)
            print(f"update, from the answer's end until it is drawn: {middle:.0f} ms, at most {most:.0f} ms")
        server.stop()
    return 0


def update(site: Managed, shown: Tab, number: int) -> float:
    """Every twentieth node changes; milliseconds from the end of the answer until the change is drawn."""
    before = shown.page.evaluate("drawn")
    for node in range(1, len(site.world.cloud), 20):
        site.world.says(f"compute{node}", "idle" if number % 2 == 0 else "alloc")
    site.cycle()
    while shown.page.evaluate("drawn") == before:
        shown.page.wait_for_timeout(200)
    shown.page.wait_for_timeout(1000)
    took: float = shown.page.evaluate(f"drawn - {ASKED}.responseEnd")
    return took


if __name__ == "__main__":
    raise SystemExit(main())
