"""How a demo has come out: what the site, Slurm and the cloud say of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from arvnodeman.sandbox.real_slurm import ended_jobs

_LOG_TAIL = 20  # lines of the daemon's log that are shown when it fails


def sum_up_cloud(provider: str, account: Mapping[str, Any], out: TextIO) -> int:
    """Print what EC2 or OpenStack has done, by its own records; returns the exit code."""
    if provider == "ec2":
        kinds, words = Counter(each["type"] for each in account["instances"]), ("EC2:", "instances", "terminated")
    else:
        kinds, words = Counter(account["flavors"]), (f"nova {account['nova']}:", "servers", "deleted")
    made = ", ".join(f"{number} {kind}" for kind, number in sorted(kinds.items()))
    name, things, over = words
    out.write(f"{name:<14} {account['made']} {things} ({made}), {account['live']} of them not {over}\n")
    return 1 if account["live"] else 0


def completed_runs(slurm_folder: Path) -> Counter[str]:
    """How often Slurm's own account says COMPLETED of each job, by name."""
    completed = [job for job in ended_jobs(slurm_folder) if job.get("JobState") == "COMPLETED"]
    tasks = [job.get("ArrayTaskId", "") for job in completed]
    return Counter(
        f"{job['Name']}_{task}" if task.isdigit() else job["Name"] for job, task in zip(completed, tasks, strict=True)
    )


def sum_up(
    verdict: Mapping[str, Any],
    state: Mapping[str, Any],
    ended: object,
    out: TextIO,
    log_path: Path,
    runs: Counter[str] | None,
    *,
    places: bool = False,
) -> int:
    """Say how it came out; the exit code. `runs`: of each job, as a real Slurm counts them. `places`: it places jobs on
    names that are off."""
    mean, longest = verdict["mean_wait"], verdict["longest_wait"]
    lines = [
        f"jobs run:      {verdict['ran_once']} of {verdict['jobs']}",
        f"nodes booted:  {verdict['nodes_booted']}, at most {verdict['most_at_once']} at once",
        f"cost:          ${verdict['cost']:.2f} for {state['elapsed'] / 60:.0f} minutes of simulated time",
        f"wait of a job: {mean:.0f} s on average, {longest:.0f} s at the longest (simulated)",
    ]
    struck = state["faults"]["struck"]
    if struck:
        lines.append("faults:        " + ", ".join(f"{name} ({times})" for name, times in sorted(struck.items())))
    if verdict["requeues"]:
        requeues = ", ".join(f"{cause} ({times})" for cause, times in sorted(verdict["requeues"].items()))
        lines.append(f"run again:     jobs that were lost with their node: {requeues}")
    bad = {
        "lost": verdict["lost"],
        "run twice": verdict["ran_again"],
        "unfinished": verdict["unfinished"],
        "cancelled": ["jobs"] * verdict["cancelled"],
        "nodes left": verdict["nodes_left"],
        "slots left": verdict["slots_left"],
        "names not off": verdict["names_left"],
        "held": verdict["held"],
        "busy nodes destroyed": verdict["busy_destroyed"],
        "jobs disturbed by the daemon": ["jobs"] * verdict["disturbed"],
    }
    if runs is not None:
        once = sum(times == 1 for times in runs.values())
        lines.append(f"Slurm's word:  {once} of {verdict['jobs']} jobs COMPLETED once")
        bad["not COMPLETED once, says Slurm"] = ["jobs"] * max(verdict["jobs"] - once, len(runs) - once)
    wrong = {word: len(items) for word, items in bad.items() if items}
    lines += [f"{word + ':':<14} {number}" for word, number in wrong.items()]
    if ended is not None:
        lines.append(f"It went wrong: {ended}.")
        lines += _tail(log_path)
    elif not wrong:
        names = " Every name is off, and free." if places else ""
        lines.append(f"Every job has run exactly once, no node and no slot is left.{names}")
    out.write("\n".join(lines) + "\n")
    out.flush()
    return 1 if wrong or ended is not None else 0


def _tail(path: Path) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return ["The end of the daemon's log:", *text.splitlines()[-_LOG_TAIL:]]
