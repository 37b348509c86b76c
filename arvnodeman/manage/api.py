"""The API under /v1: what there is, why it is so, and an operator's word on a node.

Each page is a line of ENDPOINTS, which /v1/openapi.json is made of, too; what it answers is said by its method's type.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import msgspec
from werkzeug.exceptions import BadRequest, InternalServerError, NotFound
from werkzeug.wrappers import Request, Response

from arvnodeman.fleet.messages import OperatorSaid, RetryAsked
from arvnodeman.fleet.values.budgets import BudgetRaise
from arvnodeman.fleet.values.counterfactual import Counterfactual, Outside
from arvnodeman.fleet.values.model import Directive
from arvnodeman.fleet.view.counterfactual import of_job, of_node
from arvnodeman.manage import budget_answers, shapes
from arvnodeman.manage.access import Right, check_leads
from arvnodeman.manage.answers import (
    LONGEST_REASON,
    DecisionsShown,
    GroupsShown,
    JobShown,
    JobsShown,
    NodeShown,
    NodesShown,
    OperationsShown,
    OtherJobShown,
    PollsShown,
    ReasonGiven,
    RetriedShown,
    SizeShown,
    SizesShown,
    StatusShown,
    WordShown,
)
from arvnodeman.manage.answers_of_history import HistoryShown, LinesShown
from arvnodeman.manage.app import Page, Route, json_response
from arvnodeman.manage.budget_answers import BudgetShown, BudgetsShown, RaisedShown, RaiseGiven
from arvnodeman.manage.cached_page import CachedPage
from arvnodeman.manage.changes import CounterfactualShown
from arvnodeman.manage.questions import Questions
from arvnodeman.manage.source import Source
from arvnodeman.manage.told_otherwise import told_otherwise
from arvnodeman.supervision.clock import wall_time

_WRONG_REASON = f"reason must be a text of one line and at most {LONGEST_REASON} characters"
_DECIMAL = re.compile(r"[0-9]+(\.[0-9]*)?")

Given = TypeVar("Given", ReasonGiven, RaiseGiven)


@dataclass(frozen=True, slots=True)
class Query:
    """A number that may follow the question mark."""

    name: str
    description: str
    least: float
    most: float
    default: float
    whole: bool = True


OFFSET = Query("offset", "jobs to leave out", 0, 10**9, 0)
LIMIT = Query("limit", "jobs to show, 100 by default", 1, 1000, 100)
AFTER = Query("after", "only those with a higher serial number", 0, 10**15, 0)
HOURS = Query("hours", "how far back, 6 by default", 0.1, 168, 6, whole=False)


class Api:
    """The pages, each called in one of the server's threads."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._questions = Questions()
        clock = source.vitals.clock
        self._run = f"{clock.now() - (clock.monotonic() - source.vitals.began):.0f}"  # when this run began

    def status(self, request: Request) -> StatusShown:
        """The daemon in one object."""
        return shapes.status(self._source)

    def nodes(self, request: Request) -> NodesShown:
        """All nodes."""
        now = self._source.moment()
        return NodesShown([shapes.node(status, now) for status in now.view.nodes.values()])

    def node(self, request: Request, name: str) -> NodeShown:
        """One node by cloud id, cloud name or hostname, with the operations on it."""
        now = self._source.moment()
        found = now.find(name)
        if found is None:
            raise NotFound
        works = [shapes.operation(each, now) for each in now.view.operations if each.node == found.id]
        return shapes.node(found, now, works)

    def jobs(self, request: Request) -> JobsShown:
        """The waiting jobs in the order of service, a page of them."""
        _only(request, OFFSET, LIMIT)
        offset, limit = _whole(request, OFFSET), _whole(request, LIMIT)
        now = self._source.moment()
        jobs = now.view.jobs
        page = [
            shapes.job(waiting, place, self._source, now)
            for place, waiting in enumerate(jobs[offset : offset + limit], offset)
        ]
        return JobsShown(page, offset, len(jobs))

    def job(self, request: Request, name: str) -> JobShown | OtherJobShown:
        """One waiting job, or one that waits for something else than nodes."""
        now = self._source.moment()
        for place, waiting in enumerate(now.view.jobs):
            if waiting.id == name:
                shown = shapes.job(waiting, place, self._source, now)
                return msgspec.structs.replace(shown, otherwise=told_otherwise(waiting, now.view) or msgspec.UNSET)
        if (reason := self._source.waits.others.get(name)) is not None:
            return shapes.other_job(name, reason, now)
        raise NotFound

    def change_for_node(self, request: Request, name: str) -> CounterfactualShown:
        """What would let a node go that stays."""
        now = self._source.moment()
        found = now.find(name)
        if found is None:
            raise NotFound
        return self._questions.ask(lambda: of_node(now.view, found, now.t))

    def change_for_job(self, request: Request, name: str) -> CounterfactualShown:
        """What would let a waiting job have its nodes."""
        now = self._source.moment()
        for place, waiting in enumerate(now.view.jobs):
            if waiting.id == name:
                return self._questions.ask(partial(of_job, now.view, waiting, place, now.t))
        if (reason := self._source.waits.others.get(name)) is not None:
            why = shapes.other_job(name, reason, now).why
            return self._questions.ask(lambda: Counterfactual(why_none=why, outside=Outside.SCHEDULER))
        raise NotFound

    def sizes(self, request: Request) -> SizesShown:
        """All sizes."""
        return SizesShown(shapes.sizes(self._source.moment(), self._source.history.spot))

    def size(self, request: Request, name: str) -> SizeShown:
        """One size."""
        for found in shapes.sizes(self._source.moment(), self._source.history.spot):
            if found.id == name:
                return found
        raise NotFound

    def groups(self, request: Request) -> GroupsShown:
        """The groups of waiting jobs for which a node was up in vain."""
        return GroupsShown(shapes.groups(self._source.moment()))

    def retry(self, request: Request, name: str) -> RetriedShown:
        """Nodes are tried again at once: for a group, a job's group, or the groups that a size may serve."""
        reason, now = _reason(request), self._source.moment()
        meant = shapes.groups_meant(name, now)
        known = name in self._source.waits.others or any(job.id == name for job in now.view.jobs)
        if not meant and not known and name not in {size.id for size in shapes.sizes(now)}:
            raise NotFound
        heard = self._source.say(RetryAsked(name, reason))
        return RetriedShown(name, meant, reason, heard)

    def budgets(self, request: Request) -> BudgetsShown:
        """All budgets."""
        now = self._source.moment()
        return BudgetsShown(budget_answers.budgets(now.view, now.t))

    def budget(self, request: Request, name: str) -> BudgetShown:
        """One budget."""
        for found in self.budgets(request).budgets:
            if found.name == name:
                return found
        raise NotFound

    def raise_budget(self, request: Request, name: str) -> RaisedShown:
        """An operator raises a budget for a while. It is kept before it is told."""
        given = _body(request, RaiseGiven(0.0))
        self.budget(request, name)
        now = self._source.vitals.clock.now()
        reason = _one_line(given.reason)
        if given.amount > 0 and not reason:
            raise BadRequest("a raise needs a reason")
        if given.amount > 0 and given.until <= now:
            raise BadRequest("until must be a moment to come, in seconds since the epoch")
        said = BudgetRaise(name, given.amount, given.until, reason, now, wall_time(given.until))
        try:
            kept = self._source.keep_raise(said)
        except OSError as error:
            raise InternalServerError(f"it cannot be written, and is not raised: {error.strerror}") from None
        return RaisedShown(name, said.amount, said.ends, reason, kept, self._source.say(said))

    def operations(self, request: Request) -> OperationsShown:
        """What is under way."""
        now = self._source.moment()
        return OperationsShown([shapes.operation(each, now) for each in now.view.operations])

    def polls(self, request: Request) -> PollsShown:
        """The three lists."""
        return PollsShown(shapes.polls(self._source))

    def decisions(self, request: Request) -> DecisionsShown:
        """The newest decisions; with `after`, those with a higher serial number. `run` tells one daemon from the
        next, which counts from 1 again."""
        _only(request, AFTER)
        after = _whole(request, AFTER)
        decisions = self._source.published.decisions
        found = [shapes.decision(each) for each in decisions.after(after)]
        return DecisionsShown(self._run, decisions.last, found)

    def history(self, request: Request) -> HistoryShown:
        """The last hours as lines: nodes by state, queue, capacity, cost."""
        _only(request, HOURS)
        lines = self._source.history.series(self._source.vitals.clock.now(), _number(request, HOURS))
        return HistoryShown(
            step=lines.step,
            since=lines.since,
            until=lines.until,
            times=lines.times,
            nodes=LinesShown(**lines.nodes),
            queue=lines.queue,
            capacity=lines.capacity,
            cost_per_hour=lines.cost_per_hour,
        )

    def say(self, request: Request, name: str, *, directive: Directive) -> WordShown:
        """An operator says this of a node."""
        reason = _reason(request)
        found = self._source.moment().find(name)
        if found is None:
            raise NotFound
        heard = self._source.say(OperatorSaid(found.id, directive, reason))
        return WordShown(found.name, directive.value, reason, heard)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One page under /v1, and how /v1/openapi.json tells of it."""

    path: str  # as OpenAPI has it
    page: Callable[..., Any]  # a method of Api
    summary: str
    codes: tuple[int, ...] = ()  # of answers that say what is wrong, beside 401 and 403
    name: str = ""  # what the {name} in the path is
    queries: tuple[Query, ...] = ()
    posted: bool = False  # something may come with it
    body: type = ReasonGiven  # what
    cached: bool = False  # made once a second at most
    tagged: bool = False  # cached, and with an ETag


NODE = "cloud id, cloud name or hostname"
BUDGET = "NAME of [Budget NAME]"
ENDPOINTS = (
    Endpoint("/v1/status", Api.status, "The daemon in one object"),
    Endpoint("/v1/nodes", Api.nodes, "All nodes", tagged=True),
    Endpoint("/v1/nodes/{name}", Api.node, "One node and the operations on it", (404,), NODE),
    Endpoint(
        "/v1/nodes/{name}/counterfactual", Api.change_for_node, "What would let a node go: asked of the plan",
        (404, 429), NODE,
    ),
    Endpoint("/v1/jobs", Api.jobs, "Waiting jobs in the order of service", (400,), queries=(OFFSET, LIMIT)),
    Endpoint("/v1/jobs/{name}", Api.job, "One waiting job", (404,), "as Slurm names it"),
    Endpoint(
        "/v1/jobs/{name}/counterfactual", Api.change_for_job, "What would let a job have its nodes: asked of the plan",
        (404, 429), "as Slurm names it",
    ),
    Endpoint("/v1/sizes", Api.sizes, "All sizes", cached=True),
    Endpoint("/v1/sizes/{name}", Api.size, "One size", (404,), "NAME of [Size NAME]"),
    Endpoint("/v1/groups", Api.groups, "Groups of jobs for which a node was up in vain"),
    Endpoint(
        "/v1/retry/{name}", Api.retry, "Nodes are tried again for a group of jobs", (400, 404, 409),
        "a group, a job, or NAME of [Size NAME]", posted=True,
    ),
    Endpoint("/v1/budgets", Api.budgets, "All budgets"),
    Endpoint("/v1/budgets/{name}", Api.budget, "One budget", (404,), BUDGET),
    Endpoint(
        "/v1/budgets/{name}/raise", Api.raise_budget, "An operator raises a budget for a while", (400, 404, 409),
        BUDGET, posted=True, body=RaiseGiven,
    ),
    Endpoint("/v1/operations", Api.operations, "What is under way"),
    Endpoint("/v1/polls", Api.polls, "The three lists"),
    Endpoint("/v1/decisions", Api.decisions, "The newest decisions, oldest first", (400,), queries=(AFTER,)),
    Endpoint("/v1/history", Api.history, "The last hours as lines", (400,), queries=(HOURS,)),
    *(
        Endpoint(
            f"/v1/nodes/{{name}}/{each.value}", partial(Api.say, directive=each), f"An operator says {each.value}",
            (400, 404, 409), NODE, posted=True,
        )
        for each in Directive
    ),
)  # fmt: skip


def routes(source: Source) -> list[Route]:
    """All pages of the table."""
    api = Api(source)
    return [_route(endpoint, partial(endpoint.page, api), source) for endpoint in ENDPOINTS]


def _route(endpoint: Endpoint, page: Page, source: Source) -> Route:
    rule = endpoint.path.replace("{name}", "<name>")
    if endpoint.posted:
        return Route(rule, partial(_taken, page, source), Right.CHANGE, "POST")
    if endpoint.cached or endpoint.tagged:
        page = CachedPage(page, source, tagged=endpoint.tagged)
    return Route(rule, page, Right.READ)


def _taken(
    page: Callable[..., WordShown | RetriedShown | RaisedShown], source: Source, request: Request, name: str
) -> Response:
    """202: accepted, and not received yet. Raises Refusal where another manager leads."""
    check_leads(source.leading())
    answer = page(request, name)
    return json_response(answer, 200 if answer.heard else 202)


def _only(request: Request, *queries: Query) -> None:
    """A query that means something else than it says is not a query."""
    names = [query.name for query in queries]
    unknown = sorted(set(request.args) - set(names))
    if unknown:
        raise BadRequest(f"there is no {unknown[0][:40]!r} in the query of this page, but {' and '.join(names)}")


def _whole(request: Request, query: Query) -> int:
    """A whole number of the query."""
    text = request.args.get(query.name)
    if text is None:
        return int(query.default)
    if not (text.isascii() and text.isdigit() and len(text) < 20 and query.least <= int(text) <= query.most):
        raise BadRequest(f"{query.name} must be a whole number from {query.least} to {query.most}")
    return int(text)


def _number(request: Request, query: Query) -> float:
    """A number of the query, written with digits and at most one point."""
    text = request.args.get(query.name)
    if text is None:
        return query.default
    if not (len(text) < 30 and _DECIMAL.fullmatch(text) and query.least <= float(text) <= query.most):
        raise BadRequest(f"{query.name} must be a number from {query.least:g} to {query.most:g}")
    return float(text)


def _reason(request: Request) -> str:
    """The reason in the body, `{"reason": TEXT}`; no body is not a reason."""
    return _one_line(_body(request, ReasonGiven()).reason)


def _body(request: Request, empty: Given) -> Given:
    """What the body says; `empty` where there is none."""
    kind = type(empty)
    try:
        return msgspec.json.decode(request.get_data() or msgspec.json.encode(empty), type=kind)
    except msgspec.ValidationError as error:
        if "$.reason" in str(error):
            raise BadRequest(_WRONG_REASON) from None
        fields = ", ".join(f'"{name}": {"TEXT" if name == "reason" else "NUMBER"}' for name in kind.__struct_fields__)
        place = str(error).partition("`$.")[2].partition("`")[0]
        where = f" ({place})" if place else ""
        raise BadRequest(f"the body must be a JSON object, {{{fields}}}{where}") from None
    except msgspec.DecodeError:
        raise BadRequest("the body is not JSON") from None
    except RecursionError:
        raise BadRequest("the body is nested too deeply") from None


def _one_line(reason: str) -> str:
    if not (reason.isprintable() or not reason):
        raise BadRequest(_WRONG_REASON)
    return reason.strip()
