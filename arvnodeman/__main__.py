"""The command `arvados-node-manager`, also as `python -m arvnodeman`: what comes before the front door, cli.py."""

import sys

INTERRUPTED = 130  # as shells have it for a program that SIGINT has ended


def main() -> int:
    """Run it with the arguments of this process; the exit code. Signals to the daemon are seen to before anything else
    is imported, which takes a second or more. Ctrl-C ends a command that does not see to it with 130, and says nothing.
    """
    if not sys.argv[1:] or sys.argv[1].startswith("-"):
        from arvnodeman.supervision import first_signals

        first_signals.obey()
    try:
        from arvnodeman import cli

        return cli.main()
    except KeyboardInterrupt:
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
