"""Tables of moves: from which state something may come into which, and why. Held at each move, and drawn for people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Generic, NamedTuple, TypeVar

S = TypeVar("S", bound=StrEnum)


class Move(NamedTuple, Generic[S]):
    """From any of these states into that one."""

    sources: Sequence[S]
    target: S
    why: str


class Moves(Generic[S]):
    """All moves of one kind of thing. `first`: the states that it may begin in."""

    def __init__(self, title: str, first: Iterable[S], moves: Iterable[Move[S]]) -> None:
        self.title = title
        self.first = tuple(first)
        self.moves = tuple(moves)
        self._allowed = {(source, move.target) for move in self.moves for source in move.sources}

    @property
    def states(self) -> tuple[S, ...]:
        """All of them."""
        return tuple(type(self.first[0]))

    def may(self, before: S, after: S) -> bool:
        """Is this one of the moves? To stay is none, and always may be."""
        return before is after or (before, after) in self._allowed

    def drawing(self) -> str:
        """The table, as Markdown."""
        names = ", ".join(f"`{state.name}`" for state in self.first)
        lines = [f"**{self.title}** begins as {names}.", "", "| from | to | when |", "|---|---|---|"]
        for move in self.moves:
            sources = ", ".join(f"`{source.name}`" for source in move.sources)
            lines.append(f"| {sources} | `{move.target.name}` | {move.why} |")
        return "\n".join(lines)
