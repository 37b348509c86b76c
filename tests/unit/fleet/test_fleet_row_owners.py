"""Who writes which field of a node's row: what is observed, what is judged of it, what we do about it.

A field that has several writers here is to have one; none may get another without a line in this table.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path

from arvnodeman.fleet.nodes.node import Node

FLEET = Path(__file__).parents[3] / "arvnodeman" / "fleet"
NO_ROWS = {"self", "memory"}  # what has fields of the same names and is none: others' own, what is known of a group
OBSERVED = {
    "nodes.roster": "listed record namesake stop_polls failed_polls turn quiet rested woken",
    "decide.directives nodes.roster": "cloud directive_unseen_until",
    "decide.boot_lifecycle nodes.roster": "size prepared",
    "nodes.node nodes.roster": "slurm",
    "decide.intake decide.stops nodes.roster": "missing missing_since missing_ping",
}
JUDGED = {
    "nodes.node": "id state since price weight idle_since down_polls down_times",
    "nodes.alarms": "alarm",
    "nodes.node nodes.roster": "idle_polls",
    "decide.intake": "been_up doubtful slurm_down grace_until supply_until missing_again address_warned "
    "unresponsive_since noticed",
    "decide.intake nodes.node": "at_work_since at_work_told",
    "decide.intake nodes.node nodes.roster": "busy_at",
    "decide.intake decide.stops nodes.node": "down_cause",
    "decide.intake decide.stops decide.upkeep": "warned_at",
    "decide.rungs": "undelivered",
}
OURS = {
    "decide.boot_lifecycle": "booted boot wanted_for meant_for load",
    "decide.stops": "ending shutdown gone destroy_wait destroy_again_at",
    "decide.directives": "directive_chore directive_unwritten",
    "decide.upkeep": "chore chore_waits resumes",
    "decide.directives decide.stops": "reason",
    "decide.intake decide.stops operations.shutdown": "destroyed_at",
}
NEVER_CHANGED = {"first_seen", "use"}


def written(name: str, source: str) -> Iterator[str]:
    """The fields of rows that a module writes."""
    known = {each.name for each in fields(Node)}
    tree = ast.parse(source)
    own = [each for each in tree.body if isinstance(each, ast.ClassDef) and each.name == "Node"]
    inside = {id(each) for row in own for each in ast.walk(row)}
    for each in ast.walk(tree):
        match each:
            case ast.Attribute(value=value, attr=attribute, ctx=ast.Store() | ast.Del()) if attribute in known:
                its_own = id(each) in inside and name == "nodes.node"
                if its_own or ast.unparse(value) not in NO_ROWS:
                    yield attribute
            case ast.Call(func=ast.Name(id="setattr" | "delattr"), args=[_, field, *_]):
                yield ast.unparse(field)
            case _:
                pass


def table() -> Mapping[str, set[str]]:
    found: dict[str, set[str]] = {}
    for rows in (OBSERVED, JUDGED, OURS):
        for modules, names in rows.items():
            for name in names.split():
                assert name not in found, f"{name} stands twice"
                found[name] = set(modules.split())
    return found


def test_only_its_owner_writes_a_field_of_a_row() -> None:
    writers: dict[str, set[str]] = defaultdict(set)
    for path in FLEET.rglob("*.py"):
        name = ".".join(path.relative_to(FLEET).with_suffix("").parts)
        for attribute in written(name, path.read_text(encoding="utf-8")):
            writers[attribute].add(name)
    assert dict(writers) == table()


def test_every_field_has_an_owner() -> None:
    assert {each.name for each in fields(Node)} == table().keys() | NEVER_CHANGED


def test_a_write_is_seen_however_it_is_written() -> None:
    source = "node.price = 1\nrow.idle_polls += 1\nself.node.gone, found[0].gone = True, False\nnode.word = 2\n"
    source += "self.price = 2\ndel other.size\nsetattr(node, 'use', 3)\n"
    assert sorted(written("decide.x", source)) == ["'use'", "gone", "gone", "idle_polls", "price", "size"]
