"""How Slurm's commands are run and believed, and what sinfo, scontrol and squeue say of nodes."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from arvnodeman.config.hostlist import hostlist
from arvnodeman.fleet.values.work import NodeWork
from arvnodeman.slurm.errors import (
    ControllerAway,
    Refused,
    SlurmFailure,
    failure_of,
    first_line,
    recognise,
    unknown_nodes,
)
from arvnodeman.slurm.room import RoomReader
from arvnodeman.slurm.run import run
from arvnodeman.slurm.sharing import Sharing
from arvnodeman.slurm.sinfo import SINFO_FORMAT, NodesReader, NodesReading
from arvnodeman.slurm.tried import remark_on, version_of
from arvnodeman.slurm.words import node_work

ALL = "--all"  # else what is in hidden partitions, jobs and nodes, is not shown to a Slurm operator
ON_NODES = "CONFIGURING,RUNNING,SUSPENDED,COMPLETING"
NO_FIELD = re.compile(r"Invalid job format specification: ?([A-Za-z-]{1,40})")
_HOSTNAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,252})")
_NAMES = 500  # of nodes in one argument, which the kernel bounds; for more all nodes are listed
_WARNINGS = 10  # malformed lines named in one poll
_queue_log = logging.getLogger("arvnodeman.jobqueue")
_log = logging.getLogger("arvnodeman.slurm")


class SlurmNodes:
    """What Slurm says of its nodes. Each method runs one command, or some, in the calling thread."""

    def __init__(self, timeout: float, *, share: bool = False, counts_jobs: Callable[[], bool] = lambda: False) -> None:
        """`share`: jobs may share nodes, where Slurm lets them. `counts_jobs`: does it matter how many are on each?"""
        self._counts_jobs = counts_jobs
        self.timeout = timeout
        self.sharing = Sharing(self._run, lambda: version_of(self._run("squeue", "--version")), share)
        self._rooms = RoomReader()
        self._all_shown = ""  # what scontrol has just shown of all nodes, if nodes() is yet to hear of it
        self._remark: str | None = None
        self._reader = NodesReader()
        self._unknown: set[str] = set()  # fields of jobs that this squeue does not know

    def nodes(self) -> Mapping[str, NodeWork]:
        """Every node that Slurm shows, by name. No node at all is a failure: slurm.conf has at least one. A node of
        which the last call said the same is the object that it was; so is the mapping, where all is the same. Where
        jobs share nodes, each is given with its room."""
        nodes = self._sinfo(self._reader).nodes
        if not nodes:
            raise ControllerAway("sinfo", "it lists no node")
        rules = self.sharing.fetch()
        if rules is None:
            return nodes
        shown, self._all_shown = self._all_shown or self._show_all(), ""
        for line in self._rooms.read(shown, rules):
            _log.warning("%s", line)
        return self._rooms.given(nodes, self._jobs_on_nodes() if self._counts_jobs() else {})

    def _jobs_on_nodes(self) -> Mapping[str, int]:
        """How many jobs are on each node that has any. It costs slurmctld one list of all jobs."""
        text = self._run("squeue", ALL, "--noheader", f"--states={ON_NODES}", "--format=%N")
        return Counter(name for line in text.split("\n") if line.strip() for name in hostlist(line.strip()))

    def node(self, hostname: str) -> NodeWork | None:
        """One node, asked now: nodes_now() of one name. Raises Refused for what is not the name of a node."""
        found = self.nodes_now([hostname])[hostname]
        if isinstance(found, SlurmFailure):
            raise found
        return found

    def nodes_now(self, hostnames: Iterable[str]) -> dict[str, NodeWork | SlurmFailure | None]:
        """These nodes as slurmctld counts them now, with one command for all. None: Slurm says in so many words that it
        does not know the node; a SlurmFailure stands for one that was not asked about, or not with success. Raises what
        fails for all of them.

        Asked about one name alone, sinfo shows the CPUs in use, and so `mix`, `drng` and `failg`, as they were at the
        last listing of several, whenever that was; of several it shows what is. So one name is given twice.

        That sinfo lists nothing is not enough to say that a node is unknown: it lists no node that is in no partition
        either. On such a node no job can begin; it is shown as drained, or as draining while jobs are on it."""
        found: dict[str, NodeWork | SlurmFailure | None] = {}
        asked: list[str] = []
        for hostname in dict.fromkeys(hostnames):
            try:
                check_hostname("sinfo", hostname)
                asked.append(hostname)
            except Refused as refusal:
                found[hostname] = refusal
        if not asked:
            return found
        which = [f"--nodes={','.join(asked if len(asked) > 1 else asked * 2)}"] if len(asked) <= _NAMES else []
        read = self._sinfo(NodesReader(), *which)
        listed, malformed = read.nodes, read.malformed
        found |= {hostname: listed[hostname] for hostname in asked if hostname in listed}
        unlisted = [hostname for hostname in asked if hostname not in listed]
        if unlisted and malformed:
            found |= dict.fromkeys(
                unlisted, ControllerAway("sinfo", f"{first_line(malformed[0])!r} is not a node's line")
            )
        elif unlisted:
            found |= self._unlisted(unlisted)
        return found

    def remark(self) -> str:
        """A line where this Slurm is none of the versions that were tried; '' where it is, or does not answer. Asked
        once."""
        if self._remark is None:
            try:
                self._remark = remark_on(self.version())
            except SlurmFailure:
                return ""
        return self._remark

    def version(self) -> str:
        """What `squeue --version` prints."""
        return self._run("squeue", "--version").strip()

    def jobs_on(self, hostname: str) -> int:
        """How many jobs run on a node or are being cleaned up there. Raises UnknownNode."""
        check_hostname("squeue", hostname)
        text = self._run("squeue", ALL, "--noheader", "--format=%i", "-w", hostname)
        return sum(1 for line in text.split("\n") if line.strip())

    # ---- inside ----------------------------------------------------------------------------------------------------

    def _show_all(self) -> str:
        """What scontrol shows of all nodes: with what is in use of their GRES, where jobs share them."""
        if self.sharing.fetch() is None:
            return self._run("scontrol", ALL, "show", "nodes")
        self._all_shown = self._run("scontrol", "--details", ALL, "show", "nodes")
        return self._all_shown

    def _sinfo(self, reader: NodesReader, *which: str) -> NodesReading:
        """What it says of all nodes, or of these."""
        text = self._run("sinfo", ALL, "--noheader", f"--format={SINFO_FORMAT}", *which)
        read = reader.read(text)
        self._report("sinfo", read.malformed, _log, nothing=not read.nodes)
        if read.malformed and not read.nodes:
            raise ControllerAway("sinfo", f"no line of its output can be read, the first is {first_line(text)!r}")
        return read

    def _unlisted(self, hostnames: Sequence[str]) -> dict[str, NodeWork | SlurmFailure | None]:
        """Nodes that sinfo does not list, as nodes_now() gives them."""
        found: dict[str, NodeWork | SlurmFailure | None] = {}
        for first in range(0, len(hostnames), _NAMES):
            some = hostnames[first : first + _NAMES]
            found |= dict.fromkeys(some)
            for hostname in self._known(some):
                try:
                    found[hostname] = node_work(hostname, "drng" if self.jobs_on(hostname) else "drain")
                except SlurmFailure as failure:
                    found[hostname] = failure
        return found

    def _known(self, hostnames: Sequence[str]) -> list[str]:
        """Those of these that Slurm knows; it has to say of each of the others that it does not."""
        output = run(["scontrol", "--all", "show", "node", ",".join(hostnames)], timeout=self.timeout)
        shown = {line.split(maxsplit=1)[0] for line in output.stdout.split("\n") if line.startswith("NodeName=")}
        unknown = unknown_nodes(f"{output.stderr}\n{output.stdout}")
        known = [hostname for hostname in hostnames if f"NodeName={hostname}" in shown]
        if not unknown.issuperset(set(hostnames).difference(known)):
            raise failure_of("scontrol", output.returncode, output.stdout, output.stderr)
        return known

    def _run(self, command: str, *arguments: str) -> str:
        output = run([command, *arguments], timeout=self.timeout)
        if output.returncode != 0:
            raise failure_of(command, output.returncode, output.stdout, output.stderr)
        if output.stdout and not output.stdout.endswith("\n"):
            raise ControllerAway(command, "its output ends in the middle of a line")
        if output.stderr and command == "squeue":
            self._note_unknown(output.stderr)
        # A listing that has lines is judged by them (_report). Else a code of 0 is not trusted where an error is shown.
        blank = not output.stdout or output.stdout.isspace()  # strip() would copy all of it
        if blank or not (command in ("squeue", "sinfo", "sdiag") or "show" in arguments[:2]):
            error = recognise(command, f"{output.stderr}\n{output.stdout}")
            if error is not None:
                raise error
        return output.stdout

    def _note_unknown(self, stderr: str) -> None:
        """One line for each field that this squeue does not know."""
        for name in NO_FIELD.findall(stderr[:65536]):
            if name not in self._unknown:
                self._unknown.add(name)
                _queue_log.warning("this squeue does not show %s of jobs: what they ask for with it is not seen", name)

    @staticmethod
    def _report(command: str, malformed: Sequence[str], log: logging.Logger, *, nothing: bool = False) -> None:
        """`nothing`: no line could be read. Then one that tells of an error is believed; among good ones it is what
        somebody wrote, such as a part of a job's name."""
        for line in malformed if nothing else ():
            error = recognise(command, line)
            if error is not None:
                raise error
        for line in malformed[:_WARNINGS]:
            log.warning("ignored malformed line in %s output: %.300r", command, line[:300])
        if len(malformed) > _WARNINGS:
            log.warning("ignored %d more malformed lines in %s output", len(malformed) - _WARNINGS, command)


def check_hostname(command: str, hostname: str) -> None:
    """Raises Refused for what is not the name of one node."""
    # `ALL` and a hostlist would reach nodes that nobody meant.
    if not _HOSTNAME.fullmatch(hostname) or hostname.upper() == "ALL":
        raise Refused(command, f"{hostname!r} is not the name of one node")
