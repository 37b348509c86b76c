"""The commands for operators: status, explain, hold, drain, run, kill, retry, decisions.

Exit codes: 0 done; 1 the daemon cannot be reached, or failed; 2 a wrong command line or configuration file; 3 there is
no node, job or size of that name; 4 not allowed; 5 (status) the daemon is there, and is not well.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from time import sleep
from typing import Any, TextIO

from arvnodeman.commands import wording
from arvnodeman.commands.client import ClientError, DaemonClient, Unknown, Unreachable, ways
from arvnodeman.config import ConfigError, load
from arvnodeman.fleet.values.model import Word
from arvnodeman.manage.places import CONFIG

PROGRAM = "arvados-node-manager"
BAD_CONFIGURATION, NOT_WELL = 2, 5
LOOK = 1.0  # seconds between two looks when decisions are followed
COMPLETION_TIME = 1.0  # seconds that a TAB may take to ask the daemon

Json = dict[str, Any]
Options = argparse.Namespace


def main(arguments: Sequence[str]) -> int:
    """Run a command. Returns the exit code; argparse raises SystemExit(2) for a wrong command line."""
    options = make_parser().parse_args(list(arguments))
    path = options.config or CONFIG
    try:
        settings = load(path)
    except ConfigError as error:
        sys.stderr.writelines(f"{problem}\n" for problem in error.problems)
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
    parser = argparse.ArgumentParser(prog=PROGRAM)
    add_commands(parser.add_subparsers(required=True, metavar="COMMAND"))
    return parser


def add_commands(commands: Any) -> None:
    """Add the commands to a parser's subparsers."""
    status = _command(commands, "status", _status, "what there is: nodes by size and state, jobs, limits, health")
    status.add_argument("--nodes", action="store_true", help="a line for each node, with the reason why it is there")
    explain = _command(commands, "explain", _explain, "why a node is there, why a job waits, what a size may")
    explain.add_argument("name", metavar="NODE|JOB|SIZE").completer = _names  # type: ignore[attr-defined]  # argcomplete's
    texts = {
        Word.HOLD: "keep nodes, whatever happens",
        Word.DRAIN: "let nodes finish their work, then shut them down",
        Word.RUN: "take hold or drain back",
        Word.KILL: "destroy nodes now, busy or not",
    }
    for word, text in texts.items():
        say = _command(commands, word.value, _say, text)
        say.set_defaults(word=word)
        nodes = say.add_argument("nodes", metavar="NODE", nargs="+", help="by hostname, cloud name or cloud id")
        nodes.completer = _node_names  # type: ignore[attr-defined]  # argcomplete's
        say.add_argument("--reason", metavar="TEXT", default="", help="why; it is kept with the node and shown")
    again = _command(commands, "retry", _retry, "try nodes again at once for jobs that Slurm did not use nodes for")
    again.add_argument("names", metavar="GROUP|JOB|SIZE", nargs="+").completer = _retried  # type: ignore[attr-defined]
    again.add_argument("--reason", metavar="TEXT", default="", help="why; it is kept with the decisions")
    decisions = _command(commands, "decisions", _decisions, "what was decided, and why")
    decisions.add_argument("--follow", action="store_true", help="go on until Ctrl-C")
    decisions.add_argument("-n", type=int, default=30, metavar="N", help="the newest N (default 30; 0: all of 1,000)")


