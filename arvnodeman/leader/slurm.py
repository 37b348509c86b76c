"""The lead goes with Slurm's own: who runs on the host whose slurmctld acts, leads. No other service is needed.

Slurm keeps nothing that one of several could be the first to write, so this backend waits instead. A manager takes the
lead once its own host's slurmctld was seen to act for a whole ttl, without a gap; and it holds on only while its last
hold is younger than that. Whoever led before has seen meanwhile that its slurmctld does not act, or has not seen it
act for a ttl. A process that follows another on the same host goes on from that one's last hold, by a note in the
state directory.

The generation is the time at which the lead was taken, in seconds, or one above what is known, if that is more. The
moment at which slurmctld began (BOOT_TIME) goes back: a backup that acts shows when it was started, not when it took
over, and a primary that hung and goes on shows its old one.
"""

from __future__ import annotations

import json
import logging
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from arvnodeman.fence.fence import steady
from arvnodeman.fleet.values.model import RemoteFailure
from arvnodeman.leader.acting_controller import controllers_in, is_this_host
from arvnodeman.leader.claimant import Claimant
from arvnodeman.leader.port import Hold, Holder, LeadCandidate, NotTheLeader, StoreAway
from arvnodeman.leader.watched import Watched
from arvnodeman.slurm.errors import failure_of
from arvnodeman.slurm.run import run
from arvnodeman.supervision.ready_file import ReadyFile, read_object

if TYPE_CHECKING:
    from arvnodeman.config import Settings

NOTE = "leader.json"
"""In the state directory: the last hold."""
_ROOM = 1024  # bytes of the note
HOST_OFF = 5.0  # seconds: scontrol takes 4 where the primary's host does not answer at all (TCPTimeout, twice)
_GAP = 3.0  # a look that is older than this part of ttl says nothing of the time since

_log = logging.getLogger("arvnodeman.leader.slurm")


def of_settings(settings: Settings, candidate: LeadCandidate) -> SlurmLeadership:
    """As [Leader] has it."""
    given, folder = settings.leader, settings.daemon.state_dir
    return SlurmLeadership(
        given.this_host or socket.gethostname(),
        Claimant.this_process(candidate.name, settings),
        ttl=given.ttl,
        timeout=max(given.timeout, HOST_OFF),
        note=Path(folder) / NOTE if folder else None,
    )


class SlurmLeadership:
    """One process, for one thread. Each call runs scontrol once.

    host: what this host is called in SlurmctldHost. ttl: seconds of a lease; timeout: seconds for each call. note: a
    file for the last hold, None for none: then each start waits for a ttl.
    """

    def __init__(
        self,
        host: str,
        claimant: Claimant,
        *,
        ttl: float,
        timeout: float,
        note: Path | None = None,
        clock: Callable[[], float] = steady,
    ) -> None:
        self._host, self._claimant = host, claimant
        self._ttl, self._timeout, self._clock = ttl, timeout, clock
        self._note = None if note is None else ReadyFile(note, _ROOM)
        self._watched = Watched()
        self._looked: float | None = None
        self._last: Hold | None = None  # the newest hold, while this process leads

    def take(self, at_least: int = 0) -> Hold | None:
        """As the port says. To be asked more often than every third of ttl, for what was not seen did not last."""
        began = self._clock()
        if self._looked is not None and began - self._looked > self._ttl / _GAP:
            self._watched.forget()
        try:
            acting = self._acting()
        except StoreAway:
            self._watched.forget()
            raise
        self._looked = self._clock()
        if not is_this_host(acting, self._host):
            self._watched.forget()
            return None
        before = self._noted()
        follows = before is not None and 0 <= began - before.began < self._ttl
        if self._watched.unchanged(acting, began, self._looked) < self._ttl and not follows:
            return None
        known = max(at_least, before.generation if before else 0)
        self._last = Hold(max(known + 1, int(time.time())), began)
        self._write(self._last)
        return self._last

    def hold(self) -> Hold:
        """As the port says."""
        if self._last is None:
            raise NotTheLeader("this process does not lead")
        began = self._clock()
        if began - self._last.began >= self._ttl:
            self._last = None
            raise NotTheLeader(f"its last hold is older than {self._ttl:g} s: another may lead")
        acting = self._acting()
        if not is_this_host(acting, self._host):
            self._last = None
            self._watched.forget()
            raise NotTheLeader(f"the slurmctld of {acting} acts, and this host is {self._host}")
        self._last = Hold(self._last.generation, began)
        self._write(self._last)
        return self._last

    def give_up(self) -> None:
        """The lead stays on this host for as long as its slurmctld acts: only the next process here may have it."""
        self._last = None
        self._watched.forget()

    def who(self) -> Holder | None:
        """As the port says: another host by its name, with 0 for a generation that only its leader knows."""
        acting = self._acting()
        if not is_this_host(acting, self._host):
            return Holder(acting, 0)
        return None if self._last is None else Holder(self._claimant.name, self._last.generation)

    # ---- asking ----------------------------------------------------------------------------------------------------

    def _acting(self) -> str:
        """The host whose slurmctld acts. Raises StoreAway."""
        argv = ["scontrol", "show", "config"]
        try:
            done = run(argv, timeout=self._timeout)
            if done.returncode:
                raise failure_of(argv[0], done.returncode, done.stdout, done.stderr)
        except RemoteFailure as failure:
            raise StoreAway(f"no slurmctld acts, as far as can be told: {failure}") from None
        controllers = controllers_in(done.stdout)
        if controllers is None or controllers.acting is None:
            raise StoreAway("scontrol show config does not say which slurmctld is up")
        return controllers.acting

    # ---- the note ----------------------------------------------------------------------------------------------------

    def _noted(self) -> Hold | None:
        """The last hold of the process before this one, on this host and since it was booted."""
        if self._note is None or not self._claimant.domain:
            return None
        try:
            words = read_object(self._note.path)
            if words is None or words["domain"] != self._claimant.domain:
                return None
            return Hold(int(words["generation"]), float(words["began"]))
        except (OSError, ValueError, TypeError, KeyError) as error:
            _log.warning("%s cannot be read: %s", self._note.path, error)
            return None

    def _write(self, hold: Hold) -> None:
        if self._note is None:
            return
        words = {"domain": self._claimant.domain, "generation": hold.generation, "began": hold.began}
        try:
            self._note.replace(json.dumps(words) + "\n")
        except OSError as error:
            _log.warning("%s cannot be written: %s", self._note.path, error.strerror)
