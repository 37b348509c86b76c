"""Properties of the Fleet over random histories of a site whose Slurm places jobs on names that are off.

As in test_fleet_histories.py: what must hold at every command is checked as it leaves (`PlacingWatch`) or when it comes
to the site, what must come in the end when the faults have stopped, and limits stay. `make proofs
ARGS=histories` runs many of these, too.
"""

from __future__ import annotations

import os
from dataclasses import replace

from hypothesis import HealthCheck, event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from simulation.placing_watch import PlacingWatch

from arvnodeman.fleet.messages import Decided, Note, OperatorSaid, SetWord
from arvnodeman.fleet.values.model import Directive, JobShape, Policy, ProviderSize, SizeSection
from arvnodeman.foresight.faults import Chances
from arvnodeman.foresight.sim_power import OFF
from arvnodeman.foresight.sim_site import Nature
from arvnodeman.foresight.simulation import Pace, PlacingSimulation

HISTORIES = int(os.environ.get("HISTORIES", "5"))
RULES = int(os.environ.get("RULES", "30"))  # in a history
BOUND = 400  # polls within which everything must have come right once the faults have stopped

OFFERS = (
    ProviderSize("small", "small", ram=4000, disk=10, price=0.1, cores=2),
    ProviderSize("medium", "medium", ram=8000, disk=20, price=0.13, cores=4),
    ProviderSize("big", "big", ram=16000, disk=50, price=0.4, cores=8),
)
SECTIONS = tuple(SizeSection(offer.id, int(offer.cores), offer.id) for offer in OFFERS)
SHAPES = st.builds(
    JobShape,
    cores=st.sampled_from([1, 2, 4, 8]),
    ram=st.sampled_from([0, 1000, 3000]),
    size=st.sampled_from([None, None, None, "small", "medium", "big"]),
    nodes=st.sampled_from([1, 1, 1, 2]),
).filter(lambda shape: any(shape.size in (None, offer.id) and shape.cores <= offer.cores for offer in OFFERS))
RATES = st.sampled_from([0.0, 0.0, 0.05, 0.2])
SOME = st.sampled_from([frozenset(), frozenset(), frozenset({"small"}), frozenset({"small", "medium", "big"})])


