"""The example configurations are whole: each is loaded, without a warning, and a driver is made of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from arvnodeman.cloud.registry import make_driver
from arvnodeman.config import load

EXAMPLES = Path(__file__).resolve().parents[3] / "doc" / "examples"
NAMES = sorted(path.name for path in EXAMPLES.glob("*.cfg"))


@pytest.mark.parametrize("name", NAMES)
def test_an_example_is_a_whole_configuration(tmp_path: Path, name: str) -> None:
    """Nothing is asked over the network. The files that it names are put where it says."""
    for file in ("gce-key.json", "id_ed25519.pub", "id_rsa.pub", "user-data"):
        (tmp_path / file).write_text("ssh-rsa AAAA nobody\n" if file.endswith("pub") else "{}")
    text = (EXAMPLES / name).read_text(encoding="utf-8").replace("/etc/arvados-node-manager", str(tmp_path))
    (tmp_path / name).write_text(text, encoding="utf-8")
    settings = load(str(tmp_path / name))
    assert settings.warnings == ()
    assert settings.cloud.provider == Path(name).stem
    assert make_driver(settings) is not None
