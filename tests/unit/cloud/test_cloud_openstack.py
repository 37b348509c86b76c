"""What is particular to OpenStack. What every driver does is in test_cloud_conformance.py."""

from __future__ import annotations

import base64
import json
import logging
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cloud_peer import Verb
from fake_cloud_server import settings_in
from peer_openstack import IMAGE, NETWORK, OpenStackPeer
from peer_trouble import Spoilt
from recorded_answers import recorded, reply

from arvnodeman.cloud.base import CloudDriver
from arvnodeman.cloud.registry import make_driver
from arvnodeman.config import ConfigError
from arvnodeman.fleet.values.model import CloudNode, Directive, ErrorKind, OperatorDirective, RemoteError, RemoteFailure


@pytest.fixture
def peer(tmp_path: Path) -> Iterator[OpenStackPeer]:
    with OpenStackPeer(tmp_path) as peer:
        yield peer


def failure(act: Callable[[], object]) -> RemoteError:
    with pytest.raises(RemoteFailure) as caught:
        act()
    return caught.value.error


def create(peer: OpenStackPeer, driver: CloudDriver | None = None, token: str = "token-1") -> CloudNode:
    return (driver or peer.driver()).create_node(peer.size, peer.record(), token, peer.ping_url())


def post(peer: OpenStackPeer, **options: str) -> dict[str, Any]:
    """The server of a create request with these options of [Cloud Create]."""
    create(peer, peer.driver(create=options))
    server: dict[str, Any] = peer.posts[-1]["server"]
    return server


# ---- create ----------------------------------------------------------------------------------------------------------


def test_a_new_server_is_what_the_options_say(peer: OpenStackPeer) -> None:
    server = post(
        peer,
        networks=f"net1, {IMAGE}",
        ex_security_groups="nodes, ssh",
        ex_keyname="root",
        ex_availability_zone="nova",
    )
    assert server.pop("user_data")
    assert server == {
        "name": "compute-000000000000001-zzzzz",
        "flavorRef": "4",
        "imageRef": IMAGE,
        "networks": [{"uuid": NETWORK}, {"uuid": IMAGE}],
        "security_groups": [{"name": "nodes"}, {"name": "ssh"}],
        "key_name": "root",
        "availability_zone": "nova",
        "metadata": {
            "arvados_node_manager": "zzzzz",
            "arvados_node_size": "small",
            "arvados_node_token": "token-1",
            "hostname": "compute1.zzzzz.example.com",
        },
    }


def test_names_are_looked_up_once(peer: OpenStackPeer) -> None:
    image = recorded("openstack_v1_1/_images_v2.json")["images"][-1]
    driver = peer.driver(create={"image": "arvados"})
    for number in (1, 2):
        driver.create_node(peer.size, peer.record(number), f"token-{number}", peer.ping_url(number))
    assert [each["server"]["imageRef"] for each in peer.posts] == [image["id"]] * 2
    looked = [path for _, path in peer.log if path.endswith(("/v2/images", "/v2.0/networks"))]
    assert len(looked) == 2


def test_a_name_that_two_images_have_is_refused(peer: OpenStackPeer, monkeypatch: pytest.MonkeyPatch) -> None:
    image = recorded("openstack_v1_1/_images_v2.json")["images"][0]
    twice = {"images": [image, {**image, "id": "other"}], "next": None}
    inner = peer.answer
    monkeypatch.setattr(
        peer, "answer", lambda request, body: reply(twice) if request.path == "/v2/images" else inner(request, body)
    )
    told = failure(lambda: create(peer, peer.driver(create={"image": image["name"]})))
    assert (told.kind, told.hint) == (ErrorKind.REFUSED, "[Cloud Create] image")
    assert told.text == f"2 are named {image['name']!r}"


def script_of(peer: OpenStackPeer, folder: Path) -> str:
    text = base64.b64decode(post(peer)["user_data"]).decode()
    text = text.replace("/var/tmp/arv-node-data", str(folder / "data"))
    return text.replace("/sys/class/dmi/id/product_uuid", str(folder / "product_uuid"))


