"""The sandbox's driver against a server that keeps to the API, and one that breaks it in every way."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from email.utils import formatdate
from pathlib import Path

import pytest
from fake_cloud_server import CLUSTER, KEY, FakeCloud, error, keeping_alive, reply, serving, settings_in
from werkzeug.wrappers import Request, Response

from arvnodeman.cloud.base import ping_url
from arvnodeman.cloud.registry import make_driver
from arvnodeman.cloud.sandbox import SandboxDriver
from arvnodeman.config import ConfigError
from arvnodeman.fleet.values.model import (
    CloudNode,
    Directive,
    ErrorKind,
    NodeRecord,
    NodeSize,
    OperatorDirective,
    ProviderSize,
    RemoteError,
    RemoteFailure,
    Secret,
)

UUID = "zzzzz-7ekkf-0123456789abcde"
NAME = "compute-0123456789abcde-zzzzz"
RECORD = NodeRecord(UUID, hostname="compute7", domain="example.com")
SIZE = NodeSize("small", "s1", "s1", "Small", 2, 2048, 10, 10000, 0.1)
PING = Secret(f"http://ping.example/arvados/v1/nodes/{UUID}/ping?ping_secret=hush-hush-hush")
OURS = {"arvados_node_manager": CLUSTER, "arvados_node_size": "small"}


@pytest.fixture
def cloud() -> FakeCloud:
    return FakeCloud()


@pytest.fixture
def port(cloud: FakeCloud) -> Iterator[int]:
    with serving(cloud) as port:
        yield port


Make = Callable[..., SandboxDriver]


@pytest.fixture
def make(tmp_path: Path, port: int) -> Make:
    def made(text: str = "", **options: str) -> SandboxDriver:
        given = {"url": f"http://127.0.0.1:{port}", "key": KEY, "timeout": "30", **options}
        driver = make_driver(settings_in(tmp_path, text, **given))
        assert isinstance(driver, SandboxDriver)
        return driver

    return made


@pytest.fixture
def driver(make: Make) -> SandboxDriver:
    return make()


def failure(act: Callable[[], object]) -> RemoteError:
    with pytest.raises(RemoteFailure) as caught:
        act()
    assert "\n" not in caught.value.error.text
    return caught.value.error


def always(response: Callable[[], Response]) -> Callable[[Request], Response]:
    return lambda _request: response()


# ---- what is listed --------------------------------------------------------------------------------------------------


def test_sizes(driver: SandboxDriver) -> None:
    """A price of 0 is not a price; 0 and null are unknown."""
    assert driver.list_sizes() == (
        ProviderSize("s1", "Small", 2048, 10, 0, 0.1, 2),
        ProviderSize("s2", "Big", 8192, 0, 0, None, 8),
    )


def test_no_sizes_is_a_failed_request(cloud: FakeCloud, driver: SandboxDriver) -> None:
    cloud.sizes = []
    assert failure(driver.list_sizes).kind is ErrorKind.TRANSIENT


def test_a_malformed_size_costs_only_itself(
    cloud: FakeCloud, driver: SandboxDriver, caplog: pytest.LogCaptureFixture
) -> None:
    cloud.sizes += [{"id": "s3"}, {**cloud.sizes[0], "id": "s4", "ram": "lots"}, None]
    assert [size.id for size in driver.list_sizes()] == ["s1", "s2"]
    assert [record.name for record in caplog.records] == ["ComputeNodeDriver"] * 3


def test_a_node_with_all_that_it_has(cloud: FakeCloud, driver: SandboxDriver) -> None:
    tags = {**OURS, "hostname": "compute7.example.com", "arvados_node_word": "hold: look at it: now"}
    cloud.add("compute-1", tags=tags, preemptible=True, broken=True)
    assert driver.list_nodes() == (
        CloudNode(
            "n-1",
            "compute-1",
            "n-1",
            fqdn="compute7.example.com",
            size_tag="small",
            provider_size="s1",
            start_time=1700000000.25,
            preemptible=True,
            broken=True,
            failed=True,
            directive=OperatorDirective(Directive.HOLD, "look at it: now"),
            address="10.0.0.1",
        ),
    )


def test_a_sandbox_on_this_machine_has_nodes_at_its_loopback(cloud: FakeCloud, driver: SandboxDriver) -> None:
    """Elsewhere that is an address of which nobody else can make use."""
    cloud.add("compute-1", address="127.0.0.1")
    assert [node.address for node in driver.list_nodes()] == ["127.0.0.1"]


@pytest.mark.parametrize("count", [0, 1, 99, 100, 101, 250])
def test_every_page_is_read(cloud: FakeCloud, driver: SandboxDriver, count: int) -> None:
    """Row H10: an empty list is a list."""
    for n in range(count):
        cloud.add(f"compute-{n}")
    assert [node.name for node in driver.list_nodes()] == [f"compute-{n}" for n in range(count)]


def test_a_node_that_two_pages_show_is_one(cloud: FakeCloud, driver: SandboxDriver) -> None:
    node = cloud.add("compute-1")
    pages = {"0": {"nodes": [node], "next": 1}, "1": {"nodes": [node], "next": None}}
    cloud.answer = lambda request: reply(pages[request.args["page"]])
    assert len(driver.list_nodes()) == 1


@pytest.mark.parametrize("following", [0, -1, "1", 0.5, {}])
def test_pages_that_lead_nowhere_are_a_failure_and_not_a_short_list(
    cloud: FakeCloud, driver: SandboxDriver, following: object
) -> None:
    cloud.answer = always(lambda: reply({"nodes": [], "next": following}))
    assert failure(driver.list_nodes).kind is ErrorKind.TRANSIENT
    assert len(cloud.requests) == 1


def test_terminated_nodes_are_left_out_and_stopped_ones_are_marked(cloud: FakeCloud, driver: SandboxDriver) -> None:
    for state in ("pending", "running", "stopped", "preempted", "shutting-down", "terminated", "dreaming"):
        cloud.add(state, state=state)
    assert {node.name: node.stopped for node in driver.list_nodes()} == {
        "pending": False,
        "running": False,
        "stopped": True,
        "preempted": True,
        "dreaming": False,
    }


@pytest.mark.parametrize(
    "tags", [None, {}, [], "text", {"arvados_node_size": "small"}, {"arvados_node_manager": "other"}]
)
def test_nodes_of_others_are_not_ours(cloud: FakeCloud, driver: SandboxDriver, tags: object) -> None:
    """Row I7."""
    cloud.add("theirs", tags=tags)
    cloud.add("ours")
    assert [node.name for node in driver.list_nodes()] == ["ours"]


def test_without_a_tag_in_cloud_list_our_size_tag_tells(cloud: FakeCloud, make: Make) -> None:
    cloud.add("theirs", tags={"arvados_node_manager": CLUSTER})
    cloud.add("ours", tags={"arvados_node_size": "small"})
    assert [node.name for node in make("[Cloud List]\n").list_nodes()] == ["ours"]


@pytest.mark.parametrize(
    "fields",
    [
        {"id": None},
        {"id": ""},
        {"name": None},
        {"state": {}},
        {"created": "yesterday"},
        {"created": 1e300},
    ],
)
def test_a_malformed_node_costs_only_itself(
    cloud: FakeCloud, driver: SandboxDriver, caplog: pytest.LogCaptureFixture, fields: dict[str, object]
) -> None:
    """Row I7."""
    cloud.nodes["x"] = {**cloud.add("first"), **fields}
    cloud.nodes["y"] = 17  # type: ignore[assignment]
    cloud.add("last")
    assert [node.name for node in driver.list_nodes()] == ["first", "last"]
    assert [(record.name, record.levelno) for record in caplog.records] == [("ComputeNodeDriver", logging.WARNING)] * 2


def test_a_strange_word_costs_only_itself(
    cloud: FakeCloud, driver: SandboxDriver, caplog: pytest.LogCaptureFixture
) -> None:
    cloud.add("a", tags={**OURS, "arvados_node_word": "dance: now"})
    assert [node.directive for node in driver.list_nodes()] == [None]
    assert "arvados_node_word" in caplog.text


@pytest.mark.parametrize("body", ["[]", "null", "", "<html>", '{"nodes": 3}', '{"nodes": null, "next": null}', "{"])
def test_an_answer_that_is_no_list_is_a_failure_and_not_an_empty_list(
    cloud: FakeCloud, driver: SandboxDriver, body: str
) -> None:
    cloud.answer = always(lambda: Response(body, 200, content_type="application/json"))
    assert failure(driver.list_nodes).kind is ErrorKind.TRANSIENT


# ---- create, find, destroy -------------------------------------------------------------------------------------------


def test_one_request_says_all_of_a_new_node(cloud: FakeCloud, make: Make) -> None:
    """Row D12: the tags are in the create request."""
    driver = make("[Cloud Create]\ntag_team = blue\nping_host = http://x\n")
    spot = NodeSize("spot", "s1", "s1", "Small", 2, 2048, 10, 10000, 0.03, preemptible=True)
    node = driver.create_node(spot, RECORD, "token-1", PING)
    tags = {
        "arvados_node_manager": CLUSTER,
        "arvados_node_size": "spot",
        "arvados_node_token": "token-1",
        "hostname": "compute7.example.com",
        "team": "blue",
    }
    body = {
        "name": NAME,
        "size": "s1",
        "tags": tags,
        "user_data": PING.reveal(),
        "preemptible": True,
        "token": "token-1",
    }
    assert cloud.requests == [("POST", "/cloud/nodes", body)]
    assert (node.id, node.name, node.size_tag, node.fqdn) == ("n-1", NAME, "spot", "compute7.example.com")
    assert node.preemptible
    assert node.start_time == 1700000000.25
    assert [listed.size_tag for listed in driver.list_nodes()] == ["spot"]


def test_the_same_token_makes_one_node(cloud: FakeCloud, driver: SandboxDriver) -> None:
    first = driver.create_node(SIZE, RECORD, "token-1", PING)
    assert driver.create_node(SIZE, RECORD, "token-1", PING) == first
    assert driver.create_node(SIZE, RECORD, "token-2", PING).id != first.id
    assert len(cloud.nodes) == 2


def test_the_size_is_the_one_asked_for_whatever_the_answer_says(cloud: FakeCloud, driver: SandboxDriver) -> None:
    """Row D9."""
    cloud.answer = always(
        lambda: reply({"id": "n-9", "name": NAME, "state": "pending", "tags": {"arvados_node_size": "x"}})
    )
    assert driver.create_node(SIZE, RECORD, "t", PING).size_tag == "small"


@pytest.mark.parametrize("body", [{}, {"id": "n-1"}, {"id": None, "name": "x", "state": "pending"}])
def test_an_answer_to_create_that_names_no_node_may_have_worked(
    cloud: FakeCloud, driver: SandboxDriver, body: dict[str, object]
) -> None:
    cloud.answer = always(lambda: reply(body))
    assert failure(lambda: driver.create_node(SIZE, RECORD, "t", PING)).kind is ErrorKind.UNREADABLE


def test_a_create_that_times_out_but_works_is_found(cloud: FakeCloud, make: Make) -> None:
    """Row D7."""
    hurried, driver = make(timeout="1"), make()
    cloud.work_then = cloud.hang
    assert failure(lambda: hurried.create_node(SIZE, RECORD, "token-1", PING)).kind is ErrorKind.TRANSIENT
    found = driver.find_node(SIZE, RECORD, "token-1")
    assert found is not None
    assert (found.id, found.name, found.size_tag) == ("n-1", NAME, "small")
    cloud.released.set()
    cloud.work_then = lambda: None
    assert driver.create_node(SIZE, RECORD, "token-1", PING).id == found.id


def test_find_looks_at_a_fresh_list_each_time(cloud: FakeCloud, driver: SandboxDriver) -> None:
    """Row D8: the search was cached, and went past the list's own filter."""
    assert driver.find_node(SIZE, RECORD, "t") is None
    cloud.add(NAME, tags={})
    assert driver.find_node(SIZE, RECORD, "t") is None
    cloud.add(NAME)
    found = driver.find_node(SIZE, RECORD, "t")
    assert found is not None
    assert found.id == "n-2"


