"""What the Fleet says, word for word: the log, loggers and decisions that operators read and filter by, the steps
that the hands get, and the account at the end.

Each scene is compared with the file of its name in transcripts/. After a change that is meant,
`TRANSCRIPTS=write make test TESTS=tests/unit/fleet/test_fleet_transcripts.py` writes them anew, to be read before they
are committed; that run fails.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from scenes_of_boots import SCENES as BOOTS
from scenes_of_ends import SCENES as ENDS
from scenes_of_lists import SCENES as LISTS
from transcript import Written

FOLDER = Path(__file__).parent / "transcripts"


@pytest.mark.parametrize("scene", [*BOOTS, *ENDS, *LISTS], ids=lambda scene: scene.__name__)
def test_what_is_said_word_for_word(scene: Callable[[], Written]) -> None:
    world = scene()
    world.poll_cloud()  # whose view the account is of
    said = [*world.lines, "", *world.account()]
    file = FOLDER / f"{scene.__name__}.txt"
    if os.environ.get("TRANSCRIPTS") == "write":
        file.write_text("".join(f"{line}\n" for line in said))
        pytest.fail("written, not compared")
    assert said == file.read_text().splitlines()


def test_every_transcript_is_of_a_scene() -> None:
    assert {file.stem for file in FOLDER.iterdir()} == {scene.__name__ for scene in (*BOOTS, *ENDS, *LISTS)}
