"""What a job's constraint asks for, as our one function reads it and as the real sbatch and slurmctld do: random
expressions, each on nodes of every set of features, all idle. FEATURE_EXPRESSIONS in the environment: how many."""

from __future__ import annotations

import os
import random
import re
import time
from collections.abc import Iterator

import pytest
from slurm_stage import need_slurm

from arvnodeman.fleet.values.features import NoFeatures, meets, named
from arvnodeman.sandbox.real_slurm import PrivateSlurm
from arvnodeman.sandbox.real_slurm_conf import Shape

HOW_MANY = int(os.environ.get("FEATURE_EXPRESSIONS", "60"))
POOL = "abcd"
SETS = ("", "a", "b", "a,b", "b,c", "a,c,d", "a,b,c,d")
EACH = 4  # nodes of each set
BOUND = 120.0  # seconds until all nodes are idle
SUBMITTED, UNMET, REFUSED = "submitted", "no such nodes", "no expression"
GROUP_IN_BRACKETS = re.compile(r"\[[^\]]*\([^)]*[&|,][^\]]*\|[^\]]*\]|\[[^\]]*\|[^\]]*\([^)]*[&|,][^\]]*\]")
"""Slurm 22.05 takes parentheses in brackets apart, and wants a of `[(a&b)|c]` in any case; 24.11 does not."""
SINCE = (24, 11)
LESS_STRICT_BEFORE = (22, 5)
"""Slurm 20.11 takes what newer ones refuse as a slip: two pairs of brackets, parentheses behind brackets."""


@pytest.fixture(scope="module")
def slurm() -> Iterator[PrivateSlurm]:
    need_slurm()
    hosts = [f"compute[{EACH * index + 1}-{EACH * index + EACH}]" for index in range(len(SETS))]
    partitions = tuple((f"p{index}", names) for index, names in enumerate(hosts))
    last = EACH * len(SETS)
    with PrivateSlurm(Shape(nodes=last, partitions=partitions, slurmd_timeout=300, message_timeout=10)) as private:
        for index, (names, features) in enumerate(zip(hosts, SETS, strict=True)):
            both = (f"AvailableFeatures={features}", f"ActiveFeatures={features}")
            private.say("scontrol", "update", f"NodeName={names}", *both)
            private.say("scontrol", "update", f"PartitionName=p{index}", "OverSubscribe=NO")
        for number in range(1, last + 1):
            private.start_node(f"compute{number}")
        listing = ("sinfo", "-h", "-p", "compute", "-n", f"compute[1-{last}]", "-o", "%t")
        end = time.monotonic() + BOUND
        while set(private.say(*listing).split()) != {"idle"}:
            assert time.monotonic() < end, private.say(*listing)
            time.sleep(0.2)
        yield private


def said(private: PrivateSlurm, expression: str, index: int, nodes: int) -> str:
    """What sbatch says to a job with this constraint on so many nodes of a set."""
    where = (f"--partition=p{index}", f"--nodes={nodes}", f"--constraint={expression}")
    done = private.run("sbatch", "--parsable", "--output=/dev/null", *where, text="#!/bin/sh\nexec sleep 600\n")
    if done.returncode == 0:
        private.say("scancel", done.stdout.strip())
        return SUBMITTED
    if "Invalid feature specification" in done.stderr:
        return REFUSED
    assert "Requested node configuration is not available" in done.stderr, (expression, done.stderr)
    return UNMET


def ours(expression: str, index: int, nodes: int) -> str:
    try:
        if not set(named(expression)) <= set(POOL):
            return REFUSED  # a slip has made a feature of it that no node has: it is not ours to know that
        return SUBMITTED if meets(expression, SETS[index].split(","), nodes) else UNMET
    except NoFeatures:
        return REFUSED


def flat(dice: random.Random, most: int, operators: str, counts: float = 0.0) -> str:
    """`a&b|c`, where features may have a count."""
    text = ""
    for place in range(dice.randint(1, most)):
        count = f"*{dice.randint(1, EACH)}" if dice.random() < counts else ""
        text += (dice.choice(operators) if place else "") + dice.choice(POOL) + count
    return text


def bracket(dice: random.Random) -> str:
    if dice.random() < 0.25:
        return "|".join(f"({flat(dice, 2, '&|')})" if dice.random() < 0.5 else dice.choice(POOL) for _ in range(2))
    return flat(dice, 3, "|" if dice.random() < 0.7 else "&|", 0.6 if dice.random() < 0.2 else 0.0)


def expression_of(dice: random.Random) -> str:
    """Any expression, and now and then one with a slip in it."""
    text = ""
    for place in range(dice.randint(1, 3)):
        kind = dice.random()
        if kind < 0.45:
            part = flat(dice, 3, "&|")
        elif kind < 0.65:
            part = f"({flat(dice, 3, '&|')})"
        elif kind < 0.9:
            part = f"[{bracket(dice)}]"
        else:
            part = flat(dice, 2, "&", 0.6)
        text += (dice.choice("&&||,") if place else "") + part
    if dice.random() < 0.05:
        place = dice.randrange(len(text) + 1)
        text = text[:place] + dice.choice("&|()[]*2,") + text[place:]
    return text


def test_random_constraints_are_read_as_slurm_reads_them(slurm: PrivateSlurm) -> None:
    release = tuple(int(number) for number in re.findall(r"\d+", slurm.say("sinfo", "--version"))[:2])
    differences: list[str] = []
    told = {SUBMITTED: 0, UNMET: 0, REFUSED: 0}
    for seed in range(HOW_MANY):
        dice = random.Random(seed)
        expression = expression_of(dice)
        if release < SINCE and GROUP_IN_BRACKETS.search(expression):
            continue
        for index in range(len(SETS)):
            nodes = dice.randint(1, EACH)
            real, mine = said(slurm, expression, index, nodes), ours(expression, index, nodes)
            told[real] += 1
            if release < LESS_STRICT_BEFORE and mine == REFUSED:
                continue
            # newer Slurms refuse counts outside of brackets that older ones take: such a job never waits
            if real != mine and not (real == REFUSED and "*" in expression and release >= SINCE):
                differences.append(f"{expression} on {nodes} nodes with {SETS[index]!r}: {real}, and not {mine}")
    assert not differences
    assert min(told.values()) > HOW_MANY / 10, told
