"""What has once come up stays proven over restarts, as long as it is made of the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from arvnodeman.config import Settings, load
from arvnodeman.fleet.view.published import Published
from arvnodeman.fleet.view.view import View
from arvnodeman.supervision.proven import FILE_NAME, ProvenSizes

TEXT = """\
[Arvados]
host = zyxwv.example.com
token = sesame
[Cloud]
provider = ec2
shutdown_windows = 54, 5, 1
[Cloud Credentials]
key = KEYKEYKEY
secret = hush-hush-hush
[Cloud Create]
ping_host = ping.example.com
image_id = ami-1
user_data = {folder}/template
[Size small]
cores = 2
instance_type = m5.large
[Size large]
cores = 8
instance_type = m5.2xlarge
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "template").write_text("#!/bin/sh\n")
    path = tmp_path / "a.cfg"
    path.write_text(TEXT.format(folder=tmp_path))
    return load(str(path))


class Ran:
    """One run of the daemon: what its brain shows is looked at."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        self.settings = settings
        self.published = Published(self.view())
        self.proven = ProvenSizes(folder, settings, self.published)

    def view(self, *proven: str) -> View:
        return View(t=0.0, policy=self.settings.policy(), proven=frozenset(proven))

    def shows(self, *proven: str) -> None:
        self.published.view = self.view(*proven)
        self.proven.observe()


def kept(folder: Path) -> set[str]:
    return set(json.loads((folder / FILE_NAME).read_text())["sizes"])


def known(folder: Path, settings: Settings) -> frozenset[str]:
    return ProvenSizes(folder, settings, Published(View(t=0.0, policy=settings.policy()))).known


def test_a_size_that_has_come_up_is_known_to_the_next_run(tmp_path: Path, settings: Settings) -> None:
    run = Ran(tmp_path, settings)
    assert run.proven.known == frozenset()
    run.shows()
    assert not (tmp_path / FILE_NAME).exists()
    run.shows("small")
    assert known(tmp_path, settings) == {"small"}
    run.shows("small", "large")
    assert known(tmp_path, settings) == {"small", "large"}


def test_the_file_stays_while_the_brain_has_not_been_told_of_it_yet(tmp_path: Path, settings: Settings) -> None:
    Ran(tmp_path, settings).shows("small")
    after = Ran(tmp_path, settings)
    after.shows()
    assert kept(tmp_path) == {"small"}


def test_a_size_whose_boots_fail_in_a_row_is_new_for_the_next_run(tmp_path: Path, settings: Settings) -> None:
    Ran(tmp_path, settings).shows("small", "large")
    after = Ran(tmp_path, settings)
    after.shows("small", "large")
    after.shows("large")
    assert known(tmp_path, settings) == {"large"}


def another_image(settings: Settings) -> Settings:
    return replace(settings, cloud=replace(settings.cloud, create={**settings.cloud.create, "image_id": "ami-2"}))


def another_text(settings: Settings) -> Settings:
    Path(settings.cloud.create["user_data"]).write_text("#!/bin/sh\nexit 1\n")
    return settings


def another_type(settings: Settings) -> Settings:
    small, large = settings.sizes
    return replace(settings, sizes=(replace(small, instance_type="m6i.large"), large))


@pytest.mark.parametrize(("change", "left"), [(another_image, set()), (another_text, set()), (another_type, {"large"})])
def test_what_is_made_of_something_else_is_new(
    tmp_path: Path, settings: Settings, change: Callable[[Settings], Settings], left: set[str]
) -> None:
    Ran(tmp_path, settings).shows("small", "large")
    assert known(tmp_path, change(settings)) == left


def test_after_a_reload_it_is_the_new_type_that_has_come_up(tmp_path: Path, settings: Settings) -> None:
    run = Ran(tmp_path, settings)
    run.settings = another_type(settings)
    run.shows("small")
    assert known(tmp_path, settings) == frozenset()
    assert known(tmp_path, another_type(settings)) == {"small"}


def test_what_is_not_configured_now_is_kept_for_when_it_is_again(tmp_path: Path, settings: Settings) -> None:
    Ran(tmp_path, settings).shows("small", "large")
    Ran(tmp_path, replace(settings, sizes=settings.sizes[:1])).shows("small")
    assert known(tmp_path, settings) == {"small", "large"}


@pytest.mark.parametrize("text", ["", "[]", '{"format": 7, "sizes": {"small": "x"}}', '{"format": 1, "sizes": 3}'])
def test_a_file_that_is_none_of_ours_proves_nothing(tmp_path: Path, settings: Settings, text: str) -> None:
    (tmp_path / FILE_NAME).write_text(text)
    run = Ran(tmp_path, settings)
    assert run.proven.known == frozenset()
    run.shows("small")
    assert kept(tmp_path) == {"small"}


def test_a_folder_that_is_gone_is_told_of_once(
    tmp_path: Path, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    run = Ran(tmp_path / "gone", settings)
    run.shows("small")
    run.shows("small")
    assert caplog.text.count("proven.json cannot be written: No such file or directory") == 1


def test_no_credential_is_in_the_file(tmp_path: Path, settings: Settings) -> None:
    Ran(tmp_path, settings).shows("small")
    assert "hush" not in (tmp_path / FILE_NAME).read_text()


def test_its_thread_looks_once_more_when_it_is_stopped(tmp_path: Path, settings: Settings) -> None:
    run = Ran(tmp_path, settings)
    run.proven.start()
    run.published.view = run.view("small")
    run.proven.stop(10.0)
    assert kept(tmp_path) == {"small"}
    assert not list(tmp_path.glob("*.draft"))
