"""EC2's lists, and an operator's mistakes with EC2, against moto."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cloud_peer import Verb
from libcloud.compute.drivers.ec2 import EC2NodeDriver
from peer_ec2 import KEY, SECRET, EC2Peer, moto
from peer_trouble import Spoilt
from werkzeug.wrappers import Response

from arvnodeman.cloud.ec2 import EC2Driver
from arvnodeman.config import ConfigError
from arvnodeman.fleet.values.model import CloudNode, ErrorKind, RemoteError, RemoteFailure
from arvnodeman.sandbox.ec2_layer import Ec2Error

NAMESPACE = "http://ec2.amazonaws.com/doc/2016-11-15/"
TAGS = {"arvados:node:manager": "zzzzz", "arvados_node_size": "small"}


@pytest.fixture
def peer(tmp_path: Path) -> Iterator[EC2Peer]:
    with EC2Peer(tmp_path) as peer:
        yield peer


def made(peer: EC2Peer, text: str = "", **create: str) -> EC2Driver:
    """A driver with these options of [Cloud Create], and more of the file."""
    driver = peer.driver(create=create, text=text)
    assert isinstance(driver, EC2Driver)
    return driver


def failure(act: Callable[[], object]) -> RemoteError:
    with pytest.raises(RemoteFailure) as caught:
        act()
    return caught.value.error


def filters(peer: EC2Peer) -> dict[str, tuple[str, ...]]:
    """The filters of the last list."""
    params = peer.seen[-1]
    numbers = [name.split(".")[1] for name in params if name.startswith("Filter.") and name.endswith(".Name")]
    return {
        params[f"Filter.{number}.Name"]: tuple(
            value for name, value in params.items() if name.startswith(f"Filter.{number}.Value.")
        )
        for number in numbers
    }


# ---- filters ---------------------------------------------------------------------------------------------------------


def test_every_name_in_cloud_list_is_a_filter_and_tags_are_put_on_new_nodes(peer: EC2Peer) -> None:
    """The names of old configuration files: an underscore stands for a colon, which an ini file cannot have."""
    text = "\n[Cloud List]\ntag_arvados-class = dynamic\ninstance-type = m5.large, m5.xlarge\nvpc-id = vpc-1\n"
    driver = made(peer, text)
    assert driver.list_nodes() == ()
    assert filters(peer) == {
        "tag:arvados-class": ("dynamic",),
        "instance-type": ("m5.large", "m5.xlarge"),
        "vpc-id": ("vpc-1",),
        "instance-state-name": ("pending", "running", "stopping", "stopped"),
    }
    driver.create_node(peer.size, peer.record(), "token-1", peer.ping_url())
    assert [instance.tags["arvados-class"] for instance in moto().live()] == ["dynamic"]


def test_a_filter_of_states_hides_nothing_that_is_paid_for(peer: EC2Peer) -> None:
    """A new instance that the list hides would be taken for vanished, and a stopped one would leak."""
    made(peer, "\n[Cloud List]\ninstance-state-name = running\ntag_x = y\n").list_nodes()
    assert filters(peer)["instance-state-name"] == ("running", "pending", "stopping", "stopped")


def test_without_a_tag_our_size_tag_tells(peer: EC2Peer) -> None:
    moto().add_instances(1, "m5.large", {"arvados:node:manager": "zzzzz"})
    (ours,) = moto().add_instances(1, "m5.large", {"arvados_node_size": "small"})
    driver = made(peer, "\n[Cloud List]\n")
    assert [node.id for node in driver.list_nodes()] == [ours]
    assert filters(peer)["tag-key"] == ("arvados_node_size",)


def test_one_request_lists_a_page(peer: EC2Peer) -> None:
    """libcloud's own list asks for the elastic addresses too, each time."""
    peer.add(3)
    made(peer).list_nodes()
    assert [params["Action"] for params in peer.seen] == ["DescribeInstances"]


