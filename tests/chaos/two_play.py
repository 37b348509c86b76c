"""One run of two managers at one site: one fault, and what has become of it all."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tcp_proxy import TcpProxy

from arvnodeman.manage.places import SOCKET_NAME
from arvnodeman.sandbox.commands import write_commands
from arvnodeman.sandbox.process import SiteFailed, SiteProcess
from chaos.daemons import CHAOS_OPTIONS
from chaos.mischief import Mischief
from chaos.points import Deed
from chaos.relays import RequestRelay, SentRequest, Target, out_of_turn, sent_late
from chaos.two_plan import MARGIN, SPEED, TIMEOUT, TTL, Fault, PairPlan, jobs_of_pair, more_jobs_of_pair
from chaos.two_stores import PairStore

ROOT = Path(__file__).resolve().parents[2]
LEADS, STANDS_BY = "This manager leads now", "This manager stands by"
START = 40.0  # real seconds that anything may take at the begin
REACH = 15.0  # real seconds after which a leader that has not come to its point is struck where it is
PATIENCE = 90.0  # real seconds for all jobs, after the fault
LOOK = 0.02
KEPT = 3 * TTL  # real seconds that a destroy is kept at most: the other leads by then, and has nodes for jobs that wait
LATE = TTL / 8  # seconds that an answer of the store takes, which is within its timeout
TAKEN_OVER = (
    Fault.ON_THE_WIRE,
    Fault.STOPPED,
    Fault.CLOCKS,
    Fault.KILLED,
    Fault.KILLED_ANYWHERE,
    Fault.NO_STORE,
    Fault.DESTROY_KEPT,
)
OPTIONS: Mapping[str, object] = {
    **CHAOS_OPTIONS,
    "poll_time": 0.5,
    "watchdog": 30,
    "watchdog_interval": 2,
}


@dataclass(slots=True)
class PairOutcome:
    """How a run has come out. `wrong` is empty for a good one."""

    plan: PairPlan
    seconds: float = 0.0
    takeover: float = 0.0  # real seconds from the fault's begin until the other led; 0: it never did
    reached: bool = True  # the point
    doubles: list[str] = field(default_factory=list)
    together: list[SentRequest] = field(default_factory=list)
    late: list[SentRequest] = field(default_factory=list)  # let through in time, and sent out of turn
    requests: Counter[Target] = field(default_factory=Counter)
    leads: int = 0  # how often somebody has begun to lead
    verdict: dict[str, Any] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)


class Manager:
    """One daemon with its ways to the store, to the cloud, and to Arvados and Slurm."""

    def __init__(self, name: str, site: SiteProcess, store: PairStore, folder: Path, plan: PairPlan) -> None:
        self.name, self.folder = name, folder / name
        (self.folder / "state").mkdir(parents=True)
        self.cloud, self.records = (RequestRelay(site.address.port, name) for _ in range(2))
        self.store = TcpProxy(store.port)
        self.log = self.folder / "daemon.log"
        environment = site.environment()
        write_commands(self.folder / "bin", self.records.port)
        path = f"{self.folder / 'bin'}{os.pathsep}{environment['PATH']}"
        self._environment = {**environment, "PATH": path, "PYTHONPATH": os.environ.get("PYTHONPATH", "")}
        leader: dict[str, object] = {"ttl": TTL, "margin": MARGIN, "timeout": TIMEOUT, "name": f"s{plan.seed}"}
        sections: dict[str, dict[str, object]] = {
            "Logging": {"file": self.log, "level": "INFO"},
            "Leader": {**leader, "this_host": name, **store.leader_options(self.store.port)},
            "Arvados": {"timeout": 0.6, "host": f"http://127.0.0.1:{self.records.port}"},
            "Cloud Credentials": {"timeout": 0.6, "url": f"http://127.0.0.1:{self.cloud.port}"},
        }
        options = {**OPTIONS, "max_nodes": plan.max_nodes, "state_dir": self.folder / "state"}
        self._config = site.write_config(self.folder / "site.cfg", sections, **options)
        self.process: subprocess.Popen[bytes] | None = None
        self._before = 0  # of the log, before the present process

    def start(self, clock: tuple[float, float, float], point: str = "", nth: int = 1, deed: Deed = Deed.STOP) -> None:
        """Start it."""
        command = [sys.executable, "-m", "chaos.manager", "--config", str(self._config), "--deed", deed]
        command += ["--clock", *map(str, clock), *(["--point", point, "--nth", str(nth)] if point else [])]
        self._before = len(self._text())
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment,
                start_new_session=True,
            )

    def signal(self, number: signal.Signals) -> None:
        """To all of its group."""
        assert self.process is not None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    @property
    def sent(self) -> list[SentRequest]:
        """All that it has sent and that changed something."""
        return self.cloud.sent + self.records.sent

    @property
    def stands_still(self) -> bool:
        """SIGSTOP has struck it."""
        assert self.process is not None
        with contextlib.suppress(OSError):
            return Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
        return False

    @property
    def has_ended(self) -> bool:
        """Its process."""
        assert self.process is not None
        return self.process.poll() is not None

    @property
    def is_up(self) -> bool:
        """Its present process has said whether it leads; until then it may not even see to signals."""
        text = self._text()[self._before :]
        return LEADS in text or STANDS_BY in text

    @property
    def leads(self) -> bool:
        """By its own word."""
        text = self._text()
        return text.rfind(LEADS) > text.rfind(STANDS_BY)

    def said(self, text: str) -> int:
        """How often its log has this."""
        return self._text().count(text)

    def _text(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def end(self) -> None:
        """SIGKILL, and its relays go."""
        if self.process is not None:
            self.signal(signal.SIGKILL)
            self.process.wait()
        for relay in (self.cloud, self.records, self.store):
            relay.mend()
            relay.close()


def play_pair(plan: PairPlan, folder: Path, store: PairStore) -> PairOutcome:
    """Play one seed; everything that it writes is in `folder`."""
    outcome = PairOutcome(plan)
    began = time.monotonic()
    with SiteProcess(speed=SPEED, seed=plan.seed, page=4, slots=24) as site, _pair(site, store, folder, plan) as pair:
        try:
            _begin(site, plan, *pair)
            _strike(site, plan, store, outcome, *pair)
            _come_to_rest(site, outcome, *pair)
        except (SiteFailed, TimeoutError) as error:
            outcome.wrong.append(str(error)[:300])
        outcome.verdict = site.verdict()
        events = site.get("events")["events"]
        outcome.doubles = doubles(events)
        sent = sorted((request for each in pair for request in each.sent), key=lambda request: request.at)
        _judge(outcome, sent)
        (folder / "requests.txt").write_text("".join(f"{each}\n" for each in sent))
        outcome.leads = sum(each.said(LEADS) for each in pair)
        lines = [f"{each['at']:.3f} {each['kind']} {each['subject']} {each['text']}\n" for each in events]
        (folder / "events.txt").write_text("".join(lines))
    outcome.seconds = time.monotonic() - began
    return outcome


@contextlib.contextmanager
def _pair(site: SiteProcess, store: PairStore, folder: Path, plan: PairPlan) -> Iterator[tuple[Manager, Manager]]:
    made: list[Manager] = []
    try:
        for name in ("a", "b"):
            made.append(Manager(name, site, store, folder, plan))
        yield made[0], made[1]
    finally:
        for each in made:
            each.end()


def _wait(true: Callable[[], object], what: str, seconds: float, *alive: Manager) -> None:
    limit = time.monotonic() + seconds
    while not true():
        for each in alive:
            if each.has_ended:
                raise TimeoutError(f"{each.name} ended by itself while it was waited for: {what}")
        if time.monotonic() > limit:
            raise TimeoutError(f"not so within {seconds:g} s: {what}")
        time.sleep(LOOK)


def _begin(site: SiteProcess, plan: PairPlan, leader: Manager, other: Manager) -> None:
    """One leads, the other stands by, and jobs come."""
    at_start = plan.fault is Fault.KILLED
    leader.start(plan.clocks[0], plan.point, plan.nth, Deed.KILL if at_start else Deed.STOP)
    # it may come to its point before it leads
    _wait(lambda: leader.said(LEADS) or leader.stands_still or leader.has_ended, "a leader", START)
    other.start(plan.clocks[1])
    _wait(lambda: other.said(STANDS_BY) or other.said(LEADS), "one that stands by", START, other)
    site.add_jobs(*jobs_of_pair(plan))


def _strike(
    site: SiteProcess, plan: PairPlan, store: PairStore, outcome: PairOutcome, leader: Manager, other: Manager
) -> None:
    """The fault, from its begin to its end, and what of the lead follows."""
    if plan.point or plan.fault is Fault.DESTROY_KEPT:
        outcome.reached = _reach(site, plan, leader)
    else:
        time.sleep(plan.after)
        if other.leads and not leader.leads:
            leader, other = other, leader
    led, struck = other.said(LEADS), time.monotonic()

    def look() -> None:
        if not outcome.takeover and other.said(LEADS) > led:
            outcome.takeover = time.monotonic() - struck
        time.sleep(LOOK)

    def watch(until: float) -> None:
        while time.monotonic() < until and not (outcome.takeover and until > struck + plan.lasts):
            look()

    _break(plan, store, leader, other)
    if plan.fault is Fault.DESTROY_KEPT:
        site.add_jobs(*more_jobs_of_pair(plan))
        while time.monotonic() < struck + KEPT and not _works(site, leader.cloud.kept_nodes):
            look()
        leader.cloud.deliver_kept()
    watch(struck + plan.lasts)
    if leader.has_ended:
        leader.start(plan.clocks[0])
    leader.signal(signal.SIGCONT)
    for each in (leader, other):
        each.store.delay = 0.0
        each.store.mend()
        each.cloud.mend()
    if plan.fault in TAKEN_OVER:
        watch(time.monotonic() + TTL + 5)


def _works(site: SiteProcess, nodes: set[str]) -> bool:
    """Has somebody put a job on one of these? That is when a kept destroy does harm."""
    return any(node["id"] in nodes and node["slurm"] in ("alloc", "mix") for node in site.state("nodes")["node_list"])


def _break(plan: PairPlan, store: PairStore, leader: Manager, other: Manager) -> None:
    match plan.fault:
        case Fault.STOPPED | Fault.CLOCKS | Fault.ON_THE_WIRE:
            leader.signal(signal.SIGSTOP)
        case Fault.KILLED | Fault.KILLED_ANYWHERE | Fault.DESTROY_KEPT:
            leader.signal(signal.SIGKILL)
            assert leader.process is not None
            leader.process.wait()
        case Fault.NO_STORE:
            leader.store.cut()
        case Fault.NO_CLOUD:
            leader.cloud.cut()
        case Fault.CLOUD_HANGS:
            leader.cloud.hang()
        case Fault.STORE_HANGS:
            for each in (leader, other):
                each.store.hang()
        case Fault.STORE_LATE:
            for each in (leader, other):
                each.store.delay = LATE
        case Fault.STORE_EMPTY:
            store.kill()
            store.start_empty()


def _reach(site: SiteProcess, plan: PairPlan, leader: Manager) -> bool:
    """Wait until it has struck itself, with something done that makes it come there."""
    if plan.fault is Fault.DESTROY_KEPT:
        leader.cloud.keeps_destroys = True
        _wait(lambda: leader.cloud.kept, "a destroy", PATIENCE, leader)
        return True
    mischief = Mischief(site, leader.folder / "state" / SOCKET_NAME, random.Random(f"mischief/{plan.seed}"))
    limit = time.monotonic() + REACH
    while not (leader.stands_still or leader.has_ended):
        if time.monotonic() > limit:
            return False
        mischief.provoke(plan.point)
        time.sleep(LOOK)
    return True


def _come_to_rest(site: SiteProcess, outcome: PairOutcome, *pair: Manager) -> None:
    def rests() -> bool:
        verdict = site.verdict()
        return bool(verdict["quiet"]) and not verdict["drained_left"]

    _wait(rests, "all to come to rest", PATIENCE)
    _wait(lambda: all(each.is_up or each.has_ended for each in pair), "both managers to be up", START)
    for each in pair:
        if each.has_ended:
            outcome.wrong.append(f"{each.name} ended by itself with {each.process and each.process.returncode}")
            continue
        each.signal(signal.SIGTERM)
    for each in pair:
        assert each.process is not None
        with contextlib.suppress(subprocess.TimeoutExpired):
            each.process.wait(20)
        if each.process.returncode:
            outcome.wrong.append(f"{each.name} did not stop well: {each.process.returncode}")


def doubles(events: list[dict[str, Any]]) -> list[str]:
    """Names of which a second node was made while the first was there, by the site's own events."""
    there: Counter[str] = Counter()
    names: dict[str, str] = {}
    found = []
    for event in events:
        if event["kind"] == "node-created":
            name = names[event["subject"]] = str(event["text"]).partition(" ")[0]
            there[name] += 1
            if there[name] > 1:
                found.append(name)
        elif event["kind"] in ("node-destroyed", "node-vanished") and event["subject"] in names:
            there[names.pop(event["subject"])] -= 1
    return found


def _judge(outcome: PairOutcome, requests: list[SentRequest]) -> None:
    """All that a run must end with."""
    outcome.requests = Counter(each.target for each in requests)
    outcome.together, outcome.late = out_of_turn(requests), sent_late(requests)
    verdict = outcome.verdict
    for key in ("lost", "ran_again", "unfinished", "nodes_left", "slots_left", "drained_left", "busy_destroyed"):
        if verdict[key]:
            outcome.wrong.append(f"{key.replace('_', ' ')}: {', '.join(verdict[key][:5])}")
    if verdict["disturbed"]:
        outcome.wrong.append(f"jobs disturbed: {verdict['requeues']}")
    if outcome.doubles:
        outcome.wrong.append(f"made twice: {', '.join(outcome.doubles)}")
    if outcome.together:
        outcome.wrong.append(f"out of turn: {', '.join(str(each) for each in outcome.together[:3])}")
