"""A name that is being booted has no jobs before Slurm knows where its node is, and a node that was resumed none before
Slurm has asked it."""

from __future__ import annotations

from site_scene import OFFERS, Scene

from arvnodeman.fleet.messages import DescribeRecord, PrepareRecord, RecordPrepared, ResumeNode
from arvnodeman.fleet.values.model import BootIntent, JobShape, ProviderSize


def closing(address: str = "") -> Scene:
    scene = Scene(names=True, address=address)
    scene.site.resumes_as_slurm_does(0.0)
    return scene


def waiting(scene: Scene) -> int:
    return len(scene.queue().jobs)


def test_a_name_is_drained_from_the_intent_on_and_open_once_the_address_is_told() -> None:
    scene = closing()
    (prepared,) = scene.site.do((PrepareRecord(1, BootIntent("small", 0.1, "t9", scene.agenda.now), "compute3"),))
    assert isinstance(prepared, RecordPrepared)
    assert scene.word("compute3").rstrip("*") == "drain"
    listed = scene.records().slurm
    assert listed is not None
    assert listed["compute3"].reason == "Node Manager boot (t9)"
    node, hostname = scene.boot(reuse="compute4")
    assert scene.word(hostname).rstrip("*") == "down"
    scene.site.submit(JobShape(cores=1, ram=1), 60.0)
    scene.advance(150)
    assert (waiting(scene), node.address) == (0, f"10.{node.id}")


def test_a_node_whose_name_has_its_address_already_waits_to_be_resumed() -> None:
    """As in a demo on a real Slurm: all nodes are at one address, which no create tells yet."""
    scene = closing("127.0.0.1")
    node, hostname = scene.boot(reuse="compute4")
    assert node.address is None
    scene.site.submit(JobShape(cores=1, ram=1), 60.0)
    scene.advance(150)
    assert scene.cloud().nodes[0].address == "127.0.0.1"
    assert (scene.word(hostname), waiting(scene)) == ("drain", 1)
    scene.site.do((ResumeNode(1, hostname),))
    assert waiting(scene) == 0


def test_a_second_boot_under_a_name_is_told_the_address_and_opens_it() -> None:
    scene = closing("127.0.0.1")
    _, hostname = scene.boot(reuse="compute4")
    scene.advance(150)
    (shown,) = scene.cloud().nodes
    scene.site.do((DescribeRecord(1, hostname, shown),))
    assert scene.word(hostname) == "idle"


def test_after_a_resume_a_node_that_answers_has_no_jobs_until_it_was_asked() -> None:
    scene = closing("127.0.0.1")
    scene.site.resumes_as_slurm_does(6.0)
    _, hostname = scene.boot(reuse="compute4")
    scene.advance(150)
    scene.site.submit(JobShape(cores=1, ram=1), 60.0)
    scene.site.do((ResumeNode(1, hostname),))
    assert (scene.word(hostname), waiting(scene)) == ("idle*", 1)
    scene.advance(5.9)
    assert waiting(scene) == 1
    scene.advance(0.2)
    assert (scene.word(hostname), waiting(scene)) == ("alloc", 0)


def test_slurm_takes_a_node_for_what_the_line_of_its_name_says() -> None:
    large = ProviderSize("line", "line", ram=16000, disk=0, price=1, cores=8)
    for lines, left in (({}, 1), ({"small": large}, 0)):
        scene = Scene(offers=OFFERS)
        scene.site.slurms.rules.lines = lines
        scene.up("small")
        scene.site.submit(JobShape(cores=8, ram=12000), 60.0)
        assert waiting(scene) == left
