"""Every event can be written and read again, whatever fields it has or will have; secrets never are."""

from __future__ import annotations

import dataclasses
import json
import random
import types
from collections.abc import Collection, Mapping, Sequence
from enum import Enum
from typing import Any, Union, get_args, get_origin

import pytest

from arvnodeman.fleet.messages import (
    CloudListed,
    CreateNode,
    Event,
    PolicyChanged,
    PollNow,
    RecordPrepared,
    Step,
    StepDone,
)
from arvnodeman.fleet.values.model import Job, JobShape, NodeRecord, NodeSize, Policy, Secret
from arvnodeman.journal.codec import Codec, NotUnderstood, hints_of, messages
from arvnodeman.journal.reader import RecordReader, Told
from arvnodeman.journal.records import RecordWriter
from arvnodeman.journal.wire import CLASSES, FIELDS

SECRET = "sesame-open"
STEPS = [each for each in messages().values() if issubclass(each, Step) and each is not Step]


def through(codec: Codec, value: Any, hint: Any) -> Any:
    """Written to JSON and read again."""
    return codec.value(json.loads(json.dumps(codec.plain(value))), hint)


@pytest.mark.parametrize("message", [*get_args(Event), *STEPS, Policy, PollNow], ids=lambda each: each.__name__)
def test_what_is_written_is_read_again(message: type) -> None:
    codec, rng = Codec(), random.Random(message.__name__)
    for _ in range(30):
        value = sample(message, rng)
        again = through(codec, value, message)
        assert again == masked(value)
        assert SECRET not in json.dumps(codec.plain(value))
    assert not codec.unknown


def sample(hint: Any, rng: random.Random) -> Any:
    """A value for the hint, drawn from all that the hint allows."""
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return sample(rng.choice(parts), rng)
    if origin in (Sequence, Collection) or (origin is tuple and parts[-1] is ...):
        return tuple(sample(parts[0], rng) for _ in range(rng.randrange(3)))
    if origin is tuple:
        return tuple(sample(part, rng) for part in parts)
    if origin is frozenset:
        return frozenset(sample(parts[0], rng) for _ in range(rng.randrange(3)))
    if origin is Mapping:
        return {sample(parts[0], rng): sample(parts[1], rng) for _ in range(rng.randrange(3))}
    if dataclasses.is_dataclass(hint):
        made = rng.choice(STEPS) if hint is Step else hint
        return made(**{name: sample(each, rng) for name, each in hints_of(made)})  # type: ignore[arg-type,operator]
    if issubclass(hint, Enum):
        return rng.choice(list(hint))
    drawn: dict[Any, Any] = {
        Secret: Secret(SECRET),
        type(None): None,
        bool: rng.random() < 0.5,
        int: rng.randrange(-5, 1 << 40),
        float: rng.choice([0.0, 0.1 + 0.2, 1_700_000_000.123456, -3.5]),
        str: rng.choice(["", "a", 'Größe \n"\u2028', "compute1"]),
    }
    return drawn[hint]


def masked(value: Any) -> Any:
    """The same, with each secret as it is read again."""
    if isinstance(value, Secret):
        return Secret("***")
    if isinstance(value, tuple):
        return tuple(map(masked, value))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.replace(value, **{name: masked(getattr(value, name)) for name, _ in hints_of(type(value))})
    return value


def test_types_and_figures_stay_as_they_are() -> None:
    shape = JobShape(cores=2, ram=0.1 + 0.2, gres=(("gpu:tesla", 2),), partitions=("a",))
    again = through(Codec(), Job("j", shape, 7), Job)
    assert again == Job("j", shape, 7)
    assert isinstance(again.shape.cores, int)
    assert isinstance(again.shape.gres[0], tuple)


def test_of_a_secret_is_kept_whether_there_is_one() -> None:
    for secret, there in ((Secret(SECRET), True), (Secret(""), False)):
        done = StepDone(ListedStep, RecordPrepared(NodeRecord("u"), secret))
        again = through(Codec(), done, StepDone)
        assert bool(again.result.ping_secret) is there
    create = CreateNode(1, NodeSize("s", "s", "s", "s", 1, 1, 1, 1, 1.0), NodeRecord("u"), "token", Secret(SECRET))
    assert SECRET not in str(Codec().plain(create))


ListedStep = next(each for each in STEPS if each.__name__ == "ListSizes")(1)


