"""The keeper of the lead: one thread that takes it, renews it, and gives it up. Nobody else waits for the backend.

It sets the fence and tells the brain; both know by themselves when a lead that is not renewed comes to its end, so a
backend that hangs takes the lead away, and holds up nothing. The watchdog does not ping this thread for that reason: a
manager that stands by is not ended because its backend is away. If the thread itself dies, the process ends.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from arvnodeman.fleet.values.leading import LeaderBackend, LeadHeld, LeadLost
from arvnodeman.leader.port import NEVER_AGES, Hold, NotTheLeader, StoreAway
from arvnodeman.supervision.ending import Ending, ExitCause, ExitKind, is_fatal

if TYPE_CHECKING:
    from arvnodeman.fence.fence import Fence
    from arvnodeman.leader.port import Leadership

LONGEST = 3600.0  # seconds between two looks at a lead that does not age
STANDBY = 2.0  # seconds between two attempts to take the lead, at most
AT_FIRST = "nobody has been asked yet who leads"
LOGGER = "arvnodeman.leader"

_log = logging.getLogger(LOGGER)


@dataclass(frozen=True, slots=True)
class Leading:
    """How things stand, for those who tell of it."""

    backend: str
    name: str  # what this manager is called
    leads: bool
    generation: int  # of its newest lead; 0: none
    leader: str  # who leads, as far as is known; '' for nobody
    words: str  # why it does not lead; '' where it does
    age: float  # seconds since its lead was renewed; 0 where it does not age
    left: float  # seconds for which it may act; 0: it may not
    trouble: str  # the backend's newest error; '' when its newest answer was good
    refused: int  # requests that were not sent
    changes: int  # how often it has begun to lead


class LeadKeeper:
    """For one process. `saw` and `leading` may be called by any thread, all else by the main thread."""

    def __init__(
        self,
        make: Callable[[], Leadership],
        fence: Fence,
        *,
        backend: str,
        name: str,
        ending: Ending | None = None,
        elects: bool = True,
        blind_after: float = NEVER_AGES,
    ) -> None:
        """`make`: makes the backend, in the keeper's thread. `elects`: another manager may lead; else this one does
        from the start, and nobody needs to be told. `blind_after`: seconds without a list of the cloud after which this
        manager does not take the lead: it could do nothing with it, and another one may be able to. A lead that it has
        it keeps: it alone knows what it has sent that is not answered yet."""
        self._make = make
        self._fence = fence
        self._backend, self._name = backend, name
        self._ending = ending
        self._elects = elects
        self._tell: Callable[[LeadHeld | LeadLost], None] = lambda _event: None
        self._told = ""  # the words of the newest LeadLost
        self._newest = 0  # generation that was seen anywhere
        self._blind_after = blind_after
        self._listed_at = -NEVER_AGES if elects else NEVER_AGES  # the fence's clock: nodes tell of generations
        self._not_before = 0.0  # the fence's clock, at which the lead may be taken again
        self._stepped_down = ""  # why, for as long as that lead is yet to be given up
        self._leads = False
        self._ages = True
        self._leader = ""
        self._trouble = ""
        self._changes = 0
        self._gives_up = False
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="LeadKeeper", daemon=True)

    # ---- for others ------------------------------------------------------------------------------------------------

    def start(self, tell: Callable[[LeadHeld | LeadLost], None]) -> None:
        """Begin. `tell`: passes what changes on to the brain, and does not wait."""
        self._tell = tell
        self._thread.start()

    def stop(self, timeout: float, *, give_up: bool) -> None:
        """End, and let the next one lead at once; without `give_up` once the lead has run out, since something that was
        sent may be under way yet. Nothing is sent any more. Waits for `timeout` seconds at most."""
        self._fence.lose("this manager stops")
        self._gives_up = give_up
        self._stopping.set()
        self._wake.set()
        if self._thread.ident is not None:
            self._thread.join(timeout)

    def saw(self, generation: int) -> None:
        """The cloud was listed; the newest generation of its nodes. One that is newer than ours ends our lead at once:
        another manager has made that node."""
        with self._lock:
            saw_nothing = not self._sees_the_cloud
            self._listed_at = max(self._listed_at, self._fence.clock())
            if generation <= self._newest:
                if saw_nothing:
                    self._wake.set()
                return
            self._newest = generation
        ours = self._fence.standing
        if ours.leads and generation > ours.generation:
            words = f"the cloud has a node of generation {generation}, and this manager's is {ours.generation}"
            self._fence.lose(words)
            _log.error("Stepping down: %s", words)
        self._wake.set()

    def poked(self) -> None:
        """Something of Slurm's has happened, perhaps another slurmctld acts: where that says who leads, look now."""
        if self._backend == LeaderBackend.SLURM:
            self._wake.set()

    @property
    def leading(self) -> Leading:
        """How things stand now."""
        standing = self._fence.standing
        return Leading(
            backend=self._backend,
            name=self._name,
            leads=standing.leads,
            generation=standing.generation,
            leader=self._name if standing.leads else self._leader,
            words="" if standing.acts else standing.why_not,
            age=min(max(0.0, standing.age), 1e9) if standing.leads else 0.0,
            left=min(max(0.0, standing.left), 1e9),
            trouble=self._trouble,
            refused=self._fence.refused,
            changes=self._changes,
        )

    # ---- the thread ------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            leadership = self._make()
            while not self._stopping.is_set():
                self.turn(leadership)
                self._wake.wait(self.pause())
                self._wake.clear()
            if self._gives_up and self._leads:
                with contextlib.suppress(StoreAway):
                    leadership.give_up()
                    _log.info("The lead is given up")
        except BaseException as error:
            if self._ending is not None and not self._stopping.is_set():
                kind = ExitKind.FATAL if is_fatal(error) else ExitKind.WATCHDOG
                text = "Keeper of the lead died, killing Node Manager"
                self._ending.now(ExitCause(kind, "LeadKeeper", text, LOGGER, error), self._stopping.is_set)
            raise

    def turn(self, leadership: Leadership) -> None:
        """One question to the backend, and what follows from the answer. Whatever the backend raises, its lead is no
        longer than it was."""
        try:
            if self._leads and not self._fence.standing.leads:
                self._step_down()
            elif self._leads:
                self._held(leadership.hold())
            else:
                self._stand_by(leadership)
        except NotTheLeader as lost:
            self._lost(str(lost))
        except StoreAway as away:
            self._troubled(str(away))
        except Exception as error:
            if is_fatal(error):
                raise
            if not self._trouble:
                _log.exception("The %s backend failed in a way that nobody foresaw", self._backend)
            self._troubled(f"{type(error).__name__}: an error of the program, with a traceback in its log")
        else:
            if self._trouble:
                _log.warning("The %s backend answers again", self._backend)
            self._trouble = ""

    def _stand_by(self, leadership: Leadership) -> None:
        wait = self._not_before - self._fence.clock()
        if self._stepped_down and wait <= 0:
            leadership.give_up()
            self._stepped_down = ""
        if self._sees_the_cloud and wait <= 0:
            hold = leadership.take(self._newest)
            if hold is not None:
                self._held(hold)
                return
        who = leadership.who()
        if who is not None and who.name == self._name:  # it has stepped down, or the answer to its taking was lost
            who = None
        self._leader = who.name if who is not None else ""
        if who is not None:
            with self._lock:
                self._newest = max(self._newest, who.generation)
            self._lost(f"{who.name} leads, generation {who.generation}")
        elif wait > 0:
            self._lost(f"{self._stepped_down}; it tries to lead again {self._fence.ttl:g} s after that")
        else:
            seen = self._sees_the_cloud
            self._lost("nobody leads yet" if seen else "it takes the lead once this manager has listed the cloud")

    @property
    def _sees_the_cloud(self) -> bool:
        """It has listed the cloud, and that not too long ago."""
        return self._fence.clock() - self._listed_at < self._blind_after

    def _held(self, hold: Hold) -> None:
        with self._lock:
            newest = self._newest
            self._newest = max(newest, hold.generation)
        if newest > hold.generation:  # seen between the question and the answer
            self._leads = True
            self._fence.lose(f"generation {newest} is there, and this manager's is {hold.generation}")
            self._wake.set()
            return
        if not self._leads:
            self._changes += 1
            _log.info("This manager leads, generation %d (%s)", hold.generation, self._backend)
        self._leads, self._ages, self._told = True, hold.began != NEVER_AGES, ""
        self._leader = self._name
        self._fence.hold(hold.generation, hold.began)
        if self._elects or hold.generation:
            standing = self._fence.standing
            begins = min(standing.left, self._fence.ttl / 2 - standing.age) if self._ages else LONGEST * 1e4
            self._tell(LeadHeld(hold.generation, max(0.0, begins), max(0.0, min(standing.left, LONGEST * 1e4))))

    def _step_down(self) -> None:
        """The fence is shut already. Another one that made newer nodes may act for a while yet, so this one waits that
        long; and what this one has sent may be under way until its lead would have ended, so it is not given up
        before."""
        words = self._stepped_down = self._fence.standing.why_not
        self._leads = False
        self._not_before = self._fence.clock() + (self._fence.ttl if self._elects else 0.0)
        self._lost(words)

    def _lost(self, words: str) -> None:
        if self._leads:
            self._leads = False
            _log.warning("This manager leads no more: %s", words)
        self._fence.lose(words)
        if words != self._told:
            self._told = words
            self._tell(LeadLost(words))

    def _troubled(self, text: str) -> None:
        if not self._trouble:
            _log.warning("The %s backend does not say who leads: %s", self._backend, text)
        self._trouble = text
        if not self._leads:
            self._leader = ""
            self._lost(f"the {self._backend} backend does not say who leads")

    def pause(self) -> float:
        """Seconds to the next question."""
        if self._stopping.is_set():
            return 0.0
        if not self._leads:
            return min(STANDBY, self._fence.ttl / 6)
        if not self._ages:
            return LONGEST
        if self._trouble:
            return min(STANDBY, self._fence.ttl / 12)
        standing = self._fence.standing
        return max(0.0, min(self._fence.ttl / 3 - standing.age, self._fence.ttl / 3))
