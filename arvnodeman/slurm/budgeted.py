"""The accounts that Slurm knows, where it keeps any: a budget for an unknown account pays for nobody."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence

from arvnodeman.fleet.values.budgets import Budget
from arvnodeman.slurm.errors import SlurmFailure
from arvnodeman.slurm.run import run

PATIENCE = 5.0  # seconds: somebody waits for the daemon to start
_ACCOUNTS = ("sacctmgr", "--noheader", "--parsable2", "list", "account", "format=Account")


def unknown_accounts(budgets: Sequence[Budget], timeout: float = PATIENCE) -> list[str]:
    """A line for each account of a budget that Slurm does not know. None where it cannot be asked, or keeps none."""
    if not any(budget.accounts for budget in budgets):
        return []
    try:
        output = run(_ACCOUNTS, timeout=timeout)
    except SlurmFailure:
        return []
    known = output.stdout.split() if output.returncode == 0 else []
    return list(_lines(budgets, known)) if known else []


def _lines(budgets: Sequence[Budget], known: Sequence[str]) -> Iterator[str]:
    for budget in budgets:
        for account in [each for each in budget.accounts if each.lower() not in known]:
            nearest = difflib.get_close_matches(account, known, n=1, cutoff=0.0)
            hint = f"; the nearest is {nearest[0]}" if nearest else ""
            yield f"[Budget {budget.name}] accounts: Slurm knows no account {account!r}{hint}"
