"""Where records are names, a node that the cloud shows no address of is never found: that is said, and not for ever."""

from __future__ import annotations

from dataclasses import replace

import pytest
from world import MINUTE, World, jobs, policy

from arvnodeman.fleet.messages import CreateNode, PrepareRecord, RecordPrepared, ReleaseRecord, Step, StepResult
from arvnodeman.fleet.values.model import NodeRecord, Secret
from arvnodeman.slurm.words import node_work

SAID = "the cloud shows no address of it, so Slurm cannot reach it"


def name_of(name: str) -> NodeRecord:
    """A name that nobody has."""
    return NodeRecord(name, name, "", address="192.0.2.1", free=True)


class Names(World):
    """Slurm's names are the records; the cloud shows no addresses."""

    def boot(self) -> None:
        """Whatever is asked for is done."""
        self.obey()

    def _carry_out(self, step: Step) -> StepResult:
        match step:
            case PrepareRecord():
                name = step.reuse or ""
                self.records[name] = replace(self.records[name], intent=step.intent, free=False, slot=1)
                return RecordPrepared(self.records[name], Secret(""))
            case CreateNode():
                name = step.record.uuid
                made = replace(self._create(step), name=name, fqdn=name, address=None)
                self.cloud[made.id] = made
                self.records[name] = replace(self.records[name], instance_id=made.report_id, intent=None)
                return made
            case ReleaseRecord():
                self.records[step.uuid] = name_of(step.uuid)
                return None
        return super()._carry_out(step)


def begun(*, registers: bool = False, **options: float) -> Names:
    """One job, and its node is made; with `registers` its slurmd finds slurmctld, which does not find it."""
    world = Names(policy(max_price_factor=1.0, **options))
    for number in range(1, 5):
        name = f"cloud{number}"
        world.records[name] = name_of(name)
        world.slurm = {**(world.slurm or {}), name: node_work(name, "unk", responding=False)}
    world.begin(*jobs(1))
    world.boot()
    if registers:
        (record,) = [record for record in world.records.values() if record.instance_id]
        world.records[record.uuid] = replace(record, first_ping_at=world.now + 60, last_ping_at=None, modified_at=None)
        world.silent.add(record.uuid)
        world.slurm = {**(world.slurm or {}), record.uuid: node_work(record.uuid, "idle", responding=False)}
    return world


def minutes(world: Names, count: int) -> None:
    for _ in range(count):
        world.cycle(every=MINUTE)
        world.boot()


@pytest.mark.parametrize("registers", [False, True])
def test_that_the_address_is_missing_is_said_of_the_node_and_in_the_log(registers: bool) -> None:
    world = begun(registers=registers)
    minutes(world, 10)
    (identity,) = world.cloud
    assert SAID in world.fleet.view.nodes[identity].why.words(world.fleet.view.t)
    told = [line for line in world.log(30) if SAID in line]
    assert len(told) == 1


@pytest.mark.parametrize("registers", [False, True])
def test_one_such_node_is_enough_for_its_size_to_rest(registers: bool) -> None:
    """It was booted again and again, without end and without a word of the reason."""
    world = begun(registers=registers)
    while not world.destroyed():
        minutes(world, 1)
    assert world.created() == ["small"]
    world.poll_queue()
    assert "no address" in world.reason()
    assert any(f"did not come up: {SAID}" in line for line in world.log(30))
    minutes(world, 6 * 60)
    assert len(world.created()) <= 12  # one at a time, with waits between them


def test_an_address_that_comes_late_is_no_fault() -> None:
    """As on OpenStack, where a server that is being built has none."""
    world = begun()
    minutes(world, 5)
    (identity,) = world.cloud
    world.cloud[identity] = replace(world.cloud[identity], address="10.0.0.7")
    minutes(world, 5)
    assert not [line for line in world.log(30) if SAID in line]
    assert SAID not in world.fleet.view.nodes[identity].why.words(world.fleet.view.t)


def test_where_nodes_report_themselves_no_address_is_needed() -> None:
    world = World()
    world.begin(*jobs(1))
    world.obey()
    world.cycle(every=MINUTE, times=10)
    assert not [line for line in world.log(30) if "address" in line]


def test_why_its_addresses_will_not_do_is_said() -> None:
    """It has one, but of another family than Slurm is to be told."""
    why = "no IPv6 address of it ([Cloud] address_family), only 10.0.0.5"
    world = begun()
    (identity,) = world.cloud
    world.cloud[identity] = replace(world.cloud[identity], no_address=why)
    minutes(world, 10)
    told = f"the cloud shows {why}, so Slurm cannot reach it"
    assert told in world.fleet.view.nodes[identity].why.words(world.fleet.view.t)
    assert len([line for line in world.log(30) if told in line]) == 1
    while not world.destroyed():
        minutes(world, 1)
    assert any(f"did not come up: {told}" in line for line in world.log(30))
