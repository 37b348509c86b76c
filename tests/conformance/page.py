"""Writes doc/scheduler-conformance.md: which test of the suite each scheduler has passed, and against what.

`make docs` runs it, after a change of the suite or a stage; a test holds the page.
"""

from __future__ import annotations

import sys
from pathlib import Path

from conformance.stage import STAGES, RealStage, Stage
from conformance.suite import SUITE

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "doc" / "scheduler-conformance.md"
STAGES_OF_THE_PAGE: tuple[type[Stage], ...] = (RealStage, *reversed(STAGES.values()))
HEAD = """# Conformance of schedulers

The scheduler is behind a port, `arvnodeman/scheduler/base.py`. One test suite, `tests/conformance/suite.py`, checks
what each method must do. It runs on every scheduler: Slurm itself
(`tests/integration/test_slurm_conformance.py`, and other versions with `make proofs ARGS=slurms`), the sandbox's fake
of Slurm, which most other tests use, and the template, which shows what another scheduler would have to
do. `make docs` makes this page; a test keeps it up to date. The table says what each test ran against:

* **yes**: against something that nobody here wrote;
* **ours**: against answers that we wrote; the column of Slurm shows that the real one answers so;
* **itself**: the template is its own scheduler;
* **–**: not shown; the reason is below the table.
"""
TAIL = """
## Another scheduler

1. Copy `arvnodeman/scheduler/template.py` into a room of its own beside `slurm/`, and fill in its marked places: the
   tables of the scheduler's states of nodes and reasons of jobs, the queries, the changes, the errors. Nothing
   outside that room may know the scheduler's words: they are only passed on as texts for people.
2. Write a stage (`tests/conformance/stage.py`): what happens to a scheduler, such as a machine that comes up, a
   job, a server that does not answer.
3. Let `Makers.scheduler` (`arvnodeman/actors/real_world.py`) make it, by the option `dispatcher`.

So far only Slurm can keep node records itself, as names (`records/names.py`): with another
scheduler the records are those of Arvados.
"""


def cell(stage: type[Stage], test: str) -> str:
    """What the table says of one test of one scheduler."""
    return "–" if test in stage.cannot else stage.shown


def page() -> str:
    """The whole page."""
    stages = STAGES_OF_THE_PAGE
    lines = [HEAD, f"| | {' | '.join(stage.name for stage in stages)} |", f"|---|{'---|' * len(stages)}"]
    lines.append(f"| *run against* | {' | '.join(f'*{stage.against}*' for stage in stages)} |")
    for test in SUITE:
        lines.append(f"| {test.replace('_', ' ')} | {' | '.join(cell(stage, test) for stage in stages)} |")
    for stage in stages:
        if stage.cannot:
            lines += ["", f"**{stage.name}**", ""]
            lines += [f"* Not shown: {test.replace('_', ' ')}: {why}." for test, why in stage.cannot.items()]
    return "\n".join(lines) + "\n" + TAIL


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"{PAGE.relative_to(ROOT)} written\n")
