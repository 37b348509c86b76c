"""A simulated site without a daemon: a test commands its steps."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from types import FrameType

from arvnodeman.fleet.messages import (
    CloudListed,
    CreateNode,
    DescribeNode,
    DescribeRecord,
    LookAtNode,
    NodeSeen,
    Poll,
    PrepareRecord,
    QueueListed,
    RecordPrepared,
    RecordsListed,
)
from arvnodeman.fleet.values.model import BootIntent, CloudNode, NodeSize, ProviderSize
from arvnodeman.foresight.agenda import Agenda
from arvnodeman.foresight.simulated_site import SimulatedSite

OFFERS = (
    ProviderSize("small", "small", ram=4000, disk=10, price=0.1, cores=2),
    ProviderSize("big", "big", ram=16000, disk=50, price=0.4, cores=8),
)


class Scene:
    """A site whose steps a test commands."""

    def __init__(
        self,
        *,
        names: bool = False,
        slots: int = 8,
        offers: tuple[ProviderSize, ...] = OFFERS,
        share: bool = False,
        address: str = "",
    ) -> None:
        self.agenda = Agenda(1e9)
        self.site = SimulatedSite(
            self.agenda, offers, random.Random(1), slots=slots, names=names, share=share, address=address
        )
        self.offers = offers
        self.token = 0

    def advance(self, seconds: float) -> None:
        end = self.agenda.now + seconds
        while self.agenda.next() <= end:
            self.agenda.turn()
        self.agenda.now = end

    def cloud(self) -> CloudListed:
        listed = self.site.list(Poll.CLOUD)
        assert isinstance(listed, CloudListed)
        return listed

    def records(self) -> RecordsListed:
        listed = self.site.list(Poll.RECORDS)
        assert isinstance(listed, RecordsListed)
        return listed

    def queue(self) -> QueueListed:
        listed = self.site.list(Poll.QUEUE)
        assert isinstance(listed, QueueListed)
        return listed

    def boot(self, size: str = "small", reuse: str | None = None, weight: int = 100) -> tuple[CloudNode, str]:
        """A node that boots, and the hostname that it has."""
        self.token += 1
        intent = BootIntent(size, 0.1, f"t{self.token}", self.agenda.now)
        (prepared,) = self.site.do((PrepareRecord(1, intent, reuse),))
        assert isinstance(prepared, RecordPrepared)
        hostname = prepared.record.hostname or ""
        offer = next(offer for offer in self.offers if offer.id == size)
        whole = NodeSize(size, size, size, size, int(offer.cores), offer.ram, offer.disk, 0, offer.price or 0)
        self.site.do((DescribeNode(1, hostname, size, weight),))
        (node,) = self.site.do((CreateNode(1, whole, prepared.record, intent.token, prepared.ping_secret),))
        assert isinstance(node, CloudNode)
        self.site.do((DescribeRecord(1, prepared.record.uuid, node),))
        return node, hostname

    def up(self, size: str = "small", weight: int = 100) -> tuple[CloudNode, str]:
        """The same, and it is up."""
        made = self.boot(size, weight=weight)
        self.advance(200)
        return made

    def word(self, hostname: str) -> str:
        """Slurm's."""
        (seen,) = self.site.do((LookAtNode(1, hostname, jobs=True),))
        assert isinstance(seen, NodeSeen)
        assert seen.node is not None
        return seen.node.state.said + ("" if seen.node.responding else "*")


def calls(act: Callable[[], object]) -> int:
    """Functions of Python that are called, of whatever the time takes."""
    count = 0

    def called(_frame: FrameType, event: str, _arg: object) -> None:
        nonlocal count
        count += event == "call"

    before = sys.getprofile()
    sys.setprofile(called)
    try:
        act()
    finally:
        sys.setprofile(before)
    return count
