"""The brain knows no word of Slurm's: neither a state or a flag, nor a reason, a limit or a command, in what is code.

Docstrings and comments may name them. Texts for people stay, since operators have them in logs and dashboards: STAYS
lists them, and says what each of them is.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from arvnodeman.slurm.job_reasons import ALWAYS_SAID, WAITS_FOR_NODES
from arvnodeman.slurm.words import WORDS

FLEET = Path(__file__).resolve().parents[2] / "arvnodeman" / "fleet"
COMMANDS = {"sinfo", "squeue", "scontrol", "scancel", "sacct", "sacctmgr", "sbatch", "srun", "salloc", "scrontab"}
COMMANDS |= {"slurmctld", "slurmd", "slurmdbd", "assoc_mgr"}
LONG_STATES = {"allocated", "mixed", "completing", "drained", "draining", "failing", "future", "maintenance", "planned"}
LONG_STATES |= {"reserved", "unknown", "power_down", "powered_down", "powering_down", "powering_up", "reboot_issued"}
LONG_STATES |= {"reboot_requested", "not_responding", "dynamic_norm", "invalid_reg"}
FLAGS = {"maint", "flex", "any_nodes", "overlap", "magnetic", "time_float", "spec_nodes", "ignore_jobs", "replace_down"}
# English that is Slurm's, too: as a whole text or a name these are ours, and in no text are they told from English.
ENGLISH = {
    "idle",
    "mix",
    "down",
    "drain",
    "fail",
    "boot",
    "block",
    "drained",
    "draining",
    "failing",
    "planned",
    "future",
}
ENGLISH |= {"reserved", "unknown", "maintenance", "mixed", "allocated", "completing", "overlap", "flex", "magnetic"}
STATES = (set(WORDS) | LONG_STATES | FLAGS) - ENGLISH
# As in Grp..., Max...: limits of accounting; and all reasons of jobs that are one word.
LIMITS = re.compile(r"\b(?:Grp|Max)(?:TRES|Jobs|Wall|Submit)\w*|\bQOS\w*")
REASONS = {each for each in (*WAITS_FOR_NODES, *ALWAYS_SAID, "JobHeldUser") if " " not in each}
REASONS -= {"Resources", "Priority", "Cleaning"}  # English
KINDS = FLEET / "values" / "work.py"  # whose own words these are
STAYS = {
    "QOS ": "plan and obstacles: whose limit it is, in a job's reason",
    "QOS": "words of a group of jobs: whose it is, in the log and on the page",
}


def code(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """The texts and names of a file with their lines, but for docstrings."""
    bodies = [body for node in ast.walk(tree) if isinstance(body := getattr(node, "body", None), list)]
    said = {id(line.value) for body in bodies for line in body if isinstance(line, ast.Expr)}
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=str(text)) if id(node) not in said:
                yield node.lineno, text
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name):
                yield node.lineno, name
            case ast.keyword(arg=str(name)):
                yield node.value.lineno, name
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                yield node.lineno, name
            case _:
                pass


def of_slurm(text: str) -> bool:
    """Is it, or does it hold, a word of Slurm's?"""
    words = set(re.findall(r"[a-z_]+", text.lower())) | {text.lower()}
    parts = {part for word in words for part in word.split("_")}  # of names
    if not (words | parts).isdisjoint(COMMANDS | STATES):
        return True
    return LIMITS.search(text) is not None or any(re.search(rf"\b{reason}", text) for reason in REASONS)


def found(source: str) -> list[tuple[int, str]]:
    """What of a file is Slurm's, and is not among the texts that stay."""
    return [(line, text) for line, text in code(ast.parse(source)) if of_slurm(text) and text not in STAYS]


def test_the_brain_names_no_state_flag_reason_limit_or_command_of_slurm() -> None:
    files = sorted(FLEET.rglob("*.py"))
    assert len(files) > 40
    named = {str(path.relative_to(FLEET)): found(path.read_text(encoding="utf-8")) for path in files}
    assert {path: texts for path, texts in named.items() if texts} == {}


def told_apart(tree: ast.AST) -> Iterator[str]:
    """Where a state's text is compared, a case, a key, or one of a table's: English words, too."""
    for node in ast.walk(tree):
        match node:
            case ast.Compare():
                parts = list(ast.walk(node)) if "worker_state" not in ast.unparse(node) else []
            case ast.MatchValue(value=value) | ast.Subscript(slice=value):
                parts = [value]
            case ast.Dict(keys=keys):
                parts = [each for each in keys if each is not None]
            case ast.Set(elts=parts) | ast.List(elts=parts) | ast.Tuple(elts=parts):
                pass
            case ast.Call(func=ast.Attribute(attr="startswith" | "endswith" | "get"), args=parts):
                pass
            case _:
                continue
        texts = {each.value for each in parts if isinstance(each, ast.Constant)}
        if not texts.isdisjoint(set(WORDS) | LONG_STATES):
            yield ast.unparse(node)


def test_no_state_is_told_apart_by_a_text() -> None:
    """Where Slurm's word is English, too, it shows in how it is used: `slurm.state == "idle"`."""
    files = [path for path in sorted(FLEET.rglob("*.py")) if path != KINDS]
    texts = {path.name: list(told_apart(ast.parse(path.read_text(encoding="utf-8")))) for path in files}
    assert {name: found for name, found in texts.items() if found} == {}


@pytest.mark.parametrize(
    "source",
    [
        "busy = state == 'idle'",
        "busy = state in ('idle', 'mix')",
        "match state:\n    case 'idle':\n        busy = False",
        "BUSY = {'mix': True, 'idle': False}",
        "BUSY = frozenset({'mix', 'comp'})",
        "drained = state.startswith('drain')",
    ],
)
def test_a_state_that_is_told_apart_by_a_text_is_found(source: str) -> None:
    assert list(told_apart(ast.parse(source)))


def test_what_stays_is_there() -> None:
    texts = {text for path in FLEET.rglob("*.py") for _, text in code(ast.parse(path.read_text(encoding="utf-8")))}
    assert set(STAYS) <= texts


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("STATES = {'alloc', 'idle'}", "alloc"),
        ("if state == 'drng': pass", "drng"),
        ("WORD = 'plnd'", "plnd"),
        ("sinfo = True", "sinfo"),
        ("def f(squeue_age): return policy.asks", "squeue_age"),
        ("say('it is told by scontrol')", "it is told by scontrol"),
        ("if 'MAINT' in flags: pass", "MAINT"),
        ("USELESS = 'BadConstraints'", "BadConstraints"),
        ("need('GrpTRES cpu')", "GrpTRES cpu"),
        ("if reason.startswith('QOSMax'): pass", "QOSMax"),
    ],
)
def test_a_word_of_slurm_is_found(source: str, text: str) -> None:
    assert text in [each for _, each in found(source)]


@pytest.mark.parametrize(
    "source",
    [
        "'''sinfo says alloc.'''\nx = 1  # drng",
        "def f() -> None:\n    '''By scontrol.'''",
        "text = 'it is drained, and idle since then'",
        "limit = max_nodes\nMaxNodes = 3",
        "text = f'of {name} the composition remains'",
    ],
)
def test_what_is_no_word_of_slurm_is_left_alone(source: str) -> None:
    assert found(source) == []
