"""Limits of accounting on a real Slurm, which does not say so while every node is off: no node is booted beyond them.

One Slurm with a database of its own, without Arvados. A real second is 30 simulated ones.
"""

from __future__ import annotations

import getpass
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from slurm_stage import SPEED, Stage, need_slurm, stage
from test_slurm_ahead import queue_polls, running, sbatch

from arvnodeman.fleet.outlook.accounting import Use
from arvnodeman.sandbox.process import SiteProcess
from arvnodeman.sandbox.real_slurm_conf import search_path
from arvnodeman.slurm.keeping import NamesInSlurm

BOUND = 120.0  # real seconds
SLOTS = 6
NEEDED = ("mariadbd", "mariadb", "mariadb-install-db", "slurmdbd", "sacctmgr")
GRANTS = "; ".join(
    [
        "create database slurm_acct_db",
        *(f"create user slurm@'{host}' identified by 'x'" for host in ("localhost", "127.0.0.1")),
        *(f"grant all on slurm_acct_db.* to slurm@'{host}'" for host in ("localhost", "127.0.0.1")),
    ]
)


def need_accounting() -> None:
    """Skip the tests where the database is not installed, with the way to get it; in CI that is a failure."""
    lacking = [program for program in NEEDED if shutil.which(program, path=search_path()) is None]
    if lacking:
        complaint = f"no {', '.join(lacking)} here; on Debian: apt-get install mariadb-server slurmdbd slurm-client"
        if os.environ.get("CI") == "true":
            pytest.fail(complaint)
        pytest.skip(complaint)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def until(true: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + BOUND
    while not true():
        assert time.monotonic() < end, f"{what}: not so within {BOUND:g} s"
        time.sleep(0.1)


@contextmanager
def process(argv: list[str], log: Path, environment: dict[str, str]) -> Iterator[None]:
    """It runs meanwhile."""
    with log.open("w") as out, subprocess.Popen(argv, env=environment, stdout=out, stderr=out) as made:
        try:
            yield
        finally:
            made.terminate()
            try:
                made.wait(20)
            except subprocess.TimeoutExpired:
                made.kill()


@contextmanager
def database(folder: Path, port: int) -> Iterator[None]:
    """A MariaDB with an empty database for Slurm."""
    environment = {**os.environ, "PATH": search_path()}
    data, door, user = folder / "data", folder / "sql", f"--user={getpass.getuser()}"
    made = ["--no-defaults", f"--datadir={data}", user, "--auth-root-authentication-method=normal", "--skip-test-db"]
    subprocess.run(["mariadb-install-db", *made], env=environment, capture_output=True, check=True)
    where = [f"--socket={door}", f"--port={port}", "--bind-address=127.0.0.1", f"--pid-file={folder / 'sql.pid'}"]
    sizes = ["--innodb-buffer-pool-size=64M", "--innodb-lock-wait-timeout=900"]
    with process(["mariadbd", "--no-defaults", f"--datadir={data}", user, *where, *sizes], folder / "log", environment):
        ask = ["mariadb", "--no-defaults", f"--socket={door}", "-uroot", "-e"]

        def answers() -> bool:
            return subprocess.run([*ask, "select 1"], env=environment, capture_output=True, check=False).returncode == 0

        until(answers, "the database to answer")
        subprocess.run([*ask, GRANTS], env=environment, capture_output=True, check=True)
        yield


@contextmanager
def slurmdbd(site: SiteProcess, folder: Path, port: int, sql: int) -> Iterator[None]:
    """Slurm with its accounting, which enforces limits."""
    conf = Path(site.address.slurm_conf)
    munge = conf.parent / "run" / "munge.socket"
    said = {
        "AuthType": "auth/munge",
        "AuthInfo": munge,
        "DbdHost": "localhost",
        "DbdAddr": "127.0.0.1",
        "DbdPort": port,
        "SlurmUser": getpass.getuser(),
        "StorageType": "accounting_storage/mysql",
        "StorageHost": "127.0.0.1",
        "StoragePort": sql,
        "StorageUser": "slurm",
        "StoragePass": "x",
        "StorageLoc": "slurm_acct_db",
        "LogFile": folder / "dbd.log",
        "PidFile": folder / "dbd.pid",
    }
    of_dbd = conf.parent / "slurmdbd.conf"
    of_dbd.write_text("".join(f"{name}={value}\n" for name, value in said.items()))
    of_dbd.chmod(0o600)
    storage = ["Type=accounting_storage/slurmdbd", "Host=127.0.0.1", f"Port={port}", f"Pass={munge}"]
    more = "\n".join(
        ["AccountingStorageEnforce=associations,limits,qos", *(f"AccountingStorage{each}" for each in storage)]
    )
    conf.write_text(conf.read_text().replace("AccountingStorageType=accounting_storage/none", more))
    with process(["slurmdbd", "-D"], folder / "dbd.out", {**site.environment(), "PATH": search_path()}):
        until(lambda: sacctmgr(site, "show", "cluster") == 0, "slurmdbd to answer")
        site.post("slurm/slurmctld", {"do": "stop"})
        (conf.parent / "state" / "clustername").unlink(missing_ok=True)  # one from 24.11 on has named itself without it
        site.post("slurm/slurmctld", {"do": "start"})
        until(lambda: sacctmgr(site, "add", "account", "lab") == 0, "slurmctld to have registered")
        yield


def sacctmgr(site: SiteProcess, *argv: str) -> int:
    environment = {**site.environment(), "PATH": search_path()}
    command = ["sacctmgr", "--immediate", *argv]
    return subprocess.run(command, env=environment, capture_output=True, timeout=60, check=False).returncode


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SiteProcess]:
    need_slurm()
    need_accounting()
    folder = tmp_path_factory.mktemp("accounting")
    sql, dbd = free_port(), free_port()
    with ExitStack() as stack:
        stack.enter_context(database(folder, sql))
        site = stack.enter_context(SiteProcess(speed=SPEED, slots=SLOTS, slurm="real", records="slurm"))
        stack.enter_context(slurmdbd(site, folder, dbd, sql))
        for words in (("add", "user", "root", "account=lab"), ("add", "qos", "spent"), ("add", "qos", "few")):
            assert sacctmgr(site, *words) == 0
        assert sacctmgr(site, "modify", "qos", "spent", "set", "GrpTRES=cpu=0") == 0
        assert sacctmgr(site, "modify", "qos", "few", "set", "MaxJobsPerUser=2") == 0
        assert sacctmgr(site, "modify", "user", "root", "set", "qos+=spent,few") == 0
        yield site