class PlacingHistories(RuleBasedStateMachine):
    """One history."""

    @initialize(
        max_nodes=st.integers(2, 8),
        min_nodes=st.sampled_from([0, 0, 1, 2]),
        lasting=st.sampled_from([None, None, 2, 3]),
        cap=st.sampled_from([0.0, 0.0, 1.0]),
        names=st.sampled_from([2, 4]),
        poll=st.sampled_from([5.0, 60.0]),
        ahead=st.booleans(),
        seed=st.integers(0, 1 << 30),
    )
    def begin(
        self,
        max_nodes: int,
        min_nodes: int,
        lasting: int | None,
        cap: float,
        names: int,
        poll: float,
        ahead: bool,
        seed: int,
    ) -> None:
        """A site and a daemon. `lasting`: the cloud's quota that stays to the end, and has to be learnt; `ahead`: it is
        told of jobs with a begin time."""
        policy = Policy(
            sections=SECTIONS,
            shutdown_windows=(0.0, 60.0),
            max_nodes=max_nodes,
            min_nodes=min_nodes,
            max_total_price=cap,
            boot_fail_after=900.0,
            slurm=True,
            places=True,
        )
        self.run = PlacingSimulation(policy, OFFERS, seed=seed, pace=Pace(poll=poll), slots=names)
        self.run.site.later = self.run.site.that_begin_later if ahead else None
        self.watch = PlacingWatch(self.run)
        self.drained: set[str] = set()
        self.lasting = lasting

    # ---- what users do ----------------------------------------------------------------------------------------------

    @rule(minutes=st.sampled_from([0.02, 0.1, 0.3, 1, 1, 3, 10, 30]))
    def time_passes(self, minutes: float) -> None:
        self.run.advance(minutes * 60)

    @rule(
        shape=SHAPES,
        duration=st.sampled_from([30, 300, 3000]),
        count=st.integers(1, 3),
        batch=st.sampled_from([True, True, True, False]),
        requeue=st.sampled_from([True, True, False]),
        alone=st.booleans(),
        seconds=st.sampled_from([0, 5, 20, 240]),
        later=st.sampled_from([0, 0, 30, 400, 1200]),
    )
    def jobs_come(
        self,
        shape: JobShape,
        duration: float,
        count: int,
        batch: bool,
        requeue: bool,
        alone: bool,
        seconds: float,
        later: float,
    ) -> None:
        begins = self.run.now + later if later else 0.0
        for _ in range(count):
            self.run.site.submit(shape, duration, batch=batch, requeue=requeue, alone=alone, begins=begins)
        self.run.advance(seconds)

    @rule(shape=SHAPES, tasks=st.sampled_from([3, 12]), requeue=st.booleans())
    def an_array_comes(self, shape: JobShape, tasks: int, requeue: bool) -> None:
        self.run.site.submit_array(shape, 300, tasks, requeue=requeue)

    @rule(which=st.sampled_from(["waits", "is placed", "runs"]))
    def a_job_is_cancelled(self, which: str) -> None:
        there = [job for job in self.run.site.jobs.values() if not job.over]
        wanted = {"waits": "waits", "is placed": "configures", "runs": "begun"}[which]
        for job in [job for job in there if getattr(job, wanted)][:1]:
            event(f"a job is cancelled that {which}")
            self.run.site.cancel(job, "by its user")

    # ---- what the world does ----------------------------------------------------------------------------------------

    @rule(before=RATES, after=RATES, polls=RATES, throttled=RATES)
    def requests_fail(self, before: float, after: float, polls: float, throttled: float) -> None:
        self.run.faulty.chances = replace(
            self.run.faulty.chances, fails_before=before, fails_after=after, poll_fails=polls, throttled=throttled
        )

    @rule(cloud=RATES)
    def lists_lie(self, cloud: float) -> None:
        self.run.faulty.chances = replace(self.run.faulty.chances, list_lies=cloud)

    @rule(never_pings=RATES, dies=RATES)
    def nodes_are_bad(self, never_pings: float, dies: float) -> None:
        self.run.site.nature = Nature(never_pings=never_pings, dies=dies)

    @rule(quota=st.sampled_from([None, 0, 1, 3]), full=SOME, refused=SOME)
    def the_cloud_refuses(self, quota: int | None, full: frozenset[str], refused: frozenset[str]) -> None:
        clouds = self.run.site.clouds
        clouds.quota, clouds.no_capacity, clouds.refused = quota, set(full), set(refused)

    @rule(
        how=st.sampled_from(["vanish", "vanish", "stop", "fall silent"]), works=st.booleans(), which=st.integers(0, 3)
    )
    def a_node_is_lost(self, how: str, works: bool, which: int) -> None:
        site = self.run.site
        busy = {name.node.id for name in site.slurms.names.values() if name.node is not None and name.jobs}
        there = sorted(identity for identity in site.clouds.nodes if (identity in busy) is works)
        if not there:
            return
        lost = {"vanish": site.vanish, "stop": site.stop, "fall silent": site.fall_silent}[how]
        lost(there[which % len(there)])
        event(f"a node is lost: {how}, " + ("with a job" if works else "without a job"))

    @rule(minutes=st.sampled_from([0.0, 0.5, 5, 20]))
    def slurmctld_is_away(self, minutes: float) -> None:
        self.run.site.slurms.leave()
        self.run.advance(minutes * 60)
        self.run.site.slurms.come_back()

    @rule()
    def all_polls_fail_for_a_while(self) -> None:
        chances = self.run.faulty.chances
        self.run.faulty.chances = replace(chances, poll_fails=1.0)
        self.run.advance(900)
        self.run.faulty.chances = chances

    # ---- what people do ---------------------------------------------------------------------------------------------

    @rule(seconds=st.sampled_from([0, 0.2, 0.7, 3, 11]))
    def the_daemon_is_killed(self, seconds: float) -> None:
        self.run.advance(seconds)
        event(f"killed with {len(self.watch.flying)} steps under way" if self.watch.flying else "killed at rest")
        writing = {step.node.id for step in self.watch.flying.values() if isinstance(step, SetWord)}
        self.watch.restarted()
        self.watch.words = {
            identity: node.directive.directive
            for identity, node in self.run.site.clouds.nodes.items()
            if node.directive and identity not in writing  # else another word may come to the tag yet
        }
        self.run.restart()

    @rule(which=st.integers(0, 11))
    def an_admin_drains_a_name(self, which: int) -> None:
        names = self.run.site.slurms.names
        free = sorted(name for name, each in names.items() if each.power == OFF and not (each.jobs or each.drain))
        if free:
            name = free[which % len(free)]
            self.run.site.slurms.update(name, "drain", "disk")
            self.drained.add(name)

    @rule(seconds=st.sampled_from([-3600.0, -5.0, 40.0]))
    def the_clock_is_set(self, seconds: float) -> None:
        self.run.site.skew += seconds

    @rule(which=st.integers(0, 3), directive=st.sampled_from([Directive.HOLD, Directive.DRAIN, Directive.RUN]))
    def an_operator_speaks(self, which: int, directive: Directive) -> None:
        there = sorted(self.run.site.clouds.nodes)
        if not there:
            return
        identity = there[which % len(there)]
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
            assert not self.watch.wrong, self.watch.account(str(self.watch.wrong))

    def teardown(self) -> None:
        """When the faults stop, every job gets its nodes, and what is superfluous goes."""
        if not hasattr(self, "watch"):
            return
        run, site = self.run, self.run.site
        run.faulty.chances, site.nature = Chances(), Nature()
        site.clouds.quota, site.clouds.no_capacity, site.clouds.refused = self.lasting, set(), set()
        for name in sorted(self.drained):
            site.slurms.update(name, "resume")
        self.nothing_forbidden_happened()
        run.advance(1200)  # what was under way ends, and new daemons know their nodes
        for identity in sorted(site.clouds.nodes):  # a kill of the daemon may have left an older word in the tag
            self.watch.words[identity] = Directive.RUN
            run.tell(OperatorSaid(identity, Directive.RUN, "the end"))
        poll = max(run.pace.poll, 60.0)
        work = sum(job.duration * job.shape.nodes for job in site.jobs.values())
        served = run.until(lambda: all(job.over for job in site.jobs.values()), BOUND * poll + 3 * work)
        assert served, self.watch.account("jobs wait for ever")
        clean = run.until(self._nothing_left, BOUND * poll)
        assert clean, self.watch.account("something is left for ever")
        self.nothing_forbidden_happened()
        for name in sorted(self.watch.seen):
            event(name)
        counters = run.fleet.view.counters
        for name in sorted(name for name in counters if name.startswith("ahead")):
            event(f"{name} of the last daemon: {'some' if counters[name] else 'none'}")

    def _nothing_left(self) -> bool:
        """No node beyond min_nodes, no mark without a node, no operation that never ends, every name open that may have
        a node."""
        site, least = self.run.site, self.run.policy.min_nodes
        slots, nodes = site.records.slots(), len(site.clouds.nodes)
        shut = [name for name in site.slurms.names.values() if name.drain or name.down or name.asked_down]
        off = sum(name.power == OFF for name in site.slurms.names.values())
        shut = shut if nodes < self.run.policy.max_nodes else []
        tidy = off >= len(site.slurms.names) - nodes and not shut and slots <= max(least, nodes)
        return nodes <= least and tidy and not self.run.fleet.view.operations


PlacingHistories.TestCase.settings = settings(
    max_examples=HISTORIES,
    stateful_step_count=RULES,
    deadline=None,
    derandomize=HISTORIES <= 100,  # the quick share of `make test` is the same each time
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)
TestPlacingHistories = PlacingHistories.TestCase
