"""Properties of the Fleet over random histories: polls, boots, failures, deaths, lies, restarts, words, clock jumps.

The machine lets a simulated site and a Fleet live, and throws things at them. What must hold at every command
is checked as it leaves (`Watch`); what must come in the end is checked when the faults have stopped.
`make proofs ARGS=histories` runs many thousand histories and prints how often the interesting things happened;
`make test` runs a few.
"""

from __future__ import annotations

import os
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from simulation.watch import Watch

from arvnodeman.fleet.messages import Decided, Note, OperatorSaid, SetWord, Step
from arvnodeman.fleet.values.gres import Gres
from arvnodeman.fleet.values.model import Directive, JobOwner, JobShape, Policy, ProviderSize, SizeSection
from arvnodeman.fleet.values.rungs import Purchase, Rung
from arvnodeman.foresight.faults import Chances
from arvnodeman.foresight.sim_site import Nature
from arvnodeman.foresight.sim_slurm import MAINTENANCE, Rules
from arvnodeman.foresight.simulation import Simulation

HISTORIES = int(os.environ.get("HISTORIES", "40"))
RULES = int(os.environ.get("RULES", "30"))  # in a history
PROBES = 5  # of one group in two hours: after 5, 10, 20 and 40 minutes
BOUND = 400  # polls within which everything must have come right once the faults have stopped

OFFERS = (
    ProviderSize("small", "small", ram=4000, disk=10, price=0.1, cores=2),
    ProviderSize("medium", "medium", ram=8000, disk=20, price=0.13, cores=4),
    ProviderSize("big", "big", ram=16000, disk=50, price=0.4, cores=8),
    ProviderSize("gpu", "gpu", ram=8000, disk=20, price=0.5, cores=4),
)
GRES: dict[str, Gres] = {"gpu": (("gpu:tesla", 2), ("license", 1))}
PARTITIONS = {"gpu": ("gpu", "debug"), "medium": ("compute", "debug")}
SECTIONS = tuple(
    SizeSection(
        offer.id,
        int(offer.cores),
        offer.id,
        gres=GRES.get(offer.id, ()),
        partitions=PARTITIONS.get(offer.id, ()),
    )
    for offer in OFFERS
)
LADDER = tuple(
    Rung(zone, bought, price) for bought, price in ((Purchase.SPOT, 0.03), (Purchase.ON_DEMAND, None)) for zone in "ab"
)
WITH_RUNGS = tuple(
    replace(section, ladder=LADDER[: len(section.id) % 3 + 2]) if section.id != "gpu" else section
    for section in SECTIONS
)
SHAPES = st.builds(
    JobShape,
    cores=st.sampled_from([1, 2, 4, 8]),
    ram=st.sampled_from([0, 1000, 7000]),
    size=st.sampled_from([None, None, "small", "medium", "big"]),
    nodes=st.sampled_from([1, 1, 1, 2]),
    gres=st.sampled_from([(), (), (), (("gpu", 1),), (("gpu:tesla", 2),), (("fpga", 1),)]),
    partitions=st.sampled_from([(), ("compute",), ("compute",), ("gpu",), ("debug",), ("gpu", "debug")]),
)
NEVER = {"spent": "QOSGrpCpuLimit", "odd": "", "later": f"ReqNodeNotAvail, {MAINTENANCE}"}  # QOS of jobs: why not
SHAPES = st.tuples(SHAPES, st.sampled_from(["", "", "", "", *NEVER])).map(
    lambda drawn: replace(drawn[0], owner=JobOwner(qos=drawn[1]))
)
RATES = st.sampled_from([0.0, 0.0, 0.05, 0.2])


