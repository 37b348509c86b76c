#!/bin/bash
# list_sizes() of libcloud's EC2 driver tells a price for each instance type, from a table that comes with it. For a part of the
# types that Amazon sells in the region, m5.xlarge and c5.9xlarge of us-east-1 among them, that price is 0.0: not None, as for
# a type whose price is not known. Who sorts sizes by price gets these first, and who adds up costs counts them as free. The
# neighbours m5.large and m5.2xlarge have their prices. Ends with 0 while that is so.
set -euo pipefail
cd "$(mktemp -d)"; here=$PWD; trap 'cd /; rm -rf "$here"' EXIT
python3 -m pip install --quiet --disable-pip-version-check --target site apache-libcloud==3.9.1 \
  >pip.log 2>&1 || { cat pip.log; exit 2; }
PYTHONPATH=site python3 - <<'P'
import libcloud
from libcloud.compute.providers import get_driver

print("apache-libcloud", libcloud.__version__)
driver = get_driver("ec2")("key", "secret", region="us-east-1")  # nothing is asked of Amazon
prices = {size.id: size.price for size in driver.list_sizes()}
free = sorted(name for name, price in prices.items() if price == 0)
print(len(prices), "sizes of us-east-1;", len(free), "for 0.0 $:", ", ".join(free[:12]), "...")
for name in ("m5.large", "m5.xlarge", "m5.2xlarge"):
    print(name, prices[name])
raise SystemExit(not (prices["m5.xlarge"] == 0 and prices["m5.large"] and prices["m5.2xlarge"]))
P
