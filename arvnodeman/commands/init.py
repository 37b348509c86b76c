"""The subcommand `init`: a site's first files, from a few answers, by flags or asked at a terminal."""

from __future__ import annotations

import argparse
import getpass
import grp
import os
import sys
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from arvnodeman.init.answers import (
    SETUPS,
    Answers,
    BadAnswer,
    SizeAnswer,
    cluster_of,
    dollars_of,
    nodes_of,
    setup_of,
    size_of,
)
from arvnodeman.init.clouds import CLOUDS, HOME
from arvnodeman.init.config_text import config_text, left_to_fill, options_of, secrets_in
from arvnodeman.init.files import CONFIG, DROP_IN, SLURM_CONF, USER_DATA, CannotWrite, first_files, write_all
from arvnodeman.init.slurm_conf import POKE
from arvnodeman.terminal.command_line import CommandLine

PROGRAM = "arvados-node-manager init"
UNITS_FOLDER = "/etc/systemd/system/arvados-node-manager.service.d"
SERVICE = "slurm"  # the account of the unit, and its group
Value = TypeVar("Value")


def main(arguments: Sequence[str]) -> int:
    """Run it. 0: written; 1: a file is there already, or cannot be written; 2: an answer is missing or not valid."""
    options = _parser().parse_args(list(arguments))
    try:
        answers = _answers(options, asks=sys.stdin.isatty())
        folder = Path(options.into).absolute()
        files = first_files(answers, folder, str(Path(sys.argv[0]).absolute()))
        write_all(folder, files, _group())
    except BadAnswer as error:
        sys.stderr.write(f"{PROGRAM}: {error}\n")
        return 2
    except CannotWrite as error:
        sys.stderr.write(f"{PROGRAM}: {error}\n")
        return 1
    except (KeyboardInterrupt, EOFError):
        sys.stderr.write(f"\n{PROGRAM}: nothing is written\n")
        return 1
    _tell(folder, files, answers)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = CommandLine(
        prog=PROGRAM,
        description="Write a site's first files: the configuration, the part of slurm.conf for its nodes, user data, "
        "and a drop-in for the unit where it needs one. At a terminal it asks for what is not given. It never "
        "overwrites a file.",
    )
    parser.add_argument("--cloud", choices=CLOUDS)
    parser.add_argument("--setup", choices=[*map(str, SETUPS)], help="who keeps the node records: see doc/choosing.md")
    parser.add_argument("--cluster", metavar="NAME", help="a name for tags and nodes, as physics")
    parser.add_argument("--max-nodes", metavar="N", help="at most so many nodes at once (default 20)")
    parser.add_argument("--max-price", metavar="DOLLARS", help="at most so many dollars an hour; 0: no limit (default)")
    parser.add_argument("--controller", metavar="HOST", help="the host of slurmctld (default: controller)")
    parser.add_argument(
        "--size",
        action="append",
        metavar="TYPE[:CORES[:MB[:DOLLARS]]]",
        help="a type of node, as often as wanted; of EC2's types the figures are known",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="'[Section] option = value'",
        help="another value than it would have; no secrets, which others can read here",
    )
    parser.add_argument("--into", default=HOME, metavar="FOLDER", help=f"where to (default: {HOME})")
    return parser


