"""What names of nodes have by themselves in Slurm, such as the rack that they stand in, and which jobs they suit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from arvnodeman.fleet.values.features import Features, meets
from arvnodeman.fleet.values.places import Needs, Zone
from arvnodeman.fleet.values.work import NodeWork

if TYPE_CHECKING:
    from arvnodeman.fleet.decide.state import State
    from arvnodeman.fleet.sizes.table import SizeTable


class NameTraits:
    """Which needs of waiting jobs a name meets. `needs`: those of the newest queue; where there are none, nothing of
    all this costs anything."""

    def __init__(self) -> None:
        self.needs: tuple[Needs, ...] = ()
        self.unlike: dict[str, Features] | None = None  # see offers.py; None: names, features or sizes are others
        self._wanted: tuple[_Wanted, ...] = ()
        self._all: Zone = ()
        self._known: dict[str, Zone] = {}
        self._slurm: Mapping[str, NodeWork] | None = None
        self._table: SizeTable | None = None

    def want(self, needs: Iterable[Needs]) -> None:
        """A queue has come."""
        newest = tuple(dict.fromkeys(needs))
        if newest == self.needs:
            return
        self.needs = newest
        self._wanted = tuple(_Wanted(each) for each in newest)
        self._all = tuple(each.key for each in newest)
        self._known.clear()

    def know(self, slurm: Mapping[str, NodeWork] | None, table: SizeTable | None, *, anew: bool) -> None:
        """What Slurm shows of the names; None: which name a node will have is not ours to choose, or not known. `anew`:
        some have other features than before."""
        if anew or (slurm is None) is not (self._slurm is None) or table is not self._table:
            self._known.clear()
            self.unlike = None
        self._slurm, self._table = slurm, table

    def met_by(self, hostname: str | None) -> Zone:
        """The keys of the needs that a name meets: all, where that is not known."""
        if hostname is None or self._slurm is None or self._table is None:
            return self._all
        found = self._known.get(hostname)
        if found is None:
            shown = self._slurm.get(hostname)
            features = self._table.own_features(shown.features) | self._table.given if shown is not None else None
            found = self._known[hostname] = tuple(each.key for each in self._wanted if each.met_by(hostname, features))
        return found


class _Wanted:
    """One of the needs, and the names in it so that many names are soon held against thousands."""

    def __init__(self, needs: Needs) -> None:
        self._needs = needs
        self.key = needs.key
        self._excluded = frozenset(needs.excluded)
        # a job that asks for some names and for more nodes than these may have others, too
        self._only = frozenset(needs.required if len(needs.required) >= needs.nodes else ())
        self._by_features: dict[frozenset[str], bool] = {}

    def met_by(self, hostname: str, features: frozenset[str] | None) -> bool:
        """`features`: what a node under this name could have; None: not known."""
        if hostname in self._excluded or (self._only and hostname not in self._only):
            return False
        if features is None or not self._needs.features:
            return True
        met = self._by_features.get(features)
        if met is None:
            met = self._by_features[features] = meets(self._needs.features, features, self._needs.nodes)
        return met


def note_names(state: State, *, anew: bool) -> None:
    """Records or sizes have come: which sets of features nodes can have by their names. Where records are names, nodes
    get those alone; else any name that Slurm shows. `anew`: names came or went, or have other features, or the sizes
    are others."""
    table, slurm = state.table, state.roster.slurm
    state.names.know(slurm if state.has_names else None, table, anew=anew)
    if table is None or slurm is None or not anew:
        return
    shown: Iterable[NodeWork] = slurm.values()
    if state.has_names:
        shown = [slurm[name] for name in state.roster.hosts if name in slurm]
    table.know_names(frozenset({table.own_features(features) for features in {node.features for node in shown}}))
