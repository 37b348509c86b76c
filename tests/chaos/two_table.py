"""What has come of runs of two managers: one line of JSON a run, and from these the table of doc/two-hosts.md."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from chaos.relays import Target
from chaos.two_plan import TTL, Fault
from chaos.two_play import PairOutcome


@dataclass(frozen=True, slots=True)
class PairRow:
    """One run, in figures. `takeover`: seconds, 0 where the other did not come to lead."""

    store: str
    seed: int
    fault: str
    point: str
    reached: bool
    wrong: tuple[str, ...]
    doubles: int
    leaks: int
    lost: int
    busy_killed: int
    out_of_turn: int
    late: int
    cloud: int
    arvados: int
    slurm: int
    takeover: float
    leads: int
    nodes: int
    seconds: float

    @classmethod
    def of(cls, outcome: PairOutcome, store: str) -> PairRow:
        """Of one that was played."""
        plan, verdict = outcome.plan, outcome.verdict

        def count(*keys: str) -> int:
            return sum(len(verdict.get(key, ())) for key in keys)

        return cls(
            store=store,
            seed=plan.seed,
            fault=plan.fault.value,
            point=plan.point,
            reached=outcome.reached,
            wrong=tuple(outcome.wrong),
            doubles=len(outcome.doubles),
            leaks=count("nodes_left", "slots_left", "drained_left"),
            lost=count("unfinished", "ran_again", "lost"),
            busy_killed=count("busy_destroyed") + int(verdict.get("disturbed", 0)),
            out_of_turn=len(outcome.together),
            late=len(outcome.late),
            cloud=outcome.requests[Target.CLOUD],
            arvados=outcome.requests[Target.ARVADOS],
            slurm=outcome.requests[Target.SLURM],
            takeover=round(outcome.takeover, 2),
            leads=outcome.leads,
            nodes=int(verdict.get("nodes_booted", 0)),
            seconds=round(outcome.seconds, 1),
        )

    def json(self) -> str:
        """In a line."""
        return json.dumps(asdict(self)) + "\n"

    def line(self) -> str:
        """For a terminal; what went wrong below it."""
        where = f" ({self.point}{'' if self.reached else ', not reached'})" if self.point else ""
        took = f"{self.takeover:.1f} s" if self.takeover else "-"
        line = (
            f"seed {self.seed:<3} {'WRONG' if self.wrong else 'ok':<5} {self.seconds:4.0f} s  {self.fault}{where}"
            f"  taken over {took}  leads {self.leads}  requests {self.cloud}/{self.arvados}/{self.slurm}"
            f"  nodes {self.nodes}  sent late {self.late}  out of turn {self.out_of_turn}\n"
        )
        return line + "".join(f"         {text}\n" for text in self.wrong)


def rows_in(files: Iterable[Path]) -> Iterator[PairRow]:
    """What these files have; of runs of one seed on one store the last. Raises OSError, ValueError."""
    found: dict[tuple[str, int], PairRow] = {}
    names = {each.name for each in fields(PairRow)}
    for file in files:
        for line in file.read_text(encoding="utf-8").splitlines():
            given = {name: value for name, value in json.loads(line).items() if name in names}
            row = PairRow(**{**given, "wrong": tuple(given["wrong"])})
            found[row.store, row.seed] = row
    yield from found.values()


COLUMNS = (
    *(
        "runs",
        "wrong",
        "double creates",
        "leaks",
        "lost jobs",
        "busy nodes killed",
        "out of turn",
        "let through in time, sent late",
    ),
    *("requests to cloud, Arvados, Slurm", "taken over after (median, longest; runs)"),
)


def table(rows: Iterable[PairRow]) -> str:
    """By store and fault, in Markdown."""
    every = list(rows)
    lines = [f"| fault | {' | '.join(COLUMNS)} |", "|---" * (len(COLUMNS) + 1) + "|"]
    for store in dict.fromkeys(row.store for row in every):
        its = [row for row in every if row.store == store]
        for fault in (*(each.value for each in Fault), None):
            some = [row for row in its if fault in (None, row.fault)]
            if some:
                lines.append(f"| {fault or f'**all, {store}**'} | {' | '.join(_figures(some))} |")
    return "".join(f"{line}\n" for line in (*lines, "", f"ttl {TTL:g} s."))


def _figures(some: list[PairRow]) -> Iterator[str]:
    yield str(len(some))
    yield str(sum(bool(row.wrong) for row in some))
    for name in ("doubles", "leaks", "lost", "busy_killed", "out_of_turn", "late"):
        yield str(sum(getattr(row, name) for row in some))
    yield ", ".join(str(sum(getattr(row, name) for row in some)) for name in ("cloud", "arvados", "slurm"))
    times = [row.takeover for row in some if row.takeover]
    yield f"{statistics.median(times):.1f} s, {max(times):.1f} s; {len(times)}" if times else "-"
