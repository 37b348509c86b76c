"""What a file says that the daemon would start with, and that is a slip all the same: for `check-config`.

A mistake makes the file a bad one; a note is for somebody to look at. No line quotes the value of a secret.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from arvnodeman.cloud.machine_names import why_refused
from arvnodeman.config.option import CREATE, CREDENTIALS, DAEMON, LISTING
from arvnodeman.config.settings import KEPT_BY_ARVADOS, Settings
from arvnodeman.config.size_names import few, names_in
from arvnodeman.config.spares import overlaps

PLACEHOLDER = "replace-with-"  # how values begin in the examples that everybody has to fill in
SHARED = ("ec2", "gce", "openstack")  # clouds whose list is that of a whole account or project, where nothing parts it


def mistakes(settings: Settings, sections: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    """One line each, without the file's name. `sections`: the file's texts."""
    for section, texts in sections.items():
        for name, text in texts.items():
            if text.lower().startswith(PLACEHOLDER):
                yield f"[{section}] {name}: is still the placeholder of the example; write your own value"
    provider = settings.cloud.provider
    for section, names in _names(settings).items():
        refused = [name for name in names if why_refused(provider, name)]
        if refused:
            more = f" and {len(refused) - 1} more" if len(refused) > 1 else ""
            wrong = f"{provider} refuses a node of the name {refused[0][:80]!r}{more}"
            yield f"[{section}] node_names: {wrong}; allowed: {why_refused(provider, refused[0])}"


def notes(settings: Settings) -> Iterator[str]:
    """Likewise."""
    cloud, daemon = settings.cloud, settings.daemon
    hidden = {name: secret.reveal() for name, secret in cloud.credentials.items()}
    for section, texts in ((CREDENTIALS, hidden), (LISTING, cloud.listing), (CREATE, cloud.create)):
        for name, text in texts.items():
            if " #" in text:
                where = f"[{section}] {name}"
                yield f"{where}: ' #' and what follows is part of the value here; a comment needs a line of its own"
    names = _names(settings).get(DAEMON, ())
    if names and daemon.max_nodes > len(names):
        yield (
            f"[{DAEMON}] max_nodes: {daemon.max_nodes} is more than the {len(names)} names of node_names: there will "
            "never be so many nodes"
        )
    if cloud.provider in SHARED and not any(_parts(name) for name in cloud.listing):
        yield (
            f"[{LISTING}]: has no {'tags' if cloud.provider == 'gce' else 'tag_NAME = VALUE'}: nodes of others in the "
            "account or project may be taken for ours"
        )
    yield from _shapes(settings)
    yield from overlaps(settings.spares)


def _shapes(settings: Settings) -> Iterator[str]:
    """Sizes whose nodes get the same names, and differ in cores: the daemon looks what the names have, and what of it
    is lost, but only once it runs."""
    alike = [size for size in settings.sizes if not size.node_names and size.cores]
    cores = sorted({size.cores for size in alike})
    if settings.shares and len(cores) > 1:
        listed = few([f"[Size {size.id}]" for size in alike])
        yield (
            f"{listed}: {' or '.join(f'{each:g}' for each in cores)} cores, and the same names; where Slurm lets jobs "
            "share nodes, it counts what the name has in slurm.conf: give each size node_names"
        )


def _parts(name: str) -> bool:
    """Does an option of [Cloud List] tell our nodes from others?"""
    return name == "tags" or name.startswith("tag")


def _names(settings: Settings) -> dict[str, tuple[str, ...]]:
    """Names that nodes get at the cloud, as far as the file says them, by the section that does."""
    found = {f"Size {size.id}": names_in(size.node_names) for size in settings.sizes if size.node_names}
    if settings.daemon.node_names and settings.arvados.node_records != KEPT_BY_ARVADOS:
        found[DAEMON] = names_in(settings.daemon.node_names)
    return found
