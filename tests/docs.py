"""`make docs`: writes what doc/ takes from the code and the tests. Tests hold each of these files up to date."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
WRITERS = (
    ("-m", "arvnodeman.config.reference"),  # nodemanager.cfg.example, doc/configuration.md
    ("-m", "arvnodeman.doctor.reference"),  # doc/doctor.md
    ("-m", "arvnodeman.manage.metric_reference"),  # doc/metrics.md
    (str(HERE / "architecture_page.py"),),  # doc/architecture.md, in part
    (str(HERE / "unit" / "scenarios_index.py"),),  # doc/scenarios.md
    ("-m", "conformance.page"),  # doc/scheduler-conformance.md
    (str(HERE / "unit" / "cloud" / "conformance_table.py"),),  # doc/clouds/conformance.md
)
PICTURES = (str(HERE / "screenshots.py"),)  # of a demo, for README.md; the rest of the line are its options


def main() -> int:
    """Run them all; 1 where one fails."""
    pictures = "--pictures" in sys.argv[1:]
    options = [option for option in sys.argv[1:] if option != "--pictures"]
    if options and not pictures:
        sys.stderr.write(f"make docs: no option {options[0]}: there is --pictures, with its own options behind it\n")
        return 2
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (HERE, HERE.parent)))}
    writers = (*WRITERS, (*PICTURES, *options)) if pictures else WRITERS
    codes = [subprocess.run([sys.executable, *writer], env=environ, check=False).returncode for writer in writers]
    return 1 if any(codes) else 0


if __name__ == "__main__":
    raise SystemExit(main())
