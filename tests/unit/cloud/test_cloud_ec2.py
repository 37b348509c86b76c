"""What is EC2's own in its driver, against moto: what a new instance is made of, subnets, filters, odd answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from cloud_peer import Verb
from peer_ec2 import ERRORS, EC2Peer, moto

from arvnodeman.cloud.ec2 import EC2Driver
from arvnodeman.cloud.ec2_setup import LARGEST_VOLUME, Setup
from arvnodeman.config.option import SIZE
from arvnodeman.config.table import find
from arvnodeman.fleet.values.model import CloudNode, ErrorKind, RemoteError, RemoteFailure
from arvnodeman.fleet.values.rungs import Purchase, Rung
from arvnodeman.sandbox.ec2_layer import Ec2Error

CLUSTER_TAG = "arvados:node:manager"
PUBLIC_KEY = (
    "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQCzHPzGSLCzxqzYdvSKkBrsBRBWgcHuXlPmDqWLCoOhJ3+Io2HDZ3vNLrlpBnjGwqVW8+c1"
    "Xpk5Yl0P2d4mRMbLDaFDdPZP4mNSEDKlnP5Zo2bM0ZPbpNZHwlnNKU4Cq6Rlk0GgTHRmmCz3aoYlzEBpLMRJHqmU1mKDwTyWlqXZ1w== me"
)


@pytest.fixture
def peer(tmp_path: Path) -> Iterator[EC2Peer]:
    with EC2Peer(tmp_path) as peer:
        yield peer


def boot(peer: EC2Peer, driver: EC2Driver | None = None, number: int = 1, **size: object) -> CloudNode:
    """A node, by a driver made for it."""
    given = replace(peer.size, **size)  # type: ignore[arg-type]
    driver = driver or made(peer)
    return driver.create_node(given, peer.record(number), f"token-{number}", peer.ping_url(number))


def made(peer: EC2Peer, text: str = "", **create: str) -> EC2Driver:
    """A driver with these options of [Cloud Create]."""
    driver = peer.driver(create=create, text=text)
    assert isinstance(driver, EC2Driver)
    return driver


def request_of(peer: EC2Peer) -> Mapping[str, str]:
    """The one RunInstances that was sent."""
    (request,) = [params for params in peer.seen if params["Action"] == "RunInstances"]
    return request


def failure(act: Callable[[], object]) -> RemoteError:
    with pytest.raises(RemoteFailure) as caught:
        act()
    return caught.value.error


# ---- what a new instance is made of ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scratch", "disk", "size"),
    [
        (0, 0, 0),  # nobody knows or asks
        (10_000, 0, 11),
        (10_999, 0, 11),
        (75_000, 75, 0),  # the type's own disk is enough
        (74_000, 75, 0),
        (75_001, 75, 1),
        (100_000, 75, 26),
        (20_000_000, 0, 20_001),
    ],
)
def test_scratch_that_is_missing_is_a_volume(scratch: float, disk: float, size: int) -> None:
    """Rows G2 and G9: GB = scratch/1000 + 1 - disk, scratch being MB."""
    assert Setup.volume_size(scratch, disk) == size


def test_the_reference_says_that_scratch_is_in_mb() -> None:
    """Row G9."""
    option = find(SIZE, "scratch")
    assert option is not None
    assert option.unit == "MB"


def test_the_scratch_volume(peer: EC2Peer) -> None:
    """Row G2: gp3 at /dev/xvdt, gone with its instance."""
    boot(peer, scratch=100_000.0, disk=75.0)
    (instance,) = moto().live()
    (volume,) = instance.volumes
    assert (volume.device, volume.size, volume.type, volume.deleted_with_instance) == ("/dev/xvdt", 26, "gp3", True)


def test_a_volume_that_is_too_large_is_capped_with_a_warning(peer: EC2Peer, caplog: pytest.LogCaptureFixture) -> None:
    """Row G2."""
    boot(peer, scratch=20_000_000.0)
    assert request_of(peer)["BlockDeviceMapping.1.Ebs.VolumeSize"] == str(LARGEST_VOLUME)
    assert "Requested EBS volume size 20001 is too large, capping size request to 16384 GB" in caplog.text


def test_another_type_of_volume(peer: EC2Peer) -> None:
    boot(peer, made(peer, volume_type="gp2"), scratch=5000.0)
    assert request_of(peer)["BlockDeviceMapping.1.Ebs.VolumeType"] == "gp2"


def test_no_volume_where_nothing_is_missing(peer: EC2Peer) -> None:
    boot(peer, disk=75.0, scratch=75_000.0)
    assert not [name for name in request_of(peer) if name.startswith("BlockDeviceMapping")]


def test_tags_of_instance_and_volume_are_in_the_one_request(peer: EC2Peer) -> None:
    """Rows D12, G4."""
    boot(peer, made(peer, tag_team="blue"), scratch=5000.0)
    assert [params["Action"] for params in peer.seen] == ["RunInstances"]
    tags = {
        "Name": "compute1.zzzzz.example.com",
        "team": "blue",
        CLUSTER_TAG: "zzzzz",
        "arvados_node_size": "small",
        "arvados_node_token": "token-1",
    }
    (instance,) = moto().live()
    assert dict(instance.tags) == tags
    assert [dict(volume.tags) for volume in instance.volumes] == [tags]


def test_type_image_and_name(peer: EC2Peer) -> None:
    node = boot(peer)
    (instance,) = moto().live()
    assert (instance.type, instance.image) == ("m5.large", peer.image)
    assert node.name == node.fqdn == "compute1.zzzzz.example.com"


def test_no_image_is_ever_listed(peer: EC2Peer) -> None:
    """Row G3: listing all public images took all memory. The image is taken by its id."""
    driver = made(peer)
    boot(peer, driver)
    driver.list_nodes()
    assert {params["Action"] for params in peer.seen} == {"RunInstances", "DescribeInstances"}


def test_user_data_is_the_bare_ping_url(peer: EC2Peer) -> None:
    boot(peer)
    (instance,) = moto().live()
    assert instance.user_data == peer.ping_url().reveal()


def test_user_data_from_a_template(peer: EC2Peer, tmp_path: Path) -> None:
    template = tmp_path / "user-data"
    template.write_text("#!/bin/sh\nhostname '{hostname}'\nPING='{ping_url}' # {size} {instance_type} ${{HOME}}\n")
    boot(peer, made(peer, user_data=str(template)))
    (instance,) = moto().live()
    url = peer.ping_url().reveal()
    assert instance.user_data == f"#!/bin/sh\nhostname 'compute1'\nPING='{url}' # small m5.large ${{HOME}}\n"


def test_user_data_that_is_too_long_names_the_option(peer: EC2Peer, tmp_path: Path) -> None:
    template = tmp_path / "user-data"
    template.write_text("x" * 16384 + "{hostname}")
    told = failure(lambda: boot(peer, made(peer, user_data=str(template))))
    assert (told.kind, told.hint) == (ErrorKind.REFUSED, "[Cloud Create] user_data")
    assert peer.seen == []


@pytest.mark.parametrize("imds", ["optional", "required"])
def test_imds(peer: EC2Peer, imds: str) -> None:
    boot(peer, made(peer, imds=imds))
    assert [instance.imds for instance in moto().live()] == [imds]


def test_imds_is_optional_unless_asked_for(peer: EC2Peer) -> None:
    """Images of old fetch their ping URL without a token, whatever the account's default is."""
    boot(peer)
    assert request_of(peer)["MetadataOptions.HttpTokens"] == "optional"


