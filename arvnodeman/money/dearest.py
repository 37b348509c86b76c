"""The dearest payers, for those who cannot take any number of them."""

from __future__ import annotations

from collections.abc import Mapping

from arvnodeman.money.payers import OVERHEAD, Payer

KINDS = ("account", "user", "partition")
NOBODY = "(overhead)"
NOT_KNOWN = "(none)"
OTHERS = "other"


def dearest(spent: Mapping[Payer, float], kind: str, most: int) -> list[tuple[str, float]]:
    """What the dearest accounts, users or partitions have spent, the dearest first; all beyond `most` together, as
    other. `kind`: one of KINDS. Names are unique, and the sum is that of all."""
    sums: dict[str, float] = {}
    for payer, dollars in spent.items():
        name = NOBODY if payer == OVERHEAD else getattr(payer, kind) or NOT_KNOWN
        sums[name] = sums.get(name, 0.0) + dollars
    ordered = sorted(sums.items(), key=lambda each: (-each[1], each[0]))
    found = dict(ordered[:most])
    if rest := ordered[most:]:
        found[OTHERS] = found.get(OTHERS, 0.0) + sum(dollars for _, dollars in rest)
    return list(found.items())
