"""Scenes of which every answer of the management server is on record, and the record itself (`golden/`).

`python tests/unit/manage/golden_scenes.py` writes it anew (with tests/unit/fleet on PYTHONPATH): only where an answer
is meant to change, since programs of others read them.
"""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from managed_world import CONFIG, Managed, jobs, policy
from werkzeug.test import TestResponse

from arvnodeman.commands import operate
from arvnodeman.fleet.messages import (
    CreateNode,
    DescribeNode,
    OperatorSaid,
    PolicyChanged,
    Poll,
    PrepareRecord,
    QueueListed,
    SafeMode,
)
from arvnodeman.fleet.values.model import Directive, ErrorKind, Job, JobOwner, JobShape, ProviderSize, SizeSection
from arvnodeman.manage.server import ManagementServer, bind_unix
from arvnodeman.version import __version__

FOLDER = Path(__file__).with_name("golden")
LISTS = ("nodes", "jobs", "sizes", "groups", "operations", "polls", "decisions", "history?hours=0.5", "status")
TOKEN = {"Authorization": "Bearer tok"}
SPENT = JobShape(owner=JobOwner("ann", "lab", "spent"))
WIDE = JobShape(cores=2, nodes=2, ram=1500, scratch=100, partitions=("gpu", "any"))


class Container:
    """What Arvados says of a job, as any class that has these fields."""

    state, priority = "Locked", 562_948_341_000


def empty(folder: Path) -> Managed:
    """A daemon that knows nothing yet, without a token."""
    return Managed(folder)


def busy(folder: Path) -> Managed:
    """Nodes in most states, operators' words, an unknown size, jobs at a limit, a boot that fails, words that are not
    ASCII."""
    site = Managed(folder, token="tok", policy=policy(max_nodes=9, max_total_price=3.5, min_nodes=1))
    node = site.world.node
    node("compute1", slurm="alloc", preemptible=True, address="10.0.0.1")
    node("compute2", "large", slurm="idle")
    node("compute3", "large", slurm="down", record=False)
    node("compute4", slurm="drain", reason="disk: défaut")
    node("compute5", slurm="alloc", responding=False)
    node("compute6", slurm=None, first_ping=None, record=False, age=60.0)
    node("compute7", "huge", slurm="idle")
    site.begin(*jobs(4, JobShape(size="small"), priority=7), *jobs(2, WIDE, name="wide"))
    site.world.tell(OperatorSaid("i-compute2", Directive.HOLD, "größer"))
    site.world.tell(OperatorSaid("i-compute5", Directive.DRAIN, ""))
    for step in site.world.open(PrepareRecord)[:1]:
        site.world.done(step, site.world._carry_out(step))
    site.world.obey(DescribeNode)
    for create in site.world.open(CreateNode)[:1]:
        site.world.fail(create, ErrorKind.CAPACITY, "no room in zone a")
    site.world.now += 41.5
    site.cycle(times=2)
    site.vitals.polls.failed(Poll.CLOUD, site.vitals.clock.monotonic(), "HTTP 503", 1.5)
    site.waits.update(
        site.world.jobs, site.world.now - 30.0, {"held": "JobHeldUser", "new": "None"},
        {site.world.jobs[0].id: Container()},  # type: ignore[dict-item]
    )  # fmt: skip
    site.world.now += 12.3
    return site


def in_vain(folder: Path) -> Managed:
    """Slurm does not use a node for jobs, and refuses one; a dry run, in safe mode."""
    site = Managed(folder, policy=policy(use_within=180.0), dry_run=True)
    site.world.node()
    site.begin(*jobs(2, SPENT))
    site.cycle(times=4)
    refused = Job("zzzzz-dz642-refused", SPENT, 0, "QOSGrpCpuLimit")
    site.waits.update(site.world.jobs, site.world.now, {refused.id: refused.reason})
    site.world.tell(QueueListed(site.world.jobs, site.world.now, {SPENT: [refused]}))
    site.vitals.remarks["rights"] = "Slurm does not let us drain nodes"
    site.vitals.count("actor_exceptions")
    site.world.tell(SafeMode(site.world.now + 60.0))
    site.world.poll_cloud()
    return site


