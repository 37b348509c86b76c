"""What [Cloud Create] says of a new EC2 node, checked when a driver is made; and how it is looked up at EC2."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from libcloud.compute.drivers.ec2 import NAMESPACE
from libcloud.utils.publickey import get_pubkey_comment, get_pubkey_ssh2_fingerprint
from libcloud.utils.xml import findall

from arvnodeman.cloud.ec2_requests import describe
from arvnodeman.cloud.operator_options import public_key, words
from arvnodeman.fleet.values.rungs import Rung

if TYPE_CHECKING:
    from arvnodeman.config import Settings

LARGEST_VOLUME = 16384  # GB, of a general purpose SSD
WITHOUT_PAGES = ("DescribeKeyPairs", "DescribeAvailabilityZones")
SUBNET = "subnet-"  # what ids of subnets begin with
SUBNET_ID, ZONE = "subnetSet/item/subnetId", "availabilityZoneInfo/item/zoneName"  # in answers
RESERVED = "CapacityReservationSpecification.CapacityReservationTarget."
DEVICE = "/dev/xvdt"  # where existing images look for scratch space


@dataclass(frozen=True, slots=True)
class Setup:
    """The options, checked as far as they can be without asking EC2."""

    image: str
    subnets: tuple[str, ...]
    zones: tuple[str, ...]
    groups: tuple[str, ...]
    key_pair: str
    public_key: str
    profile: str
    volume_type: str
    imds: str
    shows_tags: bool  # nodes read their tags in their metadata

    @classmethod
    def read(cls, settings: Settings, wrong: Callable[[str, str], Exception]) -> Setup:
        """Read the options; raises what `wrong(option, what is wrong)` makes, or ConfigError."""
        options = settings.cloud.create
        if not options.get("image_id"):
            raise wrong("image_id", "missing; required with ec2: the id of an image, `ami-…`")
        if options.get("ssh_key") and options.get("ex_keyname"):
            raise wrong("ssh_key", "excludes ex_keyname; allowed: one of the two")
        key = public_key(settings) or ""
        if key and len(key.split()) < 2:
            raise wrong("ssh_key", f"{options['ssh_key']} is not an SSH public key")
        return cls(
            image=options["image_id"],
            subnets=tuple(words(options.get("subnet_id"))),
            zones=tuple(words(options.get("zones"))),
            groups=tuple(words(options.get("security_groups"))),
            key_pair=options.get("ex_keyname", ""),
            public_key=key,
            profile=options.get("ex_iamprofile", ""),
            volume_type=options["volume_type"],
            imds=options["imds"],
            shows_tags=options["imds_tags"] == "yes",
        )

    def volume(self, scratch: float, disk: float) -> dict[str, Any] | None:
        """The block device mapping for what `scratch` MB lack of the type's own `disk` GB (row G2); None if nothing."""
        gigabytes = self.volume_size(scratch, disk)
        if gigabytes <= 0:
            return None
        ebs = {
            "DeleteOnTermination": "true",
            "VolumeSize": min(gigabytes, LARGEST_VOLUME),
            "VolumeType": self.volume_type,
        }
        return {"DeviceName": DEVICE, "Ebs": ebs}

    @staticmethod
    def volume_size(scratch: float, disk: float) -> int:
        """GB of the volume that is needed, even if EC2 has none so large; 0: none."""
        return int(scratch / 1000) + 1 - int(disk) if scratch > disk * 1000 else 0

    @property
    def all_subnets(self) -> tuple[str, ...]:
        """Those in which nodes may be, where that is said."""
        return (*self.subnets, *(zone for zone in self.zones if zone.startswith(SUBNET)))

    def subnet_of(self, rung: Rung | None) -> str | None:
        """The subnet that a request names, at this rung or at none: where the rung has no zone, the first."""
        if rung is None or not rung.zone:
            return next(iter(self.subnets), None)
        return rung.zone if rung.zone.startswith(SUBNET) else None

    def additions(
        self, *, subnet: bool, public: bool, tags: Mapping[str, str], rung: Rung | None = None
    ) -> dict[str, str | None]:
        """Parameters of RunInstances that libcloud does not know. `tags`: for the volumes."""
        added: dict[str, str | None] = {"MetadataOptions.HttpTokens": self.imds}
        if self.shows_tags:
            added["MetadataOptions.InstanceMetadataTags"] = "enabled"
        if rung is not None and rung.zone and not subnet:
            added["Placement.AvailabilityZone"] = rung.zone
        if rung is not None and rung.reservation:
            kind = "ResourceGroupArn" if rung.reservation.startswith("arn:") else "Id"
            added[f"{RESERVED}CapacityReservation{kind}"] = rung.reservation
        if self.groups and not subnet:  # libcloud takes groups by id only together with a subnet (row G8)
            place = "NetworkInterface.1." if public else ""
            added |= {f"{place}SecurityGroupId.{number}": group for number, group in enumerate(self.groups, 1)}
        if self.profile.startswith("arn:") and not self.profile.startswith("arn:aws:iam:"):  # another partition
            added |= {"IamInstanceProfile.Name": None, "IamInstanceProfile.Arn": self.profile}
        added["TagSpecification.2.ResourceType"] = "volume"
        for number, (name, value) in enumerate(tags.items(), 1):
            added[f"TagSpecification.2.Tag.{number}.Key"] = name
            added[f"TagSpecification.2.Tag.{number}.Value"] = value
        return added

    def lookups(self, driver: Any) -> Iterator[tuple[str, Callable[[], str]]]:
        """What can be looked up at EC2: option and a call that says what was found, or raises what libcloud raises."""
        in_subnets = self.all_subnets[len(self.subnets) :]
        in_zones = tuple(zone for zone in self.zones if not zone.startswith(SUBNET))
        things: tuple[tuple[str, Iterable[str], str, str, str], ...] = (
            ("image_id", (self.image,), "DescribeImages", "image-id", "imagesSet/item/imageId"),
            ("subnet_id", self.subnets, "DescribeSubnets", "subnet-id", SUBNET_ID),
            ("zones", in_subnets, "DescribeSubnets", "subnet-id", SUBNET_ID),
            ("zones", in_zones, "DescribeAvailabilityZones", "zone-name", ZONE),
            ("security_groups", self.groups, "DescribeSecurityGroups", "group-id", "securityGroupInfo/item/groupId"),
            ("ex_keyname", filter(None, [self.key_pair]), "DescribeKeyPairs", "key-name", "keySet/item/keyName"),
        )
        for option, given, action, name, path in things:
            wanted = tuple(given)
            if wanted:
                yield option, _Lookup(driver, action, name, path, wanted)


