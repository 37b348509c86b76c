"""EC2 makes several nodes of one size by one RunInstances: how they are asked for, told apart and found again.

`ec2_batch.py` has what says which instance is which node, `shared_user_data.py` what they read. A single node is
created in the usual way. What is made of several keeps to this:

* the names of the boots are in the request, so no kill and no lost answer makes an instance that nobody knows;
* the client token is of the boots in their order, and what was not answered for certain is sent again to the last byte;
* the cloud may make fewer than were asked for: the others failed for want of capacity;
* an instance beyond the list is nobody's: it halts itself, and goes by its id as any that never pairs.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from arvnodeman.cloud.base import TOKEN_TAG, NodeWish
from arvnodeman.cloud.ec2_batch import MOST, Batch, Member, batches_of_process, list_tags, room_in_tags
from arvnodeman.cloud.errors import cloud_failure
from arvnodeman.cloud.libcloud_driver import LibcloudDriver
from arvnodeman.cloud.payer_tags import MOST as PAYER_TAGS
from arvnodeman.cloud.shared_user_data import CannotBeShared, is_sharable
from arvnodeman.cloud.throttle import Op
from arvnodeman.cloud.user_data import BadTemplate, Template, node_data_script
from arvnodeman.fence.fence import of_process
from arvnodeman.fleet.values.model import (
    UNSENT,
    CloudNode,
    ErrorKind,
    NodeRecord,
    NodeSize,
    RemoteError,
    RemoteFailure,
    Secret,
)

if TYPE_CHECKING:
    from arvnodeman.config import Settings

MAX_COUNT = "ex_maxcount"  # the argument of create_node that only a batch has
SETTLES = 60.0  # seconds after which a list shows what was made before
BARE = Template(node_data_script({"arv-ping-url": "{ping_url}", "meta-data/instance-type": "{instance_type}"}))
"""What nodes of a batch read where the operator has no template: the files that other clouds' images look for."""
_CERTAIN = frozenset({ErrorKind.QUOTA, ErrorKind.CAPACITY, ErrorKind.REFUSED, ErrorKind.UNREADABLE})
_ALIKE = frozenset({ErrorKind.QUOTA, ErrorKind.CAPACITY, ErrorKind.REFUSED, *UNSENT})
_log = logging.getLogger("ComputeNodeDriver")


def nodes_at_once(settings: Settings) -> int:
    """For how many nodes one request may ask; 1: batches are not wanted, or nodes could not tell their own part."""
    path = settings.cloud.create.get("user_data")
    try:
        sharable = is_sharable(Template.load(path)) if path else settings.cloud.burst or not settings.pings
    except BadTemplate:
        return 1  # the driver says what is wrong with it
    return MOST if sharable and settings.cloud.burst is not False else 1


