"""A text that is read again and again: whatever changes in it, it says what a new reader would hear."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from arvnodeman.slurm.lines import Lines


class Said:
    """What a line says."""

    def __init__(self, line: str) -> None:
        self.line = line


def text_of(lines: list[str], *, ended: bool = True) -> str:
    return "".join(f"{line}\n" for line in lines) if ended else "\n".join(lines)


edits = st.lists(
    st.tuples(
        st.sampled_from(["drop", "insert", "replace", "move", "swap halves"]), st.integers(0, 400), st.integers(1, 60)
    ),
    max_size=5,
)


def edited(lines: list[str], changes: list[tuple[str, int, int]], new: Callable[[], str]) -> list[str]:
    for kind, at, count in changes:
        place = at % (len(lines) + 1)
        cut = lines[place : place + count]
        match kind:
            case "drop":
                lines = lines[:place] + lines[place + count :]
            case "insert":
                lines = [*lines[:place], *(new() for _ in range(count)), *lines[place:]]
            case "replace":
                lines = [*lines[:place], *(new() for _ in cut), *lines[place + count :]]
            case "move":
                rest = lines[:place] + lines[place + count :]
                lines = [*rest[: at // 3], *cut, *rest[at // 3 :]]
            case _:
                lines = lines[place:] + lines[:place]
    return lines


@given(st.integers(0, 300), st.lists(st.tuples(edits, st.booleans()), max_size=8))
def test_lines_that_stay_say_the_very_same_and_no_other_is_taken_for_them(
    first: int, polls: list[tuple[list[tuple[str, int, int]], bool]]
) -> None:
    count = iter(range(1 << 30))

    def new() -> str:
        return f"line {next(count)}"

    memory: Lines[Said] = Lines()
    lines, before = [new() for _ in range(first)], dict[str, Said]()
    for changes, ended in [([], True), *polls]:
        lines = edited(lines, changes, new)
        said = memory.read(text_of(lines, ended=ended), Said)
        assert [each.line for each in said] == lines
        assert all(each is before.get(each.line, each) for each in said)
        before = {each.line: each for each in said}


@given(st.lists(st.tuples(st.lists(st.sampled_from(["", "a", "b", "ab", "ba", "c|"]), max_size=60), st.booleans())))
def test_lines_that_are_there_twice_and_lines_that_say_nothing(polls: list[tuple[list[str], bool]]) -> None:
    memory: Lines[Said] = Lines()
    for lines, ended in polls:
        text = text_of(lines, ended=ended)
        assert "\n".join(each.line for each in memory.read(text, Said)) == text.removesuffix("\n")


def test_of_older_texts_nothing_is_kept() -> None:
    memory: Lines[Said] = Lines()
    (first,) = memory.read("a\n", Said)
    assert memory.read("a\n", Said) == [first]
    memory.read("b\n", Said)
    assert memory.read("a\n", Said) != [first]


def test_only_new_lines_are_read_wherever_they_stand() -> None:
    memory: Lines[str] = Lines()
    lines = [f"{number:0100}" for number in range(2000)]
    memory.read(text_of(lines), str)
    read: list[str] = []

    def say(line: str) -> str:
        read.append(line)
        return line

    for number in range(0, 2000, 50):
        lines[number] = f"new {number:096}"
    lines = [*lines[1500:], *(f"more {number}" for number in range(700)), *lines[:1500]]
    assert memory.read(text_of(lines), say) == lines
    assert len(read) == len(set(read)) == 740


def test_a_long_text_of_which_nothing_is_where_it_was_is_read_anew() -> None:
    memory: Lines[Said] = Lines()
    lines = [f"line {number}" for number in range(2000)]
    memory.read(text_of(lines), Said)
    other = [line if number % 7 == 0 else f"{line}!" for number, line in enumerate(lines)]
    said = memory.read(text_of(other), Said)
    assert [each.line for each in said] == other
    assert memory.read(text_of(other), Said) == said
