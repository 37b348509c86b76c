"""What the demo shows: a live table on a terminal, else one line for each thing that happens."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any, Protocol, TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

_RECENT = 8  # lines below the table
_SENTENCES = {
    "node-created": "node {subject} is created: {text}",
    "first-ping": "node {subject} pings for the first time, its name is {text}",
    "slurmd-started": "node {subject} joins Slurm as {text}",
    "node-destroyed": "node {subject} is destroyed",
    "node-vanished": "node {subject} vanishes ({text})",
    "node-halted": "node {subject} halts itself ({text})",
    "job-started": "job {subject} starts on {text}",
    "job-completed": "job {subject} is done",
    "job-requeued": "job {subject} is lost with its node and queued again ({text})",
    "job-cancelled": "job {subject} is cancelled",
    "quota-refused": "the cloud refuses a node: quota",
    "busy-node-destroyed": "node {subject} is destroyed although {text}",
    "fault": "fault {text} strikes {subject}",
}
_STYLES = {"idle": "green", "alloc": "bold cyan", "comp": "cyan", "drng": "yellow", "drain": "yellow"}


class Screen(Protocol):
    """Where the demo shows what happens."""

    def show(self, state: Mapping[str, Any], events: Iterable[Mapping[str, Any]]) -> None:
        """A new look at the site (with its list of nodes), and what has happened since the last one."""

    def close(self) -> None:
        """Nothing more will be shown."""


def sentence(event: Mapping[str, Any], start: float) -> str:
    """What happened, in words, with real seconds since the start; empty for what is not told."""
    form = _SENTENCES.get(str(event["kind"]), "")
    if not form:
        return ""
    return f"{event['at'] - start:6.1f} s  " + form.format(subject=event["subject"], text=event["text"])


class PlainScreen:
    """One line for each thing that happens, and the counts each ten seconds."""

    def __init__(self, out: TextIO, start: float) -> None:
        self._out = out
        self._start = start
        self._counted = start

    def show(self, state: Mapping[str, Any], events: Iterable[Mapping[str, Any]]) -> None:
        """Write the lines."""
        for event in events:
            text = sentence(event, self._start)
            if text:
                self._out.write(text + "\n")
        if state["at"] - self._counted >= 10:
            self._counted = state["at"]
            self._out.write(f"{state['at'] - self._start:6.1f} s  {counts(state)}\n")
        self._out.flush()

    def close(self) -> None:
        """Nothing to do."""


class LiveScreen:
    """A table of the nodes, the queue, a progress bar of the jobs, and the newest events."""

    def __init__(self, out: TextIO, start: float, jobs: int) -> None:
        self._start = start
        self._jobs = jobs  # or more, where they go on coming
        self._console = Console(file=out)
        self._recent: deque[str] = deque(maxlen=_RECENT)
        self._progress = Progress(
            TextColumn("jobs done"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=self._console
        )
        self._task = self._progress.add_task("jobs", total=jobs)
        self._live = Live(console=self._console, auto_refresh=False, transient=True)
        self._live.start()

    def show(self, state: Mapping[str, Any], events: Iterable[Mapping[str, Any]]) -> None:
        """Draw it again."""
        self._recent.extend(filter(None, (sentence(event, self._start) for event in events)))
        done = state["jobs"].get("completed", 0) + state["jobs"].get("cancelled", 0)
        self._progress.update(self._task, completed=done, total=max(self._jobs, sum(state["jobs"].values())))
        rows = max(3, self._console.height - _RECENT - 8)
        parts = (self._table(state, rows), Text(counts(state)), self._progress, Text("\n".join(self._recent), "dim"))
        self._live.update(Group(*parts), refresh=True)

    def close(self) -> None:
        """Clear the screen of it."""
        self._live.stop()

    @staticmethod
    def _table(state: Mapping[str, Any], rows: int) -> Table:
        table = Table(expand=False, title="nodes", title_justify="left")
        for column in ("node", "host", "size", "cloud", "Slurm", "age", "job"):
            table.add_column(column, no_wrap=True)
        nodes = state["node_list"]
        for node in nodes[:rows]:
            slurm = node["slurm"] if node["pinged"] else ""
            table.add_row(
                node["id"],
                node["hostname"],
                node["size"],
                "halted" if node["halted"] else node["state"],
                Text(slurm, _STYLES.get(slurm.rstrip("*"), "")),
                f"{state['at'] - node['created']:.0f} s",
                node["job"],
            )
        if len(nodes) > rows:
            table.add_row(f"… {len(nodes) - rows} more", "", "", "", "", "", "")
        return table


def counts(state: Mapping[str, Any]) -> str:
    """Queue, nodes and cost in one line."""
    jobs, nodes = state["jobs"], state["cloud"]["nodes"]
    told = {"waiting": jobs.get("pending", 0), "running": jobs.get("running", 0), "done": jobs.get("completed", 0)}
    queue = ", ".join(f"{number} {word}" for word, number in told.items())
    alive = nodes.get("pending", 0) + nodes.get("running", 0)
    return f"jobs: {queue}, {jobs.get('coming', 0)} to come; nodes: {alive}; simulated cost: ${state['cost']:.2f}"
