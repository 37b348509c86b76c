"""The Slurm double's scheduler: who starts where, and why the others wait."""

from __future__ import annotations

from sandbox_play import Play, new_play


def reasons(play: Play) -> dict[str, str]:
    lines = play.slurm("squeue", "-h", "-t", "PD", "-o", "%j|%r|%Q").stdout.splitlines()
    return dict(line.split("|")[:2] for line in lines)


def test_priority_comes_first_then_the_order_of_submission(play: Play) -> None:
    for name, priority in (("a", 100), ("b", 900), ("c", 900)):
        play.job(name, priority=priority, duration=100)
    play.boot()
    play.clock.advance(600)
    starts = [h["subject"] for h in play.site.events.since(0, "job-started")]
    assert starts == ["b", "c", "a"]


def test_the_lighter_node_is_taken_first(play: Play) -> None:
    """Row F11."""
    _, first = play.up()
    _, second = play.up()
    play.slurm("scontrol", "update", f"NodeName={first}", "Weight=400")
    play.slurm("scontrol", "update", f"NodeName={second}", "Weight=50")
    play.job("a", duration=500)
    play.clock.advance(5)
    assert (play.sinfo(first), play.sinfo(second)) == ("idle", "alloc")


def test_a_constraint_is_met_by_the_feature_alone(play: Play) -> None:
    """Row F17."""
    _, small = play.up("small")
    work = play.job("a", size="large", duration=50)
    play.clock.advance(20)
    assert work.starts == 0
    play.up("large")
    assert work.starts == 1
    assert play.slurm("squeue", "-h", "-w", small, "-o", "%i").stdout == ""
    assert "job-started" in play.kinds()


def test_a_job_needs_a_node_that_is_large_enough(play: Play) -> None:
    """A node registers a little less memory than its size advertises."""
    play.up("small")
    fits = play.job("fits", cores=2, ram=3800, scratch=50_000, duration=10)
    play.clock.advance(30)
    assert fits.completions == 1
    for name, need in (("cores", {"cores": 3}), ("ram", {"ram": 4000}), ("scratch", {"scratch": 50_001})):
        work = play.job(name, **need)
        play.clock.advance(30)
        assert work.starts == 0


def test_one_job_a_node_and_a_smaller_job_may_go_ahead(play: Play) -> None:
    play.up("small")
    big = play.job("big", cores=16, priority=900)
    first = play.job("first", duration=100)
    second = play.job("second", duration=100)
    play.clock.advance(20)
    assert (big.starts, first.starts, second.starts) == (0, 1, 0)


def test_a_job_of_many_nodes_keeps_those_that_are_free_from_the_jobs_behind_it(play: Play) -> None:
    """State plnd: an idle node that is wanted, not spare."""
    _, first = play.up()
    _, second = play.up()
    play.job("before", duration=100)
    play.clock.advance(5)
    wide = play.job("wide", nodes=2, priority=900, duration=50)
    behind = play.job("behind", duration=50)
    play.clock.advance(5)
    assert [play.sinfo(name) for name in (first, second)] == ["alloc", "plnd"]
    assert (wide.starts, behind.starts) == (0, 0)
    play.clock.advance(300)
    assert (wide.completions, behind.completions) == (1, 1)
    started = {h["subject"]: h["text"] for h in play.site.events.since(0, "job-started")}
    assert started["wide"] == f"{first},{second}"


def test_a_job_of_more_nodes_than_are_up_keeps_none_and_waits_for_nodes_that_are_down(play: Play) -> None:
    _, first = play.up()
    play.job("wide", nodes=2, priority=900)
    behind = play.job("behind", duration=50)
    play.clock.advance(5)
    assert play.sinfo(first) == "alloc"
    assert behind.starts == 1
    assert reasons(play)["wide"].startswith("Nodes required for job are DOWN, DRAINED or reserved for jobs in higher")


def test_a_job_of_many_nodes_is_lost_with_any_of_them(play: Play) -> None:
    node, _ = play.up()
    _, other = play.up()
    wide = play.job("wide", nodes=2, duration=500)
    play.clock.advance(5)
    play.site.cloud.vanish(node, "test")
    play.clock.advance(100)
    assert wide.requeues == {"test": 1}
    assert play.sinfo(other) == "idle"


