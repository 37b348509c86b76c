"""The API under /v1: what there is, why it is so, and an operator's word on a node."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from werkzeug.exceptions import BadRequest, NotFound
from werkzeug.wrappers import Request, Response

from arvnodeman.fleet.messages import OperatorSaid, RetryAsked
from arvnodeman.fleet.values.model import Word
from arvnodeman.manage import openapi, shapes
from arvnodeman.manage.access import Right
from arvnodeman.manage.app import Page, Route, json_response
from arvnodeman.manage.kept import Kept
from arvnodeman.manage.source import Source

PAGE = 100  # jobs on a page, when nobody asks for another number
LARGEST_PAGE = 1000
HOURS, LEAST_HOURS, MOST_HOURS = 6.0, 0.1, 168.0  # of history
_DECIMAL = re.compile(r"[0-9]+(\.[0-9]*)?")
LONGEST_REASON = 180  # characters: what a tag of any cloud holds


def routes(source: Source) -> list[Route]:
    """All pages under /v1."""
    api = Api(source)
    read: dict[str, Page] = {
        "/v1/openapi.json": lambda _request: json_response(openapi.document()),
        "/v1/status": api.status,
        "/v1/nodes": Kept(api.nodes, source, tagged=True),
        "/v1/nodes/<name>": api.node,
        "/v1/jobs": api.jobs,
        "/v1/jobs/<name>": api.job,
        "/v1/sizes": Kept(api.sizes, source),
        "/v1/sizes/<name>": api.size,
        "/v1/groups": api.groups,
        "/v1/operations": api.operations,
        "/v1/polls": api.polls,
        "/v1/decisions": api.decisions,
        "/v1/history": api.history,
    }
    pages = [Route(rule, page, Right.READ) for rule, page in read.items()]
    pages.append(Route("/v1/retry/<name>", api.retry, Right.CHANGE, "POST"))
    return pages + [Route(f"/v1/nodes/<name>/{word.value}", api.say(word), Right.CHANGE, "POST") for word in Word]


class Api:
    """The pages, each called in one of the server's threads."""

    def __init__(self, source: Source) -> None:
        self._source = source
        clock = source.vitals.clock
        self._run = f"{clock.now() - (clock.monotonic() - source.vitals.began):.0f}"  # when this run began

    def status(self, request: Request) -> Response:
        """The daemon in one object."""
        return json_response(shapes.status(self._source))

    def nodes(self, request: Request) -> Response:
        """All nodes."""
        now = self._source.look()
        return json_response({"nodes": [shapes.node(status, now) for status in now.view.nodes.values()]})

    def node(self, request: Request, name: str) -> Response:
        """One node by cloud id, cloud name or hostname, with the operations on it."""
        now = self._source.look()
        found = now.find(name)
        if found is None:
            raise NotFound
        works = [shapes.operation(each, now) for each in now.view.operations if each.node == found.id]
        return json_response({**shapes.node(found, now), "operations": works})

    def jobs(self, request: Request) -> Response:
        """The waiting jobs in the order of service, a page of them."""
        _only(request, "offset", "limit")
        offset = _whole(request, "offset", 0, 0, 10**9)
        limit = _whole(request, "limit", PAGE, 1, LARGEST_PAGE)
        now = self._source.look()
        jobs = now.view.jobs
        page = [
            shapes.job(waiting, place, self._source, now)
            for place, waiting in enumerate(jobs[offset : offset + limit], offset)
        ]
        return json_response({"jobs": page, "offset": offset, "total": len(jobs)})

    def job(self, request: Request, name: str) -> Response:
        """One waiting job, or one that waits for something else than nodes."""
        now = self._source.look()
        for place, waiting in enumerate(now.view.jobs):
            if waiting.id == name:
                return json_response(shapes.job(waiting, place, self._source, now))
        if (reason := self._source.waits.others.get(name)) is not None:
            return json_response(shapes.other_job(name, reason, now))
        raise NotFound

    def sizes(self, request: Request) -> Response:
        """All sizes."""
        return json_response({"sizes": shapes.sizes(self._source.look())})

    def size(self, request: Request, name: str) -> Response:
        """One size."""
        for found in shapes.sizes(self._source.look()):
            if found["id"] == name:
                return json_response(found)
        raise NotFound

    def groups(self, request: Request) -> Response:
        """The groups of waiting jobs for which a node was up in vain."""
        return json_response({"groups": shapes.groups(self._source.look())})

    def retry(self, request: Request, name: str) -> Response:
        """Nodes are tried again at once: for a group, a job's group, or the groups that a size may serve."""
        reason, now = _reason(request), self._source.look()
        meant = shapes.groups_meant(name, now)
        known = name in self._source.waits.others or any(job.id == name for job in now.view.jobs)
        if not meant and not known and name not in {size["id"] for size in shapes.sizes(now)}:
            raise NotFound
        heard = self._source.say(RetryAsked(name, reason))
        return json_response({"name": name, "groups": meant, "reason": reason, "heard": heard}, 200 if heard else 202)

    def operations(self, request: Request) -> Response:
        """What is under way."""
        now = self._source.look()
        return json_response({"operations": [shapes.operation(each, now) for each in now.view.operations]})

    def polls(self, request: Request) -> Response:
        """The three lists."""
        return json_response({"polls": shapes.polls(self._source)})

    def decisions(self, request: Request) -> Response:
        """The newest decisions; with `after`, those with a higher serial number. `run` tells one daemon from the
        next, which counts from 1 again."""
        _only(request, "after")
        after = _whole(request, "after", 0, 0, 10**15)
        decisions = self._source.published.decisions
        found = [shapes.decision(each) for each in decisions.after(after)]
        return json_response({"run": self._run, "last": decisions.last, "decisions": found})

    def history(self, request: Request) -> Response:
        """The last hours as lines: nodes by state, queue, capacity, cost."""
        _only(request, "hours")
        hours = _number(request, "hours", HOURS, LEAST_HOURS, MOST_HOURS)
        return json_response(self._source.history.series(self._source.vitals.clock.now(), hours))

    def say(self, word: Word) -> Callable[..., Response]:
        """The page that takes this word on a node."""

        def page(request: Request, name: str) -> Response:
            reason = _reason(request)
            found = self._source.look().find(name)
            if found is None:
                raise NotFound
            heard = self._source.say(OperatorSaid(found.id, word, reason))
            answer = {"node": found.name, "word": word.value, "reason": reason, "heard": heard}
            return json_response(answer, 200 if heard else 202)

        return page


