"""What `make proofs` runs by name: what takes too long for every commit, by name, each with options of its own."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from ending import end_with_all_that_was_started

HERE = Path(__file__).parent


class Proof(NamedTuple):
    """Commands, of which the last gets the options; and what they find in their environment, unless it is there."""

    what: str
    commands: tuple[tuple[str, ...], ...]
    environ: Mapping[str, str] = {}


def _pytest(*arguments: str) -> tuple[str, ...]:
    return ("-m", "pytest", "-q", *arguments)


HISTORIES = tuple(f"tests/properties/test_{name}_histories.py" for name in ("fleet", "placing"))
MONEY = ("accounting", "budgets", "payers")
PROOFS = {
    "long": Proof(
        "the tests that `make test` leaves out since each takes long",
        (
            _pytest(
                "-m", "long", "-n", "4", "--dist", "worksteal", "tests/unit", "tests/properties", "tests/integration"
            ),
        ),
    ),
    "histories": Proof(
        "the brain against many thousand random histories (HISTORIES=20000)",
        (_pytest("--hypothesis-show-statistics", *HISTORIES),),
        {"HISTORIES": "20000"},
    ),
    "months": Proof(
        "the brain lives for months of virtual time, checked at every command (EVENTS=1000000)",
        (_pytest("-s", "tests/properties/test_months_of_operation.py"),),
        {"EVENTS": "1000000"},
    ),
    "who-pays": Proof(
        "what nodes cost, divided in many random histories: it adds up (HISTORIES=10000)",
        (_pytest("-s", "-k", "random_histories", "tests/unit/history/test_who_pays.py"),),
        {"HISTORIES": "10000"},
    ),
    "money": Proof(
        "budgets, raises, what jobs have cost and EC2's tags, on a real Slurm with MariaDB and slurmdbd",
        (_pytest("-o", "faulthandler_timeout=300", *(f"tests/integration/test_slurm_{name}.py" for name in MONEY)),),
        {"PROOFS": "1"},
    ),
    "bursts": Proof(
        "the real daemon is killed at every point of a burst of EC2's: nothing leaks, nothing is made twice",
        (_pytest("-n", "2", "-o", "faulthandler_timeout=300", "tests/integration/test_ec2_bursts.py"),),
        {"PROOFS": "1"},
    ),
    "leaders": Proof(
        "who leads, by a real PostgreSQL, ZooKeeper and slurmctld with a backup, started for it",
        (_pytest("-n", "3", "--dist", "loadscope", "-o", "faulthandler_timeout=300", "tests/leader"),),
    ),
    "bursts-placed": Proof(
        "the same where a real Slurm 24.11 places jobs on names that are off (needs root, debootstrap)",
        (("tests/slurms.py", "--slurms", "24.11", "--", "-k", "slurm-cloud", "tests/integration/test_ec2_bursts.py"),),
        {"PROOFS": "1"},
    ),
    "two-hosts": Proof(
        "two managers of one site on a real PostgreSQL or ZooKeeper, a fault in each run (1-200: seeds; 30 min)",
        (("-m", "chaos.two_hosts"),),
    ),
    "openstack": Proof(
        "the openstack driver and the whole daemon on a real nova and keystone (--release zed, or all)",
        (("tests/openstack_proof.py",),),
    ),
    "openstack-whole": Proof(
        "the same on a whole control plane: each service a process, MariaDB, RabbitMQ (needs root, debootstrap)",
        (("tests/openstack_proof.py", "--release", "2026.2-whole"),),
    ),
    "slurms": Proof(
        "the tests of real Slurm on other versions of it (--slurms 24.11; needs root, debootstrap)",
        (("tests/slurms.py",),),
    ),
    "newer-python": Proof(
        "the core's unit tests on a newer Python, if one is here, with a wheel made of an sdist (--python PATH)",
        (("tests/newer_python.py",),),
    ),
    "first-hour": Proof(
        "from an empty Debian to a job that ran, in each setup (--page writes doc/first-hour.md; needs root)",
        (_pytest("-s", "-o", "faulthandler_timeout=1200", "tests/first_hour"),),
    ),
    "packages": Proof(
        "the Debian package in Debian 12 and 13: built, installed, put in the place of pip's, taken away (needs root)",
        (_pytest("-o", "faulthandler_timeout=1200", "tests/packages"),),
    ),
    "plan-mutants": Proof(
        "every small change of the plan, against the tests of its values (a few minutes)",
        (("tests/plan_mutants.py",),),
    ),
    "mutants": Proof(
        'small changes of the brain, against its tests (hours; "*.plan.*" --sample 200)', (("tests/mutants.py",),)
    ),
}
WITHOUT_A_NAME = (
    *("long", "histories", "months", "money", "bursts", "bursts-placed", "leaders", "two-hosts"),
    *("openstack", "openstack-whole", "slurms", "newer-python", "plan-mutants"),
)


def main() -> int:
    """Run the one that is named; without a name all that end within hours. 1 where one of them fails."""
    told = "\n".join(f"  {name:13} {proof.what}" for name, proof in PROOFS.items())
    parser = argparse.ArgumentParser(
        prog='make proofs ARGS="..."', epilog=told, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "name", nargs="?", choices=PROOFS, metavar="NAME", help=f"default: {', '.join(WITHOUT_A_NAME)}, in turn"
    )
    given = parser.parse_args(sys.argv[1:2])
    names = [given.name] if given.name is not None else WITHOUT_A_NAME
    end_with_all_that_was_started()
    failed = [name for name in names if not _holds(PROOFS[name], sys.argv[2:])]
    if failed:
        print(f"== not good: {', '.join(failed)}", flush=True)
    return 1 if failed else 0


def _holds(proof: Proof, options: Sequence[str]) -> bool:
    path = os.pathsep.join(map(str, (HERE.parent, HERE)))
    environ = {**proof.environ, **os.environ, "PYTHONPATH": path}
    *before, last = proof.commands
    for command in (*before, (*last, *options)):
        if subprocess.run([sys.executable, *command], env=environ, check=False).returncode:
            return False
    return True


if __name__ == "__main__":
    raise SystemExit(main())
