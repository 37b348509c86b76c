"""A bench or a proof that is ended leaves no daemon behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

TESTS = Path(__file__).resolve().parents[2]
BOUND = 60.0  # seconds
PROGRAM = """
import subprocess, sys
from ending import end_with_all_that_was_started
end_with_all_that_was_started()
started = subprocess.Popen(["sleep", "600"], start_new_session=True)
print(started.pid, flush=True)
started.wait()
"""


def test_what_leads_a_group_of_its_own_ends_with_it() -> None:
    environ = {**os.environ, "PYTHONPATH": str(TESTS)}
    with subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True, env=environ) as program:
        assert program.stdout is not None
        started = int(program.stdout.readline())
        program.terminate()
        assert program.wait(BOUND) == 128 + signal.SIGTERM
    end = time.monotonic() + BOUND
    while _runs(started):
        assert time.monotonic() < end
        time.sleep(0.05)


def _runs(pid: int) -> bool:
    """Not yet over, or nobody has asked how it ended: then it is a zombie."""
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
