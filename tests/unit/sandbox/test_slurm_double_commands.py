"""The Slurm double's commands: lines, errors and return codes as slurm 22.05.8 gave them."""

from __future__ import annotations

import pytest
from sandbox_play import Play, new_play

from arvnodeman.sandbox.slurm_commands import away
from arvnodeman.sandbox.slurm_format import memory

QUEUE = ("squeue", "--state=PENDING", "--noheader", "--format=%c|%m|%d|%r|%j|%f|%Q|%D")
ALL_DOWN = "Nodes required for job are DOWN, DRAINED or reserved for jobs in higher priority partitions"


def test_a_pending_line_has_the_form_of_a_real_one(play: Play) -> None:
    play.job("zzzzz-dz642-00000000000000b", cores=2, ram=1024, scratch=100)
    priority = next(iter(play.site.slurm.jobs.values())).priority
    line = f"2|1G|100M|{ALL_DOWN}|zzzzz-dz642-00000000000000b|(null)|{priority}|1\n"
    assert play.slurm(*QUEUE).stdout == line


def test_the_queue_is_in_order_of_priority_with_the_running_jobs_after_it(play: Play) -> None:
    _, name = play.up()
    play.job("a", priority=100, duration=500)
    play.clock.advance(5)
    play.job("b", priority=200)
    play.job("c", priority=900)
    play.clock.advance(5)
    lines = play.slurm("squeue", "--noheader", "--format=%j %T %t %N %i %A").stdout.splitlines()
    assert lines == ["c PENDING PD  3 3", "b PENDING PD  2 2", f"a RUNNING R {name} 1 1"]


def test_squeue_filters_by_name_node_state_and_id(play: Play) -> None:
    _, name = play.up()
    play.job("a", duration=500)
    play.clock.advance(5)
    play.job("b", duration=500)

    def ids(*options: str) -> list[str]:
        return play.slurm("squeue", "-h", "-o", "%i", *options).stdout.split()

    assert ids("--name=b") == ["2"]
    assert ids("-w", name) == ["1"]
    assert ids("--nodelist=compute[2-3]") == []
    assert ids("-t", "R") == ["1"]
    assert ids("--states=all") == ["2", "1"]
    assert ids("-j", "2") == ["2"]


@pytest.mark.parametrize(
    ("argv", "stderr"),
    [
        (("squeue", "-w", "nosuch", "-h"), "squeue: error: Invalid node name nosuch\n"),
        (("squeue", "-j", "999"), "slurm_load_jobs error: Invalid job id specified\n"),
        (("scontrol", "update", "NodeName=ALL", "Weight=1"), "slurm_update error: Invalid argument\n"),
        (("scontrol", "update", "NodeName=compute1"), "No changes specified\n"),
        (
            ("scontrol", "update", "NodeName=compute1", "State=DRAIN"),
            "You must specify a reason when DOWNING or DRAINING a node. Request denied\n",
        ),
        (
            ("scontrol", "update", "NodeName=compute1", "State=DOWN", "Reason="),
            "You must specify a reason when DOWNING or DRAINING a node. Request denied\n",
        ),
        (
            ("scontrol", "update", "NodeName=nosuch", "State=DRAIN", "Reason=x"),
            "slurm_update error: Invalid node name specified\n",
        ),
        (
            ("scontrol", "update", "NodeName=compute[1", "Weight=1"),
            "slurm_update error: Invalid node name specified\n",
        ),
        (
            ("scontrol", "update", "NodeName=compute1", "Weight=abc"),
            "scontrol: error: Weight value (abc) is not a valid number\nNo changes specified\n",
        ),
        (
            ("scontrol", "update", "NodeName=compute1", "Bogus=1"),
            "Update of this parameter is not supported: Bogus=1\nRequest aborted\n",
        ),
        (("scontrol", "bogus"), "invalid keyword: bogus\n"),
        (("scancel", "abc"), "scancel: error: Invalid job id abc\n"),
        ((), ": command not found\n"),
    ],
)
def test_mistakes_are_answered_in_slurms_words(play: Play, argv: tuple[str, ...], stderr: str) -> None:
    answer = play.slurm(*argv)
    assert (answer.stdout, answer.stderr) == ("", stderr)
    assert answer.returncode == (1 if argv else 127)


