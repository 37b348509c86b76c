"""Our libcloud classes on libcloud's own mock classes, unchanged: what they see must be what libcloud's own see.

The mocks are for one thread: requests_mock patches requests process-wide.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from libcloud.common.types import MalformedResponseError
from libcloud.compute.base import NodeAuthPassword, NodeLocation, NodeSize
from libcloud.compute.drivers.azure_arm import AzureImage, AzureNodeDriver
from libcloud.compute.drivers.gce import GCENodeDriver
from libcloud.compute.drivers.openstack import OpenStack_2_NodeDriver
from recorded_answers import module_of_libcloud

from arvnodeman.cloud.azure_libcloud import AzureNodes
from arvnodeman.cloud.gce_libcloud import GCENodes
from arvnodeman.cloud.openstack_libcloud import OpenStackNodes


def seen(nodes: list[Any]) -> list[tuple[Any, ...]]:
    return [(str(node.id), node.name, node.state, list(node.public_ips), list(node.private_ips)) for node in nodes]


def sizes_of(sizes: list[Any]) -> list[tuple[Any, ...]]:
    return [(str(size.id), size.name, size.ram, size.disk, size.price) for size in sizes]


def with_mock(nodes: type[Any], mock: type[Any], *names: str) -> type[Any]:
    """A class of nodes whose connections are a mock."""
    parts = {name: type(name, (getattr(nodes, name),), {"conn_class": mock}) for name in names}
    return type("Nodes", (nodes,), parts)


# ---- GCE -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def gce(monkeypatch: pytest.MonkeyPatch) -> Callable[[type[Any]], Any]:
    test = module_of_libcloud("compute.test_gce")
    google = module_of_libcloud("common.test_google")

    def token(_self: object) -> dict[str, str]:
        return {"access_token": "recorded", "expire_time": "2999-01-01T00:00:00Z"}

    monkeypatch.setattr("libcloud.common.google.GoogleOAuth2Credential._get_token_from_file", token)
    monkeypatch.setattr("libcloud.common.google.GoogleBaseAuthConnection.conn_class", google.GoogleAuthMockHttp)

    def made(nodes: type[Any]) -> Any:
        test.GCEMockHttp.type = None
        mocked = with_mock(nodes, test.GCEMockHttp, "connectionCls")
        key = {"auth_type": "IA", "credential_file": __file__}
        driver = mocked(
            "x@developer.gserviceaccount.com", "x", project="project_name", datacenter="us-central1-a", **key
        )
        driver.connection.poll_interval = 0
        return driver

    return made


def test_gce_nodes(gce: Callable[[type[Any]], Any]) -> None:
    ours = gce(GCENodes).list_nodes()
    assert len(ours) > 0
    assert seen(ours) == seen(gce(GCENodeDriver).list_nodes())


def test_gce_nodes_of_all_zones(gce: Callable[[type[Any]], Any]) -> None:
    ours = gce(GCENodes).list_nodes(ex_zone="all")
    assert len(ours) > 1
    assert seen(ours) == seen(gce(GCENodeDriver).list_nodes(ex_zone="all"))
    assert [node.extra["zone"].name for node in ours] == [
        node.extra["zone"].name for node in gce(GCENodeDriver).list_nodes(ex_zone="all")
    ]


def test_gce_sizes(gce: Callable[[type[Any]], Any]) -> None:
    ours = sizes_of(gce(GCENodes).list_sizes())
    assert len(ours) > 1
    assert ours == sizes_of(gce(GCENodeDriver).list_sizes())


def test_gce_create_write_and_destroy(gce: Callable[[type[Any]], Any]) -> None:
    """With the look-ups that libcloud does for names."""
    driver = gce(GCENodes)
    node = driver.create_node("node-name", "n1-standard-1", "debian-7", ex_metadata={"a": "b"}, external_ip=None)
    assert seen([node]) == seen([gce(GCENodeDriver).ex_get_node("node-name")])
    assert driver.destroy_node(node)


def test_gce_errors_are_those_of_the_recorded_answers(gce: Callable[[type[Any]], Any]) -> None:
    with pytest.raises(Exception, match="Could not find image"):
        gce(GCENodes).ex_get_image("foo", ex_project_list=["project_name"])


# ---- Azure -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def azure() -> Callable[[type[Any]], Any]:
    test = module_of_libcloud("compute.test_azure_arm")
    tests = test.AzureNodeDriverTests

    def made(nodes: type[Any], kind: str | None = None) -> Any:
        test.AzureMockHttp.type = kind
        test.AzureMockHttp.responses = []
        mocked = with_mock(nodes, test.AzureMockHttp, "connectionCls")
        given = (tests.TENANT_ID, tests.SUBSCRIPTION_ID, tests.APPLICATION_ID, tests.APPLICATION_PASS)
        return mocked(*given, region="eastus")

    return made


def test_azure_nodes_of_both_pages(azure: Callable[..., Any]) -> None:
    ours = azure(AzureNodes).list_nodes()
    theirs = azure(AzureNodeDriver).list_nodes(ex_fetch_nic=False, ex_fetch_power_state=False)
    assert len(ours) == 2
    assert [node.id for node in ours] == [node.id for node in theirs]
    assert [node.extra for node in ours] == [node.extra for node in theirs]


def test_azure_pages_that_do_not_end(azure: Callable[..., Any]) -> None:
    """libcloud answers a short list after five minutes."""
    with pytest.raises(MalformedResponseError):
        azure(AzureNodes, "PAGINATION_INFINITE_LOOP").list_nodes()


def test_azure_sizes(azure: Callable[..., Any]) -> None:
    ours = sizes_of(azure(AzureNodes).list_sizes())
    assert len(ours) > 1
    assert ours == sizes_of(azure(AzureNodeDriver).list_sizes())


def test_azure_create_and_destroy(azure: Callable[..., Any]) -> None:
    driver = azure(AzureNodes)
    node = driver.create_node(
        "test-node-1",
        NodeSize("any_size", "", 0, 0, 0, 0, driver=driver),
        AzureImage("1", "1", "ubuntu", "pub", "eastus", driver),
        NodeAuthPassword("any_password"),
        location=NodeLocation("any_location", "", "", driver),
        ex_resource_group="000000",
        ex_network="000000",
        ex_customdata=b"#!/bin/sh\n",
        ex_use_managed_disks=True,
        ex_os_disk_delete=True,
    )
    assert node.extra["properties"]["osProfile"]["customData"] == "IyEvYmluL3NoCg=="
    assert driver.destroy_node(node)


# ---- OpenStack -------------------------------------------------------------------------------------------------------


@pytest.fixture
def openstack() -> Callable[[type[Any]], Any]:
    test = module_of_libcloud("compute.test_openstack")

    def made(nodes: type[Any]) -> Any:
        test.OpenStackMockHttp.type = None
        test.OpenStack_2_0_MockHttp.type = None
        names = ("connectionCls", "image_connectionCls", "network_connectionCls")
        mocked = with_mock(nodes, test.OpenStack_2_0_MockHttp, *names)
        return mocked(
            "user",
            "key",
            ex_force_auth_url="https://auth.api.example.com",
            ex_force_auth_version="2.0",
            ex_tenant_name="tenant",
            ex_force_base_url="https://test_endpoint.com/v2/1337",
        )

    return made


def test_openstack_nodes(openstack: Callable[[type[Any]], Any]) -> None:
    ours = openstack(OpenStackNodes).list_nodes()
    assert len(ours) == 2
    assert seen(ours) == seen(openstack(OpenStack_2_NodeDriver).list_nodes())


def test_openstack_sizes(openstack: Callable[[type[Any]], Any]) -> None:
    ours = sizes_of(openstack(OpenStackNodes).list_sizes())
    assert len(ours) > 1
    assert ours == sizes_of(openstack(OpenStack_2_NodeDriver).list_sizes())


def test_openstack_create_and_destroy(openstack: Callable[[type[Any]], Any]) -> None:
    driver = openstack(OpenStackNodes)
    size, image = driver.list_sizes()[0], driver.list_images()[0]
    node = driver.create_node("racktest", size, image)
    theirs = openstack(OpenStack_2_NodeDriver).create_node(name="racktest", size=size, image=image)
    assert (str(node.id), node.name) == (str(theirs.id), theirs.name)
    assert driver.destroy_node(driver.list_nodes()[0])
