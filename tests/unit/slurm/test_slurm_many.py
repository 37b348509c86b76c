"""Many nodes in one command: each has its own answer, and what one is refused costs only that one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from arvnodeman.slurm import many, nodes
from arvnodeman.slurm.errors import ControllerAway, NotPermitted, Refused, UnknownNode
from arvnodeman.slurm.keeping import NameNote, NamesInSlurm
from arvnodeman.slurm.run import Output
from arvnodeman.slurm.script import failures_of, fits, script_of

NAMES = [f"compute{number}" for number in range(1, 7)]
UNKNOWN = "slurm_update error: Invalid node name specified\n"
NOT_NEEDED = "slurm_update error: Invalid node state specified\n"
DENIED = "slurm_update error: Invalid user id\n"
AWAY = "slurm_update error: Unable to contact slurm controller (connect failure)\n"


@dataclass
class Commands:
    """Stands for Slurm's commands: what they were asked, and what they answer."""

    monkeypatch: pytest.MonkeyPatch
    refusals: dict[str, str] = field(default_factory=dict)  # what an update of this node is told
    listing: str = ""
    jobs: str = ""
    tells: bool = True  # scontrol complains of words that it does not know
    asked: list[list[str]] = field(default_factory=list)
    scripts: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.monkeypatch.setattr(many, "run", self.run)
        self.monkeypatch.setattr(nodes, "run", self.run)

    def run(self, argv: Sequence[str], *, timeout: float, text: str = "") -> Output:
        self.asked.append(list(argv))
        if argv[0] == "sinfo":
            return Output(self.listing, "", 0)
        if argv[0] == "squeue":
            refused = next((self.refusals[name] for name in argv[-1].split(",") if name in self.refusals), "")
            return Output("" if refused else self.jobs, refused, 1 if refused else 0)
        if not text:
            refused = self.refusals.get(argv[2].removeprefix("NodeName="), "")
            return Output("", refused, 1 if refused else 0)
        self.scripts.append(text)
        said = ""
        for line in text.splitlines():
            words = line.split()
            if words[0] == "update":
                said += self.refusals.get(words[1].removeprefix("NodeName="), "")
            elif self.tells:
                said += f"invalid keyword: {words[0]}\n"
        return Output("scontrol: \n", said, 1)


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> Commands:
    return Commands(monkeypatch)


def test_nodes_are_drained_by_one_command_each_for_its_own_reason(commands: Commands) -> None:
    assert NamesInSlurm().drain_all({name: f"Node Manager shutdown (i-{name})" for name in NAMES}) == {}
    assert commands.asked == [["scontrol"]]
    lines = commands.scripts[0].splitlines()[::2]
    assert lines == [f'update NodeName={n} State=DRAIN Reason="Node Manager shutdown (i-{n})"' for n in NAMES]


def test_what_one_node_is_refused_costs_only_that_one(commands: Commands) -> None:
    commands.refusals = {"compute2": UNKNOWN, "compute5": "slurm_update error: No\n"}
    failures = NamesInSlurm().set_down_all(dict.fromkeys(NAMES, "why"))
    assert {name: type(failure) for name, failure in failures.items()} == {"compute2": UnknownNode, "compute5": Refused}
    assert failures["compute5"].said.endswith("No")
    assert len(commands.asked) == 1


def test_a_node_that_needs_no_resume_is_resumed(commands: Commands) -> None:
    commands.refusals = {"compute1": NOT_NEEDED, "compute3": UNKNOWN}
    assert list(NamesInSlurm().resume_all(NAMES)) == ["compute3"]


@pytest.mark.parametrize(("said", "kind"), [(AWAY, ControllerAway), (DENIED, NotPermitted)])
def test_what_fails_for_all_of_them_is_raised(commands: Commands, said: str, kind: type[Exception]) -> None:
    commands.refusals = dict.fromkeys(NAMES, said)
    with pytest.raises(kind):
        NamesInSlurm().drain_all(dict.fromkeys(NAMES, "why"))


def test_where_scontrol_does_not_tell_of_each_change_each_is_asked_for_alone(commands: Commands) -> None:
    commands.tells, commands.refusals = False, {"compute2": UNKNOWN}
    failures = NamesInSlurm().drain_all(dict.fromkeys(NAMES, "why"))
    assert list(failures) == ["compute2"]
    alone = [["scontrol", "update", f"NodeName={name}", "State=DRAIN", "Reason=why"] for name in NAMES]
    assert commands.asked == [["scontrol"], *alone]


def test_a_slurm_that_went_away_is_not_asked_a_hundred_times(commands: Commands) -> None:
    commands.tells, commands.refusals = False, dict.fromkeys(NAMES[1:], AWAY)
    failures = NamesInSlurm().drain_all(dict.fromkeys(NAMES, "why"))
    assert list(failures) == NAMES[1:]
    assert len(commands.asked) == 3


