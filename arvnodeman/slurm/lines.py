"""A text that is read again and again, of which few lines change from one time to the next."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain, repeat
from typing import Generic, NamedTuple, TypeVar, cast

Item = TypeVar("Item")
_LINES = 16  # in a run: fewer cost more where nothing changes, more cost more where something does
_FEW_RUNS = 64  # that may be short
_AHEAD = 4  # runs, that may have changed together
_NEAR = 1 << 15  # characters that are searched for the next run, at first
_NEW = object()


class _Run(NamedTuple, Generic[Item]):
    """Some lines, one after the other, each with its line break; and what they say."""

    text: str
    items: Sequence[Item]

    @property
    def first(self) -> str:
        """Its first line."""
        return self.text[: self.text.index("\n") + 1]


class Lines(Generic[Item]):
    """What each line of a text says. A line that was in the last text, too, says the very thing that it said there, and
    is not read; but where not one part of a long text stands in the new one, all lines are read. Of texts before that
    nothing is kept.

    The last text is kept in runs of lines. A run that stands in the new text where it is looked for, behind the one
    before it, costs one comparison; else the next run that is there is looked for, and the lines between are compared
    with all those that were not found in their places."""

    def __init__(self) -> None:
        self._runs: Sequence[_Run[Item]] = ()

    def read(self, text: str, say: Callable[[str], Item]) -> list[Item]:
        """What the lines of a text say, in order; `say` is asked for each that is new. A line ends with a line break,
        the last one may lack it."""
        if text and not text.endswith("\n"):
            text += "\n"
        kept, spans, lost = _aligned(self._runs, text)
        before: dict[str, object] = {}
        for run in lost if len(kept) > 1 or len(lost) < _FEW_RUNS else ():  # else all is new
            before.update(zip(run.text.split("\n"), run.items, strict=False))
        lost.clear()
        self._runs = ()  # so the two texts are not in memory together, where all has changed
        runs: list[_Run[Item]] = []
        for found, (begin, end) in zip(kept, spans, strict=True):
            if begin < end:
                span = text[begin:end]
                lines = span.split("\n")
                lines.pop()
                items = list(map(before.get, lines, repeat(_NEW)))
                for place, item in enumerate(items):
                    if item is _NEW:
                        items[place] = say(lines[place])
                runs += _cut(span, lines, cast("list[Item]", items))
            if found is not None:
                runs.append(found)
        said = list(chain.from_iterable(run.items for run in runs))
        if len(runs) > _FEW_RUNS + 2 * len(said) // _LINES:
            runs = list(_cut(text, text.split("\n"), said))
        self._runs = runs
        return said


def _cut(text: str, lines: Sequence[str], items: Sequence[Item]) -> Iterator[_Run[Item]]:
    """Runs of these lines of a text, and what they say."""
    begin = 0
    for first in range(0, len(items), _LINES):
        some = items[first : first + _LINES]
        end = begin + sum(map(len, lines[first : first + _LINES])) + len(some)
        yield _Run(text[begin:end], some)
        begin = end


def _aligned(
    runs: Sequence[_Run[Item]], text: str
) -> tuple[list[_Run[Item] | None], list[tuple[int, int]], list[_Run[Item]]]:
    """The runs that stand in the text, in order, and None at its end; from where to where the text before each of them
    is another; the runs that were not found."""
    kept: list[_Run[Item] | None] = []
    spans: list[tuple[int, int]] = []
    lost: list[_Run[Item]] = []
    behind, number, left = 0, 0, len(text)  # characters that may yet be searched far away
    begin = 0
    while number < len(runs):
        run = runs[number]
        if text.startswith(run.text, behind):
            kept.append(run)
            spans.append((begin, behind))
            begin = behind = behind + len(run.text)
            number += 1
            continue
        found = None
        for ahead in range(1, min(_AHEAD, len(runs) - number - 1) + 1):
            found = _place(text, runs[number + ahead].first, behind, behind + _NEAR)
            if found is not None:
                break
        else:
            ahead = 1
            if left > 0 and number + 1 < len(runs):
                found = _place(text, runs[number + 1].first, behind, len(text))
                left -= len(text) if found is None else found - behind
        if found is None:
            if left <= 0:
                break
            lost.append(run)
            number += 1
            continue
        lost += runs[number : number + ahead]
        behind, number = found, number + ahead
    lost += runs[number:]
    return [*kept, None], [*spans, (begin, len(text))], lost


def _place(text: str, line: str, begin: int, end: int) -> int | None:
    """Where a line begins in this part of a text."""
    found = text.find(line, begin, end)
    return found if found == 0 or (found > 0 and text[found - 1] == "\n") else None
