"""What Slurm shows of the limits of its accounting, as a real 22.05 wrote it; what is read from it, and how often."""

from __future__ import annotations

import logging
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arvnodeman.fleet.outlook.accounting import NOTHING_ENFORCED, Accounting, Association, Counted, LimitKind, Qos, Use
from arvnodeman.fleet.values.model import JobOwner, JobShape
from arvnodeman.slurm.accounting import Ledger, enforces_limits, limit_kind, parse_factors, parse_partitions, parse_used
from arvnodeman.slurm.errors import ControllerAway

SHOWN = (Path(__file__).parent / "shown" / "assoc_mgr.txt").read_text()  # some lines and columns of it
NO_DATABASE = """Current Association Manager state

No associations currently cached in Slurm.


No QOS currently cached in Slurm.

"""
CONFIG = "AccountingStorageBackupHost = (null)\nAccountingStorageEnforce = associations,limits,qos\n"
PARTITIONS = """PartitionName=compute
   AllowGroups=ALL AllowAccounts=ALL AllowQos=ALL
   AllocNodes=ALL Default=YES QoS=N/A

PartitionName=shared
   AllowGroups=ALL AllowAccounts=ALL AllowQos=ALL
   AllocNodes=ALL Default=NO QoS=capped
"""


def test_limits_of_a_real_slurm() -> None:
    found = parse_used(SHOWN)
    each = {"MaxJobs": Use(3, 0), "MaxTRESPJ cpu": Use(2, 0)}
    own = {"GrpTRES cpu": Use(12, 0), "MaxJobs": Use(7, 0), "MaxTRESPJ cpu": Use(2, 0)}
    assert found.associations == {
        ("root", "", ""): Association(),
        ("lab", "", ""): Association({"GrpJobs": Use(4, 0), "GrpTRES cpu": Use(5, 0), **each}, "root"),
        ("lab", "root", "compute"): Association(own),
        ("lab", "root", ""): Association(own),
        ("sub", "", ""): Association(each, "lab"),
        ("sub", "root", ""): Association(each),
    }
    assert found.numbers == {"root": 0}
    assert found.qos == {
        "spent": Qos({}, {0: {"MaxJobsPU": Use(2, 0)}}, {"lab": {}}),
        "capped": Qos(
            {
                "GrpJobs": Use(5, 0),
                "GrpWall": Use(100, 0),
                "GrpTRES cpu": Use(4, 0),
                "GrpTRES mem": Use(10240, 0),
                "GrpTRES node": Use(3, 0),
                "GrpTRESMins cpu": Use(1000, 0),
                "MaxTRESPJ cpu": Use(2, 0),
            },
            {number: {"MaxTRESPU cpu": Use(3, 0), "MaxTRESPU node": Use(2, 0)} for number in (0, -2)},
            {"lab": {"MaxJobsPA": Use(4, 0), "MaxTRESPA cpu": Use(9, 0)}},
        ),
    }


def test_what_is_used_is_read_too() -> None:
    text = SHOWN.replace("cpu=4(0)", "cpu=4(3),gres/gpu=2(1),gres/gpu:tesla=1(1)").replace("=100(0.00)", "=100(7.25)")
    rules = parse_used(text.replace("GrpJobs=5(0)", "GrpJobs=5(4)")).qos["capped"].rules
    assert [rules[name] for name in ("GrpTRES cpu", "GrpTRES gres/gpu", "GrpTRES gres/gpu:tesla")] == [
        Use(4, 3),
        Use(2, 1),
        Use(1, 1),
    ]
    assert (rules["GrpJobs"], rules["GrpWall"]) == (Use(5, 4), Use(100, 7.25))


@pytest.mark.parametrize("whom", ["0", "root(0)", "  0"])
def test_users_by_number_with_or_without_a_name(whom: str) -> None:
    text = SHOWN.replace("User Limits\n      0\n", f"User Limits\n      {whom.strip()}\n")
    assert parse_used(text).qos["spent"].by_user == {0: {"MaxJobsPU": Use(2, 0)}}


@pytest.mark.parametrize("text", ["", "\n", NO_DATABASE])
def test_without_a_database_nothing_is_known(text: str) -> None:
    assert not parse_used(text)


