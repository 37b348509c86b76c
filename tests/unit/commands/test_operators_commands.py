"""The commands for operators, against a management server on a real unix socket or port."""

from __future__ import annotations

import json
import os
import re
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from managed_world import CONFIG, Managed, jobs, policy
from werkzeug.wrappers import Request, Response

from arvnodeman.commands import client, operate, wording
from arvnodeman.config import load
from arvnodeman.fleet.messages import DestroyNode, DrainNode, PolicyChanged
from arvnodeman.fleet.plan.vain import group_name
from arvnodeman.fleet.values.capacity import Capacity
from arvnodeman.fleet.values.gres import Gres
from arvnodeman.fleet.values.model import Directive, JobShape, OperatorDirective
from arvnodeman.fleet.values.otherwise import Otherwise
from arvnodeman.history.spot import SpotJobs, SpotPaid, SpotReport
from arvnodeman.manage import shapes
from arvnodeman.manage.app import Application, Route, json_response
from arvnodeman.manage.places import DRY_RUN_FOLDER, SOCKET_NAME, STATE_DIR
from arvnodeman.manage.server import ManagementServer, bind, bind_unix
from arvnodeman.supervision.vitals import RefusedReload

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The state directory, with a configuration file beside it that names it."""
    folder = tmp_path / "state"
    folder.mkdir()
    write_config(tmp_path, folder)
    return folder


def write_config(tmp_path: Path, folder: Path | None, port: int = -1, token: str = "") -> None:
    daemon = f"[Daemon]\nstate_dir = {folder}\n" if folder else ""
    text = CONFIG.format(token=token).replace("[Manage]", f"{daemon}[Manage]\nport = {port}")
    (tmp_path / "site.cfg").write_text(text)


@pytest.fixture
def managed(tmp_path: Path) -> Managed:
    managed = Managed(tmp_path, policy=policy(max_nodes=3, shutdown_windows=(1e9, 1.0)))
    managed.world.node("compute1", slurm="alloc")
    managed.world.node("compute2")
    managed.begin(*jobs(3, JobShape(size="large")))
    return managed


@pytest.fixture
def served(managed: Managed, folder: Path) -> Iterator[Managed]:
    server = ManagementServer(managed.application, bind_unix(folder / SOCKET_NAME))
    server.start()
    yield managed
    server.stop()


@pytest.fixture
def run(tmp_path: Path, capsys: Capture) -> Any:
    """Run a command; its exit code and what it said."""

    def run(*arguments: str) -> tuple[int, str, str]:
        code = operate.main([*arguments, "--config", str(tmp_path / "site.cfg")])
        told = capsys.readouterr()
        return code, told.out, told.err

    return run


# ---- what they show ------------------------------------------------------------------------------------------------


def test_status_as_sinfo(served: Managed, run: Any) -> None:
    code, out, err = run("status")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].endswith(": all is well")
    assert lines[1] == "nodes: 3 (at most 3), $0.2/hour; jobs need 3"
    assert re.match(
        r"cost: \$\d+\.\d\d this hour, \$\d+\.\d\d today, \$\d+\.\d\d this month \(nodes gone before", lines[2]
    )
    assert lines[3].startswith("jobs: 3 wait, the longest for 0 s; 1 of them")
    assert lines[6:] == [
        "SIZE   PRICE  STATE    NODES  NODELIST",
        "small  0.1    busy     1      compute1",
        "small  0.1    idle     1      compute2",
        "large  0.4    booting  1      -",
        "large  0.4    wanted   3",
    ]


@pytest.mark.parametrize(
    ("gres", "threads", "told"),
    [
        ((), 1, [Otherwise.TASKS_SPREAD]),
        ((("gpu:a", 1), ("gpu:b", 1)), 1, [Otherwise.TASKS_SPREAD, Otherwise.GPU_TYPES]),
        ((("gpu:a", 2),), 2, [Otherwise.ONE_CPU, Otherwise.TASKS_SPREAD]),
    ],
)
def test_explain_says_in_what_slurm_may_count_a_job_otherwise(
    served: Managed, run: Any, gres: Gres, threads: int, told: list[Otherwise]
) -> None:
    """What depends on how nodes are built is said where there is such a node."""
    (job,) = jobs(1, JobShape(cores=99))
    work = served.world.slurm
    assert work is not None
    work["compute1"] = replace(work["compute1"], has=Capacity(8, 9000, gres, threads))
    served.cycle(replace(job, otherwise=(Otherwise.ONE_CPU, Otherwise.TASKS_SPREAD, Otherwise.GPU_TYPES)))
    lines = run("explain", job.id)[1].splitlines()
    assert [line for line in lines if "do otherwise" in line] == [
        f"  Slurm may do otherwise: {kind.words}." for kind in told
    ]


def test_status_says_why_a_reload_was_refused(served: Managed, run: Any) -> None:
    assert "refused" not in run("status")[1]
    served.vitals.refused_reload = RefusedReload(1700000000.0, tuple(f"a.cfg: mistake {number}" for number in range(7)))
    code, out, _ = run("status")
    lines = out.splitlines()
    (first,) = (number for number, line in enumerate(lines) if "was refused" in line)
    assert code == 0  # the daemon is well, by the configuration before it
    assert re.fullmatch(
        r"The configuration of 2023-11-1\d \d\d:\d\d:\d\d was refused; the one before it is in force:", lines[first]
    )
    assert lines[first + 1 : first + 7] == [*(f"  a.cfg: mistake {number}" for number in range(5)), "  and 2 more"]


def test_nodes_stand_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    names = ("compute10", "compute9", "compute1")
    managed = Managed(tmp_path)
    for name in names:
        managed.world.node(name)
    managed.begin()
    now = managed.source.moment()
    shown = [shapes.node(status, now) for status in now.view.nodes.values()]
    size = shapes.sizes(now)[0]
    assert list(wording.groups(shown, [size]))[1].endswith("compute1,compute9,compute10")
    assert [line.split()[0] for line in wording.nodes(shown)][1:] == ["compute1", "compute9", "compute10"]


def test_status_with_a_line_for_each_node(served: Managed, run: Any) -> None:
    _, out, _ = run("status", "--nodes")
    assert "compute1  compute1.zzzzz  small  busy   0 s  alloc  -     it works: Slurm says alloc" in out


def test_a_daemon_that_is_not_well_is_code_5(served: Managed, run: Any) -> None:
    served.world.now += 4000.0
    code, out, _ = run("status")
    assert code == 5
    assert "the cloud list is 4000 seconds old" in out


def test_explain_each_kind_of_thing(served: Managed, run: Any) -> None:
    waiting = served.world.jobs[2]
    code, node, _ = run("explain", "compute2")
    assert code == 0
    assert node.startswith("Node compute2: idle for 0 s; small, $0.1/hour, 2.0 h old\n")
    assert "It stays: idle for 1 node poll(s) in a row of 2 needed." in node
    code, job, _ = run("explain", waiting.id)
    assert f"Job {waiting.id}: waits for 0 s, at place 3" in job
    assert "No node yet: 2 of large wanted, max_nodes of 3 reached with 3 node(s)." in job
    assert "it names the size large" in job
    served.source.history.spot = SpotPaid(
        0.0,
        [SpotReport("large", "a", 12, 340.0, 3, 68.0, 136.0, 6.0, 2.4), SpotReport("other", "b")],
        [
            SpotJobs("large", "a", "up to 10 min", 9, 4.0, 0, 0.8, 1.6),
            SpotJobs("large", "a", "1 to 6 h", lost_cost=2.0),
        ],
    )
    code, size, _ = run("explain", "large")
    told = "  spot in a, 30 days: 12 nodes for 340.0 h, 3 taken; saved: $65.60 against on demand"
    assert f"{told} ($0.80 by jobs of up to 10 min, -$2.00 by jobs of 1 to 6 h)\n" in size
    assert "spot in b" not in size
    assert "nodes: 1 booting; jobs need 3" in size
    assert "limits: 3 nodes of max_nodes 3" in size


@pytest.mark.parametrize(
    ("reason", "why"),
    [
        ("AssocGrpCpuLimit", "Slurm's reason is AssocGrpCpuLimit: more nodes would not help."),
        ("JobHeldUser", "Slurm's reason is JobHeldUser: more nodes would not help."),
        ("None", "Slurm has not looked at it yet."),
    ],
)
def test_explain_a_job_that_waits_for_something_else_than_nodes(
    served: Managed, run: Any, reason: str, why: str
) -> None:
    """No job waits without a stated reason, also where the reason is none of ours."""
    served.waits.update(served.world.jobs, served.world.now, {"zzzzz-dz642-00000000000held": reason})
    code, out, _ = run("explain", "zzzzz-dz642-00000000000held")
    assert (code, out) == (0, f"Job zzzzz-dz642-00000000000held: waits, but not for nodes\n  {why}\n")


def test_everything_as_json(served: Managed, run: Any) -> None:
    assert json.loads(run("status", "--json")[1])["status"]["healthy"] is True
    assert json.loads(run("explain", "compute1", "--json")[1])["node"]["id"] == "i-compute1"
    assert json.loads(run("hold", "compute1", "--json")[1])[0]["word"] == "hold"
    assert [json.loads(line)["kind"] for line in run("decisions", "--json")[1].splitlines()][-1] == "word"


def test_words(served: Managed, run: Any) -> None:
    assert run("hold", "compute1", "compute2", "--reason", "a look") == (
        0,
        "compute1 (compute1.zzzzz): hold\ncompute2 (compute2.zzzzz): hold\n",
        "",
    )
    served.world.obey()
    assert served.world.cloud["i-compute2"].directive == OperatorDirective(Directive.HOLD, "a look")
    assert "operator hold: a look" in run("explain", "compute2")[1]
    run("run", "compute2")
    run("drain", "compute1")
    assert served.world.one(DrainNode).hostname == "compute1"
    run("kill", "i-compute2", "--reason", "burns")
    assert served.world.one(DestroyNode).node.id == "i-compute2"


@pytest.mark.parametrize(
    "words",
    ["--config a.cfg --json raise lab 5", "raise lab 5 --config a.cfg --json", "raise --json lab 5 --config a.cfg"],
)
def test_what_all_commands_take_may_stand_on_either_side_of_raise(words: str) -> None:
    options = operate.make_parser().parse_args(["budget", *words.split()])
    assert (options.config, options.json, options.dry_run) == ("a.cfg", True, False)
    assert (options.way, options.name, options.amount) == ("raise", "lab", 5.0)


def test_retry(served: Managed, run: Any) -> None:
    shape = JobShape()
    site, group = served, group_name(shape)
    site.world.policy = replace(site.world.policy, use_within=60.0)
    site.world.tell(PolicyChanged(site.world.policy))
    site.world.node("compute3")
    site.cycle(*jobs(2, shape), times=5)
    assert f"in vain: {group} (1 core(s), 0 MB; 2 jobs): compute" in run("status")[1]
    job = site.world.jobs[0].id
    assert f"its group, of jobs like it: {group}" in run("explain", job)[1]
    assert run("retry", group, "--reason", "the limit is raised") == (0, f"{group}: tried again ({group})\n", "")
    assert "in vain" not in run("status")[1]
    assert "the limit is raised" in run("decisions")[1]
    code, out, _ = run("retry", "large", "--json")
    assert (code, json.loads(out)[0]["groups"]) == (0, [group])
    assert run("retry", "nobody") == (3, "", "arvados-node-manager: no group, waiting job or size is called nobody\n")


def test_decisions(served: Managed, run: Any) -> None:
    run("hold", "compute1", "--reason", "a look")
    lines = run("decisions")[1].splitlines()
    assert lines[-1].endswith("word          compute1.zzzzz  Operator hold on compute1.zzzzz: a look")
    assert run("decisions", "-n", "1")[1].splitlines() == lines[-1:]


def test_decisions_are_followed_over_a_restart(
    managed: Managed, folder: Path, tmp_path: Path, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the daemon is away one line says so; the numbers of the next run begin anew."""
    servers: list[ManagementServer] = []

    def serve(site: Managed) -> None:
        servers.append(ManagementServer(site.application, bind_unix(folder / SOCKET_NAME)))
        servers[-1].start()

    def sleep(_seconds: float) -> None:
        match next(rounds):
            case 0:
                managed.post("/v1/nodes/compute1/hold", {"reason": "first"})
            case 1:
                servers[-1].stop()
            case 3:
                following = Managed(tmp_path, now=managed.world.now + 5000.0)
                following.world.node("compute7")
                following.begin()
                following.post("/v1/nodes/compute7/hold", {"reason": "second"})
                serve(following)
            case 5:
                raise KeyboardInterrupt

    rounds = iter(range(10))
    serve(managed)
    monkeypatch.setattr("arvnodeman.commands.operate.sleep", sleep)
    code, out, err = run("decisions", "--follow", "-n", "1")
    servers[-1].stop()
    assert code == 130
    assert [line.rpartition(": ")[2] for line in out.splitlines()][1:] == ["first", "second"]
    assert err.count("waiting for it") == 1