class FleetHistories(RuleBasedStateMachine):
    """One history."""

    @initialize(
        max_nodes=st.integers(2, 8),
        min_nodes=st.sampled_from([0, 0, 1, 2]),
        lasting=st.sampled_from([None, None, 2, 3]),
        cap=st.sampled_from([0.0, 0.0, 1.0]),
        windows=st.sampled_from([(54.0, 5.0, 1.0), (0.0, 60.0)]),
        slots=st.sampled_from([6, 64]),
        names=st.booleans(),
        rungs=st.booleans(),
        cheapest=st.booleans(),
        seed=st.integers(0, 1 << 30),
    )
    def begin(
        self,
        max_nodes: int,
        min_nodes: int,
        lasting: int | None,
        cap: float,
        windows: tuple[float, ...],
        slots: int,
        names: bool,
        seed: int,
        rungs: bool = False,
        cheapest: bool = False,
    ) -> None:
        """A site and a daemon. `lasting`: the cloud's quota that stays to the end, and has to be learnt."""
        policy = Policy(
            sections=WITH_RUNGS if rungs else SECTIONS,
            cheapest_rung=cheapest,
            shutdown_windows=windows,
            max_nodes=max_nodes,
            min_nodes=min_nodes,
            max_total_price=cap,
            slurm=True,
        )
        self.run = Simulation(policy, OFFERS, seed=seed, slots=slots, names=names)
        self.run.site.slurms.rules = Rules(GRES, PARTITIONS, NEVER)
        self.watch = Watch(self.run)
        self.lasting = lasting
        self.coming: list[tuple[float, Step]] = []  # what daemons before this one have sent, and when it gets there

    # ---- what the world does ----------------------------------------------------------------------------------------

    @rule(minutes=st.sampled_from([0.3, 1, 1, 3, 10, 30]))
    def time_passes(self, minutes: float) -> None:
        self.run.advance(minutes * 60)

    @rule(shape=SHAPES, duration=st.sampled_from([30, 300, 3000]), priority=st.integers(0, 3), count=st.integers(1, 3))
    def jobs_come(self, shape: JobShape, duration: float, priority: int, count: int) -> None:
        for _ in range(count):
            self.run.site.submit(shape, duration, priority)

    @rule(before=RATES, after=RATES, polls=RATES, throttled=RATES)
    def requests_fail(self, before: float, after: float, polls: float, throttled: float) -> None:
        self.run.faulty.chances = replace(
            self.run.faulty.chances, fails_before=before, fails_after=after, poll_fails=polls, throttled=throttled
        )

    @rule(cloud=RATES, records=RATES, slurm=st.sampled_from([0.0, 0.0, 0.1]))
    def lists_lie(self, cloud: float, records: float, slurm: float) -> None:
        chances = self.run.faulty.chances
        self.run.faulty.chances = replace(chances, list_lies=cloud, record_lies=records, slurm_lies=slurm)

    @rule(never_pings=RATES, dies=RATES)
    def nodes_are_bad(self, never_pings: float, dies: float) -> None:
        self.run.site.nature = Nature(never_pings=never_pings, dies=dies)

    @rule(
        quota=st.sampled_from([None, 1, 3]),
        full=st.sampled_from([frozenset(), frozenset({"small"})]),
        rungs=st.sets(st.sampled_from([rung.key for rung in LADDER])),
    )
    def the_cloud_is_full(self, quota: int | None, full: frozenset[str], rungs: set[str]) -> None:
        self.run.site.clouds.quota, self.run.site.clouds.no_capacity = quota, set(full)
        self.run.site.clouds.full = rungs

    @precondition(lambda self: self.run.site.clouds.nodes)
    @rule(data=st.data(), how=st.sampled_from(["vanish", "stop", "fall silent"]))
    def a_node_is_lost(self, data: st.DataObject, how: str) -> None:
        identity = data.draw(st.sampled_from(sorted(self.run.site.clouds.nodes)))
        if how == "vanish":
            self.run.site.vanish(identity)
        elif how == "stop":
            self.run.site.stop(identity)
        else:
            self.run.site.fall_silent(identity)
        event(f"a node is lost: {how}")

    @rule()
    def slurm_restarts(self) -> None:
        self.run.site.slurms.restart()

    @rule()
    def all_polls_fail_for_a_while(self) -> None:
        chances = self.run.faulty.chances
        self.run.faulty.chances = replace(chances, poll_fails=1.0)
        self.run.advance(900)
        self.run.faulty.chances = chances
        event("an outage longer than poll_stale_after")

    # ---- what people do ---------------------------------------------------------------------------------------------

    @rule()
    def the_daemon_is_killed(self) -> None:
        event(f"killed with {len(self.watch.flying)} steps under way" if self.watch.flying else "killed at rest")
        sent = (*self.coming, *self.run._daemon.sent())
        self.coming = [(moment, step) for moment, step in sent if moment >= self.run.now]
        steps = (*(step for _, step in self.coming), *self.watch.flying.values())
        writing = [(step.node.id, step.directive) for step in steps if isinstance(step, SetWord)]
        self.watch.restarted()
        self.watch.words = {
            identity: node.directive.directive
            for identity, node in self.run.site.clouds.nodes.items()
            if node.directive
        }
        for identity, directive in writing:  # it may come to the tag yet, and then that is the word
            if directive is not None and directive.directive is Directive.KILL:
                self.watch.words[identity] = Directive.KILL
            elif self.watch.words.get(identity) is not Directive.KILL:
                self.watch.words.pop(identity, None)
        self.run.restart()

    @rule(seconds=st.sampled_from([-3600.0, -5.0, 40.0]))
    def the_clock_is_set(self, seconds: float) -> None:
        self.run.site.skew += seconds

    @precondition(lambda self: self.run.site.clouds.nodes)
    @rule(data=st.data(), directive=st.sampled_from(list(Directive)))
    def an_operator_speaks(self, data: st.DataObject, directive: Directive) -> None:
        self.say(data.draw(st.sampled_from(sorted(self.run.site.clouds.nodes))), directive)

    def say(self, identity: str, directive: Directive) -> None:
        """An operator says this of a node."""
        if directive is Directive.KILL:
            self.run.site.killed_on_request.add(identity)
        before = self.watch.words.get(identity)
        self.watch.words[identity] = directive
        heard = self.run.tell(OperatorSaid(identity, directive, "a test"))
        if not any(isinstance(command, Note) and command.kind is Decided.WORD for command in heard):
            self.watch.words.pop(identity)  # not listed yet: the operator is told so
            if before is not None:
                self.watch.words[identity] = before
            return
        event(f"an operator says {directive.value}")

    # ---- what must hold ---------------------------------------------------------------------------------------------

    @invariant()
    def nothing_forbidden_happened(self) -> None:
        if hasattr(self, "watch"):
            assert not self.watch.wrong, self.watch.wrong

    def teardown(self) -> None:
        """When the faults stop, every satisfiable job gets its nodes, and what is superfluous goes."""
        if not hasattr(self, "watch"):
            return
        run = self.run
        run.faulty.chances, run.site.nature = Chances(), Nature()
        run.site.clouds.quota, run.site.clouds.no_capacity, run.site.clouds.full = self.lasting, set(), set()
        self.nothing_forbidden_happened()
        run.advance(1200)  # what was under way ends, and new daemons know their nodes
        for identity in sorted(run.site.clouds.nodes):  # a kill of the daemon may have left an older word in the tag
            self.watch.words[identity] = Directive.RUN
            run.tell(OperatorSaid(identity, Directive.RUN, "the end"))
        poll = run.pace.poll
        work = sum(job.duration * job.shape.nodes for job in run.site.jobs.values())
        served = run.until(self._all_served, BOUND * poll + 3 * work)
        assert served, self.watch.account("jobs wait for ever")
        self._little_is_tried()
        for job in run.site.jobs.values():  # probes for these would go on, and there is no moment without a node
            if not job.done and not job.cancelled:
                run.site.cancel(job, "its user has given it up")
        clean = run.until(self._nothing_left, BOUND * poll)
        assert clean, self.watch.account("something is left for ever")
        self.nothing_forbidden_happened()
        for name in sorted(self.watch.seen):
            event(name)

    def _all_served(self) -> bool:
        """But for those that Slurm never starts."""
        site = self.run.site
        return all(job.done or job.cancelled or not site.can_start(job) for job in site.jobs.values())

    def _little_is_tried(self) -> None:
        """Two hours with nothing but jobs that Slurm never starts costs one round of nodes for each group, and a few
        probes."""
        run, site = self.run, self.run.site
        never = [job.shape for job in site.jobs.values() if not job.done and not job.cancelled]
        if not never or self.run.policy.min_nodes:
            return
        before, least = site.tally.created, site.tally.cost + sum(node.price for node in site.clouds.nodes.values())
        run.advance(2 * 3600)
        probes = sum(shape.nodes for shape in set(never)) * PROBES
        made = site.tally.created - before
        most = sum(shape.nodes for shape in never) + probes
        assert made <= most, self.watch.account(f"{made} nodes for jobs that never start, {most} may be tried")
        cost = (most + 8) * max(offer.price or 0.0 for offer in OFFERS) * 1.5  # an hour and a half each, at most
        assert site.tally.cost - least <= cost, self.watch.account("nodes were kept for jobs that never start")

    def _nothing_left(self) -> bool:
        """No node beyond min_nodes, no slot without a node, no operation that never ends."""
        site = self.run.site
        slots, nodes = site.keeper.slots(), len(site.clouds.nodes)
        least = self.run.policy.min_nodes
        return nodes <= least and slots <= max(least, nodes) and not self.run.fleet.view.operations


