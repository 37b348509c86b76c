"""The openstack driver on a real nova and a real keystone: what they answer is what the unit tests' peer is held to.

arvnodeman/sandbox/openstack_nova.py tells what is real of them. Each test has a project of its own.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from brain_at_cloud import brain_at
from openstack_project import (
    GONE,
    HOLD,
    KEY,
    LONGEST,
    PING,
    PING_SECRET,
    QUOTA,
    REFUSED,
    SIZE,
    TRANSIENT,
    URL,
    Site,
    failure,
    numbers,
    until,
)
from openstack_stage import stage
from world import jobs

from arvnodeman.cloud.base import CloudDriver
from arvnodeman.fleet.values.model import (
    NodeRecord,
    Secret,
)
from arvnodeman.fleet.values.rungs import Rung
from arvnodeman.sandbox.openstack_lab import IMAGE, NETWORK, PASSWORD, USER, OpenStack


@pytest.fixture(scope="module")
def there() -> Iterator[OpenStack]:
    with stage() as there:
        yield there


@pytest.fixture
def site(there: OpenStack, tmp_path: Path) -> Site:
    return Site(there, tmp_path)


# ---- a node's life ---------------------------------------------------------------------------------------------------


def test_a_nodes_life(site: Site) -> None:
    driver = site.driver()
    assert driver.list_nodes() == ()
    assert {size.name for size in driver.list_sizes()} >= {"m1.tiny", "m1.small"}
    made = site.create(driver)
    assert made.building
    node = until(lambda: next((each for each in driver.list_nodes() if not each.building), None))
    assert (node.id, node.name, node.token, node.size_tag) == (made.id, made.name, made.token, "small")
    assert (node.provider_size, node.broken, node.stopped) == ("m1.tiny", False, False)
    driver.set_directive(node, HOLD)
    driver.sync_fqdn(node, "compute9.zzzzz.example.com")
    seen = driver.fetch_node(node)
    assert seen is not None
    assert (seen.directive, seen.fqdn) == (HOLD, "compute9.zzzzz.example.com")
    driver.set_directive(node, None)
    driver.destroy_node(node)
    until(lambda: driver.fetch_node(node) is None)
    until(lambda: not site.there.servers(site.project))
    for act in (
        lambda: driver.destroy_node(node),
        lambda: driver.sync_fqdn(node, "x"),
        lambda: driver.set_directive(node, HOLD),
    ):
        told = failure(act)
        assert (told.kind, "could not be found" in told.text) == (GONE, True)


def test_a_project_with_more_servers_than_a_page(site: Site) -> None:
    """The pages of the lab are of four; the first is asked for without a length."""
    site.there.knob("quota", instances=-1, cores=-1, ram=-1)
    driver = site.driver()
    made = {site.create(driver).id for _ in range(5)}
    assert {node.id for node in driver.list_nodes()} == made


@pytest.mark.long
def test_a_word_to_a_server_that_is_being_built_waits(site: Site) -> None:
    driver = site.driver()
    site.there.knob("builds", go_on=False)
    try:
        made = site.create(driver)
        told = failure(lambda: driver.set_directive(made, HOLD))
    finally:
        site.there.knob("builds", go_on=True)
    assert (told.kind, told.hint) == (TRANSIENT, "")
    assert "Cannot 'update metadata' instance" in told.text
    assert "while it is in vm_state building" in told.text
    until(lambda: not any(node.building for node in driver.list_nodes()))
    driver.set_directive(made, HOLD)


def test_a_server_that_no_host_takes_is_told_in_novas_words(site: Site) -> None:
    site.there.knob("quota", instances=-1, cores=-1, ram=-1)
    giant = site.there.flavor(f"giant-{next(numbers)}", 100_000)
    driver = site.driver()
    site.create(driver, replace(SIZE, provider_id=giant))
    node = until(lambda: next((each for each in driver.list_nodes() if each.broken), None))
    assert node.fault.startswith("No valid host was found.")
    assert not node.building
    told = failure(lambda: driver.set_directive(node, HOLD))
    assert told.kind is REFUSED  # it does not pass
    driver.destroy_node(node)


def test_cloud_test_ends_well(site: Site) -> None:
    ended = cloud_test(site.config())
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "all well" in ended.stdout
    assert site.there.servers(site.project) == []


@pytest.mark.long
def test_cloud_test_ends_with_novas_words(site: Site) -> None:
    site.there.knob("quota", instances=-1, cores=-1, ram=-1)
    giant = f"giant-{next(numbers)}"
    site.there.flavor(giant, 100_000)
    path = site.config()
    path.write_text(path.read_text().replace("m1.tiny", giant))
    ended = cloud_test(path)
    assert ended.returncode == 1
    (line,) = [line for line in ended.stdout.splitlines() if "FAILED" in line]
    assert "the cloud calls it failed: No valid host was found." in line
    assert site.there.servers(site.project) == []


def cloud_test(config: Path) -> subprocess.CompletedProcess[str]:
    arguments = [sys.executable, "-m", "arvnodeman", "cloud-test", "--config", str(config)]
    return subprocess.run(arguments, capture_output=True, text=True, timeout=3 * LONGEST, check=False)


# ---- gone, and what is not -------------------------------------------------------------------------------------------


def test_a_credential_that_was_taken_away_lets_no_server_be_forgotten(site: Site) -> None:
    """Keystone answers 404, as for a thing that does not exist."""
    given = site.credential()
    driver = site.driver(given)
    node = site.built(driver)
    site.there.withdraw(given["key"], site.project)
    errors = [failure(lambda: driver.destroy_node(node)) for _ in range(3)]
    errors.append(failure(driver.list_nodes))
    errors.append(failure(lambda: driver.sync_fqdn(node, "x.example.com")))
    assert all(each.kind in (TRANSIENT, REFUSED) for each in errors)
    assert (errors[-1].kind, errors[-1].hint) == (REFUSED, KEY)
    assert "Could not find Application Credential" in errors[-1].text
    assert [server["status"] for server in site.there.servers(site.project)] == ["ACTIVE"]


@pytest.mark.long
@pytest.mark.parametrize("end", ["/v3", "/v3/", "/"])
def test_the_url_of_openrc_will_do(site: Site, end: str) -> None:
    assert site.driver({"ex_force_auth_url": f"{site.there.keystone}{end}"}).list_nodes() == ()


@pytest.mark.parametrize("where", ["keystone", "nova"])
def test_a_wrong_url_is_named_and_says_nothing_of_a_server(site: Site, where: str) -> None:
    node = site.built()
    wrong = {"keystone": f"{site.there.keystone}/identity", "nova": site.there.nova}[where]
    driver = site.driver({"ex_force_auth_url": wrong})
    for act in (driver.list_nodes, lambda: driver.destroy_node(node), lambda: driver.sync_fqdn(node, "x")):
        told = failure(act)
        assert (told.kind, told.hint) == (REFUSED, URL)
        assert "<" not in told.text
    assert len(site.there.servers(site.project)) == 1


@pytest.mark.long
def test_a_wrong_path_to_nova_says_nothing_of_a_server(site: Site) -> None:
    """Nova itself answers 404 for a path that it does not have."""
    node = site.built()
    token = site.there._signed_in(USER, PASSWORD, {"id": site.project})
    base = f"{site.there.nova}/v2.1/nowhere"
    driver = site.driver({"ex_force_base_url": base, "ex_force_auth_token": token})
    assert failure(lambda: driver.destroy_node(node)).kind is not GONE


@pytest.mark.long
def test_a_credential_that_may_not_create_is_named(site: Site) -> None:
    """Nova answers 401 to each create, with a token made a moment ago."""
    rules = [
        {"service": "compute", "method": "GET", "path": f"/v2.1/{path}"}
        for path in ("servers/detail", "flavors/detail")
    ]
    driver = site.driver(site.credential(rules))
    assert driver.list_nodes() == ()
    assert failure(lambda: site.create(driver)).kind is TRANSIENT
    told = failure(lambda: site.create(driver))
    assert (told.kind, told.hint) == (REFUSED, KEY)


def test_a_list_without_the_servers_of_a_cell_that_is_away_is_none(site: Site) -> None:
    driver = site.driver()
    node = site.built(driver)
    site.there.knob("cells", away=True)
    try:
        errors = [failure(driver.list_nodes), failure(lambda: driver.fetch_node(node))]
    finally:
        site.there.knob("cells", away=False)
    assert [(each.kind, each.text) for each in errors] == [
        (TRANSIENT, "the cloud cannot tell of 1 server(s): a part of it is away")
    ] * 2
    assert [each.id for each in driver.list_nodes()] == [node.id]


# ---- errors, in nova's words -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("credentials", "create", "hint", "words"),
    [
        ({"secret": "wrong-wrong-wrong"}, {}, KEY, ""),
        ({"ex_tenant_name": "nobody"}, {}, KEY, ""),
        ({"ex_force_service_region": "Nowhere"}, {}, "[Cloud Credentials] ex_force_service_region", ""),
        (
            {"ex_force_microversion": "9.99"},
            {},
            "[Cloud Credentials] ex_force_microversion",
            "Version 9.99 is not supported by the API. Minimum is 2.1 and maximum is 2.104.",
        ),
        (
            {"ex_force_microversion": "2.37"},
            {"networks": ""},
            "[Cloud Create] networks",
            "Invalid input for field/attribute server: 'networks' is a required property",
        ),
        ({}, {"networks": IMAGE}, "[Cloud Create] networks", f"Network {IMAGE} could not be found."),
        ({}, {"image": NETWORK}, "[Cloud Create] image", "Can not find requested image"),
        ({}, {"ex_keyname": "nobody"}, "[Cloud Create] ex_keyname", "Invalid key_name provided."),
        (
            {},
            {"ex_availability_zone": "nowhere"},
            "[Cloud Create] ex_availability_zone",
            "The requested availability zone is not available",
        ),
        (
            {},
            {"ex_availability_zone": "nova:host"},
            KEY,
            "Policy doesn't allow os_compute_api:servers:create:forced_host to be performed.",
        ),
        (
            {},
            {"ex_os_scheduler_hints": '{"group": "nobody"}'},
            "[Cloud Create] ex_os_scheduler_hints",
            "",
        ),
    ],
)
def test_a_mistake_names_its_option(
    site: Site, credentials: dict[str, str], create: dict[str, str], hint: str, words: str
) -> None:
    told = failure(lambda: site.create(site.driver(credentials, create)))
    assert (told.kind, told.hint) == (REFUSED, hint), told
    assert told.text.endswith(words)
    assert site.there.servers(site.project) == []


@pytest.mark.long
def test_an_unknown_flavor_names_its_option(site: Site) -> None:
    told = failure(lambda: site.create(size=replace(SIZE, provider_id="nobody")))
    assert (told.kind, told.hint) == (REFUSED, "[Size NAME] instance_type")
    assert told.text.endswith("Flavor nobody could not be found.")


def test_quotas(site: Site) -> None:
    site.there.knob("quota", instances=0)
    try:
        told = failure(site.create)
    finally:
        site.there.knob("quota", instances=-1)
    assert told.kind is QUOTA
    assert "Quota exceeded for instances: Requested 1, but already used 0 of 0 instances" in told.text


@pytest.mark.long
def test_more_metadata_than_nova_takes_is_no_quota_that_passes(site: Site) -> None:
    site.there.knob("quota", metadata_items=2)
    try:
        told = failure(site.create)
    finally:
        site.there.knob("quota", metadata_items=128)
    assert (told.kind, told.hint) == (REFUSED, "[Cloud Create] tag_NAME")
    assert told.text.endswith("Maximum number of metadata items exceeds 2")


def test_a_locked_server_is_not_destroyed(site: Site) -> None:
    driver = site.driver()
    node = site.built(driver)
    site.there.act(node.id, "lock")
    told = failure(lambda: driver.destroy_node(node))
    assert told.kind is REFUSED
    assert told.text.endswith("is locked")


# ---- user data -------------------------------------------------------------------------------------------------------


def test_a_byte_more_of_user_data_than_nova_takes_shows_nothing_of_it(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Nova repeats the value that it refuses, twice."""
    template = site.folder / "user-data"
    room = 49_149 - len(f"# {PING.reveal()}\n")
    create = {"user_data": str(template)}
    template.write_text("# {ping_url}\n" + "x" * room)
    site.create(site.driver(create=create))
    template.write_text("# {ping_url}\n" + "x" * (room + 1))
    told = failure(lambda: site.create(site.driver(create=create)))
    assert (told.kind, told.hint) == (REFUSED, "[Cloud Create] user_data")
    driver = site.driver(create=create)
    monkeypatch.setattr(driver._startup, "_largest", None)  # type: ignore[attr-defined]  # as if we did not know
    told = failure(lambda: site.create(driver))
    assert (told.kind, told.hint) == (REFUSED, "[Cloud Create] user_data")
    assert told.text == "400 Bad Request Invalid input for field/attribute user_data: is too long"
    assert PING_SECRET not in caplog.text
    assert len(site.there.servers(site.project)) == 1


