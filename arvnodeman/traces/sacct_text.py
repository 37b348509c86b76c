"""`sacct --parsable2`, with the columns in any order and any delimiter."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from operator import itemgetter
from typing import NamedTuple

from arvnodeman.fleet.values.model import JobShape
from arvnodeman.slurm.job_shape import megabytes
from arvnodeman.traces.asked import NO_TRES, WHOLE, AskedFor, limit_of, nobody_asked, shape_of, tres, whole, whole_nodes
from arvnodeman.traces.job import Got, JobEnding
from arvnodeman.traces.moments import Moments
from arvnodeman.traces.numbers import numbered
from arvnodeman.traces.runs import ELSEWHERE, AccountedRun, got, jobs_of, word_of
from arvnodeman.traces.sacct_rows import BrokenRow, Header, SacctRows
from arvnodeman.traces.trace import Intake, NoTrace

HOW = "arvados-node-manager simulate --print-sacct-command"
NEEDED = ("State", "Submit", "Start", "End")
MISSING = {
    "Eligible": "no column Eligible: jobs are taken to wait from their submit time on",
    "Timelimit": "no column Timelimit or TimelimitRaw: time limits are not known",
    "Constraints": "no column Constraints: features are not known",
    "QOS": "no column QOS",
}
MEMORY_MISSING = "no column ReqTRES or ReqMem: memory is not known"
NO_ONE_ASKED = "runs that show memory which they did not ask for, as they got another: {}"
FROM_GOT = "runs that do not say how many CPUs they asked for, so that what they got is taken: {}"
NOT_STARTED = ("Unknown", "None", "")
MOST_ALIKE = 1 << 14
NO_NODES = ("None assigned", "")


class _Own(NamedTuple):
    """Columns in which rows differ."""

    JobID: str
    JobIDRaw: str
    State: str
    Submit: str
    Eligible: str
    Start: str
    End: str
    ElapsedRaw: str
    JobName: str
    NodeList: str
    Cluster: str
    MaxRSS: str


class _Alike(NamedTuple):
    """Columns in which many rows are alike."""

    AllocCPUS: str
    AllocNodes: str
    NNodes: str
    AllocTRES: str
    ReqCPUS: str
    ReqNodes: str
    ReqMem: str
    ReqTRES: str
    Constraints: str
    Partition: str
    User: str
    Account: str
    QOS: str
    Reservation: str
    Timelimit: str
    TimelimitRaw: str
    SubmitLine: str
    Exclusive: str


class _Kind(NamedTuple):
    """What follows from these."""

    shape: JobShape
    partition: str
    limit: float | None
    exclusive: bool | None
    got: Got | None
    remarks: tuple[str, ...]


class SacctText:
    """Reads one file."""

    def __init__(self, intake: Intake, moments: Moments, exclusive: Collection[str] = ()) -> None:
        """`exclusive`: partitions whose jobs have their nodes to themselves."""
        self._intake, self._moments, self._exclusive = intake, moments, exclusive
        self._names: set[str] = set()  # of the columns
        self._own: Callable[[Sequence[str]], tuple[str, ...]]
        self._alike: Callable[[Sequence[str]], tuple[str, ...]]
        self._known: dict[tuple[tuple[str, ...], bool], _Kind] = {}
        self._job: tuple[AccountedRun, str] | None = None  # the last row, and its cluster: its steps may follow
        self._job_line = 0

    def read(self, lines: Iterator[tuple[int, str]], header: Header) -> bool:
        """All rows below the header. Is the last one good? Raises NoTrace."""
        self._begin(header)
        good = True
        for row in SacctRows(header, self._begin).rows(lines):
            if isinstance(row, BrokenRow):
                good = False
                self._flush()
                self._intake.skip(row.line, row.why)
                continue
            try:
                self._row(row.line, [*row.cells, ""])
                good = True
            except ValueError as error:
                good = False
                self._intake.skip(row.line, str(error))
        return self._flush() and good

    def _begin(self, header: Header) -> None:
        """Columns are read by their names. Raises NoTrace."""
        names = set(header.names)
        if missing := [name for name in NEEDED if name not in names]:
            raise NoTrace(f"{self._intake.path}: it has no column {', '.join(missing)}: export it by {HOW}")
        if not names & {"ReqCPUS", "ReqTRES", "AllocCPUS"}:
            raise NoTrace(f"{self._intake.path}: it has no column ReqCPUS or ReqTRES: export it by {HOW}")
        for name, words in MISSING.items():
            if name not in names and f"{name}Raw" not in names:
                self._intake.remark(words)
        if not names & {"ReqMem", "ReqTRES"}:
            self._intake.remark(MEMORY_MISSING)
        nowhere = header.width  # where each row gets an empty cell
        self._own = itemgetter(*(header.at.get(name, nowhere) for name in _Own._fields))
        self._alike = itemgetter(*(header.at.get(name, nowhere) for name in _Alike._fields))
        self._names = names
        self._known.clear()

    def _row(self, line: int, cells: Sequence[str]) -> None:
        """A row with an empty cell behind its last. Raises ValueError."""
        own = _Own._make(self._own(cells))
        if "." in own.JobID or "." in own.JobIDRaw:
            self._step(own.MaxRSS)
            return
        self._flush()
        if own.State.startswith(ELSEWHERE):
            self._intake.remark("runs that were another cluster's of the federation, and are left out: {}")
            return
        self._job, self._job_line = (self._run(own, self._alike(cells)), own.Cluster), line

    def _flush(self) -> bool:
        """The last row is complete. Was it good?"""
        if self._job is None:
            return True
        (run, cluster), self._job = self._job, None
        try:
            for job in jobs_of(run, self._intake):
                self._intake.add(job, cluster, run.numbered.raw)
        except ValueError as error:
            self._intake.skip(self._job_line, str(error))
            return False
        self._intake.read()
        return True

    def _step(self, text: str) -> None:
        """A step of the job above it."""
        if self._job is not None and text:
            run = self._job[0]
            used = megabytes(text) if not text[-1].isdecimal() else float(text) / 1024**2
            run.max_rss = max(run.max_rss or 0.0, used)

    def _run(self, own: _Own, alike: tuple[str, ...]) -> AccountedRun:
        ending = word_of(own.State)
        began = ending is not JobEnding.PENDING and own.Start not in NOT_STARTED and self._has_nodes(ending, own, alike)
        elapsed = float(own.ElapsedRaw) if own.ElapsedRaw.isdecimal() else None
        eligible = own.Eligible if "Eligible" in self._names else own.Submit
        moments = (own.Submit, eligible, own.Start if began else "", own.End)
        submit, eligible_at, begin, end = self._moments.settled(moments, elapsed)
        if submit is None:
            raise ValueError("it has no submit time")
        if begin is None and ending is JobEnding.RUNNING:
            raise ValueError("it runs, but has no start time")
        key = alike, began
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= MOST_ALIKE:
                self._known.clear()
            known = self._known[key] = self._kind(_Alike._make(alike), began)
        for remark in known.remarks:
            self._intake.remark(remark)
        return AccountedRun(
            numbered(own.JobID or own.JobIDRaw, own.JobIDRaw),
            own.JobName,
            known.partition,
            ending,
            submit,
            eligible_at,
            begin,
            end,
            known.shape,
            known.limit,
            elapsed,
            known.exclusive,
            known.got,
        )

    def _has_nodes(self, ending: JobEnding, own: _Own, alike: tuple[str, ...]) -> bool:
        """Whatever its start says: some Slurms write the moment at which it was cancelled."""
        names, row = self._names, _Alike._make(alike)
        if "AllocNodes" in names:
            return row.AllocNodes not in ("", "0")
        if "NodeList" in names:
            return own.NodeList not in NO_NODES
        if "AllocTRES" in names:
            return row.AllocTRES != ""
        return own.Start != own.End or ending not in (JobEnding.CANCELLED, JobEnding.DEADLINE)

    def _kind(self, row: _Alike, began: bool) -> _Kind:
        """What many rows have in common. Raises ValueError."""
        granted = tres(row.AllocTRES) if began else NO_TRES
        cpus_got = whole(row.AllocCPUS or "0") or granted.cpus if began else None
        nodes_got = whole(row.AllocNodes or row.NNodes or "0") or granted.nodes if began else None
        wanted, remarks = tres(row.ReqTRES), []
        cpus = wanted.cpus or (whole(row.ReqCPUS) if row.ReqCPUS else None)
        if not cpus:
            remarks.append(FROM_GOT)
            cpus = cpus_got or 1
        nodes = wanted.nodes or whole(row.ReqNodes or "0") or 1
        ram = wanted.ram
        if ram is None:
            ram = 0.0 if wanted is not NO_TRES else _total(row.ReqMem, nodes, cpus)
        more = {"nodes": (nodes_got or nodes) / nodes, "cpus": (cpus_got or cpus) / cpus}
        if granted.ram is not None and nobody_asked(ram, granted.ram, **more):
            remarks.append(NO_ONE_ASKED)
            ram = 0.0
        who = row.User, row.Account, row.QOS, row.Reservation
        asked = AskedFor(cpus, nodes, ram, wanted.gres, row.Constraints, row.Partition, *who, wanted.licences)
        partition = row.Partition.partition(",")[0]
        exclusive = WHOLE.get(row.Exclusive)
        if exclusive is None:
            exclusive = whole_nodes(row.SubmitLine, cpus, cpus_got)
        return _Kind(
            shape_of(asked),
            partition,
            limit_of(row.TimelimitRaw or row.Timelimit, in_minutes="TimelimitRaw" in self._names),
            True if partition in self._exclusive else exclusive,
            got(nodes_got, cpus_got, granted.ram) if began else None,
            tuple(remarks),
        )


def _total(text: str, nodes: int, cpus: int) -> float:
    """ReqMem, in MB: from Slurm 21.08 on of all nodes together, before of each node (`500Mn`) or CPU (`500Mc`)."""
    text = text.rstrip("?")
    if not text:
        return 0.0
    if text[-1] in "cn":
        return megabytes(text[:-1]) * (cpus if text[-1] == "c" else nodes)
    return megabytes(text)
