"""What the management server says of money: parts of the answers in answers.py."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from arvnodeman.manage.json_kinds import Number


class CostShown(Struct, frozen=True, gc=False):
    """What the nodes have cost so far."""

    hour: Annotated[Number, Meta(description="$ so far this hour, of this machine's calendar")]
    day: Annotated[Number, Meta(description="the same of this day")]
    month: Annotated[Number, Meta(description="the same of this month")]
    complete: Annotated[
        bool,
        Meta(description="false: nodes that ended before `since` are not counted, because there is no history of them"),
    ]
    since: Annotated[Number, Meta(description="when the account begins, in seconds since the epoch")]


class PayerShown(Struct, frozen=True, gc=False):
    """One of those who pay for the nodes."""

    by: Annotated[str, Meta(description="account, or user where no accounts are known")]
    name: Annotated[str, Meta(description="(overhead): what no job pays for; other: all that are not named")]
    month: Annotated[Number, Meta(description="$ so far this month")]