@pytest.mark.parametrize("metadata_service", [True, False])
def test_the_script_learns_the_servers_own_id(peer: OpenStackPeer, tmp_path: Path, metadata_service: bool) -> None:
    """Rows B4, I2: nobody knows it before the server exists. It comes from the metadata service, else the firmware."""
    own = "ec53630b-e4fb-442a-a748-c376f5c4345b"
    (tmp_path / "product_uuid").write_text(own.upper() + "\n" if not metadata_service else "wrong\n")
    answer = f'{{"random_seed": "x", "uuid": "{own}", "keys": [{{"name": "uuid"}}], "project_id": "p"}}'
    curl = tmp_path / "curl"
    curl.write_text(f"#!/bin/sh\necho '{answer}'\n" if metadata_service else "#!/bin/sh\nexit 7\n")
    curl.chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    subprocess.run(["sh"], input=script_of(peer, tmp_path).encode(), check=True, timeout=30, env=environment)
    data = tmp_path / "data"
    assert (data / "meta-data/instance-id").read_text() == f"{own}\n"
    assert (data / "meta-data/instance-type").read_text() == "4GB slice\n"
    assert (data / "arv-ping-url").read_text() == peer.ping_url().reveal() + "\n"


def test_user_data_of_the_operator_takes_the_scripts_place(peer: OpenStackPeer, tmp_path: Path) -> None:
    (tmp_path / "template").write_text("#cloud-config\nhostname: {hostname}\n")
    text = base64.b64decode(post(peer, user_data=str(tmp_path / "template"))["user_data"]).decode()
    assert text == "#cloud-config\nhostname: compute1\n"


def test_a_second_request_of_one_boot_makes_no_second_server(peer: OpenStackPeer) -> None:
    """Row D7: the API has no token for that, and names are not unique."""
    first = create(peer)
    assert create(peer).id == first.id
    assert create(peer, token="token-2").id != first.id
    assert len(peer.posts) == 2


def test_a_server_counts_as_made_although_it_cannot_be_shown_yet(peer: OpenStackPeer) -> None:
    create(peer)
    methods = [(method, path.rpartition("/")[2]) for method, path in peer.log]
    assert methods[-1] == ("POST", "servers")


@pytest.mark.parametrize("body", ["", "{}", "[]", '{"server": null}', '{"server": {}}'])
def test_an_answer_without_a_server_is_uncertain(peer: OpenStackPeer, body: str) -> None:
    peer.trouble.spoil(Verb.CREATE, Spoilt(lambda: reply(body, 202)), 1)
    assert failure(lambda: create(peer)).kind is ErrorKind.UNREADABLE


# ---- lists -----------------------------------------------------------------------------------------------------------


def test_pages_without_links_are_read_too(peer: OpenStackPeer) -> None:
    """A list cut at the 1,000 of osapi_max_limit has no end that shows."""
    peer.links, peer.limit = False, 1000
    peer.add(1001)
    assert len(peer.driver().list_nodes()) == 1001


def test_pages_that_do_not_end_are_a_failure(peer: OpenStackPeer) -> None:
    (node_id,) = peer.add(1)
    page = {"servers": [peer.servers[node_id]], "servers_links": [{"rel": "next", "href": "x"}]}
    peer.trouble.spoil(Verb.LIST, Spoilt(lambda: reply(page)), 9)
    assert failure(peer.driver().list_nodes).kind is ErrorKind.TRANSIENT


@pytest.mark.parametrize("page", ["", "null", "[]", "{}", {"servers": None}, {"servers": {}}])
def test_what_is_no_page_is_no_short_list(peer: OpenStackPeer, page: Any) -> None:
    peer.trouble.spoil(Verb.LIST, Spoilt(lambda: reply(page)), 1)
    assert failure(peer.driver().list_nodes).kind is ErrorKind.TRANSIENT