def test_tags_in_the_metadata_are_asked_for_where_that_is_wanted(peer: EC2Peer) -> None:
    boot(peer, made(peer, imds_tags="yes"))
    assert request_of(peer)["MetadataOptions.InstanceMetadataTags"] == "enabled"
    peer.seen.clear()
    boot(peer, number=2)
    assert "MetadataOptions.InstanceMetadataTags" not in request_of(peer)


def test_leases_are_renewed_by_one_request_and_one_that_is_gone_costs_the_others_nothing(peer: EC2Peer) -> None:
    driver = made(peer, imds_tags="yes")
    ids = [boot(peer, driver, number).id for number in (1, 2, 3)]
    peer.seen.clear()
    driver.renew_leases(ids, "16")
    assert [params["Action"] for params in peer.seen] == ["CreateTags"]
    driver.renew_leases([ids[0], "i-0123456789abcdef0", *ids[1:]], "17")
    assert [instance.tags["arvados_node_lease"] for instance in moto().live()] == ["17"] * 3


def test_an_instance_that_halts_itself_is_terminated(peer: EC2Peer) -> None:
    boot(peer)
    assert [instance.shutdown for instance in moto().live()] == ["terminate"]


def test_spot(peer: EC2Peer) -> None:
    """Row G5: a spot request, and the size tag is a tag."""
    node = boot(peer, made(peer, ex_spot_max_price="0.05"), id="spot", preemptible=True)
    assert node.preemptible
    assert request_of(peer)["InstanceMarketOptions.MarketType"] == "spot"
    assert request_of(peer)["InstanceMarketOptions.SpotOptions.MaxPrice"] == "0.05"
    (instance,) = moto().live()
    assert (instance.spot, instance.tags["arvados_node_size"]) == (True, "spot")