def _command(commands: Any, name: str, run: object, text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    parser.set_defaults(run=run)
    parser.add_argument("--config", metavar="FILE", help=f"the daemon's configuration file (default {CONFIG})")
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.add_argument("--dry-run", action="store_true", help="ask the daemon that runs with --dry-run")
    return parser


# ---- the commands ----------------------------------------------------------------------------------------------------


def _write(out: TextIO, lines: Iterable[str]) -> None:
    out.writelines(f"{line}\n" for line in lines)
    out.flush()


def _write_json(out: TextIO, value: object) -> None:
    _write(out, [json.dumps(value, indent=2)])


def _status(options: Options, client: DaemonClient, out: TextIO) -> int:
    status = client.get("status")
    nodes = client.get("nodes")["nodes"]
    sizes = client.get("sizes")["sizes"]
    if options.json:
        _write_json(out, {"status": status, "sizes": sizes, "nodes": nodes})
    else:
        _write(out, wording.status(status))
        if status["groups_in_vain"]:
            _write(out, wording.in_vain(client.get("groups")["groups"]))
        _write(out, ["", *(wording.nodes(nodes) if options.nodes else wording.groups(nodes, sizes))])
    return 0 if status["healthy"] else NOT_WELL


def _explain(options: Options, client: DaemonClient, out: TextIO) -> int:
    name = options.name
    found = {kind: shown for kind in ("node", "job", "size") if (shown := client.find(f"{kind}s", name)) is not None}
    if not found:
        raise Unknown(
            f"no node, waiting job or size is called {name} (jobs that run, or have run, are Slurm's to tell)"
        )
    if options.json:
        _write_json(out, found)
        return 0
    if "node" in found:
        _write(out, wording.node(found["node"]))
    if "job" in found:
        _write(out, wording.job(found["job"]))
    if "size" in found:
        _write(out, wording.size(found["size"], client.get("status")))
    return 0


def _say(options: Options, client: DaemonClient, out: TextIO) -> int:
    heard: list[Json] = []
    for node in options.nodes:
        try:
            heard.append(client.post("nodes", node, options.word.value, body={"reason": options.reason}))
        except Unknown:
            raise Unknown(f"no node is called {node}") from None
        if not options.json:
            answer = heard[-1]
            later = "" if answer["heard"] else " (the daemon is busy, and will hear it in its turn)"
            called = f"{node} ({answer['node']})" if node != answer["node"] else node
            _write(out, [f"{called}: {answer['word']}{later}"])
    if options.json:
        _write_json(out, heard)
    return 0


def _retry(options: Options, client: DaemonClient, out: TextIO) -> int:
    heard: list[Json] = []
    for name in options.names:
        try:
            heard.append(client.post("retry", name, body={"reason": options.reason}))
        except Unknown:
            raise Unknown(f"no group, waiting job or size is called {name}") from None
        if not options.json:
            groups = ", ".join(heard[-1]["groups"]) or "no group waits for that"
            later = "" if heard[-1]["heard"] else " (the daemon is busy, and will hear it in its turn)"
            _write(out, [f"{name}: tried again ({groups}){later}"])
    if options.json:
        _write_json(out, heard)
    return 0


def _decisions(options: Options, client: DaemonClient, out: TextIO) -> int:
    shown = client.get("decisions")
    newest = shown["decisions"][-options.n :] if options.n > 0 else shown["decisions"]
    _write(out, [_decision(each, options) for each in newest])
    if not options.follow:
        return 0
    run, last, told = shown["run"], shown["last"], False
    while True:
        sleep(LOOK)
        try:
            shown = client.get("decisions", after=last)
            if shown["run"] != run:  # another daemon: its numbers begin anew
                shown = client.get("decisions")
        except Unreachable as error:
            if not told:
                sys.stderr.write(f"{PROGRAM}: {error}; waiting for it\n")
            told = True
            continue
        _write(out, [_decision(each, options) for each in shown["decisions"]])
        run, last, told = shown["run"], shown["last"], False


def _decision(each: Json, options: Options) -> str:
    return json.dumps(each) if options.json else wording.decision(each)


# ---- completion ------------------------------------------------------------------------------------------------------


def _client(options: Options) -> DaemonClient:
    path = getattr(options, "config", None) or CONFIG
    dry_run = bool(getattr(options, "dry_run", False))
    return DaemonClient(ways(load(path), dry_run=dry_run), COMPLETION_TIME)


def _node_names(parsed_args: Options, **_: object) -> list[str]:
    """argcomplete's hook: the nodes that the daemon knows; nothing when it cannot be asked."""
    try:
        nodes = _client(parsed_args).get("nodes")["nodes"]
    except (ClientError, ConfigError):
        return []
    return [node["hostname"] or node["name"] for node in nodes]


def _retried(parsed_args: Options, **_: object) -> list[str]:
    """argcomplete's hook: the groups for which a node was up in vain."""
    try:
        return [group["name"] for group in _client(parsed_args).get("groups")["groups"]]
    except (ClientError, ConfigError):
        return []


def _names(parsed_args: Options, **_: object) -> list[str]:
    """argcomplete's hook: nodes, sizes and the first jobs."""
    try:
        client = _client(parsed_args)
        sizes = [size["id"] for size in client.get("sizes")["sizes"]]
        jobs = [job["id"] for job in client.get("jobs")["jobs"]]
    except (ClientError, ConfigError):
        return []
    return [*_node_names(parsed_args), *sizes, *jobs]
