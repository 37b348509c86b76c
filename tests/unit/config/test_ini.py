"""Reading an ini file: form, comments, percent signs, and files that are none."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from arvnodeman.config import ConfigError, load
from arvnodeman.config.ini import PROBLEM_LIMIT, SIZE_LIMIT, IniFile, read


def read_text(tmp_path: Path, text: str) -> IniFile:
    path = tmp_path / "site.cfg"
    path.write_bytes(text.encode())
    return read(str(path))


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "the file is empty"),
        (b" \n\n", "the file is empty"),
        (b"\xef\xbb\xbf", "the file is empty"),
        (b"# only a comment\n", "there is no [Section] in it"),
        (b"max_nodes = 4\n", "there is no [Section] in it"),
        (b"[Daemon]\nmax_nodes = 4\x00\n", "line 2: holds a control character: this is not a text file"),
        (b"\x7fELF\x02\x01\x01", "line 1: holds a control character: this is not a text file"),
        (b"[Daemon]\n\nname = caf\xe9\n", "line 3: not UTF-8 text"),
        (b"\x89PNG\r\n\x1a\n", "line 1: not UTF-8 text"),
        (b"#" * (SIZE_LIMIT + 1), f"larger than {SIZE_LIMIT} bytes: this is not a configuration file"),
    ],
    ids=["empty", "blank", "mark", "comment", "headless", "nul", "elf", "latin1", "png", "huge"],
)
def test_file_that_is_none_gets_one_line(tmp_path: Path, content: bytes, problem: str) -> None:
    path = tmp_path / "site.cfg"
    path.write_bytes(content)
    assert read(str(path)).problems == (problem,)
    with pytest.raises(ConfigError) as raised:
        load(str(path))
    assert raised.value.problems == (f"{path}: {problem}",)


def test_missing_file(tmp_path: Path) -> None:
    told = "no such file or directory; `arvados-node-manager init` writes one"
    assert read(str(tmp_path / "none")).problems == (told,)


def test_directory(tmp_path: Path) -> None:
    assert read(str(tmp_path)).problems == (f"is a directory; name the file in it, as {tmp_path}/config.ini",)


def test_name_that_no_file_can_have() -> None:
    assert read("site\x00.cfg").problems == ("this is not the name of a file",)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_unreadable_file(tmp_path: Path) -> None:
    path = tmp_path / "site.cfg"
    path.write_text("[Daemon]\n")
    path.chmod(0)
    assert read(str(path)).problems == ("permission denied; run this with sudo, or as the account of the service",)


def test_unreadable_file_whoever_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    assert read("site.cfg").problems == ("permission denied; run this with sudo, or as the account of the service",)


def test_line_ends_and_byte_order_mark_of_other_systems(tmp_path: Path) -> None:
    file = read_text(tmp_path, "\ufeff[Daemon]\r\nmax_nodes = 4\r\n")
    assert (file.problems, file.sections) == ((), {"Daemon": {"max_nodes": "4"}})


def test_each_duplicate_is_named(tmp_path: Path) -> None:
    text = """\
[Daemon]
max_nodes = 1
Max_Nodes = 2
   more
poll_time = 1
 poll_time = 2
