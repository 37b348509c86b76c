"""Writes the table of doc/doctor.md from the catalogue.

`python -m arvnodeman.doctor.reference` writes it; a test compares it with the catalogue.
"""

from __future__ import annotations

from pathlib import Path

from arvnodeman.doctor.base import Area, Check
from arvnodeman.doctor.catalogue import CHECKS, of_area

PAGE = "doc/doctor.md"
HEAD = ("| check | what is wrong | remedy | |", "|---|---|---|---|")
BEGIN, END = "<!-- the catalogue: python -m arvnodeman.doctor.reference -->", "<!-- its end -->"


def catalogue() -> str:
    """What stands between the two marks."""
    lines = [f"{len(CHECKS)} checks."]
    for area in Area:
        lines += ["", f"### About {area}", "", *HEAD]
        lines += [f"| `{each.name}` | {each.says} | {each.mends} | {_notes(each)} |" for each in of_area(area)]
    return "\n".join(lines).replace("|  |", "| |")


def _notes(check: Check) -> str:
    notes = ["grave"] if check.grave else []
    notes += ["`--fix`"] if check.mend is not None else []
    notes += [] if check.cheap else ["not hourly"]
    if check.places is not None:
        notes.append("Slurm decides" if check.places else "not where Slurm decides")
    return ", ".join(notes)


def page_text(before: str) -> str:
    """The page with the catalogue in it, made of what it was before."""
    head, _, rest = before.partition(BEGIN)
    return f"{head}{BEGIN}\n{catalogue()}\n{END}{rest.partition(END)[2]}"


def main() -> None:
    """Write the page in the source tree that this module stands in."""
    page = Path(__file__).parent.parent.parent / PAGE
    page.write_text(page_text(page.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
