"""A site on a clock that stands still until a test advances it, and hands that boot a node as the daemon does."""

from __future__ import annotations

from dataclasses import dataclass

from arvnodeman.sandbox.clock import VirtualClock
from arvnodeman.sandbox.cloud import NodeRequest, SandboxNode
from arvnodeman.sandbox.dispatcher import Work
from arvnodeman.sandbox.slurm_commands import CommandOutput, run_command
from arvnodeman.sandbox.wiring import Site, SiteOptions
from arvnodeman.sandbox.workload import JobSpec


@dataclass
class Play:
    """A site and its clock."""

    site: Site
    clock: VirtualClock

    def record(self) -> dict[str, str]:
        """A node record with a slot."""
        row = self.site.store.create_node({}, assign_slot=True)
        return {"uuid": row["uuid"], "hostname": row["hostname"], "secret": row["info"]["ping_secret"]}

    def boot(self, size: str = "small", token: str = "") -> tuple[SandboxNode, str]:
        """Take a record, create its node; the node and the hostname."""
        record = self.record()
        name = record["hostname"]
        url = f"http://127.0.0.1:1/arvados/v1/nodes/{record['uuid']}/ping?ping_secret={record['secret']}"
        self.slurm("scontrol", "update", f"NodeName={name}", f"AvailableFeatures=instancetype={size}")
        node = self.site.cloud.create(NodeRequest(f"{name}.{size}", size, {"a": "b"}, url, token=token))
        return node, name

    def up(self, size: str = "small") -> tuple[SandboxNode, str]:
        """A node that has booted and is idle in Slurm."""
        node, name = self.boot(size)
        self.clock.advance(200)
        assert self.sinfo(name) == "idle"
        return node, name

    def slurm(self, *argv: str) -> CommandOutput:
        """Run a Slurm command."""
        return run_command(self.site.slurm, argv)

    def sinfo(self, name: str, form: str = "%t") -> str:
        """What sinfo says of one node."""
        return self.slurm("sinfo", "-h", "-n", name, f"--format={form}").stdout.strip()

    def job(self, name: str = "zzzzz-dz642-000000000000001", **spec: object) -> Work:
        """Submit a job now."""
        self.site.dispatcher.add(JobSpec(name=name, **spec))  # type: ignore[arg-type]
        self.clock.advance(0)
        return self.site.dispatcher.work[name]

    def kinds(self) -> list[str]:
        """The kinds of all that has happened, in order."""
        return [str(event["kind"]) for event in self.site.events.since(0)]


def new_play(**options: object) -> Play:
    """A site of its own. Boot times have no jitter unless asked for."""
    clock = VirtualClock()
    given = {"jitter": 0.0, "slots": 8, "speed": 1.0, **options}
    return Play(Site(SiteOptions(**given), clock), clock)  # type: ignore[arg-type]