@pytest.fixture
def alone(site: SiteProcess, tmp_path: Path) -> Iterator[Stage]:
    with stage(site, tmp_path) as alone:
        for number in range(1, SLOTS + 1):
            alone.slurm("scontrol", "update", f"NodeName=compute{number}", "NodeAddr=192.0.2.1")
        try:
            yield alone
            alone.slurm("scancel", "--user=root")
            alone.until(lambda: not alone.slurm("squeue", "-h") and site.state()["quiet"], "the end of all", BOUND)
        finally:
            for daemon in alone.daemons:
                daemon.stop()


def test_no_node_beyond_a_limit_and_one_when_it_is_raised(
    alone: Stage, site: SiteProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    sbatch(alone, "--account=lab", "--qos=spent")
    daemon = alone.daemon()
    queue_polls(alone, daemon, 5)
    assert alone.subjects("node-created") == []
    for name, value in site.environment().items():
        monkeypatch.setenv(name, value)
    known = NamesInSlurm(job_name_pattern="", numbered=True).queue().outlook.accounting
    assert known is not None
    assert known.qos["spent"].rules == {"GrpTRES cpu": Use(0, 0)}
    assert sacctmgr(site, "modify", "qos", "spent", "set", "GrpTRES=cpu=100") == 0
    alone.until(lambda: running(alone), "the job to run", BOUND)


@pytest.mark.long
def test_no_more_nodes_than_jobs_may_run_of_a_user(alone: Stage) -> None:
    for _ in range(6):
        sbatch(alone, "--account=lab", "--qos=few")
    daemon = alone.daemon()
    alone.until(lambda: len(running(alone)) == 2, "two jobs to run", BOUND)
    queue_polls(alone, daemon, 3)
    assert len(alone.subjects("node-created")) == 2


@pytest.mark.skipif(not os.environ.get("PROOFS"), reason="takes a minute and a half: make proofs ARGS=money")
def test_what_a_job_has_cost_stands_on_it_at_its_end(alone: Stage, tmp_path: Path) -> None:
    """With a node at a dollar a second. slurmctld's own record of the job, which is there for MinJobAge, has none of
    it; what somebody else has written on a job stays."""
    mine, other = (sbatch(alone, "--account=lab", "--exclusive", seconds=4.0) for _ in range(2))
    sizes = ("medium", "large", "himem", "xlarge")
    sections: dict[str, dict[str, object] | None] = dict.fromkeys(f"Size {name}" for name in sizes)
    sections["Size small"] = {"price": 3600}
    daemon = alone.daemon(sections=sections, state_dir=tmp_path / "state", cost_comment="yes", payers_poll_time=1)
    alone.until(lambda: f"{other}|" in "|".join(running(alone)) + "|", "the job to run", BOUND)
    alone.slurm("scontrol", "update", f"jobid={other}", "AdminComment=not yours")

    def comment(job: str) -> str:
        return alone.slurm("sacct", "-X", "--noheader", "--parsable2", f"--jobs={job}", "--format=admincomment")

    alone.until(lambda: comment(mine), "what the job has cost", BOUND)
    found = re.fullmatch(r"cost \$(\d+\.\d\d), (\d+\.\d\d) node hours", comment(mine))
    assert found is not None, comment(mine)
    assert 4.0 <= float(found[1]) < BOUND  # all of its run, and the boot that was for it
    assert "AdminComment" not in alone.slurm("scontrol", "show", "job", mine)
    assert comment(other) == "not yours"
    assert "not written" not in daemon.text()
