"""`doctor` as people and programs type it: words, JSON, exit codes, a daemon that answers, a file that is bad."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from managed_world import CONFIG, Managed

from arvnodeman.cli import main
from arvnodeman.commands import doctor
from arvnodeman.doctor.base import Finding
from arvnodeman.doctor.catalogue import CHECKS
from arvnodeman.doctor.examined import Examined
from arvnodeman.doctor.facts import Facts
from arvnodeman.manage.server import ManagementServer, bind_unix
from arvnodeman.manage.site import make_application

OF_DAEMON = ("daemon-not-well", "reload-refused", "quota-below-max", "boots-in-vain", "unknown-cloud-errors")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "site.cfg"
    path.write_text(CONFIG.format(token="").replace("[Manage]", f"[Daemon]\nstate_dir = {tmp_path}\n[Manage]"))
    path.chmod(0o640)
    return path


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Managed]:
    """A daemon that answers at its socket."""
    managed = Managed(tmp_path)
    server = ManagementServer(managed.application, bind_unix(tmp_path / "manage.sock"))
    server.start()
    yield managed
    server.stop()


def asked(config: Path, *arguments: str) -> tuple[int, str]:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        code = main(["doctor", "--config", str(config), *arguments])
    return code, out.getvalue()


def plain(config: Path, *checks: str) -> dict[str, Any]:
    code, said = asked(config, "--json", *(f"--check={check}" for check in checks))
    shown: dict[str, Any] = json.loads(said)
    assert code == (1 if shown["findings"] else 2 if shown["could_not_look"] else 0)
    return shown


def test_the_catalogue_can_be_listed_without_a_site(tmp_path: Path) -> None:
    code, said = asked(tmp_path / "none.cfg", "--list")
    assert code == 0
    assert [line.split()[0] for line in said.splitlines() if line.startswith("  ")] == [each.name for each in CHECKS]


def test_a_misspelt_check_is_named_with_the_nearest(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert asked(config, "--check", "open-secret") == (2, "")
    assert "no check is called open-secret; did you mean open-secrets?" in capsys.readouterr().err


def test_nothing_is_wrong(config: Path) -> None:
    assert asked(config, "--check", "open-secrets") == (0, "no finding: 1 check made\n")


def test_what_is_wrong_where_and_what_mends_it(config: Path) -> None:
    config.chmod(0o644)
    code, said = asked(config, "--check", "open-secrets")
    assert code == 1
    assert said.splitlines() == [
        "About this machine:",
        f"  note   {config}: everybody on this machine may read it, and it contains secrets",
        "         remedy: `chmod o-rwx FILE`, with a group that the daemon's account is in; `doctor --fix` does "
        "the first.  [open-secrets, --fix does it]",
        "1 finding, 0 of them grave: 1 check made",
    ]
    (shown,) = plain(config, "open-secrets")["findings"]
    assert (shown["check"], shown["area"], shown["grave"], shown["by_itself"], shown["about"]) == (
        "open-secrets",
        "this machine",
        False,
        True,
        str(config),
    )


def test_fix_says_line_by_line_what_was_done_and_what_is_mended_does_not_count(config: Path) -> None:
    config.chmod(0o644)
    assert asked(config, "--check", "open-secrets", "--fix") == (
        0,
        f"corrected: {config}: now readable only by its owner and group\nno finding: 1 check made\n",
    )
    assert config.stat().st_mode & 0o777 == 0o640


def test_what_could_not_be_mended_is_said_and_counts(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config.chmod(0o644)
    monkeypatch.setattr(Path, "chmod", lambda *_: None)  # a file system that has no such rights
    code, said = asked(config, "--check", "open-secrets", "--fix")
    assert code == 1
    assert "NOT corrected: it is still found" in said

    def refuses(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "chmod", refuses)
    code, said = asked(config, "--check", "open-secrets", "--fix")
    assert code == 1
    assert f"corrected: {config}: NOT corrected: {config}: Operation not permitted" in said


def test_what_has_gone_by_itself_is_not_touched(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config.chmod(0o644)
    facts, asked_for = doctor._Doctor.facts, iter((False, True, True))

    def changing(self: doctor._Doctor) -> Facts:
        if next(asked_for):
            config.chmod(0o600)  # by somebody else, after the examination
        return facts(self)

    monkeypatch.setattr(doctor._Doctor, "facts", changing)
    code, said = asked(config, "--check", "open-secrets", "--fix")
    assert (code, said.splitlines()[0]) == (0, f"corrected: {config}: no longer found")
    assert config.stat().st_mode & 0o777 == 0o600


def test_a_bad_file_is_a_finding_for_each_mistake_and_hides_none_of_the_others(config: Path) -> None:
    config.write_text(config.read_text().replace("provider = dummy", "provider = dumy\nshutdown_window = 3"))
    shown = plain(config)
    assert {each["check"] for each in shown["findings"]} >= {"mistakes-in-file", "unknown-options"}
    assert all(str(config) in each["text"] for each in shown["findings"])
    assert ": no such file or directory; " in plain(config.with_name("none.cfg"))["findings"][0]["text"]
    bad = config.read_text().replace("dumy", "dummy").replace("cores = 1", "cores = one")
    config.write_text(bad)
    assert {each["check"] for each in plain(config)["findings"]} == {"mistakes-in-file", "unknown-options"}


def test_without_a_daemon_what_only_it_knows_is_not_judged(config: Path) -> None:
    shown = plain(config, *OF_DAEMON)
    assert (shown["checks"], shown["could_not_look"]) == (0, {})


def test_a_running_daemon_is_asked_for_what_only_it_knows(config: Path, site: Managed) -> None:
    site.begin()
    assert plain(config, *OF_DAEMON)["findings"] == []
    assert plain(config, *OF_DAEMON)["checks"] == len(OF_DAEMON)
    site.world.fleet._state.context.unknown_errors["TooOdd"] = 3
    site.cycle()
    site.world.now += 100_000
    found = [(each["check"], each["text"]) for each in plain(config, *OF_DAEMON)["findings"]]
    assert ("daemon-not-well", "the watchdog's last good round was 100000 seconds ago") in found
    (errors,) = (text for check, text in found if check == "unknown-cloud-errors")
    assert errors.startswith("errors of the cloud are in no table of ours: 'TooOdd' (3)")


def test_the_hourly_examination_is_in_status_page_and_metrics(tmp_path: Path) -> None:
    site = Managed(tmp_path)
    site.begin()
    assert "findings" not in site.ask("/v1/status")
    assert "findings" not in site.ask("/status.json")
    found = (
        Finding("c1 is drained", "c1", "stuck-drains", grave=True, mends="Resume it."),
        Finding("c2 is drained", "c2", "stuck-drains", grave=True, mends="Resume it."),
        Finding("the disk is full", "", "disk-full", grave=False, mends="Make room."),
    )
    at = site.vitals.clock.now() - 60
    site.source = replace(site.source, examined=lambda: Examined(at, found, {}, 30))
    site.application = make_application(site.source)
    site.client.application = site.application
    status = site.ask("/v1/status")
    assert status["examined_seconds"] == 60
    assert status["findings"][0] == {
        "check": "stuck-drains", "grave": True, "text": "c1 is drained", "mends": "Resume it.",
    }  # fmt: skip
    assert site.ask("/status.json")["findings"] == 3
    metrics = site.get("/metrics").text
    assert 'arvados_node_manager_findings{check="stuck-drains",grave="yes"} 2.0' in metrics
    assert 'arvados_node_manager_findings{check="disk-full",grave="no"} 1.0' in metrics


def test_status_tells_the_grave_findings_first(config: Path, tmp_path: Path) -> None:
    site = Managed(tmp_path)
    site.begin()
    found = (
        Finding("the disk is full", "", "disk-full", grave=False, mends="Make room."),
        Finding("c1 is drained", "c1", "stuck-drains", grave=True, mends="Resume it."),
    )
    source = replace(site.source, examined=lambda: Examined(0.0, found, {}, 30))
    server = ManagementServer(make_application(source), bind_unix(tmp_path / "manage.sock"))
    server.start()
    out = io.StringIO()
    try:
        with contextlib.redirect_stdout(out):
            main(["status", "--config", str(config)])
    finally:
        server.stop()
    lines = out.getvalue().splitlines()
    first = lines.index("WRONG: c1 is drained")
    assert lines[first + 1 : first + 3] == ["note: the disk is full", "  `doctor` has the remedies"]
