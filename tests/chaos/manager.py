"""`python -m chaos.manager`: the real daemon, with a point at which it stops or dies, and with a clock of its own."""

from __future__ import annotations

import argparse
import sys
import time

from arvnodeman.supervision import first_signals


def set_clock(offset: float, jump: float, after: float) -> None:
    """This process' time of day is fast by `offset` seconds; `after` so many it jumps by `jump` more. Its steady clocks
    go on as they are, as on a host whose clock somebody sets."""
    real, begin = time.time, time.monotonic()

    def shown() -> float:
        return real() + offset + (jump if time.monotonic() - begin > after else 0.0)

    time.time = shown


class StampedGeneration(int):
    """A generation that tells, wherever it is sent along, when the fence let the request through: 7@12.5, in seconds of
    the fence's clock, which is one for all processes of a machine."""

    at: float

    def __str__(self) -> str:
        return f"{int(self)}@{self.at!r}"


def stamp_generations() -> None:
    """From now on each request tells it."""
    from arvnodeman.fence.fence import Fence, steady

    check = Fence.check

    def stamped(self: Fence, seconds: float = 0.0) -> int:
        found = StampedGeneration(check(self, seconds))
        found.at = steady()
        return found

    Fence.check = stamped  # type: ignore[method-assign]


def main() -> int:
    """The daemon's exit code. What is large is read once signals are seen to, as the program itself does it."""
    first_signals.obey()
    from chaos.points import Deed, arm

    parser = argparse.ArgumentParser(prog="python -m chaos.manager", description=__doc__)
    parser.add_argument("--config", required=True)
    parser.add_argument("--point", default="")
    parser.add_argument("--nth", type=int, default=1)
    parser.add_argument("--deed", type=Deed, choices=list(Deed), default=Deed.STOP)
    parser.add_argument("--records", default="arvados")
    parser.add_argument("--clock", type=float, nargs=3, default=(0.0, 0.0, 0.0), metavar="SECONDS")
    given = parser.parse_args()
    if any(given.clock):  # before anything of the daemon has taken the real one for its own
        set_clock(*given.clock)
    from arvnodeman.launcher import main as launch

    stamp_generations()
    if given.point:
        arm(given.point, given.nth, given.records, given.deed)
    return launch(given.config, foreground=True)


if __name__ == "__main__":
    sys.exit(main())
