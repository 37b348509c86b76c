"""The kinds of decisions that are worth a line of their own in the list that operators read."""

from __future__ import annotations

from enum import StrEnum


class Decided(StrEnum):
    """What a decision is about, for people who look for one kind of them."""

    BOOT = "boot"  # a node is to be booted
    CREATED = "created"  # the cloud has made it
    BOOT_STOPPED = "boot stopped"  # nobody needs the node any more
    BOOT_FAILED = "boot failed"  # the cloud refuses it, or the node never came up
    HELD_BACK = "held back"  # a limit stops boots
    QUOTA = "quota"  # a limit learnt from the cloud has changed
    REST = "rest"  # a size rests
    SHUTDOWN = "shutdown"  # a node is to go
    KEPT = "kept"  # a shutdown is taken back
    DESTROYED = "destroyed"  # the cloud has destroyed it
    GONE = "gone"  # it went without us
    CLEAN = "clean"  # a node record without a node gives its slot back
    CANCEL = "cancel"  # a job that can never run
    IN_VAIN = "in vain"  # Slurm did not use a node for the jobs that it was up for
    TRIED_AGAIN = "tried again"  # nodes for such jobs
    WORD = "word"  # an operator spoke
    DOUBT = "doubt"  # a list, or Slurm's word on many nodes, is not believed
    WOULD = "would"  # dry run: a command that was not given