@pytest.mark.parametrize(
    ("status", "listed", "stopped", "broken"),
    [
        ("BUILD", True, False, False),
        ("ACTIVE", True, False, False),
        ("REBOOT", True, False, False),
        ("ERROR", True, False, True),
        ("SHUTOFF", True, True, False),
        ("SUSPENDED", True, True, False),
        ("PAUSED", True, True, False),
        ("SHELVED", True, True, False),
        ("SHELVED_OFFLOADED", True, True, False),
        ("DELETED", False, False, False),
        ("SOFT_DELETED", False, False, False),
        ("DREAMING", True, False, False),
    ],
)
def test_states(peer: OpenStackPeer, status: str, listed: bool, stopped: bool, broken: bool) -> None:
    (node_id,) = peer.add(1)
    peer.servers[node_id]["status"] = status
    seen = [(node.stopped, node.broken) for node in peer.driver().list_nodes()]
    assert seen == ([(stopped, broken)] if listed else [])


def test_a_server_that_could_not_be_built_is_seen(peer: OpenStackPeer) -> None:
    """It has no address, no host and no image; libcloud would lose the whole list."""
    (node_id,) = peer.add(1)
    server = peer.servers[node_id]
    for name in ("addresses", "hostId", "image", "links", "updated", "tenant_id"):
        del server[name]
    server |= {"status": "ERROR", "fault": {"code": 500, "message": "No valid host was found."}}
    (node,) = peer.driver().list_nodes()
    assert (node.id, node.broken, node.address) == (node_id, True, None)
    assert node.fault == "No valid host was found."


@pytest.mark.parametrize("fault", [None, 7, {}, {"message": None}, {"code": 500}])
def test_a_server_in_error_that_does_not_say_why_has_no_fault(peer: OpenStackPeer, fault: object) -> None:
    (node_id,) = peer.add(1)
    peer.servers[node_id] |= {"status": "ERROR", "fault": fault}
    assert [(node.broken, node.fault) for node in peer.driver().list_nodes()] == [(True, "")]


def test_the_words_of_a_fault_are_one_line_and_of_a_broken_server_alone(peer: OpenStackPeer) -> None:
    broken, well = peer.add(2)
    fault = {"code": 500, "message": "no\n" * 500, "created": "2026-11-29T12:00:00Z"}
    peer.servers[broken] |= {"status": "ERROR", "fault": fault}
    peer.servers[well] |= {"fault": fault}
    faults = {node.id: node.fault for node in peer.driver().list_nodes()}
    assert faults[well] == ""
    assert faults[broken].startswith("no no no")
    assert len(faults[broken]) <= 400


@pytest.mark.parametrize("wrong", [{"id": None}, {"addresses": 3}, {"flavor": None}])
def test_a_malformed_server_costs_only_itself(
    peer: OpenStackPeer, caplog: pytest.LogCaptureFixture, wrong: dict[str, object]
) -> None:
    """Row I7."""
    first, second = peer.add(2)
    peer.servers[first] |= wrong
    if wrong.get("id", 3) is None:
        del peer.servers[first]["id"]
    assert [node.id for node in peer.driver().list_nodes()] == [second]
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


@pytest.mark.parametrize("created", [None, "", "yesterday", 7])
def test_a_server_with_a_strange_date_is_listed(peer: OpenStackPeer, created: object) -> None:
    """A node that is not listed is neither counted nor destroyed."""
    (node_id,) = peer.add(1)
    peer.servers[node_id]["created"] = created
    assert [(node.id, node.start_time) for node in peer.driver().list_nodes()] == [(node_id, None)]


def test_the_flavor_is_known_by_its_name_where_its_id_is_not_shown(peer: OpenStackPeer) -> None:
    """From version 2.47 of the API on."""
    (node_id,) = peer.add(1)
    peer.servers[node_id]["flavor"] = {"original_name": "4GB slice", "vcpus": 2, "ram": 4096}
    assert [node.provider_size for node in peer.driver().list_nodes()] == ["4GB slice"]


def test_a_malformed_flavor_costs_only_itself(peer: OpenStackPeer, monkeypatch: pytest.MonkeyPatch) -> None:
    flavors = recorded("openstack_v1_1/_flavors_detail.json")["flavors"]
    count = len(flavors)
    del flavors[0]["ram"], flavors[1]["swap"]
    inner = peer.answer
    monkeypatch.setattr(
        peer,
        "answer",
        lambda request, body: (
            reply({"flavors": flavors}) if request.path.endswith("/flavors/detail") else inner(request, body)
        ),
    )
    assert len(peer.driver().list_sizes()) == count - 1


