"""Nothing of what a new node reads when it starts is in a log or an error, whatever repeats it, in whatever form."""

from __future__ import annotations

import base64
import functools
import html
import json
import logging
import random
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
import requests
from cloud_peer import Peer, Verb, peer_classes
from fake_cloud_server import settings_in
from hypothesis import given, settings
from hypothesis import strategies as st
from libcloud.common.exceptions import BaseHTTPError
from libcloud.common.types import LibcloudError, MalformedResponseError

from arvnodeman.cloud.redaction import SHORTEST, Hidden, one_line, shown
from arvnodeman.cloud.registry import check_driver
from arvnodeman.config import ConfigError
from arvnodeman.fleet.values.model import RemoteFailure

CLASSES = peer_classes()
WITH_TEMPLATE = ("ec2", "gce", "azure", "openstack", "template")
LETTERS = "abcXYZ0189 \n\t'\"\\/&<>=+%$#{}:;äß→"
CODE = 24  # characters of base64 in a row that nobody may see: 16 letters


def forms(text: str) -> Iterator[str]:
    """How somebody may repeat a text."""
    data = text.encode()
    yield from (text, repr(text), json.dumps(text), html.escape(text), quote(text), quote_plus(text))
    for before in (b"", b"x", b"xy"):
        yield base64.b64encode(before + data).decode()
        yield base64.urlsafe_b64encode(before + data).decode()


@functools.lru_cache(maxsize=2)
def parts(text: str) -> frozenset[str]:
    """Whatever of a text would give it away: so much in a row, of any of its forms, as it is or on one line."""
    found: set[str] = set()
    for form in forms(text):
        for line in (form, " ".join(form.split())):
            length = SHORTEST if form == text else CODE
            found |= {line[start : start + length] for start in range(len(line) - length + 1)}
    return frozenset(found)


def leaks(text: str, said: str) -> list[str]:
    """Parts of the text in what was said."""
    wanted = parts(text)
    return [
        said[at : at + n] for n in (SHORTEST, CODE) for at in range(len(said) - n + 1) if said[at : at + n] in wanted
    ]


# ---- the rule itself -------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(st.text(LETTERS, min_size=SHORTEST, max_size=400), st.integers(0, 300), st.integers(0, 300), st.data())
def test_no_part_of_a_hidden_text_is_shown(text: str, start: int, length: int, data: st.DataObject) -> None:
    hidden = Hidden()
    hidden.put(text)
    form = data.draw(st.sampled_from(list(forms(text[start : start + SHORTEST + length]))))
    said = one_line(f"Invalid input: {form}: is too long", hidden=hidden)
    assert leaks(text, said) == []
    assert said.startswith("Invalid input")
    assert said.endswith("long")


@settings(max_examples=20, deadline=None)
@given(st.text(LETTERS, min_size=200, max_size=900), st.integers(1, 5000))
def test_no_part_is_shown_where_a_long_text_is_cut(text: str, before: int) -> None:
    hidden = Hidden(text)
    assert leaks(text, one_line("o" * before + text * 3 + "!" * before, hidden=hidden)) == []


def test_names_are_no_secrets() -> None:
    hidden = Hidden()
    hidden.put("#!/bin/sh\nhostname compute-000000000000001-zzzzz\n", public=["compute-000000000000001-zzzzz"])
    assert one_line("Instance compute-000000000000001-zzzzz is locked", hidden=hidden).endswith("-zzzzz is locked")
    assert "hostname" not in one_line("x #!/bin/sh\nhostname compute-000000000000001-zzzzz", hidden=hidden)


def test_base64_that_nobody_knows_is_starred_and_paths_and_ids_are_not() -> None:
    code = base64.b64encode(b"#!/bin/sh\ncurl https://ping.example.com/?ping_secret=hush\n").decode()
    assert one_line(f"Value: {code}. is too long") == "Value: ***. is too long"
    for text in (
        "/subscriptions/99999999-9999-9999-9999-999999999999/resourceGroups/000000/providers/Microsoft.Compute",
        "The resource 'projects/project/zones/us-central1-a/instances/compute-000000000000001-zzzzz' was not found",
        "no project 9c4693dce56b493b9b83197d900f7fba",
        "Instance 8c1e0a3c-52a1-4a34-9f6c-0b3d2f8a9d10 is locked",
        "x" * 60,
    ):
        assert one_line(text) == text


def test_a_secret_is_starred_as_a_part_of_a_longer_text_in_base64() -> None:
    for before in (b"", b"a", b"ab"):
        code = base64.b64encode(before + b"hush-hush-hush-ping" + b" and more").decode()
        assert base64.b64encode(b"hush-hush-hush-ping").decode()[3:-4] not in one_line(code, ["hush-hush-hush-ping"])


def test_the_end_of_a_long_text_is_kept() -> None:
    text = one_line("what it is about " + "x" * 5000 + " and what is wrong")
    assert text.startswith("what it is about")
    assert text.endswith("and what is wrong")
    assert len(shown("y" * 900)) == 200


# ---- every driver, every error ---------------------------------------------------------------------------------------


def a_template(folder: Path, seed: int) -> tuple[Path, str]:
    """A file, and the text in it that is nobody's business."""
    chance = random.Random(seed)
    text = "".join(chance.choices(LETTERS, k=chance.randint(SHORTEST, 600)))
    path = folder / f"template-{seed}"
    doubled = text.replace("{", "{{").replace("}", "}}")
    path.write_text(f"#!/bin/sh\n{doubled}\n# {{ping_url}}\n", encoding="utf-8", newline="")
    return path, text.replace("\r", "")


