"""What a node that is neither plainly at work nor plainly idle is, at a node poll: it goes, it stays, it may go."""

from __future__ import annotations

from collections.abc import Callable

from arvnodeman.fleet.decide.state import State
from arvnodeman.fleet.decide.stock import bin_of
from arvnodeman.fleet.messages import ResumeNode
from arvnodeman.fleet.nodes.eligible import eligible, undecided
from arvnodeman.fleet.nodes.node import (
    BUSY,
    HOLD,
    IDLE,
    NOT_UP,
    Node,
    Sight,
    drained_by_us,
)
from arvnodeman.fleet.plan.picture import Case, Going, Idle, Keep, Kept, Stop
from arvnodeman.fleet.values import causes
from arvnodeman.fleet.values.causes_of_use import KeptInVain
from arvnodeman.fleet.values.leaving import Kind
from arvnodeman.fleet.values.model import Word
from arvnodeman.fleet.values.work import OUR_SHUTDOWN


def resumed_now(state: State, node: Node) -> bool:
    """A resume of ours that comes late must not undo the drain of a shutdown."""
    chore = state.chores.get(node.chore) if node.chore is not None else None
    return chore is not None and isinstance(chore.last_step, ResumeNode)


def case_of(node: Node, sight: Sight, resumed: bool, pool: Callable[[Node], str]) -> Case | Idle:
    """Of the row alone, and of whether a drain of it is being taken back."""
    if node.destroyed_at is not None or node.shutdown is not None:
        return Going(node.id, _makes_room(node))
    told = node.cloud.word is not None or (node.slurm is not None and node.slurm.state.kind.drained)
    if node.state is BUSY and node.size is not None and not told:
        return _at_work(node, sight, pool)
    up = node.state not in NOT_UP
    if node.boot is not None or node.destroy_again_at > sight.t or resumed:
        until = node.destroy_again_at if node.destroy_again_at > sight.t else None
        return Keep(node.id, undecided(node, sight, until), up, told=False)
    if told:
        stop = _by_word(node, sight) or adopted(node)
        if stop is not None:
            return stop
    if node.state is BUSY and node.size is not None:
        return Keep(node.id, eligible(node, sight), up, told=False)
    if node.state is IDLE and node.size is not None and node.shield_until is None and not node.has_failed:
        return bin_of(node)
    return _of_itself(node, sight, up)


def _makes_room(node: Node) -> bool:
    """It is going, and soon: not one whose work has to end first, nor one that is being taken back."""
    return node.shutdown is None or not (node.slurm_busy or node.shutdown.cancelling)


def _at_work(node: Node, sight: Sight, pool: Callable[[Node], str]) -> Case:
    """It works, or Slurm keeps it for a job: in vain for one which more nodes would not help, such as one that has to
    wait for the end of a maintenance. It is drained first, and the last look must find no job there."""
    shielded = node.shield_until is not None
    slurm = node.slurm.state.said if node.slurm is not None else ""
    reason = eligible(node, sight) if shielded else causes.working(slurm)
    if node.use.kept_since is None or not node.use.kept(sight.t, sight.policy.use_within):
        return Keep(node.id, reason, told=False)
    if node.boot is not None or node.destroy_again_at > sight.t:
        return Keep(node.id, reason, told=False)
    if not sight.windows.is_open(node.start(sight), sight.cloud_now, sight.clock_margin):
        return Keep(node.id, reason, told=False)
    in_vain = KeptInVain(seconds=sight.t - node.use.kept_since)
    return Kept(node.id, in_vain, reason, node.price, pool(node))


def _by_word(node: Node, sight: Sight) -> Stop | None:
    """Operators' words that a restart found in the tags."""
    if node.word is Word.KILL:
        return Stop(node.id, Kind.KILL)
    if node.word is Word.DRAIN and (sight.policy.slurm or node.state is not BUSY):
        drained = drained_by_us(node) is not None
        return Stop(node.id, Kind.OPERATOR, drained=drained, works=node.slurm_busy)
    return None


def adopted(node: Node) -> Stop | None:
    """Drained by us before a restart: its shutdown goes on."""
    kind = drained_by_us(node) if node.word is not HOLD else None
    if kind is None:
        return None
    going = Kind.UNWANTED if kind == OUR_SHUTDOWN else Kind.REMOVAL
    return Stop(node.id, going, drained=True, works=node.slurm_busy)


def _of_itself(node: Node, sight: Sight, up: bool) -> Case:
    """What does not work, or is of no known size, goes."""
    reason = eligible(node, sight)
    if node.size is None and node.state is BUSY and sight.policy.slurm and node.word is not HOLD:
        reason = causes.SizeUnknown(tag=node.cloud.size_tag or "")  # drained at once
    if reason.goes:
        return Stop(node.id, Kind.REMOVAL, reason, works=node.slurm_busy)
    return Keep(node.id, reason, up)