def test_spot_without_its_role_names_what_to_look_at(peer: EC2Peer) -> None:
    """Row G10."""
    peer.fail(Verb.CREATE, "AuthFailure.ServiceLinkedRoleCreationNotPermitted")
    told = failure(lambda: boot(peer, preemptible=True))
    assert (told.kind, told.hint) == (ErrorKind.REFUSED, "[Size NAME] preemptible")


@pytest.mark.parametrize(
    ("profile", "name"),
    [
        ("compute-role", "IamInstanceProfile.Name"),
        ("arn:aws:iam::123456789012:instance-profile/x", "IamInstanceProfile.Arn"),
        ("arn:aws-us-gov:iam::123456789012:instance-profile/x", "IamInstanceProfile.Arn"),  # row G7
        ("arn:aws-cn:iam::123456789012:instance-profile/x", "IamInstanceProfile.Arn"),
    ],
)
def test_the_instance_profile(peer: EC2Peer, profile: str, name: str) -> None:
    """Row G6: by name or ARN, of any partition."""
    peer.refuse = lambda params: Ec2Error("Unavailable", "later", 503)
    failure(lambda: boot(peer, made(peer, ex_iamprofile=profile)))
    sent = {key: value for key, value in request_of(peer).items() if key.startswith("IamInstanceProfile")}
    assert sent == {name: profile}


@pytest.mark.parametrize("with_subnet", [True, False])
def test_security_groups_go_by_id(peer: EC2Peer, with_subnet: bool) -> None:
    """Row G8. libcloud takes ids only together with a subnet."""
    group = moto().security_groups()[0]
    subnet = {"subnet_id": moto().subnets()[0]} if with_subnet else {}
    boot(peer, made(peer, security_groups=f"{group}, ", **subnet))
    assert request_of(peer)["SecurityGroupId.1"] == group
    assert not [name for name in request_of(peer) if name.startswith("SecurityGroup.")]


@pytest.mark.parametrize(("word", "public"), [("yes", True), ("no", False), ("False", False), ("on", True)])
def test_yes_and_no_in_options_of_libcloud(peer: EC2Peer, word: str, public: bool) -> None:
    """`no` is a text like any other, which libcloud would take for yes."""
    boot(peer, made(peer, ex_assign_public_ip=word, subnet_id=moto().subnets()[0], security_groups=""))
    assert ("NetworkInterface.1.AssociatePublicIpAddress" in request_of(peer)) is public


def test_a_key_pair_by_name(peer: EC2Peer) -> None:
    moto().add_key_pair("mine")
    boot(peer, made(peer, ex_keyname="mine"))
    assert request_of(peer)["KeyName"] == "mine"


def test_a_public_key_is_imported_once(peer: EC2Peer, tmp_path: Path) -> None:
    key = tmp_path / "key.pub"
    key.write_text(PUBLIC_KEY + "\n")
    for number in (1, 2):
        boot(peer, made(peer, ssh_key=str(key)), number)
    assert moto().key_pairs() == [request["KeyName"] for request in peer.seen if "ClientToken" in request][:1]
    actions = [params["Action"] for params in peer.seen]
    assert actions == ["DescribeKeyPairs", "ImportKeyPair", "RunInstances", "RunInstances"]


# ---- one instance for one boot ---------------------------------------------------------------------------------------


