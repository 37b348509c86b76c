"""Run the tests on a real OpenStack, on each of several releases: `make proofs ARGS=openstack`.

`-m 'not long'` runs those that CI runs.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys

from arvnodeman.sandbox.openstack_releases import NEWEST, RELEASES, install, release_named
from arvnodeman.sandbox.slurm_root import NotPossible

TESTS = "tests/openstack"


def main() -> int:
    """Install what is missing and run the tests; 0 when all went well."""
    parser = argparse.ArgumentParser(prog='make proofs ARGS="openstack ..."', description=__doc__)
    told = f"{', '.join(RELEASES)}, or all; may be given again (default {NEWEST}). All but {NEWEST} need root"
    parser.add_argument("--release", action="append", metavar="NAME", help=told)
    given, rest = parser.parse_known_args()
    names = given.release or [NEWEST]
    bad = []
    for name in RELEASES if "all" in names else names:
        try:
            release = release_named(name)
            install(release, sys.stdout.write)
        except NotPossible as why:
            print(why, file=sys.stderr)
            bad.append(name)
            continue
        print(f"== OpenStack {name}: nova {release.nova}", flush=True)
        environ = {**os.environ, "OPENSTACK_RELEASE": name}
        command = [sys.executable, "-m", "pytest", "-q", "-m", "", "-o", "faulthandler_timeout=600", TESTS, *rest]
        if subprocess.run(command, env=environ, check=False).returncode:
            bad.append(name)
    if bad:
        print(f"not well: {', '.join(bad)}", file=sys.stderr)
    return 1 if bad else 0


if __name__ == "__main__":
    raise SystemExit(main())