def test_pages_as_large_as_there_are(peer: EC2Peer) -> None:
    peer.add(peer.page * 2 + 1)
    assert len(made(peer).list_nodes()) == peer.page * 2 + 1
    assert [params["MaxResults"] for params in peer.seen] == ["1000"] * 3


# ---- odd answers -----------------------------------------------------------------------------------------------------


def page(items: str, token: str = "") -> Response:
    """An answer to DescribeInstances."""
    text = (
        f'<DescribeInstancesResponse xmlns="{NAMESPACE}"><reservationSet><item><instancesSet>{items}</instancesSet>'
        f"</item></reservationSet><nextToken>{token}</nextToken></DescribeInstancesResponse>"
    )
    return Response(text, content_type="text/xml")


def item(instance: str, state: str = "running", launched: str = "2024-03-01T12:00:00.000Z", more: str = "") -> str:
    """An instance of ours in it."""
    tags = "".join(f"<item><key>{key}</key><value>{value}</value></item>" for key, value in TAGS.items())
    return (
        f"<item><instanceId>{instance}</instanceId><instanceState><code>16</code><name>{state}</name></instanceState>"
        f"<instanceType>m5.large</instanceType><launchTime>{launched}</launchTime><tagSet>{tags}</tagSet>{more}</item>"
    )


def listed(peer: EC2Peer, *pages: Response) -> tuple[CloudNode, ...]:
    for each in pages:
        peer.trouble.spoil(Verb.LIST, Spoilt(lambda each=each: each))  # type: ignore[misc]  # bound now
    return made(peer).list_nodes()


def test_a_malformed_instance_costs_only_itself(peer: EC2Peer, caplog: pytest.LogCaptureFixture) -> None:
    odd = item("i-2", more="<amiLaunchIndex>many</amiLaunchIndex>")
    nodes = listed(peer, page(item("i-1") + odd + item("i-3", launched="yesterday") + item("i-4")))
    assert {"i-1", "i-4"} <= {node.id for node in nodes}
    assert "i-2" not in {node.id for node in nodes}
    assert "i-2" in caplog.text


def test_states(peer: EC2Peer) -> None:
    states = ("pending", "running", "stopping", "stopped", "shutting-down", "terminated", "dreaming")
    nodes = listed(peer, page("".join(item(f"i-{state}", state) for state in states)))
    assert {node.id.removeprefix("i-"): node.stopped for node in nodes} == {
        "pending": False,
        "running": False,
        "stopping": True,
        "stopped": True,
        "dreaming": False,
    }


