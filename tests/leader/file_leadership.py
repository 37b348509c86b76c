"""A store of leads in one file, for managers of one machine; and a program that is the daemon with it as a backend.

`python file_leadership.py STORE --config FILE ...` is the daemon. With the backend `zookeeper` in its configuration it
asks the file STORE. A file STORE.away beside it makes the store not answer.
"""

from __future__ import annotations

import fcntl
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from arvnodeman.fence.fence import steady
from arvnodeman.fleet.values.leading import LeaderBackend
from arvnodeman.leader.port import Hold, Holder, LeadCandidate, NotTheLeader, StoreAway

if TYPE_CHECKING:
    from arvnodeman.config import Settings

STORE: list[Path] = []


class FileLeadership:
    """All clocks are this machine's."""

    def __init__(self, settings: Settings, candidate: LeadCandidate) -> None:
        self._ttl, self._name = settings.leader.ttl, candidate.name
        self._generation = 0

    def take(self, at_least: int = 0) -> Hold | None:
        began = steady()
        with _store() as kept:
            if kept["holder"] not in ("", self._name) and steady() < kept["expires"]:
                return None
            self._generation = max(kept["generation"], at_least) + 1
            kept.update(holder=self._name, generation=self._generation, expires=steady() + self._ttl)
        return Hold(self._generation, began)

    def hold(self) -> Hold:
        began = steady()
        with _store() as kept:
            if (kept["holder"], kept["generation"]) != (self._name, self._generation):
                raise NotTheLeader(f"{kept['holder'] or 'nobody'} leads, generation {kept['generation']}")
            kept["expires"] = steady() + self._ttl
        return Hold(self._generation, began)

    def give_up(self) -> None:
        with _store() as kept:
            if (kept["holder"], kept["generation"]) == (self._name, self._generation):
                kept["holder"] = ""

    def who(self) -> Holder | None:
        with _store() as kept:
            alive = kept["holder"] and steady() < kept["expires"]
            return Holder(kept["holder"], kept["generation"]) if alive else None


@contextmanager
def _store() -> Iterator[dict[str, Any]]:
    (path,) = STORE
    if path.with_name(f"{path.name}.away").exists():
        raise StoreAway("it is away")
    with path.open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        kept = json.loads(file.read() or '{"holder": "", "generation": 0, "expires": 0}')
        yield kept
        file.seek(0)
        file.truncate()
        file.write(json.dumps(kept))


def main() -> None:
    """Be the daemon."""
    from arvnodeman.cli import main as run
    from arvnodeman.leader import registry

    STORE.append(Path(sys.argv.pop(1)))
    registry.BACKENDS[LeaderBackend.ZOOKEEPER] = "file_leadership:FileLeadership"
    sys.modules["file_leadership"] = sys.modules["__main__"]
    sys.exit(run())


if __name__ == "__main__":
    from arvnodeman.supervision.first_signals import STOPS  # noqa: F401  # the daemon's own start sees to signals

    main()
