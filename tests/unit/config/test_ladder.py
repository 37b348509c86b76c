"""What zones, purchases and reservations make of a size: its rungs, in the order in which they are tried."""

from __future__ import annotations

from pathlib import Path

import pytest

from arvnodeman.config import ConfigError, load
from arvnodeman.config.reload import changes, reloaded
from arvnodeman.config.settings import Settings

FILE = """\
[Arvados]
host = zyxwv.example.com
token = s3cret
[Daemon]
{daemon}
[Cloud]
provider = {provider}
shutdown_windows = 54, 5, 1
[Cloud List]
ex_resource_group = group
[Cloud Create]
ping_host = zyxwv.example.com
image_id = ami-1
tag_arvados-class = zyxwv
{create}
[Size small]
cores = 2
{size}
"""


def settings(tmp_path: Path, size: str = "", create: str = "", provider: str = "ec2", daemon: str = "") -> Settings:
    path = tmp_path / "site.cfg"
    path.write_text(FILE.format(size=size, create=create, provider=provider, daemon=daemon), encoding="utf-8")
    return load(str(path))


def rungs(tmp_path: Path, *given: str, daemon: str = "", provider: str = "ec2") -> list[str]:
    """Keys of the rungs, of what is given for the size and for [Cloud Create]."""
    size, create = (*given, "", "")[:2]
    (made,) = settings(tmp_path, size, create, provider, daemon).sizes
    return [rung.key for rung in made.ladder]


def test_without_zones_and_purchases_there_are_none(tmp_path: Path) -> None:
    assert rungs(tmp_path) == []
    assert rungs(tmp_path, "preemptible = yes", "subnet_id = subnet-1") == []
    assert rungs(tmp_path, "spot_price = 0.03", "", provider="azure") == []


def test_each_purchase_is_tried_in_all_zones_before_the_next(tmp_path: Path) -> None:
    given = "purchases = spot, on-demand", "zones = b, a"
    assert rungs(tmp_path, *given) == ["b/spot", "a/spot", "b/on-demand", "a/on-demand"]
    assert rungs(tmp_path, "purchases = on-demand, spot") == ["/on-demand", "/spot"]
    assert rungs(tmp_path, "", "zones = a", provider="openstack") == ["a/on-demand"]
    assert rungs(tmp_path, "preemptible = yes", "zones = a, b", provider="gce") == ["a/spot", "b/spot"]


def test_several_subnets_are_zones(tmp_path: Path) -> None:
    assert rungs(tmp_path, "", "subnet_id = subnet-1, subnet-2") == ["subnet-1/on-demand", "subnet-2/on-demand"]


def test_what_is_reserved_comes_first_and_costs_nothing_more(tmp_path: Path) -> None:
    given = "reservations = cr-2@b, cr-1@a\npurchases = spot\nspot_price = 0.02\nprice = 0.1", "zones = a, b"
    assert rungs(tmp_path, *given) == ["b/reserved/cr-2", "a/reserved/cr-1", "a/spot", "b/spot"]
    (size,) = settings(tmp_path, *given).sizes
    assert [rung.price for rung in size.ladder] == [0.0, 0.0, 0.02, 0.02]
    assert rungs(tmp_path, "reservations = cr-1", "zones = a") == ["a/reserved/cr-1", "a/on-demand"]
    assert rungs(tmp_path, "reservations = cr-1") == ["/reserved/cr-1", "/on-demand"]


def test_by_price_spot_comes_first_unless_it_is_dearer(tmp_path: Path) -> None:
    daemon = "rung_order = cheapest"
    assert rungs(tmp_path, "purchases = on-demand, spot", daemon=daemon) == ["/spot", "/on-demand"]
    dear = "purchases = on-demand, spot\nprice = 0.1\nspot_price = 0.2"
    assert rungs(tmp_path, dear, daemon=daemon) == ["/on-demand", "/spot"]


@pytest.mark.parametrize(
    ("size", "create", "provider", "told"),
    [
        ("purchases = spot", "", "azure", "[Size small] purchases: the azure driver has no spot nodes"),
        ("purchases = auction", "", "ec2", "[Size small] purchases: 'auction' in 'auction' is not a way to pay"),
        ("purchases = spot\npreemptible = yes", "", "ec2", "[Size small] preemptible: purchases says how"),
        ("reservations = r", "", "openstack", "[Size small] reservations: the openstack driver knows of none"),
        ("reservations = r", "zones = a, b", "ec2", "[Size small] reservations: 'r' is in one of several zones"),
        ("reservations = r@c", "zones = a, b", "ec2", "[Size small] reservations: 'c' is not among the zones"),
        ("reservations = @c", "", "ec2", "[Size small] reservations: '@c' in '@c' names no reservation"),
        ("", "zones = a\nsubnet_id = s", "ec2", "[Cloud Create] zones: excludes subnet_id"),
        ("", "zones = a\nex_availability_zone = s", "openstack", "[Cloud Create] zones: excludes ex_availability_zone"),
        ("", "zones = a/b", "gce", "[Cloud Create] zones: 'a/b' in 'a/b' is not a name"),
    ],
)
def test_mistakes_name_the_option(tmp_path: Path, size: str, create: str, provider: str, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        settings(tmp_path, size, create, provider)
    (line,) = caught.value.problems
    assert told in line


def test_other_zones_need_a_restart_as_the_driver_knows_those_of_the_start(tmp_path: Path) -> None:
    old = settings(tmp_path, "", "zones = a, b", "gce")
    new = settings(tmp_path, "", "zones = a, c", "gce")
    assert {change.option: change.live for change in changes(old, new)} == {"[Cloud] create": False}
    assert reloaded(old, new).sizes == old.sizes


def test_other_purchases_are_in_force_at_once(tmp_path: Path) -> None:
    old = settings(tmp_path, "", "zones = a, b", "gce")
    new = settings(tmp_path, "purchases = spot", "zones = a, b", "gce")
    assert {change.option: change.live for change in changes(old, new)} == {"[Size small]": True}
    assert [rung.key for rung in reloaded(old, new).sizes[0].ladder] == ["a/spot", "b/spot"]


@pytest.mark.parametrize("provider", ["azure", "sandbox"])
def test_a_burst_that_is_wanted_where_there_is_none_is_told(tmp_path: Path, provider: str) -> None:
    with pytest.raises(ConfigError) as caught:
        settings(tmp_path, provider=f"{provider}\nburst = yes")
    told = f"[Cloud] burst: the {provider} driver asks for each node alone; allowed: no"
    assert sum(told in line for line in caught.value.problems) == 1
    assert not any("burst" in line for line in problems_of(tmp_path, f"{provider}\nburst = no"))
    assert not any("burst" in line for line in problems_of(tmp_path, "ec2\nburst = yes"))


def problems_of(tmp_path: Path, provider: str) -> tuple[str, ...]:
    try:
        settings(tmp_path, provider=provider)
    except ConfigError as error:
        return tuple(error.problems)
    return ()
