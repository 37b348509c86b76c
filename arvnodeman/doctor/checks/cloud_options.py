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
            return f"not looked at, there is no permission to ({error.text})"
        raise


CHECK = Check(
    name="cloud-options",
    area=Area.CLOUD,
    says="An image, network or the like that [Cloud Create] names is not at the cloud: each boot would fail.",
    mends="Write one that is there; `cloud-test` looks each of them up and makes a node of them.",
    find=lambda facts: findings(judge(facts)),
    cheap=False,
)
