"""What a site's computers make of user data that several instances share."""

from __future__ import annotations

from arvnodeman.cloud.ec2_batching import BARE
from arvnodeman.cloud.shared_user_data import shared_text
from arvnodeman.cloud.user_data import NAMES, Template
from arvnodeman.sandbox.ec2_user_data import own_part, read_by


def values(number: int) -> dict[str, str]:
    url = f"https://ping.example.com/arvados/v1/nodes/zzzzz-7ekkf-{number:015d}/ping?ping_secret=s{number}"
    return dict.fromkeys(NAMES, "") | {"ping_url": url, "hostname": f"compute{number}", "size": "small"}


def test_each_has_the_template_filled_for_it() -> None:
    template = Template("#!/bin/sh\necho '{hostname}' '{ping_url}&x=1' '{size}'\n")
    nodes = [values(number) for number in range(12)]
    text = shared_text(template, nodes)
    assert [own_part(text, index) for index in range(12)] == [template.filled(each) for each in nodes]
    assert own_part(text, 12) is None


def test_a_ping_url_is_found_in_it() -> None:
    text = shared_text(BARE, [values(0), values(1)])
    assert read_by(text, 1) == values(1)["ping_url"]
    assert read_by(text, 2) is None


def test_what_is_not_shared_is_read_as_it_is() -> None:
    assert read_by("node_name=compute1", 7) == "node_name=compute1"
    assert read_by(values(3)["ping_url"], 7) == values(3)["ping_url"]