def test_the_client_token_names_record_and_boot(peer: EC2Peer) -> None:
    """At most 64 characters of ASCII, whatever the boot's token is; of two clusters of one account never the same."""
    driver = made(peer)
    odd = "tökén " * 40
    driver.create_node(peer.size, peer.record(), odd, peer.ping_url())
    driver.create_node(peer.size, peer.record(), odd, peer.ping_url())
    driver.create_node(peer.size, replace(peer.record(), uuid="yyyyy-7ekkf-000000000000001"), odd, peer.ping_url())
    tokens = [params["ClientToken"] for params in peer.seen]
    assert tokens[0] == tokens[1] != tokens[2]
    assert all(token.isascii() and len(token) <= 64 for token in tokens)
    assert len(moto().live()) == 2


def test_an_instance_that_is_gone_is_no_answer(peer: EC2Peer) -> None:
    """A repeated request is answered with the instance that was made, whatever became of it: this boot is over."""
    node = boot(peer)
    moto().terminate(node.id)
    told = failure(lambda: boot(peer))
    assert told.kind is ErrorKind.CAPACITY
    assert node.id in told.text


def test_a_size_that_changed_meanwhile_is_no_second_instance(peer: EC2Peer) -> None:
    boot(peer)
    told = failure(lambda: boot(peer, provider_id="m5.xlarge"))
    assert told.kind is ErrorKind.REFUSED
    assert "idempotent" in told.text
    assert len(moto().live()) == 1


# ---- zones and purchases ---------------------------------------------------------------------------------------------


def at(peer: EC2Peer, *, number: int = 1, driver: EC2Driver | None = None, **rung: str) -> CloudNode:
    """A node at a rung."""
    bought = Purchase(rung.pop("purchase", Purchase.ON_DEMAND))
    size = peer.size.at(Rung(purchase=bought, **rung))  # type: ignore[arg-type]
    driver = driver or made(peer)
    return driver.create_node(size, peer.record(number), f"token-{number}", peer.ping_url(number))


def test_a_rung_names_the_subnet(peer: EC2Peer) -> None:
    first, second = moto().subnets()[:2]
    group = moto().security_groups()[0]
    at(peer, zone=second, driver=made(peer, subnet_id=f"{first}, {second}", security_groups=group))
    assert request_of(peer)["SubnetId"] == second
    assert request_of(peer)["SecurityGroupId.1"] == group
    assert "Placement.AvailabilityZone" not in request_of(peer)


def test_a_rung_names_the_availability_zone(peer: EC2Peer) -> None:
    node = at(peer, zone="us-east-1b")
    assert request_of(peer)["Placement.AvailabilityZone"] == "us-east-1b"
    assert "SubnetId" not in request_of(peer)
    assert [instance.zone for instance in moto().live()] == ["us-east-1b"]
    assert node.rung == "us-east-1b/on-demand"


def test_a_purchase_without_a_zone_is_made_in_the_one_subnet(peer: EC2Peer) -> None:
    (subnet,) = moto().subnets()[:1]
    node = at(peer, purchase="spot", driver=made(peer, subnet_id=subnet))
    assert (node.rung, node.preemptible) == ("/spot", True)
    assert request_of(peer)["SubnetId"] == subnet
    assert request_of(peer)["InstanceMarketOptions.MarketType"] == "spot"


@pytest.mark.parametrize(
    ("reservation", "told"),
    [
        ("cr-0123", "CapacityReservationId"),
        ("arn:aws:resource-groups:us-east-1:1:group/x", "CapacityReservationResourceGroupArn"),
    ],
)
def test_a_reservation_is_the_target(peer: EC2Peer, reservation: str, told: str) -> None:
    node = at(peer, zone="us-east-1a", purchase="reserved", reservation=reservation)
    target = "CapacityReservationSpecification.CapacityReservationTarget."
    assert request_of(peer)[f"{target}{told}"] == reservation
    assert "InstanceMarketOptions.MarketType" not in request_of(peer)
    assert node.rung == f"us-east-1a/reserved/{reservation}"


