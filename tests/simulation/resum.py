"""Writes the checksums of recorded histories anew, after a change that wants other steps: the events stay.

    PYTHONPATH=tests python -m simulation.resum PATH ...

PATH is a file of a history or its folder. A history that this build does not wholly understand is left alone. A
difference that is to be remembered is named in doc/rooms/journal.md instead.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from arvnodeman.fleet.messages import Command
from arvnodeman.journal.codec import Codec
from arvnodeman.journal.reader import Told
from arvnodeman.journal.records import checksum, line
from simulation.before_marks import ReplayBeforeMarks


def files_at(path: Path) -> list[Path]:
    """The files of one history, in order."""
    return sorted(path.glob("*.jsonl.gz")) if path.is_dir() else [path]


def resum(paths: Sequence[Path]) -> int:
    """Write the checksums of one history's files anew; how many have changed. Raises ValueError."""
    answered: list[list[int]] = []
    bare = Codec(bare=True)

    def hear(_told: Told, commands: Sequence[Command]) -> None:
        answered.append(checksum(bare, commands))

    outcome = ReplayBeforeMarks(hear).play(paths)
    if outcome.passed_over:
        raise ValueError(f"it is not understood: {dict(outcome.passed_over)}")
    remaining, changed = iter(answered), 0
    for path in paths:
        lines = []
        for text in gzip.decompress(path.read_bytes()).decode().splitlines():
            plain: dict[str, Any] = json.loads(text)
            if "e" in plain:
                steps = next(remaining)
                changed += plain.pop("s", []) != steps
                plain |= {"s": steps} if steps else {}
            lines.append(line(plain))
        path.write_bytes(gzip.compress("".join(lines).encode(), mtime=0))
    return changed


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m simulation.resum", description=__doc__)
    parser.add_argument("paths", metavar="PATH", nargs="+", type=Path)
    for path in parser.parse_args().paths:
        sys.stdout.write(f"{path}: {resum(files_at(path))} checksums changed\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
