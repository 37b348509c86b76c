"""What serves the page at /, and what its API does so that many may look: tags, and packed answers."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from pathlib import Path

import pytest
from managed_world import Managed

from arvnodeman.manage.page import joined

PAGE = joined()


@pytest.fixture
def site(tmp_path: Path) -> Managed:
    made = Managed(tmp_path, token="tok")
    made.world.node()
    made.begin()
    return made


def test_anybody_may_have_the_page_and_what_it_tells_needs_the_token(site: Managed) -> None:
    answer = site.get("/")
    assert (answer.status_code, answer.content_type) == (200, "text/html; charset=utf-8")
    assert answer.text == PAGE
    assert site.get("/v1/status").status_code == 401


def test_a_browser_is_told_to_run_this_script_and_ask_this_server_alone(site: Managed) -> None:
    headers = site.get("/").headers
    rules = dict(rule.split(" ", 1) for rule in headers["Content-Security-Policy"].split("; "))
    assert rules["default-src"] == "'none'"
    assert rules["connect-src"] == "'self'"
    assert rules["frame-ancestors"] == "'none'"
    for tag in ("script", "style"):
        text = PAGE.split(f"<{tag}>")[1].split(f"</{tag}>")[0]
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert rules[f"{tag}-src"] == f"'sha256-{digest}'"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-Frame-Options"] == "DENY"


def test_the_page_is_all_in_one_answer() -> None:
    outside = set(re.findall(r"https?://[^\s'\"]+", PAGE)) - {"http://www.w3.org/2000/svg"}
    assert outside == set()  # the one that is left is a name, not an address
    assert not re.findall(r"""<[^>]+\s(?:src|style|on\w+)=""", PAGE)
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b", PAGE)


def test_who_has_the_newest_list_of_nodes_is_told_so_until_there_is_another(site: Managed) -> None:
    first = site.get("/v1/nodes", Authorization="Bearer tok")
    tag = first.headers["ETag"]
    again = site.get("/v1/nodes", Authorization="Bearer tok", If_None_Match=tag)
    assert (again.status_code, again.get_data()) == (304, b"")
    assert again.headers["ETag"] == tag
    site.cycle()
    newer = site.get("/v1/nodes", Authorization="Bearer tok", If_None_Match=tag)
    assert newer.status_code == 200
    assert newer.headers["ETag"] != tag
    assert site.get("/v1/nodes", If_None_Match=newer.headers["ETag"]).status_code == 401


def test_a_tag_of_another_run_is_not_taken_for_ours(site: Managed, tmp_path: Path) -> None:
    other = Managed(tmp_path, token="tok")
    other.world.node()
    other.begin()
    tag = other.get("/v1/nodes", Authorization="Bearer tok").headers["ETag"]
    assert site.get("/v1/nodes", Authorization="Bearer tok", If_None_Match=tag).status_code == 200


def test_a_long_list_is_packed_for_who_can_unpack_it(site: Managed) -> None:
    short = site.get("/v1/nodes", Authorization="Bearer tok", Accept_Encoding="gzip")
    assert "Content-Encoding" not in short.headers
    for number in range(2, 100):
        site.world.node(f"compute{number}")
    site.cycle()
    plain = site.get("/v1/nodes", Authorization="Bearer tok")
    packed = site.get("/v1/nodes", Authorization="Bearer tok", Accept_Encoding="gzip, br")
    refused = site.get("/v1/nodes", Authorization="Bearer tok", Accept_Encoding="gzip;q=0")
    assert "Content-Encoding" not in plain.headers
    assert "Content-Encoding" not in refused.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert packed.headers["Vary"] == "Accept-Encoding"
    assert json.loads(gzip.decompress(packed.get_data())) == plain.get_json()


def test_status_tells_whether_words_are_taken_over_tcp(site: Managed, tmp_path: Path) -> None:
    assert site.ask("/v1/status")["words_over_tcp"] is True
    assert Managed(tmp_path).ask("/v1/status")["words_over_tcp"] is False
