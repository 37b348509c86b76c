"""The sizes that the sandbox cloud sells."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Size:
    """One size. RAM in MB, disk in GB, price in $/hour, boot in simulated seconds from create to the first ping."""

    id: str
    cores: int
    ram: int
    disk: int
    price: float
    boot: float = 60.0
    bandwidth: int = 1000
    gres: str = ""  # GPUs and the like, as Slurm writes it: gpu:tesla:2
    partitions: str = ""  # of Slurm, that the daemon is told to keep it for

    @property
    def name(self) -> str:
        """How the cloud shows it to people."""
        return f"Sandbox {self.id}"


SIZES: tuple[Size, ...] = (
    Size("small", cores=2, ram=4000, disk=50, price=0.05, boot=50),
    Size("medium", cores=4, ram=8000, disk=100, price=0.10, boot=60),
    Size("large", cores=8, ram=16000, disk=200, price=0.20, boot=70),
    Size("himem", cores=4, ram=32000, disk=100, price=0.28, boot=80),
    Size("xlarge", cores=16, ram=32000, disk=400, price=0.40, boot=90),
)
