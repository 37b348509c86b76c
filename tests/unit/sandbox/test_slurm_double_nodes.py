"""The Slurm double's nodes, held against what slurm 22.05.8 did in the same case."""

from __future__ import annotations

from sandbox_play import Play, new_play

from arvnodeman.sandbox.cloud import NodeRequest


def states(play: Play, name: str, seconds: float, step: float = 0.5) -> list[str]:
    """The states that sinfo shows, without repetition."""
    seen = [play.sinfo(name)]
    for _ in range(int(seconds / step)):
        play.clock.advance(step)
        if play.sinfo(name) != seen[-1]:
            seen.append(play.sinfo(name))
    return seen


def drain(play: Play, name: str, reason: str = "Node Manager shutdown (sb-1)") -> None:
    assert play.slurm("scontrol", "update", f"NodeName={name}", "State=DRAIN", f"Reason={reason}").returncode == 0


def test_a_node_that_never_had_a_slurmd_is_unk_then_not_responding(play: Play) -> None:
    assert states(play, "compute3", 600) == ["unk", "unk*"]
    assert play.sinfo("compute3", "%E") == "none"


def test_a_new_slurmd_brings_its_node_up_and_ends_the_reason(play: Play) -> None:
    _, name = play.boot()
    assert states(play, name, 120) == ["unk", "unk*", "idle"]
    play.slurm("scontrol", "update", f"NodeName={name}", "State=DOWN", "Reason=x")
    assert states(play, name, 5) == ["down", "idle"]
    assert play.sinfo(name, "%n|%t|%w|%f|%E") == f"{name}|idle|1|instancetype=small|none"


def test_resume_of_an_idle_node_is_refused(play: Play) -> None:
    """Row F5."""
    _, name = play.up()
    answer = play.slurm("scontrol", "update", f"NodeName={name}", "State=RESUME")
    assert (answer.returncode, answer.stderr) == (1, "slurm_update error: Invalid node state specified\n")


def test_a_drained_node_resumed_is_idle_with_a_star_for_a_moment(play: Play) -> None:
    _, name = play.up()
    drain(play, name)
    assert play.sinfo(name, "%t|%E") == "drain|Node Manager shutdown (sb-1)"
    assert play.slurm("scontrol", "update", f"NodeName={name}", "State=RESUME").returncode == 0
    assert states(play, name, 10) == ["idle*", "idle"]
    assert play.sinfo(name, "%E") == "none"


def test_resume_of_a_node_without_a_slurmd_ends_in_down(play: Play) -> None:
    play.clock.advance(30)
    play.slurm("scontrol", "update", "NodeName=compute4", "State=DOWN", "Reason=x")
    assert play.slurm("scontrol", "update", "NodeName=compute4", "State=RESUME").returncode == 0
    assert states(play, "compute4", 100) == ["idle*", "down*"]


def test_a_drain_of_a_busy_node_lets_the_job_end(play: Play) -> None:
    """Row F1."""
    _, name = play.up()
    work = play.job(duration=50)
    play.clock.advance(5)
    assert play.sinfo(name) == "alloc"
    drain(play, name)
    assert states(play, name, 60) == ["drng", "drain"]
    assert work.completions == 1


def test_resume_of_a_draining_node_keeps_its_job(play: Play) -> None:
    _, name = play.up()
    play.job(duration=50)
    play.clock.advance(5)
    drain(play, name)
    play.slurm("scontrol", "update", f"NodeName={name}", "State=RESUME")
    assert states(play, name, 60) == ["alloc*", "alloc", "comp", "idle"]


def test_a_node_set_down_whose_slurmd_lives_is_idle_again_and_its_job_is_lost_to_it(play: Play) -> None:
    """DOWN alone does not keep Slurm away from a node."""
    _, name = play.up()
    work = play.job(duration=500)
    play.clock.advance(5)
    play.slurm("scontrol", "update", f"NodeName={name}", "State=DOWN", "Reason=x")
    assert states(play, name, 3)[:2] == ["down", "idle"]
    assert work.requeues == {"node set down": 1}
    play.clock.advance(30)
    assert (work.state, work.starts) == ("running", 2)


def test_a_drained_node_set_down_stays_drained_and_keeps_the_new_reason(play: Play) -> None:
    _, name = play.up()
    drain(play, name)
    play.slurm("scontrol", "update", f"NodeName={name}", "State=DOWN", "Reason=gone")
    assert states(play, name, 10) == ["drain"]
    assert play.sinfo(name, "%E") == "gone"


def test_drain_destroy_down_leaves_the_drain_to_the_next_node_of_that_name() -> None:
    play = new_play(self_resume=False)
    node, name = play.up()
    drain(play, name)
    play.site.cloud.destroy(node.id)
    play.slurm("scontrol", "update", f"NodeName={name}", "State=DOWN", f"Reason=Node Manager shutdown ({node.id})")
    assert play.sinfo(name) == "drain"  # slurmctld has not missed it yet
    play.clock.advance(30)
    assert play.sinfo(name) == "drain*"
    play.site.store.nodes.clear()
    play.boot()
    play.clock.advance(120)
    assert play.sinfo(name, "%t|%E") == f"drain|Node Manager shutdown ({node.id})"


