"""Why jobs wait, by Slurm's own reasons."""

from __future__ import annotations

from collections.abc import Iterable, Mapping


def held_by(waiting: Mapping[str, str], words: Iterable[str]) -> dict[str, list[str]]:
    """The jobs whose reason has one of these words, in lower case, by the reason. `waiting`: reason by job."""
    found: dict[str, list[str]] = {}
    for job, reason in waiting.items():
        if any(word in reason.lower() for word in words):
            found.setdefault(reason, []).append(job)
    return found