def test_an_unknown_node_is_told_on_stdout(play: Play) -> None:
    answer = play.slurm("scontrol", "show", "node", "nosuch")
    assert (answer.stdout, answer.stderr, answer.returncode) == ("Node nosuch not found\n", "", 1)


def test_an_update_names_its_nodes(play: Play) -> None:
    answer = play.slurm("scontrol", "update", "Weight=1")
    assert answer.stderr.startswith("No valid entity in update command\nInput line must include")
    assert answer.returncode == 1


def test_in_a_list_an_unknown_node_costs_the_others_only_the_weight(play: Play) -> None:
    changes = ("AvailableFeatures=a", "ActiveFeatures=a", "Weight=7")
    answer = play.slurm("scontrol", "update", "NodeName=compute1,nosuch,compute2", *changes)
    assert (answer.stderr, answer.returncode) == ("slurm_update error: Invalid node name specified\n", 1)
    assert [play.sinfo(name, "%f|%w") for name in ("compute1", "compute2")] == ["a|1", "a|1"]
    assert play.slurm("scontrol", "update", "NodeName=compute[1-2]", "Weight=7").returncode == 0
    assert [play.sinfo(name, "%w") for name in ("compute1", "compute2")] == ["7", "7"]


def test_a_reason_alone_is_kept_only_by_a_node_that_is_not_well(play: Play) -> None:
    _, name = play.up()
    assert play.slurm("scontrol", "update", f"NodeName={name}", "Reason=x").returncode == 0
    assert play.sinfo(name, "%E") == "none"
    play.slurm("scontrol", "update", f"NodeName={name}", "State=DRAIN", "Reason=x")
    play.slurm("scontrol", "update", f"NodeName={name}", "Reason=y")
    assert play.slurm("scontrol", "update", f"NodeName={name}", "Reason=").returncode == 0
    assert play.sinfo(name, "%E") == "y"


def test_an_unknown_state_names_the_known_ones(play: Play) -> None:
    answer = play.slurm("scontrol", "update", "NodeName=compute1", "State=BOGUS")
    assert answer.stderr.startswith("Invalid input: State=BOGUS\nRequest aborted\nValid states are: NoResp DRAIN")
    answer = play.slurm("squeue", "-t", "BOGUS")
    assert answer.stderr.startswith(
        "squeue: error: Invalid job state specified: BOGUS\nsqueue: error: Valid job states"
    )


def test_an_unknown_option_is_refused(play: Play) -> None:
    answer = play.slurm("squeue", "--bogus")
    assert answer.returncode == 1
    assert "--bogus" in answer.stderr


def test_sinfo_of_an_unknown_node_prints_nothing(play: Play) -> None:
    answer = play.slurm("sinfo", "-h", "-n", "nosuch", "-o", "%n|%t")
    assert (answer.stdout, answer.returncode) == ("", 0)


def test_hostlists_are_taken_everywhere(play: Play) -> None:
    play.slurm("scontrol", "update", "nodename=compute[1-2,4]", "weight=7")
    shown = play.slurm("sinfo", "-h", "-n", "compute[1-4]", "-o", "%n %w").stdout
    assert shown == "compute1 7\ncompute2 7\ncompute3 1\ncompute4 7\n"


def test_headers_and_widths_are_printed_as_slurm_does(play: Play) -> None:
    assert play.slurm("sinfo", "-n", "compute1", "-o", "%n|%t|%.7w|%f|%5E|").stdout == (
        "HOSTNAMES|STATE| WEIGHT|AVAIL_FEATURES|REASO|\ncompute1|unk|      1|(null)|none |\n"
    )


