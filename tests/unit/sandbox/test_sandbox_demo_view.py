"""What the demo shows."""

from __future__ import annotations

import io
from typing import Any

import pytest
from sandbox_play import Play
from werkzeug.test import Client

from arvnodeman.sandbox import demo
from arvnodeman.sandbox.cloud import NodeRequest
from arvnodeman.sandbox.demo_view import LiveScreen, PlainScreen, counts, sentence
from arvnodeman.sandbox.routes import SiteApplication


class Terminal(io.StringIO):
    """Text that says that it goes to a terminal."""

    def isatty(self) -> bool:
        return True


def look(play: Play) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    client = Client(SiteApplication(play.site, lambda: None))
    state: Any = client.get("/site/state?with=nodes").json
    events: Any = client.get("/site/events").json
    return state, events["events"]


def test_plain_lines_tell_what_happens_and_the_counts_now_and_then(play: Play) -> None:
    start = play.clock.wall()
    play.up()
    play.job("a", duration=500)
    play.clock.advance(5)
    out = io.StringIO()
    screen = PlainScreen(out, start)
    screen.show(*look(play))
    screen.close()
    lines = out.getvalue().splitlines()
    assert lines[0] == "   0.0 s  node sb-000001 is created: compute1.small (small)"
    assert lines[-2] == " 201.0 s  job a starts on compute1"
    assert lines[-1] == " 205.0 s  jobs: 0 waiting, 1 running, 0 done, 0 to come; nodes: 1; simulated cost: $0.00"


def test_what_is_of_no_interest_is_not_told() -> None:
    assert sentence({"kind": "job-submitted", "at": 1.0, "subject": "a", "text": ""}, 0.0) == ""


def test_the_live_table_shows_nodes_queue_progress_and_what_happened(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("LINES", "24")
    monkeypatch.setenv("TERM", "xterm")
    start = play.clock.wall()
    play.up()
    play.job("zzzzz-dz642-000000000000007", duration=500)
    play.clock.advance(5)
    for _ in range(12):
        play.site.cloud.create(NodeRequest("n", "small"))
    out = Terminal()
    screen = LiveScreen(out, start, 3)
    screen.show(*look(play))
    screen.close()
    text = out.getvalue()
    for words in ("sb-000001", "compute1", "alloc", "zzzzz-dz642-000000000000007", "0/3", "more", "1 running"):
        assert words in text, words


def test_counts_are_one_line(play: Play) -> None:
    assert counts(look(play)[0]) == "jobs: 0 waiting, 0 running, 0 done, 0 to come; nodes: 0; simulated cost: $0.00"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--jobs", "0"], "between 1 and 10000"),
        (["--jobs", "x"], "invalid"),
        (["--seconds", "nan"], "between 5 and 86400"),
        (["--seconds", "1"], "between 5 and 86400"),
        (["--bogus"], "unrecognized"),
    ],
)
def test_a_wrong_command_line_is_one_line(options: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        demo.main(options)
    assert caught.value.code == 2
    assert words in capsys.readouterr().err.splitlines()[-1]
