"""The commands for operators: status, explain, hold, drain, run, kill, retry, budget, decisions.

Exit codes: 0 done; 1 the daemon cannot be reached, or failed; 2 a wrong command line or configuration file; 3 there is
no node, job, size or budget of that name; 4 not allowed; 5 (status) the daemon is there, and is not well.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from time import sleep
from typing import Any, TextIO

from arvnodeman.commands import budget, wording
from arvnodeman.commands.client import Answer, Busy, ClientError, DaemonClient, Unknown, Unreachable, ways
from arvnodeman.config import ConfigError, load
from arvnodeman.fleet.values.model import Directive
from arvnodeman.manage.answers import (
    DecisionsShown,
    GroupsShown,
    JobShown,
    JobsShown,
    NodeShown,
    NodesShown,
    OtherJobShown,
    RetriedShown,
    SizeShown,
    SizesShown,
    StatusShown,
    WordShown,
)
from arvnodeman.manage.budget_answers import BudgetShown
from arvnodeman.manage.changes import CounterfactualShown
from arvnodeman.manage.places import CONFIG
from arvnodeman.terminal.command_line import CommandLine, Subcommand

PROGRAM = "arvados-node-manager"
BAD_CONFIGURATION, NOT_WELL = 2, 5
POLL_EVERY = 1.0  # seconds between two polls while decisions are followed
QUESTION_TIME = 120.0  # seconds that the question what would change a decision may take: tens of plans
BUSY_TIMES = 5  # that such a question is asked again, while another is answered
COMPLETION_TIME = 1.0  # seconds that a TAB may take to ask the daemon

Options = argparse.Namespace


def main(arguments: Sequence[str]) -> int:
    """Run a command. Returns the exit code; argparse raises SystemExit(2) for a wrong command line."""
    options = make_parser().parse_args(list(arguments))
    path = options.config or CONFIG
    try:
        settings = load(path)
    except ConfigError as error:
        sys.stderr.writelines(f"{problem}\n" for problem in error.lines)
        return BAD_CONFIGURATION
    try:
        return _run(options, DaemonClient(ways(settings, dry_run=options.dry_run)), sys.stdout)
    except ClientError as error:
        sys.stderr.write(f"{PROGRAM}: {error}\n")
        return error.code
    except KeyboardInterrupt:
        return 130


def _run(options: Options, client: DaemonClient, out: TextIO) -> int:
    run: Callable[[Options, DaemonClient, TextIO], int] = options.run
    return run(options, client, out)


# ---- the command line ------------------------------------------------------------------------------------------------


def make_parser() -> argparse.ArgumentParser:
    """The parser of these commands alone."""
    parser = CommandLine(prog=PROGRAM)
    add_commands(parser.add_subparsers(required=True, metavar="COMMAND", parser_class=Subcommand))
    return parser


def add_commands(commands: Any) -> None:
    """Add the commands to a parser's subparsers."""
    status = _command(commands, "status", _status, "show nodes by size and state, jobs, limits, health")
    status.add_argument("--nodes", action="store_true", help="a line for each node, with the reason why it is there")
    explain = _command(
        commands, "explain", _explain, "why a node exists, why a job waits, what limits a size or budget"
    )
    explain.add_argument("name", metavar="NODE|JOB|SIZE|BUDGET").completer = _names  # type: ignore[attr-defined]  # argcomplete's
    texts = {
        Directive.HOLD: "keep nodes, whatever happens",
        Directive.DRAIN: "let nodes finish their work, then shut them down",
        Directive.RUN: "take hold or drain back",
        Directive.KILL: "destroy nodes now, busy or not",
    }
    for directive, text in texts.items():
        say = _command(commands, directive.value, _say, text)
        say.set_defaults(directive=directive)
        nodes = say.add_argument("nodes", metavar="NODE", nargs="+", help="by hostname, cloud name or cloud id")
        nodes.completer = _node_names  # type: ignore[attr-defined]  # argcomplete's
        say.add_argument("--reason", metavar="TEXT", default="", help="why; it is kept with the node and shown")
    again = _command(commands, "retry", _retry, "try nodes again at once for jobs that Slurm did not use nodes for")
    again.add_argument("names", metavar="GROUP|JOB|SIZE", nargs="+").completer = _retried  # type: ignore[attr-defined]
    again.add_argument("--reason", metavar="TEXT", default="", help="why; it is kept with the decisions")
    budgets = _command(commands, "budget", _budget, "the state of budgets; budget raise: more for a while")
    _common(budget.add_options(budgets), again=True)
    decisions = _command(commands, "decisions", _decisions, "what was decided, and why")
    decisions.add_argument("--follow", action="store_true", help="go on until Ctrl-C")
    decisions.add_argument("-n", type=int, default=30, metavar="N", help="the newest N (default 30; 0: all of 1,000)")


