"""moto's EC2 in this process: its WSGI application, and a look at its instances from behind.

moto is an extra of the package (`ec2-demo`); nothing here imports it before it is asked for.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC
from typing import Any

ACCOUNT = "123456789012"  # moto's only one
MISSING = "moto is not installed: run pip install '.[ec2-demo]' where the program was installed from"
LIVE = frozenset({"pending", "running", "stopping", "stopped"})


class MotoMissing(RuntimeError):
    """The extra is not installed; the text is one line for people."""


@dataclass(frozen=True, slots=True)
class Volume:
    """A volume of an instance. GB."""

    device: str
    size: int
    type: str
    deleted_with_instance: bool
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Instance:
    """An instance as moto has it."""

    id: str
    state: str
    type: str
    tags: Mapping[str, str]
    user_data: str  # decoded
    spot: bool
    launched: float  # epoch seconds
    imds: str  # HttpTokens
    image: str
    subnet: str
    zone: str
    shutdown: str  # what happens when it halts itself
    launch_index: int = 0
    address: str = ""  # private
    volumes: tuple[Volume, ...] = ()


class Moto:
    """moto's EC2 in one region. Only one of a region makes sense in a process."""

    def __init__(self, region: str) -> None:
        """Raises MotoMissing."""
        try:
            import moto.settings
            from moto.ec2.models import ec2_backends
            from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
        except ImportError as error:
            raise MotoMissing(f"{MISSING} ({error})") from None
        moto.settings.ENABLE_AMI_VALIDATION = True  # moto would take any image and any type
        moto.settings.EC2_ENABLE_INSTANCE_TYPE_VALIDATION = True
        self.region = region
        self._backend: Any = ec2_backends[ACCOUNT][region]
        self._all_tags: Any = type(self._backend).describe_tags.__get__(self._backend)
        self._all_images: Any = type(self._backend).describe_images.__get__(self._backend)
        setattr(self._backend, "describe_tags", self._tags)  # noqa: B010 (a method of one object)
        setattr(self._backend, "describe_images", self._images)  # noqa: B010
        self.application: Callable[..., Iterable[bytes]] = DomainDispatcherApplication(create_backend_app)

    def instances(self) -> list[Instance]:
        """All of them, oldest first, terminated ones too."""
        reservations = list(self._backend.reservations.values())
        return [self._shown(each) for reservation in reservations for each in list(reservation.instances)]

    def ids(self) -> set[str]:
        """Of all of them."""
        reservations = list(self._backend.reservations.values())
        return {str(each.id) for reservation in reservations for each in list(reservation.instances)}

    def new(self, known: Container[str]) -> list[Instance]:
        """Live ones that are not among those."""
        reservations = list(self._backend.reservations.values())
        found = (each for reservation in reservations for each in list(reservation.instances) if each.id not in known)
        return [self._shown(each) for each in found if each._state.name in LIVE]

    def live(self) -> list[Instance]:
        """Those that are not terminated."""
        return [each for each in self.instances() if each.state in LIVE]

    def live_count(self) -> int:
        """How many those are."""
        reservations = list(self._backend.reservations.values())
        return sum(each._state.name in LIVE for reservation in reservations for each in reservation.instances)

    def volume_count(self) -> int:
        """How many volumes there are, whoever's they were."""
        return len(self._backend.volumes)

    def terminate(self, instance: str) -> None:
        """End it, as by somebody else's hand."""
        self._backend.terminate_instances([instance])

    def end_at_launch(self, instance: str, code: str, message: str) -> None:
        """End it for this reason, as EC2 does with what it cannot launch after all."""
        self._backend.terminate_instances([instance])
        reason = self._backend.get_instance(instance).state_reason
        reason.code, reason.message = code, message

    def stop(self, instance: str) -> None:
        """Stop it."""
        self._backend.stop_instances([instance])

    def forget(self, instance: str) -> None:
        """Let the cloud know it no more."""
        for name, reservation in list(self._backend.reservations.items()):
            if any(each.id == instance for each in reservation.instances):
                self._backend.reservations.pop(name)

    def clear(self) -> None:
        """Let there be no instances, volumes and key pairs, as at the beginning; the default VPC stays. (moto's own
        reset reads a thousand images anew.)"""
        for things in (self._backend.reservations, self._backend.volumes, self._backend.key_pairs):
            things.clear()

    def images(self) -> list[str]:
        """Ids of some images that exist."""
        return sorted(str(each.id) for each in self._backend.describe_images())

    def key_pairs(self) -> list[str]:
        """Names of the key pairs."""
        return [str(each.key_name) for each in self._backend.describe_key_pairs([])]

    def add_key_pair(self, name: str) -> None:
        """Make one."""
        self._backend.create_key_pair(name, "rsa", {})

    def security_groups(self) -> list[str]:
        """Ids of the security groups."""
        return sorted(str(each.id) for each in self._backend.describe_security_groups())

    def subnets(self) -> list[str]:
        """Ids of the region's subnets."""
        return sorted(str(each.id) for each in self._backend.describe_subnets())

    def loopback_subnets(self) -> list[str]:
        """Ids of two new subnets whose addresses are this machine's own, 127.0.N.M. moto takes what EC2 would not."""
        return self.subnets_in("127.0.0.0/16", "127.0.1.0/24", "127.0.2.0/24")

    def subnets_in(self, network: str, *blocks: str) -> list[str]:
        """Ids of new subnets with these addresses, in a network of their own, each in a zone of its own."""
        vpc = self._backend.create_vpc(network)
        zones = [f"{self.region}{letter}" for letter in "abcdef"]
        made = (self._backend.create_subnet(vpc.id, block, zone) for block, zone in zip(blocks, zones, strict=False))
        return [str(each.id) for each in made]

    def add_instances(self, count: int, kind: str, tags: Mapping[str, str]) -> list[str]:
        """Put instances there, each in a reservation of its own; their ids."""
        options = {"instance_type": kind, "tags": {"instance": dict(tags)}, "is_instance_type_default": False}
        image = self.images()[0]
        made = (self._backend.run_instances(image, 1, "", [], **options) for _ in range(count))
        return [str(reservation.instances[0].id) for reservation in made]

    def _tags(self, filters: Mapping[str, Any] | None = None) -> list[dict[str, str]]:
        """moto looks through the tags of all things for those of one, which it asks for with each thing that it shows:
        a thousand instances would take it minutes."""
        named = (filters or {}).get("resource-id", ())
        if len(filters or {}) != 1 or len(named) != 1:
            found: list[dict[str, str]] = self._all_tags(filters)
            return found
        (thing,) = named
        tags = self._backend.tags.get(thing, {})
        kind = {"i": "instance", "vol": "volume"}.get(thing.partition("-")[0])
        if kind is None:
            return list(self._all_tags(filters))
        return [{"resource_id": thing, "key": k, "value": v, "resource_type": kind} for k, v in list(tags.items())]

    def _images(self, ami_ids: Any = None, filters: Any = None, **others: Any) -> list[Any]:
        """moto looks through a thousand images for that of each instance which it makes."""
        wanted = (filters or {}).get("image-id")
        if ami_ids is not None or others or len(filters or {}) != 1 or not isinstance(wanted, str):
            return list(self._all_images(ami_ids, filters, **others))
        image = self._backend.amis.get(wanted)
        return [] if image is None else [image]

    def _shown(self, instance: Any) -> Instance:
        return Instance(
            id=instance.id,
            state=instance._state.name,
            type=instance.instance_type,
            tags={tag["key"]: tag["value"] for tag in instance.get_tags()},
            user_data=_decoded(instance.user_data),
            spot=instance.lifecycle == "spot",
            launched=instance.launch_time.replace(tzinfo=UTC).timestamp(),
            imds=str(getattr(instance.metadata_options, "http_tokens", "")),
            image=str(instance.image_id),
            subnet=str(instance.subnet_id or ""),
            zone=str(instance._placement.zone),
            shutdown=str(instance.instance_initiated_shutdown_behavior),
            launch_index=int(instance.ami_launch_index),
            address=str(instance.private_ip or ""),
            volumes=tuple(self._volume(device, each) for device, each in instance.get_block_device_mapping),
        )

    def _volume(self, device: str, mapping: Any) -> Volume:
        volume = self._backend.volumes.get(mapping.volume_id)
        return Volume(
            device=device,
            size=int(volume.size) if volume else 0,
            type=str(volume.volume_type) if volume else "",
            deleted_with_instance=str(mapping.delete_on_termination).lower() == "true",
            tags={tag["key"]: tag["value"] for tag in volume.get_tags()} if volume else {},
        )


def _decoded(user_data: object) -> str:
    try:
        return base64.b64decode(str(user_data or ""), validate=True).decode()
    except (binascii.Error, ValueError):
        return str(user_data)
