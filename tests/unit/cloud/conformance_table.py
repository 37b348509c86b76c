"""Writes doc/clouds/conformance.md: which test of the conformance suite each driver has passed, and against what.

`make docs` runs it, after a change of the suite or a peer; a test holds the page.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Mapping
from pathlib import Path

from cloud_peer import Peer, Shown, peer_classes

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "doc" / "clouds" / "conformance.md"
SUITE = Path(__file__).with_name("test_cloud_conformance.py")
WORDS = {Shown.PEER: "yes", Shown.ITSELF: "itself", Shown.RECORDED: "recorded", Shown.LAYER: "ours"}
HEAD = """# Conformance of the cloud drivers

One test suite, `tests/unit/cloud/test_cloud_conformance.py`, runs for every driver. `make docs` makes this page from
it; a test keeps it up to date. All tests pass. The table says what they ran against:

* **yes**: against something that nobody here wrote;
* **itself**: the sandbox is its own cloud;
* **recorded**: against answers that the libcloud project has recorded at the cloud, changed only in names and ids;
* **ours**: against answers or a layer that we wrote, because the peer cannot show it. It shows that the driver
  does what it should, not that the real cloud answers so;
* **real**: also on the real service, by separate tests (`tests/openstack`): nova and keystone, with nova's
  fake hypervisor, and its fakes of glance and neutron or the real ones;
* **–**: not shown; the reason is below the table.

None of this was run against a real cloud account.
`arvados-node-manager cloud-test --config FILE` does that with yours.
"""


def suite() -> dict[str, str]:
    """The tests of the suite in order: name without `test_` -> the name in words."""
    functions = [node for node in ast.parse(SUITE.read_text()).body if isinstance(node, ast.FunctionDef)]
    names = [node.name.removeprefix("test_") for node in functions if node.name.startswith("test_")]
    return {name: name.replace("_", " ") for name in names}


def cell(peer: type[Peer], name: str) -> str:
    """What the table says of one test of one driver."""
    if peer.cannot_show(name):
        return "–"
    return WORDS[peer.otherwise.get(name, peer.shown)] + (", real" if name in peer.real else "")


def page(peers: Mapping[str, type[Peer]]) -> str:
    """The whole page."""
    lines = [HEAD, f"| | {' | '.join(peers)} |", f"|---|{'---|' * len(peers)}"]
    lines.append(f"| *run against* | {' | '.join(f'*{peer.peer}*' for peer in peers.values())} |")
    lines += [
        f"| {words} | {' | '.join(cell(peer, name) for peer in peers.values())} |" for name, words in suite().items()
    ]
    for provider, peer in peers.items():
        reasons = {words: peer.cannot_show(name) for name, words in suite().items()}
        notes = [*peer.remarks, *(f"Not shown: {words}: {why}." for words, why in reasons.items() if why)]
        if peer.mistakes:
            notes.append(f"Mistakes that are named with their option: {', '.join(peer.mistakes)}.")
        lines += ["", f"**{provider}**", "", *(f"* {note}" for note in notes)]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(page(peer_classes()), encoding="utf-8")
    sys.stdout.write(f"{PAGE.relative_to(ROOT)} written\n")