@settings(deadline=None)
@given(st.text(max_size=200), st.integers(0, len(SHOWN)), st.integers(0, 200))
def test_whatever_is_shown_is_read_without_an_error(junk: str, at: int, gone: int) -> None:
    parse_used(SHOWN[:at] + junk + SHOWN[at + gone :])
    parse_partitions(junk)
    parse_factors(junk)
    enforces_limits(junk)


@pytest.mark.parametrize(
    ("value", "enforced"),
    [
        ("associations,limits,qos", True),
        ("associations,limits,qos,safe", True),
        ("limits", True),
        ("associations,qos", False),
        ("none", False),
        ("", False),
    ],
)
def test_limits_count_where_slurm_enforces_them(value: str, enforced: bool) -> None:
    assert enforces_limits(f"A = 1\nAccountingStorageEnforce = {value}\nAccountingStorageHost = x\n") is enforced
    assert not enforces_limits("AccountingStorageHost = limits\n")


def test_partitions_and_factors() -> None:
    assert parse_partitions(PARTITIONS) == {"compute": "", "shared": "capped"}
    assert parse_factors("normal|\nbig|2.000000\nodd|many\nnone|0.000000\n") == {"normal": 1.0, "big": 2.0, "none": 1.0}


# ---- when it is asked ------------------------------------------------------------------------------------------------