def test_two_nodes_of_one_name_are_no_answer(
    cloud: FakeCloud, driver: SandboxDriver, caplog: pytest.LogCaptureFixture
) -> None:
    """Row D8."""
    cloud.add(NAME)
    cloud.add(NAME)
    assert driver.find_node(SIZE, RECORD, "t") is None
    assert "n-1, n-2" in caplog.text


def test_a_node_of_another_boot_does_not_count(cloud: FakeCloud, driver: SandboxDriver) -> None:
    cloud.add(NAME, tags={**OURS, "arvados_node_token": "older"})
    assert driver.find_node(SIZE, RECORD, "newer") is None
    cloud.add(NAME, tags={**OURS, "arvados_node_token": "newer"})
    found = driver.find_node(SIZE, RECORD, "newer")
    assert found is not None
    assert found.id == "n-2"


def test_destroy(cloud: FakeCloud, driver: SandboxDriver) -> None:
    cloud.add("a", id="odd id?")
    (node,) = driver.list_nodes()
    driver.destroy_node(node)
    assert cloud.nodes == {}
    assert driver.fetch_node(node) is None


def test_destroy_of_a_vanished_node_says_that_it_is_gone(driver: SandboxDriver) -> None:
    assert failure(lambda: driver.destroy_node(CloudNode("n-99", "gone", "n-99"))).kind is ErrorKind.GONE