# ---- when something is wrong -----------------------------------------------------------------------------------------


def test_an_unknown_name_is_code_3(served: Managed, run: Any) -> None:
    code, out, err = run("explain", "compute9")
    assert (code, out) == (3, "")
    assert err.startswith("arvados-node-manager: no node, waiting job or size is called compute9")
    assert run("kill", "compute9")[0] == 3


def test_a_daemon_that_is_down_says_what_was_tried(folder: Path, run: Any) -> None:
    code, out, err = run("status")
    assert (code, out) == (1, "")
    assert err == (
        f"arvados-node-manager: cannot reach the daemon: {folder}/{SOCKET_NAME}: no such socket"
        " (the daemon is not running, or has no [Daemon] state_dir); systemctl status arvados-node-manager says why\n"
    )


def test_a_stale_socket_is_told(folder: Path, run: Any) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(folder / SOCKET_NAME))
    assert "nobody listens there (the daemon is not running)" in run("status")[2]


def test_a_daemon_that_hangs_is_told(folder: Path, run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client.DaemonClient.__init__, "__defaults__", (0.1,))
    with socket.socket(socket.AF_UNIX) as hanging:
        hanging.bind(str(folder / SOCKET_NAME))
        hanging.listen(4)
        code, _, err = run("status")
    assert code == 1
    assert "no answer within 0.1 s" in err


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can stand for another account")
def test_another_account_is_told_so(served: Managed, run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("arvnodeman.manage.server.peer", lambda _connection: 4242)
    code, _, err = run("status")
    assert code == 1
    assert "this is for root and the daemon's own account" in err


def test_a_mistake_in_the_file_is_code_2_and_its_line(tmp_path: Path, run: Any) -> None:
    (tmp_path / "site.cfg").write_text("[Cloud]\nprovider = nimbus\n")
    code, out, err = run("status")
    assert (code, out) == (2, "")
    assert "[Cloud] provider: " in err
    assert "Traceback" not in err


# ---- which way -------------------------------------------------------------------------------------------------------


@pytest.fixture
def over_tcp(tmp_path: Path) -> Iterator[int]:
    managed = Managed(tmp_path, token="tok")
    managed.begin()
    server = ManagementServer(managed.application, bind("127.0.0.1", 0))
    server.start()
    yield server.port
    server.stop()


def test_without_a_socket_the_port_is_asked_with_the_token(
    tmp_path: Path, folder: Path, over_tcp: int, run: Any
) -> None:
    write_config(tmp_path, folder, over_tcp, "tok")
    assert run("status")[0] == 0


def test_a_wrong_token_is_code_4(tmp_path: Path, folder: Path, over_tcp: int, run: Any) -> None:
    write_config(tmp_path, folder, over_tcp, "wrong")
    code, _, err = run("status")
    assert code == 4
    assert "authorization error" in err
    assert "wrong" not in err


def test_another_program_at_the_port_is_told(tmp_path: Path, folder: Path, run: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        write_config(tmp_path, folder, port)
        other.settimeout(10)

        def answer() -> None:
            connection = other.accept()[0]
            connection.recv(1000)
            connection.sendall(b"HTTP/1.0 200 OK\r\n\r\nhello")
            connection.close()

        thread = threading.Thread(target=answer)
        thread.start()
        code, _, err = run("status")
        thread.join()
    assert code == 1
    assert "is not an Arvados Node Manager of this kind" in err


@pytest.fixture
def other_build(folder: Path, managed: Managed) -> Iterator[Callable[[dict[str, Any]], None]]:
    """A daemon whose answers are said by the test, by the end of their address."""
    said: dict[str, Any] = {}

    def page(request: Request, path: str) -> Response:
        return json_response(said[path])

    server = ManagementServer(Application([Route("/v1/<path:path>", page)]), bind_unix(folder / SOCKET_NAME))
    server.start()
    yield said.update
    server.stop()


def test_an_answer_of_another_kind_is_a_line_that_names_the_field(
    other_build: Callable[[dict[str, Any]], None], folder: Path, run: Any
) -> None:
    other_build({"status": {"version": "9", "dry_run": "no"}, "decisions": {"run": "1", "last": 0}})
    where = f"arvados-node-manager: what listens at {folder}/{SOCKET_NAME} is not an Arvados Node Manager of this kind"
    assert run("status") == (1, "", f"{where}: Expected `bool`, got `str` - at `$.dry_run`\n")
    assert run("decisions") == (1, "", f"{where}: Object missing required field `decisions`\n")


def test_what_a_newer_daemon_says_beside_is_left_out_and_printed_for_programs(
    other_build: Callable[[dict[str, Any]], None], managed: Managed, run: Any
) -> None:
    told = {name: managed.ask(f"/v1/{name}") for name in ("status", "nodes", "sizes")}
    told["status"] |= {"mood": "fine", "price": 1}
    told["nodes"]["nodes"][0] |= {"state": "dreaming", "rack": 7}
    other_build(told | {"budgets": managed.ask("/v1/budgets")})
    assert "compute1  compute1.zzzzz  small  dreaming" in run("status", "--nodes")[1]
    shown = json.loads(run("status", "--json")[1])
    assert shown == {name: told[name] if name == "status" else told[name][name] for name in told}
    assert '"price": 1,' in run("status", "--json")[1]


def test_ways(tmp_path: Path) -> None:
    write_config(tmp_path, tmp_path / "state", 8989, "tok")
    settings = load(str(tmp_path / "site.cfg"))
    assert [str(way) for way in client.ways(settings)] == [f"{tmp_path}/state/{SOCKET_NAME}", "127.0.0.1:8989"]
    assert str(client.ways(settings, dry_run=True)[0]) == f"{tmp_path}/state/{DRY_RUN_FOLDER}/{SOCKET_NAME}"
    write_config(tmp_path, None)
    assert [str(way) for way in client.ways(load(str(tmp_path / "site.cfg")))] == [f"{STATE_DIR}/{SOCKET_NAME}"]
