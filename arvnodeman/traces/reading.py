"""Reads a trace, of whichever kind: the front door."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from arvnodeman.journal.writer import files_of
from arvnodeman.traces.history_jobs import read_history
from arvnodeman.traces.jobcomp import BEGIN, JobComp
from arvnodeman.traces.journal_jobs import JournalJobs
from arvnodeman.traces.moments import Moments, NoZone, zone_of
from arvnodeman.traces.opening import SQLITE, TraceFile, opened
from arvnodeman.traces.sacct_json import SacctJson
from arvnodeman.traces.sacct_rows import Header
from arvnodeman.traces.sacct_text import HOW, SacctText
from arvnodeman.traces.swf import FIELDS, Swf
from arvnodeman.traces.trace import Intake, NoTrace, Trace, TraceKind, one_line

KINDS = "known are sacct --parsable2, sacct --json, jobcomp/filetxt, SWF, and the Node Manager's journal and history"
LINES_BEFORE = 20  # a header, such as warnings of sacct
_JOURNAL = re.compile(rb'\s*\{"journal":')
_SWF = re.compile(rf"\s*(?:-?[0-9][0-9.eE+-]*\s+){{{FIELDS - 1}}}-?[0-9][0-9.eE+-]*\s*")
_FOR_PEOPLE = re.compile(r"\s*JobID(Raw)?\s+[A-Za-z]+\s")
_ROW = re.compile(r"[0-9]+(?:[_+][0-9]+)?[|\x1f]")
_DISABLED = "Slurm accounting storage is disabled"


@dataclass(frozen=True, slots=True)
class TraceOptions:
    """What a trace does not tell by itself."""

    zone: str = ""  # of times that name none, by the tz database; '': this machine's
    exclusive_partitions: frozenset[str] = frozenset()  # whose jobs have their nodes to themselves
    processors: int | None = None  # of a node, for SWF; None: as its header says
    placed: bool = False  # Slurm placed jobs on nodes that were to be booted: a run may end before it has begun


AS_IT_SAYS = TraceOptions()


def read_trace(paths: Path | Sequence[Path], options: TraceOptions = AS_IT_SAYS) -> Trace:
    """The jobs of one trace, in one file or in several, such as one a month: each of any known kind, compressed or not.

    A job that several files list is one job. Jobs come in the order of their submit times, whatever the order of the
    file. A record that cannot be read is left out, counted, and of the first ten the place is told.

    Raises NoTrace, with one line for people: a file that is not there, of no kind that is known, empty, cut in the
    midst of a record, or of which more than one record in twenty cannot be read; and a zone that is none.
    """
    try:
        moments = Moments(zone_of(options.zone))
    except NoZone as error:
        raise NoTrace(str(error)) from None
    intake = Intake(placed=options.placed)
    kinds = [_Reading(intake, moments, options).read(path) for path in _listed(paths)]
    if moments.local:
        where = options.zone or "this machine's zone"
        intake.remark(f"times without a zone are taken as those of {where}")
    if moments.doubled:
        intake.remark("times in an hour that came twice, as clocks were set back: {}", moments.doubled)
    if moments.left_out:
        intake.remark("times in an hour that never was, as clocks were set forward: {}", moments.left_out)
    return intake.trace(kinds)


def _listed(paths: Path | Sequence[Path]) -> list[Path]:
    listed = [paths] if isinstance(paths, Path) else list(paths)
    if not listed:
        raise NoTrace("no trace is named")
    return listed


class _Reading:
    """Reads one file."""

    def __init__(self, intake: Intake, moments: Moments, options: TraceOptions) -> None:
        self._intake, self._moments, self._options = intake, moments, options

    def read(self, path: Path) -> TraceKind:
        """Its kind. Raises NoTrace."""
        intake = self._intake
        if path.is_dir():
            files = files_of(path)
            if not files:
                raise NoTrace(f"{path}: it is a folder without a journal")
            return self._journal(path, files)
        with opened(path) as source:
            if source.head.startswith(SQLITE):
                intake.begin(path, "row")
                read_history(path, intake)
                intake.end()
                return TraceKind.HISTORY
            if _JOURNAL.match(source.head):
                return self._journal(path, [path])
            if source.head.lstrip()[:1] == b"{":
                intake.begin(path, "job")
                SacctJson(intake, self._options.exclusive_partitions).read(source.chunks())
                intake.end()
                return TraceKind.SACCT_JSON
            intake.begin(path)
            return self._text(path, source)

    def _journal(self, path: Path, files: Sequence[Path]) -> TraceKind:
        self._intake.begin(path, "event")
        JournalJobs(self._intake).read(files)
        self._intake.end()
        return TraceKind.JOURNAL

    def _text(self, path: Path, source: TraceFile) -> TraceKind:
        """Lines of one kind or the other: the first character that is not blank decides."""
        lines = source.lines()
        exclusive = self._options.exclusive_partitions
        before: list[tuple[int, str]] = []
        for number, line in lines:
            if line.startswith(";") or _SWF.fullmatch(line):
                good = Swf(self._intake, self._options.processors).read(chain([(number, line)], lines))
                return self._ended(path, source, TraceKind.SWF, good)
            if BEGIN.match(line):
                again = chain([(number, line)], lines)
                good = JobComp(self._intake, self._moments, exclusive).read(again)
                return self._ended(path, source, TraceKind.JOBCOMP, good)
            if (header := _header(line)) is not None:
                good = SacctText(self._intake, self._moments, exclusive).read(lines, header)
                return self._ended(path, source, TraceKind.SACCT_TEXT, good)
            before.append((number, line))
            if len(before) >= LINES_BEFORE or not _may_come_before(line):
                break
        raise NoTrace(_no_kind(path, before))

    def _ended(self, path: Path, source: TraceFile, kind: TraceKind, good: bool) -> TraceKind:
        if not source.is_whole:
            if not good:
                raise NoTrace(f"{path}: it is cut in the midst of its last line")
            self._intake.remark(f"{path}: its last line has no end: it may be cut")
        self._intake.end()
        return kind


def _header(line: str) -> Header | None:
    try:
        header = Header(line)
    except ValueError:
        return None
    return None if not header.delimiter.strip(" ") else header


def _may_come_before(line: str) -> bool:
    """A blank line, or what sacct complains of."""
    return not line.strip() or line.startswith(("sacct:", "slurm", "Slurm"))


def _no_kind(path: Path, lines: Sequence[tuple[int, str]]) -> str:
    text = next((line for _, line in lines if line.strip()), "")
    if not text:
        return f"{path}: it is empty"
    if any(_DISABLED in line for _, line in lines):
        return f"{path}: sacct found nothing: {_DISABLED}"
    if _FOR_PEOPLE.match(text):
        return f"{path}: it is sacct's table for people: export it with {HOW}"
    if _ROW.match(text):
        return f"{path}: its header is missing: export it without --noheader, with {HOW}"
    return f"{path}: it is not a trace: {KINDS}; it begins with {one_line(text[:40])!r}"
