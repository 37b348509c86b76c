"""What would change a decision: one option, how it would have to be, and what would be decided then.

Found by asking the plan again (`plan/asking.py`), never written beforehand.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

OptionValue = int | float | str


class Outside(StrEnum):
    """Whose it is that stands in the way, where no option of ours does."""

    SCHEDULER = "Slurm"
    CLOUD = "the cloud"
    OPERATOR = "an operator"
    LISTS = "the lists"
    WORK = "its work"
    QUEUE = "the queue"
    TIME = "time"


class Meant(StrEnum):
    """How the needed value is meant."""

    AT_LEAST = ">="
    AT_MOST = "<="
    IS = "="


@dataclass(frozen=True, slots=True)
class OptionChange:
    """One option, otherwise than it is. Values are as the configuration file has them."""

    section: str  # Daemon, Cloud, Size NAME
    option: str
    now: OptionValue
    bound: Meant
    needed: OptionValue
    unit: str  # '': a mere number, or a word
    effect: str  # what would be decided then
    size: float = 0.0  # of the change, by which several are put in order: as a part of the value that is

    @property
    def words(self) -> str:
        """with max_total_price >= 2.04 (now 2) a node of large would boot for it at once."""
        where = "" if self.section == "Daemon" else f"[{self.section}] "
        return f"with {where}{self.option} {self.bound} {shown(self.needed)} (now {shown(self.now)}) {self.effect}"


@dataclass(frozen=True, slots=True)
class Counterfactual:
    """The changes of a single option that would alter a decision, the smallest first; else why there is none."""

    changes: tuple[OptionChange, ...] = ()
    why_none: str = ""
    outside: Outside | None = None  # whose it is that stands in the way
    plans: int = 0  # how often the plan was asked

    @property
    def words(self) -> str:
        """In one clause: the smallest change, and how many others there are to choose from."""
        return self.changes[0].words if self.changes else self.why_none


def shown(value: OptionValue) -> str:
    """A value as a file has it; '' is said."""
    return (f"{value:g}" if isinstance(value, float) else str(value)) or "nothing"