def test_destroy_that_answers_false_is_a_failure(driver: SandboxDriver, monkeypatch: pytest.MonkeyPatch) -> None:
    """Row E1."""
    monkeypatch.setattr("arvnodeman.cloud.sandbox.SandboxNodeDriver.destroy_node", lambda _self, _node: False)
    assert "did not destroy n-1" in failure(lambda: driver.destroy_node(CloudNode("n-1", "a", "n-1"))).text


def test_a_destroy_that_times_out_but_works_is_seen(cloud: FakeCloud, make: Make) -> None:
    """Row E11."""
    hurried, driver = make(timeout="1"), make()
    cloud.add("a")
    (node,) = driver.list_nodes()
    cloud.work_then = cloud.hang
    assert failure(lambda: hurried.destroy_node(node)).kind is ErrorKind.TRANSIENT
    assert driver.fetch_node(node) is None


def test_a_destroy_that_fails_leaves_the_node_in_the_list(cloud: FakeCloud, driver: SandboxDriver) -> None:
    """Row E11."""
    cloud.add("a")
    (node,) = driver.list_nodes()
    cloud.answer = lambda request: error(503, "Unavailable", "later") if request.method == "DELETE" else None
    assert failure(lambda: driver.destroy_node(node)).kind is ErrorKind.TRANSIENT
    assert driver.fetch_node(node) == node


