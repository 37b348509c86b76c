"""Money at a real Slurm, end to end: a spent budget holds jobs until it is raised, and EC2's bill tells who pays.

Half a minute each: `make proofs ARGS=money`.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from daemon_process import DaemonProcess, command
from slurm_stage import SPEED, Stage, need_slurm, stage
from test_slurm_ahead import sbatch, state_of

from arvnodeman.sandbox.process import SiteProcess

pytestmark = pytest.mark.skipif(not os.environ.get("PROOFS"), reason="make proofs ARGS=money")
BOUND = 120.0  # real seconds
SLOTS = 6
DOLLAR_A_SECOND: dict[str, object] = {"price": 3600}
OTHERS = ("medium", "large", "himem", "xlarge")
WHO = ("--uid=nobody", "--chdir=/tmp", "--time=1")


@contextmanager
def slurm_alone(folder: Path, cloud: str = "sandbox") -> Iterator[Stage]:
    """A site on a real Slurm, whose small nodes alone are offered."""
    need_slurm()
    with (
        SiteProcess(speed=SPEED, slots=SLOTS, slurm="real", records="slurm", cloud=cloud) as site,
        stage(site, folder) as alone,
    ):
        for number in range(1, SLOTS + 1):
            alone.slurm("scontrol", "update", f"NodeName=compute{number}", "NodeAddr=192.0.2.1")
        yield alone


def asked(daemon: DaemonProcess, *arguments: str) -> str:
    """What one of the operator's commands prints."""
    argv = command(*arguments, "--config", str(daemon.config))
    return subprocess.run(argv, capture_output=True, text=True, timeout=BOUND, check=False).stdout


def test_a_raise_of_a_spent_budget_lets_its_jobs_boot_nodes(tmp_path: Path) -> None:
    """Its job waits with the reason, another account's runs meanwhile; the raise is in the decisions and survives a
    restart."""
    with slurm_alone(tmp_path) as alone:
        sections: dict[str, dict[str, object] | None] = dict.fromkeys(f"Size {name}" for name in OTHERS)
        sections |= {"Size small": DOLLAR_A_SECOND, "Budget lab": {"limit": 20, "per": "day", "accounts": "physics"}}

        def start() -> DaemonProcess:
            return alone.daemon(
                sections=sections,
                state_dir=tmp_path / "state",
                payers_poll_time=1,
                explain_after=1,
                node_stale_after=600,
            )

        daemon = start()
        first = sbatch(alone, *WHO, "--account=physics", seconds=21.0)  # longer than its node takes to boot
        alone.until(lambda: state_of(alone, first) == "CD", "the first job to be done", BOUND)
        alone.until(lambda: not alone.nodes(), "its node to be gone", BOUND)
        other = sbatch(alone, *WHO, "--account=biology", "--exclusive")
        held = sbatch(alone, *WHO, "--account=physics", seconds=3.0)
        word = re.compile(r"budget lab \(\$20\.00 a day\) is used up: \$[0-9.]+ spent, \$[0-9.]+ committed")
        alone.until(lambda: word.search(asked(daemon, "explain", held)), "the reason in explain", BOUND)
        alone.until(lambda: state_of(alone, other) == "R", "the other account's job to run", BOUND)
        comment = ("squeue", "-h", f"--jobs={held}", "-O", "admin_comment:400")
        said_there = "budget lab ($20.00 a day) is used up; it frees at"
        alone.until(lambda: said_there in alone.slurm(*comment), "its reason on the job", BOUND)
        created = len(alone.subjects("node-created"))
        assert state_of(alone, held) == "PD"

        said = asked(daemon, "budget", "raise", "lab", "5000", "--until", "2h", "--reason", "the deadline")
        assert "lab" in said
        alone.until(lambda: state_of(alone, held) == "CD", "the job that was held to be done", BOUND)
        assert len(alone.subjects("node-created")) > created
        audited = [line for line in asked(daemon, "decisions").splitlines() if "Budget lab is raised" in line]
        assert len(audited) == 1, audited
        alone.slurm("scancel", other)
        assert "by $5000.00" in audited[0]
        assert audited[0].endswith(": the deadline")
        assert daemon.stop() == 0

        daemon = start()
        alone.until(lambda: "$5000.00" in asked(daemon, "explain", "lab"), "the raise after a restart", BOUND)
        again = sbatch(alone, *WHO, "--account=physics", seconds=1.0)
        alone.until(lambda: state_of(alone, again) == "CD", "a job after the restart to be done", BOUND)
        assert daemon.stop() == 0
        assert "Traceback" not in alone.logs()


def test_ec2_s_bill_tells_who_pays_in_characters_that_it_takes(tmp_path: Path) -> None:
    """The job runs nowhere: moto's nodes have addresses of the real EC2, and with ipv6 Slurm is told none."""
    pytest.importorskip("moto")
    with slurm_alone(tmp_path, cloud="ec2") as alone:
        sections: dict[str, dict[str, object] | None] = dict.fromkeys(f"Size {name}" for name in OTHERS)
        (template := tmp_path / "user-data").write_text("#!/bin/sh\n# node_name={hostname}\n")
        sections |= {"Cloud": {"address_family": "ipv6"}, "Cloud Create": {"user_data": template}}
        daemon = alone.daemon(sections=sections, payer_tags="yes")
        job = sbatch(alone, *WHO, "--account=phys#ics&co")
        alone.until(lambda: alone.site.get("ec2")["instances"], "an instance", BOUND)
        tags: dict[str, str] = {}

        def tagged() -> bool:
            tags.update(alone.site.get("ec2")["instances"][0]["tags"])
            return "Name" in tags

        alone.until(tagged, "its tags", BOUND)
        wanted = {"account": "phys_ics_co", "user": "nobody", "partition": "compute", "job": job}
        assert {name: tags.get(f"arvados_node_{name}") for name in wanted} == wanted
        alone.slurm("scancel", job)
        assert daemon.stop() == 0
        assert "Traceback" not in alone.logs()
