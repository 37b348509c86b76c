#!/bin/bash
# moto's EC2 answers in the XML namespace http://ec2.amazonaws.com/doc/2016-11-15, without a slash at its end; libcloud looks for
# names in a namespace with one. botocore goes by names alone and lists the instance that runs. libcloud finds nothing in the
# same answer, and does not say so: list_nodes() is []. One would expect the instance, or an error: a program that is tried on
# moto by way of libcloud takes all of its machines for gone. Ends with 0 while that is so.
set -euo pipefail
cd "$(mktemp -d)"; here=$PWD; trap 'cd /; rm -rf "$here"' EXIT
python3 -m pip install --quiet --disable-pip-version-check --target site 'moto[ec2,server]==5.2.5' apache-libcloud==3.9.1 \
  boto3==1.44.8 botocore==1.44.8 >pip.log 2>&1 || { cat pip.log; exit 2; }
PYTHONPATH=site AWS_EC2_METADATA_DISABLED=true python3 - <<'P'
import logging
import re

import boto3
import libcloud
import moto
from libcloud.compute.drivers import ec2 as libclouds_ec2
from libcloud.compute.providers import get_driver
from libcloud.compute.types import Provider
from moto.server import ThreadedMotoServer

logging.getLogger("werkzeug").setLevel(logging.ERROR)
server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
server.start()
host, port = server.get_host_and_port()
keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b"}
client = boto3.client("ec2", region_name="us-east-1", endpoint_url=f"http://{host}:{port}", **keys)
image = client.describe_images()["Images"][0]["ImageId"]
client.run_instances(ImageId=image, MinCount=1, MaxCount=1)
by_boto = [each["State"]["Name"] for part in client.describe_instances()["Reservations"] for each in part["Instances"]]

driver = get_driver(Provider.EC2)("a", "b", region="us-east-1", signature_version="4", secure=False, host=host, port=port)
by_libcloud = driver.list_nodes()
answer = driver.connection.request(driver.path, params={"Action": "DescribeInstances"}).body
answered = re.search(r'xmlns="([^"]*)"', answer).group(1)
server.stop()

print("moto", moto.__version__, "apache-libcloud", libcloud.__version__, "boto3", boto3.__version__)
print("namespace of the answer:", answered, "looked for by libcloud:", libclouds_ec2.NAMESPACE)
print("<instanceId> in the answer that libcloud got:", "<instanceId>" in answer)
print("listed by boto3:", by_boto, "by libcloud:", by_libcloud)
as_said = answered + "/" == libclouds_ec2.NAMESPACE and "<instanceId>" in answer
raise SystemExit(not (as_said and by_boto == ["running"] and by_libcloud == []))
P