@pytest.mark.parametrize(
    ("plain", "hint", "told"),
    [
        ({"id": "j"}, Job, "Job without shape"),
        ({"@": "Wish"}, Job, "no class is called Wish"),
        ({"@": "NodeRecord", "uuid": "u"}, Job, "NodeRecord is not a Job"),
        (7, Job, "'7' is not a Job"),
        ({"node": "n", "word": "sing"}, get_args(Event)[5], "'sing' is not a Directive"),
        ({"step": {"@": "ListSizes", "op": 1}, "result": 5}, StepDone, "'5' is none of "),
        ({"step": {"@": "ListSizes", "op": 1}, "result": {"@": "Job"}}, StepDone, "Job is none of "),
        ({"nodes": 7, "started": 1.0}, CloudListed, "'7' is not a Sequence"),
    ],
)
def test_what_another_build_wrote_is_a_line(plain: Any, hint: Any, told: str) -> None:
    with pytest.raises(NotUnderstood) as refused:
        Codec().value(plain, hint)
    assert told in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_field_of_another_build_is_passed_over_and_counted() -> None:
    codec = Codec()
    plain = {**codec.fields(Job("j", JobShape())), "mood": "good"}
    assert codec.value(plain, Job) == Job("j", JobShape())
    assert codec.unknown == {"Job has no mood": 1}


def test_a_field_that_an_older_build_did_not_have_is_its_default() -> None:
    codec = Codec()
    plain = codec.fields(Job("j", JobShape()))
    del plain["in_slurm"]
    assert codec.value(plain, Job).in_slurm is True


def test_a_hint_that_nobody_can_write_is_seen_here_and_not_in_the_daemon() -> None:
    codec = Codec()
    for message in messages().values():
        codec.encoders(message)
        for _, hint in hints_of(message):
            codec._decoder(hint)

    @dataclasses.dataclass
    class Strange:
        what: complex

    with pytest.raises(TypeError, match="complex"):
        codec._decoder(complex)
    with pytest.raises(TypeError, match="complex"):
        codec.plain(Strange(1j))


def test_a_class_and_a_field_that_were_renamed_are_written_and_read_under_their_old_names(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = Codec().plain(StepDone(ListedStep, None))
    monkeypatch.setattr("arvnodeman.journal.wire._IN_JOURNALS", {"StepDone": "Answered", "ListSizes": "AskSizes"})
    monkeypatch.setattr("arvnodeman.journal.wire.FIELDS", {"StepDone": {"what": "step"}})
    codec = Codec()
    plain = codec.plain(StepDone(ListedStep, None))
    assert plain == {"@": "Answered", "what": before["step"] | {"@": "AskSizes"}, "result": None}
    assert codec.value(plain, StepDone) == StepDone(ListedStep, None)
    told = RecordReader(codec).entry(json.loads(RecordWriter(codec).record(StepDone(ListedStep), 1.0, [])))
    assert told == Told(StepDone(ListedStep), 1.0)
    assert not codec.unknown


def test_the_table_of_renamed_ones_names_what_there_is() -> None:
    classes = {message.__name__: message for message in messages().values()}
    assert [name for name in (*CLASSES.values(), *FIELDS) if name not in classes] == []
    for name, fields in FIELDS.items():
        assert set(fields.values()) <= {each for each, _ in hints_of(classes[name])}


def test_the_policy_of_a_reload_is_written_whole() -> None:
    policy = Policy(sections=(), shutdown_windows=(1.0, 2.0), max_nodes=7)
    assert through(Codec(), PolicyChanged(policy), PolicyChanged) == PolicyChanged(policy)


def test_a_bare_one_says_the_same_when_a_build_adds_a_field_that_has_its_default() -> None:
    @dataclasses.dataclass(frozen=True, slots=True)
    class Older:
        name: str

    @dataclasses.dataclass(frozen=True, slots=True)
    class Newer:
        name: str
        added: bool = False
        more: tuple[str, ...] = dataclasses.field(default_factory=tuple)

    bare = Codec(bare=True)
    assert bare.fields(Newer("n")) == bare.fields(Older("n")) == {"name": "n"}
    assert bare.fields(Newer("n", added=True)) == {"name": "n", "added": True}
    assert Codec().fields(Newer("n")) == {"name": "n", "added": False, "more": []}
