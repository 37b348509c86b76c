"""What a demo needs of this machine, beside Python: a complaint is one line for people, '' where all is there."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

from arvnodeman.sandbox.ec2_moto import MISSING as MOTO_MISSING
from arvnodeman.sandbox.openstack_releases import NEWEST, install, release_named
from arvnodeman.sandbox.real_slurm_conf import missing
from arvnodeman.sandbox.slurm_root import NotPossible, too_old, use_root
from arvnodeman.sandbox.wiring import PLACES


def cloud_complaint(cloud: str, release: str | None) -> str:
    """What is wrong with the cloud, which is installed where that is possible; '' when nothing is."""
    if release is not None and cloud != "openstack":
        return "--release is for --cloud openstack"
    if cloud == "ec2" and importlib.util.find_spec("moto") is None:
        return MOTO_MISSING
    if cloud == "openstack":
        os.environ["OPENSTACK_RELEASE"] = release or os.environ.get("OPENSTACK_RELEASE") or NEWEST
        try:
            install(release_named(os.environ["OPENSTACK_RELEASE"]), sys.stderr.write)
        except (NotPossible, OSError) as error:
            return str(error)
        except KeyboardInterrupt:
            return "interrupted"
    return ""


def slurm_complaint(root: Path | None, records: str) -> str:
    """What is wrong with the real Slurm; '' when nothing is."""
    try:
        if root is not None:
            use_root(root)
    except (NotPossible, OSError) as error:
        return str(error)
    return missing() or (too_old() if records == PLACES else "")
