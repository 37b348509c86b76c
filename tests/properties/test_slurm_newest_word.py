"""Whatever Slurm said before, what is asked of a node now is its newest word: no destroy follows an answer that was
computed before the job on it began.

The Slurm here is the worst that was measured (22.05, 24.11, 26.05): asked for one name alone, sinfo computes its word
from the CPUs in use at the last listing of several, whenever that was.
"""

from __future__ import annotations

from collections.abc import Sequence
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from arvnodeman.fleet.values.work import NodeWork
from arvnodeman.slurm.commands import Slurm
from arvnodeman.slurm.run import Output

NAMES = ("cloud1", "cloud2", "cloud3")
CPUS = 4


class OldNews:
    """A Slurm whose sinfo, asked for one name, tells old news."""

    def __init__(self) -> None:
        self.used = dict.fromkeys(NAMES, 0)
        self.counted = dict(self.used)
        self.closed = dict.fromkeys(NAMES, "")

    def do(self, what: str, name: str) -> None:
        """A job begins or ends, somebody drains, fails or resumes a node, or lists all or one."""
        match what:
            case "begin" if not self.closed[name]:
                self.used[name] = min(CPUS, self.used[name] + 2)
            case "end":
                self.used[name] = 0
            case "drain" | "fail" | "":
                self.closed[name] = what
            case "list":
                self.sinfo(NAMES)
            case "ask":
                self.sinfo([name])

    def sinfo(self, names: Sequence[str]) -> str:
        """Its lines. `names` with repetitions, as given."""
        if len(names) != 1:
            self.counted = dict(self.used)
        return "".join(f"{name}|{self.word(name, self.counted[name])}|1|(null)|none\n" for name in dict.fromkeys(names))

    def word(self, name: str, used: int) -> str:
        """sinfo's word, if so many CPUs are in use."""
        free = {"": "idle", "drain": "drain", "fail": "fail"}[self.closed[name]]
        busy = {"": "mix" if used < CPUS else "alloc", "drain": "drng", "fail": "failg"}[self.closed[name]]
        return busy if used else free

    def run(self, argv: Sequence[str], *, timeout: float) -> Output:
        """One command."""
        assert argv[0] == "sinfo"
        (names,) = [word.removeprefix("--nodes=").split(",") for word in argv if word.startswith("--nodes=")]
        return Output(self.sinfo(names), "", 0)


HISTORIES = st.lists(
    st.tuples(st.sampled_from(["begin", "end", "drain", "fail", "", "list", "ask"]), st.sampled_from(NAMES)),
    max_size=20,
)


@given(HISTORIES, st.lists(st.sampled_from(NAMES), min_size=1, unique=True))
def test_what_is_asked_now_is_the_newest_word(history: list[tuple[str, str]], asked: list[str]) -> None:
    slurm = OldNews()
    for what, name in history:
        slurm.do(what, name)
    with patch("arvnodeman.slurm.nodes.run", slurm.run):
        found = Slurm().nodes_now(asked)
        alone = Slurm().node(asked[0])
    for name in asked:
        node = found[name]
        assert isinstance(node, NodeWork)
        assert node.state.said == slurm.word(name, slurm.used[name])
    assert alone == found[asked[0]]


def test_the_slurm_here_does_tell_old_news() -> None:
    """The control: one name alone is answered wrongly."""
    slurm = OldNews()
    slurm.do("list", "cloud1")
    slurm.do("begin", "cloud1")
    assert "|idle|" in slurm.sinfo(["cloud1"])
    assert "|mix|" in slurm.sinfo(["cloud1", "cloud1"])