def bodies(message: str) -> list[tuple[str, str]]:
    """A message as the error of one of the clouds, and as none of them: body and type."""
    kind = "application/json"
    nova = {
        "badRequest": {"code": 400, "message": f"Invalid input for field/attribute x. Value: {message}. 'x' is bad"}
    }
    google = {"code": 400, "message": message, "errors": [{"reason": "invalid", "message": message}]}
    xml = (
        f"<Response><Errors><Error><Code>X</Code><Message>{html.escape(message)}</Message></Error></Errors></Response>"
    )
    return [
        (json.dumps(nova), kind),
        (json.dumps({"error": google}), kind),
        (json.dumps({"message": message}), kind),
        (json.dumps([message]), kind),
        (message, kind),
        (xml, "text/xml"),
        (message, "text/html"),
    ]


def told_of(act: Callable[[], object]) -> str:
    """Whatever a log would show of what it raises."""
    try:
        act()
    except RemoteFailure as failure:
        return f"{failure.error!r}\n{traceback.format_exc()}"
    except Exception as error:  # noqa: BLE001 (whatever it is, a log would show it)
        return f"{error!r}\n{traceback.format_exc()}"
    return ""


@pytest.mark.parametrize("provider", WITH_TEMPLATE)
def test_no_error_of_a_cloud_repeats_what_a_node_reads(
    provider: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("faker").setLevel(logging.WARNING)
    with CLASSES[provider](tmp_path) as peer:
        seed = 0
        for status in (200, 400, 401, 403, 404, 409, 413, 500, 503):
            path, text = a_template(tmp_path, seed)
            driver = peer.driver(create={"user_data": str(path)})
            for body, kind in bodies(random.Random(seed).choice(list(forms(text)))):
                seed += 1
                boot = (peer.size, peer.record(seed), f"token-{seed}", peer.ping_url(seed))
                peer.answer_with(Verb.CREATE, status, body, kind)
                caplog.clear()
                told = told_of(functools.partial(driver.create_node, *boot))
                assert leaks(text, told + caplog.text) == [], (status, kind)


@pytest.mark.parametrize("provider", WITH_TEMPLATE)
def test_no_exception_of_the_library_shows_what_a_node_reads(
    provider: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one that nobody foresaw: its traceback goes into the log."""
    with CLASSES[provider](tmp_path) as peer:
        path, text = a_template(tmp_path, 7)
        code = base64.b64encode(text.encode()).decode()
        for error in (
            KeyError(text),
            ValueError(f"cannot say {text!r}"),
            UnicodeEncodeError("ascii", text, 0, 1, "ordinal not in range"),
            TypeError({"user_data": text}),
            RuntimeError(code),
            Exception(text),
            LibcloudError(text),
            MalformedResponseError("no JSON", body=text),
            BaseHTTPError(400, f"bad: {code}"),
            requests.exceptions.ConnectionError(f"https://x/?UserData={quote(code)}"),
        ):
            driver = peer.driver(create={"user_data": str(path)})
            raising(driver, error, monkeypatch)
            told = told_of(functools.partial(driver.create_node, peer.size, peer.record(), "t", peer.ping_url()))
            assert told
            assert leaks(text, told.partition("During handling")[0]) == [], error


def raising(driver: object, error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def create_node(*_args: object, **_options: object) -> None:
        raise error

    monkeypatch.setattr(driver._driver, "create_node", create_node)  # type: ignore[attr-defined]  # a LibcloudDriver


# ---- what cannot fit -------------------------------------------------------------------------------------------------

LARGEST = {"ec2": 16_384, "gce": 262_144, "azure": 65_535, "openstack": 49_149}


def fits(peer: Peer, path: Path) -> bool:
    try:
        peer.driver(create={"user_data": str(path)})
    except ConfigError as wrong:
        (line,) = wrong.problems
        assert "[Cloud Create] user_data: " in line
        assert f"this cloud takes {LARGEST[peer.provider]}" in line
        return False
    return True


@pytest.mark.parametrize("provider", LARGEST)
def test_a_template_that_cannot_fit_is_refused_at_start(provider: str, tmp_path: Path) -> None:
    """In bytes, not in letters; names may be empty."""
    path, name = tmp_path / "user-data", "# {hostname}\n"
    with CLASSES[provider](tmp_path) as peer:
        room = LARGEST[provider] - len(name.format(hostname=""))
        path.write_text("ä" * (room // 2) + name, encoding="utf-8")
        assert fits(peer, path)
        path.write_text("ä" * (room // 2 + 1) + name, encoding="utf-8")
        assert not fits(peer, path)


@pytest.mark.parametrize("provider", LARGEST)
def test_one_that_is_too_large_for_a_node_asks_the_cloud_nothing(provider: str, tmp_path: Path) -> None:
    path = tmp_path / "user-data"
    with CLASSES[provider](tmp_path) as peer:
        path.write_text("#" + "x" * (LARGEST[provider] - 20) + " {ping_url}\n")
        driver = peer.driver(create={"user_data": str(path)})
        with pytest.raises(RemoteFailure) as caught:
            driver.create_node(peer.size, peer.record(), "t", peer.ping_url())
        assert caught.value.error.hint == "[Cloud Create] user_data"
        assert f"this cloud takes {LARGEST[provider]}" in caught.value.error.text
        assert peer.nodes() == []


def test_check_config_looks_at_the_template(tmp_path: Path) -> None:
    (tmp_path / "user-data").write_text("x" * 49_150)
    create = f"[Cloud Create]\nping_host = h.example.com\nimage = x\nuser_data = {tmp_path}/user-data\n"
    given = {
        "provider": "openstack",
        "key": "k",
        "secret": "a-secret-of-ours",
        "ex_force_auth_url": "https://k.example.com:5000",
    }
    with pytest.raises(ConfigError, match="at least 49150 bytes"):
        check_driver(settings_in(tmp_path, create, ex_tenant_name="t", **given))
