"""What the keeper of names asks of Slurm, beside what every Slurm cluster is asked.

That is all that Slurm has noted of its nodes, and notes of our own on nodes and jobs. As in commands.py, each method is
one command, and fails with SlurmFailure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from arvnodeman.config.hostlist import hostlist
from arvnodeman.slurm.errors import ControllerAway, Refused, SlurmFailure, UnknownNode, first_line
from arvnodeman.slurm.job_costs import CostsOfJobs
from arvnodeman.slurm.nodes import ALL
from arvnodeman.slurm.show import ShownNode, parse_config, parse_nodes, parse_partitions

# Where Slurm looks for a name that no node has: nobody has this address (RFC 5737). Not the name itself: one that the
# DNS does not know holds Debian's slurmctld up for 10 s at each message to it, and Slurm's commands time out meanwhile.
NOBODYS_ADDRESS = "192.0.2.1"
LEASE = "node-manager-lease:"  # how the Extra of a node begins that is told that it is managed; see lease.sh
_NAMES = 500  # of nodes in one argument; for more all nodes are listed
_NONE = "No nodes in the system"  # what scontrol says where there are none, or all are hidden


@dataclass(frozen=True, slots=True)
class NameNote:
    """What is to be written on a name: its Comment ('' takes it away), and where it is looked for, if that changes. Its
    NodeHostName then becomes the name, unless it keeps what it has."""

    name: str
    comment: str
    address: str | None = None
    resume: bool = False
    keeps_hostname: bool = False


class NamesInSlurm(CostsOfJobs):
    """Slurm with what a keeper needs of it."""

    def shown(self) -> dict[str, ShownNode]:
        """All nodes that Slurm shows, by name; one that cannot be read is left out, with a warning. It shows none where
        all are declared CLOUD or FUTURE; an answer of which no node can be read is a failure."""
        text = self._show_all()
        if text.strip() == _NONE:
            return {}
        nodes, malformed = parse_nodes(text)
        if not nodes:
            raise ControllerAway("scontrol", f"it shows no node that can be read; it begins with {first_line(text)!r}")
        self._report("scontrol", malformed, self.log)
        return nodes

    def working_without_jobs(self) -> dict[str, str]:
        """Nodes that Slurm calls working, with what it calls them, though squeue shows no job on them, neither before
        nor after that. Seen with 24.11: slurmctld logs `Invalid batch host NAME for JobId=N; this should never happen`,
        and what it took of the node for that job is never given back."""
        before = self._nodes_of_jobs()
        working = {name: node.base.lower() for name, node in self.shown().items() if node.works}
        after = self._nodes_of_jobs() if working else set()
        return {name: state for name, state in working.items() if name not in before and name not in after}

    def _nodes_of_jobs(self) -> set[str]:
        """Those on which a job runs, is suspended, begins or completes."""
        lists = self._run("squeue", ALL, "--noheader", "--format=%N").split("\n")
        return {name for each in set(map(str.strip, lists)) if each for name in hostlist(each)}

    def shown_nodes(self, names: Sequence[str]) -> dict[str, ShownNode]:
        """These nodes, asked now with one command; one that Slurm does not know is not among them."""
        if len(names) > _NAMES:
            return self.shown()
        try:
            text = self._run("scontrol", "--all", "show", "node", ",".join(names))
        except UnknownNode:
            return self.shown()  # where one is not known, scontrol may end before the others
        nodes, malformed = parse_nodes(text)
        self._report("scontrol", malformed, self.log)
        return nodes

    def note_all(self, notes: Sequence[NameNote]) -> dict[str, SlurmFailure]:
        """Write on each name, in one request for each, which may resume it, too. Returns the failures by name."""
        failures: dict[str, SlurmFailure] = {}
        changes = []
        for each in notes:
            try:
                changes.append((each.name, tuple(self._changes(each))))
            except Refused as refusal:
                failures[each.name] = refusal
        return failures | self.change_all(changes)

    def _changes(self, note: NameNote) -> list[str]:
        changes = [f"Comment={self.one_line(note.comment)}"]
        address = note.address
        if address is not None:
            if not address or not address.isascii() or not address.isprintable() or " " in address:
                raise Refused("scontrol", f"{address[:80]!r} is not the address of a node")
            changes += [f"NodeAddr={address}", *([] if note.keeps_hostname else [f"NodeHostName={note.name}"])]
        return [*changes, *(["State=RESUME"] if note.resume else [])]

    def renew_leases(self, hostnames: Sequence[str], value: str) -> None:
        """See Scheduler. In Extra, by one `scontrol show nodes` and an update for 500 names. Of a name in such a list
        that Slurm does not know it complains, and changes the others (22.05, 24.11)."""
        shown = self.shown()
        known = [name for name in hostnames if name in shown and name not in self.never_ours]
        ours = [name for name in known if not shown[name].extra or shown[name].extra.startswith(LEASE)]
        for first in range(0, len(ours), _NAMES):
            with suppress(UnknownNode):
                names = ",".join(ours[first : first + _NAMES])
                self._run("scontrol", "update", f"NodeName={names}", f"Extra={LEASE}{value}")
        if others := sorted(set(known).difference(ours)):
            text = "the lease of %d nodes cannot be renewed: their Extra is somebody else's, %r on %s"
            self.log.warning(text, len(others), shown[others[0]].extra[:80], others[0])

    def configuration(self) -> Mapping[str, str]:
        """slurm.conf as slurmctld has read it; what is not set is left out."""
        return parse_config(self._run("scontrol", "show", "config"))

    def partitions(self) -> Mapping[str, Mapping[str, str]]:
        """What slurmctld says of each partition, by name; a Slurm without any is not a failure."""
        return parse_partitions(self._run("scontrol", "--all", "--oneliner", "show", "partitions"))
