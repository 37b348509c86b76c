"""Who may ask for what."""

from __future__ import annotations

from pathlib import Path
from unittest import mock

import pytest
from managed_world import Managed

READS = ("/v1/status", "/v1/nodes", "/v1/jobs", "/v1/decisions", "/v1/openapi.json", "/metrics")


@pytest.fixture
def open_site(tmp_path: Path) -> Managed:
    """Without a ManagementToken."""
    managed = Managed(tmp_path)
    managed.world.node()
    managed.begin()
    return managed


@pytest.fixture
def site(tmp_path: Path) -> Managed:
    """With one."""
    managed = Managed(tmp_path, token="tok")
    managed.world.node()
    managed.begin()
    return managed


def code(managed: Managed, path: str, address: str = "127.0.0.1", method: str = "GET", **headers: str) -> int:
    """The answer's status, asked from this address."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    base = {"REMOTE_ADDR": address}
    return managed.client.open(path, method=method, headers=names, environ_base=base).status_code


@pytest.mark.parametrize("path", READS)
def test_with_a_token_reading_needs_it_wherever_one_asks_from(site: Managed, path: str) -> None:
    assert code(site, path) == 401
    assert code(site, path, Authorization="Bearer wrong") == 403
    assert code(site, path, Authorization="Bearer tök") == 403
    assert code(site, path, Authorization="tok") == 403
    assert code(site, path, "192.0.2.1", Authorization="Bearer tok") == 200


@pytest.mark.parametrize("path", READS)
@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
def test_without_a_token_loopback_may_read(open_site: Managed, path: str, address: str) -> None:
    assert code(open_site, path, address) == 200


@pytest.mark.parametrize("address", ["192.0.2.1", "::ffff:192.0.2.1", "fe80::1", "localhost", "", "127.0.0.1.example"])
def test_without_a_token_nobody_else_may(open_site: Managed, address: str) -> None:
    assert code(open_site, "/v1/nodes", address) == 403


@pytest.mark.parametrize("header", ["X_Forwarded_For", "Forwarded", "Via", "X_Real_Ip"])
def test_a_proxy_on_this_machine_is_not_this_machine(open_site: Managed, header: str) -> None:
    assert code(open_site, "/v1/nodes", **{header: "192.0.2.1"}) == 403


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("localhost:8989", 200),
        ("127.0.0.1:8989", 200),
        ("[::1]:8989", 200),
        ("evil.example:8989", 403),
        ("127.0.0.1.evil.example", 403),
    ],
)
def test_a_web_page_cannot_read_under_a_name_that_it_made_up(open_site: Managed, host: str, status: int) -> None:
    assert code(open_site, "/v1/nodes", Host=host) == status


def test_changes_always_need_a_token(open_site: Managed, site: Managed) -> None:
    path = "/v1/nodes/i-compute1/hold"
    assert code(open_site, path, method="POST") == 403
    assert code(open_site, path, method="POST", Authorization="Bearer ") == 403
    assert code(site, path, method="POST") == 401
    assert code(site, path, method="POST", Authorization="Bearer wrong") == 403
    assert site.world.cloud["i-compute1"].directive is None
    assert code(site, path, "192.0.2.1", method="POST", Authorization="Bearer tok") == 200


def test_what_needs_no_token(site: Managed) -> None:
    assert code(site, "/status.json", "192.0.2.1") == 200
    assert code(site, "/_health/ping", "192.0.2.1") == 401


def test_no_header_makes_a_request_local(open_site: Managed) -> None:
    assert code(open_site, "/v1/nodes", "192.0.2.1", arvnodeman_local="True", Arvnodeman_Local="1") == 403


def test_tokens_are_compared_in_constant_time(site: Managed) -> None:
    with mock.patch("hmac.compare_digest", return_value=True) as compare:
        assert code(site, "/v1/nodes", Authorization="Bearer anything") == 200
    assert compare.call_args == mock.call(b"Bearer anything", b"Bearer tok")


def test_a_refusal_tells_how_to_be_let_in(open_site: Managed, site: Managed) -> None:
    answer = site.client.get("/v1/nodes")
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    answer = open_site.client.post("/v1/nodes/x/kill")
    assert "ManagementToken" in answer.get_json()["error"]
