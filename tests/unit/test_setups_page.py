"""doc/setups.md: its files are complete, and fit each other."""

from __future__ import annotations

import re
from pathlib import Path

from arvnodeman.config import load
from arvnodeman.hostlist import hostlist

PAGE = (Path(__file__).resolve().parents[2] / "doc" / "setups.md").read_text(encoding="utf-8")


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)


def test_the_files_of_slurm_alone_fit_each_other(tmp_path: Path) -> None:
    path = tmp_path / "site.cfg"
    path.write_text(next(text for text in blocks("ini") if "[Arvados]" not in text))
    settings = load(str(path))
    assert settings.warnings == ()
    assert (settings.arvados.host, settings.daemon.job_name_pattern) == ("", "")
    assert not settings.arvados.jobs_queue
    assert not settings.daemon.cancel_unsatisfiable
    names = settings.daemon.node_names
    assert len(list(hostlist(names))) >= settings.daemon.max_nodes
    conf = next(text for text in blocks("") if "NodeName=" in text and names in text)
    assert f"NodeName={names}" in conf
    assert "State=UNKNOWN" in conf
    assert "SuspendProgram" not in conf


def test_links_of_the_page_lead_somewhere() -> None:
    folder = Path(__file__).resolve().parents[2] / "doc"
    for target in re.findall(r"\]\(([^)#]+)\)", PAGE):
        assert (folder / target).exists(), target