@pytest.mark.long
def test_a_request_that_is_too_long_altogether_is_told_in_words(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    template = site.folder / "user-data"
    template.write_text("x" * 40_000)
    driver = site.driver(create={"user_data": str(template)})
    monkeypatch.setattr(driver._startup, "_largest", None)  # type: ignore[attr-defined]
    monkeypatch.setattr(driver._startup._template, "text", "x" * 200_000)  # type: ignore[attr-defined]
    told = failure(lambda: site.create(driver))
    assert (told.kind, told.hint) == (REFUSED, "[Cloud Create] user_data")
    assert "Request is too large" in told.text
    assert "{" not in told.text


@pytest.mark.long
def test_tags_of_which_we_say_that_nova_takes_them_are_taken(site: Site) -> None:
    tag = "a-b_1. z" + "k" * 247
    node = site.create(site.driver(create={f"tag_{tag}": "v" * 255}))
    (server,) = site.there.servers(site.project)
    assert server["id"] == node.id
    assert "v" * 255 in server["metadata"].values()


# ---- zones -----------------------------------------------------------------------------------------------------------


class AtNova:
    """A site as brain_at() wants it."""

    size = SIZE

    def __init__(self, site: Site) -> None:
        self.site = site

    def driver(self, *, create: Mapping[str, str] | None = None) -> CloudDriver:
        """With these options."""
        return self.site.driver(create=dict(create or {}))

    def record(self, number: int) -> NodeRecord:
        """A record."""
        return NodeRecord(f"zzzzz-7ekkf-{number:015d}", hostname=f"compute{number}", domain="zzzzz.example.com")

    def ping_url(self, _number: int) -> Secret:
        """Its ping URL."""
        return PING


@pytest.fixture(scope="module")
def full_zone(there: OpenStack) -> str:
    """A zone in which nothing has room."""
    there.full_zone("west")
    return "west"


def zones_of(site: Site) -> list[str]:
    """Where the servers of its project are."""
    return [str(each["OS-EXT-AZ:availability_zone"]) for each in site.there.servers(site.project)]


def test_a_node_is_made_in_the_zone_that_is_asked_for(site: Site) -> None:
    driver = site.driver(create={"zones": "nova"})
    made = site.create(driver, SIZE.at(Rung("nova", price=0.5)))
    until(lambda: next((each for each in driver.list_nodes() if not each.building), None))
    (node,) = driver.list_nodes()
    assert (node.id, node.rung, node.tagged_price) == (made.id, "nova/on-demand", 0.5)
    assert zones_of(site) == ["nova"]


@pytest.mark.long
def test_a_zone_that_there_is_not_is_refused_with_its_option(site: Site) -> None:
    error = failure(lambda: site.create(site.driver(create={"zones": "east"}), SIZE.at(Rung("east"))))
    assert (error.kind, error.text) == (REFUSED, "400 Bad Request The requested availability zone is not available")


def test_a_full_zone_is_passed_over_for_the_next(site: Site, full_zone: str) -> None:
    """Nova takes the request, and tells by a server in ERROR: it goes, and the next zone is asked."""
    brain = brain_at(AtNova(site), full_zone, "nova")
    brain.begin(*jobs(1))
    brain.obey()
    assert brain.asked_at() == [full_zone]
    until(lambda: any(node.failed for node in brain.driver.list_nodes()))
    for _ in range(3):
        brain.cycle(every=1.0)
        brain.obey()
    assert brain.asked_at() == [full_zone, "nova"]
    assert brain.fleet.view.counters["boots_failed_capacity"] == 1
    until(lambda: zones_of(site) == ["nova"])


@pytest.mark.long
def test_a_zone_whose_hosts_are_disabled_is_refused_and_the_next_is_asked_at_once(site: Site, full_zone: str) -> None:
    """For nova there is no such zone then."""
    site.there.enable(f"{full_zone}-1", enabled=False)
    try:
        brain = brain_at(AtNova(site), full_zone, "nova")
        brain.begin(*jobs(1))
        brain.obey()
    finally:
        site.there.enable(f"{full_zone}-1", enabled=True)
    assert brain.asked_at() == [full_zone, "nova"]
    assert any("The requested availability zone is not available" in line for line in brain.log())
    until(lambda: zones_of(site) == ["nova"])