def test_names_that_are_never_ours_are_in_no_list(commands: Commands) -> None:
    names = ["compute0", "ALL", "a,b", "x y", *NAMES]
    failures = NamesInSlurm().drain_all(dict.fromkeys(names, "why"))
    assert list(failures) == names[:4]
    assert not any(bad in commands.scripts[0] for bad in ("compute0", "ALL", "a,b", "x y"))


def test_a_text_that_no_line_can_hold_goes_alone(commands: Commands) -> None:
    """A quotation mark, or a break, would end the text, and what follows would be a command."""
    NamesInSlurm().drain_all(dict.fromkeys(NAMES, "why") | {"compute3": 'a" State=RESUME Reason="b\nupdate'})
    assert ["State=DRAIN", 'Reason=a" State=RESUME Reason="b update'][1] in commands.asked[0][-1]
    assert "compute3" not in commands.scripts[0]
    assert not fits(("a", ("Reason=it's",)))
    assert not fits(("a", ("Reason=a\\b",)))


def test_many_changes_are_asked_for_in_parts(commands: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(many, "AT_ONCE", 4)
    NamesInSlurm().drain_all({f"compute{number}": "why" for number in range(1, 11)})
    assert [script.count("update") for script in commands.scripts] == [4, 4]
    assert len(commands.asked) == 4  # the last two alone


def line(name: str, state: str = "drain") -> str:
    return f"{name}|{state}|1|(null)|none\n"


def test_nodes_are_looked_at_together_and_then_their_jobs(commands: Commands) -> None:
    commands.listing = "".join(line(name) for name in NAMES)
    commands.jobs = "compute[1-2]\ncompute2\n\ncompute9\n"
    found = NamesInSlurm().observe_all({name: name != "compute6" for name in NAMES})
    counts = {name: seen[1] for name, seen in found.items() if isinstance(seen, tuple)}
    assert counts == {"compute1": 1, "compute2": 2, "compute3": 0, "compute4": 0, "compute5": 0, "compute6": None}
    assert [argv[0] for argv in commands.asked] == ["sinfo", "squeue"]  # the state before the jobs, never after


def test_a_look_that_is_refused_for_a_list_is_taken_at_each(commands: Commands) -> None:
    commands.listing = "".join(line(name) for name in NAMES)
    commands.refusals = {"compute2": "squeue: error: Invalid node name compute2\n"}
    found = NamesInSlurm().observe_all(dict.fromkeys(NAMES, True))
    assert isinstance(found["compute2"], UnknownNode)
    assert [seen[1] for seen in found.values() if isinstance(seen, tuple)] == [0] * 5


def test_names_are_noted_together(commands: Commands) -> None:
    notes = [NameNote(name, f"Node Manager node i-{name}", "10.0.0.1", resume=True) for name in NAMES[:3]]
    failures = NamesInSlurm().note_all([*notes, NameNote("compute4", "", "bad address")])
    assert list(failures) == ["compute4"]
    lines = commands.scripts[0].splitlines()[::2]
    place = "NodeAddr=10.0.0.1 NodeHostName={0} State=RESUME"
    text = 'update NodeName={0} Comment="Node Manager node i-{0}" ' + place
    assert lines == [text.format(name) for name in NAMES[:3]]


# ---- what stderr tells -----------------------------------------------------------------------------------------------

MARKS = [f"change-{number}-was-asked-for" for number in range(3)]


def complaints(*said: str) -> str:
    pairs = zip(said, MARKS, strict=False)
    return "".join(f"{text}scontrol: error: invalid keyword: {mark}\n" for text, mark in pairs)


def test_each_complaint_is_of_the_change_before_its_mark() -> None:
    found: Any = failures_of(3, complaints("", UNKNOWN, ""))
    assert [type(failure) for failure in found] == [type(None), UnknownNode, type(None)]


@pytest.mark.parametrize(
    "stderr",
    [
        "",
        complaints("", ""),
        complaints("", "", "") + AWAY,
        complaints("", "", "").replace("change-1", "change-2"),
        "scontrol: error: exiting\n",
    ],
)
def test_complaints_that_are_not_as_expected_tell_nothing(stderr: str) -> None:
    assert failures_of(3, stderr) is None


def test_a_mark_stands_behind_each_change() -> None:
    changes = [("a", ("State=RESUME",)), ("b", ("Comment=",))]
    lines = ["update NodeName=a State=RESUME", MARKS[0], "update NodeName=b Comment=", MARKS[1]]
    assert script_of(changes).splitlines() == lines