def test_fqdn_and_word_are_written_and_read_back(cloud: FakeCloud, driver: SandboxDriver) -> None:
    cloud.add("a")
    (node,) = driver.list_nodes()
    driver.sync_fqdn(node, "compute9.example.com")
    driver.set_directive(node, OperatorDirective(Directive.DRAIN, "disk\nis odd " + "x" * 500))
    (seen,) = driver.list_nodes()
    assert (seen.fqdn, seen.size_tag) == ("compute9.example.com", "small")
    assert seen.directive is not None
    assert (seen.directive.directive, seen.directive.reason[:16]) == (Directive.DRAIN, "disk is odd xxxx")
    assert len(cloud.nodes["n-1"]["tags"]["arvados_node_word"]) < 256
    driver.set_directive(node, OperatorDirective(Directive.HOLD))
    assert [listed.directive for listed in driver.list_nodes()] == [OperatorDirective(Directive.HOLD)]
    driver.set_directive(node, None)
    assert [listed.directive for listed in driver.list_nodes()] == [None]
    assert "arvados_node_word" not in cloud.nodes["n-1"]["tags"]


def test_writing_to_a_vanished_node_says_so(driver: SandboxDriver) -> None:
    node = CloudNode("n-99", "gone", "n-99")
    assert failure(lambda: driver.sync_fqdn(node, "x")).kind is ErrorKind.GONE
    assert failure(lambda: driver.set_directive(node, None)).kind is ErrorKind.GONE


# ---- errors ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (lambda: error(400, "QuotaExceeded", "no more"), ErrorKind.QUOTA),
        (lambda: error(500, "InsufficientCapacity", "none of s1"), ErrorKind.CAPACITY),
        (lambda: error(400, "InvalidParameter", "size"), ErrorKind.REFUSED),
        (lambda: error(404, "NotFound", "no such image"), ErrorKind.REFUSED),
        (lambda: error(401, "Unauthorized", "wrong key"), ErrorKind.REFUSED),
        (lambda: error(503, "Unavailable", "later"), ErrorKind.TRANSIENT),
        (lambda: error(418, "Strange", "teapot"), ErrorKind.REFUSED),
        (lambda: error(429, "Throttled", "slower"), ErrorKind.THROTTLED),
        (lambda: Response("<html>bad gateway</html>", 502), ErrorKind.TRANSIENT),
        (lambda: Response("", 500), ErrorKind.TRANSIENT),
        (lambda: Response("[1]", 403), ErrorKind.REFUSED),
        (lambda: reply({"error": None}, 500), ErrorKind.TRANSIENT),
    ],
)
def test_errors_of_a_create(
    cloud: FakeCloud, driver: SandboxDriver, response: Callable[[], Response], expected: ErrorKind
) -> None:
    cloud.answer = always(response)
    assert failure(lambda: driver.create_node(SIZE, RECORD, "t", PING)).kind is expected


