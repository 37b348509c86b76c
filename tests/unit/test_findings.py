"""findings/: each script has its line in the README there, can be run, and ends at the first command that fails."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

FINDINGS = Path(__file__).resolve().parents[2] / "findings"
SCRIPTS = sorted(FINDINGS.glob("*.sh"))


def test_the_readme_has_one_line_for_each_script_in_order() -> None:
    rows = re.findall(r"^\| ([a-z0-9-]+) \| \S.* \|$", (FINDINGS / "README.md").read_text(), re.MULTILINE)
    assert rows == ["script", *(script.stem for script in SCRIPTS)]  # below the heading


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_a_script_can_be_run_and_stops_at_what_fails(script: Path) -> None:
    text = script.read_text()
    assert os.access(script, os.X_OK)
    assert text.startswith("#!/bin/bash\n# ")
    assert "\nset -euo pipefail\n" in text
    assert "Ends with 0" in text.replace("\n# ", " ")
