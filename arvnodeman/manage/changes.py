"""What would change a decision, as the API says it."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from arvnodeman.fleet.values.counterfactual import Counterfactual, Meant, OptionChange, OptionValue, Outside
from arvnodeman.manage.json_kinds import Whole, one_of


class ChangeShown(Struct, frozen=True, gc=False):
    """One option, and how it would have to be."""

    section: Annotated[str, Meta(description="of the configuration file: Daemon, Cloud, Size NAME")]
    option: str
    now: Annotated[OptionValue, Meta(description="as the file has it, or the default")]
    bound: Annotated[str, one_of(Meant)]
    needed: Annotated[OptionValue, Meta(description="the nearest value that changes the decision")]
    unit: str
    effect: Annotated[str, Meta(description="what would be decided then")]
    words: str


class CounterfactualShown(Struct, frozen=True, gc=False):
    """What would change a decision: the options each of which does alone, the smallest change first."""

    changes: list[ChangeShown]
    why_none: Annotated[str, Meta(description="why no single option would; empty if one does")]
    outside: Annotated[
        str | None, one_of(Outside), Meta(description="who else is responsible for the obstacle, if it is not ours")
    ]
    plans: Annotated[Whole, Meta(description="how often the plan was asked")]


def counterfactual(found: Counterfactual) -> CounterfactualShown:
    """As it is shown."""
    return CounterfactualShown(
        changes=[_change(each) for each in found.changes],
        why_none=found.why_none,
        outside=found.outside.value if found.outside is not None else None,
        plans=found.plans,
    )


def _change(change: OptionChange) -> ChangeShown:
    return ChangeShown(
        section=change.section,
        option=change.option,
        now=change.now,
        bound=change.bound.value,
        needed=change.needed,
        unit=change.unit,
        effect=change.effect,
        words=change.words,
    )
