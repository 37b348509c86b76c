"""A store in memory that many managers share, with a clock and faults that the test sets."""

from __future__ import annotations

from dataclasses import dataclass, field

from arvnodeman.leader.port import Hold, Holder, NotTheLeader, StoreAway


@dataclass
class Store:
    """Who leads, until when. `away`: why it does not answer; `late`: seconds that each answer takes."""

    ttl: float = 60.0
    now: float = 1000.0
    holder: str = ""
    generation: int = 0
    expires: float = 0.0
    away: str = ""
    late: float = 0.0
    asked: list[str] = field(default_factory=list)

    def forget(self) -> None:
        """It restarts empty."""
        self.holder, self.generation, self.expires = "", 0, 0.0


class MemoryLeadership:
    """One manager's view of it."""

    def __init__(self, store: Store, name: str) -> None:
        self.store, self.name = store, name
        self.generation = 0

    def take(self, at_least: int = 0) -> Hold | None:
        store = self._ask("take")
        began = store.now
        store.now += store.late
        if store.holder not in ("", self.name) and store.now < store.expires:
            return None
        self.generation = store.generation = max(store.generation, at_least) + 1
        store.holder, store.expires = self.name, store.now + store.ttl
        return Hold(self.generation, began)

    def hold(self) -> Hold:
        store = self._ask("hold")
        began = store.now
        store.now += store.late
        if (store.holder, store.generation) != (self.name, self.generation):
            raise NotTheLeader(f"{store.holder or 'nobody'} leads, generation {store.generation}")
        store.expires = store.now + store.ttl
        return Hold(self.generation, began)

    def give_up(self) -> None:
        store = self._ask("give up")
        if (store.holder, store.generation) == (self.name, self.generation):
            store.holder = ""

    def who(self) -> Holder | None:
        store = self._ask("who")
        alive = store.holder and store.now < store.expires
        return Holder(store.holder, store.generation) if alive else None

    def _ask(self, what: str) -> Store:
        self.store.asked.append(f"{self.name} {what}")
        if self.store.away:
            raise StoreAway(self.store.away)
        return self.store