def test_launch_time_is_utc(peer: EC2Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    (node,) = listed(peer, page(item("i-1")))
    assert node.start_time == 1709294400.0


def test_a_node_without_the_tag_name_has_no_fqdn(peer: EC2Peer) -> None:
    (node,) = listed(peer, page(item("i-1")))
    assert (node.id, node.name, node.fqdn) == ("i-1", "i-1", None)


def test_pages_without_an_end_are_a_failure_and_not_a_short_list(peer: EC2Peer) -> None:
    told = failure(lambda: listed(peer, page(item("i-1"), "again"), page(item("i-2"), "again")))
    assert told.kind is ErrorKind.TRANSIENT
    assert "no end" in told.text


@pytest.mark.parametrize("body", ["", "<html>bad gateway</html>", "<html", '{"a": 1}'])
@pytest.mark.parametrize("status", [502, 503])
def test_an_error_that_is_no_xml_of_ec2(peer: EC2Peer, body: str, status: int) -> None:
    assert failure(lambda: listed(peer, Response(body, status))).kind is ErrorKind.TRANSIENT


@pytest.mark.parametrize("body", ["<html", '{"a": 1}'])
def test_an_answer_that_is_no_xml_is_no_empty_list(peer: EC2Peer, body: str) -> None:
    assert failure(lambda: listed(peer, Response(body, 200))).kind is ErrorKind.TRANSIENT


# ---- sizes -----------------------------------------------------------------------------------------------------------


def test_sizes_of_the_region(peer: EC2Peer) -> None:
    """Row G2's other half: cores are a text in libcloud's table; a price of 0 is none."""
    sizes = {size.id: size for size in made(peer).list_sizes()}
    assert len(sizes) > 500
    assert (sizes["m5.large"].cores, sizes["m5.large"].ram, sizes["m5d.large"].disk) == (2, 8192, 75)
    assert all(size.price is None or size.price > 0 for size in sizes.values())
    assert [params["Action"] for params in peer.seen] == ["DescribeInstanceTypes"]  # s1 of [Size small] is no type


NEW = "\n[Size new]\ncores = 96\ninstance_type = x99.large\nprice = 1\n"


def test_a_type_that_libcloud_does_not_know_yet_is_asked_for(peer: EC2Peer) -> None:
    text = (
        f'<DescribeInstanceTypesResponse xmlns="{NAMESPACE}"><instanceTypeSet><item>'
        "<instanceType>x99.large</instanceType><vCpuInfo><defaultVCpus>96</defaultVCpus></vCpuInfo><memoryInfo><sizeInMiB>393216</sizeInMiB></memoryInfo>"
        "<instanceStorageInfo><totalSizeInGB>900</totalSizeInGB></instanceStorageInfo></item></instanceTypeSet>"
        "</DescribeInstanceTypesResponse>"
    )
    driver = made(peer, NEW)
    wsgi, peer.trouble._wsgi = peer.trouble._wsgi, Response(text, content_type="text/xml")
    sizes = {size.id: size for size in driver.list_sizes()}
    peer.trouble._wsgi = wsgi
    assert (sizes["x99.large"].cores, sizes["x99.large"].ram, sizes["x99.large"].disk) == (96, 393216, 900)
    assert sizes["x99.large"].price is None
    assert "m5.large" in sizes


def test_a_type_that_nobody_knows_is_not_there(peer: EC2Peer) -> None:
    assert "x99.large" not in {size.id for size in made(peer, NEW).list_sizes()}


def test_an_account_that_may_not_ask_for_types_keeps_the_table(peer: EC2Peer, caplog: pytest.LogCaptureFixture) -> None:
    peer.refuse = lambda _params: Ec2Error("UnauthorizedOperation", "You are not authorized", 403)
    assert len(made(peer, NEW).list_sizes()) > 500
    assert "x99.large" in caplog.text


# ---- an operator's mistakes ------------------------------------------------------------------------------------------


def problem(act: Callable[[], object]) -> str:
    """The one line of a configuration that cannot be used."""
    with pytest.raises(ConfigError) as caught:
        act()
    (line,) = caught.value.problems
    assert "\n" not in line
    assert SECRET not in line
    return line


def test_nothing_but_an_image_is_required(peer: EC2Peer) -> None:
    """Row J3: an optional option that is absent is not an error."""
    node = made(peer).create_node(peer.size, peer.record(), "t", peer.ping_url())
    assert [instance.id for instance in moto().live()] == [node.id]


class OtherNodes(EC2NodeDriver):  # type: ignore[misc]  # libcloud has no types
    """A class that `driver_class` can name."""


def test_driver_class_replaces_the_libcloud_class(peer: EC2Peer) -> None:
    """And is spoken to by POST all the same."""
    driver = peer.driver(credentials={"driver_class": f"{__name__}.OtherNodes"})
    assert isinstance(driver, EC2Driver)
    assert isinstance(driver._driver, OtherNodes)
    assert driver.list_nodes() == ()


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("eu-central-1", "ec2.eu-central-1.amazonaws.com"),
        ("us-gov-west-1", "ec2.us-gov-west-1.amazonaws.com"),
        ("cn-north-1", "ec2.cn-north-1.amazonaws.com.cn"),
    ],
)
def test_a_region_has_its_own_address(peer: EC2Peer, region: str, host: str) -> None:
    """Row G7. Without `host` and `secure`, as operators write it."""
    driver = peer.driver(credentials={"region": region, "host": "", "port": "", "secure": ""})
    connection = driver._driver.connection  # type: ignore[attr-defined]  # libcloud's
    assert (connection.host, connection.port, connection.secure) == (host, 443, 1)


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("eu-central-2", "ec2.eu-central-2.amazonaws.com"),
        ("us-gov-east-1", "ec2.us-gov-east-1.amazonaws.com"),
        ("ap-southeast-5", "ec2.ap-southeast-5.amazonaws.com"),
        ("mx-central-1", "ec2.mx-central-1.amazonaws.com"),
        ("xx-northwest-12", "ec2.xx-northwest-12.amazonaws.com"),
        ("cn-west-9", "ec2.cn-west-9.amazonaws.com.cn"),
        ("eusc-de-east-1", "ec2.eusc-de-east-1.amazonaws.eu"),
        ("us-isob-east-1", "ec2.us-isob-east-1.sc2s.sgov.gov"),
    ],
)
def test_a_region_that_the_library_does_not_know_has_its_address_by_rule(peer: EC2Peer, region: str, host: str) -> None:
    """Row G7: the library's table is older than the newest regions, and was taken for the world's."""
    driver = peer.driver(credentials={"region": region, "host": "", "port": "", "secure": ""})
    inside = driver._driver  # type: ignore[attr-defined]  # libcloud's
    assert (inside.connection.host, inside.connection.port, inside.connection.secure) == (host, 443, 1)
    assert inside.region_name == region


