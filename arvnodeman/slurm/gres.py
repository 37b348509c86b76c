"""What a job asks for of GRES, as squeue writes it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from arvnodeman.fleet.values.gres import NoGres, read_item

_NO_GRES = ("cpu", "mem", "node", "billing", "energy", "pages", "vmem")  # other things that Slurm counts
_PREFIX = re.compile(r"gres[:/]", re.IGNORECASE)
NONE = ("", "N/A", "(null)", "none")  # how Slurm writes that nothing is asked for


def asked(text: str, times: Callable[[int], int] = lambda count: count) -> dict[str, int]:
    """What a job asks for, as squeue writes it: `gres:gpu:tesla:2,gres:license:1`, `gres/gpu:1`, `gpu:1`, `N/A`.

    times: from a count to that of each node. Things that are no GRES (`cpu=2`, as newer Slurms list them, too) and
    counts of 0 are left out. Raises NoGres.
    """
    if text in NONE:
        return {}
    wanted: dict[str, int] = {}
    for item in text.split(","):
        bare = _PREFIX.sub("", item, count=1)
        read = read_item(bare)
        if read is None:
            raise NoGres([f"not a GRES: {item[:80]!r}"])
        name, number = read
        if number and not (bare == item and name.partition(":")[0].lower() in _NO_GRES):
            wanted[name] = wanted.get(name, 0) + times(number)
    return wanted


def with_each(text: str, wanted: Mapping[str, int]) -> int:
    """What comes with the GRES that are wanted, as squeue writes it for one of them: `gpu:4`. Raises NoGres."""
    most = 0
    for name, each in asked(text).items():
        most = max(most, each * sum(wanted[of] for of in wanted if of == name or of.startswith(f"{name}:")))
    return most
