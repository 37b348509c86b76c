"""The first hour of somebody who has never met the program, once for each setup: what is typed, and what has to come of
it. `test_first_hour.py` plays it, and doc/first-hour.md is written from it with what was really seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

IMAGE, SUBNET, GROUP = "ami-0123456789abcdef0", "subnet-0123456789abcdef0", "sg-0123456789abcdef0"
"""What stands for the test cloud's own ids."""
CONFIG = "/etc/arvados-node-manager/config.ini"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A command. `expects`: a pattern that must be in what it says. `until`: it is repeated until that is so. `shown`:
    is what it says on the page? `online`: it needs Debian's mirror, or the Python package index."""

    command: str
    expects: str = ""
    code: int = 0
    until: bool = False
    shown: bool = True
    online: bool = False
    where: str = "controller"


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """One setup, from an empty Debian to a job that ran: texts and steps in turn."""

    title: str
    suite: str
    parts: tuple[str | Step, ...]
    arvados_slots: int = 0

    @property
    def steps(self) -> list[Step]:
        """Without the texts."""
        return [part for part in self.parts if isinstance(part, Step)]


def do(command: str, expects: str = "", **options: Any) -> Step:
    """A step whose answer is looked at."""
    return Step(command=command, expects=expects, **options)


def quietly(command: str, **options: Any) -> Step:
    """One whose answer says nothing to anybody."""
    return do(command, shown=False, **options)


INSTALL = "apt-get -qq update && apt-get -qq install -y --no-install-recommends "
CONTAINER = "zzzzz-dz642-firsthour000001"  # as the dispatcher names its jobs
WITHOUT_CGROUPS = "ProctrackType=proctrack/linuxproc\n"  # the computers of this walk have none for Slurm


def _base(cgroups: str) -> tuple[str | Step, ...]:
    return (
        "### The cluster\n\nIf you have a Slurm cluster, you have done this already. "
        "The controller is an empty Debian, and slurm.conf names no node yet.",
        quietly(INSTALL + "munge slurmctld slurm-client", online=True),
        quietly(
            "cat > /etc/slurm/slurm.conf <<'END'\n"
            "ClusterName=physics\nSlurmctldHost=controller\nSlurmUser=slurm\nAuthType=auth/munge\n"
            "StateSaveLocation=/var/lib/slurm/slurmctld\nSlurmdSpoolDir=/var/lib/slurm/slurmd\n"
            f"{WITHOUT_CGROUPS}END"
        ),
        quietly(f"echo CgroupPlugin={cgroups} > /etc/slurm/cgroup.conf"),
        do("slurmctld -V", "^slurm"),
    )


def _image(*copied: str) -> tuple[str | Step, ...]:
    return (
        "### The image\n\nNodes are made of an image with slurmd and the cluster's munge key. Start a machine of your "
        "cloud's Debian, type this there, and make an image of it.",
        quietly(f"{INSTALL}munge slurmd slurm-client curl", online=True, where="image"),
        quietly("systemctl disable slurmd", where="image"),
        quietly("install -d -m 700 /etc/arvados-node-manager", where="image"),
        *(quietly(f"scp controller:{line}", where="image") for line in copied),
    )


MUNGE_KEY = "/etc/munge/munge.key /etc/arvados-node-manager/munge.key"
AS_IT_IS = tuple(
    f"{path} {path}" for path in ("/etc/munge/munge.key", "/etc/slurm/slurm.conf", "/etc/slurm/cgroup.conf")
)
FROM_SOURCE = (
    "### The program\n\nIn the directory of the sources, as the [README](../README.md#install-it) has it:",
    quietly(INSTALL + "python3-venv", online=True),
    quietly("/usr/bin/python3 -m venv /opt/arvados-node-manager"),
    quietly("/opt/arvados-node-manager/bin/pip install -q .", online=True),
    quietly("ln -s /opt/arvados-node-manager/bin/arvados-node-manager /usr/local/bin/"),
    do("arvados-node-manager --version", r"^arvados-node-manager \d"),
)
UNIT = (
    quietly("install -m 644 doc/ops/arvados-node-manager.service /etc/systemd/system/"),
    quietly("systemctl daemon-reload"),
)


def _init(setup: str, *more: str) -> tuple[str | Step, ...]:
    lines = [
        f"arvados-node-manager init --cloud ec2 --setup {setup} --cluster physics",
        "--size m5.large --max-nodes 4 --max-price 2",
        f"--set '[Cloud Create] image_id = {IMAGE}'",
        f"--set '[Cloud Create] subnet_id = {SUBNET}'",
        f"--set '[Cloud Create] security_groups = {GROUP}'",
        "--set '[Cloud Credentials] host = 10.77.0.2'",
        "--set '[Cloud Credentials] port = 8000'",
        "--set '[Cloud Credentials] secure = no'",
        "--set '[Daemon] poll_time = 5'",
        *more,
    ]
    command = " \\\n  ".join(lines)
    return (
        "### Its first files\n\nWithout these flags `init` asks. "
        "`host`, `port` and `secure` are for the EC2 of this walk, and `poll_time` makes it quick: leave the four out "
        "at Amazon. Secrets are not given as flags, since others could read them.",
        do(command, r"Written to /etc/arvados-node-manager: config\.ini"),
        "It never overwrites a file. A second time:",
        do(command, "is there already, and is left alone", code=1),
        "What it says comes next. First what is left to fill in; here by `sed`, otherwise by your editor:",
        quietly(
            "sed -i -e 's|^key = replace-with.*|key = AKIAIOSFODNN7EXAMPLE|' \\\n"
            f"  -e 's|^secret = replace-with.*|secret = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY|' \\\n  {CONFIG}"
        ),
    )