def _command(commands: Any, name: str, run: object, text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    parser.set_defaults(run=run)
    _common(parser)
    return parser


def _common(parser: argparse.ArgumentParser, *, again: bool = False) -> None:
    """`again`: they may stand before this command's own word, too, and hold from there."""
    unsaid: dict[str, Any] = {"default": argparse.SUPPRESS} if again else {}
    text = f"the daemon's configuration file (default {CONFIG})"
    parser.add_argument("--config", metavar="FILE", help=text, **unsaid)
    parser.add_argument("--json", action="store_true", help="for programs", **unsaid)
    parser.add_argument("--dry-run", action="store_true", help="ask the daemon that runs with --dry-run", **unsaid)


# ---- the commands ----------------------------------------------------------------------------------------------------


def _write(out: TextIO, lines: Iterable[str]) -> None:
    out.writelines(f"{line}\n" for line in lines)
    out.flush()


def _write_json(out: TextIO, value: object) -> None:
    _write(out, [json.dumps(value, indent=2)])


def _status(options: Options, client: DaemonClient, out: TextIO) -> int:
    said = client.get("status")
    status = said.read(StatusShown)
    nodes, sizes, budgets = client.get("nodes"), client.get("sizes"), budget.shown(client)
    if options.json:
        plain = {"status": said.plain, "sizes": sizes.plain["sizes"], "nodes": nodes.plain["nodes"]}
        _write_json(out, plain | ({"budgets": budgets[0].plain["budgets"]} if budgets[0] and budgets[1] else {}))
        return 0 if status.healthy else NOT_WELL
    _write(out, wording.status(status))
    _write(out, (f"budget {each.name} ({each.state}): {each.words}" for each in budgets[1]))
    if status.groups_in_vain:
        _write(out, wording.in_vain(client.get("groups").read(GroupsShown).groups))
    shown = nodes.read(NodesShown).nodes
    lines = wording.nodes(shown) if options.nodes else wording.groups(shown, sizes.read(SizesShown).sizes)
    _write(out, ["", *lines])
    return 0 if status.healthy else NOT_WELL


def _explain(options: Options, client: DaemonClient, out: TextIO) -> int:
    name = options.name
    kinds = ("node", "job", "size", "budget")
    found = {kind: answer for kind in kinds if (answer := client.find(f"{kind}s", name)) is not None}
    if not found:
        raise Unknown(f"no node, waiting job or size is called {name} (for jobs that run or have run, ask Slurm)")
    changes = _changes(found, client.patient(QUESTION_TIME), name)
    if options.json:
        plain = {kind: answer.plain for kind, answer in found.items()}
        _write_json(out, plain | {f"{kind}_counterfactual": answer.plain for kind, answer in changes.items()})
        return 0
    if "node" in found:
        _write(out, wording.node(found["node"].read(NodeShown)))
        _write_changes(out, changes.get("node"), found["node"].read(NodeShown).why)
    if "job" in found:
        waits = found["job"].plain.get("waits_for_nodes", True)
        words = (
            wording.job(found["job"].read(JobShown)) if waits else wording.other_job(found["job"].read(OtherJobShown))
        )
        _write(out, words)
        _write_changes(out, changes.get("job"), found["job"].plain["why"])
    if "budget" in found:
        _write(out, budget.told(found["budget"].read(BudgetShown)))
    if "size" in found:
        _write(out, wording.size(found["size"].read(SizeShown), client.get("status").read(StatusShown)))
    return 0


def _changes(found: Mapping[str, Answer], client: DaemonClient, name: str) -> dict[str, Answer]:
    """What would change it, of a node that stays and of a job that waits."""
    asked = []
    if "node" in found and not found["node"].read(NodeShown).goes:
        asked.append("node")
    if "job" in found and found["job"].plain.get("waits_for_nodes", True) and not found["job"].read(JobShown).served:
        asked.append("job")
    answers = {kind: _ask_patiently(client, f"{kind}s", name, "counterfactual") for kind in asked}
    return {kind: answer for kind, answer in answers.items() if answer is not None}


def _ask_patiently(client: DaemonClient, *path: str) -> Answer | None:
    """None: it is gone meanwhile."""
    for _ in range(BUSY_TIMES):
        try:
            return client.find(*path)
        except Busy:
            sleep(POLL_EVERY)
    return client.find(*path)


def _write_changes(out: TextIO, answer: Answer | None, why: str) -> None:
    if answer is not None:
        _write(out, wording.changes(answer.read(CounterfactualShown), why))


def _say(options: Options, client: DaemonClient, out: TextIO) -> int:
    answers: list[Answer] = []
    for node in options.nodes:
        try:
            answers.append(client.post("nodes", node, options.directive.value, reason=options.reason))
        except Unknown:
            raise Unknown(f"no node is called {node}") from None
        if not options.json:
            said = answers[-1].read(WordShown)
            called = f"{node} ({said.node})" if node != said.node else node
            _write(out, [f"{called}: {said.word}{_later(said.heard)}"])
    if options.json:
        _write_json(out, [answer.plain for answer in answers])
    return 0


def _retry(options: Options, client: DaemonClient, out: TextIO) -> int:
    answers: list[Answer] = []
    for name in options.names:
        try:
            answers.append(client.post("retry", name, reason=options.reason))
        except Unknown:
            raise Unknown(f"no group, waiting job or size is called {name}") from None
        if not options.json:
            retried = answers[-1].read(RetriedShown)
            groups = ", ".join(retried.groups) or "no group waits for that"
            _write(out, [f"{name}: tried again ({groups}){_later(retried.heard)}"])
    if options.json:
        _write_json(out, [answer.plain for answer in answers])
    return 0


def _budget(options: Options, client: DaemonClient, out: TextIO) -> int:
    plain, words, heard = budget.run(options, client)
    if options.json:
        _write_json(out, plain)
    else:
        _write(out, (f"{line}{_later(heard)}" for line in words))
    return 0


def _later(heard: bool) -> str:
    return "" if heard else " (the daemon is busy, and will receive it later)"


def _decisions(options: Options, client: DaemonClient, out: TextIO) -> int:
    answer = client.get("decisions")
    shown, lines = answer.read(DecisionsShown), _decision_lines(answer, options)
    _write(out, lines[-options.n :] if options.n > 0 else lines)
    if not options.follow:
        return 0
    run, last, told = shown.run, shown.last, False
    while True:
        sleep(POLL_EVERY)
        try:
            answer = client.get("decisions", after=last)
            if answer.read(DecisionsShown).run != run:  # another daemon: its numbers begin anew
                answer = client.get("decisions")
        except Unreachable as error:
            if not told:
                sys.stderr.write(f"{PROGRAM}: {error}; waiting for it\n")
            told = True
            continue
        _write(out, _decision_lines(answer, options))
        shown, told = answer.read(DecisionsShown), False
        run, last = shown.run, shown.last


def _decision_lines(answer: Answer, options: Options) -> list[str]:
    if options.json:
        return [json.dumps(each) for each in answer.plain["decisions"]]
    return [wording.decision(each) for each in answer.read(DecisionsShown).decisions]


# ---- completion ------------------------------------------------------------------------------------------------------


def _client(options: Options) -> DaemonClient:
    path = getattr(options, "config", None) or CONFIG
    dry_run = bool(getattr(options, "dry_run", False))
    return DaemonClient(ways(load(path), dry_run=dry_run), COMPLETION_TIME)


def _node_names(parsed_args: Options, **_: object) -> list[str]:
    """argcomplete's hook: the nodes that the daemon knows; nothing when it cannot be asked."""
    try:
        nodes = _client(parsed_args).get("nodes").read(NodesShown).nodes
    except (ClientError, ConfigError):
        return []
    return [node.hostname or node.name for node in nodes]


def _retried(parsed_args: Options, **_: object) -> list[str]:
    """argcomplete's hook: the groups for which a node was up in vain."""
    try:
        return [group.name for group in _client(parsed_args).get("groups").read(GroupsShown).groups]
    except (ClientError, ConfigError):
        return []


def _names(parsed_args: Options, **_: object) -> list[str]:
    """argcomplete's hook: nodes, sizes and the first jobs."""
    try:
        client = _client(parsed_args)
        sizes = [size.id for size in client.get("sizes").read(SizesShown).sizes]
        jobs = [job.id for job in client.get("jobs").read(JobsShown).jobs] + budget.names(client)
    except (ClientError, ConfigError):
        return []
    return [*_node_names(parsed_args), *sizes, *jobs]
