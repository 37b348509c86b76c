"""Where another manager may lead: what the brain does while it leads, is not sure, and stands by."""

from __future__ import annotations

import pytest

from arvnodeman.fleet.fleet import Fleet
from arvnodeman.fleet.messages import (
    DEBUG,
    CloudListed,
    Command,
    CreateNode,
    Event,
    ListSizes,
    Note,
    OperatorSaid,
    Poll,
    PollNow,
    PrepareRecord,
    QueueListed,
    RecordPrepared,
    RecordsListed,
    Step,
    StepDone,
    StepFailed,
    Tick,
)
from arvnodeman.fleet.values.gate import Bar
from arvnodeman.fleet.values.leading import ALONE, Lead, LeadHeld, LeadLost, generation_of, newest_generation, token_of
from arvnodeman.fleet.values.model import (
    CloudNode,
    Directive,
    ErrorKind,
    Job,
    JobShape,
    NodeRecord,
    Policy,
    ProviderSize,
    RemoteError,
    Secret,
    SizeSection,
)
from arvnodeman.fleet.view.counterfactual import of_job, of_node

START = 1_800_000_000.0
POLICY = Policy(
    sections=(SizeSection("small", 2, "t.small", price=0.1),),
    shutdown_windows=(54.0, 6.0),
    max_nodes=5,
    asks_scheduler=False,
)
JOB = Job("zzzzz-dz642-000000000000001", JobShape(cores=1))
NODE = CloudNode(id="i-1", name="compute1", report_id="i-1", size_tag="small", start_time=START - 60)
HELD = LeadHeld(3, begins_for=30.0, acts_for=54.0)
UNSENT = RemoteError(ErrorKind.NOT_LEADER, "not the leader: b:2 leads")


class Site:
    """A Fleet that stands by at first, and a clock."""

    def __init__(self) -> None:
        self.now = START
        self.fleet = Fleet(POLICY, START)
        self.told: list[Command] = []
        self.handle(LeadLost("nobody has been asked yet who leads"))
        (sizes,) = [command for command in self.told if isinstance(command, ListSizes)]  # who stands by may ask
        self.handle(StepDone(sizes, (ProviderSize("t.small", "t.small", 4000, 10),)))

    def handle(self, event: Event) -> list[Command]:
        commands = self.fleet.handle(event, self.now)
        self.told += commands
        return commands

    def poll(self, *nodes: CloudNode, records: tuple[NodeRecord, ...] = ()) -> list[Step]:
        """One round of all polls; the steps that come of it."""
        commands = self.handle(CloudListed(nodes, self.now))
        commands += self.handle(RecordsListed(records, None, self.now))
        commands += self.handle(QueueListed((JOB,), self.now))
        return [command for command in commands if isinstance(command, Step)]

    def lead(self, event: LeadHeld = HELD) -> list[Command]:
        return self.handle(event)

    def stands_by(self) -> bool:
        return self.fleet.view.stands_by

    def lets_requests(self) -> bool:
        return self.fleet.view.gate.lets_requests

    def bars(self) -> list[Bar]:
        return [shut.bar for shut in self.fleet.view.gate.boots]


@pytest.fixture
def site() -> Site:
    return Site()


def prepared(step: PrepareRecord) -> StepDone:
    return StepDone(step, RecordPrepared(NodeRecord("uuid-1", hostname="compute1", slot=1), Secret("sesame")))


def test_who_stands_by_begins_nothing_and_says_who_leads(site: Site) -> None:
    site.handle(LeadLost("a:1 leads, generation 2"))
    assert site.poll(NODE) == []
    view = site.fleet.view
    assert view.stands_by
    assert view.blocked == "this manager stands by: a:1 leads, generation 2"
    assert len(view.nodes) == 1  # and shows what there is
    assert len(view.jobs) == 1


def test_who_stands_by_says_who_decides_about_a_node_and_a_job(site: Site) -> None:
    site.handle(LeadLost("a:1 leads, generation 2"))
    why = "only the manager that leads decides about it; this manager stands by: a:1 leads, generation 2"
    assert of_job(site.fleet.view, JOB, 0, START).why_none == why  # also before any list has come
    site.handle(CloudListed((NODE,), site.now))
    (node,) = site.fleet.view.nodes.values()
    assert of_node(site.fleet.view, node, START).why_none == why
    site.poll(NODE)
    assert of_node(site.fleet.view, node, START).why_none == why
    assert of_job(site.fleet.view, JOB, 0, START).why_none == why


def test_an_operators_word_to_who_stands_by_is_not_obeyed(site: Site) -> None:
    site.poll(NODE)
    commands = site.handle(OperatorSaid("i-1", Directive.KILL))
    assert not [command for command in commands if isinstance(command, Step)]
    (note,) = [command for command in commands if isinstance(command, Note)]
    assert "was refused" in note.text