# ---- cells, identity, tokens ---------------------------------------------------------------------------------------


def test_a_list_that_lacks_what_a_cell_has_is_none(peer: OpenStackPeer) -> None:
    """Nova leaves them out without a word, but for a version that tells, and there where no page is asked for."""
    first, second = peer.add(2)
    driver = peer.driver()
    (one,) = [node for node in driver.list_nodes() if node.id == first]
    peer.away = {first}
    told = failure(driver.list_nodes)
    assert (told.kind, "cannot tell of 1 server" in told.text) == (ErrorKind.TRANSIENT, True)
    assert failure(lambda: driver.fetch_node(one)).kind is ErrorKind.TRANSIENT
    assert failure(lambda: driver.find_node(peer.size, peer.record(), "token-1")).kind is ErrorKind.TRANSIENT
    peer.away = set()
    assert {node.id for node in driver.list_nodes()} == {first, second}


def test_a_cloud_too_old_to_tell_of_cells_is_asked_once(peer: OpenStackPeer) -> None:
    peer.newest = (2, 60)
    peer.add(2)
    driver = peer.driver()
    assert len(driver.list_nodes()) == len(driver.list_nodes()) == 2
    lists = [path for _, path in peer.log if path.endswith("/servers/detail")]
    assert len(lists) == 3


@pytest.mark.parametrize(
    ("forced", "asked"), [("2.60", "compute 2.69"), ("2.90", "compute 2.90"), ("latest", "compute latest")]
)
def test_an_operators_version_of_the_api_stays_where_it_tells_of_cells(
    peer: OpenStackPeer, forced: str, asked: str
) -> None:
    peer.driver(credentials={"ex_force_microversion": forced}).list_nodes()
    assert peer.versions == [asked]


def answered_by_identity(peer: OpenStackPeer, monkeypatch: pytest.MonkeyPatch, body: Any, status: int) -> None:
    inner = peer.answer
    kind = "text/html" if isinstance(body, str) else "application/json"

    def answer(request: Any, given: Any) -> Any:
        if request.path.endswith("/auth/tokens"):
            made = reply(body, status)
            made.content_type = kind
            return made
        return inner(request, given)

    monkeypatch.setattr(peer, "answer", answer)


URL, KEY = "[Cloud Credentials] ex_force_auth_url", "[Cloud Credentials] key"
PAGE_404 = "<!doctype html>\n<html lang=en>\n<title>404 Not Found</title>\n<h1>Not Found</h1>"
APPLICATION = {"error": {"code": 404, "message": "Could not find Application Credential: 5d0e.", "title": "Not Found"}}


@pytest.mark.parametrize(
    ("status", "body", "kind", "hint"),
    [
        (404, APPLICATION, ErrorKind.REFUSED, KEY),
        (404, PAGE_404, ErrorKind.REFUSED, URL),
        (404, {"itemNotFound": {"code": 404, "message": "Instance x could not be found."}}, ErrorKind.REFUSED, URL),
        (405, "", ErrorKind.REFUSED, URL),
        (300, {"versions": []}, ErrorKind.REFUSED, URL),
        (200, "<html>the dashboard</html>", ErrorKind.REFUSED, URL),
        (401, {"error": {"code": 401, "message": "requires authentication"}}, ErrorKind.REFUSED, KEY),
        (500, {"error": {"code": 500, "message": "An unexpected error"}}, ErrorKind.TRANSIENT, ""),
        (503, "<html>away</html>", ErrorKind.TRANSIENT, ""),
        (429, "slower", ErrorKind.THROTTLED, ""),
    ],
)
def test_an_error_of_the_identity_service_says_nothing_of_a_server(
    peer: OpenStackPeer, monkeypatch: pytest.MonkeyPatch, status: int, body: Any, kind: ErrorKind, hint: str
) -> None:
    made = create(peer)
    driver = peer.driver()
    answered_by_identity(peer, monkeypatch, body, status)
    for act in (
        driver.list_nodes,
        lambda: driver.destroy_node(made),
        lambda: driver.sync_fqdn(made, "x.example.com"),
        lambda: create(peer, driver),
    ):
        told = failure(act)
        assert (told.kind, told.hint) == (kind, hint)
        assert "<" not in told.text
    assert made.id in peer.servers


