"""Which slurmctld acts, by what Slurm's versions print."""

from __future__ import annotations

import pytest

from arvnodeman.leader.acting_controller import Controllers, controllers_in, is_this_host

BOTH = """\
Configuration data as of 2026-11-30T16:31:48
BOOT_TIME               = 2026-11-30T16:28:51
SlurmctldHost[0]        = ctla(127.0.0.1)
SlurmctldHost[1]        = ctlb(127.0.0.2)

Slurmctld(primary) at ctla is UP
Slurmctld(backup) at ctlb is UP
"""
BACKUP_ACTS = BOTH.replace("ctla is UP", "ctla is DOWN")
NONE = """\
Slurmctld(primary) at ctla is DOWN
Slurmctld(backup) at ctlb is DOWN
*****************************************
** RESTORE SLURMCTLD DAEMON TO SERVICE **
*****************************************
"""
THREE = """\
Slurmctld(primary) at head1 is DOWN
Slurmctld(backup1) at head2.example.com is UP
Slurmctld(backup2) at head3 is UP
"""


@pytest.mark.parametrize(
    ("text", "acting"),
    [(BOTH, "ctla"), (BACKUP_ACTS, "ctlb"), (NONE, None), (THREE, "head2.example.com")],
)
def test_the_first_that_is_up_acts(text: str, acting: str | None) -> None:
    found = controllers_in(text)
    assert found is not None
    assert found.acting == acting


def test_what_says_nothing_of_slurmctld_is_told_apart() -> None:
    assert controllers_in("") is None
    assert controllers_in("SlurmctldHost[0] = ctla(127.0.0.1)\n") is None
    assert controllers_in("Slurmctld(primary) at ctla is UP") == Controllers((("ctla", True),))


@pytest.mark.parametrize(
    ("name", "called", "same"),
    [
        ("head1", "head1", True),
        ("head1", "head1.example.com", True),
        ("head1.example.com", "head1.example.com", True),
        ("head1.example.com", "head1", False),
        ("HEAD1", "head1", False),
        ("head1", "head10", False),
        ("localhost", "head1", True),
    ],
)
def test_a_host_is_named_as_slurmctld_has_it(name: str, called: str, same: bool) -> None:
    assert is_this_host(name, called) is same
