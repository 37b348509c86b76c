"""Leading begins and ends. Whoever leads anew, or no more, knows nothing of what the others have done meanwhile, and
goes on as after a restart: by what is in the cloud, in the node records and in Slurm."""

from __future__ import annotations

from arvnodeman.fleet.decide.state import State
from arvnodeman.fleet.messages import WARNING, Decided
from arvnodeman.fleet.values.leading import Lead, LeadHeld, LeadLost

MANAGER = "manager"  # what the decision is about


def goes_on(state: State, event: LeadHeld | LeadLost) -> bool:
    """Is it the same lead as before, renewed, or still none?"""
    lead = state.lead
    if isinstance(event, LeadLost):
        return not lead.leads
    return lead.leads and lead.generation == event.generation


def anew(before: State) -> State:
    """A memory as after a restart, but for what has nothing to do with nodes: counters, options, which sizes are known
    to come up."""
    state = State(before.policy, before.clock.now)
    context, old = state.context, before.context
    context.least, context.counters, context.unknown_errors = old.least, old.counters, old.unknown_errors
    context.last_id, context.last_offer_id = old.last_id, old.last_offer_id  # answers to old steps find nothing
    context.out, old.out = old.out, []
    state.safe_until, state.stopping = before.safe_until, before.stopping
    for size, health in before.health.items():
        if health.proven:
            state.health_named(size).proven = True
    return state


def note_lead(state: State, event: LeadHeld | LeadLost) -> None:
    """Take it in; one line, and a decision, when it is another."""
    same = goes_on(state, event)
    words = state.lead.words
    if isinstance(event, LeadHeld):
        t = state.t
        state.lead = Lead(True, event.generation, t + event.begins_for, t + event.acts_for)
        if not same:
            text = "This manager leads now, generation %d: it continues as after a restart"
            state.context.decide(Decided.LEAD, MANAGER, text, event.generation, level=WARNING)
    else:
        state.lead = Lead(False, state.lead.generation, 0.0, 0.0, event.words)
        if words != event.words:
            text = "This manager stands by, and does nothing: %s"
            state.context.decide(Decided.LEAD, MANAGER, text, event.words, level=WARNING)
    state.check_gate()
