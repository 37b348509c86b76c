"""What Google Compute Engine wants to be told: credentials and options, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_cloud_server import settings_in
from peer_gce import USER, GCEPeer

from arvnodeman.cloud.registry import make_driver
from arvnodeman.config import ConfigError
from arvnodeman.fleet.values.model import ErrorKind, RemoteError, RemoteFailure


@pytest.fixture
def peer(tmp_path: Path) -> Iterator[GCEPeer]:
    with GCEPeer(tmp_path) as peer:
        yield peer


def list_failure(peer: GCEPeer, **credentials: str) -> RemoteError:
    with pytest.raises(RemoteFailure) as caught:
        peer.driver(credentials=credentials).list_nodes()
    return caught.value.error


def refused(tmp_path: Path, create: str = "image = x\n", **given: str) -> str:
    """The one line that says what is wrong with the configuration."""
    (tmp_path / "key.pem").write_text("x")
    options = {"user_id": USER, "key": str(tmp_path / "key.pem"), "project": "p", "datacenter": "z-a", **given}
    text = f"[Cloud Create]\nping_host = ping.example.com\n{create}"
    with pytest.raises(ConfigError) as caught:
        make_driver(settings_in(tmp_path, text, provider="gce", **options))
    return "\n".join(line.partition(".ini: ")[2] for line in caught.value.problems)


def test_what_is_missing_is_named_at_once(tmp_path: Path) -> None:
    assert refused(tmp_path, "", user_id="", project="", datacenter="").splitlines() == [
        "[Cloud Credentials] user_id: missing; required here",
        "[Cloud Credentials] project: missing; required here",
        "[Cloud Credentials] datacenter: missing; required here",
        "[Cloud Create] image: missing; required here",
    ]


@pytest.mark.parametrize(
    ("create", "given", "wrong"),
    [
        ("image = x\n", {"key": "/nowhere/key.json"}, "[Cloud Credentials] key: there is no such file"),
        ("image = x\n", {"key": ""}, "[Cloud Credentials] key: missing"),
        ("image = x\n", {"port": "many"}, "[Cloud Credentials] port: no number"),
        ("image = x\n", {"secure": "perhaps"}, "[Cloud Credentials] secure: neither yes nor no"),
        ("image = x\nssh_key = /nowhere\n", {}, "[Cloud Create] ssh_key: cannot read /nowhere: No such file"),
        ("image = x\nservice_accounts = 3\n", {}, "[Cloud Create] service_accounts: not a list of objects"),
        ("image = x\nex_wrong = 3\n", {}, "[Cloud Create] ex_wrong: this cloud has no such option"),
        ("image = x\nex_metadata = 3\n", {}, "[Cloud Create] ex_metadata: this cloud has no such option"),
        ("image = x\nuser_data = /nowhere\n", {}, "[Cloud Create] user_data: cannot read /nowhere"),
    ],
)
def test_mistakes_in_the_configuration_are_one_line(
    tmp_path: Path, create: str, given: dict[str, str], wrong: str
) -> None:
    told = refused(tmp_path, create, **given)
    assert told.startswith(wrong)
    assert "\n" not in told


def test_a_private_key_is_no_ssh_key_for_nodes(tmp_path: Path) -> None:
    (tmp_path / "id").write_text("-----BEGIN OPENSSH PRIVATE KEY-----\nhush\n")
    told = refused(tmp_path, f"image = x\nssh_key = {tmp_path / 'id'}\n")
    assert told.endswith("is not a public key")
    assert "hush" not in told


def test_nobody_is_asked_to_sign_in(
    peer: GCEPeer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """libcloud takes an unknown user for a person, prints a URL, and waits for ever."""
    monkeypatch.setattr("libcloud.common.google.GoogleAuthType._is_gce", staticmethod(lambda: False))
    told = list_failure(peer, user_id="somebody@example.com")
    assert (told.kind, told.hint) == (ErrorKind.REFUSED, "[Cloud Credentials] key")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("text", ["", "{", "{}", "[]", "null", '{"access_token": 3}'])
def test_a_broken_file_with_a_token_is_not_for_ever(peer: GCEPeer, text: str) -> None:
    (peer.folder / "token").write_text(text)
    assert peer.driver().list_nodes() == ()


def test_a_key_file_that_is_no_key_is_named(peer: GCEPeer) -> None:
    (peer.folder / "key.pem").write_text("no key")
    told = list_failure(peer)
    assert (told.kind, told.hint) == (ErrorKind.REFUSED, "[Cloud Credentials] key")