SLURM_CONF = (
    "Then its part of slurm.conf:",
    quietly("cat /etc/arvados-node-manager/slurm.conf.part >> /etc/slurm/slurm.conf"),
    quietly("systemctl restart slurmctld"),
    do("sinfo", r"unk|idle~"),
)
CHECKED = (
    "### Is it good?",
    do(f"arvados-node-manager check-config {CONFIG}", r"ok, 1 size"),
    do(f"arvados-node-manager cloud-test --config {CONFIG}", "destroy"),
)
STARTED = (
    "### Start it",
    quietly("systemctl enable --now arvados-node-manager"),
    do("systemctl is-active arvados-node-manager", "^active"),
    do("arvados-node-manager status", "^nodes: 0 "),
)
DOCTOR = (
    "`doctor` looks at everything: files, slurm.conf, Slurm, the cloud, this machine.",
    do("arvados-node-manager doctor", "^no finding"),
)
GONE = (
    "### And away again\n\nThe node idles, is drained and destroyed. Repeat it until there is none:",
    do("arvados-node-manager status", "^nodes: 0 ", until=True),
    do(f"arvados-node-manager cloud-test --list-nodes --config {CONFIG}", r"^0 node\(s\) have our tags"),
    do("arvados-node-manager report --since today", "1  came up|2  came up"),
)


BUSY = do("arvados-node-manager status --nodes", r"^(physics-1|m5large-1|compute1) .* busy", until=True)
RAN = do("scontrol show job 1 | grep -E 'JobState|NodeList=[a-z]'", "JobState=COMPLETED(.|\n)*NodeList=", until=True)


def _job(reason: str, *more: str | Step, name: str = "") -> tuple[str | Step, ...]:
    named = f" --job-name={name}" if name else ""
    return (
        "### A job\n\nThere is no node. The job waits, and `explain` says why. (`--chdir`: no directory is shared with "
        "the nodes of this walk.)",
        do(f"sbatch --chdir=/tmp{named} --wrap 'sleep 30'", "Submitted batch job 1"),
        do(f"arvados-node-manager explain {name or 1}", reason, until=True),
        "Ask until its node is there, and works:",
        BUSY,
        *more,
        "And until it has run:",
        RAN,
    )


SRUN = (
    "`srun` waits until there is a node for it, and then says where it ran. It complains that the node lacks its "
    "directory:",
    do("srun hostname", r"^\S+-1$"),
)


WALKS: Mapping[str, Walk] = {
    "slurm": Walk(
        title="Slurm alone, queue-driven",
        suite="bookworm",
        parts=(
            *_base("cgroup/v1"),
            *_image(MUNGE_KEY),
            *FROM_SOURCE,
            *_init("slurm"),
            *SLURM_CONF,
            *UNIT,
            *CHECKED,
            *STARTED,
            *_job("a node for it is there or on its way"),
            *DOCTOR,
            *GONE,
        ),
    ),
    "slurm-cloud": Walk(
        title="Slurm decides",
        suite="trixie",
        parts=(
            *_base("disabled"),
            *_image(MUNGE_KEY),
            *FROM_SOURCE,
            *_init("slurm-cloud"),
            "Slurm starts its nodes by a program that wakes the daemon:",
            quietly("install -d /usr/lib/arvados-node-manager"),
            do("arvados-node-manager wake --install /usr/lib/arvados-node-manager/poke", ""),
            *SLURM_CONF,
            *UNIT,
            *CHECKED,
            *STARTED,
            *_job("placed on m5large-1", *SRUN),
            *DOCTOR,
            *GONE,
        ),
    ),
    "arvados": Walk(
        title="Arvados and Slurm",
        suite="bookworm",
        arvados_slots=4,
        parts=(
            *_base("cgroup/v1"),
            *FROM_SOURCE,
            *_init(
                "arvados",
                "--set '[Arvados] host = http://10.77.0.2:8001'",
                "--set '[Cloud Create] ping_host = http://10.77.0.2:8001'",
            ),
            quietly(f"sed -i 's|^token = replace-with.*|token = a-token-of-an-administrator|' {CONFIG}"),
            *SLURM_CONF,
            *_image(*AS_IT_IS),
            *UNIT,
            *CHECKED,
            *STARTED,
            *_job("a node for it is there or on its way", name=CONTAINER),
            *DOCTOR,
            *GONE,
        ),
    ),
}
