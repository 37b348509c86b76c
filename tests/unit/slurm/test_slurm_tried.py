"""A Slurm that nobody has tried is named."""

from __future__ import annotations

import pytest

from arvnodeman.slurm.tried import remark_on, version_of


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("slurm-wlm 22.05.8\n", ""),
        ("slurm 23.11.4-Bull.1.0\n", ""),
        ("slurm-wlm 26.05.5\n", ""),
        ("slurm-wlm 20.11.4\n", "Slurm 20.11 is older than those that this program was tried with: 22.05 to 26.05"),
        ("slurm 26.11.0-0rc1\n", "Slurm 26.11 is newer than those that this program was tried with: 22.05 to 26.05"),
        ("who knows\n", "does not say which version it is, but 'who knows'"),
        ("", "does not say which version"),
    ],
)
def test_a_version_outside_those_that_were_tried_is_a_line(said: str, words: str) -> None:
    remark = remark_on(said)
    assert words in remark if words else remark == ""
    assert "\n" not in remark


def test_versions_are_read() -> None:
    assert version_of("slurm-wlm 24.11.5") == (24, 11)
    assert version_of("munge 0.5") is None
