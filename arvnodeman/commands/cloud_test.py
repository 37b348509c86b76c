"""`arvados-node-manager cloud-test`: is the cloud's part of this configuration one that works?

It does for one node, with the operator's own configuration, what the daemon does for all: it looks at credentials,
image, network and sizes, creates a node, waits for it to be listed, writes its tags, destroys it, and looks that
nothing is left. `--list-nodes` and `--list-orphans` only read: all nodes with our tags, and those that no record knows.
"""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import time
from collections.abc import Sequence

from arvnodeman.cloud.registry import make_driver
from arvnodeman.commands.cloud_trial import Trial
from arvnodeman.commands.trial_daemon import Patience
from arvnodeman.config import ConfigError, Settings, load
from arvnodeman.doctor.checks.orphans import orphans
from arvnodeman.doctor.wording import in_words
from arvnodeman.fleet.values.model import CloudNode, RemoteFailure
from arvnodeman.records.keeper import make_keeper
from arvnodeman.slurm.keeping import NamesInSlurm
from arvnodeman.terminal.command_line import CommandLine

GOOD, FAILED, BAD, SOME = 0, 1, 2, 3


def main(argv: Sequence[str]) -> int:
    """The subcommand. 0: all well, or none listed; 1: a step failed; 2: the configuration or the command line is wrong;
    3: some are listed."""
    given = _parser().parse_args(argv)
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(levelname)s: %(message)s")
    _listen_to_signals()
    try:
        settings = load(given.config)
        if given.list_orphans:
            return _list_orphans(settings)
        if given.list_nodes:
            return _list_nodes(settings)
        return _try_out(settings, given)
    except ConfigError as error:
        sys.stderr.writelines(f"{problem}\n" for problem in error.lines)
        return BAD
    except RemoteFailure as failure:
        sys.stderr.write(f"cloud-test: {in_words(failure)}\n")
        return FAILED
    except KeyboardInterrupt:
        sys.stderr.write("cloud-test: interrupted\n")
        return FAILED


def _parser() -> argparse.ArgumentParser:
    parser = CommandLine(
        prog="arvados-node-manager cloud-test",
        description=(
            "Test the cloud with one node: check credentials, image, network and sizes; create, list, tag and "
            "destroy it. A running daemon counts the node and leaves it alone. Exit code 0: all went well; 1: a step "
            "failed; 2: a mistake in the configuration; 3 (--list-nodes, --list-orphans): there are some."
        ),
    )
    parser.add_argument("--config", metavar="FILE", required=True, help="the configuration file")
    parser.add_argument("--size", metavar="NAME", help="a [Size NAME] in it (default: the cheapest)")
    parser.add_argument("--keep", action="store_true", help="do not destroy the node")
    parser.add_argument(
        "--wait-ping",
        action="store_true",
        help="give it a node record and wait until it pings. It then joins Slurm like any other node: do this while no "
        "jobs wait",
    )
    parser.add_argument("--list-nodes", action="store_true", help="only list the nodes with our tags at the cloud")
    parser.add_argument(
        "--list-orphans", action="store_true", help="only list the nodes with our tags that no node record knows"
    )
    return parser


NO_PING = (
    "cloud-test: --wait-ping: where Slurm places jobs (node_records = slurm-cloud), a node comes only for a job: run "
    "it without this option, and then submit a small job\n"
)


def _try_out(settings: Settings, given: argparse.Namespace) -> int:
    if given.wait_ping and settings.places:
        sys.stderr.write(NO_PING)
        return BAD
    trial = Trial(
        settings,
        make_driver(settings),
        _say,
        keeper=make_keeper(settings) if given.wait_ping else None,
        slurm=NamesInSlurm(settings.daemon.slurm_timeout)
        if given.wait_ping and settings.daemon.dispatcher == "slurm"
        else None,
        keep=given.keep,
        patience=Patience(built=settings.daemon.boot_fail_after, ping=settings.daemon.boot_fail_after),
    )
    good = trial.run(given.size)
    _say("all well" if good else "not well")
    return GOOD if good else FAILED


def _list_orphans(settings: Settings) -> int:
    """The cloud first: a record is there before its node is."""
    nodes = make_driver(settings).list_nodes()
    found = orphans(nodes, make_keeper(settings).list_records())
    _show(found)
    _say(f"{len(found)} of {len(nodes)} node(s) with our tags are known to no node record")
    return SOME if found else GOOD


def _list_nodes(settings: Settings) -> int:
    """Of the cloud alone: it works without Slurm and Arvados, as for somebody who takes the program away."""
    nodes = make_driver(settings).list_nodes()
    _show(nodes)
    _say(f"{len(nodes)} node(s) have our tags")
    return SOME if nodes else GOOD


def _show(nodes: Sequence[CloudNode]) -> None:
    for node in nodes:
        age = "unknown age" if node.start_time is None else f"{(time.time() - node.start_time) / 3600:.1f} h old"
        what = f"size {node.size_tag or 'unknown'} ({node.provider_size or 'type unknown'})"
        _say(f"{node.id}  {node.name}  {what}, {age}{', stopped' if node.stopped else ''}")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _listen_to_signals() -> None:
    """The first signal ends the trial; the clean-up that follows is not to be interrupted."""
    came: list[int] = []

    def interrupted(number: int, _frame: object) -> None:
        came.append(number)
        if len(came) == 1:
            raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupted)