def test_two_rungs_are_two_requests_and_one_rung_is_one(peer: EC2Peer) -> None:
    """The same client token at another rung would be refused, or answered with the node of the first."""
    first, second = at(peer, zone="us-east-1a"), at(peer, zone="us-east-1a")
    spot = at(peer, zone="us-east-1a", purchase="spot")
    assert first.id == second.id != spot.id


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("InsufficientInstanceCapacity", ErrorKind.CAPACITY),
        ("InsufficientFreeAddressesInSubnet", ErrorKind.CAPACITY),
        ("Unsupported", ErrorKind.CAPACITY),
        ("VcpuLimitExceeded", ErrorKind.QUOTA),
        ("RequestLimitExceeded", ErrorKind.THROTTLED),
        ("UnauthorizedOperation", ErrorKind.REFUSED),
        ("Unavailable", ErrorKind.TRANSIENT),
    ],
)
def test_what_a_rung_lacks_is_told_at_once(peer: EC2Peer, code: str, kind: ErrorKind) -> None:
    """A subnet without addresses is full: that is no quota, which would stop all sizes. One request: the Fleet says
    where the next goes."""
    first, second = moto().subnets()[:2]
    peer.refuse = lambda params: ERRORS[code] if params["Action"] == "RunInstances" else None
    assert failure(lambda: at(peer, zone=first, driver=made(peer, subnet_id=f"{first},{second}"))).kind is kind
    assert len([params for params in peer.seen if params["Action"] == "RunInstances"]) == 1


def test_a_subnet_without_addresses_is_a_quota_where_there_is_no_other(peer: EC2Peer) -> None:
    peer.refuse = lambda params: ERRORS["InsufficientFreeAddressesInSubnet"] if "SubnetId" in params else None
    told = failure(lambda: boot(peer, made(peer, subnet_id=moto().subnets()[0])))
    assert told.kind is ErrorKind.QUOTA


def test_a_boot_goes_on_where_its_answer_was_lost(peer: EC2Peer) -> None:
    peer.lose_answer(Verb.CREATE)
    told = failure(lambda: at(peer, zone=moto().subnets()[1], driver=hurried(peer, {})))
    assert told.kind is ErrorKind.TRANSIENT
    peer.wait_until_it_worked()
    (first,) = moto().live()
    assert at(peer, zone=moto().subnets()[1]).id == first.id
    assert len(moto().live()) == 1


def hurried(peer: EC2Peer, create: Mapping[str, str]) -> EC2Driver:
    driver = peer.driver(create=create, timeout=0.5)
    assert isinstance(driver, EC2Driver)
    return driver


# ---- clouds that speak another language ------------------------------------------------------------------------------

SHORT = "http://ec2.amazonaws.com/doc/2016-11-15"  # moto's own, without the slash at its end


@pytest.mark.parametrize("language", [SHORT, "http://ec2.amazonaws.com/doc/2010-08-31/", ""])
def test_a_list_in_another_language_is_a_failure_and_not_an_empty_one(peer: EC2Peer, language: str) -> None:
    """libcloud finds nothing in it: seven instances were made for one job, and none was ever seen."""
    peer.add(2)
    named = f' xmlns="{language}"' if language else ""
    page = f"<DescribeInstancesResponse{named}><reservationSet/></DescribeInstancesResponse>"
    peer.answer_with(Verb.LIST, 200, page)
    driver = made(peer)
    known = failure(driver.list_nodes)
    assert known.kind is ErrorKind.TRANSIENT
    assert (
        f"DescribeInstances was answered in the language {language or 'of nobody'}, and not in that of EC2"
        in known.text
    )
    assert len(driver.list_nodes()) == 2


def test_a_create_that_is_answered_in_another_language_may_have_worked(peer: EC2Peer) -> None:
    instance = "<item><instanceId>i-1</instanceId><instanceState><name>pending</name></instanceState></item>"
    body = f"<instancesSet>{instance}</instancesSet>"
    peer.answer_with(Verb.CREATE, 200, f'<RunInstancesResponse xmlns="{SHORT}">{body}</RunInstancesResponse>')
    known = failure(lambda: boot(peer))
    assert known.kind is ErrorKind.UNREADABLE
    assert "may have made a node: RunInstances was answered in the language" in known.text


def test_a_create_that_is_answered_with_no_instance_may_have_worked(peer: EC2Peer) -> None:
    language = f"{SHORT}/"
    peer.answer_with(Verb.CREATE, 200, f'<RunInstancesResponse xmlns="{language}"><a/></RunInstancesResponse>')
    known = failure(lambda: boot(peer))
    assert known.kind is ErrorKind.UNREADABLE
    assert known.text.endswith("it names no node: []")