def test_whoever_begins_to_lead_acts_on_new_lists_alone(site: Site) -> None:
    site.poll()
    commands = site.lead()
    assert PollNow(frozenset(Poll)) in commands
    assert not [command for command in commands if isinstance(command, Step)]
    assert site.bars() == [Bar.OLD_LISTS]  # what it knew as the other led may be wrong by now
    assert len(site.fleet.view.sizes) == 1  # what cannot be wrong is known still
    (step,) = site.poll()
    assert isinstance(step, PrepareRecord)
    assert generation_of(step.intent.token) == 3


def test_a_decision_tells_of_each_change_once(site: Site) -> None:
    commands = [*site.lead(), *site.lead(), *site.poll(), *site.lead()]
    told = [command for command in commands if isinstance(command, Note) and command.subject == "manager"]
    assert [note.text % note.args for note in told] == [
        "This manager leads now, generation 3: it continues as after a restart"
    ]


def test_without_a_renewal_nothing_new_is_begun_then_nothing_at_all(site: Site) -> None:
    site.lead()
    site.now += 29.9
    assert site.poll() != []
    site = Site()
    site.lead()
    wakeup = site.fleet.next_wakeup()
    assert wakeup is not None
    assert wakeup <= START + 30
    site.now += 30
    assert site.poll() == []
    assert site.bars() == [Bar.LATE_HOLD]
    assert site.lets_requests()
    assert not site.stands_by()
    site.now += 24
    site.handle(Tick())
    assert site.bars() == [Bar.NOT_LEADER]
    assert not site.lets_requests()
    assert site.stands_by()
    site.lead()  # the same lead, renewed late: nobody has led meanwhile, and what was known is true
    assert site.bars() == []
    assert site.poll() != []


def test_a_renewed_lead_goes_on_with_what_it_has_begun(site: Site) -> None:
    site.lead()
    (step,) = site.poll()
    assert isinstance(step, PrepareRecord)
    site.now += 20
    site.lead()
    (create,) = [command for command in site.handle(prepared(step)) if isinstance(command, Step)]
    assert isinstance(create, CreateNode)
    assert create.token == step.intent.token


@pytest.mark.parametrize("event", [LeadLost("b:2 leads"), LeadHeld(4, 30.0, 54.0)])
def test_another_lead_forgets_what_was_under_way(site: Site, event: LeadHeld | LeadLost) -> None:
    """Whoever led meanwhile has gone on with it, by the record."""
    site.lead()
    (step,) = site.poll()
    site.handle(event)
    assert site.fleet.is_at_rest
    assert isinstance(step, PrepareRecord)
    commands = site.handle(prepared(step))
    assert not [command for command in commands if isinstance(command, Step)]


def test_what_was_not_sent_is_no_error_of_the_cloud_and_uses_up_no_attempt(site: Site) -> None:
    site.lead()
    (step,) = site.poll()
    assert isinstance(step, PrepareRecord)
    (create,) = [command for command in site.handle(prepared(step)) if isinstance(command, Step)]
    for _ in range(10):  # more often than boot_attempts
        assert isinstance(create, CreateNode)
        site.handle(StepFailed(create, UNSENT))
        assert site.fleet.view.counters.get("create_node_errors", 0) == 0
        site.now += 2.0
        (create,) = [command for command in site.lead() + site.handle(Tick()) if isinstance(command, Step)]
    assert isinstance(create, CreateNode)  # and nobody looks for a node first: none was asked for
    notes = [command for command in site.told if isinstance(command, Note) and "Client error" in command.text]
    assert {note.level for note in notes} == {DEBUG}


def test_numbers_of_operations_go_on_from_lead_to_lead(site: Site) -> None:
    """Else the answer to an old step could be taken for one to a new one."""
    site.lead()
    (first,) = site.poll()
    site.handle(LeadLost("b:2 leads"))
    site.lead(LeadHeld(5, 30.0, 54.0))
    (second,) = site.poll()
    assert second.op > first.op
    assert isinstance(second, PrepareRecord)
    assert isinstance(first, PrepareRecord)
    assert second.intent.token != first.intent.token
    assert generation_of(second.intent.token) == 5


def test_a_manager_that_is_alone_has_no_generation() -> None:
    fleet = Fleet(POLICY, START)
    assert fleet.view.lead is ALONE
    assert token_of(0, "18bcfe568-1") == "18bcfe568-1"


@pytest.mark.parametrize(
    ("token", "generation"),
    [
        ("g7-18bcfe568-1", 7),
        ("18bcfe568-1", 0),
        (None, 0),
        ("", 0),
        ("g-1", 0),
        ("gx-1", 0),
        ("g" + 20 * "1" + "-1", 0),
    ],
)
def test_a_generation_is_read_from_a_token(token: str | None, generation: int) -> None:
    assert generation_of(token) == generation


def test_the_newest_generation_of_some_nodes() -> None:
    assert newest_generation(["g2-a-1", None, "g11-b-2", "c-3"]) == 11
    assert newest_generation([]) == 0
    assert generation_of(token_of(12, "18bcfe568-1")) == 12


def test_a_lead_knows_when_it_ends_by_itself() -> None:
    lead = Lead(True, 1, 30.0, 54.0)
    assert [lead.next_change(t) for t in (0, 30, 54)] == [30.0, 54.0, None]
    assert ALONE.next_change(0) is None
