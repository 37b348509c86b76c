"""Node records that no node stands behind: boots of an earlier run, records to use again, slots to give back."""

from __future__ import annotations

from arvnodeman.fleet.decide.spare_records import SpareRecords, Turn, turn_of
from arvnodeman.fleet.decide.state import INTENT_COUNTS_FOR, State
from arvnodeman.fleet.messages import Decided, Poll
from arvnodeman.fleet.operations.chores import CleanRecord
from arvnodeman.fleet.operations.operation import Operation
from arvnodeman.fleet.values.model import BootIntent, NodeRecord
from arvnodeman.fleet.values.work import OUR_REMOVAL, reason_for

CLEANED = "Cleaned by Node Manager: its node is gone"


class RecordKeeping:
    """Remembers, over record lists, which records have had no node, and since which cloud list."""

    def __init__(self) -> None:
        self._lacked: dict[str, int] = {}  # uuid -> number of the cloud list that first lacked its node
        self._nodeless: list[NodeRecord] = []  # those of them that hold a slot, and that nobody works on
        self._warned: set[str] = set()
        self._ahead: dict[str, tuple[float, float]] = {}  # uuid -> newest stamp, of a time to come, and when we saw it
        self._pings: dict[str, float] = {}  # uuid -> last ping of a record whose node is not listed, when that was seen
        self._spare = SpareRecords()

    def observe(self, state: State) -> None:
        """A record list has come: sort out those without a node."""
        self._forget_tokens(state)
        state.phantoms.clear()
        state.unlisted.clear()
        pings: dict[str, float] = {}
        free: list[Turn] = []
        lacked: dict[str, int] = {}
        self._nodeless.clear()
        lists = state.freshness.counts[Poll.CLOUD]
        now, age_of, stale_after = state.record_now, state.freshness.ages.age_of, state.policy.node_stale_after
        spare = self._spare
        for record in self._without_node(state):
            intent = self._pending(record, state) if record.intent is not None else None
            if intent is not None:
                state.phantoms[record.uuid] = intent
                continue
            works = record.hostname is not None and state.roster.slurm_works(record.hostname)
            known = self._lacked.get(record.uuid) or spare.lacked(record.uuid)
            first = lacked[record.uuid] = known or max(1, lists)
            if record.instance_id is not None and record.last_ping_at is not None:
                ping = pings[record.uuid] = self._pings.get(record.uuid, record.last_ping_at)
                first_list = lists <= first
                if works or first_list or record.last_ping_at != ping:
                    state.unlisted[record.uuid] = record
                    self._warn(state, record, first_list=first_list)
            if works:
                continue
            if record.slot is not None:
                self._nodeless.append(record)
            # may it be taken for a boot? Not one that was modified, or that we used, lately (row B8)
            may_be = record.free if record.free is not None else age_of(record.modified_at, now) > stale_after
            if not spare.take(state, record, first, free=may_be) and may_be:
                free.append(turn_of(record))
        self._lacked, self._pings = lacked, pings
        self._ahead = {uuid: row for uuid, row in self._ahead.items() if uuid in lacked or uuid in spare}
        state.stale_records = spare.in_turn(free)

    def _forget_tokens(self, state: State) -> None:
        """A boot that ended long ago, and whose token no record carries, leaves nothing behind any more."""
        old = [token for token, ended in state.ended_tokens.items() if state.t - ended > INTENT_COUNTS_FOR]
        if not old:
            return
        carried = {record.intent.token for record in state.roster.records.values() if record.intent is not None}
        for token in old:
            if token not in carried:
                del state.ended_tokens[token]

    def _warn(self, state: State, record: NodeRecord, *, first_list: bool) -> None:
        """A node that no list shows is there all the same: it counts for every limit, and somebody should know."""
        if not first_list and record.uuid not in self._warned:
            self._warned.add(record.uuid)
            text = "The node of record %s (%s, %s) is not listed, but gives signs of life: it counts for the limits"
            state.context.warning(text, record.uuid, record.hostname, record.instance_id)

    def _without_node(self, state: State) -> list[NodeRecord]:
        """Records that belong to no node that we know, and to no operation. Of those that were spare, and are, nothing
        is asked."""
        roster = state.roster
        taken = {node.prepared.uuid for node in roster.awake() if node.prepared is not None} | state.busy_records()
        spare = self._spare.still(state, taken)
        records, paired = roster.records, roster.paired
        if records.keys() <= paired.keys():
            return []
        left = records.keys() - paired.keys() - spare - taken
        if not left:
            return []
        live_tokens = {boot.token for boot in state.boots.values()}
        found: list[NodeRecord] = []
        for uuid in [uuid for uuid in records if uuid in left]:
            record = records[uuid]
            if record.intent is not None and record.intent.token in live_tokens:
                continue  # a prepare that failed had worked
            if record.instance_id is not None and roster.is_reported(record.instance_id):
                continue  # it does not pair, and yet it is no orphan
            if record.is_name and record.hostname in roster.carried:
                continue  # two nodes with one name: the one that has it goes first
            found.append(record)
        return found

    def _pending(self, record: NodeRecord, state: State) -> BootIntent | None:
        """A boot that an earlier run began, and that may still bring a node."""
        intent = record.intent
        if intent is None or record.first_ping_at is not None or intent.token in state.ended_tokens:
            return None
        age = max(state.clock.now - intent.at, state.t - state.began)  # by our clock, which may have been ahead then
        return intent if age < min(INTENT_COUNTS_FOR, state.policy.boot_fail_after) else None

    def orphans(self, state: State) -> list[NodeRecord]:
        """Records whose slot is given back now: no node in two lists in a row, and nothing has moved for
        boot_fail_after; at once, when a boot of this run left it behind."""
        if not state.context.gate.lets_boots:
            return []
        lists = state.freshness.counts[Poll.CLOUD]
        found = []
        for record in self._nodeless:
            ended = record.intent is not None and record.intent.token in state.ended_tokens
            if ended or (lists > self._lacked[record.uuid] and self._has_rested(record, state)):
                found.append(record)
        return found

    def _has_rested(self, record: NodeRecord, state: State) -> bool:
        stamps = (record.created_at, record.modified_at, record.last_ping_at, record.first_ping_at)
        newest = max((stamp for stamp in stamps if stamp is not None), default=None)
        if newest is None:
            return True
        age = state.record_now - newest
        if age < 0:  # the keeper's clock was ahead when that was written: it is as old as we have seen it stay so
            stamp, seen = self._ahead.get(record.uuid, (newest, state.t))
            if stamp != newest:
                seen = state.t
            self._ahead[record.uuid] = (newest, seen)
            age = state.t - seen
        return age > state.policy.boot_fail_after


