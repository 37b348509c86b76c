"""The error codes of the clouds, as they document them: one table each, with its source.

Here are the codes that the requests of ours can meet; the others in those lists are of requests that we do not send.
What is not here falls under the rule of errors.py, is counted and logged once, and belongs here then.
"""

from __future__ import annotations

from arvnodeman.cloud.error_tables.azure import AZURE
from arvnodeman.cloud.error_tables.ec2 import EC2
from arvnodeman.cloud.error_tables.gce import GCE
from arvnodeman.cloud.error_tables.openstack import OPENSTACK
from arvnodeman.cloud.error_tables.sandbox import SANDBOX

__all__ = ["AZURE", "EC2", "GCE", "OPENSTACK", "SANDBOX"]
