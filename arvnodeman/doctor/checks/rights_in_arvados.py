"""Arvados refuses us, or the token is not an administrator's."""

from __future__ import annotations

from collections.abc import Iterator

from arvnodeman.doctor.base import Area, Check, findings
from arvnodeman.doctor.facts import Facts


def judge(facts: Facts) -> Iterator[str]:
    """A line at most."""
    arvados = facts.arvados()
    if arvados.refusal:
        yield arvados.refusal
    elif not arvados.is_admin:
        yield (
            f"[Arvados] token: it belongs to {arvados.user}, who is not an administrator: jobs and nodes of others "
            "are hidden"
        )


CHECK = Check(
    name="rights-in-arvados",
    area=Area.ARVADOS,
    says="Arvados refuses the token, or it is not an administrator's.",
    mends="Set [Arvados] token to the token of an active administrator.",
    find=lambda facts: findings(judge(facts)),
)
