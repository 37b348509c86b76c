"""`make proofs ARGS=mutants`: changes the brain in one small thing at a time, and tells how many its tests notice.

    python tests/mutants.py "arvnodeman.fleet.plan.*" --sample 200

Without a sample all that the patterns name are tried. The score is the part of those tried that is noticed; those that
are not are shown, as differences of the source.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

MUTANTS = Path("mutants")
NOBODY = "there.is.no.such.mutant"
KILLED, SURVIVED, UNTRIED, UNTESTED = "killed", "survived", "not tried", "no test comes to it"
OUTCOMES = {None: UNTRIED, 0: SURVIVED, 1: KILLED, 3: KILLED, 5: UNTESTED, 33: UNTESTED}  # by pytest's exit code
TIMED_OUT = "timed out"  # any other: noticed, too


def outcomes() -> dict[str, str]:
    """What is known of each mutant, by name."""
    found = {}
    for path in MUTANTS.rglob("*.meta"):
        codes = json.loads(path.read_text())["exit_code_by_key"]
        found.update({name: OUTCOMES.get(code, TIMED_OUT) for name, code in codes.items()})
    return found


def mutmut(*arguments: str) -> str:
    """Run it; what it writes. Its exit code says nothing that is wanted here."""
    command = [str(Path(sys.executable).with_name("mutmut")), *arguments]
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False).stdout


def chosen(names: Sequence[str], patterns: Sequence[str], sample: int, seed: int) -> list[str]:
    """Those that a pattern matches, or so many of them."""
    matching = sorted(name for name in names if any(fnmatch.fnmatch(name, pattern) for pattern in patterns))
    if not sample or sample >= len(matching):
        return matching
    return sorted(random.Random(seed).sample(matching, sample))


def main(arguments: Sequence[str] | None = None) -> int:
    """Try them, and tell the score."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("patterns", nargs="*", default=["arvnodeman.fleet.*"])
    parser.add_argument("--sample", type=int, default=0, help="so many of them, at random (default: all)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--children", type=int, default=1, help="processes that try")
    given = parser.parse_args(arguments)
    made = mutmut("run", "--max-children", "1", NOBODY)  # makes the mutants, and finds which tests come to which
    names = chosen(list(outcomes()), given.patterns, given.sample, given.seed)
    if not names:
        print(f"{made}\nno mutants are called {' '.join(given.patterns)}")
        return 2
    print(f"{len(names)} mutants are tried", flush=True)
    said = mutmut("run", "--max-children", str(given.children), *names)
    results = outcomes()
    counts = Counter(results[name] for name in names)
    if counts[UNTRIED] == len(names):
        print(said)
        return 2
    for name in names:
        if results[name] in (SURVIVED, UNTESTED):
            print(f"\n{name}: {results[name]}\n{mutmut('show', name)}", flush=True)
    noticed = counts[KILLED] + counts[TIMED_OUT]
    print(", ".join(f"{count} {outcome}" for outcome, count in counts.most_common()))
    print(f"score: {100 * noticed / (len(names) - counts[UNTRIED]):.1f} %")
    return 0


if __name__ == "__main__":
    sys.exit(main())