class BatchingDriver(LibcloudDriver):
    """A driver for EC2 whose creates may be for several nodes."""

    def __init__(self, settings: Settings, driver_class: Callable[..., Any]) -> None:
        super().__init__(settings, driver_class)
        self._most = nodes_at_once(settings)
        if settings.cloud.burst and self._most == 1:
            raise self._mistake("burst", "yes needs a user_data that begins with #!, or none", "Cloud")
        self._batches = batches_of_process()

    # ---- the contract ------------------------------------------------------------------------------------------------

    def create_node(self, size: NodeSize, record: NodeRecord, token: str, ping_url: Secret) -> CloudNode:
        """See CloudDriver."""
        (answer,) = self.create_nodes([NodeWish(size, record, token, ping_url)])
        if isinstance(answer, RemoteFailure):
            raise answer
        return answer

    def create_nodes(self, wishes: Sequence[NodeWish]) -> list[CloudNode | RemoteFailure]:
        """See CloudDriver."""
        answers: dict[str, CloudNode | RemoteFailure] = {}
        again: dict[Batch, list[NodeWish]] = {}
        anew: list[NodeWish] = []
        for wish in wishes:
            batch = self._batches.of(wish.token)
            if batch is None:
                anew.append(wish)
            else:
                again.setdefault(batch, []).append(wish)
        for batch, members in again.items():
            answers |= self._ask(batch, members, anew=False)
        while anew:
            try:
                with self._translating(*(wish.ping_url.reveal() for wish in anew)):
                    batch = self._next_batch(anew)
            except RemoteFailure as failure:
                return [answers.get(wish.token, failure) for wish in wishes]
            told = self._ask(batch, batch.wishes, anew=True)
            answers |= told
            anew = anew[len(batch.wishes) :]
            failures = [each for each in told.values() if isinstance(each, RemoteFailure)]
            if len(failures) == len(told):
                return [answers.get(wish.token) or _not_asked(failures[0]) for wish in wishes]
        return [answers[wish.token] for wish in wishes]

    def find_nodes(self, wishes: Sequence[NodeWish]) -> list[CloudNode | RemoteFailure | None]:
        """See CloudDriver."""
        try:
            listed = list(self._ours())
        except RemoteFailure as failure:
            return [failure] * len(wishes)
        return [self._found_or_early(listed, wish) for wish in wishes]

    def find_node(self, size: NodeSize, record: NodeRecord, token: str) -> CloudNode | None:
        """See CloudDriver. Raises RemoteFailure TRANSIENT where it is too early to say that there is none."""
        (found,) = self.find_nodes([NodeWish(size, record, token, Secret(""))])
        if isinstance(found, RemoteFailure):
            raise found
        return found

    def finish_node(self, node: CloudNode, record: NodeRecord) -> None:
        """A node of a batch gets tags of its own. When there is no time for that now, or EC2 does not know the node
        everywhere yet, it goes without: its batch says what it is called, and its name is written once it is up."""
        if node.fqdn is not None or node.token is None or node.name == node.id:
            return
        try:
            with self._translating(), self._paced(Op.TAG, patience=0.0):
                own = {"Name": node.name, TOKEN_TAG: node.token}
                self._write_tags(node, {**self._payers.of(node.token), **own})
        except RemoteFailure as failure:
            if failure.error.kind not in (ErrorKind.THROTTLED, ErrorKind.GONE):
                raise

    # ---- inside ------------------------------------------------------------------------------------------------------

    def _found_or_early(
        self, listed: Iterable[tuple[Any, Mapping[str, str]]], wish: NodeWish
    ) -> CloudNode | RemoteFailure | None:
        """An earlier run, or another manager, may have asked for it, in a request that nobody can send again: only time
        tells that it made nothing, for EC2's lists lag behind."""
        found = self._found_in(listed, wish)
        early = SETTLES - min(time.monotonic() - self._batches.born, of_process().led_for)
        if found is not None or self._most == 1 or early <= 0 or self._batches.of(wish.token) is not None:
            return found
        text = f"no list shows {self.name_of(wish.record)}, and one may yet: an earlier run may have asked for it"
        return RemoteFailure(RemoteError(ErrorKind.TRANSIENT, text, retry_after=early))

    def _next_batch(self, wishes: Sequence[NodeWish]) -> Batch:
        """As many of the first of these as one request may ask for. Raises what libcloud raises, and RemoteFailure."""
        reserved = count = self._limiter.nodes.of(min(len(wishes), self._most))
        while count > 1:
            some = wishes[:count]
            members = [Member(wish.token, self.name_of(wish.record)) for wish in some]
            shared = self._shared_tags(some)
            count = room_in_tags(members, len(shared) + (PAYER_TAGS if self.tags_payers else 0))
            if count < len(some):
                continue
            try:
                text = (
                    self._startup.shared(some, [member.name for member in members], BARE) if self._reads(some) else ""
                )
            except CannotBeShared as cannot:
                _log.debug("%d nodes cannot share their user data: %s", count, cannot)
                count -= max(1, count // 8)
                continue
            self._limiter.nodes.give_back(reserved - count)
            return Batch(tuple(some), self._batch_arguments(some, {**shared, **list_tags(members)}, text))
        self._limiter.nodes.give_back(reserved - 1)
        return Batch((wishes[0],), {})

    def _reads(self, wishes: Sequence[NodeWish]) -> bool:
        """Is there anything for them to read?"""
        return self._startup.has_template or any(wish.ping_url for wish in wishes)

    def _shared_tags(self, wishes: Sequence[NodeWish]) -> dict[str, str]:
        """Of who pays, what they have in common: the rest is in tags of their own."""
        first = wishes[0]
        tags, payers = self._create_tags(first.size, first.record, first.token), self._payers.of(first.token)
        common = self._payers.of_all([wish.token for wish in wishes])
        for name, value in payers.items():
            if name not in common and tags.get(name) == value:
                del tags[name]
        del tags[TOKEN_TAG]
        return tags

    def _batch_arguments(self, wishes: Sequence[NodeWish], tags: Mapping[str, str], text: str) -> dict[str, Any]:
        """Of create_node, for all of them."""
        first = wishes[0]
        return {
            **self._create_arguments(first.size, first.record, first.token, first.ping_url),
            "ex_userdata": text,
            "ex_metadata": dict(tags),
            "ex_mincount": "1",
            MAX_COUNT: str(len(wishes)),
        }

    def _ask(self, batch: Batch, wanted: Sequence[NodeWish], *, anew: bool) -> dict[str, CloudNode | RemoteFailure]:
        """Send a batch's request; what came of these of its nodes, by token."""
        count = len(batch.wishes)
        try:
            with self._open(batch, wanted, anew=anew):
                if count == 1:
                    wish = batch.wishes[0]
                    return {wish.token: super().create_node(wish.size, wish.record, wish.token, wish.ping_url)}
                self._startup.hidden.put(batch.arguments["ex_userdata"])
                request = {**batch.arguments, "ex_clienttoken": batch.request}
                made = self._answer_for(lambda: request, *batch.wishes)
                nodes = self._by_index(made, batch)
        except RemoteFailure as failure:
            told = self._paced_by_limiter(failure) if count > 1 else failure
            return {wish.token: told for wish in wanted}
        places = {wish.token: index for index, wish in enumerate(batch.wishes)}
        return {wish.token: self._answer(nodes.get(places[wish.token]), wish, len(nodes), count) for wish in wanted}

    def _paced_by_limiter(self, failure: RemoteFailure) -> RemoteFailure:
        """A refusal of many at once: they are tried again together as soon as the limiter allows another request. With
        a back-off for each, they would wait for minutes, long after EC2 takes requests again."""
        bucket = self._limiter.buckets.get(Op.CREATE)
        error = failure.error
        if bucket is None or error.kind is not ErrorKind.THROTTLED or error.retry_after is not None:
            return failure
        return RemoteFailure(replace(error, retry_after=max(1.0, 1 / bucket.rate)))

    @contextmanager
    def _open(self, batch: Batch, wanted: Sequence[NodeWish], *, anew: bool) -> Iterator[None]:
        """While a request is on its way, and after that unless it was answered for certain. Nodes of it that are not
        asked for now have their answer when they are."""
        self._batches.sent(batch)
        try:
            yield
        except RemoteFailure as failure:
            kind = failure.error.kind
            if kind in _CERTAIN or (anew and kind in UNSENT):
                self._batches.answered(wish.token for wish in batch.wishes)
            raise
        self._batches.answered(wish.token for wish in wanted)

    def _by_index(self, made: Any, batch: Batch) -> dict[int, Any]:
        """The instances by launch index. libcloud answers with no list where there is one. Raises RemoteFailure
        UNREADABLE where there is none: an answer that says yes and names no instance does not count."""
        nodes = made if isinstance(made, list) else [made]
        found: dict[int, Any] = {}
        for node in nodes:
            index = (getattr(node, "extra", None) or {}).get("launch_index")
            if isinstance(index, int) and 0 <= index < len(batch.wishes) and index not in found:
                found[index] = node
            else:
                text = "instance %s has the launch index %s, for which no node is wanted: it goes if it never pairs"
                _log.warning(text, getattr(node, "id", None), index)
        if not found:
            raise self._unreadable("it names none of the nodes", *batch.wishes)
        return found

    def _answer(self, node: Any, wish: NodeWish, made: int, asked: int) -> CloudNode | RemoteFailure:
        if node is None:
            return cloud_failure(ErrorKind.CAPACITY, f"the cloud had room for {made} of {asked} nodes")
        if self._is_gone(node):
            return cloud_failure(ErrorKind.CAPACITY, f"{node.id} was terminated as soon as it was made")
        node.name = self.name_of(wish.record)
        try:
            return replace(self._made(node, wish), fqdn=None)  # no tag of its own says it
        except RemoteFailure as failure:
            return failure


def _not_asked(failure: RemoteFailure) -> RemoteFailure:
    """What is said of those after a request of which all have failed: the next would be answered alike."""
    if failure.error.kind in _ALIKE:
        return failure
    return cloud_failure(ErrorKind.TRANSIENT, f"not asked for, since others were not available: {failure.error.text}")
