"""What the conformance suite asks of every driver, once more on a real nova and keystone."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path

import pytest
from openstack_project import GONE, PING_SECRET, REFUSED, SIZE, TRANSIENT, Site, failure, until
from openstack_stage import stage

from arvnodeman.fleet.values.model import ErrorKind, NodeRecord, RemoteFailure
from arvnodeman.sandbox.openstack_lab import PASSWORD, OpenStack

RECORD = NodeRecord("zzzzz-7ekkf-000000000000077", hostname="compute77", domain="zzzzz.example.com")


@pytest.fixture(scope="module")
def there() -> Iterator[OpenStack]:
    with stage() as there:
        there.knob("quota", instances=-1, cores=-1, ram=-1)
        yield there


@pytest.fixture
def site(there: OpenStack, tmp_path: Path) -> Site:
    return Site(there, tmp_path)


def boot(site: Site, name: str, metadata: dict[str, str]) -> str:
    """A server that is not by the driver; its id."""
    flavors = {size.name: size.id for size in site.driver().list_sizes()}
    server = {"name": name, "imageRef": site.there.image, "flavorRef": flavors["m1.tiny"], "metadata": metadata}
    return site.there.boot(site.project, {**server, "networks": [{"uuid": site.there.network}]})


def test_servers_without_our_tags_are_not_ours(site: Site) -> None:
    boot(site, "nobody's", {})
    boot(site, "other", {"arvados_node_manager": "other", "arvados_node_size": "small"})
    made = site.create()
    assert [node.id for node in site.driver().list_nodes()] == [made.id]
    assert len(site.there.servers(site.project)) == 3


def test_a_new_server_is_listed_with_its_tags_while_it_is_built(site: Site) -> None:
    driver = site.driver()
    site.there.knob("builds", go_on=False)
    try:
        made = site.create(driver)
        (node,) = driver.list_nodes()
    finally:
        site.there.knob("builds", go_on=True)
    assert (node.id, node.token, node.size_tag, node.building) == (made.id, made.token, "small", True)
    assert node.provider_size == "m1.tiny"
    (server,) = site.there.servers(site.project)
    assert node.start_time is not None
    assert PING_SECRET in site.there.user_data(server["id"])


def test_a_server_that_was_stopped_is_shown_so_and_one_that_was_deleted_is_not(site: Site) -> None:
    driver = site.driver()
    stopped, deleted = site.built(driver), site.create(driver)
    site.there.act(stopped.id, "os-stop")
    until(lambda: [node.id for node in driver.list_nodes() if node.stopped] == [stopped.id])
    site.there.destroy(deleted.id)
    until(lambda: [node.id for node in driver.list_nodes()] == [stopped.id])


def test_a_create_whose_answer_is_lost_made_a_server_that_is_found(site: Site) -> None:
    """A proxy before nova has given up: the next attempt of the same boot makes no second one."""
    driver = site.driver()
    site.there.knob("spoil", how="lost", seconds=0)
    told = failure(lambda: driver.create_node(SIZE, RECORD, "token-77", site.ping))
    assert told.kind is TRANSIENT
    found = driver.find_node(SIZE, RECORD, "token-77")
    assert found is not None
    again = driver.create_node(SIZE, RECORD, "token-77", site.ping)
    other = driver.create_node(SIZE, RECORD, "token-78", site.ping)
    assert (again.id, other.id != found.id) == (found.id, True)
    assert {each["id"] for each in site.there.servers(site.project)} == {found.id, other.id}


@pytest.mark.long
def test_a_create_that_is_throttled_is_told_and_made_nothing(site: Site) -> None:
    driver = site.driver()
    site.there.knob("spoil", how="throttled", seconds=7)
    told = failure(lambda: driver.create_node(SIZE, RECORD, "token-77", site.ping))
    assert (told.kind, told.retry_after) == (ErrorKind.THROTTLED, 7)
    assert driver.find_node(SIZE, RECORD, "token-77") is None
    assert site.there.servers(site.project) == []


@pytest.mark.long
def test_deleted_twice(site: Site) -> None:
    driver = site.driver()
    node = site.built(driver)
    driver.destroy_node(node)
    with contextlib.suppress(RemoteFailure):  # nova answers 204 for as long as it deletes, then 404
        driver.destroy_node(node)
    until(lambda: not site.there.servers(site.project))
    assert failure(lambda: driver.destroy_node(node)).kind is GONE


def test_a_token_that_was_revoked_costs_one_request(site: Site) -> None:
    driver = site.driver()
    assert driver.list_nodes() == ()
    token = driver._driver.connection.auth_token  # type: ignore[attr-defined]
    site.there.revoke(token)
    assert failure(driver.list_nodes).kind is TRANSIENT
    assert driver.list_nodes() == ()
    assert driver._driver.connection.auth_token != token  # type: ignore[attr-defined]


@pytest.mark.long
def test_a_token_at_its_end_is_fetched_anew_without_an_error(site: Site) -> None:
    """Keystone's tokens last an hour: what libcloud remembers of the end is put into the past."""
    driver = site.driver()
    driver.list_nodes()
    auth = driver._driver.connection.get_auth_class()  # type: ignore[attr-defined]
    old, auth.auth_token_expires = auth.auth_token, auth.auth_token_expires.replace(year=2020)
    assert driver.list_nodes() == ()
    assert auth.auth_token != old