def _turned_up(state: State, chore: Operation) -> bool:
    """A cleaning waits for its next attempt, and its record has a node after all: it ends, or jobs would end there."""
    if not isinstance(chore, CleanRecord) or chore.step is not None:
        return False
    uuid, nodes = chore.record.uuid, state.roster.awake()
    made_for = any(node.prepared is not None and node.prepared.uuid == uuid for node in nodes)
    if made_for or uuid in state.roster.paired or state.roster.slurm_works(chore.record.hostname):
        chore.outcome = "failed"
    return chore.outcome is not None


def clean_orphans(state: State, keeping: RecordKeeping) -> list[Operation]:
    """Give slots back that nobody will use, and let the jobs on their Slurm nodes be queued again."""
    begun: list[Operation] = [chore for chore in state.chores.values() if _turned_up(state, chore)]
    orphans = keeping.orphans(state)
    names = {state.roster.hostname(node) for node in state.roster.nodes.values()} if orphans else set()
    for record in orphans:
        chore = CleanRecord(state.context, record)
        state.chores[chore.id] = chore
        known = state.policy.slurm and state.roster.slurm is not None and record.hostname in state.roster.slurm
        shared = record.hostname in names  # another node goes by that name
        reason = reason_for(OUR_REMOVAL, record.instance_id or record.uuid)
        text = "Cleaning node record %s (%s): it has no node"
        state.context.decide(Decided.CLEAN, record.hostname or record.uuid, text, record.uuid, record.hostname)
        chore.clean(set_down=reason if known and not shared else None, action=CLEANED)
        begun.append(chore)
    return begun