@pytest.mark.parametrize("end", ["", "/", "/v3", "/v3/"])
def test_the_url_may_be_as_openrc_has_it(peer: OpenStackPeer, end: str) -> None:
    driver = peer.driver(credentials={"ex_force_auth_url": f"https://keystone.example.com:5000{end}"})
    assert driver.list_nodes() == ()


def test_a_path_before_the_version_stays(peer: OpenStackPeer) -> None:
    """Where keystone is not at the root."""
    driver = peer.driver(credentials={"ex_force_auth_url": "https://example.com/identity/v3"})
    failure(driver.list_nodes)
    assert peer.log[-1] == ("POST", "/identity/v3/auth/tokens")


def test_a_credential_that_may_not_do_it_is_named_when_a_new_token_is_refused_too(peer: OpenStackPeer) -> None:
    driver = peer.driver()
    driver.list_nodes()
    told = []
    for _ in range(3):
        peer.fail(Verb.CREATE, "token")
        told.append(failure(lambda: create(peer, driver)))
    assert [(each.kind, each.hint) for each in told] == [
        (ErrorKind.TRANSIENT, ""),
        (ErrorKind.REFUSED, KEY),
        (ErrorKind.REFUSED, KEY),
    ]
    create(peer, driver)
    peer.fail(Verb.CREATE, "token")
    assert failure(lambda: create(peer, driver, "token-2")).kind is ErrorKind.TRANSIENT


def test_one_token_serves_all_the_services(peer: OpenStackPeer) -> None:
    create(peer, peer.driver(create={"image": "arvados"}))
    assert [path for _, path in peer.log].count("/v3/auth/tokens") == 1


def test_a_server_is_being_built_until_nova_says_otherwise(peer: OpenStackPeer) -> None:
    made = create(peer)
    assert made.building
    server = peer.servers[made.id]
    for status, vm, building in (("BUILD", "building", True), ("ACTIVE", "active", False), ("ERROR", "error", False)):
        server |= {"status": status, "OS-EXT-STS:vm_state": vm}
        assert [node.building for node in peer.driver().list_nodes()] == [building]


# ---- write, errors ---------------------------------------------------------------------------------------------------


def test_metadata_of_others_stays(peer: OpenStackPeer) -> None:
    made = create(peer)
    metadata = peer.servers[made.id]["metadata"]
    metadata["theirs"] = "kept"
    driver = peer.driver()
    driver.set_directive(made, OperatorDirective(Directive.HOLD, "look"))
    driver.set_directive(made, None)
    driver.set_directive(made, None)
    driver.sync_fqdn(made, "x.example.com")
    assert (metadata["theirs"], metadata["hostname"]) == ("kept", "x.example.com")
    assert "arvados_node_word" not in metadata


def test_answers_are_listened_to_on_the_connection_that_libcloud_makes_later(peer: OpenStackPeer) -> None:
    """The clock of the cloud; and a Retry-After that is neither seconds nor a date (rows A12, A13)."""
    driver = peer.driver()
    driver.list_nodes()
    assert driver.clock_offset is not None
    assert abs(driver.clock_offset) < 120
    for value, wait in (("soon", None), ("7", 7.0)):
        spoilt = Spoilt(lambda value=value: reply({"x": {"message": "no"}}, 429, Retry_After=value))  # type: ignore[misc]
        peer.trouble.spoil(Verb.LIST, spoilt, 1)
        told = failure(driver.list_nodes)
        assert (told.kind, told.retry_after) == (ErrorKind.THROTTLED, wait)


def test_a_token_that_ran_out_before_its_time_is_renewed(peer: OpenStackPeer) -> None:
    driver = peer.driver()
    driver.list_nodes()
    peer.fail(Verb.LIST, "token")
    assert failure(driver.list_nodes).kind is ErrorKind.TRANSIENT
    assert driver.list_nodes() == ()
    assert [path for _, path in peer.log].count("/v3/auth/tokens") == 2


