"""The file of jobcomp/filetxt: a line for each run that has ended. Nothing in it is escaped.

Slurms before 24.11 cut a record at 1,023 bytes, and with it the end of its line: the next one follows there.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from arvnodeman.traces.asked import AskedFor, limit_of, shape_of, tres, whole_nodes
from arvnodeman.traces.job import JobEnding
from arvnodeman.traces.moments import Moments
from arvnodeman.traces.numbers import numbered
from arvnodeman.traces.runs import AccountedRun, got, jobs_of, word_of
from arvnodeman.traces.trace import Intake

BEGIN = re.compile(r"JobId=[0-9]+ UserId=")
LONGEST = 16_384  # characters of a record
CUT = 1_023  # bytes, by Slurms before 24.11
LIMITS = "jobcomp names no features, no steps, and no job that still waits or runs"
_END = re.compile(r" ExitCode=[0-9]+:[0-9]+ ?$")
_RECORD = re.compile(
    r"JobId=(?P<number>[0-9]{1,10}) UserId=(?P<user>.*?)\([0-9]*\) GroupId=.*?\([0-9]*\) Name=(?P<name>.*)"
    r" JobState=(?P<state>\S+) Partition=(?P<partition>\S*) TimeLimit=(?P<limit>\S+) StartTime=(?P<start>\S+)"
    r" EndTime=(?P<end>\S+) NodeList=\S* NodeCnt=(?P<nodes>[0-9]{1,9}) ProcCnt=(?P<cpus>[0-9]{1,9}) WorkDir=.*"
    r" ReservationName=(?P<reservation>\S*) Tres=(?P<tres>\S*) Account=(?P<account>\S*) QOS=(?P<qos>\S*) WcKey=\S*"
    r" Cluster=(?P<cluster>\S*) SubmitTime=(?P<submit>\S+) EligibleTime=(?P<eligible>\S+)(?P<marks>.*?)"
    r" DerivedExitCode=\S* ExitCode=\S* ?",
    re.DOTALL,
)
_ARRAY = re.compile(r"\bArrayJobId=([0-9]{1,10}) ArrayTaskId=([0-9]{1,10})")
_HET = re.compile(r"\bHetJobId=([0-9]{1,10}) HetJobOffset=([0-9]{1,10})")


class JobComp:
    """Reads one file."""

    def __init__(self, intake: Intake, moments: Moments, exclusive: Collection[str] = ()) -> None:
        """`exclusive`: partitions whose jobs have their nodes to themselves."""
        self._intake, self._moments, self._exclusive = intake, moments, exclusive
        intake.remark(LIMITS)

    def read(self, lines: Iterator[tuple[int, str]]) -> bool:
        """All records. Is the last one good?"""
        good = True
        for line, text in _records(lines):
            good = self._take(line, text)
        return good

    def _take(self, line: int, text: str) -> bool:
        """The records that begin in one line. Is the last one good?"""
        while True:
            bare = text.encode("utf-8", "surrogateescape")
            if len(bare) > CUT and BEGIN.match(rest := bare[CUT:].decode("utf-8", "surrogateescape")):
                self._intake.skip(line, f"the record is cut at {CUT:,} bytes, and the next one follows in its line")
            else:
                match = _RECORD.fullmatch(text) if len(text) <= LONGEST else None
                if match is not None:
                    return self._read(line, match)
                self._intake.skip(line, "the record is cut" if BEGIN.match(text) else "not a record of jobcomp")
                again = BEGIN.search(text, 1)
                if again is None:
                    return False
                rest = text[again.start() :]
            text = rest

    def _read(self, line: int, match: re.Match[str]) -> bool:
        try:
            run = self._run(match)
            for job in jobs_of(run, self._intake):
                self._intake.add(job, match["cluster"], run.numbered.raw)
        except ValueError as error:
            self._intake.skip(line, str(error))
            return False
        self._intake.read()
        return True

    def _run(self, match: re.Match[str]) -> AccountedRun:
        ending = word_of(match["state"])
        if ending is JobEnding.PENDING:  # a record is of a run that has ended: this one was sent back to the queue
            ending = JobEnding.REQUEUED
        nodes, cpus = int(match["nodes"]), int(match["cpus"])
        moments = (match["submit"], match["eligible"], match["start"] if nodes else "", match["end"])
        submit, eligible, begin, end = self._moments.settled(moments)
        if submit is None:
            raise ValueError("it has no submit time")
        asked = tres(match["tres"])
        number = raw = match["number"]
        if array := _ARRAY.search(match["marks"]):
            number = f"{array[1]}_{array[2]}"
        elif het := _HET.search(match["marks"]):
            number = f"{het[1]}+{het[2]}"
        partitions = match["partition"]
        wanted = AskedFor(
            asked.cpus or cpus or 1,
            asked.nodes or 1,
            asked.ram or 0.0,
            asked.gres,
            "",
            partitions,
            match["user"],
            match["account"],
            match["qos"],
            match["reservation"],
            asked.licences,
        )
        partition = partitions.partition(",")[0]
        return AccountedRun(
            numbered(number, raw),
            match["name"],
            partition,
            ending,
            submit,
            eligible,
            begin,
            end,
            shape_of(wanted),
            limit_of(match["limit"], in_minutes=True),
            None,
            True
            if partitions in self._exclusive
            else whole_nodes("", wanted.cpus, cpus if begin is not None else None),
            got(nodes, cpus, None) if begin is not None else None,
        )


def _records(lines: Iterator[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """Each with the number of its first line: a name may have line breaks."""
    parts: list[str] = []
    first = length = 0
    for number, line in lines:
        if parts and BEGIN.match(line):
            yield first, "\n".join(parts)
            parts, length = [], 0
        if not parts:
            if not line.strip():
                continue
            first = number
        length += len(line) + 1
        if length <= LONGEST + 1:
            parts.append(line)
        if _END.search(line):
            yield first, "\n".join(parts)
            parts, length = [], 0
    if parts:
        yield first, "\n".join(parts)
