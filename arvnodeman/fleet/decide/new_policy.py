"""The configuration was read anew: what of it is kept in the memory."""

from __future__ import annotations

from arvnodeman.fleet.decide.state import State
from arvnodeman.fleet.values.model import Policy
from arvnodeman.fleet.values.windows import ShutdownWindows


def take_policy(state: State, policy: Policy) -> None:
    """New options; what is under way goes on."""
    before = {section.id: section.made_of for section in state.policy.sections}
    for section in policy.sections:
        if before.get(section.id, section.made_of) != section.made_of:
            state.health_named(section.id).proven = False
    state.context.policy = policy
    state.windows = ShutdownWindows(policy.shutdown_windows)
    state.freshness.stale_after = policy.poll_stale_after
    state.quota.set_ceiling(policy.max_nodes, policy.quota_retry_after)
    state.slots.set_ceiling(policy.max_nodes, policy.quota_retry_after)
    state.vain.first_wait = policy.vain_retry_after
    state.vain.end_all(state.t)
    state.rooms.first_wait = policy.vain_retry_after
    state.rooms.end_all(state.t)
    state.reloaded = state.t
    for health in state.health.values():
        health.first_wait = policy.size_retry_after
    state.roster.wake_all()
