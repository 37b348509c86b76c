"""Tags by which the provider's own bill tells who pays: account, user and partition of the first job that a node is
booted for, and that job. We never read them: what a cloud does not allow is replaced, what is too long is cut."""

from __future__ import annotations

import functools
import re
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from arvnodeman.cloud.base import tag_filters
from arvnodeman.fleet.values.meant_for import MeantFor

if TYPE_CHECKING:
    from arvnodeman.config import Settings

ACCOUNT_TAG, USER_TAG = "arvados_node_account", "arvados_node_user"
PARTITION_TAG, JOB_TAG = "arvados_node_partition", "arvados_node_job"
MOST = 4  # tags of one node
REMEMBERED = 1000  # boots


class ValueRule(NamedTuple):
    """What a cloud takes for the value of such a tag."""

    refused: str = r"[^\x20-\x7e\xa0-\uffff]"  # a pattern for each character that becomes a _
    longest: int = 180
    lower: bool = False


def fitting(text: str, rule: ValueRule) -> str:
    """A text as the cloud takes it."""
    text = text.lower() if rule.lower else text
    return re.sub(rule.refused, "_", text)[: rule.longest].strip()


def payer_tags(jobs: Sequence[MeantFor], rule: ValueRule) -> dict[str, str]:
    """The tags of a node that is booted for these; what is not known has none."""
    if not jobs:
        return {}
    first = jobs[0]
    said = {
        ACCOUNT_TAG: first.owner.account,
        USER_TAG: first.owner.payer,
        PARTITION_TAG: first.partition,
        JOB_TAG: first.job,
    }
    return {name: value for name, text in said.items() if (value := fitting(text, rule))}


class PayersOfBoots:
    """By the token of a boot: the tags of its node. Many threads may use it; of the newest boots."""

    def __init__(self, rule: ValueRule) -> None:
        self._rule = rule
        self._lock = threading.Lock()
        self._tags: OrderedDict[str, dict[str, str]] = OrderedDict()

    def note(self, token: str, jobs: Sequence[MeantFor]) -> None:
        """This boot is for these jobs."""
        tags = payer_tags(jobs, self._rule)
        if not tags:
            return
        with self._lock:
            self._tags[token] = tags
            self._tags.move_to_end(token)
            while len(self._tags) > REMEMBERED:
                self._tags.popitem(last=False)

    def of(self, token: str) -> Mapping[str, str]:
        """The tags of its node."""
        with self._lock:
            return self._tags.get(token, {})

    def of_all(self, tokens: Sequence[str]) -> dict[str, str]:
        """The tags that the nodes of all these boots have."""
        shared = dict(self.of(tokens[0])) if tokens else {}
        for token in tokens[1:]:
            shared = {name: value for name, value in shared.items() if self.of(token).get(name) == value}
        return shared


@functools.cache
def payers_of_process(rule: ValueRule) -> PayersOfBoots:
    """Those of this process: another driver than the one that created a node may finish it."""
    return PayersOfBoots(rule)


class TagsPayers:
    """A driver, as far as it tags nodes so."""

    payer_rule: ClassVar[ValueRule] = ValueRule()
    bills_by_tags: ClassVar[bool] = True  # else the driver has another place for who pays
    _settings: Settings

    @cached_property
    def tags_payers(self) -> bool:
        """Does the operator want such tags?"""
        return self._settings.daemon.payer_tags

    @property
    def _payers(self) -> PayersOfBoots:
        return payers_of_process(self.payer_rule)

    def bill_to(self, token: str, jobs: Sequence[MeantFor]) -> None:
        """See CloudDriver."""
        if self.tags_payers:
            self._payers.note(token, jobs)

    def _wanted_tags(self, token: str) -> dict[str, str]:
        """Who pays, and what the operator wants."""
        payers = self._payers.of(token) if self.bills_by_tags else {}
        return {**payers, **tag_filters(self._settings.cloud.create)}
