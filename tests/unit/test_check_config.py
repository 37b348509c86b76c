"""The subcommand check-config."""

from __future__ import annotations

import io
from pathlib import Path

from arvnodeman.check_config import check_config
from arvnodeman.cloud.registry import check_driver

GOOD = """\
[Arvados]
host = zyxwv.example.com
token = sesame
[Cloud]
provider = dummy
shutdown_windows = 1, 1
[Size small]
cores = 2
"""


def check(path: Path, text: str) -> tuple[int, str]:
    path.write_text(text)
    out = io.StringIO()
    return check_config(str(path), out), out.getvalue()


def test_good_file(tmp_path: Path) -> None:
    path = tmp_path / "a.cfg"
    assert check(path, GOOD) == (0, f"{path}: ok, 1 size\n")
    assert check(path, f"{GOOD}[Size big]\ncores = 8\n") == (0, f"{path}: ok, 2 sizes\n")


def test_unknown_name_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.cfg"
    code, text = check(path, f"{GOOD}[Daemon]\nmax_node = 3\n")
    assert (code, text) == (2, f"{path}: [Daemon] max_node: unknown option; the nearest known one is max_nodes\n")


def test_errors_and_warnings_one_a_line(tmp_path: Path) -> None:
    path = tmp_path / "a.cfg"
    code, text = check(path, f"{GOOD}[Daemon]\nmax_node = 3\nmin_nodes = 2\npoll_time = x\n")
    assert code == 2
    assert [line.split(": ")[1] for line in text.splitlines()] == [
        "[Daemon] poll_time",
        "[Daemon] min_nodes",
        "[Daemon] max_node",
    ]


def test_missing_file_is_one_line(tmp_path: Path) -> None:
    out = io.StringIO()
    assert check_config(str(tmp_path / "none"), out) == 2
    assert out.getvalue() == f"{tmp_path / 'none'}: no such file or directory\n"


def test_value_that_may_have_swallowed_a_comment_is_pointed_out_without_showing_it(tmp_path: Path) -> None:
    path = tmp_path / "a.cfg"
    code, text = check(path, f"{GOOD}[Cloud Credentials]\nsecret = hush # hush\n")
    assert code == 0
    assert text.startswith(f"{path}: note: [Cloud Credentials] secret: ' #' and what follows is part of the value here")
    assert "hush" not in text


def test_a_driver_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    """Region, image and the like: known without asking the cloud."""
    path = tmp_path / "a.cfg"
    path.write_text(GOOD.replace("provider = dummy", "provider = dummy\ndriver_class = nowhere.Class"))
    out = io.StringIO()
    assert check_config(str(path), out, check_driver) == 2
    assert out.getvalue().startswith(f"{path}: [Cloud] driver_class: cannot import 'nowhere.Class'")
    assert out.getvalue().count("\n") == 1