def _only(request: Request, *names: str) -> None:
    """A query that means something else than it says is no query."""
    unknown = sorted(set(request.args) - set(names))
    if unknown:
        raise BadRequest(f"there is no {unknown[0][:40]!r} in the query of this page, but {' and '.join(names)}")


def _whole(request: Request, name: str, default: int, least: int, most: int) -> int:
    """A whole number of the query."""
    text = request.args.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 20 and least <= int(text) <= most):
        raise BadRequest(f"{name} must be a whole number from {least} to {most}")
    return int(text)


def _number(request: Request, name: str, default: float, least: float, most: float) -> float:
    """A number of the query, written with digits and at most one point."""
    text = request.args.get(name)
    if text is None:
        return default
    if not (len(text) < 30 and _DECIMAL.fullmatch(text) and least <= float(text) <= most):
        raise BadRequest(f"{name} must be a number from {least:g} to {most:g}")
    return float(text)


def _reason(request: Request) -> str:
    """The reason in the body, `{"reason": TEXT}`; no body is no reason."""
    body = request.get_data()
    try:
        given = json.loads(body) if body else {}
    except ValueError:
        raise BadRequest("the body is not JSON") from None
    except RecursionError:
        raise BadRequest("the body is nested too deeply") from None
    if not isinstance(given, dict) or set(given) - {"reason"}:
        raise BadRequest('the body must be a JSON object, {"reason": TEXT}')
    reason = given.get("reason", "")
    if not isinstance(reason, str) or len(reason) > LONGEST_REASON or not (reason.isprintable() or not reason):
        raise BadRequest(f"reason must be a text of one line and at most {LONGEST_REASON} characters")
    return reason.strip()
