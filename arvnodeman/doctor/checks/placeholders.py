"""Values that are still the placeholders of an example."""

from __future__ import annotations

from collections.abc import Iterator

from arvnodeman.doctor.base import Area, Check, findings
from arvnodeman.doctor.facts import Facts

PLACEHOLDER = "replace-with-"  # how values begin in the examples that everybody has to fill in


def judge(facts: Facts) -> Iterator[str]:
    """A line for each. None quotes the value of a secret."""
    for section, texts in facts.file().sections.items():
        for name, text in texts.items():
            if text.lower().startswith(PLACEHOLDER):
                yield (
                    f"{facts.settings().path}: [{section}] {name}: is still the placeholder from the example; write "
                    "your own value"
                )


CHECK = Check(
    name="placeholders",
    area=Area.FILE,
    says="An option still has the placeholder from an example.",
    mends="Write your own value.",
    find=lambda facts: findings(judge(facts)),
)