def test_a_wrong_key_names_the_option(make: Make) -> None:
    told = failure(make(key="wrong-wrong-wrong").list_nodes)
    assert (told.kind, told.hint) == (ErrorKind.REFUSED, "[Cloud Credentials] key")
    assert "Unauthorized: wrong key" in told.text


@pytest.mark.parametrize(
    ("header", "least", "most"),
    [
        (lambda: "17", 17, 17),
        (lambda: "2.5", 2.5, 2.5),
        (lambda: formatdate(time.time() + 40, usegmt=True), 30, 40),
        (lambda: "99999", 300, 300),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_in_both_forms(
    cloud: FakeCloud, driver: SandboxDriver, header: Callable[[], str], least: float, most: float, status: int
) -> None:
    """Rows A11, A13; the longest wait is max_poll_time."""
    cloud.answer = always(lambda: error(status, "Busy", "slower", Retry_After=header()))
    told = failure(driver.list_nodes)
    assert told.kind is (ErrorKind.THROTTLED if status == 429 else ErrorKind.TRANSIENT)
    assert told.retry_after is not None
    assert least <= told.retry_after <= most


@pytest.mark.parametrize(
    ("header", "warns"),
    [("0", False), ("soon", True), ("nan", True), ("-5", True), ("", True), ("Thu, 01 Jan 1970 00:00:00 GMT", False)],
)
def test_retry_after_that_says_nothing(
    cloud: FakeCloud, driver: SandboxDriver, caplog: pytest.LogCaptureFixture, header: str, warns: bool
) -> None:
    """Row A12: then the code alone counts, and our own back-off goes on."""
    cloud.answer = always(lambda: error(429, "Throttled", "slower", Retry_After=header))
    told = failure(driver.list_nodes)
    assert (told.kind, told.retry_after) == (ErrorKind.THROTTLED, None)
    assert [record.getMessage() for record in caplog.records] == (
        [f"Unrecognizable Retry-After header: {header!r}"] if warns else []
    )


def test_a_server_that_hangs_ends_by_the_timeout(cloud: FakeCloud, make: Make) -> None:
    driver = make(timeout="1")
    cloud.answer = cloud.hang
    told = failure(driver.list_nodes)
    assert told.kind is ErrorKind.TRANSIENT
    assert told.text.endswith(": no answer in time")


def test_a_refused_connection_is_one_clear_line(make: Make) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    told = failure(make(url=f"http://127.0.0.1:{port}").list_nodes)
    assert (told.kind, told.text) == (ErrorKind.TRANSIENT, f"127.0.0.1:{port}: Connection refused")


def test_a_connection_that_breaks_off(make: Make) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept_and_close() -> None:
            connection, _ = listener.accept()
            connection.recv(10)
            connection.close()

        thread = threading.Thread(target=accept_and_close, daemon=True)
        thread.start()
        told = failure(make(url=f"http://127.0.0.1:{listener.getsockname()[1]}").list_nodes)
        thread.join(10)
    assert told.kind is ErrorKind.TRANSIENT


def test_nothing_is_retried(cloud: FakeCloud, driver: SandboxDriver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIBCLOUD_RETRY_FAILED_HTTP_REQUESTS", "1")
    cloud.answer = always(lambda: error(429, "Throttled", "slower", Retry_After="30"))
    failure(driver.list_nodes)
    assert len(cloud.requests) == 1


def test_a_proxy_of_the_environment_is_not_used(
    cloud: FakeCloud, tmp_path: Path, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("all_proxy", "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    (tmp_path / ".netrc").write_text("default login me password mine\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    cloud.add("a")
    assert len(make().list_nodes()) == 1


def test_one_connection_serves_many_requests(make: Make) -> None:
    with keeping_alive() as (port, connections):
        driver = make(url=f"http://127.0.0.1:{port}")
        for _ in range(5):
            assert driver.list_nodes() == ()
    assert len(connections) == 1


def test_making_a_driver_asks_the_cloud_nothing(cloud: FakeCloud, driver: SandboxDriver) -> None:
    assert driver.clock_offset is None
    assert cloud.requests == []


@pytest.mark.parametrize("offset", [-3600.0, 0.0, 90.0])
def test_the_servers_clock(make: Make, offset: float) -> None:
    with keeping_alive(offset) as (port, _):
        driver = make(url=f"http://127.0.0.1:{port}")
        driver.list_nodes()
    assert driver.clock_offset is not None
    assert abs(driver.clock_offset - offset) < 30


# ---- secrets and mistakes --------------------------------------------------------------------------------------------


def test_no_secret_is_shown_anywhere(cloud: FakeCloud, make: Make, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    driver = make()
    told = []
    for text in (
        f"bad key {KEY}",
        f"cannot reach {PING.reveal()}",
        "ping_secret%3Dhush-hush-hush&x",
        repr([KEY]),
    ):
        for status in (400, 401, 500):
            cloud.answer = always(lambda status=status, text=text: error(status, "InvalidParameter", text))  # type: ignore[misc]
            told.append(failure(lambda: driver.create_node(SIZE, RECORD, "t", PING)).text)
    cloud.answer = always(lambda: reply({"id": None, "name": NAME, "state": "pending", "echo": [KEY, PING.reveal()]}))
    told.append(failure(lambda: driver.create_node(SIZE, RECORD, "t", PING)).text)
    everything = "\n".join([*told, caplog.text, repr(driver), repr(driver.__dict__.get("_settings"))])
    for secret in (KEY, "hush-hush-hush"):
        assert secret not in everything


def test_a_failure_carries_no_trace_of_its_cause(cloud: FakeCloud, driver: SandboxDriver) -> None:
    """The cause's own text may hold a key."""
    cloud.answer = always(lambda: error(400, "InvalidParameter", KEY))
    with pytest.raises(RemoteFailure) as caught:
        driver.list_nodes()
    assert caught.value.__suppress_context__
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("url", ["", "ftp://x", "127.0.0.1:80", "http://", "http://x:port", "http://x:99999"])
def test_a_url_that_cannot_be_one(tmp_path: Path, url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make_driver(settings_in(tmp_path, url=url, key=KEY))
    assert len(caught.value.problems) == 1
    assert "[Cloud Credentials] url: " in caught.value.problems[0]


def test_a_key_that_no_header_can_hold(tmp_path: Path) -> None:
    key = "sésame"
    with pytest.raises(ConfigError) as caught:
        make_driver(settings_in(tmp_path, url="http://127.0.0.1:1", key=key))
    assert "[Cloud Credentials] key: " in str(caught.value)
    assert key not in str(caught.value)


def test_an_option_that_the_cloud_does_not_have(tmp_path: Path) -> None:
    text = "[Cloud Create]\nimage_id = ami-1\nping_host = x\ntag_a = b\n"
    with pytest.raises(ConfigError) as caught:
        make_driver(settings_in(tmp_path, text, url="http://127.0.0.1:1", key=KEY))
    (line,) = caught.value.problems
    assert line.endswith("[Cloud Create] image_id: this cloud has no such option; allowed: ping_host, zones, tag_*")


@pytest.mark.parametrize("ending", ["", "/", "/cloud", "/cloud/"])
def test_the_url_with_and_without_its_path(cloud: FakeCloud, port: int, make: Make, ending: str) -> None:
    assert make(url=f"http://127.0.0.1:{port}{ending}").list_nodes() == ()
    assert cloud.requests == [("GET", "/cloud/nodes?page=0", None)]


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("api.example.com", "https://api.example.com"),
        ("api.example.com:8443", "https://api.example.com:8443"),
        ("http://127.0.0.1:9000", "http://127.0.0.1:9000"),
        ("", "https://zzzzz.example.com"),
    ],
)
def test_the_ping_url(tmp_path: Path, host: str, expected: str) -> None:
    settings = settings_in(tmp_path, url="http://x", key=KEY)
    settings = replace(settings, cloud=replace(settings.cloud, create={"ping_host": host}))
    url = ping_url(settings, UUID, Secret("hush"))
    assert url.reveal() == f"{expected}/arvados/v1/nodes/{UUID}/ping?ping_secret=hush"
    assert "hush" not in repr(url)
