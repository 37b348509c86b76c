"""What [Cloud Create] names, and the cloud does not have."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from arvnodeman.doctor.base import Area, CannotTell, Check, findings
from arvnodeman.doctor.facts import Facts
from arvnodeman.doctor.wording import in_words
from arvnodeman.fleet.values.model import ErrorKind, RemoteFailure

PASSES = frozenset({ErrorKind.TRANSIENT, ErrorKind.THROTTLED})


def judge(facts: Facts) -> Iterator[str]:
    """A line for each that is not there. Raises CannotTell where the cloud does not answer."""
    for option, lookup in facts.lookups():
        try:
            checked(lookup)
        except RemoteFailure as failure:
            if failure.error.kind in PASSES:
                raise CannotTell(str(failure)) from None
            yield f"[Cloud Create] {option}: {in_words(failure)}"


def checked(lookup: Callable[[], str]) -> str:
    """What was found, or that it may not be looked for. Raises RemoteFailure."""
    try:
        return lookup()
    except RemoteFailure as failure:
        error = failure.error
        if error.kind is ErrorKind.REFUSED and not error.hint.startswith("[Cloud Create]"):
            return f"not checked, no permission for it ({error.text})"
        raise


CHECK = Check(
    name="cloud-options",
    area=Area.CLOUD,
    says="An image, network or the like in [Cloud Create] does not exist at the cloud: each boot would fail.",
    mends="Write one that exists; `cloud-test` checks each of them and creates a node with them.",
    find=lambda facts: findings(judge(facts)),
    cheap=False,
)
