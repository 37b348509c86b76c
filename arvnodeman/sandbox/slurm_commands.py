"""squeue, sinfo, scontrol, scancel and sdiag on the Slurm double: argv in, output and code out, as 22.05.8."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from arvnodeman.sandbox import slurm_format as forms
from arvnodeman.sandbox import slurm_show as shows
from arvnodeman.sandbox.hostlist import expand
from arvnodeman.sandbox.slurm import SlurmDouble
from arvnodeman.sandbox.slurm_jobs import SHORT, SlurmJob, comment_on, in_turn
from arvnodeman.sandbox.slurm_nodes import DEFAULT_PARTITION, INVALID_NODE, SlurmError, SlurmNode

FROM_STDIN = "--from-stdin"  # of scontrol without a command: what it was given to read follows
_WORDS = re.compile(r"""(?:[^\s"']|"[^"]*"|'[^']*')+""")
COMMANDS = ("squeue", "sinfo", "scontrol", "scancel", "sdiag")
_NO_REASON = "You must specify a reason when DOWNING or DRAINING a node. Request denied\n"
_NO_ENTITY = (
    "No valid entity in update command\n"
    'Input line must include "NodeName", "PartitionName", "Reservation", "JobId", or "SlurmctldDebug"\n'
)
_STATES = "Valid states are: NoResp DRAIN FAIL FUTURE RESUME POWER_DOWN POWER_UP UNDRAIN"
_SINFO_FORM = "%9P %.5a %.10l %.6D %.6t %N"
_SQUEUE_FORM = "%.18i %.9P %.8j %.8u %.2t %.10M %.6D %R"
_JOB_STATES = (
    "PENDING,RUNNING,SUSPENDED,COMPLETED,CANCELLED,FAILED,TIMEOUT,NODE_FAIL,PREEMPTED,BOOT_FAIL,DEADLINE,OUT_OF_MEMORY,"
    "COMPLETING,CONFIGURING,RESIZING,RESV_DEL_HOLD,REQUEUED,REQUEUE_FED,REQUEUE_HOLD,REVOKED,SIGNALING,SPECIAL_EXIT,"
    "STAGE_OUT,STOPPED"
)
VERSION = "slurm-wlm 22.05.8"
AWAY = "Unable to contact slurm controller (connect failure)"
_AWAY_PREFIX = {
    "squeue": "slurm_load_jobs error",
    "sinfo": "slurm_load_partitions",
    "scancel": "slurm_load_jobs error",
    "sdiag": "slurm_get_statistics",
    "show": "slurm_load_node error",
}


@dataclass(frozen=True, slots=True)
class CommandOutput:
    """What a command printed, and its return code."""

    stdout: str = ""
    stderr: str = ""
    returncode: int = 0


def away(command: str) -> CommandOutput:
    """What a command (or `show`, for scontrol show) says when slurmctld does not answer; scontrol: an update."""
    return CommandOutput("", f"{_AWAY_PREFIX.get(command, 'slurm_update error')}: {AWAY}\n", 1)


class _Refused(Exception):
    """The command ends with this text on stderr; or on stdout, where Slurm has it so."""

    def __init__(self, text: str, *, on_stdout: bool = False) -> None:
        super().__init__(text)
        self.on_stdout = on_stdout


class _Options(argparse.ArgumentParser):
    """Slurm's options: no exit, Slurm's own words for a wrong one."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, add_help=False, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        message = re.sub(r"unrecognized arguments: (\S+).*", r"unrecognized option '\1'", message)
        raise _Refused(f'{self.prog}: {message}\nTry "{self.prog} --help" for more information\n')


def run_command(slurm: SlurmDouble, argv: Sequence[str]) -> CommandOutput:
    """Run one command; `argv[0]` is its name. Under the site's lock. Never raises for what the arguments say."""
    name = argv[0].rpartition("/")[2] if argv else ""
    commands = (_squeue, _sinfo, _scontrol_or_script, _scancel, forms.sdiag)
    command = dict(zip(COMMANDS, commands, strict=True)).get(name)
    if command is None:
        return CommandOutput("", f"{name}: command not found\n", 127)
    try:
        said = command(slurm, list(argv[1:]))
        return said if isinstance(said, CommandOutput) else CommandOutput(said)
    except _Refused as refusal:
        return CommandOutput(str(refusal), "", 1) if refusal.on_stdout else CommandOutput("", str(refusal), 1)


# ---- squeue ----------------------------------------------------------------------------------------------------------


def _squeue(slurm: SlurmDouble, argv: list[str]) -> str | CommandOutput:
    options = _Options("squeue")
    options.add_argument("-a", "--all", action="store_true")
    options.add_argument("-r", "--array", "--array-unique", action="store_true")  # there are no arrays here
    options.add_argument("-h", "--noheader", action="store_true")
    options.add_argument("-o", "--format", default=_SQUEUE_FORM)
    options.add_argument("-O", "--Format", dest="long_format", default="")
    options.add_argument("-V", "--version", action="store_true")
    options.add_argument("-t", "--states", "--state", default="PENDING,RUNNING")
    options.add_argument("-n", "--name", default="")
    options.add_argument("-j", "--jobs", default="")
    options.add_argument("-w", "--nodelist", default="")
    given = options.parse_args(argv)
    if given.version:
        return f"{VERSION}\n"
    unknown: list[str] = []
    if given.long_format:
        given.format, unknown = forms.squeue_long_form(given.long_format)
    states = _job_states(given.states)
    names = set(filter(None, given.name.split(",")))
    hosts = _hosts(slurm, given.nodelist, "squeue: error: Invalid node name {}\n") if given.nodelist else set()
    ids = _job_ids(slurm, given.jobs) if given.jobs else set()
    jobs = [
        job
        for job in (*in_turn(slurm.pending()), *sorted(slurm.running(), key=lambda job: -job.priority), *slurm.ended)
        if job.state in states
        and (not names or job.name in names)
        and (not ids or job.id in ids)
        and (not hosts or hosts & set(job.nodes))
    ]
    titles = forms.SQUEUE_TITLES | {key: key.upper() for key in forms.SQUEUE_LONG}
    table = _table(given, titles, (forms.squeue_line(given.format, job) for job in jobs))
    complaints = (f"squeue: error: Invalid job format specification: {name}\n" for name in unknown)
    return CommandOutput(table, "".join(complaints)) if unknown else table


def _job_states(text: str) -> set[str]:
    shorts = {short: state for state, short in SHORT.items()}
    found = {shorts.get(word, word) for word in text.upper().split(",") if word}
    if "ALL" in found:
        return set(SHORT)
    unknown = found - set(_JOB_STATES.split(","))
    if unknown:
        known = f"squeue: error: Valid job states include: {_JOB_STATES}\n\n"
        raise _Refused(f"squeue: error: Invalid job state specified: {min(unknown)}\n{known}")
    return found


def _job_ids(slurm: SlurmDouble, text: str) -> set[int]:
    ids = {int(word) for word in text.split(",") if word.isdigit()}
    if not ids & set(slurm.jobs):
        raise _Refused("slurm_load_jobs error: Invalid job id specified\n")
    return ids


def _hosts(slurm: SlurmDouble, text: str, complaint: str) -> set[str]:
    try:
        names = expand(text)
    except ValueError:
        names = [text]
    for name in names:
        if name not in slurm.nodes:
            raise _Refused(complaint.format(name))
    return set(names)


def _table(given: argparse.Namespace, titles: dict[str, str], lines: Iterable[str]) -> str:
    head = [] if given.noheader else [forms.line(given.format, lambda letter: titles.get(letter, ""))]
    return "".join(f"{text}\n" for text in (*head, *lines))


# ---- sinfo -----------------------------------------------------------------------------------------------------------


def _sinfo(slurm: SlurmDouble, argv: list[str]) -> str:
    options = _Options("sinfo")
    options.add_argument("-a", "--all", action="store_true")
    options.add_argument("-h", "--noheader", action="store_true")
    options.add_argument("-N", "--Node", action="store_true")
    options.add_argument("-o", "--format", default=_SINFO_FORM)
    options.add_argument("-n", "--nodes", default="")
    options.add_argument("-p", "--partition", default="")
    given = options.parse_args(argv)
    nodes = list(slurm.nodes.values())
    if given.nodes:
        try:
            wanted = set(expand(given.nodes))
        except ValueError:
            wanted = set()
        nodes = [slurm.nodes[name] for name in slurm.nodes if name in wanted]
    wanted_partitions = given.partition.split(",") if given.partition else slurm.partitions
    lines: list[str] = []
    if not given.Node and not any(letter in given.format for letter in ("%P", "%R")):
        seen = [node for node in nodes if not set(wanted_partitions).isdisjoint(node.partitions)]
        return _table(given, forms.SINFO_TITLES, forms.sinfo_lines(given.format, seen))
    for partition in (name for name in slurm.partitions if name in wanted_partitions):
        form = given.format.replace("%P", partition + ("*" if partition == DEFAULT_PARTITION else ""))
        form = form.replace("%R", partition)
        there = [node for node in nodes if partition in node.partitions]
        lines += [forms.sinfo_line(form, node) for node in there] if given.Node else forms.sinfo_lines(form, there)
    return _table(given, forms.SINFO_TITLES, lines)


# ---- scontrol --------------------------------------------------------------------------------------------------------


def _read_by_scontrol(slurm: SlurmDouble, text: str) -> CommandOutput:
    """Commands, a line each. Quotation marks hold words together; those of a Comment stay."""
    shown: list[str] = []
    said: list[str] = []
    for line in text.splitlines():
        shown.append(f"scontrol: {line}\n")
        words = [word if word.startswith("Comment=") else re.sub("[\"']", "", word) for word in _WORDS.findall(line)]
        try:
            shown.append(_scontrol(slurm, words))
        except _Refused as refusal:
            (shown if refusal.on_stdout else said).append(str(refusal).replace(" \n", "\n"))
    return CommandOutput("".join([*shown, "scontrol: \n"]), "".join(said), 1 if said else 0)


def _scontrol_or_script(slurm: SlurmDouble, argv: list[str]) -> str | CommandOutput:
    return _read_by_scontrol(slurm, argv[1]) if argv[:1] == [FROM_STDIN] else _scontrol(slurm, argv)


def _scontrol(slurm: SlurmDouble, argv: list[str]) -> str:
    given = set()
    while argv and argv[0].startswith("-"):
        given.add(argv.pop(0))
    verb, *rest = argv or [""]
    match verb.lower():
        case "ping":
            return "Slurmctld(primary) at sandbox is UP\n"
        case "update":
            return _update(slurm, rest)
        case "show":
            given.update(rest)
            oneliner, details = bool(given & {"-o", "--oneliner"}), bool(given & {"-d", "--details"})
            return _show(slurm, rest, oneliner=oneliner, details=details)
        case "reconfigure" | "reconfig":
            for node in slurm.nodes.values():  # Features and Weight go back to slurm.conf's
                node.available = node.active = ()
                node.weight = 1
            return ""
    raise _Refused(f"invalid keyword: {verb}\n")


def _show(slurm: SlurmDouble, argv: list[str], *, oneliner: bool, details: bool) -> str:
    words = [word for word in argv if not word.startswith("-")]
    kind, _, name = words[0].partition("=") if words else ("", "", "")
    name = name or (words[1] if len(words) > 1 else "")
    account = shows.show_other(slurm, kind.lower(), oneliner=oneliner)
    if account:
        return account
    if kind.lower() not in ("node", "nodes", "nodename"):
        raise _Refused(f"invalid entity:{kind} for keyword:show \n")
    try:
        names = expand(name) if name else list(slurm.nodes)
    except ValueError:
        names = [name]
    shown = [
        shows.show_node(slurm, slurm.nodes[each], oneliner=oneliner, details=details)
        if each in slurm.nodes
        else f"Node {each} not found\n"
        for each in names
    ]
    if not slurm.nodes.keys() >= set(names):
        raise _Refused("".join(shown), on_stdout=True)
    return "".join(shown)


def _update(slurm: SlurmDouble, argv: list[str]) -> str:
    given: dict[str, str] = {}
    if argv and argv[0].lower().startswith("jobid="):
        return _update_job(slurm, argv)
    for word in argv:
        key, equals, value = word.partition("=")
        lower = key.lower()
        if not equals or lower not in set(_UPDATES) | {"nodename", "state", "reason"}:
            raise _Refused(f"Update of this parameter is not supported: {word}\nRequest aborted\n")
        given["availablefeatures" if lower == "features" else lower] = value
    if "nodename" not in given:
        raise _Refused(_NO_ENTITY)
    hosts = given.pop("nodename")
    state, reason = given.pop("state", "").upper(), given.pop("reason", None)
    _check(state, reason, given)
    if hosts.upper() == "ALL":
        raise _Refused("slurm_update error: Invalid argument\n")
    try:
        names = expand(hosts)
    except ValueError:
        names = []
    complaint = _update_nodes(slurm, names, state, reason or "", given)
    if complaint:
        raise _Refused(f"slurm_update error: {complaint}\n")
    return ""


def _update_job(slurm: SlurmDouble, argv: list[str]) -> str:
    """The AdminComment is all that can be changed here."""
    (_, numbers), *changes = (word.split("=", 1) for word in argv)
    for key, value in changes:
        if key.lower() != "admincomment":
            raise _Refused(f"Update of this parameter is not supported: {key}={value}\nRequest aborted\n")
        if unknown := comment_on(slurm.jobs, numbers.split(","), value):
            raise _Refused("".join(f"Invalid job id specified for job {number}\n" for number in unknown))
    return ""


def _update_nodes(slurm: SlurmDouble, names: Sequence[str], state: str, reason: str, given: dict[str, str]) -> str:
    """A name that is unknown, or a node that is refused, costs the others of the list nothing but the weight."""
    complaint = "" if names and all(name in slurm.nodes for name in names) else INVALID_NODE
    if complaint:
        given = {key: value for key, value in given.items() if key != "weight"}
    for name in names:
        if name in slurm.nodes:
            try:
                _update_node(slurm, slurm.nodes[name], state, reason, given)
            except SlurmError as error:
                complaint = str(error)
    return complaint


def _check(state: str, reason: str | None, given: dict[str, str]) -> None:
    """What scontrol itself refuses, before it asks slurmctld."""
    if state and state not in ("DRAIN", "FAIL", "DOWN", "RESUME", "UNDRAIN"):
        text = f"Invalid input: State={state}\nRequest aborted\n{_STATES}\n"
        raise _Refused(text + "Not all states are valid given a node's prior state\n")
    if state in ("DRAIN", "FAIL", "DOWN") and not reason:
        raise _Refused(_NO_REASON)
    weight = given.get("weight")
    if weight is not None and not weight.isdigit():
        raise _Refused(f"scontrol: error: Weight value ({weight}) is not a valid number\nNo changes specified\n")
    if not (state or given) and reason is None:
        raise _Refused("No changes specified\n")


def _update_node(slurm: SlurmDouble, node: SlurmNode, state: str, reason: str, given: dict[str, str]) -> None:
    available, active = given.get("availablefeatures"), given.get("activefeatures")
    if available is not None or active is not None:
        node.set_features(_words(available), _words(active))
    match state:
        case "DRAIN":
            slurm.drain(node, reason)
        case "FAIL":
            slurm.fail(node, reason)
        case "DOWN":
            slurm.down(node, reason)
        case "RESUME":
            slurm.resume(node)
        case "UNDRAIN":
            slurm.undrain(node)
        case _ if reason and node.may_resume():  # a node that is well keeps no reason
            node.reason = reason
    if "nodeaddr" in given:
        slurm.set_address(node, given["nodeaddr"])
    for key, value in given.items():
        _UPDATES[key](node, value)


def _words(text: str | None) -> tuple[str, ...] | None:
    return None if text is None else tuple(filter(None, text.split(",")))


def _set(name: str, kind: Callable[[str], Any]) -> Callable[[SlurmNode, str], None]:
    return lambda node, value: setattr(node, name, kind(value))


_UPDATES: dict[str, Callable[[SlurmNode, str], None]] = {
    "weight": _set("weight", int),
    "comment": _set("comment", str),
    "nodeaddr": lambda _node, _value: None,  # set before the rest
    "nodehostname": _set("host", str),
    "features": lambda _node, _value: None,
    "availablefeatures": lambda _node, _value: None,  # both are set together, before the rest
    "activefeatures": lambda _node, _value: None,
}


# ---- scancel ---------------------------------------------------------------------------------------------------------


def _scancel(slurm: SlurmDouble, argv: list[str]) -> str:
    options = _Options("scancel")
    options.add_argument("-n", "--name", "--jobname", default="")
    options.add_argument("-t", "--state", default="")
    options.add_argument("-s", "--signal", default="")
    options.add_argument("-b", "--batch", action="store_true")
    options.add_argument("jobs", nargs="*")
    given = options.parse_args(argv)
    for word in given.jobs:
        if not word.isdigit():
            raise _Refused(f"scancel: error: Invalid job id {word}\n")
    if not (given.jobs or given.name or given.state):
        raise _Refused("scancel: error: No job identification provided\n")
    for job in list(slurm.jobs.values()):
        if _meant(job, given):
            slurm.cancel(job)
    return ""


def _meant(job: SlurmJob, given: argparse.Namespace) -> bool:
    return (
        (not given.jobs or str(job.id) in given.jobs)
        and (not given.name or job.name in given.name.split(","))
        and (not given.state or job.state == given.state.upper())
    )