def test_sinfo_lists_every_node_with_all_features_on_the_dummy(play: Play) -> None:
    """compute0 offers every instance type, and is never a real node."""
    lines = play.slurm("sinfo", "--noheader", "--format=%n|%t|%w|%f|%E").stdout.splitlines()
    assert len(lines) == 9
    features = ",".join(f"instancetype={size}" for size in ("small", "medium", "large", "himem", "xlarge"))
    assert lines[0] == f"compute0|unk|1|{features}|none"
    assert lines[8] == "compute8|unk|1|(null)|none"


def test_show_node_tells_all_of_a_node_and_its_comment(play: Play) -> None:
    node, name = play.up()
    play.slurm("scontrol", "update", f"NodeName={name}", "Comment=Node Manager booting", "NodeAddr=10.9.9.9")
    text = play.slurm("scontrol", "show", "node", name).stdout
    assert f"NodeName={name} Arch=x86_64" in text
    assert "\n   State=IDLE ThreadsPerCore=1" in text
    assert "\n   NodeAddr=10.9.9.9 " in text
    assert text.endswith("\n   Comment=Node Manager booting\n\n")
    assert "BootTime=None SlurmdStartTime=None" in play.slurm("scontrol", "show", "node", "compute5").stdout
    assert play.slurm("scontrol", "--oneliner", "show", "node", name).stdout.count("\n") == 1
    assert play.slurm("scontrol", "show", "nodes").stdout.count("NodeName=") == 9
    play.slurm("scontrol", "update", f"NodeName={name}", "State=DRAIN", f"Reason=mine ({node.id})")
    text = play.slurm("scontrol", "show", "node", name).stdout
    assert "State=IDLE+DRAIN " in text
    assert f"Reason=mine ({node.id}) [root@" in text


def test_ping_answers(play: Play) -> None:
    assert play.slurm("scontrol", "ping").stdout == "Slurmctld(primary) at sandbox is UP\n"


def test_scancel_by_name_state_and_id(play: Play) -> None:
    """Row F16: a job is named by its container."""
    play.site.dispatcher.resubmit_cancelled = False
    play.up()
    running = play.job("a", duration=500)
    play.clock.advance(5)
    pending = play.job("b")
    assert play.slurm("scancel", "--state=PENDING", "--name=a").returncode == 0
    assert running.state == "running"
    play.slurm("scancel", "--name=b")
    assert pending.state == "cancelled"
    play.slurm("scancel", "1")
    assert running.state == "cancelled"
    assert play.slurm("scancel", "999").returncode == 0
    assert play.slurm("scancel", "--name=nosuch").returncode == 0
    assert play.slurm("scancel").returncode == 1


def test_a_cancelled_job_whose_container_lives_on_comes_back() -> None:
    """Row N6: scancel alone only makes the dispatcher queue it again."""
    play = new_play()
    work = play.job()
    play.slurm("scancel", f"--name={work.spec.name}")
    play.clock.advance(30)
    assert work.state == "pending"
    play.site.store.update_container(work.spec.name, {"state": "Cancelled"})
    play.slurm("scancel", f"--name={work.spec.name}")
    play.clock.advance(30)
    assert work.state == "cancelled"


@pytest.mark.parametrize(
    ("megabytes", "text"), [(0, "0"), (500, "500M"), (1500, "1500M"), (1024, "1G"), (2**20, "1T"), (3072, "3G")]
)
def test_memory_is_printed_in_the_largest_whole_unit(megabytes: int, text: str) -> None:
    """Row F14."""
    assert memory(megabytes) == text


def test_without_slurmctld_each_command_says_so() -> None:
    words = "Unable to contact slurm controller (connect failure)\n"
    assert away("sinfo").stderr == f"slurm_load_partitions: {words}"
    assert away("squeue").stderr == f"slurm_load_jobs error: {words}"
    assert away("scontrol").stderr == f"slurm_update error: {words}"