[Cloud]
[Daemon]
poll_time = 3
poll_time = 4
[Cloud]
"""
    assert read_text(tmp_path, text).problems == (
        "[Daemon] max_nodes: there a second time in line 3",
        "[Daemon]: there a second time in line 8",
        "[Daemon] poll_time: there a second time in line 10",
        "[Cloud]: there a second time in line 11",
    )


def test_duplicates_of_indented_options_are_named_too(tmp_path: Path) -> None:
    assert read_text(tmp_path, "[Daemon]\n  a = 1\n  a = 2\n  b = 1\n  b = 2\n").problems == (
        "[Daemon] a: there a second time in line 3",
        "[Daemon] b: there a second time in line 5",
    )


def test_text_before_the_first_section_is_named_once_and_the_rest_is_read(tmp_path: Path) -> None:
    file = read_text(tmp_path, "# fine\na = 1\nb = 2\nstray\n[Daemon]\nmax_nodes = 4\n")
    assert file.problems == ("line 2: stands before the first [Section]",)
    assert file.sections == {"Daemon": {"max_nodes": "4"}}


def test_stray_lines_are_named_each_and_not_quoted(tmp_path: Path) -> None:
    assert read_text(tmp_path, "[Daemon]\nhush\nmax_nodes = 4\n= hush\n[Cloud\n").problems == (
        "line 2: neither [Section] nor option = value",
        "line 4: neither [Section] nor option = value",
        "line 5: neither [Section] nor option = value",
    )


def test_a_text_that_is_no_ini_file_does_not_fill_the_terminal(tmp_path: Path) -> None:
    problems = read_text(tmp_path, "[Daemon]\n" + "prose\n" * 1000).problems
    assert len(problems) == PROBLEM_LIMIT + 1
    assert problems[-1] == f"and {1000 - PROBLEM_LIMIT} more mistakes"


@pytest.mark.parametrize(
    ("section", "line", "value"),
    [
        ("Arvados", "jobs_queue = yes   # from the jobs queue", "yes"),
        ("Arvados", "jobs_queue = yes\t; from the jobs queue", "yes"),
        ("Arvados", "token = abc#def", "abc#def"),
        ("Arvados", "token = abc  # 100% secret", "abc"),
        ("Daemon", "certs_file = # none", ""),
        ("Daemon", "certs_file = a;b", "a;b"),
        ("Cloud Create", "image_id = ami-1 # Debian", "ami-1"),
        ("Cloud Create", "tag_room = lab #2", "lab #2"),
        ("Cloud Create", "tag_room = #2", "#2"),
        ("Cloud Create", "tag_room = lab ; two", "lab"),
        ("Cloud List", "tag_room = lab #2", "lab #2"),
        ("Cloud Credentials", "secret = a #b", "a #b"),
        ("Cloud Credentials", "secret = ;a", ";a"),
        ("Cloud Credentials", "region = us # west", "us"),
        ("Cloud Credentials", "other = a #b", "a #b"),
        ("Size small", "cores = 2 # real ones", "2"),
        ("Size small", "extra = 2 # real ones", "2"),
        ("Daemon", "max_nodes = 5%%", "5%"),
        ("Daemon", "max_nodes = 5 # 100% of them", "5"),
    ],
)
def test_comments_behind_values(tmp_path: Path, section: str, line: str, value: str) -> None:
    """Rows N13 and N14. In the free sections a `#` stays, as it always did; `;` was always a comment."""
    file = read_text(tmp_path, f"[{section}]\n{line}\n")
    assert file.problems == ()
    assert file.sections[section] == {line.partition("=")[0].strip(): value}


def test_each_line_of_a_long_value_may_have_a_comment(tmp_path: Path) -> None:
    file = read_text(tmp_path, "[Cloud]\nshutdown_windows = 54, # closed\n  5, # open\n  1\n")
    assert file.sections["Cloud"] == {"shutdown_windows": "54,\n5,\n1"}


def test_comment_with_brackets_behind_a_section(tmp_path: Path) -> None:
    assert list(read_text(tmp_path, "[Daemon] # see [Cloud]\n").sections) == ["Daemon"]


def test_values_may_name_each_other(tmp_path: Path) -> None:
    text = "[Cloud Create]\nping_host = a.example.com\ntag_api = %(Ping_Host)s:443\n"
    assert read_text(tmp_path, text).sections["Cloud Create"]["tag_api"] == "a.example.com:443"


@pytest.mark.parametrize(
    ("value", "wrong"),
    [
        ("50%", "holds a single %"),
        ("50% off", "holds a single %"),
        ("%(x", "holds a single %"),
        ("%(none)s", "names %(none)s, which this section has not"),
        ("%(a)s", "its %(NAME)s go round in a circle"),
    ],
)
def test_lone_percent_sign_is_a_mistake_that_says_how_to_write_it(tmp_path: Path, value: str, wrong: str) -> None:
    problems = read_text(tmp_path, f"[Cloud Credentials]\na = {value}\n").problems
    assert problems == (f"[Cloud Credentials] a: {wrong}; a percent sign is written %%",)


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=200),
        st.text(alphabet="[]=:;#% \n\taD()s\x85\u2028", max_size=60).map(str.encode),
        st.lists(
            st.sampled_from(
                ["[Daemon]", "[Size a]", "[", "max_nodes = 1", " x", "= y", "port: 3%", "#", "", "[Size]", "cores = 3%"]
            )
        ).map(lambda lines: "\n".join(lines).encode()),
    )
)
def test_no_file_whatever_gives_more_than_clear_lines(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "site.cfg"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as raised:  # none of these has an API host
        load(str(path))
    assert raised.value.problems
    for line in (*raised.value.problems, *raised.value.warnings):
        assert line.startswith(f"{path}: ")
        assert len(line.splitlines()) == 1
