"""The command `arvados-node-manager`, also as `python -m arvnodeman`: what comes before the front door, cli.py."""

import sys


def main() -> int:
    """Run it with the arguments of this process; the exit code. Signals to the daemon are seen to before anything else
    is imported, which takes a second or more. Other commands end by a signal as any program does."""
    if not sys.argv[1:] or sys.argv[1].startswith("-"):
        from arvnodeman.supervision import first_signals

        first_signals.obey()
    from arvnodeman import cli

    return cli.main()


if __name__ == "__main__":
    sys.exit(main())
