"""Prices of libcloud's table of EC2's types, and what counts where it has none."""

from __future__ import annotations

import pytest
from libcloud.pricing import get_pricing

from arvnodeman.cloud.ec2_prices import listed_price, priced
from arvnodeman.fleet.values.model import ProviderSize

TABLE = get_pricing(driver_type="compute", driver_name="ec2_linux")
DEAREST = max(float(price) for price in TABLE["m5.large"].values())


def test_the_price_of_the_region_counts_where_there_is_one() -> None:
    listed = listed_price("m5.large", "us-east-1")
    assert listed == (float(TABLE["m5.large"]["us-east-1"]), "us-east-1")


@pytest.mark.parametrize("region", ["eu-central-2", "mx-central-1", "a-region-of-next-year-1"])
def test_elsewhere_a_type_is_as_dear_as_anywhere(region: str) -> None:
    assert not TABLE["m5.large"].get(region)
    listed = listed_price("m5.large", region)
    assert listed is not None
    assert listed.price == DEAREST
    assert TABLE["m5.large"][listed.region] == DEAREST


def test_nothing_is_for_nothing() -> None:
    """The table has m5.xlarge in us-east-1 for 0."""
    assert TABLE["m5.xlarge"]["us-east-1"] == 0
    listed = listed_price("m5.xlarge", "us-east-1")
    assert listed is not None
    assert listed.price > 0


def test_a_type_without_any_price_stays_so() -> None:
    assert listed_price("p5e.48xlarge", "us-east-1") is None
    assert listed_price("x0.none", "us-east-1") is None


def test_only_what_has_no_price_gets_one() -> None:
    sizes = [ProviderSize(name, name, 1, 1, price=price) for name, price in (("m5.large", 7.0), ("m5.xlarge", 0.0))]
    one, other = priced(sizes, "us-east-1")
    assert one.price == 7.0
    assert other.price is not None
    assert other.price > 0