FleetHistories.TestCase.settings = settings(
    max_examples=HISTORIES,
    stateful_step_count=RULES,
    deadline=None,
    derandomize=HISTORIES <= 100,  # the quick share of `make test` is the same each time
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)
TestFleetHistories = FleetHistories.TestCase


def test_a_word_on_its_way_through_two_kills_may_come_to_the_tag_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    """The node is held by its tag, and no longer by what the first of the daemons has asked for."""
    monkeypatch.setattr(f"{__name__}.event", lambda _: None)
    history = FleetHistories()
    history.begin(max_nodes=2, min_nodes=0, lasting=None, cap=0.0, windows=(0.0, 60.0), slots=6, names=False, seed=1)
    history.jobs_come(JobShape(size="small"), 3000, 0, 1)
    history.time_passes(10)
    (identity,) = history.run.site.clouds.nodes
    history.say(identity, Directive.HOLD)
    history.time_passes(1)
    history.the_daemon_is_killed()
    assert history.watch.words == {identity: Directive.HOLD}
    history.time_passes(10)
    history.say(identity, Directive.RUN)
    for _ in range(2):
        history.the_daemon_is_killed()
        assert history.watch.words == {}
    history.time_passes(1)
    history.the_daemon_is_killed()
    assert not history.coming
    assert history.run.site.clouds.nodes[identity].directive is None