def _answers(options: argparse.Namespace, *, asks: bool) -> Answers:
    """Raises BadAnswer, and at a terminal KeyboardInterrupt and EOFError."""
    given = dict(map(options_of, options.set))
    cloud = _one("--cloud", options.cloud, _cloud_of, f"cloud ({', '.join(CLOUDS)})", asks=asks)
    if asks and options.setup is None:
        sys.stdout.writelines(f"  {setup}: {what}\n" for setup, what in SETUPS.items())
    setup = _one("--setup", options.setup, setup_of, f"setup ({', '.join(SETUPS)})", asks=asks)
    region = given.get(("Cloud Credentials", "region"), "")

    def sizes_of(text: str) -> tuple[SizeAnswer, ...]:
        return tuple(
            size_of(each, lambda name: _known(cloud, name, region), tells_prices=CLOUDS[cloud].tells_prices)
            for each in text.split()
        )

    answers = Answers(
        cloud=cloud,
        setup=setup,
        cluster=_one("--cluster", options.cluster, cluster_of, "name of the cluster", asks=asks),
        sizes=_one(
            "--size", " ".join(options.size or ()) or None, sizes_of, "types of nodes, with spaces between", asks=asks
        ),
        max_nodes=_one("--max-nodes", options.max_nodes, nodes_of, "nodes at once, at most", "20", asks=asks),
        max_price=_one("--max-price", options.max_price, dollars_of, "dollars an hour, 0: no limit", "0", asks=asks),
        controller=options.controller or "controller",
        given=given,
    )
    if told := secrets_in(answers, given):
        raise BadAnswer(f"--set {told[0]}: a secret on a command line can be read by others; write it into the file")
    if not answers.sizes:
        raise BadAnswer("at least one --size is needed")
    return replace(answers, given=given | _asked_for(answers)) if asks else answers


def _cloud_of(text: str) -> str:
    if text.strip() not in CLOUDS:
        raise BadAnswer(f"{text!r} is not valid; allowed: {', '.join(CLOUDS)}")
    return text.strip()


def _one(
    flag: str, given: str | None, read: Callable[[str], Value], what: str, default: str = "", *, asks: bool
) -> Value:
    """An answer by its flag, else asked for until it is valid, else its default. Raises BadAnswer."""
    if given is not None or not asks:
        text = default if given is None else given
        if not text:
            raise BadAnswer(f"say {flag}: {what}")
        return read(text)
    while True:
        text = input(f"{what}{f' [{default}]' if default else ''}: ").strip() or default
        try:
            return read(text)
        except BadAnswer as error:
            sys.stdout.write(f"  {error}\n")


def _asked_for(answers: Answers) -> dict[tuple[str, str], str]:
    """What a person at the terminal fills in of what is left."""
    sys.stdout.write("What is left empty can be filled in later.\n")
    hidden = {f"[Cloud Credentials] {name}" for name in CLOUDS[answers.cloud].secrets} | {"[Arvados] token"}
    found: dict[tuple[str, str], str] = {}
    for name in left_to_fill(config_text(answers, USER_DATA)):
        value = (getpass.getpass(f"{name} (not shown): ") if name in hidden else input(f"{name}: ")).strip()
        if value:
            found.update([options_of(f"{name} = {value}")])
    return found


def _known(cloud: str, name: str, region: str) -> SizeAnswer | None:
    from arvnodeman.cloud.known_sizes import USUAL_REGION, known_at

    size = known_at(cloud, [name], region or USUAL_REGION).get(name)
    return SizeAnswer(name, int(size.cores), size.ram, size.price or 0) if size is not None else None


def _group() -> int | None:
    """Of the service's account, where root writes the files."""
    try:
        return grp.getgrnam(SERVICE).gr_gid if os.geteuid() == 0 else None
    except KeyError:
        return None


def _tell(folder: Path, names: Collection[str], answers: Answers) -> None:
    """What there is now, and what comes next."""
    config = folder / CONFIG
    lines = [f"Written to {folder}: {', '.join(names)}.", ""]
    left = left_to_fill(config.read_text(encoding="utf-8"))
    steps = [f"Fill in {', '.join(left)} in {config}."] if left else []
    if USER_DATA in names:
        steps.append(f"Look through {folder / USER_DATA}: it has to find the cluster's munge key.")
    if answers.setup == "slurm-cloud":
        steps.append(f"sudo install -d {Path(POKE).parent} && sudo arvados-node-manager wake --install {POKE}")
    steps.append(f"Put {folder / SLURM_CONF} into slurm.conf, and restart slurmctld.")
    if DROP_IN in names:
        steps.append(f"sudo install -D -m 644 {folder / DROP_IN} {UNITS_FOLDER}/{DROP_IN}")
    steps.append(f"arvados-node-manager check-config {config}")
    steps.append(f"arvados-node-manager cloud-test --config {config}")
    lines += [f"{number}. {step}" for number, step in enumerate(steps, 1)]
    sys.stdout.write("\n".join(lines) + "\n")
