"""What a run does so that rare calls are made: a job, a lost answer, an operator's hand in Slurm or at the cloud."""

from __future__ import annotations

import contextlib
import http.client
import json
import random
import subprocess
import time
from pathlib import Path
from typing import Any

from arvnodeman.commands.client import ClientError, DaemonClient, Way
from arvnodeman.sandbox.process import SiteProcess

_APART = 0.7  # real seconds between two deeds
_CAUSES: dict[str, tuple[str, ...]] = {
    "job": (
        "records.prepare",
        "records.describe",
        "records.prepare_all",
        "records.describe_all",
        "slurm.note_all",
        "notes.note",
        "notes.shown_node",
        "cloud.create_node",
        "cloud.finish_node",
        "slurm.describe",
        "cloud.list_sizes",
    ),
    "create-lost": ("cloud.find_node",),
    "destroy-fails": ("cloud.fetch_node",),
    "unsatisfiable": ("jobs.explain", "jobs.cancel", "slurm.cancel", "notes.note_on_job"),
    "untag": ("cloud.sync_fqdn",),
    "fail": ("slurm.jobs_on",),
    "drain": (
        "cloud.set_directive",
        "cloud.destroy_node",
        "slurm.drain",
        "slurm.node",
        "slurm.set_down",
        "slurm.drain_all",
        "slurm.observe_all",
        "records.release",
        "records.release_all",
    ),
    "old drain": ("slurm.resume",),
    "refused": ("slurm.give_back", "slurm.release_jobs", "slurm.open_names", "slurm.close_names"),
    "vanish": ("slurm.set_down_all",),
}
_BYGONE = "bygone"
_CAUSE = {call: cause for cause, calls in _CAUSES.items() for call in calls}


class Mischief:
    """Provokes calls. All that it adds is counted by the site."""

    def __init__(self, site: SiteProcess, door: Path, dice: random.Random) -> None:
        """`door`: the daemon's own socket."""
        self._site = site
        self._daemon = DaemonClient([Way(path=str(door))], timeout=2.0)
        self._dice = dice
        self._next = 0.0

    def provoke(self, point: str) -> None:
        """Do something that makes the daemon come to this point, unless something was done just now."""
        cause = _CAUSE.get(point.partition(" ")[2])
        if cause is None or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + _APART
        match cause:
            case "job":
                self._job()
            case "refused":
                self._site.post("faults", {"arm": {"create-capacity": 1}})
                self._job()
            case "create-lost":
                self._site.post("faults", {"arm": {"create-lost": 1}})
                self._job()
            case "destroy-fails":
                self._site.post("faults", {"arm": {"destroy-fails": 1}})
            case "unsatisfiable":
                self._unsatisfiable_job()
            case _:
                self._to_a_node(cause)

    def _job(self) -> None:
        self._site.add_jobs({"size": self._dice.choice(("small", "medium", "large")), "duration": 60})

    def _unsatisfiable_job(self) -> None:
        """One that names a size that nobody has. More than three would look like a mistake of the operator's."""
        jobs = self._site.state("jobs")["job_list"]
        if sum(job["size"] == _BYGONE and job["state"] == "pending" for job in jobs) < 2:
            self._site.add_jobs({"size": _BYGONE, "duration": 60})

    def _to_a_node(self, cause: str) -> None:
        nodes = [node for node in self._site.state("nodes")["node_list"] if self._fits(cause, node)]
        if not nodes:
            self._job()
            return
        node = self._dice.choice(nodes)
        match cause:
            case "vanish":
                self._site.post(f"nodes/{node['id']}", {"do": "vanish"})
            case "untag":
                self._write_tags(node["id"], {"hostname": None})
            case "fail":
                self._slurm(node["hostname"], "State=FAIL", "Reason=bad disk")
            case "drain":
                with contextlib.suppress(ClientError):  # the daemon is not there yet, or does not know the node yet
                    self._daemon.post("nodes", node["id"], "drain", reason="chaos")
            case "old drain":
                self._slurm(node["hostname"], "State=DRAIN", "Reason=Node Manager shutdown (sb-0)")

    @staticmethod
    def _fits(cause: str, node: dict[str, Any]) -> bool:
        if cause in ("untag", "drain", "vanish"):
            return bool(node["state"] == "running")
        return bool(node["slurm"] in ("idle", "alloc"))

    def _slurm(self, hostname: str, *changes: str) -> None:
        command = ["scontrol", "update", f"NodeName={hostname}", *changes]
        subprocess.run(command, env=self._site.environment(), capture_output=True, timeout=10, check=False)

    def _write_tags(self, node_id: str, tags: dict[str, str | None]) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._site.address.port, timeout=10)
        try:
            headers = {"Authorization": f"Bearer {self._site.address.key}", "Content-Type": "application/json"}
            connection.request("PUT", f"/cloud/nodes/{node_id}/tags", json.dumps({"tags": tags}), headers)
            connection.getresponse().read()
        except (OSError, http.client.HTTPException):
            pass  # a fault has struck this request of ours
        finally:
            connection.close()