@dataclass(frozen=True, slots=True)
class _Lookup:
    """One request: are these there?"""

    driver: Any
    action: str
    filter: str
    path: str
    wanted: tuple[str, ...]

    def __call__(self) -> str:
        """The names found; raises LookupError for those that are not there."""
        page = None if self.action in WITHOUT_PAGES else "1000"
        answers = describe(self.driver, self.action, {self.filter: self.wanted}, page)
        found = {
            str(item.text)
            for answer in answers
            for item in findall(element=answer, xpath=self.path, namespace=NAMESPACE)
        }
        missing = [each for each in self.wanted if each not in found]
        if missing:
            raise LookupError(f"there is no {', '.join(missing)} in this region and account")
        return ", ".join(self.wanted)


_keys: dict[tuple[str, ...], str] = {}
_keys_lock = threading.Lock()


def key_pair_of_process(driver: Any, account: tuple[str, ...], public_key: str) -> str:
    """The name of EC2's key pair for this public key, which is imported if need be; asked once in this process.

    account: what tells accounts and regions apart. Raises what libcloud raises.
    """
    known = (*account, public_key)
    with _keys_lock:
        if known not in _keys:
            _keys[known] = _key_pair_of(driver, public_key)
        return _keys[known]


def _key_pair_of(driver: Any, public_key: str) -> str:
    """Found by fingerprint, or by the name that we give; EC2's fingerprints of ed25519 keys are not libcloud's."""
    fingerprint = get_pubkey_ssh2_fingerprint(public_key)
    name = f"{get_pubkey_comment(public_key, default='unnamed')}-{fingerprint}"
    for pair in driver.list_key_pairs():
        if pair.name == name or pair.fingerprint == fingerprint:
            return str(pair.name)
    return str(driver.import_key_pair_from_string(name, public_key).name)