class Answers:
    """Slurm, and a clock; `asked` has what was asked for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **said: str) -> None:
        self.said = {"config": CONFIG, "partition": PARTITIONS, "qos": "spent|\ncapped|\n", "assoc_mgr": SHOWN, **said}
        self.asked: list[str] = []
        self.now = 1000.0
        self.takes = 0.0
        monkeypatch.setattr("arvnodeman.slurm.accounting.time", SimpleNamespace(monotonic=lambda: self.now))

    def __call__(self, *command: str) -> str:
        (what,) = self.said.keys() & set(command)
        self.asked.append(what)
        self.now += self.takes
        if not self.said[what]:
            raise ControllerAway(command[0], "no answer")
        return self.said[what]

    def news(self) -> list[str]:
        asked, self.asked = self.asked, []
        return asked


def of(qos: str, user: str = "root", account: str = "lab") -> JobShape:
    return JobShape(owner=JobOwner(user, account, qos), partitions=("compute",))


def test_nothing_is_asked_for_where_no_job_has_a_qos(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = Answers(monkeypatch)
    ledger = Ledger(answers)
    assert ledger.fetch([]) == ledger.fetch([JobShape()]) == NOTHING_ENFORCED
    assert answers.news() == []


@pytest.mark.parametrize("config", [CONFIG.replace(",limits", ""), "AccountingStorageType = accounting_storage/none\n"])
def test_a_slurm_that_enforces_no_limits_is_asked_once_in_ten_minutes(
    config: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = Answers(monkeypatch, config=config)
    ledger = Ledger(answers)
    for _ in range(100):
        assert ledger.fetch([of("spent")]) == NOTHING_ENFORCED
        answers.now += 5.9
    assert answers.news() == ["config"]
    answers.now += 10
    ledger.fetch([of("spent")])
    assert answers.news() == ["config"]


def test_limits_of_waiting_jobs_are_asked_for_in_each_poll(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = Answers(monkeypatch)
    ledger = Ledger(answers)
    found = ledger.fetch([of("spent")])
    assert found.qos == {"spent": Qos({}, {0: {"MaxJobsPU": Use(2, 0)}})}  # no more than concerns who waits
    assert answers.news() == ["config", "partition", "assoc_mgr", "qos"]
    answers.said["assoc_mgr"] = SHOWN.replace("MaxJobsPU=2(0)", "MaxJobsPU=2(1)")
    answers.now += 1
    assert ledger.fetch([of("spent")]).qos["spent"].by_user == {0: {"MaxJobsPU": Use(2, 1)}}
    assert answers.news() == ["assoc_mgr"]


def test_where_nobody_who_waits_is_limited_it_is_asked_for_each_minute_or_for_somebody_new(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = SHOWN.replace("MaxJobsPU=2(0)", "MaxJobsPU=N(0)")
    answers = Answers(monkeypatch, assoc_mgr=text)
    ledger = Ledger(answers)
    for _ in range(10):
        assert ledger.fetch([of("spent", "anna", "free")]) == NOTHING_ENFORCED
        answers.now += 5
    assert answers.news() == ["config", "partition", "assoc_mgr", "qos"]
    assert ledger.fetch([of("spent", "anna", "free"), of("capped")]).qos.keys() == {"capped"}
    assert answers.news() == ["assoc_mgr"]


def test_without_limits_of_associations_no_factors_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    text = SHOWN.partition("Association Records")[0] + "\nQOS Records" + SHOWN.partition("\nQOS Records")[2]
    answers = Answers(monkeypatch, assoc_mgr=text)
    assert Ledger(answers).fetch([of("capped")]).qos.keys() == {"capped"}
    assert answers.news() == ["config", "partition", "assoc_mgr"]


def test_a_long_answer_is_not_asked_for_in_each_poll(monkeypatch: pytest.MonkeyPatch) -> None:
    """A twentieth of the time at most."""
    answers = Answers(monkeypatch)
    ledger = Ledger(answers)
    ledger.fetch([of("spent")])
    answers.takes = 2.0
    answers.news()
    for number in range(100):
        ledger.fetch([of("spent", f"user{number}")])  # somebody new each time
        answers.now += 1
    assert 2 <= answers.news().count("assoc_mgr") <= 4


@pytest.mark.parametrize("what", ["config", "partition", "assoc_mgr"])
def test_what_cannot_be_had_limits_nobody_and_costs_one_line(
    what: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    answers = Answers(monkeypatch, **{what: ""})
    ledger = Ledger(answers)
    with caplog.at_level(logging.INFO):
        for _ in range(100):
            assert ledger.fetch([of("spent")]) == NOTHING_ENFORCED
            answers.now += 10
    assert [record.getMessage().split(",")[0] for record in caplog.records] == ["Slurm's limits are not known"]
    assert answers.news().count(what) in (3, 4)  # in 1,000 s


def test_without_factors_the_limits_of_qos_are_known(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    answers = Answers(monkeypatch, qos="")
    found = Ledger(answers).fetch([of("spent")])
    assert set(found.qos) == {"spent"}
    assert not found.factors
    assert "Slurm's limit factors of QOS are not known" in caplog.text


def test_changed_settings_count_with_the_same_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = Answers(monkeypatch)
    ledger = Ledger(answers)
    shape = JobShape(owner=JobOwner("root", "lab", "spent"), partitions=("shared",))
    assert ledger.fetch([shape]).partitions == {"shared": "capped"}
    answers.said["partition"] = PARTITIONS.replace("QoS=capped", "QoS=N/A")
    answers.now += 601
    assert ledger.fetch([shape]).partitions == {"shared": ""}


def test_nothing_of_nobody() -> None:
    assert Accounting().concerning([of("spent")]) == NOTHING_ENFORCED


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("GrpJobs", LimitKind(Counted.JOBS, of_all=True)),
        ("MaxJobs", LimitKind(Counted.JOBS, behind=frozenset({"MaxJobsPU", "MaxJobsPA"}))),
        ("MaxJobsPU", LimitKind(Counted.JOBS)),
        ("GrpWall", LimitKind(Counted.SPENT, of_all=True)),
        ("GrpTRESMins gres/gpu", LimitKind(Counted.SPENT, of_all=True)),
        ("GrpTRES cpu", LimitKind(Counted.CPUS, of_all=True, scaled=True)),
        ("GrpTRES mem", LimitKind(Counted.MEMORY, of_all=True, scaled=True)),
        ("GrpTRES billing", LimitKind(Counted.OTHER, of_all=True, scaled=True)),
        ("MaxTRESPJ node", LimitKind(Counted.NODES, of_each_job=True, scaled=True)),
        ("MaxTRESPU gres/gpu:tesla", LimitKind(Counted.GRES, "gpu:tesla")),
    ],
)
def test_what_a_limit_means_by_its_name(name: str, kind: LimitKind) -> None:
    assert limit_kind(name) == kind
    assert (
        parse_used(f"\nQOS Records\nQOS=spent(1)\n    {name.replace(' ', '=')}=4(1)\n").qos["spent"].rules[name].of
        == kind
    )