@pytest.mark.parametrize(
    ("given", "signed"),
    [
        ({"region": "eu-central-2"}, "eu-central-2"),
        ({"region": "eu-west-1"}, "eu-west-1"),
        ({"region": "RegionOne"}, "RegionOne"),
        ({"region": ""}, "us-east-1"),
    ],
)
def test_requests_to_a_host_are_signed_for_the_region_that_is_given(
    peer: EC2Peer, given: dict[str, str], signed: str
) -> None:
    driver = peer.driver(credentials=given)
    inside = driver._driver  # type: ignore[attr-defined]  # libcloud's
    assert inside.connection.host == "127.0.0.1"
    assert inside.region_name == signed
    headers = inside.connection.signer.get_request_headers(params={}, headers={}, method="POST", path="/", data="")[1]
    assert f"/{signed}/ec2/aws4_request" in headers["Authorization"]


@pytest.mark.parametrize(
    ("host", "region"),
    [
        ("ec2.eu-central-2.amazonaws.com", "eu-central-2"),
        ("vpce-0a1b-2c3d.ec2.eu-west-1.vpce.amazonaws.com", "eu-west-1"),
        ("ec2.ap-south-2.api.aws", "ap-south-2"),
        ("ec2.cn-north-1.amazonaws.com.cn", "cn-north-1"),
        ("cloud.example.com", "us-east-1"),
    ],
)
def test_a_host_of_aws_names_its_region(peer: EC2Peer, host: str, region: str) -> None:
    """Else a VPC endpoint without `region` would be signed for us-east-1, and refused."""
    driver = peer.driver(credentials={"host": host, "region": ""})
    assert driver._driver.region_name == region  # type: ignore[attr-defined]  # libcloud's


def test_in_a_region_that_the_library_does_not_know_ec2_is_asked_for_the_types(peer: EC2Peer) -> None:
    text = "\n[Size m5.large]\ncores = 2\nprice = 1\n"
    driver = peer.driver(credentials={"region": "eu-central-2"}, text=text)
    (size,) = driver.list_sizes()
    assert (size.id, size.cores, size.ram) == ("m5.large", 2, 8192)
    assert size.price is not None  # in another region
    assert size.price > 0


def test_where_ec2_has_none_of_the_types_it_has_failed_to_list_them(peer: EC2Peer) -> None:
    assert failure(peer.driver(credentials={"region": "eu-central-2"}).list_sizes).kind is ErrorKind.TRANSIENT