@pytest.mark.long
def test_a_user_whose_password_was_changed_is_named(site: Site) -> None:
    driver = site.driver({"secret": f"{PASSWORD}-old"})
    told = failure(driver.list_nodes)
    assert (told.kind, told.hint) == (REFUSED, "[Cloud Credentials] key")
    assert f"{PASSWORD}-old" not in f"{told}"


@pytest.mark.long
def test_nodes_outlive_a_restart_of_novas_compute_service(site: Site) -> None:
    driver = site.driver()
    node = site.built(driver)
    site.there.knob("restart")
    assert [each.id for each in driver.list_nodes()] == [node.id]
    driver.destroy_node(node)
    until(lambda: not site.there.servers(site.project))


def test_drivers_of_several_threads_make_a_server_each(site: Site) -> None:
    problems: list[Exception] = []

    def work() -> None:
        try:
            site.create()
        except Exception as error:  # noqa: BLE001 (whatever it is, the test shows it)
            problems.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert problems == []
    assert len(site.driver().list_nodes()) == len(site.there.servers(site.project)) == 4


# ---- addresses -------------------------------------------------------------------------------------------------------

PRIVATE, STORAGE, BOTH, TURNED = "private", "storage", "private, storage", "storage, private"
ON_PRIVATE, ON_STORAGE, SIX = (
    ip_network("192.168.1.0/24"),
    ip_network("10.20.0.0/24"),
    ip_network("fd37:44e8:ad06::/64"),
)


def ids(site: Site, names: str) -> str:
    """The networks' ids, as the option takes them."""
    known = {PRIVATE: site.there.network, STORAGE: site.there.storage}
    return ", ".join(known[name] for name in names.split(", "))


@pytest.mark.parametrize(
    ("networks", "family", "where"),
    [
        (PRIVATE, "any", ON_PRIVATE),
        pytest.param(STORAGE, "any", ON_STORAGE, marks=pytest.mark.long),
        pytest.param(BOTH, "any", ON_PRIVATE, marks=pytest.mark.long),
        pytest.param(TURNED, "any", ON_STORAGE, marks=pytest.mark.long),
        pytest.param(BOTH, "ipv4", ON_PRIVATE, marks=pytest.mark.long),
        (TURNED, "ipv6", SIX),  # the second network is the only one with IPv6
    ],
)
def test_the_address_is_of_the_first_network_that_has_the_family(
    site: Site, networks: str, family: str, where: IPv4Network | IPv6Network
) -> None:
    node = site.built(site.driver(create={"networks": ids(site, networks)}, cloud={"address_family": family}))
    assert ip_address(node.address or "0.0.0.0") in where
    assert node.no_address == ""
    (server,) = site.there.servers(site.project)
    assert len(server["addresses"]) == len(networks.split(","))


@pytest.mark.long
def test_a_node_without_an_address_of_the_family_says_which_it_has(site: Site) -> None:
    node = site.built(site.driver(create={"networks": ids(site, STORAGE)}, cloud={"address_family": "ipv6"}))
    (server,) = site.there.servers(site.project)
    (shown,) = server["addresses"]["storage"]
    assert node.address is None
    assert node.no_address == f"no IPv6 address of it ([Cloud] address_family), only {shown['addr']}"
