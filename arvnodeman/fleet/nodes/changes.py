"""What a list changed in the table of nodes."""

from __future__ import annotations

from dataclasses import dataclass, field

from arvnodeman.fleet.nodes.cloud_list import CloudChange
from arvnodeman.fleet.nodes.node import Node
from arvnodeman.fleet.nodes.record_index import RecordChange


@dataclass(slots=True)
class Listing:
    """What a cloud list changed."""

    entries: CloudChange
    new: list[Node] = field(default_factory=list)
    missing: list[Node] = field(default_factory=list)  # known, and not in this list
    delisted: list[Node] = field(default_factory=list)  # destroyed by us, and now gone
    changed: list[Node] = field(default_factory=list)  # known, and listed otherwise than before


@dataclass(slots=True)
class Joining:
    """What a list of records changed."""

    records: RecordChange
    paired: list[Node] = field(default_factory=list)  # that paired now
    fresh: list[Node] = field(default_factory=list)  # quiet, and of which records show newer stamps
    words: bool = True  # Slurm shows other names, or other features of one