def test_nothing_starts_on_a_node_that_is_drained_reserved_or_not_responding(play: Play) -> None:
    _, name = play.up()
    work = play.job("a", held=True)
    job = next(iter(play.site.slurm.jobs.values()))
    for hinder, free in (
        ({"drain": True}, {"drain": False}),
        ({"reserved": "maint"}, {"reserved": ""}),
        ({"responding": False}, {"responding": True}),
        ({"fail": True}, {"fail": False}),
    ):
        node = play.site.slurm.nodes[name]
        for key, value in hinder.items():
            setattr(node, key, value)
        job.held = False
        play.site.slurm.changed()
        play.clock.advance(10)
        assert work.starts == 0, hinder
        for key, value in free.items():
            setattr(node, key, value)
    play.site.slurm.changed()
    play.clock.advance(10)
    assert work.starts == 1


def test_reasons_with_every_node_down_are_those_of_an_idle_elastic_cluster(play: Play) -> None:
    """SLURM.md: the normal case."""
    play.clock.advance(60)
    play.job("plain")
    play.job("named", size="medium")
    found = reasons(play)
    assert found["plain"].startswith("Nodes required for job are DOWN, DRAINED or reserved for jobs in higher")
    assert found["named"] == "ReqNodeNotAvail, UnavailableNodes:compute[0-8]"


def test_reasons_with_nodes_up_are_resources_and_priority(play: Play) -> None:
    """Row F13."""
    play.up()
    play.job("runs", duration=500)
    play.clock.advance(5)
    play.job("next", size="small")
    play.job("last")
    play.job("held", held=True)
    assert reasons(play) == {"next": "Resources", "last": "Priority", "held": "JobHeldUser"}


def test_a_feature_that_no_node_has_any_more_is_a_bad_constraint_of_priority_0(play: Play) -> None:
    play.job("a", size="medium")
    play.slurm("scontrol", "reconfigure")
    play.site.slurm.changed()
    lines = play.slurm("squeue", "-h", "-o", "%j|%r|%Q").stdout
    assert lines == "a|BadConstraints|0\n"


def test_5000_jobs_on_1000_nodes_are_told_apart_by_their_needs() -> None:
    play = new_play(slots=1000)
    for number in range(5000):
        play.job(f"j{number}", cores=1 + number % 3)
    lines = play.slurm("squeue", "-h", "-o", "%j").stdout.splitlines()
    assert lines == [f"j{number}" for number in range(5000)]


def test_jobs_share_a_node_by_cores_and_memory(play: Play) -> None:
    """And each is thrown off when it is set down."""
    play.site.slurm.shared_nodes = True
    node, name = play.up("large")  # 8 cores, 15520 MB of 16000
    works = [play.job(f"j{number}", cores=3, ram=ram, duration=100) for number, ram in enumerate((5000, 5000, 1))]
    fat, thin = play.job("fat", cores=1, ram=6000, duration=50), play.job("thin", cores=1, ram=500, duration=50)
    play.clock.advance(10)
    assert [work.starts for work in (*works, fat, thin)] == [1, 1, 0, 0, 1]
    assert play.sinfo(name) == "mix"
    shown = play.slurm("scontrol", "--details", "show", "node", name).stdout
    assert "CPUAlloc=7 CPUEfctv=8" in shown
    assert "AllocMem=10500" in shown
    assert play.site.machines.machines[node.id].jobs == {"j0", "j1", "thin"}
    play.clock.advance(100)
    assert [work.completions for work in (*works, fat, thin)] == [1, 1, 0, 0, 1]
    assert play.sinfo(name) == "mix"
    play.slurm("scontrol", "update", f"NodeName={name}", "State=DOWN", "Reason=x")
    assert [len(work.requeues) for work in (works[2], fat)] == [1, 1]
    play.clock.advance(300)
    assert [work.completions for work in (works[2], fat)] == [1, 1]


def test_a_job_that_says_no_memory_takes_all_of_it(play: Play) -> None:
    play.site.slurm.shared_nodes = True
    _, name = play.up("large")
    first, second = (play.job(each, ram=0, duration=100) for each in ("a", "b"))
    play.clock.advance(10)
    assert (first.starts, second.starts) == (1, 0)
    assert play.sinfo(name) == "mix"
    assert play.slurm("squeue", "-h", "-O", "Name:0|,OverSubscribe:0").stdout.splitlines()[0] == "b|OK"
    partition = play.slurm("scontrol", "--oneliner", "show", "partitions").stdout.splitlines()[0]
    assert "OverSubscribe=NO" in partition
