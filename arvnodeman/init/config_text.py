"""The first configuration file of a site."""

from __future__ import annotations

from collections.abc import Mapping

from arvnodeman.doctor.checks.placeholders import PLACEHOLDER
from arvnodeman.init.answers import Answers, BadAnswer, RecordsSetup, SizeAnswer
from arvnodeman.init.clouds import CLOUDS
from arvnodeman.init.slurm_conf import PARTITION, names_of_all, names_of_size

HEAD = """# Arvados Node Manager for the cluster {cluster}, made by `arvados-node-manager init`.
# doc/configuration.md explains every option; `arvados-node-manager check-config` says what is missing or wrong.
# A value that begins with replace-with- is yours to fill in. The file holds secrets: mode 640, group of the service.
"""
Sections = dict[str, dict[str, str]]


def config_text(answers: Answers, user_data: str) -> str:
    """The whole file. `user_data`: the path of the script for nodes. Raises BadAnswer for a section that
    there is not."""
    sections = _sections(answers, user_data)
    for (section, option), value in answers.given.items():
        if section not in sections and not section.startswith(("Size ", "Budget ", "Spare ")):
            raise BadAnswer(f"[{section}] {option}: there is no such section here; there are {', '.join(sections)}")
        sections.setdefault(section, {})[option] = value
    lines = [HEAD.format(cluster=answers.cluster).rstrip("\n")]
    for name, options in sections.items():
        lines += ["", f"[{name}]", *(f"{option} = {value}" for option, value in options.items())]
    return "\n".join(lines) + "\n"


def left_to_fill(text: str) -> list[str]:
    """The options of a file that nobody has filled in yet, as `[Section] option`."""
    section, found = "", []
    for line in text.splitlines():
        if line.startswith("["):
            section = line
        option, _, value = line.partition(" = ")
        if value.startswith(PLACEHOLDER):
            found.append(f"{section} {option}")
    return found


def _sections(answers: Answers, user_data: str) -> Sections:
    daemon = {"dispatcher": "slurm", "max_nodes": f"{answers.max_nodes}"}
    if answers.max_price:
        daemon["max_total_price"] = f"{answers.max_price:g}"
    if answers.setup is RecordsSetup.SLURM_CLOUD:
        daemon["partitions"] = PARTITION
    elif answers.keeps_names:
        daemon |= {"node_names": names_of_all(answers), "share": "no"}
    sections: Sections = {
        "Daemon": daemon,
        "Logging": {"level": "INFO"},
        "Manage": {"address": "127.0.0.1", "port": "8989"},
    }
    sections["Arvados"] = _arvados(answers)
    sections["Cloud"] = {"provider": answers.cloud, "shutdown_windows": "0, 1"}
    for section, options in CLOUDS[answers.cloud].needs.items():
        sections[section] = {name: value.format(cluster=answers.cluster) for name, value in options.items()}
    sections["Cloud Create"] |= _create(answers, user_data)
    for size in answers.sizes:
        sections[f"Size {size.type}"] = _size(answers, size)
    return sections


def _arvados(answers: Answers) -> dict[str, str]:
    host = {"host": PLACEHOLDER + "the-api-server", "token": PLACEHOLDER + "an-administrator-token"}
    match answers.setup:
        case RecordsSetup.ARVADOS:
            return {**host, "jobs_queue": "no", "node_records": "arvados"}
        case RecordsSetup.ARVADOS_3:
            return {**host, "node_records": "slurm"}
        case _:
            return {"node_records": answers.setup.value}


def _create(answers: Answers, user_data: str) -> dict[str, str]:
    if answers.keeps_names:
        return {"user_data": user_data}
    own = {"user_data": user_data} if answers.cloud == "ec2" else {}
    return {"ping_host": PLACEHOLDER + "the-api-server", **own}


def _size(answers: Answers, size: SizeAnswer) -> dict[str, str]:
    found = {"cores": f"{size.cores}"}
    if size.price:
        found["price"] = f"{size.price:g}"
    if size.ram and answers.cloud != "ec2":
        found["ram"] = f"{size.ram:.0f}"
    if answers.setup is RecordsSetup.SLURM_CLOUD:
        found["node_names"] = names_of_size(answers, size)
    return found


def options_of(text: str) -> tuple[tuple[str, str], str]:
    """`[Section] option = value` of a command line. Raises BadAnswer."""
    section, bracket, rest = text.strip().removeprefix("[").partition("]")
    option, equals, value = rest.partition("=")
    if not (text.strip().startswith("[") and bracket and equals and option.strip() and value.strip()):
        raise BadAnswer(f"{text!r} is not valid; allowed: [Section] option = value")
    key = section.strip(), option.strip()
    if any(sign in text for sign in "\n\r"):
        raise BadAnswer(f"{text!r} is not valid: it is more than one line")
    return key, value.strip()


def secrets_in(answers: Answers, given: Mapping[tuple[str, str], str]) -> list[str]:
    """Secrets among what a command line gives: every account of the machine can read those."""
    hidden = {("Cloud Credentials", name) for name in CLOUDS[answers.cloud].secrets} | {("Arvados", "token")}
    return [f"[{section}] {option}" for section, option in given if (section, option) in hidden]
