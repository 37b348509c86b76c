"""Run tests on other Slurms than this machine's: `make proofs ARGS=slurms`. It needs Linux, root and debootstrap."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys

from arvnodeman.sandbox.slurm_root import SUITES, NotPossible, root_of, stand_ins, version_in

CHOSEN = tuple(
    f"tests/integration/test_slurm_{name}.py"
    for name in (
        "conformance",
        "newest",
        "columns",
        "declared",
        "real",
        "together",
        "alone",
        "ahead",
        "features",
        "fits",
        "cloud_hands",
        "cloud_names",
        "cloud_life",
        "cloud_daemon",
        "cloud_demo",
        "cloud_likeness",
        "cloud_troubles",
        "cloud_silence",
        "cloud_restart",
        "cloud_rows",
        "cloud_ahead",
    )
)
AT_ONCE = 5  # tests, which wait more than they work


def main() -> int:
    """Run the tests, or a command, on each of these Slurms; 0 when all went well."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--slurms", default=",".join(SUITES), help="versions of Slurm, with commas (default: all)")
    parser.add_argument("--run", action="store_true", help="the rest is a command to run, and not tests")
    parser.add_argument("rest", nargs="*", help="tests and options of pytest (default: a choice)")
    given = parser.parse_args()
    bad = []
    for version in given.slurms.split(","):
        try:
            if version not in SUITES:
                raise NotPossible(f"there is no Slurm {version} here, but {', '.join(SUITES)}")
            if os.geteuid() != 0:
                raise NotPossible("only root can make and enter another root")
            root = root_of(version)
            folder = stand_ins(root)
            print(f"== Slurm {(shown := version_in(folder))} (Debian {SUITES[version]})", flush=True)
            if shown != version:
                print(f"not {version}: {SUITES[version]} has moved on", flush=True)
        except NotPossible as why:
            print(f"Slurm {version}: {why}", file=sys.stderr)
            bad.append(version)
            continue
        tests = given.rest or list(CHOSEN)
        side_by_side = ("-n", str(AT_ONCE), "--dist", "loadfile")
        all_of_them = ("-m", "")  # those that `make test` leaves out, too
        argv = given.rest if given.run else [sys.executable, "-m", "pytest", "-q", *all_of_them, *side_by_side, *tests]
        path = f"{folder}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        environ = {**os.environ, "PATH": path, "TMPDIR": "/tmp", "SLURM_ROOT": str(root)}
        if subprocess.run(argv, env=environ, check=False).returncode:
            bad.append(version)
    print(f"== not good: {', '.join(bad)}" if bad else "== all good", flush=True)
    return 1 if bad else 0


if __name__ == "__main__":
    raise SystemExit(main())