def sizes(folder: Path) -> Managed:
    """A size that the cloud lacks, GPUs, a partition; lists that are too old, the daemon not well."""
    sections = (
        SizeSection("small", cores=1, instance_type="small"),
        SizeSection("gpu", cores=8, instance_type="g1", gres=(("gpu", 2),), partitions=("gpu",), preemptible=True),
        SizeSection("lost", cores=2, instance_type="nowhere"),
    )
    site = Managed(folder, policy=policy(sections=sections))
    site.world.offers = (*site.world.offers, ProviderSize("g1", "g1", ram=16000, disk=100, price=1.25))
    site.begin(*jobs(1, JobShape(gres=(("gpu", 1),), partitions=("gpu",))), *jobs(1, JobShape(cores=64), name="big"))
    site.world.now += 4000.0
    site.world.poll_cloud()
    site.world.tell(PolicyChanged(replace(site.world.policy, max_nodes=0)))
    return site


SCENES: dict[str, Callable[[Path], Managed]] = {each.__name__: each for each in (empty, busy, in_vain, sizes)}


def answers(site: Managed, get: Callable[[str], TestResponse], post: Callable[[str], TestResponse]) -> Iterator[str]:
    """Each answer: a line with the request, code and type, and the body below it."""
    view = site.source.moment().view
    paths = [f"/v1/{name}" for name in LISTS]
    paths += [f"/v1/nodes/{node.id}" for node in view.nodes.values()]
    paths += [f"/v1/jobs/{name}" for name in (*(job.id for job in view.jobs), *site.waits.others)]
    paths += [f"/v1/sizes/{name}" for name in (*(size.id for size in view.sizes), *view.missing_sizes)]
    paths += ["/v1/jobs?offset=1&limit=2", "/v1/jobs?limit=x", "/v1/nodes/nobody", "/status.json", "/_health/ping"]
    for path in paths:
        yield _answer("GET", path, get(path))
    site.hears = False
    for path in [*(f"/v1/nodes/{name}/hold" for name in [*view.nodes, "nobody"][:1]), "/v1/retry/small", "/v1/nodes"]:
        yield _answer("POST", path, post(path))


def commands(site: Managed, folder: Path) -> Iterator[str]:
    """What the commands for operators print, for people and for programs: a line with the command and its code."""
    config = folder / "site.cfg"
    config.write_text(CONFIG.format(token="").replace("[Manage]", f"[Daemon]\nstate_dir = {folder}\n[Manage]"))
    server = ManagementServer(site.application, bind_unix(folder / "manage.sock"))
    server.start()
    view = site.source.moment().view
    names = [node.name for node in view.nodes.values()][:4]
    names += (
        [job.id for job in (*view.jobs[:1], *view.jobs[-1:])] + [*site.waits.others] + [size.id for size in view.sizes]
    )
    names += [*view.missing_sizes]
    asked = [["status"], ["status", "--nodes"], ["status", "--json"], ["decisions"], ["decisions", "--json", "-n", "2"]]
    asked += [["explain", name] for name in names] + [["explain", name, "--json"] for name in names[:1] + names[-1:]]
    asked += [["retry", "small"], ["retry", "small", "--json"], *(["hold", name] for name in names[:1])]
    try:
        for command in asked:
            out = io.StringIO()
            with contextlib.redirect_stdout(out):
                code = operate.main([*command, "--config", str(config)])
            yield f"$ {' '.join(command)} -> {code}\n{out.getvalue().replace(__version__, 'VERSION')}"
    finally:
        server.stop()


def _answer(method: str, path: str, answer: TestResponse) -> str:
    text = answer.text.replace(f'"{__version__}"', '"VERSION"')
    return f"{method} {path} {answer.status_code} {answer.content_type}\n{text}"


@contextlib.contextmanager
def in_utc() -> Iterator[None]:
    """Costs are counted, and moments printed, by the calendar of this machine."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = "UTC"
    time.tzset()
    try:
        yield
    finally:
        os.environ.pop("TZ")
        if before is not None:
            os.environ["TZ"] = before
        time.tzset()


@in_utc()
def scene(name: str, folder: Path) -> str:
    """All answers of one scene, to those that may ask for them, and to one that has no token."""
    site = SCENES[name](folder)
    headers = TOKEN if site.source.settings().manage.management_token else {}
    told = answers(
        site,
        lambda path: site.get(path, **headers),
        lambda path: site.post(path, {"reason": "a look"}),
    )
    refused = _answer("GET", "/v1/nodes", site.get("/v1/nodes", Authorization="Bearer wrong"))
    return "".join([*told, refused, *commands(site, folder)])


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for each in SCENES:
        with tempfile.TemporaryDirectory() as made:
            (FOLDER / f"{each}.txt").write_text(scene(each, Path(made)), encoding="utf-8")
