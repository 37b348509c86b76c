"""Options given beside the file (`--set`), and files without what only a running daemon needs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from arvnodeman.config import ConfigError, Settings, load
from arvnodeman.config.assignments import assignment

GOOD = """\
[Arvados]
host = zyxwv.example.com
token = sesame
[Daemon]
max_nodes = 5
[Cloud]
provider = sandbox
shutdown_windows = 54, 5, 1
[Cloud Create]
ping_host = zyxwv.example.com
[Size small]
cores = 2
"""


def changed(folder: Path, *texts: str, file: str = GOOD, offline: bool = False) -> Settings:
    path = folder / "site.cfg"
    path.write_text(file)
    return load(str(path), [assignment(text) for text in texts], offline=offline)


def mistakes(folder: Path, *texts: str, file: str = GOOD) -> Sequence[str]:
    with pytest.raises(ConfigError) as caught:
        changed(folder, *texts, file=file)
    return [line.replace(f"{folder}/", "") for line in caught.value.problems]


def test_values_stand_in_place_of_the_files(tmp_path: Path) -> None:
    settings = changed(
        tmp_path,
        "[Daemon] max_nodes = 6",
        " [Daemon]Max_Nodes=7 ",
        "[Daemon] min_nodes = 2",
        "[Cloud] shutdown_windows = 0, 60",
        "[Size big] cores = 8",
        "[Logging] Some.Logger = DEBUG",
        "[Cloud Create] tag_a = 100%",
    )
    assert (settings.daemon.min_nodes, settings.daemon.max_nodes) == (2, 7)
    assert settings.cloud.shutdown_windows == (0.0, 60.0)
    assert [(size.id, size.cores) for size in settings.sizes] == [("small", 2), ("big", 8)]
    assert settings.logging.loggers == {"Some.Logger": "DEBUG"}
    assert settings.cloud.create["tag_a"] == "100%"
    assert changed(tmp_path).daemon.max_nodes == 5


def test_a_mistake_of_the_file_is_mended_by_another_value(tmp_path: Path) -> None:
    file = GOOD.replace("max_nodes = 5", "max_nodes = many")
    assert mistakes(tmp_path, file=file)
    assert changed(tmp_path, "[Daemon] max_nodes = 3", file=file).daemon.max_nodes == 3


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            "[Daemon] max_node = 3",
            "--set: [Daemon] max_node: unknown option; the nearest known one is max_nodes",
        ),
        ("[Deamon] max_nodes = 3", "--set: [Deamon]: unknown section; the nearest known one is [Daemon]"),
        (
            "[Size smal] price = 3",
            "--set: [Size smal]: the file has no such size; the nearest is [Size small]; a new one needs cores",
        ),
        ("[Size small] prize = 3", "--set: [Size small] prize: unknown option; the nearest known one is price"),
        (
            "[Daemon] max_nodes = many",
            "--set: [Daemon] max_nodes: 'many' is not a whole number; allowed: a whole number, at least 0",
        ),
        (
            "[Size small] cores = 0",
            "--set: [Size small] cores: '0' is too small; allowed: a whole number, at least 1",
        ),
        ("[Daemon] min_nodes = 6", "--set: [Daemon] min_nodes: 6 is above max_nodes, 5; allowed: 0 to 5"),
    ],
)
def test_a_mistake_is_one_line(tmp_path: Path, text: str, line: str) -> None:
    assert mistakes(tmp_path, text) == [line]


def test_all_mistakes_are_told_at_once_each_where_it_is(tmp_path: Path) -> None:
    found = mistakes(
        tmp_path,
        "[Daemon] poll_tim = 1",
        "[Cloud] shutdown_windows = 1",
        "[Daemon] poll_tim = 2",
        file=GOOD.replace("cores = 2", "cores = two"),
    )
    assert [line.partition(": ")[0] for line in found] == ["--set", "--set", "site.cfg"]


def test_what_is_no_assignment_is_told_without_a_value() -> None:
    for text in ("max_nodes = sesame", "[Daemon max_nodes = sesame", "[Arvados] = sesame", "", "[] a = sesame"):
        with pytest.raises(ValueError, match=r"is not \[Section\] option = value") as caught:
            assignment(text)
        assert "sesame" not in str(caught.value)
    assert "sesame" not in repr(assignment("[Arvados] token = sesame"))


def test_a_file_that_reaches_nobody_is_good_offline(tmp_path: Path) -> None:
    bare = GOOD.replace("token = sesame\n", "").replace("ping_host = zyxwv.example.com\n", "")
    assert [line.split(": ")[1] for line in mistakes(tmp_path, file=bare)] == [
        "[Cloud Create] ping_host",
        "[Arvados] token",
    ]
    assert changed(tmp_path, file=bare, offline=True).sizes[0].cores == 2
    azure = bare.replace("sandbox", "azure")
    assert changed(tmp_path, file=azure, offline=True).cloud.provider == "azure"


def test_what_is_needed_offline_too_is_missed(tmp_path: Path) -> None:
    path = tmp_path / "site.cfg"
    path.write_text("[Cloud]\nprovider = ec2\n[Size a]\nprice = x\n")
    with pytest.raises(ConfigError) as caught:
        load(str(path), offline=True)
    assert [line.split(": ")[1] for line in caught.value.problems] == [
        "[Cloud] shutdown_windows",
        "[Size a] cores",
        "[Size a] price",
        "[Arvados] host",
    ]
