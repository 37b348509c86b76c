"""Many nodes in one command: what hundreds of them need at once would take a process each, else.

Each method answers for each node by itself: what one is refused costs only that one. It raises what fails for all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from arvnodeman.config.hostlist import hostlist
from arvnodeman.fleet.values.work import NodeWork
from arvnodeman.scheduler.base import Seen
from arvnodeman.slurm.commands import Slurm
from arvnodeman.slurm.errors import ControllerAway, NotInstalled, NotNeeded, NotPermitted, SlurmFailure
from arvnodeman.slurm.nodes import ALL
from arvnodeman.slurm.run import run
from arvnodeman.slurm.script import Change, failures_of, fits, script_of

AT_ONCE = 250  # changes by one scontrol: a busy slurmctld takes up to 50 ms for each
SECONDS_EACH = 0.1  # that one of them adds to the time-out
Item = TypeVar("Item")
_FEW = 2  # nodes whose jobs are counted one by one
_LISTED = 500  # names in one argument


class ManyNodes(Slurm):
    """Slurm, for many nodes at a time."""

    alone = 2  # so many changes have a command each: no script is made for them

    def drain_all(self, reasons: Mapping[str, str]) -> dict[str, SlurmFailure]:
        """drain() for each name with its reason. Returns the failures by name."""
        return self.change_all(
            [(name, ("State=DRAIN", f"Reason={self.one_line(why)}")) for name, why in reasons.items()]
        )

    def resume_all(self, hostnames: Iterable[str]) -> dict[str, SlurmFailure]:
        """resume() for each name. Returns the failures by name."""
        failures = self.change_all([(name, ("State=RESUME",)) for name in hostnames])
        return {name: failure for name, failure in failures.items() if not isinstance(failure, NotNeeded)}

    def set_down_all(self, reasons: Mapping[str, str]) -> dict[str, SlurmFailure]:
        """set_down() for each name with its reason. Returns the failures by name."""
        return self.change_all(
            [(name, ("State=DOWN", f"Reason={self.one_line(why)}")) for name, why in reasons.items()]
        )

    def observe_all(self, hostnames: Mapping[str, bool]) -> dict[str, Seen | SlurmFailure]:
        """node() of each name, asked now with one command for all; and jobs_on() of those with True, after that."""
        nodes = self.nodes_now(hostnames)
        asked = [name for name, jobs in hostnames.items() if jobs and isinstance(nodes[name], NodeWork)]
        counts = self._jobs_on_all(asked) if asked else {}
        found: dict[str, Seen | SlurmFailure] = {}
        for name, node in nodes.items():
            count = counts.get(name)
            if isinstance(node, SlurmFailure):
                found[name] = node
            else:
                found[name] = count if isinstance(count, SlurmFailure) else (node, count)
        return found

    def _jobs_on_all(self, hostnames: Sequence[str]) -> dict[str, int | SlurmFailure]:
        """How many jobs are on each node, with one command for many; where that is refused, for a name that Slurm has
        just forgotten, each is asked about alone."""
        counts: dict[str, int | SlurmFailure] = {}
        for names in _parts(hostnames, _LISTED):
            if len(names) <= _FEW:
                counts |= self._jobs_on_each(names)
                continue
            try:
                text = self._run("squeue", ALL, "--noheader", "--format=%N", "-w", ",".join(names))
                lines = filter(None, map(str.strip, text.split("\n")))
                jobs = Counter(name for line in lines for name in hostlist(line))
                counts |= {name: jobs[name] for name in names}
            except (ControllerAway, NotInstalled, NotPermitted):
                raise
            except (SlurmFailure, ValueError) as refusal:
                self.log.info("a list of %d nodes was refused; each is asked about alone: %s", len(names), refusal)
                counts |= self._jobs_on_each(names)
        return counts

    def _jobs_on_each(self, hostnames: Iterable[str]) -> dict[str, int | SlurmFailure]:
        counts: dict[str, int | SlurmFailure] = {}
        for name in hostnames:
            try:
                counts[name] = self.jobs_on(name)
            except SlurmFailure as failure:
                counts[name] = failure
        return counts

    # ---- changes -----------------------------------------------------------------------------------------------------

    def change_all(self, changes: Sequence[Change]) -> dict[str, SlurmFailure]:
        """scontrol update for each, in this order. Returns the failures by name."""
        failures: dict[str, SlurmFailure] = {}
        told: list[Change] = []
        for change in changes:
            try:
                self.check_changeable(change[0])
            except SlurmFailure as refusal:
                failures[change[0]] = refusal
                continue
            if fits(change):
                told.append(change)
            else:
                failures |= self._change_each([change])
        for some in _parts(told, AT_ONCE):
            failures |= self._change_each(some) if len(some) <= self.alone else self._change_together(some)
        return failures

    def _change_together(self, changes: Sequence[Change]) -> dict[str, SlurmFailure]:
        timeout = self.timeout + SECONDS_EACH * len(changes)
        output = run(["scontrol"], timeout=timeout, text=script_of(changes))
        found = failures_of(len(changes), output.stderr)
        if found is None:
            self.log.info("scontrol does not say what came of each of %d changes; each is made alone", len(changes))
            return self._change_each(changes)
        failures = {name: failure for (name, _), failure in zip(changes, found, strict=True) if failure is not None}
        if None not in found:
            first = next(iter(failures.values()))
            if isinstance(first, ControllerAway | NotPermitted):
                raise first
        return failures

    def _change_each(self, changes: Iterable[Change]) -> dict[str, SlurmFailure]:
        """One by one. One that Slurm does not answer, or that this account may not make, is the last."""
        failures: dict[str, SlurmFailure] = {}
        hopeless: SlurmFailure | None = None
        for name, words in changes:
            try:
                if hopeless is None:
                    self._update(name, *words)
            except (ControllerAway, NotInstalled, NotPermitted) as failure:
                hopeless = failure
            except SlurmFailure as failure:
                failures[name] = failure
            if hopeless is not None:
                failures[name] = hopeless
        return failures


def _parts(items: Sequence[Item], length: int) -> Iterator[Sequence[Item]]:
    for first in range(0, len(items), length):
        yield items[first : first + length]
