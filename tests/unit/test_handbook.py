"""What the pages for people tell to type: each command line is one that the program takes, links lead somewhere."""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from arvnodeman import cli
from arvnodeman.cli import COMMANDS, PROGRAM

HOME = Path(__file__).resolve().parents[2]
PAGES = [HOME / "README.md", *sorted((HOME / "doc").rglob("*.md"))]
BLOCK = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
BUILDERS = {HOME / "doc" / each for each in ("architecture.md", "benchmarks.md", "libraries.md", "scenarios.md")}
BUILDERS |= {*(HOME / "doc" / "rooms").glob("*.md")}  # name commands, and do not tell to type them
ANY_SYSTEM_FILE = ("/etc/", "/opt/", "/var/", "/tmp/", "-")


def name(page: Path) -> str:
    return str(page.relative_to(HOME))


class Parsed(Exception):
    """The command line is good; nothing of it is carried out."""


def spans(text: str) -> Iterator[str]:
    """What blocks tell to type (after a prompt, else each line), and code within sentences."""
    for match in BLOCK.finditer(text):
        lines = [line.strip() for line in match[3].splitlines()]
        yield from [line[2:] for line in lines if line.startswith("$ ")] or [line.split(" # ")[0] for line in lines]
    for code in re.findall(r"`([^`]+)`", BLOCK.sub("", text)):
        yield re.sub(r"\s+", " ", code)


def words_of(code: str) -> list[str]:
    """The words of a command up to a pipe or the like; what may be left away is there, too."""
    plain = code.replace(" … ", " NAME ").replace("-n N", "-n 5")
    try:
        words = shlex.split(re.split(r" [>|] ", re.sub(r"[][…]", "", plain))[0])
    except ValueError:  # no shell's: a quotation mark of a sentence
        return []
    return words[1:] if words[:1] == ["sudo"] else words


def command_lines(page: Path) -> list[list[str]]:
    """What follows the program's name in each command line of ours; a sentence may leave that name away."""
    found = []
    for words in map(words_of, spans(page.read_text(encoding="utf-8"))):
        if len(words) > 1 and (words[0] == PROGRAM or words[0].endswith(f"/bin/{PROGRAM}")):
            found.append(words[1:])
        elif len(words) > 1 and words[0] in COMMANDS:
            found.append(words)
    return found


def refused(page: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The command lines of a page that the program does not take."""
    parse = argparse.ArgumentParser.parse_args

    def stop_then(parser: argparse.ArgumentParser, given: list[str]) -> None:
        parse(parser, given)
        raise Parsed

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", stop_then)
    wrong = []
    for words in command_lines(page):
        try:
            cli.main(words)
        except Parsed:
            continue
        except SystemExit as ended:
            if not ended.code:  # --help
                continue
        wrong.append(" ".join(words))
    return wrong


TYPED = HOME / "doc" / "first-hour.md"  # each of its commands has been typed, and it has their answers, too


@pytest.mark.parametrize("page", [page for page in PAGES if page not in (*BUILDERS, TYPED)], ids=name)
def test_the_program_takes_each_command_line_of_a_page(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert refused(page, monkeypatch) == []


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_each_command_ends_with_examples_that_the_program_takes(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        cli.main([command, "--help"])
    _, head, examples = capsys.readouterr().out.rpartition("\nexample")
    assert head
    page = tmp_path / "page.md"
    page.write_text("```\n$ " + "\n$ ".join(line.strip() for line in examples.splitlines()[1:]) + "\n```\n")
    lines = command_lines(page)
    assert lines
    assert {words[0] for words in lines} == {command}
    assert refused(page, monkeypatch) == []


def test_there_are_command_lines_to_look_at() -> None:
    """Else the pages are read wrongly."""
    assert len(command_lines(HOME / "README.md")) >= 4
    assert ["hold", "NODE", "--reason", "looking"] in command_lines(HOME / "doc" / "operations.md")
    assert sum(len(command_lines(page)) for page in PAGES) >= 50


def test_a_command_line_that_the_program_does_not_take_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"Say\n\n```\n$ {PROGRAM} report --sinse 7d\n```\nor `hold NODE --because TEXT`.\n")
    assert refused(page, monkeypatch) == ["report --sinse 7d", "hold NODE --because TEXT"]


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_make_has_each_target_of_a_page_and_the_demo_its_options(page: Path) -> None:
    makefile = (HOME / "Makefile").read_text(encoding="utf-8")
    for words in map(words_of, spans(page.read_text(encoding="utf-8"))):
        if len(words) < 2 or words[0] != "make":
            continue
        assert re.search(rf"^{words[1]}:", makefile, re.MULTILINE), words
        for name in (word.partition("=")[0] for word in words[2:]):
            assert f"$({name})" in makefile, words


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_files_that_a_page_tells_to_install_are_there(page: Path) -> None:
    for words in map(words_of, spans(page.read_text(encoding="utf-8"))):
        if words[:1] == ["install"] and "-d" not in words:
            sources = [word for word in words[1:-1] if not word.startswith(ANY_SYSTEM_FILE) and "." in word]
            assert sources, words
            assert all((HOME / source).is_file() for source in sources), words


@pytest.mark.parametrize("page", [*PAGES, HOME / "CHANGELOG.md", HOME / "findings" / "README.md"], ids=name)
def test_links_of_a_page_lead_somewhere(page: Path) -> None:
    text = BLOCK.sub("", page.read_text(encoding="utf-8"))
    targets = [*re.findall(r"\]\(([^)\s]+)\)", text), *re.findall(r"(?:src|srcset)=\"([^\"]+)\"", text)]
    for target in targets:
        if re.match(r"\w+:", target):
            continue
        path, _, anchor = target.partition("#")
        led_to = page.parent / path if path else page
        assert led_to.exists(), target
        if anchor:
            assert anchor in anchors(led_to.read_text(encoding="utf-8")), target


def anchors(text: str) -> list[str]:
    """Of the headings, as code hosts make them."""
    headings = re.findall(r"^#+ (.*)$", BLOCK.sub("", text), re.MULTILINE)
    return [re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings]