def test_a_region_that_is_misspelt_names_the_nearest(peer: EC2Peer) -> None:
    line = problem(lambda: peer.driver(credentials={"region": "eu-cental-1", "host": ""}))
    assert line.endswith("[Cloud Credentials] region: there is no 'eu-cental-1'; the nearest is eu-central-1")


@pytest.mark.parametrize("name", ["key", "secret"])
def test_a_credential_that_is_missing(peer: EC2Peer, name: str) -> None:
    assert f"[Cloud Credentials] {name}: missing" in problem(lambda: peer.driver(credentials={name: ""}))


def test_a_credential_that_no_header_can_hold(peer: EC2Peer) -> None:
    assert "[Cloud Credentials] key: " in problem(lambda: peer.driver(credentials={"key": KEY + "é"}))


def test_no_image(peer: EC2Peer) -> None:
    assert "[Cloud Create] image_id: missing" in problem(lambda: made(peer, image_id=""))


@pytest.mark.parametrize("text", ["", "nonsense", "-----BEGIN OPENSSH PRIVATE KEY-----\nxx\n"])
def test_an_ssh_key_that_is_none(peer: EC2Peer, tmp_path: Path, text: str) -> None:
    path = tmp_path / "key.pub"
    path.write_text(text)
    assert "[Cloud Create] ssh_key: " in problem(lambda: made(peer, ssh_key=str(path)))


def test_an_ssh_key_that_is_not_there(peer: EC2Peer, tmp_path: Path) -> None:
    assert "cannot read" in problem(lambda: made(peer, ssh_key=str(tmp_path / "none.pub")))


def test_ssh_key_and_key_pair_exclude_each_other(peer: EC2Peer, tmp_path: Path) -> None:
    (tmp_path / "key.pub").write_text("ssh-ed25519 AAAA me")
    line = problem(lambda: made(peer, ssh_key=str(tmp_path / "key.pub"), ex_keyname="mine"))
    assert "[Cloud Create] ssh_key: excludes ex_keyname" in line


def test_a_template_with_an_unknown_name(peer: EC2Peer, tmp_path: Path) -> None:
    (tmp_path / "user-data").write_text("echo {hostnam}")
    line = problem(lambda: made(peer, user_data=str(tmp_path / "user-data")))
    assert "[Cloud Create] user_data: there is no {hostnam}; known names: ping_url, hostname," in line


@pytest.mark.parametrize("name", ["ex_clienttoken", "ex_metadata", "location", "no_such_thing"])
def test_an_option_that_only_the_driver_sets_or_nobody_knows(peer: EC2Peer, name: str) -> None:
    assert f"[Cloud Create] {name}: this cloud has no such option" in problem(lambda: made(peer, **{name: "x"}))


def test_a_word_that_is_neither_yes_nor_no(peer: EC2Peer) -> None:
    line = problem(lambda: made(peer, ex_assign_public_ip="perhaps"))
    assert line.endswith("[Cloud Create] ex_assign_public_ip: 'perhaps' is neither yes nor no; allowed: yes or no")


def test_a_quota_of_nothing(peer: EC2Peer) -> None:
    peer.account.quota = 0
    told = failure(lambda: made(peer).create_node(peer.size, peer.record(), "t", peer.ping_url()))
    assert told.kind is ErrorKind.QUOTA
    assert told.text.startswith("InstanceLimitExceeded: ")


def test_what_can_be_looked_up(peer: EC2Peer) -> None:
    """For cloud-test: each option with what was found, or the option to look at."""
    driver = made(peer, subnet_id=", ".join(moto().subnets()[:2]), security_groups="sg-0123456789abcdef0")
    (image, look_at_image), (subnets, look_at_subnets), (groups, look_at_groups) = driver.lookups()
    assert (image, subnets, groups) == ("image_id", "subnet_id", "security_groups")
    assert look_at_image() == peer.image
    assert look_at_subnets() == ", ".join(moto().subnets()[:2])
    told = failure(look_at_groups)
    assert (told.kind, told.hint) == (ErrorKind.REFUSED, "[Cloud Create] security_groups")
    assert "sg-0123456789abcdef0" in told.text