def test_the_image_resumes_its_own_node_when_it_joins(play: Play) -> None:
    """Row F5 and the compute side of FACTS 2.3."""
    drain(play, "compute1", "left over")
    _, name = play.boot()
    assert name == "compute1"
    play.clock.advance(120)
    assert play.sinfo(name) == "idle"


def test_a_vanished_node_falls_silent_then_is_down_and_its_job_is_requeued(play: Play) -> None:
    node, name = play.up()
    work = play.job(duration=500)
    play.clock.advance(5)
    play.site.cloud.vanish(node, "test")
    assert states(play, name, 100) == ["alloc", "alloc*", "down*"]
    assert work.requeues == {"test": 1}


def test_setting_a_vanished_node_down_requeues_its_job_at_once(play: Play) -> None:
    node, name = play.up()
    work = play.job(duration=500)
    play.clock.advance(5)
    play.site.cloud.vanish(node, "test")
    play.slurm("scontrol", "update", f"NodeName={name}", "State=DOWN", "Reason=gone")
    assert play.sinfo(name) == "down"
    assert work.requeues == {"test": 1}


def test_a_new_node_under_the_name_of_a_vanished_one_does_not_inherit_its_job(play: Play) -> None:
    node, name = play.up()
    work = play.job(duration=500)
    play.clock.advance(5)
    play.site.cloud.vanish(node, "test")
    play.site.store.nodes.clear()
    play.boot()
    play.clock.advance(120)
    assert work.starts == 2
    assert work.requeues == {"test": 1}
    assert play.sinfo(name) == "alloc"


def test_failg_is_busy_and_with_shared_nodes_fail_hides_a_job() -> None:
    """SLURM.md: a node in fail can still be running a job."""
    for shared, cores, word in ((False, 1, "failg"), (True, 2, "failg"), (True, 1, "fail")):
        play = new_play()
        play.site.slurm.shared_nodes = shared
        _, name = play.up()
        play.job(duration=500, cores=cores)
        play.clock.advance(5)
        assert play.sinfo(name) == ("mix" if shared and cores == 1 else "alloc")
        play.slurm("scontrol", "update", f"NodeName={name}", "State=FAIL", "Reason=x")
        assert play.sinfo(name) == word
        assert play.slurm("squeue", "-w", name, "-h", "-o", "%i").stdout == "1\n"


def test_features_cannot_replace_one_another_and_the_weight_is_lost_too(play: Play) -> None:
    """SLURM.md, scontrol."""
    update = ("scontrol", "update", "NodeName=compute2")
    assert play.slurm(*update, "Features=instancetype=big", "Weight=60").returncode == 0
    answer = play.slurm(*update, "Features=instancetype=small", "Weight=50")
    assert answer.stderr == "slurm_update error: Active features not subset of available features\n"
    assert play.sinfo("compute2", "%w|%f") == "60|instancetype=big"
    both = ("AvailableFeatures=instancetype=small,gpu", "ActiveFeatures=instancetype=small", "Weight=50")
    assert play.slurm(*update, *both).returncode == 0
    assert play.sinfo("compute2", "%w|%f|%b") == "50|instancetype=small,gpu|instancetype=small"
    assert play.slurm(*update, "ActiveFeatures=foo").returncode == 1


def test_a_reconfigure_forgets_features_and_weight(play: Play) -> None:
    """Row F18."""
    play.slurm("scontrol", "update", "NodeName=compute2", "Features=x", "Weight=60")
    play.slurm("scontrol", "reconfigure")
    assert play.sinfo("compute2", "%w|%f") == "1|(null)"


def test_a_node_that_slurm_conf_lacks_cannot_start_its_slurmd() -> None:
    play = new_play(slots=2)
    record = play.site.store.create_node({"hostname": "other9"}, assign_slot=True)
    assert record["hostname"] == "other9"
    url = f"http://h/arvados/v1/nodes/{record['uuid']}/ping?ping_secret={record['info']['ping_secret']}"
    play.site.cloud.create(NodeRequest("other9", "small", {}, url))
    play.clock.advance(120)
    assert "slurmd-refused" in play.kinds()


def test_undrain_of_a_node_that_is_well_lets_it_seem_silent_for_a_moment(play: Play) -> None:
    _, name = play.up()
    assert play.slurm("scontrol", "update", f"NodeName={name}", "State=UNDRAIN").returncode == 0
    assert states(play, name, 5)[:2] == ["idle*", "idle"]


def test_resume_of_a_node_that_has_never_been_up_is_refused_and_works(play: Play) -> None:
    play.slurm("scontrol", "update", "NodeName=compute1", "State=DRAIN", "Reason=x")
    answer = play.slurm("scontrol", "update", "NodeName=compute1", "State=RESUME")
    assert (answer.stderr, answer.returncode) == ("slurm_update error: Invalid node state specified\n", 1)
    assert play.sinfo("compute1", "%t|%E") == "unk*|none"
