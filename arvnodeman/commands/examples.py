"""An example or two of each command, as its --help ends. Tests hold that the program takes each of them."""

from __future__ import annotations

from collections.abc import Mapping

EXAMPLES: Mapping[str, tuple[str, ...]] = {
    "status": ("status --nodes",),
    "explain": ("explain compute1", "explain 4711"),
    "hold": ("hold compute1 --reason 'looking at its console'",),
    "drain": ("drain compute1 compute2 --reason 'new image'",),
    "run": ("run compute1",),
    "kill": ("kill compute1 --reason 'hangs, and its job is lost anyway'",),
    "retry": ("retry 4711 --reason 'the limit of the QOS is raised'",),
    "budget": ("budget", "budget raise physics 50 --until 2027-01-31 --reason 'end of the project'"),
    "decisions": ("decisions -n 50", "decisions --follow"),
    "init": (
        "init --cloud ec2 --setup slurm-cloud --cluster physics --size m5.large --size m5.4xlarge --max-nodes 50",
        "init --cloud openstack --setup slurm --cluster physics --size m1.large:4:8192:0.20",
    ),
    "wake": ("wake", "wake --install /usr/lib/arvados-node-manager/poke"),
    "report": ("report --since 7d", "report --since last-month --format csv", "report --since 7d --plot week.png"),
    "simulate": (
        "simulate --config site.cfg --trace jobs.psv",
        "simulate --config site.cfg --trace jobs.psv --sweep '[Daemon] max_nodes = 20,40,80'",
    ),
    "check-config": (
        "check-config /etc/arvados-node-manager/config.ini",
        "check-config new.cfg --preview --trace jobs.psv --against now.cfg",
    ),
    "cloud-test": ("cloud-test --config site.cfg --size m5.large", "cloud-test --config site.cfg --list-orphans"),
    "doctor": ("doctor", "doctor --fix"),
    "demo": ("demo --jobs 100 --seed 7", "demo --cloud ec2", "demo --cloud openstack"),
    "sandbox": ("sandbox --speed 60 --config site.cfg",),
}
DAEMON = ("--config /etc/arvados-node-manager/config.ini --foreground",)


def told(program: str, command: str | None) -> str:
    """The last lines of the help of a command; None: of the daemon."""
    lines = DAEMON if command is None else EXAMPLES[command]
    head = "example" if len(lines) == 1 else "examples"
    return "\n".join([f"\n{head}:", *(f"  {program} {line}" for line in lines), ""])