@pytest.mark.parametrize("body", ["[]", "7", '{"x": 7}', "<html>", "null", ""])
def test_an_error_of_any_shape_is_an_error(peer: OpenStackPeer, body: str) -> None:
    peer.trouble.spoil(Verb.LIST, Spoilt(lambda: reply(body, 500)), 1)
    assert failure(peer.driver().list_nodes).kind is ErrorKind.TRANSIENT


# ---- options ---------------------------------------------------------------------------------------------------------


def refused(tmp_path: Path, create: str, **given: str) -> list[str]:
    """What is said to be wrong with the configuration."""
    text = f"[Cloud Create]\nping_host = ping.example.com\n{create}"
    with pytest.raises(ConfigError) as caught:
        make_driver(settings_in(tmp_path, text, provider="openstack", **given))
    return [line.partition(".ini: ")[2] for line in caught.value.problems]


def test_what_is_missing_is_named_at_once(tmp_path: Path) -> None:
    assert refused(tmp_path, "") == [
        "[Cloud Credentials] key: missing; required here",
        "[Cloud Credentials] ex_force_auth_url: missing; required here",
        "[Cloud Create] image: missing; required here",
    ]


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("ex_os_scheduler_hints", "group-1", "no JSON; allowed: {"),
        ("ex_os_scheduler_hints", '["group"]', "no object in JSON"),
        ("ex_blockdevicemappings", '{"a": 1}', "no list in JSON; allowed: ["),
        ("ex_files", "a-file-of-secrets", "no JSON"),
        ("tag_a/b", "x", "not a tag name here; allowed: 1 to 255 ASCII letters"),
        ("tag_häuser", "x", "not a tag name here"),
        ("tag_class", "x" * 256, "256 characters; allowed: at most 255"),
    ],
)
def test_what_nova_would_refuse_of_each_node_is_said_at_start(
    tmp_path: Path, option: str, value: str, says: str
) -> None:
    given = {"key": "a-user", "secret": "a-secret-of-ours", "ex_force_auth_url": "https://k.example.com:5000"}
    (told,) = refused(tmp_path, f"image = x\n{option} = {value}\n", ex_tenant_name="t", **given)
    assert told.startswith(f"[Cloud Create] {option}: {says}")
    assert "a-file-of-secrets" not in told


def test_options_that_are_no_text_are_written_in_json(peer: OpenStackPeer) -> None:
    hints, mappings = {"group": "c2a1"}, [{"boot_index": 0, "uuid": IMAGE, "source_type": "image"}]
    server = post(peer, ex_os_scheduler_hints=json.dumps(hints), ex_blockdevicemappings=json.dumps(mappings))
    assert peer.posts[-1]["os:scheduler_hints"] == hints
    assert server["block_device_mapping_v2"] == mappings


def test_the_password_of_a_server_is_a_secret(peer: OpenStackPeer) -> None:
    peer.trouble.spoil(
        Verb.CREATE, Spoilt(lambda: reply({"badRequest": {"code": 400, "message": "no: open sesame!"}}, 400))
    )
    told = failure(lambda: create(peer, peer.driver(create={"ex_admin_pass": "open sesame!"})))
    assert told.text.endswith("no: ***")


def test_preemptible_sizes_are_refused(tmp_path: Path) -> None:
    (told,) = refused(tmp_path, "image = x\n[Size spot]\ncores = 1\npreemptible = yes\n")
    assert told.startswith("[Size spot] preemptible: the openstack driver has no such nodes")


def test_an_unknown_way_to_sign_in_is_named(peer: OpenStackPeer) -> None:
    told = failure(peer.driver(credentials={"ex_force_auth_version": "9.9"}).list_nodes)
    assert (told.kind, told.hint) == (ErrorKind.REFUSED, "[Cloud Credentials] ex_force_auth_version")


def test_cloud_test_can_look_image_and_network_up(peer: OpenStackPeer, monkeypatch: pytest.MonkeyPatch) -> None:
    image = recorded(f"openstack_v1_1/_images_{IMAGE}.json")
    inner = peer.answer
    monkeypatch.setattr(
        peer,
        "answer",
        lambda request, body: reply(image) if request.path == f"/v2/images/{IMAGE}" else inner(request, body),
    )
    found = {option: look() for option, look in peer.driver().lookups()}
    assert found == {"image": image["name"], "networks": NETWORK}
